/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON bodies between guest, host, gossip and other nodes
 * (docs/internals.md section 2). Parsing is strict: every member must be
 * there, no other may be, no name twice; hex of exact length. What a message
 * says is believed by nobody until it is checked.
 *
 * Parsed messages own memory: X_free. Zero-initialize before the first parse;
 * a parse that fails leaves the struct zeroed. Builders append text to w.
 */
#ifndef PROTOCOL_MESSAGES_H
#define PROTOCOL_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/secp.h"
#include "protocol/statements.h"

#define MSG_MAX (128u * 1024) /* bytes of a body */
#define MSG_MAX_QUOTE (16u * 1024)
#define MSG_MAX_CT 4096u /* onboarding ciphertext */

/* A quote with the collateral it is judged by. */
struct msg_evidence {
	struct wr quote;      /* raw bytes */
	struct wr collateral; /* JSON text; empty where none is carried */
};

struct msg_bootstrap {
	struct stmt_bootstrap s;
	uint8_t sig[SECP_SIG_LEN];
	struct msg_evidence ev;
};
/* POST /bootstrap; also the answer of /bootstrap-quote/EPOCH. */
DSTACK_CHECKED enum dstack_status msg_bootstrap_parse(
    const void *text, size_t len, struct msg_bootstrap *out, struct why *why);
void msg_bootstrap_build(struct wr *w, const struct msg_bootstrap *m);
void msg_bootstrap_free(struct msg_bootstrap *m);

/* Gossip: whoever has the bootstrap message of this epoch may give it. */
struct msg_wanted {
	uint64_t chain_id;
	uint8_t contract[20];
	uint64_t epoch;
};
/* {"bootstrapWanted":{"chainId","contract","epoch"}} */
DSTACK_CHECKED enum dstack_status msg_wanted_parse(
    const void *text, size_t len, struct msg_wanted *out, struct why *why);
void msg_wanted_build(struct wr *w, const struct msg_wanted *m);

struct msg_register {
	uint8_t request_id[32];
	struct stmt_register s;
	uint8_t suite;
	uint8_t enc_pub[32];
	uint8_t quote_hash[32];
	uint8_t sig[SECP_SIG_LEN]; /* over RegisterTx, by the node key */
	bool has_payee;            /* gossip and POST /onboard: the host's */
	uint8_t payee[20];
	struct msg_evidence ev;
};
DSTACK_CHECKED enum dstack_status msg_register_parse(
    const void *text, size_t len, struct msg_register *out, struct why *why);
void msg_register_build(struct wr *w, const struct msg_register *m);
void msg_register_free(struct msg_register *m);

struct msg_onboard {
	struct stmt_onboard s;
	uint8_t sig[SECP_SIG_LEN];
	struct wr ct;
};
/* Answer of POST /onboard, and of /onboarded/REQUESTID. */
DSTACK_CHECKED enum dstack_status msg_onboard_parse(
    const void *text, size_t len, struct msg_onboard *out, struct why *why);
void msg_onboard_build(struct wr *w, const struct msg_onboard *m);
void msg_onboard_free(struct msg_onboard *m);

struct msg_heartbeat {
	struct stmt_heartbeat s;
	uint8_t sig[SECP_SIG_LEN];
};
/* {"heartbeat":{"node","epoch","anchorHash","anchorNumber"},"sig":HEX} */
DSTACK_CHECKED enum dstack_status msg_heartbeat_parse(
    const void *text, size_t len, struct msg_heartbeat *out, struct why *why);
void msg_heartbeat_build(struct wr *w, const struct msg_heartbeat *m);

struct msg_volume_anchor {
	struct stmt_volume_anchor s;
	uint8_t sig[SECP_SIG_LEN];
};
/*
 * {"anchor":{"volumeId","generation","root","epoch","anchorNumber",
 * "anchorHash"},"sig":HEX}
 */
DSTACK_CHECKED enum dstack_status msg_volume_anchor_parse(const void *text,
    size_t len, struct msg_volume_anchor *out, struct why *why);
void msg_volume_anchor_build(struct wr *w, const struct msg_volume_anchor *m);

/*
 * Answer of /node. owner: whose the node's volume is; where that is not the
 * submitter, owner_sig is its word for it (volume_owner_digest).
 */
struct msg_node {
	uint8_t submitter[20];
	uint8_t payee[20];
	uint64_t index;
	bool has_owner;
	uint8_t owner[20];     /* the submitter, where has_owner is false */
	uint8_t owner_sig[65]; /* zero, where has_owner is false */
};
DSTACK_CHECKED enum dstack_status msg_node_parse(
    const void *text, size_t len, struct msg_node *out, struct why *why);
void msg_node_build(struct wr *w, const struct msg_node *m);

/* {"tx":HASH} */
DSTACK_CHECKED enum dstack_status msg_tx_parse(
    const void *text, size_t len, uint8_t hash[static 32], struct why *why);
void msg_tx_build(struct wr *w, const uint8_t hash[static 32]);

#endif
