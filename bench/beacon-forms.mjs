// SPDX-License-Identifier: Apache-2.0
// Is the made chain what another implementation takes it for? Its files, read
// as SSZ by npm's @lodestar/types, say what their JSON says, and the places in
// state and body are those that its containers have. Usage:
// LODESTAR_PRESET=minimal beacon-forms.mjs MODULES DIR (of test_beacon_files)
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, dir] = process.argv.slice(2);
const { ssz } = await import(pathToFileURL(`${modules}/@lodestar/types/lib/index.js`).href);
const data = (name) => JSON.parse(readFileSync(`${dir}/${name}`, 'utf8')).data;
let bad = 0;
function same(what, a, b) {
	const agree = JSON.stringify(a) === JSON.stringify(b);
	if (!agree) bad = 1;
	console.log(`${what} ${agree ? 'agrees' : 'DIFFERS'}`);
}
// its JavaScript numbers are too small for some of the made ones
const numbers = new Set(['block_number', 'gas_limit', 'gas_used', 'timestamp']);
function plain(v, key) {
	if (numbers.has(key)) return 0;
	if (Array.isArray(v)) return v.map((x) => plain(x));
	if (typeof v === 'string') return v.toLowerCase();
	return Object.fromEntries(Object.keys(v).sort().map((k) => [k, plain(v[k], k)]));
}
function container(type, name) {
	const value = type.deserialize(readFileSync(`${dir}/${name}.ssz`));
	same(name, plain(type.toJson(value)), plain(data(`${name}.json`)));
	return value;
}
const root = (beacon) => Buffer.from(ssz.phase0.BeaconBlockHeader.hashTreeRoot(beacon)).toString('hex');

container(ssz.deneb.LightClientBootstrap, 'bootstrap');
for (const [period, fork] of [[3, 'deneb'], [4, 'electra'], [5, 'fulu'], [6, 'gloas']]) {
	const update = container(ssz[fork].LightClientUpdate, `update-${period}`);
	same(`root-${period}`, root(update.finalizedHeader.beacon), readFileSync(`${dir}/root-${period}`, 'utf8'));
}
container(ssz.gloas.LightClientFinalityUpdate, 'finality');

// docs/beacon.md, "What is judged"
const at = (type, path) => Number(type.getPathInfo(path).gindex);
const state = (fork) => [['finalizedCheckpoint', 'root'], ['currentSyncCommittee'], ['nextSyncCommittee']]
	.map((path) => at(ssz[fork].BeaconState, path));
for (const fork of ['altair', 'capella', 'deneb']) same(`${fork}-state`, state(fork), [105, 54, 55]);
for (const fork of ['electra', 'fulu']) same(`${fork}-state`, state(fork), [169, 86, 87]);
same('gloas-state', state('gloas'), [735, 2945, 2946]);
for (const [fork, hash] of [['capella', 412], ['deneb', 812], ['electra', 812], ['fulu', 812]])
	same(`${fork}-body`, [at(ssz[fork].BeaconBlockBody, ['executionPayload']),
		at(ssz[fork].BeaconBlockBody, ['executionPayload', 'blockHash'])], [25, hash]);
same('gloas-body', at(ssz.gloas.BeaconBlockBody, ['signedExecutionPayloadBid', 'message', 'parentBlockHash']), 2856);
process.exit(bad);
