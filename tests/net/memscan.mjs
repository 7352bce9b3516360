// SPDX-License-Identifier: Apache-2.0
// In whose memory are these words? memscan.mjs WORD PID... prints each PID
// whose readable mappings hold the word, and exits 2 where one cannot be read.
import fs from 'node:fs'
const [word, ...pids] = process.argv.slice(2)
const needle = Buffer.from(word)
const piece = 1 << 22
for (const pid of pids) {
	let mem
	try {
		mem = fs.openSync(`/proc/${pid}/mem`, 'r')
	} catch (e) {
		if (e.code === 'ESRCH' || e.code === 'ENOENT') continue // it has ended: no memory
		throw e
	}
	const maps = fs.readFileSync(`/proc/${pid}/maps`, 'latin1').trim().split('\n')
	let found = false
	let bytes = 0
	for (const line of maps) {
		const [range, mode, , , , name] = line.split(/\s+/)
		if (mode[0] !== 'r' || name === '[vvar]' || name === '[vsyscall]' || name === '[vvar_vclock]') continue
		const [from, to] = range.split('-').map(x => BigInt('0x' + x))
		// pieces that overlap by the word's length
		for (let at = from; at < to; at += BigInt(piece)) {
			const left = to - at
			const n = Number(left < BigInt(piece + needle.length) ? left : BigInt(piece + needle.length))
			const buf = Buffer.alloc(n)
			let got = 0
			try {
				got = fs.readSync(mem, buf, 0, n, at)
			} catch {
				continue // a mapping past its file's end
			}
			bytes += got
			if (buf.subarray(0, got).includes(needle)) found = true
		}
	}
	fs.closeSync(mem)
	if (bytes < 65536) {
		console.error(`${pid}: only ${bytes} bytes could be read`)
		process.exitCode = 2
	}
	if (found) console.log(pid)
}
