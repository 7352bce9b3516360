// SPDX-License-Identifier: Apache-2.0
// A chain RPC that answers each question wrongly, in ten ways in turn, and
// writes down what it was asked. Usage: node garbage.mjs PORT LOG
import fs from "node:fs";
import http from "node:http";

const [port, log] = process.argv.slice(2);
const ok = (result) => JSON.stringify({ jsonrpc: "2.0", id: 1, result });
const kinds = [
	() => ok(null), () => ok({}), () => ok([]), () => ok("0x"),
	() => ok("0xffffffffffffffffff"),
	() => JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: -32000, message: "header not found" } }),
	() => "<html>502</html>", () => "", () => '{"jsonrpc":"2.0","id":1,"res',
	() => ok({ number: "0xffffffff", hash: "0x" + "00".repeat(32), timestamp: "0xffffffff" }),
];
let n = 0;
http.createServer((req, res) => {
	let body = "";
	req.on("data", (c) => (body += c));
	req.on("end", () => {
		fs.appendFileSync(log, `${n % kinds.length} ${body.slice(0, 60)}\n`);
		res.end(kinds[n++ % kinds.length]());
	});
}).listen(Number(port), "127.0.0.1");
