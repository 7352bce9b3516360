// SPDX-License-Identifier: Apache-2.0
// A beacon chain that nobody of this project wrote: Lodestar's own state
// transition (every signature and every state root checked by it) over an
// execution client with the engine API. Minimal preset, 32 keys, Electra, then
// Fulu. The first SLOTS slots are made at once, as if they were long ago; after
// those one each SECONDS, or none where that is 0. Serves what a light client asks for, as the Beacon API has it.
//
//   chain.mjs ENGINE-URL SLOTS SECONDS PORT NETWORK-FILE
//
// NETWORK-FILE gets the network as "dstack beacon" reads it, once it listens.
// Beside the API: GET /sim/first and /sim/finalized (block roots); a finality
// update with ?signers=N is signed by N of the committee alone, as a host
// would have it that got hold of so many keys.
// Its execution client is ethereumjs, of the same age: Cancun's rules.
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import * as st from "@lodestar/state-transition";
import { ssz } from "@lodestar/types";
import { minimalChainConfig } from "@lodestar/config/configs";
import { createBeaconConfig, createChainForkConfig } from "@lodestar/config";
import * as P from "@lodestar/params";
import { aggregateSignatures } from "@chainsafe/blst";
import { BitArray } from "@chainsafe/ssz";
import { Tree } from "@chainsafe/persistent-merkle-tree";

const [engine, slotsArg, secondsArg, portArg, networkFile] = process.argv.slice(2);
const BURST = Number(slotsArg), SECONDS = Number(secondsArg);
const KEYS = 32, FULU = 6, EPOCH = P.SLOTS_PER_EPOCH;
const PERIOD = EPOCH * P.EPOCHS_PER_SYNC_COMMITTEE_PERIOD;
// generalized indices of Electra's BeaconState and BeaconBlockBody
const FINALIZED = 169n, CURRENT = 86n, NEXT = 87n, PAYLOAD = 25n;
const SLOT = SECONDS > 0 ? SECONDS : 6;

const hex = (b) => "0x" + Buffer.from(b).toString("hex");
const bytes = (s) => Uint8Array.from(Buffer.from(s.slice(2), "hex"));
const quantity = (n) => "0x" + BigInt(n).toString(16);
let calls = 0;
async function rpc(method, params) {
	const r = await (await fetch(engine, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ jsonrpc: "2.0", id: ++calls, method, params }),
	})).json();
	if (r.error) throw Error(method + ": " + JSON.stringify(r.error));
	return r.result;
}

const chain = {
	...minimalChainConfig, SECONDS_PER_SLOT: SLOT, SLOT_DURATION_MS: SLOT * 1000,
	ALTAIR_FORK_EPOCH: 0, BELLATRIX_FORK_EPOCH: 0, CAPELLA_FORK_EPOCH: 0,
	DENEB_FORK_EPOCH: 0, ELECTRA_FORK_EPOCH: 0, FULU_FORK_EPOCH: FULU,
	GLOAS_FORK_EPOCH: Infinity, TERMINAL_TOTAL_DIFFICULTY: 0n,
};
const keys = st.interopSecretKeys(KEYS);
const genesisTime = Math.floor(Date.now() / 1000) - BURST * SLOT - 60;

// The state at genesis, with all keys active and in both committees' draw.
async function genesis() {
	const config = createChainForkConfig(chain);
	const block = await rpc("eth_getBlockByNumber", ["0x0", false]);
	const s = st.getGenesisBeaconState(config,
		{ depositRoot: new Uint8Array(32), depositCount: 0, blockHash: bytes(block.hash) },
		st.getTemporaryBlockHeader(config, ssz.electra.BeaconBlock.defaultValue()));
	s.genesisTime = genesisTime;
	for (const k of keys) {
		s.validators.push(ssz.phase0.Validator.toViewDU({
			pubkey: k.toPublicKey().toBytes(), withdrawalCredentials: new Uint8Array(32),
			effectiveBalance: 32e9, slashed: false, activationEligibilityEpoch: 0,
			activationEpoch: 0, exitEpoch: Infinity, withdrawableEpoch: Infinity,
		}));
		s.balances.push(32e9);
		s.previousEpochParticipation.push(0);
		s.currentEpochParticipation.push(0);
		s.inactivityScores.push(0);
	}
	s.commit();
	s.genesisValidatorsRoot = s.validators.hashTreeRoot();
	s.depositRequestsStartIndex = 2n ** 64n - 1n;
	Object.assign(s.latestExecutionPayloadHeader, {
		blockHash: bytes(block.hash), stateRoot: bytes(block.stateRoot), gasLimit: 30000000,
		baseFeePerGas: 1000000000n, prevRandao: bytes(block.hash),
	});
	s.commit();
	const beacon = createBeaconConfig(chain, s.genesisValidatorsRoot);
	const cached = () => st.createCachedBeaconState(s,
		{ config: beacon, pubkeyCache: st.createPubkeyCache() }, { skipSyncCommitteeCache: true });
	const draw = cached();
	const { syncCommittee } = st.getNextSyncCommittee(P.ForkSeq.electra, draw,
		Uint32Array.from({ length: KEYS }, (_, i) => i), draw.epochCtx.effectiveBalanceIncrements);
	s.currentSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
	s.nextSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
	s.commit();
	return {
		config: beacon, hash: bytes(block.hash),
		state: st.createCachedBeaconState(s, { config: beacon, pubkeyCache: st.createPubkeyCache() }),
	};
}

const g = await genesis();
let state = g.state, headPayload = g.hash, head = null;
const blocks = new Map(); // root -> { header, fork, state }
const best = new Map(); // period -> update
let finality = null, first = null;

const lightHeader = (fork, b) => {
	const T = ssz[fork], body = T.BeaconBlockBody.toViewDU(b.body);
	return {
		beacon: {
			slot: b.slot, proposerIndex: b.proposerIndex, parentRoot: b.parentRoot,
			stateRoot: b.stateRoot, bodyRoot: T.BeaconBlockBody.hashTreeRoot(b.body),
		},
		execution: st.executionPayloadToPayloadHeader(P.ForkSeq[fork], b.body.executionPayload),
		executionBranch: new Tree(body.node).getSingleProof(PAYLOAD),
	};
};

// What a committee signs of the block before slot, by the first n members.
function aggregate(pre, slot, parentRoot, n) {
	const root = st.computeSigningRoot(ssz.Root, parentRoot,
		g.config.getDomain(slot, P.DOMAIN_SYNC_COMMITTEE, Math.max(slot - 1, 0)));
	const members = [...pre.epochCtx.currentSyncCommitteeIndexed.validatorIndices];
	return {
		syncCommitteeBits: BitArray.fromBoolArray(members.map((_, i) => i < n)),
		syncCommitteeSignature:
			aggregateSignatures(members.slice(0, n).map((i) => keys[i].sign(root))).toBytes(),
	};
}

function attestation(pre, slot, parentRoot) {
	const at = slot - 1, epoch = Math.floor(at / EPOCH), start = epoch * EPOCH;
	const n = pre.epochCtx.getCommitteeCountPerSlot(epoch);
	const all = pre.epochCtx.getBeaconCommittees(at, [...Array(n).keys()]).flatMap((c) => [...c]);
	const source = epoch === Math.floor(slot / EPOCH)
		? pre.currentJustifiedCheckpoint : pre.previousJustifiedCheckpoint;
	const data = {
		slot: at, index: 0, beaconBlockRoot: st.getBlockRootAtSlot(pre, at), source: source.toValue(),
		target: { epoch, root: start < at ? st.getBlockRootAtSlot(pre, start) : parentRoot },
	};
	const root = st.computeSigningRoot(ssz.phase0.AttestationData, data,
		g.config.getDomain(slot, P.DOMAIN_BEACON_ATTESTER, at));
	return {
		aggregationBits: BitArray.fromBoolArray(all.map(() => true)), data,
		committeeBits: BitArray.fromBoolArray([...Array(4).keys()].map((i) => i < n)),
		signature: aggregateSignatures(all.map((i) => keys[i].sign(root))).toBytes(),
	};
}

const payloadOf = (p) => ({
	parentHash: bytes(p.parentHash), feeRecipient: bytes(p.feeRecipient),
	stateRoot: bytes(p.stateRoot), receiptsRoot: bytes(p.receiptsRoot),
	logsBloom: bytes(p.logsBloom), prevRandao: bytes(p.prevRandao),
	blockNumber: Number(p.blockNumber), gasLimit: Number(p.gasLimit), gasUsed: Number(p.gasUsed),
	timestamp: Number(p.timestamp), extraData: bytes(p.extraData),
	baseFeePerGas: BigInt(p.baseFeePerGas), blockHash: bytes(p.blockHash),
	transactions: p.transactions.map(bytes), withdrawals: [],
	blobGasUsed: BigInt(p.blobGasUsed), excessBlobGas: BigInt(p.excessBlobGas),
});

async function payload(pre, slot, parentRoot) {
	const done = blocks.get(hex(state.finalizedCheckpoint.root));
	const final = hex(done ? done.header.execution.blockHash : g.hash);
	const f = await rpc("engine_forkchoiceUpdatedV3", [
		{ headBlockHash: hex(headPayload), safeBlockHash: final, finalizedBlockHash: final },
		{
			timestamp: quantity(genesisTime + slot * SLOT),
			prevRandao: hex(st.getRandaoMix(pre, pre.epochCtx.epoch)),
			suggestedFeeRecipient: "0x" + "70".repeat(20), withdrawals: [],
			parentBeaconBlockRoot: hex(parentRoot),
		}]);
	const p = (await rpc("engine_getPayloadV3", [f.payloadId])).executionPayload;
	const said = await rpc("engine_newPayloadV3", [p, [], hex(parentRoot)]);
	if (said.status !== "VALID") throw Error("engine_newPayloadV3: " + JSON.stringify(said));
	return payloadOf(p);
}

// What light clients are told of a head: its parent was signed in it.
function tell(block, fork, parentRoot) {
	const a = blocks.get(hex(parentRoot));
	const f = a && blocks.get(hex(a.state.finalizedCheckpoint.root));
	if (!f) return;
	const tree = new Tree(a.state.node);
	const update = {
		attestedHeader: a.header, syncAggregate: block.body.syncAggregate,
		signatureSlot: block.slot, finalizedHeader: f.header,
		finalityBranch: tree.getSingleProof(FINALIZED),
	};
	finality = { version: a.fork, data: update, root: parentRoot };
	first ??= hex(a.state.finalizedCheckpoint.root);
	const period = Math.floor(a.header.beacon.slot / PERIOD);
	if (Math.floor(block.slot / PERIOD) === period &&
		Math.floor(f.header.beacon.slot / PERIOD) === period)
		best.set(period, {
			version: a.fork,
			data: {
				...update, nextSyncCommittee: a.state.nextSyncCommittee.toValue(),
				nextSyncCommitteeBranch: tree.getSingleProof(NEXT),
			},
		});
}

async function make(slot) {
	const pre = st.processSlots(state.clone(), slot);
	const epoch = Math.floor(slot / EPOCH), fork = g.config.getForkName(slot), T = ssz[fork];
	const parentRoot = pre.latestBlockHeader.hashTreeRoot();
	const proposer = pre.epochCtx.getBeaconProposer(slot);
	const body = T.BeaconBlockBody.defaultValue();
	body.executionPayload = await payload(pre, slot, parentRoot);
	body.eth1Data = pre.eth1Data.toValue();
	body.randaoReveal = keys[proposer].sign(st.computeSigningRoot(ssz.Epoch, epoch,
		g.config.getDomain(slot, P.DOMAIN_RANDAO))).toBytes();
	body.syncAggregate = aggregate(pre, slot, parentRoot, KEYS);
	if (slot > 1) body.attestations = [attestation(pre, slot, parentRoot)];
	const block = {
		slot, proposerIndex: proposer, parentRoot, stateRoot: new Uint8Array(32), body,
	};
	const options = {
		verifyStateRoot: false, verifyProposer: false, verifySignatures: false,
		executionPayloadStatus: "valid", dataAvailabilityStatus: "Available",
	};
	block.stateRoot = st.stateTransition(state,
		{ message: block, signature: new Uint8Array(96) }, options).hashTreeRoot();
	const signature = keys[proposer].sign(st.computeSigningRoot(T.BeaconBlock, block,
		g.config.getDomain(slot, P.DOMAIN_BEACON_PROPOSER))).toBytes();
	// the specification's transition, with nothing left out
	const next = st.stateTransition(state, { message: block, signature },
		{ ...options, verifyStateRoot: true, verifyProposer: true, verifySignatures: true });
	tell(block, fork, parentRoot);
	state = next;
	state.commit();
	headPayload = body.executionPayload.blockHash;
	head = T.BeaconBlock.hashTreeRoot(block);
	blocks.set(hex(head), { header: lightHeader(fork, block), fork, state: next });
}

const json = (version, type, value) =>
	JSON.stringify({ version, data: ssz[version][type].toJson(value) });
function answer(path, query) {
	if (path === "/eth/v1/beacon/genesis")
		return JSON.stringify({
			data: {
				genesis_time: String(genesisTime),
				genesis_validators_root: hex(g.config.genesisValidatorsRoot),
				genesis_fork_version: hex(chain.GENESIS_FORK_VERSION),
			},
		});
	if (path === "/sim/first") return first;
	if (path === "/sim/finalized") return hex(state.finalizedCheckpoint.root);
	let m = /^\/eth\/v1\/beacon\/headers\/(head|finalized|0x[0-9a-f]{64})$/.exec(path);
	if (m) {
		const root = m[1] === "head" ? hex(head)
			: m[1] === "finalized" ? hex(state.finalizedCheckpoint.root) : m[1];
		const b = blocks.get(root);
		return b && JSON.stringify({
			finalized: true, execution_optimistic: false, data: {
				root, canonical: true, header: {
					message: ssz.phase0.BeaconBlockHeader.toJson(b.header.beacon),
					signature: hex(new Uint8Array(96)),
				},
			},
		});
	}
	m = /^\/eth\/v1\/beacon\/light_client\/bootstrap\/(0x[0-9a-f]{64})$/.exec(path);
	if (m) {
		const b = blocks.get(m[1]);
		return b && json(b.fork, "LightClientBootstrap", {
			header: b.header, currentSyncCommittee: b.state.currentSyncCommittee.toValue(),
			currentSyncCommitteeBranch: new Tree(b.state.node).getSingleProof(CURRENT),
		});
	}
	if (path === "/eth/v1/beacon/light_client/updates") {
		const start = Number(query.get("start_period")), list = [];
		for (let p = start; p < start + Math.min(Number(query.get("count")), 128); p++) {
			if (!best.has(p)) break;
			list.push(json(best.get(p).version, "LightClientUpdate", best.get(p).data));
		}
		return "[" + list.join(",") + "]";
	}
	if (path === "/eth/v1/beacon/light_client/finality_update" && finality) {
		const data = { ...finality.data };
		if (query.has("signers"))
			data.syncAggregate = aggregate(state, data.signatureSlot, finality.root,
				Number(query.get("signers")));
		return json(finality.version, "LightClientFinalityUpdate", data);
	}
	return undefined;
}

for (let slot = 1; slot <= BURST; slot++) await make(slot);
createServer((req, res) => {
	let said, status = 200;
	try {
		const url = new URL(req.url, "http://x");
		said = answer(url.pathname, url.searchParams);
	} catch (e) {
		said = JSON.stringify({ error: String(e.stack) });
		status = 500;
	}
	if (said === undefined) [said, status] = ['{"code":404,"message":"not found"}', 404];
	res.writeHead(status, { "content-type": "application/json" }).end(said);
}).listen(Number(portArg), "127.0.0.1", () => {
	const forks = ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"];
	writeFileSync(networkFile, [
		"name=lodestar", "genesis-root=" + hex(g.config.genesisValidatorsRoot),
		"genesis-time=" + genesisTime, "seconds-per-slot=" + SLOT,
		"slots-per-epoch=" + EPOCH, "epochs-per-period=" + PERIOD / EPOCH,
		"committee=" + P.SYNC_COMMITTEE_SIZE,
		...forks.map((f) => "fork=" + f.toLowerCase() + " " +
			hex(chain[f + "_FORK_VERSION"]) + " " + chain[f + "_FORK_EPOCH"]),
	].join("\n") + "\n");
});
if (SECONDS > 0)
	for (let slot = BURST + 1; ; slot++) {
		const due = (genesisTime + slot * SLOT) * 1000 - Date.now();
		if (due > 0) await new Promise((done) => setTimeout(done, due));
		await make(slot);
	}
