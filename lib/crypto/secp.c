/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethereum's signatures: secp256k1 with the key's address recovered from the
 * signature. One context serves all threads; it is made at first use and
 * written once more, by secp_blind, before threads exist. Failures that only a
 * broken library can have end the process, since the alternative is to sign or
 * accept something else than what was asked.
 *
 * A signature is refused for each way in which a second form of the same one
 * could be made: v other than 27 and 28, s in the upper half of the order.
 * Whoever stores or compares signatures may then take equal meaning for equal
 * bytes, as the contract does.
 */
#include "crypto/secp.h"

#include <pthread.h>
#include <stdlib.h>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "base/hex.h"
#include "crypto/hash.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static secp256k1_context *shared; /* only secp_blind writes it later */

static void
make(void)
{
	shared = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
}

static const secp256k1_context *
ctx(void)
{
	if (pthread_once(&once, make) != 0 || shared == NULL)
		abort();
	return shared;
}

void
secp_blind(const uint8_t seed[static 32])
{
	(void)ctx();
	if (secp256k1_context_randomize(shared, seed) != 1)
		abort();
}

static void
point_bytes(const secp256k1_pubkey *key, uint8_t out[static 64])
{
	uint8_t b[65];
	size_t n = sizeof(b);
	if (secp256k1_ec_pubkey_serialize(
	        ctx(), b, &n, key, SECP256K1_EC_UNCOMPRESSED) != 1 ||
	    n != sizeof(b))
		abort();
	memcpy(out, b + 1, 64);
}

static void
point_address(const uint8_t pub[static 64], uint8_t addr[static 20])
{
	uint8_t h[32];
	keccak256(pub, 64, h);
	memcpy(addr, h + 12, 20);
}

enum dstack_status
secp_public(const struct secret32 *key, uint8_t pub[static 64])
{
	secp256k1_pubkey p;
	if (secp256k1_ec_pubkey_create(ctx(), &p, key->b) != 1)
		return DSTACK_E_REJECTED;
	point_bytes(&p, pub);
	return DSTACK_OK;
}

enum dstack_status
secp_compressed(const struct secret32 *key, uint8_t pub[static 33])
{
	secp256k1_pubkey p;
	size_t n = 33;
	if (secp256k1_ec_pubkey_create(ctx(), &p, key->b) != 1)
		return DSTACK_E_REJECTED;
	if (secp256k1_ec_pubkey_serialize(
	        ctx(), pub, &n, &p, SECP256K1_EC_COMPRESSED) != 1)
		abort();
	return DSTACK_OK;
}

enum dstack_status
secp_verify(const uint8_t digest[static 32], const uint8_t sig[static 64],
    const uint8_t *pub, size_t n)
{
	secp256k1_pubkey p;
	secp256k1_ecdsa_signature s;
	/* no bytes are no pointer, which the library answers by abort() */
	if ((n != 33 && n != 65) ||
	    secp256k1_ec_pubkey_parse(ctx(), &p, pub, n) != 1)
		return DSTACK_E_FORMAT;
	/* the library's verify refuses a high s by itself */
	if (secp256k1_ecdsa_signature_parse_compact(ctx(), &s, sig) != 1 ||
	    secp256k1_ecdsa_verify(ctx(), &s, digest, &p) != 1)
		return DSTACK_E_REJECTED;
	return DSTACK_OK;
}

enum dstack_status
secp_address(const struct secret32 *key, uint8_t addr[static 20])
{
	uint8_t pub[64];
	enum dstack_status st = secp_public(key, pub);
	if (st == DSTACK_OK)
		point_address(pub, addr);
	return st;
}

enum dstack_status
secp_sign(const struct secret32 *key, const uint8_t digest[static 32],
    const uint8_t *entropy, uint8_t sig[static SECP_SIG_LEN])
{
	secp256k1_ecdsa_recoverable_signature s;
	uint8_t b[64];
	int id = -1;
	if (secp256k1_ecdsa_sign_recoverable(ctx(), &s, digest, key->b,
	        secp256k1_nonce_function_rfc6979, entropy) != 1)
		return DSTACK_E_REJECTED;
	if (secp256k1_ecdsa_recoverable_signature_serialize_compact(
	        ctx(), b, &id, &s) != 1 ||
	    id < 0 || id > 1) /* r over the group order: v cannot say it */
		return DSTACK_E_REJECTED;
	memcpy(sig, b, 64);
	sig[64] = (uint8_t)(27 + id);
	return DSTACK_OK;
}

enum dstack_status
secp_recover(const uint8_t digest[static 32],
    const uint8_t sig[static SECP_SIG_LEN], uint8_t addr[static 20])
{
	secp256k1_ecdsa_recoverable_signature rs;
	secp256k1_ecdsa_signature s;
	secp256k1_pubkey p;
	uint8_t pub[64];
	uint8_t a[20];
	if (sig[64] != 27 && sig[64] != 28)
		return DSTACK_E_REJECTED;
	if (secp256k1_ecdsa_recoverable_signature_parse_compact(
	        ctx(), &rs, sig, sig[64] - 27) != 1 ||
	    secp256k1_ecdsa_recoverable_signature_convert(ctx(), &s, &rs) != 1)
		return DSTACK_E_REJECTED;
	/* 1: s was in the upper half, the malleable twin */
	if (secp256k1_ecdsa_signature_normalize(ctx(), NULL, &s) != 0)
		return DSTACK_E_REJECTED;
	if (secp256k1_ecdsa_recover(ctx(), &p, &rs, digest) != 1)
		return DSTACK_E_REJECTED;
	point_bytes(&p, pub);
	point_address(pub, a);
	/*
	 * Zero is what a contract's empty record holds; nobody may sign as it.
	 */
	if (ct_is_zero(a, sizeof(a)))
		return DSTACK_E_REJECTED;
	memcpy(addr, a, sizeof(a));
	return DSTACK_OK;
}

/*
 * EIP-55: a letter is upper case where the hash of the lower-case text has a
 * nibble of 8 or more.
 */
void
eip55(const uint8_t addr[static 20], char out[static 43])
{
	uint8_t h[32];
	out[0] = '0';
	out[1] = 'x';
	hex_encode(addr, 20, out + 2);
	keccak256(out + 2, 40, h);
	for (size_t i = 0; i < 40; i++) {
		char *c = &out[2 + i];
		unsigned nibble = i % 2 == 0 ? h[i / 2] >> 4 : h[i / 2] & 15;
		if (*c >= 'a' && nibble >= 8)
			*c = (char)(*c - 'a' + 'A');
	}
}
