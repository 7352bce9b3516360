// SPDX-License-Identifier: Apache-2.0
// A beacon node and an RPC for tests, over the files of test_beacon_files.
// What it does wrong is the word in the file MODE, read at each request:
//   good; down (503); garbage; flip (a byte of each answer); one (an update a
//   call); behind (no finality update); block (the RPC gives another block)
// Usage: beacon_node.mjs DIR MODE BLOCK.json PORTFILE
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [dir, modeFile, blockFile, portFile] = process.argv.slice(2);
const file = (name) => readFileSync(`${dir}/${name}`);
const block = JSON.parse(readFileSync(blockFile, 'utf8')).block;
const json = (value) => Buffer.from(JSON.stringify(value));

function updates(url, mode) {
	const start = Number(url.searchParams.get('start_period'));
	const count = mode === 'one' ? 1 : Number(url.searchParams.get('count'));
	const found = [];
	for (let p = start; p < start + count && p < start + 128; p++)
		if (existsSync(`${dir}/update-${p}.frames`)) found.push(file(`update-${p}.frames`));
	return Buffer.concat(found);
}

function answer(url, mode, body) {
	const path = url.pathname.replace('/eth/v1/beacon/', '');
	const root = file('root').toString();
	if (body) {
		const { id, method, params } = JSON.parse(body);
		const known = method === 'eth_getBlockByHash' && params[0] === block.hash;
		const told = mode === 'block' ? { ...block, number: '0x9', hash: undefined } : block;
		return json({ jsonrpc: '2.0', id, result: known ? told : null });
	}
	if (path === 'genesis') return json({ data: { genesis_validators_root: `0x${'47'.repeat(32)}` } });
	if (path === 'states/head/finality_checkpoints') return json({ data: { finalized: { root: `0x${root}` } } });
	if (path === `light_client/bootstrap/0x${root}`) return file('bootstrap.ssz');
	if (path === 'light_client/updates') return updates(url, mode);
	if (path === 'light_client/finality_update' && mode !== 'behind') return file('finality.json');
	return null;
}

createServer((request, response) => {
	const mode = readFileSync(modeFile, 'utf8').trim();
	const parts = [];
	request.on('data', (d) => parts.push(d));
	request.on('end', () => {
		if (mode === 'down') {
			response.writeHead(503).end();
			return;
		}
		let out = mode === 'garbage' ? Buffer.from('<html>no\0body</html>')
			: answer(new URL(request.url, 'http://x'), mode, Buffer.concat(parts).toString());
		if (mode === 'flip' && out?.length > 300) {
			out = Buffer.from(out);
			out[300] ^= 1;
		}
		response.writeHead(out ? 200 : 404).end(out ?? '');
	});
}).listen(0, '127.0.0.1', function () {
	writeFileSync(`${portFile}.new`, String(this.address().port));
	writeFileSync(portFile, String(this.address().port));
});
