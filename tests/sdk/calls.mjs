// SPDX-License-Identifier: Apache-2.0
// Each call of the SDK, as an app makes it, with its result checked by other
// people's code. Usage: node calls.mjs FOLDER: what a check outside needs
// (quotes, certificates, keys as JSON) goes there.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1'
import { ed25519 } from '@noble/curves/ed25519'
import { keccak_256 } from '@noble/hashes/sha3'
import { bytesToHex } from '@noble/hashes/utils'
import { DstackClient, TappdClient } from '@phala/dstack-sdk'

const dir = process.argv[2]
const client = new DstackClient() // finds the socket by itself
const text = (s) => new TextEncoder().encode(s)
const hex = (b) => bytesToHex(Uint8Array.from(b))
const save = (name, data) => fs.writeFileSync(`${dir}/${name}`, data)
const ok = (name) => console.log(`ok ${name}`)

// What the SDK does not show: the answer as it came, and its code.
const raw = (path, body, head = '') =>
	new Promise((resolve, reject) => {
		const c = net.createConnection({ path: client.endpoint }, () =>
			c.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${head}` +
				`Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`))
		let got = ''
		c.on('data', (d) => (got += d))
		c.on('error', reject)
		c.on('end', () => {
			const at = got.indexOf('\r\n\r\n')
			resolve({ code: Number(got.split(' ')[1]), json: JSON.parse(got.slice(at + 4)) })
		})
	})
const refused = async (name, path, body, why, code = 400) => {
	const r = await raw(path, typeof body === 'string' ? body : JSON.stringify(body))
	assert.equal(r.code, code, `${name}: ${JSON.stringify(r)}`)
	assert.match(r.json.error, why, name)
}

const signer = (message, sig) => {
	assert.equal(sig.length, 65)
	return secp256k1.Signature.fromCompact(sig.slice(0, 64))
		.addRecoveryBit(sig[64]).recoverPublicKey(keccak_256(message))
}
// The chain's end is the epoch's key, by its address.
const checkChain = (purpose, pub, chain, info) => {
	assert.equal(chain.length, 2)
	const root = signer(text(`${purpose}:${hex(pub)}`), chain[0])
	const last = signer(Buffer.concat([text('dstack-kms-issued:'),
		Buffer.from(info.app_id, 'hex'), root.toRawBytes(true)]), chain[1])
	const address = hex(keccak_256(last.toRawBytes(false).slice(1)).slice(12))
	assert.equal(address, JSON.parse(info.key_provider_info).id)
	return root.toHex(true)
}

assert.equal(await client.isReachable(), true)
const version = await client.version()
assert.match(version.version, /^\d+\.\d+\.\d+$/)
const info = await client.info()
assert.match(info.app_id, /^[0-9a-f]{64}$/)
assert.match(info.instance_id, /^[0-9a-f]{40}$/)
assert.match(info.tcb_info.mrtd, /^[0-9a-f]{96}$/)
assert.equal(info.tcb_info.compose_hash, info.compose_hash)
ok('version_and_info')

const key = await client.getKey('wallet/eth', 'mainnet')
assert.equal(key.key.length, 32)
for (const args of [['wallet/eth', 'mainnet'], ['wallet/eth', 'mainnet', 'k256'],
	['wallet/eth', 'mainnet', 'secp256k1']])
	assert.deepEqual((await client.getKey(...args)).key, key.key)
const others = [[], ['wallet/eth'], ['mainnet', 'wallet/eth'], ['wallet/et', 'hmainnet'],
	['wallet/sol', 'mainnet'], ['wallet/eth', 'mainnet', 'ed25519'], ['../wallet/eth', 'mainnet'],
	['ключ', 'mainnet'].map((s) => encodeURIComponent(s))]
const seen = new Set([hex(key.key)])
for (const args of others) seen.add(hex((await client.getKey(...args)).key))
assert.equal(seen.size, others.length + 1)
const root = checkChain('mainnet', secp256k1.getPublicKey(key.key), key.signature_chain, info)
const seed = await client.getKey('wallet/sol', 'devnet', 'ed25519')
assert.equal(checkChain('devnet', ed25519.getPublicKey(seed.key), seed.signature_chain, info), root)
ok('keys_are_stable_differ_by_path_purpose_and_kind_and_their_chain_recovers')

for (const alg of ['ed25519', 'secp256k1', 'secp256k1_prehashed']) {
	const data = alg === 'secp256k1_prehashed' ? createHash('sha256').update('x').digest() : 'hello'
	const s = await client.sign(alg, data)
	assert.equal(s.signature.length, 64)
	assert.deepEqual(s.signature_chain[0], s.signature)
	assert.equal(checkChain('signing', s.public_key, s.signature_chain.slice(1), info), root)
	const digest = alg === 'secp256k1' ? createHash('sha256').update(data).digest() : data
	assert.ok(alg === 'ed25519' ? ed25519.verify(s.signature, text(data), s.public_key)
		: secp256k1.verify(s.signature, digest, s.public_key))
	assert.equal((await client.verify(alg, data, s.signature, s.public_key)).valid, true)
	const bad = Uint8Array.from(s.signature)
	bad[5] ^= 1
	assert.equal((await client.verify(alg, data, bad, s.public_key)).valid, false)
	const more = alg === 'secp256k1_prehashed' ? createHash('sha256').update('y').digest() : 'hellp'
	assert.equal((await client.verify(alg, more, s.signature, s.public_key)).valid, false)
	if (alg !== 'ed25519') continue
	assert.deepEqual((await client.getKey('vms', 'signing', alg)).signature_chain[1].length, 65)
	assert.deepEqual(ed25519.getPublicKey((await client.getKey('vms', 'signing', alg)).key), s.public_key)
}
ok('sign_and_verify_agree_with_noble_in_all_three_kinds')

const quote = await client.getQuote('user:alice')
assert.equal(quote.report_data, Buffer.from('user:alice').toString('hex').padEnd(128, '0'))
assert.equal(quote.replayRtmrs()[3], (await client.info()).tcb_info.rtmr3)
const full = Buffer.alloc(64, 0xa5)
save('quote.hex', quote.quote)
save('quote-full.hex', (await client.getQuote(full)).quote)
const names = JSON.parse(quote.event_log).map((e) => e.event)
assert.deepEqual(names.slice(0, 5), ['netcfg', 'join-ready', 'joined', 'app', 'app-start'])
// the newest version is the one that asks
const app = JSON.parse(quote.event_log).filter((e) => e.event === 'app').at(-1).event_payload
assert.equal(app.slice(0, 64), info.app_id)
assert.equal(app.slice(64, 128), info.compose_hash)
await assert.rejects(client.getQuote(Buffer.alloc(65)), /too large/)
await refused('65 bytes', '/GetQuote', { report_data: '00'.repeat(65) }, /report_data/)
for (const purpose of ['register', 'bootstrap', 'app']) {
	const own = Buffer.concat([Buffer.alloc(32), keccak_256(text(`dstack2/rd/${purpose}/v1`))])
	await assert.rejects(client.getQuote(own), /network's own quotes/, purpose)
	await assert.rejects(client.attest(own), /network's own quotes/, purpose)
}
ok('a_quote_has_the_report_data_replays_and_is_never_one_of_the_networks')

await client.emitEvent('config_loaded', 'v1.0.0')
const after = await client.getQuote('user:alice')
const log = JSON.parse(after.event_log)
const last = log[log.length - 1]
assert.equal(last.event, 'config_loaded')
assert.equal(Buffer.from(last.event_payload, 'hex').toString(), 'v1.0.0')
assert.equal(after.replayRtmrs()[3], (await client.info()).tcb_info.rtmr3)
assert.notEqual(after.replayRtmrs()[3], quote.replayRtmrs()[3])
save('quote-event.hex', after.quote)
save('event.log', after.event_log)
save('rtmr3', after.replayRtmrs()[3])
await refused('an event of the guest', '/EmitEvent', { event: 'app-start', payload: '' }, /guest's own/)
await refused('no name', '/EmitEvent', { payload: '00' }, /name/)
ok('an_event_is_in_rtmr3_and_in_the_log')

const { attestation } = await client.attest('user:alice')
const a = Buffer.from(attestation, 'hex')
assert.deepEqual([...a.subarray(0, 2)], [0, 0])
const width = [1, 2, 4][a[2] & 3]
const len = a.readUIntLE(2, width) >>> 2
save('attested.hex', a.subarray(2 + width, 2 + width + len).toString('hex'))
assert.equal(a.subarray(a.length - 65, a.length - 1).toString('hex'), quote.report_data)
ok('attest_wraps_a_quote_and_its_events')

const certs = (chain) => chain.map((pem) => new X509Certificate(pem))
const authority = new X509Certificate(info.app_cert)
for (const [name, more] of [['plain', {}], ['ratls', { usageRaTls: true }]]) {
	const tls = await client.getTlsKey({ subject: 'api.example.com', usageClientAuth: name === 'plain',
		altNames: ['localhost', '*.example.com', '127.0.0.1', '::1'], ...more })
	const [leaf, ca] = certs(tls.certificate_chain)
	assert.equal(tls.certificate_chain.length, 2)
	assert.ok(leaf.checkPrivateKey(createPrivateKey(tls.key)))
	assert.ok(leaf.verify(ca.publicKey) && ca.verify(ca.publicKey) && leaf.checkIssued(ca))
	assert.ok(ca.ca && !leaf.ca)
	assert.equal(leaf.subject, 'CN=api.example.com')
	for (const h of ['localhost', 'www.example.com']) assert.ok(leaf.checkHost(h), h)
	for (const ip of ['127.0.0.1', '::1']) assert.ok(leaf.checkIP(ip), ip)
	assert.deepEqual(leaf.keyUsage, name === 'plain' ? ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] : ['1.3.6.1.5.5.7.3.1'])
	// one authority on every node and in Info, by key and name
	assert.ok(ca.publicKey.equals(authority.publicKey) && leaf.verify(authority.publicKey))
	assert.equal(ca.subject, authority.subject)
	assert.ok(ca.subject.includes(info.app_id))
	assert.equal(createPrivateKey({ key: Buffer.from(tls.asUint8Array()), format: 'der', type: 'pkcs8' }).type, 'private')
	save(`${name}.key`, tls.key)
	save(`${name}.pem`, tls.certificate_chain.join(''))
	save(`${name}-ca.pem`, tls.certificate_chain[1])
	assert.notEqual((await client.getTlsKey()).key, tls.key)
}
const from = Math.floor(Date.now() / 1000) - 3600
const dated = certs((await client.getTlsKey({ notBefore: from, notAfter: from + 7200, withAppInfo: true })).certificate_chain)[0]
assert.equal(Date.parse(dated.validFrom), from * 1000)
assert.equal(Date.parse(dated.validTo), (from + 7200) * 1000)
await refused('no time', '/GetTlsKey', { not_before: 10, not_after: 10 }, /not later/)
await refused('no name', '/GetTlsKey', { alt_names: ['a b'] }, /no DNS name/)
await refused('OpenSSL words', '/GetTlsKey', { alt_names: ['a,DNS:b'] }, /no DNS name/)
await refused('a long subject', '/GetTlsKey', { subject: 'x'.repeat(65) }, /64 bytes/)
ok('a_tls_key_has_a_chain_that_names_what_was_asked_for')

console.warn = () => {} // it says of each call that it is of old
const old = new TappdClient()
assert.equal(await old.isReachable(), true)
const d1 = await old.deriveKey('svc/a', 'svc.a', ['svc.test'])
const d2 = await old.deriveKey('svc/a', 'svc.a')
assert.equal(d1.key, d2.key)
assert.notEqual((await old.deriveKey('svc/b')).key, d1.key)
assert.equal(d1.asUint8Array(32).length, 32)
const [derived] = certs(d1.certificate_chain)
assert.ok(derived.checkPrivateKey(createPrivateKey(d1.key)) && derived.checkHost('svc.test'))
const q = await old.tdxQuote('hello')
assert.equal(q.hash_algorithm, 'sha512')
assert.equal(q.prefix, 'app-data:')
save('tappd.hex', q.quote)
save('tappd.rd', createHash('sha512').update('app-data:hello').digest('hex'))
for (const h of ['sha256', 'sha384', 'sha3-256', 'sha3-384', 'sha3-512', 'keccak256', 'raw'])
	assert.equal((await old.tdxQuote('hello', h)).hash_algorithm, h)
await assert.rejects(old.tdxQuote('hello', 'keccak512'), /'keccak512' is none of/)
assert.equal((await old.info()).app_id, info.app_id)
ok('the_older_half_derives_keys_and_quotes')

await refused('no JSON', '/GetKey', '[1]', /JSON object/)
await refused('a member twice', '/GetKey', '{"path":"a","path":"b"}', /twice/)
await refused('another member', '/GetKey', { path: 'a', lifetime: 1 }, /'lifetime' is not a member/)
await refused('another algorithm', '/GetKey', { algorithm: 'rsa' }, /'rsa' is none of/)
await refused('a long path', '/GetKey', { path: 'x'.repeat(256) }, /path/)
await refused('a digest of 31', '/Sign', { algorithm: 'secp256k1_prehashed', data: '00'.repeat(31) }, /32 bytes/)
await refused('no hex', '/Sign', { data: 'xyz' }, /hex/)
await refused('a short signature', '/Verify', { signature: '00', public_key: '00' }, /not 64/)
for (const algorithm of ['secp256k1', 'ed25519', 'secp256k1_prehashed'])
	for (const public_key of ['', '00', '02'.padEnd(66, 'f'), '04'.padEnd(130, '0')])
		await refused(`the key '${public_key}' of ${algorithm}`, '/Verify', { algorithm, public_key,
			signature: '01'.repeat(64), data: algorithm.endsWith('d') ? '00'.repeat(32) : '' }, /public_key/)
assert.equal((await client.sign('ed25519', '')).signature.length, 64)
const browser = await raw('/GetKey', '{}', 'Origin: https://a.test\r\n')
assert.equal(browser.code, 403)
ok('what_is_wrong_is_refused_with_its_reason')

save('keys.json', JSON.stringify({ app_id: info.app_id, xpub: JSON.parse(info.key_provider_info).id,
	root, eth: hex(key.key), sol: hex(seed.key), derived: d1.key,
	authority: authority.publicKey.export({ type: 'spki', format: 'pem' }) }))
