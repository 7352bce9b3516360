// SPDX-License-Identifier: Apache-2.0
// A WebSocket client by hand (RFC 6455) over TLS: a message each 200 ms for
// SECONDS, each answered before the next. Usage: ws.mjs PORT NAME CA SECONDS
import { readFileSync } from "node:fs";
import { connect } from "node:tls";

const [port, name, ca, seconds] = process.argv.slice(2);
const s = connect({ port, host: "127.0.0.1", servername: name,
	ca: readFileSync(ca) });
s.write(`GET /ws HTTP/1.1\r\nHost: ${name}\r\nUpgrade: websocket\r\n` +
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
let got = Buffer.alloc(0), sent = 0, upgraded = false;
const frame = (t) => {
	const b = Buffer.from(t), f = Buffer.alloc(6 + b.length);
	f[0] = 0x81;
	f[1] = 0x80 | b.length; // masked by zeros
	b.copy(f, 6);
	return f;
};
const end = Date.now() + seconds * 1000;
s.on("data", (d) => {
	got = Buffer.concat([got, d]);
	if (!upgraded) {
		const i = got.indexOf("\r\n\r\n");
		if (i < 0)
			return;
		if (!got.toString("latin1").startsWith("HTTP/1.1 101"))
			process.exit(1);
		got = got.subarray(i + 4);
		upgraded = true;
		s.write(frame(`m${sent++}`));
		return;
	}
	while (got.length >= 2 && got.length >= 2 + got[1]) {
		const text = got.subarray(2, 2 + got[1]).toString();
		got = got.subarray(2 + got[1]);
		if (text !== `echo m${sent - 1}`)
			process.exit(1);
		if (Date.now() > end)
			process.exit(0);
		setTimeout(() => s.write(frame(`m${sent++}`)), 200);
	}
});
s.on("error", () => process.exit(1));
s.on("close", () => process.exit(1));
