// SPDX-License-Identifier: Apache-2.0
// A TCP forwarder that tests kill to take a service away from one node and
// start again to bring it back. Usage: node proxy.mjs LISTEN-PORT TARGET-PORT
import net from "node:net";

const [listen, target] = process.argv.slice(2).map(Number);
net.createServer((a) => {
	const b = net.connect(target, "127.0.0.1");
	a.pipe(b);
	b.pipe(a);
	for (const [x, y] of [[a, b], [b, a]]) {
		x.on("error", () => y.destroy());
		x.on("close", () => y.destroy());
	}
}).listen(listen, "127.0.0.1");
