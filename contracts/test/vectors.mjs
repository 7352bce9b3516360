// SPDX-License-Identifier: Apache-2.0
// Known answers for everything that C and Solidity hash alike. Values are
// made up; hashes are computed here, by neither of the two.
//   node contracts/test/vectors.mjs          compare with tests/vectors/contract.json
//   node contracts/test/vectors.mjs --write  write it (cast makes the signatures)
import fs from "node:fs";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const top = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const modules = path.join(top, "tools/node_modules");
const { keccak256 } = createRequire(import.meta.url)(path.join(modules, "js-sha3"));
const file = path.join(top, "tests/vectors/contract.json");
const cast = path.join(modules, "@foundry-rs/cast-linux-amd64/bin/cast");

const bytes = (hex) => Buffer.from(hex.slice(2), "hex");
const hash = (...parts) => "0x" + keccak256(Buffer.concat(parts));
const text = (s) => Buffer.from(s, "ascii");
const word = (v) => typeof v === "string"
	? Buffer.concat([Buffer.alloc(32), bytes(v)]).subarray(-32)
	: bytes("0x" + BigInt(v).toString(16).padStart(64, "0"));
const fill = (b, n) => "0x" + Buffer.alloc(n, b).toString("hex");

const domain = {
	name: "dstack2", version: "1", chainId: 31337,
	verifyingContract: "0x5fbdb2315678afecb367f032d93f642f64180aa3",
};
const separator = hash(
	bytes(hash(text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))),
	bytes(hash(text(domain.name))), bytes(hash(text(domain.version))),
	word(domain.chainId), word(domain.verifyingContract));

// Keys of nobody: the signer of node statements and that of the network's
const keys = {
	node: { key: fill(0x41, 32) },
	network: { key: fill(0x42, 32) },
};

function statement(type, signer, message) {
	const names = type.match(/\((.*)\)/)[1].split(",").map((f) => f.split(" ")[1]);
	const structHash = hash(bytes(hash(text(type))), ...names.map((n) => word(message[n])));
	const digest = hash(bytes("0x1901"), bytes(separator), bytes(structHash));
	return { type, message, structHash, digest, signer };
}

const register = statement(
	"Register(uint64 epoch,address node,bytes32 encKeyHash,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter,bytes32 nonce)",
	null, {
		epoch: 3, node: fill(0xa1, 20), encKeyHash: hash(bytes("0x01"), bytes(fill(0x22, 32))),
		policyHash: fill(0xb1, 32), anchorHash: fill(0xc1, 32), anchorNumber: 1234567,
		submitter: fill(0xd1, 20), nonce: fill(0xe1, 32),
	});
const ct = Buffer.from(Array.from({ length: 89 }, (_, i) => i));
const statements = [
	statement(
		"Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter)",
		"network", {
			epoch: 3, xPub: fill(0x91, 20), seedCommit: fill(0x92, 32),
			policyHash: fill(0xb1, 32), anchorHash: fill(0xc1, 32),
			anchorNumber: 1234567, submitter: fill(0xd1, 20),
		}),
	register,
	statement("RegisterTx(bytes32 requestId,bytes32 quoteHash)", "node",
		{ requestId: register.digest, quoteHash: fill(0x71, 32) }),
	statement(
		"Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit,bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)",
		"network", {
			requestId: register.digest, epoch: 3, seedCommit: fill(0x92, 32),
			ctHash: hash(ct), platformHash: fill(0x61, 32), tcbStatus: 1,
			payee: fill(0xd2, 20),
		}),
	statement("Heartbeat(address node,uint64 epoch,bytes32 anchorHash,uint64 anchorNumber)",
		"network", {
			node: fill(0xa1, 20), epoch: 3, anchorHash: fill(0xc1, 32),
			anchorNumber: 1234567,
		}),
	statement(
		"VolumeAnchor(bytes32 volumeId,uint64 generation,bytes32 root,uint64 epoch,uint64 anchorNumber,bytes32 anchorHash)",
		"network", {
			volumeId: fill(0x51, 32), generation: 9, root: fill(0x52, 32), epoch: 3,
			anchorNumber: 1234567, anchorHash: fill(0xc1, 32),
		}),
];

const tuple = {
	mrtd: fill(1, 48), rtmr0: fill(2, 48), rtmr1: fill(3, 48), rtmr2: fill(4, 48),
	mrconfigid: fill(5, 48),
};
tuple.tupleHash = hash(...Object.values(tuple).map(bytes));

const policy = {
	epoch: 3, tcbStatusMask: 3, minTcbEvalNum: 17, minRootCrl: 5, minPckCrl: 7,
	requestExpiryBlocks: 300, requestsPerBlock: 16, platformMode: 2,
	tuples: [tuple.tupleHash, fill(0x31, 32)],
	advisories: ["INTEL-SA-00615"],
};
policy.word = "0x" + word("0x" + (BigInt(policy.tcbStatusMask) | BigInt(policy.minTcbEvalNum) << 32n
	| BigInt(policy.minRootCrl) << 64n | BigInt(policy.minPckCrl) << 96n
	| BigInt(policy.requestExpiryBlocks) << 128n | BigInt(policy.requestsPerBlock) << 160n
	| BigInt(policy.platformMode) << 176n).toString(16).padStart(64, "0")).toString("hex");
const chain = (list) => list.reduce((a, b) => hash(bytes(a), bytes(b)), fill(0, 32));
policy.tuplesHash = chain(policy.tuples);
policy.advisoriesHash = chain(policy.advisories.map((id) => hash(text(id))));
policy.policyHash = hash(word(policy.epoch), bytes(policy.word), bytes(policy.tuplesHash),
	bytes(policy.advisoriesHash));

const appData = fill(0x81, 32);
const attest = { appData, digest: hash(text("attest"), bytes(appData)), signer: "network" };

const slot = (key, at) => hash(word(key), typeof at === "number" ? word(at) : bytes(at));
const slots = [
	["epochs", slot(3, 2)],
	["tuples", slot(tuple.tupleHash, slot(3, 3))],
	["advisories", slot(hash(text("INTEL-SA-00615")), slot(3, 4))],
	["platforms", slot(fill(0x61, 32), 5)],
	["requests", slot(register.digest, 6)],
	["volumes", slot(fill(0x51, 32), 7)],
].map(([of, slot]) => ({ of, slot }));

const signed = [...statements, attest].filter((s) => s.signer);
const run = (...args) => execFileSync(cast, ["wallet", ...args], { encoding: "utf8" }).trim();
const old = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : null;
const write = process.argv[2] === "--write";
if (write) {
	for (const k of Object.values(keys))
		k.address = run("address", "--private-key", k.key).toLowerCase();
	for (const s of signed)
		s.sig = run("sign", "--no-hash", s.digest, "--private-key", keys[s.signer].key);
} else if (old) { // signatures are checked by the contract and by C
	Object.entries(keys).forEach(([n, k]) => { k.address = old.keys[n].address; });
	[...old.statements, old.attest].filter((s) => s.signer)
		.forEach((s, i) => { signed[i].sig = s.sig; });
}
const json = JSON.stringify({
	about: "made by contracts/test/vectors.mjs; keys are of nobody",
	domain: { ...domain, separator }, keys, statements, tuple, policy, attest,
	ct: "0x" + ct.toString("hex"), slots,
}, null, 1) + "\n";
if (write) {
	fs.mkdirSync(path.dirname(file), { recursive: true });
	fs.writeFileSync(file, json);
} else {
	const same = old && fs.readFileSync(file, "utf8") === json;
	console.log(same ? "ok vectors: contract.json is what vectors.mjs makes"
		: "not ok: tests/vectors/contract.json differs from what vectors.mjs makes");
	process.exitCode = same ? 0 : 1;
}
