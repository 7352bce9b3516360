// SPDX-License-Identifier: Apache-2.0
// Another implementation on dstack sim beacon: npm's @lodestar/types reads what
// it serves, as SSZ and as JSON, and computes roots, branches and signing roots
// by itself; blst checks the signatures over those; its @lodestar/light-client,
// which knows no Gloas, follows up to there.
// Usage: LODESTAR_PRESET=minimal sim_beacon.mjs MODULES URL NETWORK ROOT
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, url, networkFile, checkpoint] = process.argv.slice(2);
const find = (path) => import(pathToFileURL(`${modules}/${path}`).href);
const { ssz } = await find('@lodestar/types/lib/index.js');
const bls = (await find('@chainsafe/bls/lib/index.js')).default;
const { createBeaconConfig } = await find('@lodestar/config/lib/index.js');
const { minimalChainConfig } = await find('@lodestar/config/lib/configs.js')
	.catch(() => find('@lodestar/config/lib/chainConfig/configs/minimal.js').then((m) => ({ minimalChainConfig: m.chainConfig })));
const { LightclientSpec } = await find('@lodestar/light-client/lib/spec/index.js');

const forks = {};
let genesisRoot;
for (const line of readFileSync(networkFile, 'utf8').split('\n')) {
	const [key, value] = line.split('=');
	if (key === 'genesis-root') genesisRoot = Buffer.from(value.slice(2), 'hex');
	if (key !== 'fork') continue;
	const [name, version, epoch] = value.split(' ');
	forks[name] = { version: Buffer.from(version.slice(2), 'hex'), epoch: Number(epoch) };
}
const forkAt = (slot) => Object.keys(forks).filter((f) => slot >= 8 * forks[f].epoch).pop();

function must(what, holds) {
	if (holds) return;
	console.log(`not ok ${what}`);
	process.exit(1);
}
async function get(path, ssz) {
	const response = await fetch(`${url}/eth/v1/beacon/${path}`,
		{ headers: { Accept: ssz ? 'application/octet-stream;q=1,application/json;q=0.9' : 'application/json' } });
	must(`${path}: HTTP ${response.status}`, response.status === 200);
	const version = response.headers.get('eth-consensus-version');
	return ssz ? { version, bytes: Buffer.from(await response.arrayBuffer()) } : response.json();
}
const sha = (a, b) => createHash('sha256').update(a).update(b).digest();
function inTree(leaf, branch, gindex, root) {
	const depth = Math.floor(Math.log2(gindex));
	let v = Buffer.from(leaf);
	const extra = branch.length - depth;
	if (branch.slice(0, extra).some((n) => Buffer.from(n).some((b) => b !== 0))) return false;
	branch.slice(extra).forEach((node, i) => {
		v = (gindex >> i) & 1 ? sha(node, v) : sha(v, node);
	});
	return v.equals(Buffer.from(root));
}
const at = (type, path) => Number(type.getPathInfo(path).gindex);
const stateAt = (fork, path) => at(ssz[fork].BeaconState, path);
const headerRoot = (h) => ssz.phase0.BeaconBlockHeader.hashTreeRoot(h);

// execution is in the body, at the place of the block's own fork
function execution(header, container) {
	const own = forkAt(header.beacon.slot);
	const body = ssz[own].BeaconBlockBody;
	if (container !== 'gloas') {
		const leaf = ssz[own].ExecutionPayloadHeader.hashTreeRoot(header.execution);
		return inTree(leaf, header.executionBranch, at(body, ['executionPayload']), header.beacon.bodyRoot);
	}
	const path = own === 'gloas' ? ['signedExecutionPayloadBid', 'message', 'parentBlockHash'] : ['executionPayload', 'blockHash'];
	return inTree(header.executionBlockHash, header.executionBranch, at(body, path), header.beacon.bodyRoot);
}
function judge(update, fork, keys) {
	const slot = update.attestedHeader.beacon.slot;
	const state = update.attestedHeader.beacon.stateRoot;
	must(`${slot}: execution attested`, execution(update.attestedHeader, fork));
	must(`${slot}: execution finalized`, execution(update.finalizedHeader, fork));
	must(`${slot}: finality`, inTree(headerRoot(update.finalizedHeader.beacon), update.finalityBranch,
		stateAt(fork, ['finalizedCheckpoint', 'root']), state));
	if (update.nextSyncCommittee)
		must(`${slot}: committee`, inTree(ssz.altair.SyncCommittee.hashTreeRoot(update.nextSyncCommittee),
			update.nextSyncCommitteeBranch, stateAt(fork, ['nextSyncCommittee']), state));
	const version = forks[forkAt(update.signatureSlot - 1)].version;
	const data = ssz.phase0.ForkData.hashTreeRoot({ currentVersion: version, genesisValidatorsRoot: genesisRoot });
	const domain = Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(data).subarray(0, 28)]);
	const message = ssz.phase0.SigningData.hashTreeRoot({ objectRoot: headerRoot(update.attestedHeader.beacon), domain });
	const signers = keys.pubkeys.filter((_, i) => update.syncAggregate.syncCommitteeBits.get(i));
	must(`${slot}: signers`, signers.length === 32);
	must(`${slot}: signature`, bls.verifyAggregate(signers, message,
		update.syncAggregate.syncCommitteeSignature));
}
function* frames(bytes) {
	for (let i = 0; i < bytes.length;) {
		const n = Number(bytes.readBigUInt64LE(i));
		yield bytes.subarray(i + 12, i + 8 + n);
		i += 8 + n;
	}
}
const same = (type, value, json) => Buffer.from(type.serialize(type.fromJson(json))).equals(Buffer.from(type.serialize(value)));

const boot = await get(`light_client/bootstrap/${checkpoint}`, true);
const bootstrap = ssz[boot.version].LightClientBootstrap.deserialize(boot.bytes);
must('bootstrap root', `0x${Buffer.from(headerRoot(bootstrap.header.beacon)).toString('hex')}` === checkpoint);
must('bootstrap committee', inTree(ssz.altair.SyncCommittee.hashTreeRoot(bootstrap.currentSyncCommittee),
	bootstrap.currentSyncCommitteeBranch, stateAt(boot.version, ['currentSyncCommittee']), bootstrap.header.beacon.stateRoot));
must('bootstrap execution', execution(bootstrap.header, boot.version));
must('bootstrap JSON', same(ssz[boot.version].LightClientBootstrap, bootstrap,
	(await get(`light_client/bootstrap/${checkpoint}`)).data));
console.log('ok bootstrap');

const names = {};
for (const f of Object.keys(forks)) {
	if (f === 'gloas' || f === 'fulu') continue;
	names[`${f.toUpperCase()}_FORK_EPOCH`] = forks[f].epoch;
	names[`${f.toUpperCase()}_FORK_VERSION`] = forks[f].version;
}
const config = createBeaconConfig({ ...minimalChainConfig, ...names, FULU_FORK_EPOCH: Infinity, GLOAS_FORK_EPOCH: Infinity }, genesisRoot);
const client = new LightclientSpec(config, { allowForcedUpdates: false, updateHeadersOnForcedUpdate: false }, bootstrap);
const list = [...frames((await get('light_client/updates?start_period=0&count=128', true)).bytes)];
const json = await get('light_client/updates?start_period=0&count=128');
must('updates', list.length >= 2 && json.length >= list.length);
const committees = [bootstrap.currentSyncCommittee];
const seen = new Set();
list.forEach((bytes, i) => {
	const fork = json[i].version;
	seen.add(fork);
	const update = ssz[fork].LightClientUpdate.deserialize(bytes);
	must(`update ${i} JSON`, i === list.length - 1 || same(ssz[fork].LightClientUpdate, update, json[i].data));
	judge(update, fork, committees[i]);
	committees.push(update.nextSyncCommittee);
	if (fork === 'electra') {
		client.onUpdate(update.signatureSlot + 1, update);
		must(`light-client ${i}`, client.store.finalizedHeader.beacon.slot === update.finalizedHeader.beacon.slot);
	}
});
console.log(`ok ${list.length} updates, forks ${[...seen].join(' ')}; the light client is at slot ${client.store.finalizedHeader.beacon.slot}`);

const f = await get('light_client/finality_update', true);
const finality = ssz[f.version].LightClientFinalityUpdate.deserialize(f.bytes);
judge(finality, f.version, committees[Math.floor(finality.signatureSlot / 64)]);
const o = await get('light_client/optimistic_update', true);
const optimistic = ssz[o.version].LightClientOptimisticUpdate.deserialize(o.bytes);
must('optimistic', optimistic.attestedHeader.beacon.slot >= finality.attestedHeader.beacon.slot &&
	execution(optimistic.attestedHeader, o.version));
must('optimistic JSON', ssz[o.version].LightClientOptimisticUpdate.fromJson((await get('light_client/optimistic_update')).data).signatureSlot >= optimistic.signatureSlot);
console.log(`ok heads, ${f.version}, slot ${finality.attestedHeader.beacon.slot}`);

// headers, from the finalized one down to the checkpoint
let walked = 0;
for (let root = `0x${Buffer.from(headerRoot(finality.finalizedHeader.beacon)).toString('hex')}`; ; walked++) {
	const { data } = await get(`headers/${root}`);
	must(`header ${root}`, data.root === root && `0x${Buffer.from(headerRoot(
		ssz.phase0.BeaconBlockHeader.fromJson(data.header.message))).toString('hex')}` === root);
	if (root === checkpoint) break;
	root = data.header.message.parent_root;
}
must('walk', walked > 100);
console.log(`ok ${walked} headers hang together down to the checkpoint`);
