/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A committee's keys are decompressed once, when the committee is taken, and
 * summed for each signature over those who signed. What can go wrong: a key
 * that is no point of the curve, or the point at infinity, refuses the whole
 * committee; a signature that is no point, infinity or outside the subgroup,
 * and a sum of keys at infinity, are each a plain no.
 *
 * The keys get no subgroup check: the root over them is in a state that is
 * signed, or in the block the caller trusts, and a key comes into that state
 * only by a deposit whose signature was verified with KeyValidate (phase0,
 * apply_deposit). The signature is foreign and gets it.
 */
#include "beacon/bls.h"

#include <stdlib.h>

#include <blst.h>

struct bls_keys {
	size_t n;
	blst_p1_affine key[];
};

/* Ciphersuite of the proof-of-possession scheme, as consensus-specs name it. */
static const char dst[] = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

struct bls_keys *
bls_keys_new(const uint8_t *keys, size_t n, size_t *bad)
{
	/* n is the network's, 512 at most: the product cannot overflow */
	struct bls_keys *k =
	    malloc(sizeof(*k) + n * sizeof(k->key[0]));
	*bad = n;
	if (k == NULL)
		return NULL;
	k->n = n;
	for (size_t i = 0; i < n; i++)
		if (blst_p1_uncompress(&k->key[i], keys + BLS_KEY_LEN * i) !=
			BLST_SUCCESS ||
		    blst_p1_affine_is_inf(&k->key[i])) {
			*bad = i;
			free(k);
			return NULL;
		}
	return k;
}

void
bls_keys_free(struct bls_keys *k)
{
	free(k);
}

bool
bls_verify(const struct bls_keys *k, const uint8_t *bits,
    const uint8_t message[static 32], const uint8_t sig[static BLS_SIG_LEN])
{
	blst_p1 sum = { 0 }; /* infinity */
	blst_p1_affine key;
	blst_p2_affine s;
	/* the same key may stand in a committee twice, so adding may double */
	for (size_t i = 0; i < k->n; i++)
		if ((bits[i / 8] >> i % 8 & 1) != 0)
			blst_p1_add_or_double_affine(&sum, &sum, &k->key[i]);
	/* nobody signed, or keys that cancel out: that key signs everything */
	blst_p1_to_affine(&key, &sum);
	if (blst_p1_affine_is_inf(&key))
		return false;
	/* the one subgroup check that is due: core_verify makes none itself */
	if (blst_p2_uncompress(&s, sig) != BLST_SUCCESS ||
	    blst_p2_affine_is_inf(&s) || !blst_p2_affine_in_g2(&s))
		return false;
	return blst_core_verify_pk_in_g1(&key, &s, true, message, 32,
		   (const byte *)dst, sizeof(dst) - 1, NULL, 0) ==
	    BLST_SUCCESS;
}
