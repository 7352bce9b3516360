// SPDX-License-Identifier: Apache-2.0
// A strict ACME CA (RFC 8555) on loopback that can be told to misbehave. It
// checks what a real one does: every signature, nonce, URL, key, challenge
// and request; whatever is wrong gets 400 or 403 with the reason.
// Usage: node acme_ca.mjs DIR HTTP01-PORT; prints its port. DIR/tls.pem is
// what to trust. DIR/mode is read at each request, DIR/log has one line each.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";

const [dir, http01] = process.argv.slice(2);
const mode = () => fs.readFileSync(`${dir}/mode`, "utf8").trim();
const log = (t) => fs.appendFileSync(`${dir}/log`, `${t}\n`);

// --- DER, as much as a certificate needs ---
const der = (tag, ...parts) => {
	const b = Buffer.concat(parts);
	const n = b.length;
	const len = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
	return Buffer.concat([Buffer.from([tag, ...len]), b]);
};
const seq = (...p) => der(0x30, ...p);
const oid = (hex) => der(6, Buffer.from(hex, "hex"));
const name = (cn) => seq(der(0x31, seq(oid("550403"), der(12, Buffer.from(cn)))));
const time = (ms) => der(0x17, Buffer.from(new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14) + "Z"));
const ext = (id, value, critical) =>
	seq(oid(id), ...(critical ? [der(1, Buffer.from([255]))] : []), der(4, value));
const ecdsa = seq(oid("2a8648ce3d040302"));
const pem = (b) => `-----BEGIN CERTIFICATE-----\n${b.toString("base64").replace(/(.{64})/g, "$1\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
const certificate = ({ issuer, by, subject, spki, names, ca, from, to }) => {
	const body = seq(
		der(0xa0, der(2, Buffer.from([2]))),
		der(2, Buffer.concat([Buffer.from([1]), crypto.randomBytes(8)])),
		ecdsa, name(issuer), seq(time(from), time(to)), name(subject), spki,
		der(0xa3, seq(
			ext("551d13", ca ? seq(der(1, Buffer.from([255]))) : seq(), true),
			...(ca ? [] : [ext("551d25", seq(oid("2b06010505070301"))), ext("551d11", seq(...names))]))));
	return seq(body, ecdsa, der(3, Buffer.from([0]), crypto.sign("sha256", body, by)));
};
// the elements of a constructed value: tag, content and the whole of each
const read = (b) => {
	const out = [];
	for (let at = 0; at < b.length;) {
		let n = b[at + 1], h = 2;
		if (n & 128) {
			h += n & 127;
			n = b.readUIntBE(at + 2, n & 127);
		}
		out.push({ tag: b[at], in: b.subarray(at + h, at + h + n), all: b.subarray(at, at + h + n) });
		at += h + n;
	}
	return out;
};
const dns = (n) => der(0x82, Buffer.from(n));

// --- keys of the server and of the CA ---
const ec = () => crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const spkiOf = (k) => k.export({ type: "spki", format: "der" });
const day = 86400e3;
const now = Date.now();
const root = ec(), tls = ec(), stranger = ec();
const rootPem = pem(certificate({ issuer: "root", by: root.privateKey, subject: "root", spki: spkiOf(root.publicKey), ca: true, from: now - day, to: now + 90 * day }));
fs.writeFileSync(`${dir}/tls.pem`, rootPem);
const tlsPem = pem(certificate({ issuer: "root", by: root.privateKey, subject: "ca", spki: spkiOf(tls.publicKey), names: [der(0x87, Buffer.from([127, 0, 0, 1]))], from: now - day, to: now + 90 * day }));

// --- state ---
const nonces = new Set(), accounts = new Map(), orders = new Map();
let base, stale = true;
const b64 = (t) => Buffer.from(t, "base64url");
class Problem extends Error {
	constructor(status, type, detail, wait) {
		super(detail);
		Object.assign(this, { status, type, wait });
	}
}
const no = (status, type, detail, wait) => { throw new Problem(status, type, detail, wait); };

const thumb = (jwk) => {
	const o = jwk.kty === "RSA" ? { e: jwk.e, kty: "RSA", n: jwk.n } : { crv: jwk.crv, kty: "EC", x: jwk.x, y: jwk.y };
	return crypto.createHash("sha256").update(JSON.stringify(o)).digest("base64url");
};
const opened = (text, url) => {
	const j = JSON.parse(text);
	if (Object.keys(j).sort().join() !== "payload,protected,signature") no(400, "malformed", "not a flattened JWS");
	const h = JSON.parse(b64(j.protected));
	if (!nonces.delete(h.nonce)) no(400, "badNonce", "unknown nonce");
	if (stale && mode() === "badnonce") {
		stale = false;
		no(400, "badNonce", "told to say so");
	}
	if (h.url !== base + url) no(403, "unauthorized", `signed for ${h.url}, sent to ${url}`);
	if ((h.jwk === undefined) === (h.kid === undefined)) no(400, "malformed", "one of jwk and kid");
	if ((h.jwk !== undefined) !== (url === "/acct")) no(400, "malformed", "jwk is for a new account alone");
	const jwk = h.jwk ?? accounts.get(h.kid) ?? no(400, "accountDoesNotExist", "no such account");
	const want = { "P-256": ["ES256", "sha256"], "P-384": ["ES384", "sha384"] }[jwk.crv] ?? ["RS256", "sha256"];
	if (h.alg !== want[0]) no(400, "badSignatureAlgorithm", `${h.alg} by such a key`);
	const key = crypto.createPublicKey({ key: jwk, format: "jwk" });
	if (!crypto.verify(want[1], Buffer.from(`${j.protected}.${j.payload}`), { key, dsaEncoding: "ieee-p1363" }, b64(j.signature)))
		no(403, "unauthorized", "the signature is not the key's");
	const payload = j.payload === "" ? null : JSON.parse(b64(j.payload));
	return { jwk, kid: h.kid, payload };
};

const look = (token, want) => new Promise((done) => {
	http.get({ host: "127.0.0.1", port: http01, path: `/.well-known/acme-challenge/${token}`, headers: { host: "x" } }, (r) => {
		let t = "";
		r.on("data", (d) => { t += d; }).on("end", () => done(r.statusCode === 200 && t === want));
	}).on("error", () => done(false));
});

// the public key of a request, its own signature and its one name checked
const request = (text, want) => {
	const [info, , sig] = read(read(b64(text))[0].in);
	const spki = read(info.in)[2].all;
	const key = crypto.createPublicKey({ key: spki, format: "der", type: "spki" });
	if (!crypto.verify("sha256", info.all, key, sig.in.subarray(1))) no(400, "badCSR", "not signed by its key");
	const at = info.all.indexOf(oid("551d11"));
	if (at < 0) no(400, "badCSR", "no name");
	const names = read(read(read(info.all.subarray(at + 5))[0].in)[0].in).map((n) => n.in.toString());
	if (names.join() !== want) no(400, "badCSR", `for ${names}, not ${want}`);
	return spki;
};

const made = (o) => {
	const good = { issuer: "root", by: root.privateKey, subject: o.name, spki: o.spki, names: [dns(o.name)], from: now - day, to: now + 30 * day };
	const chain = (x) => pem(certificate({ ...good, ...x })) + rootPem;
	switch (mode()) {
	case "empty": return "";
	case "html": return "<html><body>Bad gateway</body></html>\n";
	case "junk": return crypto.randomBytes(2000);
	case "cut": return chain({}).slice(0, 400);
	case "otherkey": return chain({ spki: spkiOf(stranger.publicKey) });
	case "othername": return chain({ names: [dns("elsewhere.test")] });
	case "expired": return chain({ from: now - 9 * day, to: now - day });
	case "unsigned": return pem(certificate({ ...good, by: stranger.privateKey })) + rootPem;
	default: return `Some CAs write text here.\n${chain({})}`;
	}
};
const shown = (o) => ({ status: o.status, identifiers: [{ type: "dns", value: o.name }],
	authorizations: [`${base}/authz/${o.id}`], finalize: `${base}/fin/${o.id}`,
	...(o.status === "valid" ? { certificate: `${base}/cert/${o.id}` } : {}), ...(o.error ? { error: o.error } : {}) });
const problem = (type, detail) => ({ type: `urn:ietf:params:acme:error:${type}`, detail });

const answer = async (q, text) => {
	const m = mode();
	const [, what, id] = q.url.split("/");
	if (q.method === "GET" && what === "dir" && m === "nonjson") return [200, "<html>login</html>"];
	if (q.method === "GET" && what === "dir" && m === "redir") return [302, "", { location: `${base}/moved` }];
	if (q.method === "GET" && (what === "dir" || (what === "moved" && m === "redir")))
		return [200, { newNonce: `${base}/nonce`, newAccount: `${base}/acct`, newOrder: `${base}/${m === "redir" ? "oldorder" : "order"}`,
			...(m === "eab" ? { meta: { externalAccountRequired: true } } : {}) }];
	if (what === "nonce") return [204, ""];
	if (q.method !== "POST") no(405, "malformed", "POST-as-GET");
	if (q.headers["content-type"] !== "application/jose+json") no(415, "malformed", "content type");
	if (what === "oldorder") return [308, "", { location: "/order" }];
	const { jwk, payload } = opened(text, q.url);
	if (what === "acct") {
		const kid = `${base}/acct/${thumb(jwk)}`;
		if (m === "eab" && !accounts.has(kid)) no(403, "externalAccountRequired", "bind it");
		accounts.set(kid, jwk);
		return [201, { status: "valid" }, { location: kid }];
	}
	if (what === "order" && !id) {
		log("new-order");
		if (m === "rate") no(429, "rateLimited", "too many certificates already issued", 720);
		const o = { id: `${orders.size + 1}`, name: payload.identifiers[0].value, token: crypto.randomBytes(16).toString("base64url"), polls: 0, jwk,
			status: m === "reuse" ? "ready" : "pending", authz: m === "reuse" ? "valid" : "pending" };
		orders.set(o.id, o);
		return [201, shown(o), { location: `${base}/order/${o.id}` }];
	}
	const o = orders.get(id) ?? no(404, "malformed", "no such thing");
	if (thumb(o.jwk) !== thumb(jwk)) no(403, "unauthorized", "another account's");
	if (what === "order") {
		log("order");
		if (o.status === "processing" && m !== "slowfin" && m !== "slowfin2") o.status = "valid";
		return [200, shown(o), o.status === "processing" ? { "retry-after": m === "slowfin" ? "600" : "2" } : {}];
	}
	if (what === "authz") {
		log("authz");
		if (m === "slow" && o.authz === "processing" && ++o.polls > 2) o.authz = "valid";
		if (o.authz === "valid" && o.status === "pending") o.status = "ready";
		return [200, { status: o.authz === "processing" ? "pending" : o.authz, identifier: { type: "dns", value: o.name },
			challenges: [{ type: "dns-01", url: `${base}/none`, token: "x", status: "pending" },
				{ type: "http-01", url: `${base}/chal/${o.id}`, token: o.token, status: o.authz, ...(o.error ? { error: o.error } : {}) }] },
			o.authz === "processing" ? { "retry-after": "2" } : {}];
	}
	if (what === "chal") {
		if (JSON.stringify(payload) !== "{}") no(400, "malformed", "an empty object");
		log("challenge");
		if (m === "badauthz") {
			o.authz = o.status = "invalid";
			o.error = problem("dns", "DNS problem: NXDOMAIN looking up A for the name");
		} else if (m === "slow") {
			o.authz = "processing";
		} else if (await look(o.token, `${o.token}.${thumb(jwk)}`)) {
			o.authz = "valid";
			o.status = "ready";
		} else {
			o.authz = o.status = "invalid";
			o.error = problem("connection", "no proof at the name");
		}
		return [200, { type: "http-01", status: o.authz, url: `${base}/chal/${id}`, token: o.token }];
	}
	if (what === "fin") {
		log("finalize");
		if (o.status !== "ready") no(403, "orderNotReady", `the order is ${o.status}`);
		o.spki = request(payload.csr, o.name);
		if (m === "finbad") {
			o.status = "invalid";
			o.error = problem("caa", "CAA record for the name forbids it");
		} else {
			o.status = "processing";
		}
		if (m === "fin503") no(503, "serverInternal", "a moment", 1);
		return [200, shown(o)];
	}
	if (what === "cert") {
		log("cert");
		return [200, made(o), { "content-type": "application/pem-certificate-chain" }];
	}
	return no(404, "malformed", "no such thing");
};

const server = https.createServer({ key: tls.privateKey.export({ type: "pkcs8", format: "pem" }), cert: tlsPem }, (q, a) => {
	let text = "";
	q.on("data", (d) => { text += d; }).on("end", async () => {
		let r;
		try {
			r = await answer(q, text);
		} catch (e) {
			if (!(e instanceof Problem)) console.error(e);
			log(`refused ${q.url}: ${e.message}`);
			r = [e.status ?? 500, problem(e.type ?? "serverInternal", e.message), e.wait ? { "retry-after": `${e.wait}` } : {}];
		}
		const nonce = crypto.randomBytes(12).toString("base64url");
		nonces.add(nonce);
		a.writeHead(r[0], { "replay-nonce": nonce, ...r[2] });
		a.end(typeof r[1] === "string" || Buffer.isBuffer(r[1]) ? r[1] : JSON.stringify(r[1]));
	});
}).listen(0, "127.0.0.1", () => {
	base = `https://127.0.0.1:${server.address().port}`;
	console.log(server.address().port);
});
