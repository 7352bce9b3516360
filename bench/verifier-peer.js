// SPDX-License-Identifier: Apache-2.0
// Verifications a second of npm's @phala/dcap-qvl on the same input.
'use strict';
const fs = require('fs');
const { verify } = require('@phala/dcap-qvl');
const [quotePath, collateralPath, time] = process.argv.slice(2);
const quote = fs.readFileSync(quotePath);
const collateral = JSON.parse(fs.readFileSync(collateralPath, 'utf8'));
const once = () => verify(quote, collateral, Number(time));
once();
const count = 20;
let best = Infinity;
for (let round = 0; round < 3; round++) {
	const from = process.cpuUsage();
	for (let i = 0; i < count; i++) once();
	const used = process.cpuUsage(from);
	best = Math.min(best, (used.user + used.system) / count);
}
console.log(`peer ${best.toFixed(1)} us`);
console.log(`peer-rate ${(1e6 / best).toFixed(1)} /s`);
console.log(`peer-memory ${Math.round(process.memoryUsage().rss / 1024)} KiB`);
