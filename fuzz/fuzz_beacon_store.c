/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store under any updates. It begins at a made block of Deneb; the input
 * is a row of containers, each behind its kind (a byte: bit 0 finality update,
 * bit 1 signed here) and length (two bytes). Bit 1 has the committee of the
 * signature's period sign whatever the container attests, so that what stands
 * behind the signature is reached as well. Whatever comes: the finalized head
 * never goes back or over a period, and a refusal changes nothing.
 */
#include <stdlib.h>

#include "tests/unit/lib/beacon/lcmake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define KEYS 8u
#define START 3u /* period */
#define PERIODS 8u

static struct beacon_network net;
static uint8_t root[32], first[MK_LEN];
static size_t first_len;
/* The whole committee of each period as one secret. */
static blst_scalar all[PERIODS];

static void
once(void)
{
	static struct mk m;
	net = mk_network(KEYS);
	mk_bootstrap(&m, &net, START * MK_PERIOD + 8, root);
	first_len = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, first);
	for (uint64_t p = 0; p < PERIODS; p++) {
		mk_secret(p, 0, &all[p]);
		for (uint32_t i = 1; i < KEYS; i++) {
			blst_scalar one;
			mk_secret(p, i, &one);
			if (!blst_sk_add_n_check(&all[p], &all[p], &one))
				abort();
		}
	}
}

/* Sign p in its place, if it is an update at all. */
static void
sign(uint8_t *p, size_t n, bool finality)
{
	static const char dst[] =
	    "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
	struct lc_update u;
	enum beacon_fork f;
	uint8_t domain[32] = { 7 }, data[32], msg[32];
	blst_p2 h, sig;
	if (ssz_update(&net, finality, p, n, &u, NULL) != BEACON_OK ||
	    u.signature_slot == 0 || u.signature_slot / MK_PERIOD >= PERIODS ||
	    fork_at(&net, u.signature_slot - 1, &f, NULL) != BEACON_OK)
		return;
	fork_data_root(&net, f, data);
	memcpy(domain + 4, data, 28);
	header_root(&u.attested.beacon, msg);
	merkle_pair(msg, domain, msg);
	blst_hash_to_g2(
	    &h, msg, 32, (const byte *)dst, sizeof(dst) - 1, NULL, 0);
	blst_sign_pk_in_g1(&sig, &h, &all[u.signature_slot / MK_PERIOD]);
	blst_p2_compress(p + (u.signature - p), &sig);
	p[u.bits - p] = 0xff;
}

static void
feed(struct beacon_store *s, uint8_t kind, uint8_t *p, size_t n)
{
	struct beacon_head before = { 0 }, after = { 0 };
	struct why why = { "" };
	bool finality = (kind & 1) != 0, next = beacon_next_known(s);
	uint64_t period = beacon_period(s);
	if ((kind & 2) != 0)
		sign(p, n, finality);
	(void)beacon_finalized(s, &before);
	enum beacon_code c = finality
	    ? beacon_finality(s, p, n, mk_time(1u << 20), &why)
	    : beacon_update(s, p, n, mk_time(1u << 20), &why);
	(void)beacon_finalized(s, &after);
	if (after.slot < before.slot || beacon_period(s) < period ||
	    beacon_period(s) > period + 1 ||
	    (beacon_period(s) != period && !next))
		abort();
	if (c != BEACON_OK &&
	    (why.text[0] == '\0' || after.slot != before.slot ||
		memcmp(after.root, before.root, 32) != 0 ||
		beacon_next_known(s) != next))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (first_len == 0)
		once();
	struct beacon_store *s = beacon_store_new(&net);
	if (s == NULL ||
	    beacon_bootstrap(s, root, first, first_len, NULL) != BEACON_OK)
		abort();
	for (unsigned i = 0; n >= 3 && i < 4; i++) {
		size_t len = (size_t)data[1] | (size_t)data[2] << 8;
		if (len > n - 3)
			len = n - 3;
		/* its own memory: what is read too far is seen */
		uint8_t *p = malloc(len + 1);
		if (p == NULL)
			abort();
		memcpy(p, data + 3, len);
		feed(s, data[0], p, len);
		free(p);
		data += 3 + len;
		n -= 3 + len;
	}
	beacon_store_free(s);
	return 0;
}
