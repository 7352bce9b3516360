// SPDX-License-Identifier: Apache-2.0
// CPU time of npm's @lodestar/light-client over the same recording: one update
// after the other from the bootstrap on. Usage: beacon-peer.mjs MODULES
// BOOTSTRAP UPDATES; MODULES is where npm put the package.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, bootstrapPath, updatesPath] = process.argv.slice(2);
const find = (path) => import(pathToFileURL(`${modules}/${path}`).href);
const { ssz } = await find('@lodestar/types/lib/index.js');
const { createBeaconConfig } = await find('@lodestar/config/lib/index.js');
const { mainnetChainConfig } = await find('@lodestar/config/lib/chainConfig/networks/mainnet.js');
const { LightclientSpec } = await find('@lodestar/light-client/lib/spec/index.js');

const root = Buffer.from('4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95', 'hex');
const config = createBeaconConfig(mainnetChainConfig, root);
const bootstrapBytes = readFileSync(bootstrapPath);
const updateBytes = readFileSync(updatesPath);

// the REST API's list: length (with the digest), digest, SSZ of Deneb here
function* frames(bytes) {
	for (let at = 0; at < bytes.length;) {
		const n = Number(bytes.readBigUInt64LE(at));
		yield bytes.subarray(at + 12, at + 8 + n);
		at += 8 + n;
	}
}
let best = Infinity;
let count = 0;
let slot = 0;
for (let round = 0; round < 3; round++) {
	const from = process.cpuUsage();
	const bootstrap = ssz.deneb.LightClientBootstrap.deserialize(bootstrapBytes);
	const client = new LightclientSpec(config,
		{ allowForcedUpdates: false, updateHeadersOnForcedUpdate: false }, bootstrap);
	count = 0;
	for (const bytes of frames(updateBytes)) {
		const update = ssz.deneb.LightClientUpdate.deserialize(bytes);
		client.onUpdate(update.signatureSlot + 1, update);
		count++;
	}
	const used = process.cpuUsage(from);
	best = Math.min(best, (used.user + used.system) / count);
	slot = client.store.finalizedHeader.beacon.slot;
}
console.log(`peer-finalized ${slot} slot`);
console.log(`peer ${(best / 1000).toFixed(3)} ms`);
console.log(`peer-memory ${Math.round(process.memoryUsage().rss / 1024)} KiB`);
