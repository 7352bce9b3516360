// SPDX-License-Identifier: Apache-2.0
// Hold lib/protocol/layout.h against what solc makes of KeyManager.sol: slots
// and bytes of every variable, and every function, event and typed-data text.
//   node contracts/test/layout.mjs
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compile, DEPLOY } from "../build.mjs";

const top = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const header = fs.readFileSync(path.join(top, "lib/protocol/layout.h"), "utf8")
	.replace(/\/\*[^]*?\*\//g, "").replace(/\\\n/g, "");
const source = fs.readFileSync(path.join(top, "contracts/KeyManager.sol"), "utf8");
const km = compile(DEPLOY).KeyManager;

let checks = 0, bad = 0;
function same(what, got, want) {
	++checks;
	if (got !== want) {
		++bad;
		console.log(`not ok: ${what}: layout.h ${got}, solc ${want}`);
	}
}

// Macros: numbers, or texts made of strings and other macros
const macro = {};
for (const m of header.matchAll(/^#define (KM_\w+)\s+(.+)$/gm)) {
	const words = m[2].trim().match(/"[^"]*"|\w+|[()*]/g);
	macro[m[1]] = m[2].includes('"') || words[0].startsWith("KM_")
		? words.map((w) => w.startsWith('"') ? w.slice(1, -1) : macro[w]).join("")
		: Number(eval(m[2]));
}

// Storage: variable or struct member -> slot, and first byte of a big-endian word
const types = km.storageLayout.types;
const be = (v) => 32 - v.offset - Number(types[v.type].numberOfBytes);
const top_level = Object.fromEntries(km.storageLayout.storage.map((v) => [v.label, v]));
function member(v, name) {
	let t = types[v.type];
	while (t.value)
		t = types[t.value];
	return t.members.find((m) => m.label === name);
}
const slots = {
	_head: "HEAD", pauser: "PAUSER", _epochs: "EPOCHS", tuples: "TUPLES",
	advisories: "ADVISORIES", platforms: "PLATFORMS", _requests: "REQUESTS",
	volumes: "VOLUMES", _previous: "APP_PREVIOUS",
	_latest: "APP_LATEST",
};
for (const [name, m] of Object.entries(slots))
	same("slot of " + name, macro["KM_SLOT_" + m], Number(top_level[name].slot));
for (const [of, name, slot, at] of [
	["_head", "currentEpoch", 0, "HEAD_CURRENT_EPOCH_AT"],
	["_head", "epochCount", 0, "HEAD_EPOCH_COUNT_AT"],
	["_head", "capBlock", 0, "HEAD_CAP_BLOCK_AT"],
	["_head", "capCount", 0, "HEAD_CAP_COUNT_AT"],
	["_head", "paused", 0, "HEAD_PAUSED_AT"],
	["_epochs", "xPub", "EPOCH_KEY", "EPOCH_XPUB_AT"],
	["_epochs", "state", "EPOCH_KEY", "EPOCH_STATE_AT"],
	["_epochs", "openedAt", "EPOCH_KEY", "EPOCH_OPENED_AT"],
	["_epochs", "seedCommit", "EPOCH_SEED_COMMIT"],
	["_epochs", "bootstrapQuoteHash", "EPOCH_QUOTE_HASH"],
	["_epochs", "policyHash", "EPOCH_POLICY_HASH"],
	["_epochs", "policy", "EPOCH_POLICY"],
	["_epochs", "bootstrapper", "EPOCH_BOOTSTRAPPER"],
	["_epochs", "tuplesHash", "EPOCH_TUPLES_HASH"],
	["_epochs", "advisoriesHash", "EPOCH_ADVISORIES_HASH"],
	["_requests", "state", 0, "REQUEST_STATE_AT"],
	["_requests", "expiry", 0, "REQUEST_EXPIRY_AT"],
	["_requests", "quoteTag", 0, "REQUEST_QUOTE_AT"],
	["volumes", "generation", "VOLUME_GENERATION", "VOLUME_GENERATION_AT"],
	["volumes", "root", "VOLUME_ROOT"],
	["_latest", "appId", "APP_ID"],
	["_latest", "digest", "APP_DIGEST"],
	["_latest", "version", "APP_VERSION", "APP_VERSION_AT"],
	["_latest", "notBefore", "APP_VERSION", "APP_NOT_BEFORE_AT"],
	["_latest", "stopped", "APP_VERSION", "APP_STOPPED_AT"],
	["_latest", "name", "APP_NAME"],
]) {
	const v = member(top_level[of], name);
	same(`slot of ${of}.${name}`, slot === 0 ? 0 : macro["KM_" + slot], Number(v.slot));
	if (at)
		same(`byte of ${of}.${name}`, macro["KM_" + at], be(v));
}
let epoch = types[top_level._epochs.type];
epoch = types[epoch.value];
same("slots of an epoch", macro.KM_EPOCH_SLOTS * 32, Number(epoch.numberOfBytes));
same("slots of an app", macro.KM_APP_SLOTS * 32,
	Number(types[top_level._latest.type].numberOfBytes));

// Policy is packed by hand: its shifts, from the source
const shift = (name) => {
	const m = source.match(new RegExp(`uint256\\((?:p\\.)?${name}\\) << (\\d+)`));
	return m ? Number(m[1]) : 0;
};
for (const [name, at, n] of [
	["mask", "TCB_MASK", 4], ["tcbEval", "MIN_TCB_EVAL", 4],
	["rootCrl", "MIN_ROOT_CRL", 4], ["pckCrl", "MIN_PCK_CRL", 4],
	["requestExpiryBlocks", "REQUEST_EXPIRY", 4],
	["requestsPerBlock", "REQUESTS_PER_BLOCK", 2], ["platformMode", "PLATFORM_MODE", 1],
])
	same("byte of policy." + name, macro[`KM_POLICY_${at}_AT`], 32 - shift(name) / 8 - n);

// Functions, events, constructor and typed data
const ids = Object.keys(km.evm.methodIdentifiers);
const flat = (i) => i.components
	? `(${i.components.map(flat).join(",")})${i.type.slice(5)}` : i.type;
const events = km.abi.filter((e) => e.type === "event")
	.map((e) => `${e.name}(${e.inputs.map(flat).join(",")})`);
for (const [name, text] of Object.entries(macro)) {
	if (name.startsWith("KM_FN_"))
		same(name, text, ids.includes(text) ? text : "has no such function");
	if (name.startsWith("KM_EV_"))
		same(name, text, events.includes(text) ? text : "has no such event");
	/* said to clients of a node and over the relay, never to the contract */
	if (name.startsWith("KM_TYPE_") && !["KM_TYPE_TLS_BIND", "KM_TYPE_HEARTBEAT"].includes(name))
		same(name, text, source.includes(`"${text}"`) ? text : "has no such type");
}
same("blocks of an anchor", macro.KM_ANCHOR_BLOCKS,
	Number(source.match(/ANCHOR_WINDOW = (\d+);/)[1]));
const make = km.abi.find((e) => e.type === "constructor");
same("constructor", macro.KM_CONSTRUCTOR, `(${make.inputs.map(flat).join(",")})`);

console.log(bad ? `layout: ${bad} of ${checks} differ` : `ok layout: ${checks} checks`);
process.exitCode = bad ? 1 : 0;
