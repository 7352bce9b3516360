// SPDX-License-Identifier: Apache-2.0
// The app that tests/net/sdk.sh puts into a container: it makes all calls of
// the SDK from inside, and serves what came of them.
import http from 'node:http'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fs from 'node:fs'

const dir = '/tmp/sdk'
fs.mkdirSync(dir)
const calls = fileURLToPath(new URL('calls.mjs', import.meta.url))
execFile(process.execPath, [calls, dir], (error, out, err) => {
	const keys = error ? '' : fs.readFileSync(`${dir}/keys.json`, 'utf8')
	const body = JSON.stringify({ ok: !error, out, err: `${err}${error ?? ''}`, keys })
	http.createServer((q, a) => a.end(body)).listen(8080)
})
