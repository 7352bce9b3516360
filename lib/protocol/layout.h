/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KeyManager as C sees it: storage slots that guests prove with eth_getProof,
 * signatures of its functions and events, and typed-data texts. Nothing here
 * is code. contracts/test/layout.mjs holds this file against solc's storage
 * layout and ABI of contracts/KeyManager.sol.
 *
 * A mapping's value for key k is at keccak256(word(k) || word(slot)), a
 * nested one's at keccak256(word(k2) || keccak256(word(k1) || word(slot))):
 * eth_slot_mapping. Words are 32 bytes, big-endian; a field's *_AT is the
 * index of its first byte in the word, *_LEN its length.
 */
#ifndef PROTOCOL_LAYOUT_H
#define PROTOCOL_LAYOUT_H

/* Slot 0: the head of the contract. */
#define KM_SLOT_HEAD 0
#define KM_HEAD_PAUSED_AT 3 /* bool: register, onboard, bootstrap are off */
#define KM_HEAD_CAP_COUNT_AT 4 /* u32: requests in block CAP_BLOCK */
#define KM_HEAD_CAP_BLOCK_AT 8 /* u64 */
#define KM_HEAD_EPOCH_COUNT_AT 16 /* u64: epochs opened; the last is count-1 */
#define KM_HEAD_CURRENT_EPOCH_AT 24 /* u64: last bootstrapped, 0 before */

/* Slot 1: the pauser's address (last 20 bytes). */
#define KM_SLOT_PAUSER 1

/* mapping(uint64 epoch => 8 slots) */
#define KM_SLOT_EPOCHS 2
#define KM_EPOCH_KEY 0 /* word: openedAt u64, state u8, xPub */
#define KM_EPOCH_OPENED_AT 3 /* u64, seconds */
#define KM_EPOCH_STATE_AT 11 /* u8, enum below */
#define KM_EPOCH_XPUB_AT 12 /* 20 bytes, zero before bootstrap */
#define KM_EPOCH_SEED_COMMIT 1
#define KM_EPOCH_QUOTE_HASH 2 /* keccak256 of the bootstrap quote */
#define KM_EPOCH_POLICY_HASH 3
#define KM_EPOCH_POLICY 4 /* word, fields below */
#define KM_EPOCH_BOOTSTRAPPER 5 /* last 20 bytes: the only submitter allowed */
#define KM_EPOCH_TUPLES_HASH 6 /* chain of allowed tuples, see KM_POLICY_HASH */
#define KM_EPOCH_ADVISORIES_HASH 7
#define KM_EPOCH_SLOTS 8

enum km_epoch_state {
	KM_EPOCH_NONE = 0,
	KM_EPOCH_OPEN = 1, /* no key yet */
	KM_EPOCH_ACTIVE = 2,
	KM_EPOCH_CLOSED = 3,
};

/* Policy word; the first 9 bytes are zero. */
#define KM_POLICY_PLATFORM_MODE_AT 9 /* u8, enum below */
#define KM_POLICY_REQUESTS_PER_BLOCK_AT 10 /* u16 */
#define KM_POLICY_REQUEST_EXPIRY_AT 12 /* u32, blocks */
#define KM_POLICY_MIN_PCK_CRL_AT 16 /* u32 */
#define KM_POLICY_MIN_ROOT_CRL_AT 20 /* u32 */
#define KM_POLICY_MIN_TCB_EVAL_AT 24 /* u32: tcbEvaluationDataNumber */
#define KM_POLICY_TCB_MASK_AT 28 /* u32: bit i accepts TCB status i */

/* TCB statuses as bits of the mask and as Onboard.tcbStatus. */
enum km_tcb_status {
	KM_TCB_UP_TO_DATE = 0,
	KM_TCB_SW_HARDENING = 1,
	KM_TCB_CONFIGURATION = 2,
	KM_TCB_CONFIGURATION_AND_SW_HARDENING = 3,
	KM_TCB_OUT_OF_DATE = 4,
	KM_TCB_OUT_OF_DATE_CONFIGURATION = 5,
	/* Revoked has no bit: it is never accepted. */
	KM_TCB_COUNT = 6,
};

enum km_platform_mode {
	KM_PLATFORM_ALLOW = 1, /* only platforms whose value is 1 */
	KM_PLATFORM_DENY = 2,  /* any but those whose value is 2 */
	KM_PLATFORM_OPEN = 3,  /* not asked; simulated networks only */
};

/*
 * policyHash = keccak256(word(epoch) || policy word || tuplesHash ||
 * advisoriesHash); tuplesHash starts as zero and becomes
 * keccak256(tuplesHash || tupleHash) with each allowTuple, advisoriesHash
 * likewise. All pieces are 32 bytes.
 */

/* mapping(uint64 epoch => mapping(bytes32 tupleHash => u8)) */
#define KM_SLOT_TUPLES 3
/* tupleHash = keccak256(MRTD || RTMR0 || RTMR1 || RTMR2 || MRCONFIGID) */
#define KM_TUPLE_BYTES (5 * 48)
/* mapping(uint64 epoch => mapping(bytes32 => u8)); key keccak256(id text) */
#define KM_SLOT_ADVISORIES 4
/* mapping(bytes32 platformHash => u8) */
#define KM_SLOT_PLATFORMS 5
/* Values of the three above. */
enum km_listed {
	KM_LISTED_NO = 0,
	KM_LISTED_ALLOWED = 1,
	KM_LISTED_DENIED = 2, /* the pauser's: until the owner takes it back */
};

/*
 * A statement's anchor may be so many blocks behind the block that takes it:
 * what EIP-2935's history contract knows. A chain without it: 256.
 */
#define KM_ANCHOR_BLOCKS 8191

/* mapping(bytes32 requestId => one word) */
#define KM_SLOT_REQUESTS 6
#define KM_REQUEST_QUOTE_AT 0 /* first 23 bytes of keccak256(quote) */
#define KM_REQUEST_QUOTE_LEN 23
#define KM_REQUEST_EXPIRY_AT 23 /* u64: last block number that counts */
#define KM_REQUEST_STATE_AT 31 /* u8, enum below */

enum km_request_state {
	KM_REQUEST_NONE = 0,
	KM_REQUEST_REQUESTED = 1,
	KM_REQUEST_ONBOARDED = 2,
};

/* mapping(bytes32 volumeId => 2 slots) */
#define KM_SLOT_VOLUMES 7
#define KM_VOLUME_GENERATION 0 /* u64 in the last 8 bytes */
#define KM_VOLUME_GENERATION_AT 24
#define KM_VOLUME_ROOT 1

/*
 * The app: two records of four slots. A guest runs LATEST when the time of
 * its proven block is at or past LATEST's notBefore, else PREVIOUS; a record
 * with version 0 or stopped set is run by nobody.
 */
#define KM_SLOT_APP_PREVIOUS 8
#define KM_SLOT_APP_LATEST 12
#define KM_APP_ID 0
#define KM_APP_DIGEST 1 /* SHA-256 of the image config JSON (Docker image ID) */
#define KM_APP_VERSION 2 /* word, fields below */
#define KM_APP_STOPPED_AT 15 /* bool */
#define KM_APP_NOT_BEFORE_AT 16 /* u64, seconds */
#define KM_APP_VERSION_AT 24 /* u64, strictly up */
/*
 * Solidity string. Last bit of the word 0: length is the last byte / 2 (at
 * most 31), text at the word's start. Last bit 1: length is (word - 1) / 2,
 * text in the slots from keccak256(word(slot of this word)) on.
 */
#define KM_APP_NAME 3
#define KM_APP_NAME_MAX 127
#define KM_APP_SLOTS 4

/* Signatures, for selectors. Structs are tuples of static words, inline. */
#define KM_T_BOOTSTRAP \
	"(uint64,address,bytes32,bytes32,bytes32,uint64,address)"
#define KM_T_REGISTER \
	"(uint64,address,bytes32,bytes32,bytes32,uint64,address,bytes32)"
#define KM_T_ONBOARD \
	"(bytes32,uint64,bytes32,bytes32,bytes32,uint8,address)"
#define KM_T_VOLUME_ANCHOR "(bytes32,uint64,bytes32,uint64,uint64,bytes32)"
#define KM_T_POLICY "(uint32,uint32,uint32,uint32,uint32,uint16,uint8)"

#define KM_FN_BOOTSTRAP "bootstrap(" KM_T_BOOTSTRAP ",bytes,bytes32)"
#define KM_FN_REGISTER "register(" KM_T_REGISTER ",bytes32,bytes)"
#define KM_FN_ONBOARD "onboard(" KM_T_ONBOARD ",bytes,bytes)"
#define KM_FN_ANCHOR_VOLUME "anchorVolume(" KM_T_VOLUME_ANCHOR ",bytes)"
#define KM_FN_PURGE "purge(bytes32[])"
#define KM_FN_VERIFY "verify(bytes32,bytes)"
#define KM_FN_XPUB "xPub()"
#define KM_FN_CONTAINER "container()"
#define KM_FN_REQUESTED "requested(bytes32)"
#define KM_FN_OPEN_EPOCH "openEpoch(uint64," KM_T_POLICY ",address)"
#define KM_FN_ALLOW_TUPLE "allowTuple(uint64,bytes32)"
#define KM_FN_ACCEPT_ADVISORY "acceptAdvisory(uint64,bytes32)"
#define KM_FN_RAISE_FLOORS "raiseFloors(uint64,uint32,uint32,uint32,uint32)"
#define KM_FN_CLOSE_EPOCH "closeEpoch(uint64)"
#define KM_FN_ALLOW_PLATFORM "allowPlatform(bytes32)"
#define KM_FN_DENY_PLATFORM "denyPlatform(bytes32)"
#define KM_FN_ALLOW_TUPLE_AGAIN "allowTupleAgain(uint64,bytes32)"
#define KM_FN_ALLOW_ADVISORY_AGAIN "allowAdvisoryAgain(uint64,bytes32)"
#define KM_FN_ALLOW_PLATFORM_AGAIN "allowPlatformAgain(bytes32)"
#define KM_FN_DENY_TUPLE "denyTuple(uint64,bytes32)"
#define KM_FN_DENY_ADVISORY "denyAdvisory(uint64,bytes32)"
#define KM_FN_PROPOSE_APP "proposeApp(bytes32,bytes32,string,uint64,uint64)"
#define KM_FN_SET_CONTAINER "set_container(string,bytes32)"
#define KM_FN_STOP_APP "stopApp(uint64)"
#define KM_FN_PAUSE "pause()"
#define KM_FN_UNPAUSE "unpause()"
#define KM_FN_SET_PAUSER "setPauser(address)"
#define KM_FN_OWNER "owner()"
/* OpenZeppelin's Ownable2Step: the new owner has to accept. */
#define KM_FN_PENDING_OWNER "pendingOwner()"
#define KM_FN_TRANSFER_OWNERSHIP "transferOwnership(address)"
#define KM_FN_ACCEPT_OWNERSHIP "acceptOwnership()"
#define KM_FN_SIM_ALLOWED "simAllowed()"
#define KM_FN_CT_ON_CHAIN "ctOnChain()"
#define KM_FN_NOTICE_PERIOD "noticePeriod()"

/*
 * Constructor arguments, appended to the creation code: owner, pauser (may
 * be zero), noticePeriod u64 (seconds; 0 only with simAllowed), simAllowed
 * bool, ctOnChain bool: five words.
 */
#define KM_CONSTRUCTOR "(address,address,uint64,bool,bool)"

/* Events; keccak256 of the text is topic 0. */
#define KM_EV_BOOTSTRAP_COMPLETE \
	"BootstrapComplete(uint64,address,bytes32,bytes32)"
/* topic 1 requestId, topic 2 node; no data */
#define KM_EV_REQUESTED "Requested(bytes32,address)"
/*
 * topic 1 requestId; data: the seven words of Onboard, then the offsets of
 * sig and ct. ct is empty on a relay network.
 */
#define KM_EV_ONBOARDED "Onboarded(bytes32," KM_T_ONBOARD ",bytes,bytes)"
/* topic 1 digest; data: string name, version, notBefore */
#define KM_EV_TUPLE_SET "TupleSet(uint64,bytes32,uint8)"
#define KM_EV_CONTAINER_CHANGED "ContainerChanged(string,bytes32,uint64,uint64)"

/* Typed data (EIP-712), as signed by guests. */
#define KM_TYPE_BOOTSTRAP \
	"Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit," \
	"bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber," \
	"address submitter)"
#define KM_TYPE_REGISTER \
	"Register(uint64 epoch,address node,bytes32 encKeyHash," \
	"bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber," \
	"address submitter,bytes32 nonce)"
#define KM_TYPE_REGISTER_TX "RegisterTx(bytes32 requestId,bytes32 quoteHash)"
#define KM_TYPE_ONBOARD \
	"Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit," \
	"bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)"
/* A sign of life, for nodes and people; the contract has no use for it. */
#define KM_TYPE_HEARTBEAT \
	"Heartbeat(address node,uint64 epoch,bytes32 anchorHash," \
	"uint64 anchorNumber)"
#define KM_TYPE_VOLUME_ANCHOR \
	"VolumeAnchor(bytes32 volumeId,uint64 generation,bytes32 root," \
	"uint64 epoch,uint64 anchorNumber,bytes32 anchorHash)"
/* For TLS clients; the contract has no use for it. */
#define KM_TYPE_TLS_BIND \
	"TlsBind(bytes32 nonce,bytes32 exporter,bytes32 spkiHash," \
	"uint8 role,uint64 epoch)"

#endif
