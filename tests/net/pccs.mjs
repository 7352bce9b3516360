// SPDX-License-Identifier: Apache-2.0
// A PCS of API version 4 as tests/net/pcs.mjs, in whatever mood FILE.mode says
// at each request. Usage: node pccs.mjs FILE [KEY CERT]; prints its base URL.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";

const [file, key, cert] = process.argv.slice(2);
const c = JSON.parse(fs.readFileSync(file, "utf8"));
const v4 = "/certification/v4/";
const answers = [
	[`/tdx${v4}tcb?fmspc=`, "TCB-Info-Issuer-Chain", c.tcb_info_issuer_chain,
		`{"tcbInfo":${c.tcb_info},"signature":"${c.tcb_info_signature}"}`],
	[`/tdx${v4}qe/identity`, "SGX-Enclave-Identity-Issuer-Chain", c.qe_identity_issuer_chain,
		`{"enclaveIdentity":${c.qe_identity},"signature":"${c.qe_identity_signature}"}`],
	[`/sgx${v4}pckcrl?ca=platform`, "SGX-PCK-CRL-Issuer-Chain", c.pck_crl_issuer_chain,
		c.pck_crl],
	[`/sgx${v4}rootcacrl`, null, null, c.root_ca_crl],
];
let asked = 0;
const serve = (q, a) => {
	const [mode, arg] = fs.readFileSync(`${file}.mode`, "utf8").trim().split(" ");
	fs.appendFileSync(`${file}.log`, `${q.url}\n`);
	asked++;
	if (mode === "wait" || (mode === "once" && asked === 1))
		return a.writeHead(Number(arg ?? 429), { "Retry-After": mode === "once" ? "1" : "120" }).end();
	if (mode === "html")
		return a.writeHead(200).end("<html>log in</html>");
	if (mode === "round")
		return a.writeHead(302, { Location: q.url }).end();
	if (mode === "plain")
		return a.writeHead(302, { Location: `http://127.0.0.1:9${q.url}` }).end();
	let url = q.url;
	if (mode === "redirect") {
		if (!url.startsWith("/r"))
			return a.writeHead(302, { Location: `/r${url}`, "TCB-Info-Issuer-Chain": "%" }).end("moved");
		url = url.slice(2);
	}
	const at = answers.findIndex((x) => url.startsWith(x[0]));
	if (mode === "status" && at === 0)
		return a.writeHead(Number(arg)).end();
	if (at < 0 || mode === "empty" || (mode === "noroot" && at === 3))
		return a.writeHead(404).end();
	const [, name, chain, body] = answers[at];
	if (name && mode !== "noheader")
		a.setHeader(name, encodeURIComponent(chain));
	return a.writeHead(200).end(mode === "nul" ? `${body}\0` : body);
};
const server = key ?
	https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, serve) :
	http.createServer(serve);
server.listen(0, "127.0.0.1", () =>
	console.log(`${key ? "https" : "http"}://127.0.0.1:${server.address().port}`));
process.on("SIGHUP", () => { asked = 0; });
