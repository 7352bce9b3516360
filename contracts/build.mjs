// SPDX-License-Identifier: Apache-2.0
// Compile KeyManager as it is deployed, with the pinned solc:
//   node contracts/build.mjs OUTDIR -> KeyManager.{abi.json,bin,layout.json}
// OpenZeppelin's TimelockController, the owner on a real network, comes too.
//
// Optimizer on with 200 runs: the settings most contracts are audited at; it
// halves the code that every guest hashes and every joiner's host pays for.
// No metadata in the code, so that the same source is the same code hash
// whatever the path. prague: the oldest rules among the chains we aim at.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, "../tools/node_modules");
const solc = createRequire(import.meta.url)(path.join(modules, "solc"));

export function compile(optimizer) {
	const find = (name) => {
		const file = name.startsWith("@openzeppelin/")
			? path.join(modules, name) : path.join(here, name);
		try {
			return { contents: fs.readFileSync(file, "utf8") };
		} catch (e) {
			return { error: e.message };
		}
	};
	const timelock = "@openzeppelin/contracts/governance/TimelockController.sol";
	const input = {
		language: "Solidity",
		sources: {
			"KeyManager.sol": { content: find("KeyManager.sol").contents },
			[timelock]: { content: find(timelock).contents },
		},
		settings: {
			evmVersion: "prague",
			optimizer,
			metadata: { appendCBOR: false, bytecodeHash: "none" },
			outputSelection: { "*": { "*": [
				"abi", "evm.bytecode.object", "evm.deployedBytecode.object",
				"evm.methodIdentifiers", "storageLayout",
			] } },
		},
	};
	const out = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
	for (const e of out.errors ?? [])
		console.error(e.formattedMessage.trim());
	if ((out.errors ?? []).some((e) => e.severity === "error"))
		throw new Error("contracts: KeyManager.sol does not compile");
	return {
		KeyManager: out.contracts["KeyManager.sol"].KeyManager,
		TimelockController: out.contracts[timelock].TimelockController,
	};
}

export const DEPLOY = { enabled: true, runs: 200 };

function write(file, text) {
	fs.writeFileSync(file + ".new", text);
	fs.renameSync(file + ".new", file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const dir = process.argv[2];
	if (!dir) {
		console.error("usage: node contracts/build.mjs OUTDIR");
		process.exit(2);
	}
	fs.mkdirSync(dir, { recursive: true });
	for (const [name, c] of Object.entries(compile(DEPLOY))) {
		write(path.join(dir, name + ".abi.json"), JSON.stringify(c.abi, null, 1) + "\n");
		write(path.join(dir, name + ".bin"), c.evm.bytecode.object + "\n");
	}
}
