// SPDX-License-Identifier: Apache-2.0
// A mirror that forgets: serves DIR, and at each request looks into
// DIR.state for lines "VERB PATTERN": gone (404), other (other bytes),
// html (a page, as a hotel's network has it), busy (503), by part of the path.
// Usage: node mirror.mjs DIR; prints the port. DIR.log: each path asked for.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";

const dir = process.argv[2];
createServer((q, a) => {
	const path = normalize(decodeURIComponent(q.url.split("?")[0]));
	appendFileSync(`${dir}.log`, `${path}\n`);
	const state = existsSync(`${dir}.state`) ?
		readFileSync(`${dir}.state`, "utf8").split("\n") : [];
	const verb = state.map((l) => l.split(" "))
		.find(([v, part]) => v && path.includes(part))?.[0];
	if (verb === "busy") {
		a.writeHead(503).end("later");
		return;
	}
	if (verb === "html") {
		a.writeHead(200, { "Content-Type": "text/html" }).end("<p>log in");
		return;
	}
	let body;
	try {
		body = verb === "gone" ? null : readFileSync(join(dir, path));
	} catch {
		body = null;
	}
	if (!body) {
		a.writeHead(404).end("not found");
		return;
	}
	if (verb === "other")
		body = Buffer.concat([body, Buffer.from("x")]);
	a.writeHead(200, { "Content-Length": body.length }).end(body);
}).listen(0, "127.0.0.1", function () {
	console.log(this.address().port);
});
