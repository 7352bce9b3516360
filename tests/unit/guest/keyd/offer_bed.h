/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An onboarder that the test is itself: it knows the network's secret, makes an
 * honest offer, and bends one thing of it. Include after cmocka.h.
 */
#ifndef TESTS_OFFER_BED_H
#define TESTS_OFFER_BED_H

#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "tests/unit/guest/keyd/keyd_bed.h"

/* A network whose secret the test knows. */
struct net {
	struct secret32 seed;
	struct secret32 sign;
	struct record rec;
};

static void
net_of(struct net *n, uint8_t first, uint64_t epoch)
{
	struct keytree t;
	memset(n, 0, sizeof(*n));
	n->seed.b[0] = first;
	keytree_init(&t, domain.chain_id, domain.contract, epoch, &n->seed);
	assert_int_equal(keytree_seed_commit(&t, n->rec.commit), DSTACK_OK);
	assert_int_equal(
	    keytree_net_sign(&t, &n->sign, n->rec.xpub), DSTACK_OK);
}

/* What the onboarder's view had as final. */
static const struct handon_view view = { 0x0102030405060708,
	{ 0xa1, 0xa2 }, { 0xc1, 0xc2 } };
static const uint8_t view_bytes[HANDON_VIEW_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8,
	0xa1, 0xa2, [40] = 0xc1, 0xc2 };
#define AT_VIEW (1 + 8 + 32)

/* All that goes into an OPEN, so that a test can bend one thing. */
struct offer {
	uint8_t request_id[32];
	uint64_t epoch;
	struct record chain;
	struct eip712_domain domain; /* of the signature */
	struct secret32 signer;
	uint8_t onboard_id[32];
	uint64_t onboard_epoch;
	uint8_t onboard_commit[32];
	uint8_t info_id[32];
	uint8_t info_commit[32];
	uint8_t aad[32];
	uint8_t enc_pub[32];
	uint8_t pt[128];
	size_t pt_len;
	bool foreign_ct; /* a well made one, but not the one that was signed */
	uint8_t sig_xor; /* of its last byte */
	uint8_t ct_xor;  /* before it is hashed and signed */
};

/* What an honest onboarder would send. */
static struct offer
honest(const struct net *net, const struct node *n, const uint8_t id[32])
{
	struct offer o = { .epoch = EPOCH, .onboard_epoch = EPOCH,
		.domain = domain, .signer = net->sign, .chain = net->rec,
		.pt_len = HANDON_PT_LEN };
	memcpy(o.request_id, id, 32);
	memcpy(o.onboard_id, id, 32);
	memcpy(o.info_id, id, 32);
	memcpy(o.aad, id, 32);
	memcpy(o.onboard_commit, net->rec.commit, 32);
	memcpy(o.info_commit, net->rec.commit, 32);
	memcpy(o.enc_pub, n->enc_pub, 32);
	o.pt[0] = 2;
	o.pt[8] = EPOCH;
	memcpy(o.pt + 9, net->seed.b, 32);
	memcpy(o.pt + AT_VIEW, view_bytes, sizeof(view_bytes));
	return o;
}

static void
sealed(const struct offer *o, uint8_t ephemeral, uint8_t *ct)
{
	uint8_t info[STMT_HPKE_INFO_LEN];
	struct secret32 e = { { ephemeral, 1 } };
	stmt_hpke_info(o->info_id, o->info_commit, info);
	assert_int_equal(hpke_seal(o->enc_pub, &e, info, sizeof(info), o->aad,
	    32, o->pt, o->pt_len, ct), DSTACK_OK);
	ct[o->pt_len + HPKE_OVERHEAD - 1] ^= o->ct_xor;
}

static void
offer_put(struct wr *q, const struct offer *o)
{
	struct stmt_onboard s = { .epoch = o->onboard_epoch,
		.tcb_status = 1, .payee = { 3 } };
	uint8_t ct[128 + HPKE_OVERHEAD];
	uint8_t digest[32];
	uint8_t sig[SECP_SIG_LEN];
	sealed(o, 8, ct);
	memcpy(s.request_id, o->onboard_id, 32);
	memcpy(s.seed_commit, o->onboard_commit, 32);
	keccak256(ct, o->pt_len + HPKE_OVERHEAD, s.ct_hash);
	stmt_onboard_digest(&s, &o->domain, digest);
	assert_int_equal(secp_sign(&o->signer, digest, NULL, sig), DSTACK_OK);
	sig[64] ^= o->sig_xor;
	if (o->foreign_ct)
		sealed(o, 16, ct); /* X25519 drops the low 3 bits */
	wr_free(q);
	wr_put(q, o->request_id, 32);
	wr_u64be(q, o->epoch);
	wr_put(q, o->chain.xpub, 20);
	wr_put(q, o->chain.commit, 32);
	stmt_onboard_put(q, &s);
	wr_put(q, sig, sizeof(sig));
	wr_blob(q, ct, o->pt_len + HPKE_OVERHEAD);
}

#endif
