// Express, server-sent events, WebSockets, a large body both ways, and the
// calls that an app makes of its guest with Node's own fetch.
const crypto = require("crypto");
const express = require("express");
const fs = require("fs");
const http = require("http");
const { WebSocketServer } = require("ws");

const app = express();
app.get("/version", (q, a) => a.send(process.env.VERSION));
app.get("/notes", (q, a) => a.send(fs.existsSync("/data/notes") ?
	fs.readFileSync("/data/notes") : ""));
app.post("/notes", (q, a) => {
	let text = "";
	q.on("data", (d) => (text += d)).on("end", () => {
		const f = fs.openSync("/data/notes", "a");
		fs.writeSync(f, `${text}\n`);
		fs.fsyncSync(f);
		fs.closeSync(f);
		a.send("kept");
	});
});
app.post("/sum", (q, a) => {
	const h = crypto.createHash("sha256");
	q.on("data", (d) => h.update(d)).on("end", () => a.send(h.digest("hex")));
});
app.get("/bytes/:n", (q, a) => {
	let left = Number(q.params.n);
	const piece = Buffer.alloc(65536, "x");
	a.setHeader("Content-Length", left);
	const more = () => {
		while (left > 0) {
			const p = piece.subarray(0, Math.min(left, piece.length));
			left -= p.length;
			if (!a.write(p)) {
				a.once("drain", more);
				return;
			}
		}
		a.end();
	};
	more();
});
app.get("/events", (q, a) => {
	a.writeHead(200, { "Content-Type": "text/event-stream" });
	let n = 0;
	const t = setInterval(() => a.write(`data: ${n++}\n\n`), 100);
	q.on("close", () => clearInterval(t));
});
app.get("/key", async (q, a) => {
	const r = await fetch("http://dstack-guest/getkey/notes");
	a.status(r.status).send(await r.text());
});
app.get("/limit", (q, a) => a.send(String(process.constrainedMemory?.() ??
	fs.readFileSync("/sys/fs/cgroup/memory.max", "utf8").trim())));
const server = http.createServer(app);
new WebSocketServer({ server, path: "/ws" }).on("connection", (w) => {
	w.on("message", (m) => w.send(`echo ${m}`));
});
server.listen(3000, "::");
