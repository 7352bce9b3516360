// SPDX-License-Identifier: Apache-2.0
// Is every check of KeyManager.sol held by a test? Takes out one check, one
// operand of one, one modifier or one assignment at a time, in a copy, and
// runs forge. Names each that no test noticed.
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

// if (a || b && c) revert X(): the condition, then each operand, is false
for (const m of source.matchAll(/\bif \(/g)) {
	const start = m.index + m[0].length;
	let depth = 1, end = start;
	for (; depth; ++end)
		depth += source[end] === "(" ? 1 : source[end] === ")" ? -1 : 0;
	const cond = source.slice(start, end - 1);
	if (!/^\s*\{?\s*revert/.test(source.slice(end)))
		continue;
	const operands = [];
	let at = 0, level = 0;
	for (let i = 0; i <= cond.length; ++i) {
		level += cond[i] === "(" ? 1 : cond[i] === ")" ? -1 : 0;
		if (i === cond.length || (level === 0 && cond.startsWith("||", i))) {
			operands.push([at, i]);
			at = i + 2;
		}
	}
	for (const [a, b] of operands)
		mutant(start + a, start + b, " false ", "without: " + cond.slice(a, b).trim().replace(/\s+/g, " "));
}
for (const m of source.matchAll(/\n\s+(?:external|public) (onlyOwner|onlyStopper)|\) (?:external|public) (onlyOwner|onlyStopper) \{|\n\s+(onlyOwner|onlyStopper)\n/g)) {
	const name = m[1] ?? m[2] ?? m[3];
	const at = m.index + m[0].indexOf(name);
	mutant(at, at + name.length, "", "without " + name);
}
for (const m of source.matchAll(/\n {8,12}((?:[a-z]\w*|_head|_latest|_previous|tuples|advisories|platforms|list)(?:\[\w+\])*(?:\.\w+)? = [^;]+;)/g)) {
	const at = m.index + m[0].indexOf(m[1]);
	mutant(at, at + m[1].length, "", "without: " + m[1].replace(/\s+/g, " "));
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
const [from, to] = [Number(process.argv[2] ?? 0), Number(process.argv[3] ?? mutants.length)];
let survived = 0, dead = 0, broken = 0;
for (const [i, m] of mutants.entries()) {
	if (i < from || i >= to)
		continue;
	fs.writeFileSync(path.join(work, "contracts/KeyManager.sol"), m.text);
	const r = spawnSync(forge, ["test", "--root", work, "--no-match-contract", "Gas"],
		{ env, cwd: work, encoding: "utf8" });
	if (/Compiler run failed/.test(r.stdout + r.stderr)) {
		++broken;
	} else if (r.status === 0) {
		++survived;
		console.log(`not noticed: line ${m.line} ${m.what}`);
	} else {
		++dead;
	}
}
console.log(`mutants: ${dead} noticed, ${survived} not, ${broken} do not compile`);
process.exitCode = survived ? 1 : 0;
