// SPDX-License-Identifier: Apache-2.0
// Is every check of KeyManager.sol held by a test? Takes out one check, one
// operand of one at any depth, one modifier or one assignment at a time, in a
// copy, and runs forge. The first run is of the contract as it is, and must
// pass: a test that is red anyway notices nothing. Names each mutant that no
// test noticed and that is not known to change nothing.
//   node contracts/test/mutate.mjs [list | FROM [TO]]   (about 4 s each)
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const top = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const source = fs.readFileSync(path.join(top, "contracts/KeyManager.sol"), "utf8");
const mutants = [];
const line = (at) => source.slice(0, at).split("\n").length;
function mutant(from, to, by, what) {
	mutants.push({ text: source.slice(0, from) + by + source.slice(to), line: line(from), what });
}

/*
 * Conditions. In one that reverts, an operand is taken out by what does not
 * count beside it: false in an "or" and alone, true in an "and". In any other,
 * and below a "!", each operand is once true and once false.
 */
const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 70);

// where text[from] opens a bracket: one past the one that closes it
function closing(text, from) {
	let depth = 0;
	for (let i = from; i < text.length; ++i) {
		depth += text[i] === "(" ? 1 : text[i] === ")" ? -1 : 0;
		if (depth === 0)
			return i + 1;
	}
	throw new Error("no end of " + text.slice(from, from + 40));
}

// the parts between op, outside brackets, as [from, to]
function parts(from, to, op) {
	const found = [];
	let at = from;
	for (let i = from; i < to; ++i) {
		if (source[i] === "(")
			i = closing(source, i) - 1;
		else if (source.startsWith(op, i)) {
			found.push([at, i]);
			at = i + 2;
		}
	}
	found.push([at, to]);
	return found;
}

function condition(from, to, values) {
	while (/\s/.test(source[from])) ++from;
	while (/\s/.test(source[to - 1])) --to;
	for (const value of values)
		mutant(from, to, value, `${value} for: ` + short(source.slice(from, to)));
	for (const [op, neutral] of [["||", "false"], ["&&", "true"]]) {
		const list = parts(from, to, op);
		if (list.length === 1)
			continue;
		for (const [a, b] of list)
			condition(a, b, values.length > 1 ? values : [neutral]);
		return;
	}
	const negated = source[from] === "!" ? 1 : 0;
	if (source[from + negated] === "(" && closing(source, from + negated) === to) {
		const inner = [from + negated + 1, to - 1];
		// the bracket as a whole has had its turn
		for (const op of ["||", "&&"]) {
			const list = parts(...inner, op);
			if (list.length === 1)
				continue;
			for (const [a, b] of list)
				condition(a, b, negated || values.length > 1
					? ["true", "false"] : [op === "||" ? "false" : "true"]);
			return;
		}
	}
}

for (const m of source.matchAll(/\bif \(/g)) {
	const open = m.index + m[0].length - 1;
	const end = closing(source, open);
	const reverts = /^\s*\{?\s*revert/.test(source.slice(end));
	condition(open + 1, end - 1, reverts ? ["false"] : ["true", "false"]);
}
for (const m of source.matchAll(/(?:= |return |, )([^;?,\n{]*?) \? /g)) {
	const at = m.index + m[0].length - " ? ".length - m[1].length;
	condition(at, at + m[1].length, ["true", "false"]);
}
for (const m of source.matchAll(/\n\s+(?:external|public) (onlyOwner|onlyStopper)|\) (?:external|public) (onlyOwner|onlyStopper) \{|\n\s+(onlyOwner|onlyStopper)\n/g)) {
	const name = m[1] ?? m[2] ?? m[3];
	const at = m.index + m[0].indexOf(name);
	mutant(at, at + name.length, "", "without " + name);
}
// what is assigned, added or deleted, at the start of a line or behind an if
for (const m of source.matchAll(/(?:\n +|\) )((?:delete )?[a-z_]\w*(?:\[[\w[\]]+\])*(?:\.\w+)?(?: \+?= [^;]+)?;)/g)) {
	if (!/=|delete/.test(m[1]) || /^(?:return|revert|emit)\b/.test(m[1]))
		continue;
	const at = m.index + m[0].indexOf(m[1]);
	mutant(at, at + m[1].length, "{}", "without: " + short(m[1]));
}
for (const m of source.matchAll(/\n +(_check\w+\([^;]*\);|_count\([^;]*\);|emit [^;]*;)/g)) {
	const at = m.index + m[0].indexOf(m[1]);
	mutant(at, at + m[1].length, "", "without: " + m[1].replace(/\s+/g, " ").slice(0, 60));
}

const work = fs.mkdtempSync(path.join(os.tmpdir(), "mutate-"));
process.on("exit", () => fs.rmSync(work, { recursive: true, force: true }));
fs.cpSync(path.join(top, "contracts"), path.join(work, "contracts"), { recursive: true });
fs.cpSync(path.join(top, "tests/vectors"), path.join(work, "tests/vectors"), { recursive: true });
fs.symlinkSync(path.join(top, "tools"), path.join(work, "tools"));
const forge = path.join(top, "tools/node_modules/@foundry-rs/forge-linux-amd64/bin/forge");
const env = { ...process.env, FOUNDRY_CONFIG: path.join(work, "contracts/foundry.toml") };

if (process.argv[2] === "list") {
	mutants.forEach((m, i) => console.log(`${i} line ${m.line} ${m.what}`));
	process.exit(0);
}

// Mutants that are the same contract, by their words, and why.
const same = new Map([
	["false for: err != ECDSA.RecoverError.NoError",
		"OpenZeppelin names no signer beside an error, and nobody is zero"],
]);

const target = path.join(work, "contracts/KeyManager.sol");
const cache = path.join(work, "build/contracts/cache");
function forgeTest(text) {
	fs.writeFileSync(target, text);
	// a failure that forge has kept is the last mutant's, not this one's
	for (const kept of ["fuzz", "invariant", "test-failures"])
		fs.rmSync(path.join(cache, kept), { recursive: true, force: true });
	return spawnSync(forge, ["test", "--root", work, "--fail-fast", "--no-match-contract", "Gas"],
		{ env, cwd: work, encoding: "utf8", maxBuffer: 1 << 28 });
}
const control = forgeTest(source);
if (control.status !== 0) {
	console.log("the contract as it is does not pass:\n" + (control.stdout + control.stderr).slice(-2000));
	process.exit(2);
}
const [from, to] = [Number(process.argv[2] ?? 0), Number(process.argv[3] ?? mutants.length)];
let survived = 0, dead = 0, broken = 0, known = 0;
for (const [i, m] of mutants.entries()) {
	if (i < from || i >= to)
		continue;
	const r = forgeTest(m.text);
	if (/Compiler run failed/.test(r.stdout + r.stderr)) {
		++broken;
		console.log(`does not compile: ${i} line ${m.line} ${m.what}`);
	} else if (r.status !== 0) {
		++dead;
	} else if (same.has(m.what)) {
		++known;
	} else {
		++survived;
		console.log(`not noticed: ${i} line ${m.line} ${m.what}`);
	}
}
console.log(`mutants: ${dead} noticed, ${survived} not, ${known} change nothing, ${broken} do not compile`);
if (fs.existsSync(path.join(work, "cache"))) {
	console.log("forge leaves its failures in the root: contracts/foundry.toml");
	++survived;
}
process.exitCode = survived ? 1 : 0;
