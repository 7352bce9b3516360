// SPDX-License-Identifier: Apache-2.0
// A PCS of API version 4 that serves one QuoteCollateralV3 document in its
// parts. Usage: node pcs.mjs FILE; prints its base URL.
import fs from "node:fs";
import http from "node:http";

const c = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const parts = [
	["/tdx/certification/v4/tcb?fmspc=", "TCB-Info-Issuer-Chain", c.tcb_info_issuer_chain,
		`{"tcbInfo":${c.tcb_info},"signature":"${c.tcb_info_signature}"}`],
	["/tdx/certification/v4/qe/identity", "SGX-Enclave-Identity-Issuer-Chain", c.qe_identity_issuer_chain,
		`{"enclaveIdentity":${c.qe_identity},"signature":"${c.qe_identity_signature}"}`],
	["/sgx/certification/v4/pckcrl?ca=platform", "SGX-PCK-CRL-Issuer-Chain", c.pck_crl_issuer_chain,
		Buffer.from(c.pck_crl, "hex")],
	["/sgx/certification/v4/rootcacrl", null, null, c.root_ca_crl],
];
const server = http.createServer((q, a) => {
	const p = parts.find((x) => q.url.startsWith(x[0]));
	if (p?.[1]) a.setHeader(p[1], encodeURIComponent(p[2]));
	a.writeHead(p ? 200 : 404).end(p?.[3]);
}).listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
