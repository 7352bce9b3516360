/* SPDX-License-Identifier: Apache-2.0 */
/* Judge what sim/ makes: shared by the verifier's tests. */
#ifndef TESTS_DCAP_SIM_H
#define TESTS_DCAP_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wr.h"
#include "dstack/dcap.h"
#include "sim/key.h"
#include "sim/pki.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

enum world { TDX4, TDX5, TDX15, SGX3, WORLDS };

static inline struct sim_world *
world_new(enum world kind)
{
	struct sim_world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	sim_world_init(w, "one", SIM_CA_PLATFORM, NOW);
	if (kind == SGX3)
		sim_world_sgx(w);
	if (kind == TDX5 || kind == TDX15) {
		w->quote.version = 5;
		w->quote.body_type = kind == TDX5 ? 2 : 3;
	}
	return w;
}

static inline void
sim_root(const char *label, uint8_t key[64])
{
	AUTO_KEY EVP_PKEY *k = sim_key(label);
	assert_non_null(k);
	assert_true(sim_key_public(k, key));
}

static inline struct dcap_bytes
bytes_of(const struct wr *w)
{
	return (struct dcap_bytes){ w->buf, w->len };
}

static inline enum dcap_code
load_parts(const struct sim_collateral *s, struct dcap_collateral **out)
{
	const struct dcap_pieces in = {
		bytes_of(&s->pck_crl_issuer_chain), bytes_of(&s->root_ca_crl),
		bytes_of(&s->pck_crl), bytes_of(&s->tcb_info_issuer_chain),
		bytes_of(&s->tcb_info), { s->tcb_info_signature, 64 },
		bytes_of(&s->qe_identity_issuer_chain),
		bytes_of(&s->qe_identity), { s->qe_identity_signature, 64 },
		{ NULL, 0 },
	};
	enum dcap_code code = DCAP_REFUSED;
	struct why why = { "" };
	enum dstack_status st =
	    dcap_collateral_from_pieces(&in, out, &code, &why);
	assert_true((st == DSTACK_OK) == (code == DCAP_OK));
	if (st != DSTACK_OK)
		assert_true(why.text[0] != '\0');
	return code;
}

/* Load and judge; *v may be NULL. */
static inline enum dcap_code
judge_parts(const struct wr *quote, const struct sim_collateral *s,
    int64_t now, struct dcap_verdict *v)
{
	struct dcap_verdict own;
	struct dcap_collateral *c = NULL;
	uint8_t root[64];
	if (v == NULL)
		v = &own;
	memset(v, 0, sizeof(*v));
	sim_root(SIM_KEY_ROOT, root);
	enum dcap_code code = load_parts(s, &c);
	if (code != DCAP_OK)
		return code;
	enum dstack_status st = dcap_authenticate(
	    quote->buf, quote->len, c, now, root, NULL, v);
	dcap_collateral_free(c);
	assert_true((st == DSTACK_OK) == (v->code == DCAP_OK));
	assert_true((st == DSTACK_OK) == (v->why.text[0] == '\0'));
	return v->code;
}

static inline enum dcap_code
judge_world(const struct sim_world *w, struct dcap_verdict *v)
{
	AUTO_WR struct wr quote = wr_new(0);
	struct sim_collateral s;
	assert_int_equal(sim_world_quote(w, &quote), DSTACK_OK);
	assert_int_equal(sim_collateral_make(w, &s), DSTACK_OK);
	enum dcap_code code = judge_parts(&quote, &s, NOW, v);
	sim_collateral_free(&s);
	return code;
}

#endif
