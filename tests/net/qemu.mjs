#!/usr/bin/env node
// A QEMU without a machine, for tests of what "node run" makes of QEMU's words:
// two QMP monitors, a guest's first words on the console, and its end when the
// port dstack.stop has a byte. While "full" lies beside the console the disk
// has no room: the VM stands still, and each "cont" stops it again.
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'

const where = (id) => {
	const a = process.argv.find((x) => x.includes(`id=${id},`) && x.includes('path='))
	return a && a.replace(/.*path=([^,]*).*/, '$1')
}
const con = where('con')
if (!con) process.exit(1) // another use, as the probe for KVM
const full = path.join(path.dirname(con), 'full')
let still = false
let asked = false
const monitors = new Set()
const events = new Set()

const tell = (s, o) => s.write(JSON.stringify(o) + '\r\n')
const event = (name, data) => events.forEach((s) => tell(s, { event: name, data }))
const say = (text) => fs.appendFileSync(con, text + '\n')
function end() {
	say('init: stopped as the host asked; powering off')
	process.exit(0)
}
function look() {
	if (fs.existsSync(full) && !still) {
		still = true
		event('BLOCK_IO_ERROR', { reason: 'No space left on device' })
		event('STOP')
	} else if (!still && asked) {
		end()
	}
}
function command(s, name) {
	if (name === 'query-status')
		tell(s, { return: { running: !still, status: still ? 'io-error' : 'running' } })
	else tell(s, { return: {} })
	if (name === 'quit') process.exit(0)
	if (name === 'cont' && still) {
		still = false
		event('RESUME')
		look()
	}
}
function serve(id, set) {
	const p = where(id)
	fs.rmSync(p, { force: true })
	net.createServer((s) => {
		set.add(s)
		s.on('error', () => {})
		s.on('close', () => set.delete(s))
		tell(s, { QMP: {} })
		s.on('data', (d) => {
			for (const m of String(d).matchAll(/"execute":"([a-z_-]*)"/g)) command(s, m[1])
		})
	}).listen(p)
}
serve('qmp', monitors)
serve('events', events)
const stop = where('stop')
fs.rmSync(stop, { force: true })
net.createServer((s) => {
	s.on('error', () => {})
	s.on('data', () => {
		asked = true
		look()
	})
}).listen(stop)
say('dstack: phase boot t=1')
setInterval(look, 100)
