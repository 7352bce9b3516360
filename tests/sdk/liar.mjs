// SPDX-License-Identifier: Apache-2.0
// An RPC that names a node which never was: each answer to eth_getLogs about
// heartbeats has one event more. Usage: node liar.mjs TARGET-URL NODE-ADDRESS;
// prints its port.
import http from 'node:http'

const [, , target, node] = process.argv
const s = http.createServer((q, a) => {
	const parts = []
	q.on('data', (d) => parts.push(d))
	q.on('end', async () => {
		const body = Buffer.concat(parts).toString()
		const r = await fetch(target, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
		const answer = await r.json()
		const lie = (ask, got) => {
			if (ask.method !== 'eth_getLogs' || !Array.isArray(got.result)) return
			const like = got.result.at(-1)
			// heartbeats have one indexed address
			if (like?.topics.length !== 2) return
			got.result.push({ ...like, topics: [like.topics[0], `0x${'0'.repeat(24)}${node.slice(2)}`] })
		}
		const asked = JSON.parse(body)
		if (Array.isArray(asked)) asked.forEach((one, i) => lie(one, answer[i] ?? {}))
		else lie(asked, answer)
		a.setHeader('content-type', 'application/json')
		a.end(JSON.stringify(answer))
	})
})
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
