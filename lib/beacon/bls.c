/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signature is judged under the sum of the signers' keys. Decompressing a
 * key costs more than anything else here, and all but a few of a committee
 * sign: so the sum is first taken as that of all, which the committee itself
 * carries, less the keys of those who did not sign. Only if the signature does
 * not hold under it, or it cannot be had, are the signers' keys added up: the
 * specification does not look at the carried sum, so a wrong one refuses
 * nothing. What can go wrong: a signature that is no point, infinity or
 * outside the subgroup, a key that is no point, a sum at infinity. Each is a
 * plain no.
 *
 * Trusting the carried sum gives nobody anything: it stands under the same
 * root as the keys, in a state that is signed or in the block the caller
 * trusts, and the chain's own rules compute it from them (altair,
 * get_next_sync_committee). Nor do the keys get a subgroup check: a key comes
 * into that state only by a deposit whose signature was verified with
 * KeyValidate (phase0, apply_deposit). The signature is foreign and gets it.
 */
#include "beacon/bls.h"

#include <stdlib.h>
#include <string.h>

#include <blst.h>

struct bls_keys {
	size_t n;
	uint8_t *raw;  /* n keys, then the sum of all */
	uint8_t *have; /* n + 1: is point[i] there? */
	blst_p1_affine point[];
};

/* Ciphersuite of the proof-of-possession scheme, as consensus-specs name it. */
static const char dst[] = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

struct bls_keys *
bls_keys_new(const uint8_t *keys, const uint8_t sum[static BLS_KEY_LEN],
    size_t n)
{
	/* n is the network's, 512 at most: no product here overflows */
	size_t points = (n + 1) * sizeof(blst_p1_affine);
	struct bls_keys *k =
	    malloc(sizeof(*k) + points + (n + 1) * (BLS_KEY_LEN + 1));
	if (k == NULL)
		return NULL;
	k->n = n;
	k->raw = (uint8_t *)k + sizeof(*k) + points;
	k->have = k->raw + (n + 1) * BLS_KEY_LEN;
	memcpy(k->raw, keys, n * BLS_KEY_LEN);
	memcpy(k->raw + n * BLS_KEY_LEN, sum, BLS_KEY_LEN);
	memset(k->have, 0, n + 1);
	return k;
}

void
bls_keys_free(struct bls_keys *k)
{
	free(k);
}

const uint8_t *
bls_keys_raw(const struct bls_keys *k)
{
	return k->raw;
}

bool
bls_keys_are(const struct bls_keys *k, const uint8_t *keys,
    const uint8_t sum[static BLS_KEY_LEN])
{
	return memcmp(k->raw, keys, k->n * BLS_KEY_LEN) == 0 &&
	    memcmp(k->raw + k->n * BLS_KEY_LEN, sum, BLS_KEY_LEN) == 0;
}

/* Key i as a point, n being the sum of all; NULL: it is none, or infinity. */
static const blst_p1_affine *
point(struct bls_keys *k, size_t i)
{
	if (k->have[i])
		return &k->point[i];
	if (blst_p1_uncompress(&k->point[i], k->raw + BLS_KEY_LEN * i) !=
		BLST_SUCCESS ||
	    blst_p1_affine_is_inf(&k->point[i]))
		return NULL;
	k->have[i] = 1;
	return &k->point[i];
}

/* The sum of the keys whose bit is want; infinity where there is none. */
static bool
add_up(struct bls_keys *k, const uint8_t *bits, unsigned want, blst_p1 *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < k->n; i++) {
		if ((bits[i / 8] >> i % 8 & 1u) != want)
			continue;
		const blst_p1_affine *p = point(k, i);
		if (p == NULL)
			return false;
		/* the same key may stand in a committee twice: it doubles */
		blst_p1_add_or_double_affine(out, out, p);
	}
	return true;
}

/* Does the signature hold under this sum? At infinity it would under any. */
static bool
holds(const blst_p1 *sum, const blst_p2_affine *sig, const uint8_t *message)
{
	blst_p1_affine key;
	blst_p1_to_affine(&key, sum);
	return !blst_p1_affine_is_inf(&key) &&
	    blst_core_verify_pk_in_g1(&key, sig, true, message, 32,
		(const byte *)dst, sizeof(dst) - 1, NULL, 0) == BLST_SUCCESS;
}

bool
bls_verify(struct bls_keys *k, const uint8_t *bits,
    const uint8_t message[static 32], const uint8_t sig[static BLS_SIG_LEN])
{
	blst_p1 sum;
	blst_p2_affine s;
	const blst_p1_affine *all = point(k, k->n);
	/* the one subgroup check that is due: core_verify makes none itself */
	if (blst_p2_uncompress(&s, sig) != BLST_SUCCESS ||
	    blst_p2_affine_is_inf(&s) || !blst_p2_affine_in_g2(&s))
		return false;
	if (all != NULL && add_up(k, bits, 0, &sum)) {
		blst_p1_cneg(&sum, true);
		blst_p1_add_or_double_affine(&sum, &sum, all);
		if (holds(&sum, &s, message))
			return true;
	}
	return add_up(k, bits, 1, &sum) && holds(&sum, &s, message);
}
