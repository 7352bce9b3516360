/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is signed, as hashes: EIP-712 structs for whatever the contract checks
 * too (the type strings are in layout.h, and a test holds them against the
 * contract's), tagged frames for the rest. Order and types of fields here are
 * those of the type string; a wrong one is a signature that nobody accepts, not
 * one that means something else.
 *
 * report_data of a quote has two halves: what it is about, and a hash of what
 * for. A quote made for an app can therefore never be shown as one for joining,
 * though the same hardware signs both.
 */
#include "protocol/statements.h"

#include <assert.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "protocol/frame.h"
#include "protocol/layout.h"

void
stmt_bootstrap_digest(const struct stmt_bootstrap *s,
    const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_BOOTSTRAP);
	eip712_u64(&e, s->epoch);
	eip712_addr(&e, s->xpub);
	eip712_word(&e, s->seed_commit);
	eip712_word(&e, s->policy_hash);
	eip712_word(&e, s->anchor_hash);
	eip712_u64(&e, s->anchor_number);
	eip712_addr(&e, s->submitter);
	eip712_digest(&e, d, out);
}

void
stmt_register_digest(const struct stmt_register *s,
    const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_REGISTER);
	eip712_u64(&e, s->epoch);
	eip712_addr(&e, s->node);
	eip712_word(&e, s->enc_key_hash);
	eip712_word(&e, s->policy_hash);
	eip712_word(&e, s->anchor_hash);
	eip712_u64(&e, s->anchor_number);
	eip712_addr(&e, s->submitter);
	eip712_word(&e, s->nonce);
	eip712_digest(&e, d, out);
}

void
stmt_register_tx_digest(const uint8_t request_id[static 32],
    const uint8_t quote_hash[static 32], const struct eip712_domain *d,
    uint8_t out[static 32])
{
	/*
	 * Ties a registration to one quote: whoever relays the transaction
	 * cannot swap the quote below it.
	 */
	struct eip712 e = eip712_begin(KM_TYPE_REGISTER_TX);
	eip712_word(&e, request_id);
	eip712_word(&e, quote_hash);
	eip712_digest(&e, d, out);
}

void
stmt_onboard_digest(const struct stmt_onboard *s, const struct eip712_domain *d,
    uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_ONBOARD);
	eip712_word(&e, s->request_id);
	eip712_u64(&e, s->epoch);
	eip712_word(&e, s->seed_commit);
	eip712_word(&e, s->ct_hash);
	eip712_word(&e, s->platform_hash);
	eip712_u64(&e, s->tcb_status);
	eip712_addr(&e, s->payee);
	eip712_digest(&e, d, out);
}

void
stmt_heartbeat_digest(const struct stmt_heartbeat *s,
    const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_HEARTBEAT);
	eip712_addr(&e, s->node);
	eip712_u64(&e, s->epoch);
	eip712_word(&e, s->anchor_hash);
	eip712_u64(&e, s->anchor_number);
	eip712_digest(&e, d, out);
}

void
stmt_tls_bind_digest(const struct stmt_tls_bind *s,
    const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_TLS_BIND);
	eip712_word(&e, s->nonce);
	eip712_word(&e, s->exporter);
	eip712_word(&e, s->spki_hash);
	eip712_u64(&e, s->role);
	eip712_u64(&e, s->epoch);
	eip712_digest(&e, d, out);
}

void
stmt_volume_anchor_digest(const struct stmt_volume_anchor *s,
    const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 e = eip712_begin(KM_TYPE_VOLUME_ANCHOR);
	eip712_word(&e, s->volume_id);
	eip712_u64(&e, s->generation);
	eip712_word(&e, s->root);
	eip712_u64(&e, s->epoch);
	eip712_u64(&e, s->anchor_number);
	eip712_word(&e, s->anchor_hash);
	eip712_digest(&e, d, out);
}

void
stmt_enc_key_hash(
    uint8_t suite, const uint8_t pub[static 32], uint8_t out[static 32])
{
	const struct piece v[] = {{&suite, 1}, {pub, 32}};
	keccak256v(v, 2, out); /* both of fixed length */
}

void
stmt_platform_hash(const uint8_t ppid[static 16], const uint8_t fmspc[static 6],
    uint8_t out[static 32])
{
	struct frame f = frame_begin("dstack2/ppid/v1");
	frame_fixed(&f, ppid, 16);
	frame_fixed(&f, fmspc, 6);
	frame_keccak256(&f, out);
}

void
stmt_tuple_hash(const uint8_t mrtd[static 48], const uint8_t (*rtmr)[48],
    const uint8_t mrconfigid[static 48], uint8_t out[static 32])
{
	const struct piece v[] = {{mrtd, 48}, {rtmr[0], 48}, {rtmr[1], 48},
	    {rtmr[2], 48}, {mrconfigid, 48}};
	keccak256v(v, 5, out); /* all of fixed length */
}

/* Second half: the purpose, so that no quote serves another one. */
static void
report_data(
    const uint8_t first[static 32], const char *purpose, uint8_t out[static 64])
{
	memcpy(out, first, 32);
	keccak256(purpose, strlen(purpose), out + 32);
}

#define PURPOSE_REGISTER "dstack2/rd/register/v1"
#define PURPOSE_BOOTSTRAP "dstack2/rd/bootstrap/v1"
#define PURPOSE_APP "dstack2/rd/app/v1"

void
stmt_report_register(
    const uint8_t request_id[static 32], uint8_t out[static 64])
{
	report_data(request_id, PURPOSE_REGISTER, out);
}

void
stmt_report_bootstrap(const uint8_t digest[static 32], uint8_t out[static 64])
{
	report_data(digest, PURPOSE_BOOTSTRAP, out);
}

/*
 * The app's id goes in below the purpose: one app cannot ask for a quote that
 * speaks for another.
 */
void
stmt_report_app(const uint8_t app_id[static 32], const void *data, size_t len,
    uint8_t out[static 64])
{
	uint8_t m[64];
	memcpy(m, app_id, 32);
	keccak256(data, len, m + 32);
	uint8_t h[32];
	keccak256(m, sizeof(m), h);
	report_data(h, PURPOSE_APP, out);
}

enum dstack_status
stmt_report_raw(const void *data, size_t n, uint8_t out[static 64])
{
	static const char *const purposes[] = { PURPOSE_REGISTER,
		PURPOSE_BOOTSTRAP, PURPOSE_APP };
	static const uint8_t none[32] = { 0 };
	uint8_t rd[64] = { 0 };
	uint8_t reserved[64];
	if (n > sizeof(rd))
		return DSTACK_E_LIMIT;
	memcpy(rd, data, n);
	/* Each purpose of this file is here: a new one has to be added. */
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		report_data(none, purposes[i], reserved);
		if (memcmp(rd + 32, reserved + 32, 32) == 0)
			return DSTACK_E_REJECTED;
	}
	memcpy(out, rd, sizeof(rd));
	return DSTACK_OK;
}

void
stmt_app_data(const struct eip712_domain *d, const uint8_t app_id[static 32],
    uint64_t epoch, const char *tag, const void *data, size_t len,
    uint8_t out[static 32])
{
	/* the words of abi.encode are those of a typed struct */
	struct eip712 e = eip712_begin(
	    "Attest(uint256 chainId,address keyManager,bytes32 appId,"
	    "uint64 epoch,bytes32 tagHash,bytes32 dataHash)");
	eip712_u64(&e, d->chain_id);
	eip712_addr(&e, d->contract);
	eip712_word(&e, app_id);
	eip712_u64(&e, epoch);
	eip712_bytes(&e, tag, strlen(tag));
	eip712_bytes(&e, data, len);
	keccak256(e.word, (size_t)e.n * 32, out);
}

/*
 * The prefix of the original, so that its contract's verify() recovers the same
 * signer.
 */
void
stmt_attest_digest(const uint8_t app_data[static 32], uint8_t out[static 32])
{
	struct frame f = frame_begin("attest");
	frame_fixed(&f, app_data, 32);
	frame_keccak256(&f, out);
}

void
stmt_hpke_info(const uint8_t request_id[static 32],
    const uint8_t seed_commit[static 32],
    uint8_t out[static STMT_HPKE_INFO_LEN])
{
	static const char tag[] = "dstack2/hpke/onboard/v1";
	/*
	 * Request and record both bind the ciphertext: it opens for this
	 * newcomer's request and for the secret that the chain names.
	 */
	_Static_assert(sizeof(tag) + 64 == STMT_HPKE_INFO_LEN, "info length");
	memcpy(out, tag, sizeof(tag)); /* with its 0x00 */
	memcpy(out + sizeof(tag), request_id, 32);
	memcpy(out + sizeof(tag) + 32, seed_commit, 32);
}

/*
 * The form is the SDK's, not ours, and still says one thing: what stands
 * behind the last colon has a length by the key's kind, and no colon in it.
 */
void
stmt_sdk_key_digest(const char *purpose, const uint8_t *pub, size_t n,
    uint8_t out[static 32])
{
	char hex[2 * 33 + 1];
	assert(n <= 33 && strlen(purpose) <= STMT_SDK_PURPOSE_MAX);
	hex_encode(pub, n, hex);
	const struct piece v[] = { { purpose, strlen(purpose) }, { ":", 1 },
		{ hex, 2 * n } };
	keccak256v(v, 3, out);
}

void
stmt_sdk_root_digest(const uint8_t app_id[static 32],
    const uint8_t root[static 33], uint8_t out[static 32])
{
	const struct piece v[] = { { "dstack-kms-issued:", 18 },
		{ app_id, 32 }, { root, 33 } };
	keccak256v(v, 3, out); /* all of fixed length */
}
