// SPDX-License-Identifier: Apache-2.0
// A man in the middle for tests/net/check.sh: ends the client's TLS session
// by a key of its own, opens one to the node, and passes all on, both ways.
// Usage: mitm.mjs PORT TARGET-PORT KEY CERTIFICATE
import { readFileSync } from "node:fs";
import tls from "node:tls";

const [port, target, key, cert] = process.argv.slice(2);
const ALPNProtocols = ["dstack-attest/1"];
const server = tls.createServer(
	{ key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols, minVersion: "TLSv1.3" },
	(client) => {
		const node = tls.connect({
			host: "127.0.0.1", port: Number(target), servername: "demo.dstack.test",
			rejectUnauthorized: false, ALPNProtocols,
		});
		for (const s of [client, node]) s.on("error", () => { client.destroy(); node.destroy(); });
		client.pipe(node);
		node.pipe(client);
	});
server.on("tlsClientError", () => {});
server.listen(Number(port), "127.0.0.1");
