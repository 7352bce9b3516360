/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral and quotes in the forms that other programs hand them out:
 * pieces with the NUL that Intel's library counts, quotes that name their PCK
 * certificate without having it, the verdict by its members' names.
 */
#include "tests/unit/lib/dcap/dcap_sim.h"

#include <stdio.h>

struct made {
	struct sim_world *w;
	struct wr quote;
	struct sim_collateral s;
};

static void
make(struct made *m, enum world kind)
{
	m->w = world_new(kind);
	m->quote = wr_new(0);
	assert_int_equal(sim_world_quote(m->w, &m->quote), DSTACK_OK);
	assert_int_equal(sim_collateral_make(m->w, &m->s), DSTACK_OK);
}

static void
unmake(struct made *m)
{
	wr_free(&m->quote);
	sim_collateral_free(&m->s);
	free(m->w);
}

static struct dcap_pieces
pieces_of(const struct sim_collateral *s)
{
	return (struct dcap_pieces){
		.pck_crl_issuer_chain = bytes_of(&s->pck_crl_issuer_chain),
		.root_ca_crl = bytes_of(&s->root_ca_crl),
		.pck_crl = bytes_of(&s->pck_crl),
		.tcb_info_issuer_chain = bytes_of(&s->tcb_info_issuer_chain),
		.tcb_info = bytes_of(&s->tcb_info),
		.tcb_info_signature = { s->tcb_info_signature, 64 },
		.qe_identity_issuer_chain =
		    bytes_of(&s->qe_identity_issuer_chain),
		.qe_identity = bytes_of(&s->qe_identity),
		.qe_identity_signature = { s->qe_identity_signature, 64 },
	};
}

#define PIECES (sizeof(struct dcap_pieces) / sizeof(struct dcap_bytes))

static enum dcap_code
judge(const struct dcap_pieces *in, const struct wr *quote,
    struct dcap_verdict *v)
{
	struct dcap_collateral *c = NULL;
	enum dcap_code code = DCAP_REFUSED;
	struct dcap_verdict own;
	uint8_t root[64];
	if (v == NULL)
		v = &own;
	sim_root(SIM_KEY_ROOT, root);
	if (dcap_collateral_from_pieces(in, &c, &code, NULL) != DSTACK_OK)
		return code;
	(void)!dcap_authenticate(
	    quote->buf, quote->len, c, NOW, root, NULL, v);
	dcap_collateral_free(c);
	return v->code;
}

static void
each_piece_may_end_with_one_nul(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
	struct dcap_pieces all = pieces_of(&m.s);
	uint8_t *copy[PIECES] = { NULL };
	for (size_t i = 0; i < PIECES; i++) {
		struct dcap_pieces one = pieces_of(&m.s);
		struct dcap_bytes *b = (struct dcap_bytes *)(void *)&one + i;
		if (b->n == 0)
			continue;
		uint8_t *p = calloc(1, b->n + 2);
		assert_non_null(p);
		memcpy(p, b->p, b->n);
		b->p = copy[i] = p;
		b->n++;
		((struct dcap_bytes *)(void *)&all)[i] = *b;
		assert_int_equal(judge(&one, &m.quote, NULL), DCAP_OK);
		/* two, but for chains, which end where their PEM does */
		bool chain = b == &one.pck_crl_issuer_chain ||
		    b == &one.tcb_info_issuer_chain ||
		    b == &one.qe_identity_issuer_chain;
		b->n++;
		if (!chain)
			assert_int_not_equal(
			    judge(&one, &m.quote, NULL), DCAP_OK);
		/* one in the middle is a changed byte like any other */
		b->n -= 2;
		p[b->n / 2] = p[b->n / 2] == 0 ? 1 : 0;
		assert_int_not_equal(judge(&one, &m.quote, NULL), DCAP_OK);
		const struct dcap_pieces whole = pieces_of(&m.s);
		memcpy(p, ((const struct dcap_bytes *)(const void *)&whole)[i].p,
		    b->n);
	}
	assert_int_equal(judge(&all, &m.quote, NULL), DCAP_OK);
	for (size_t i = 0; i < PIECES; i++)
		free(copy[i]);
	unmake(&m);
}

/* The quote with other inner certification data; v4's and v3's lengths. */
static void
splice(const struct wr *quote, uint16_t type, const void *data, size_t n,
    struct wr *out)
{
	struct dcap_quote q;
	enum dcap_code code;
	assert_int_equal(dcap_quote_parse(
	    quote->buf, quote->len, &q, &code, NULL), DSTACK_OK);
	size_t head = (size_t)(q.cert - quote->buf) - 6;
	wr_put(out, quote->buf, head);
	wr_u16le(out, type);
	wr_u32le(out, (uint32_t)n);
	wr_put(out, data, n);
	size_t at[2] = { q.signed_len, q.signed_len + 4 + 128 + 2 };
	for (int i = 0; i < (q.version > 3 ? 2 : 1); i++) {
		uint32_t len = (uint32_t)(out->len - at[i] - 4);
		for (int k = 0; k < 4; k++)
			out->buf[at[i] + (size_t)k] = (uint8_t)(len >> 8 * k);
	}
}

/* PPID, CPUSVN, PCESVN, PCE id, as the certificate has them. */
static size_t
names(unsigned type, const struct dcap_verdict *v, uint8_t out[static 404])
{
	static const size_t ppid[] = { 0, 16, 256, 384 };
	size_t n = ppid[type];
	memset(out, 0x5a, n);
	if (type == 1)
		memcpy(out, v->ppid, 16);
	memset(out + n, 0x77, 18); /* the platform's own, not compared */
	memcpy(out + n + 18, v->pceid, 2);
	return n + 20;
}

static void
a_quote_may_name_its_certificate_and_leave_it_to_the_collateral(void **state)
{
	(void)state;
	static const enum world kinds[] = { TDX4, TDX5, SGX3 };
	for (size_t k = 0; k < 3; k++) {
		struct made m;
		struct dcap_verdict v;
		struct dcap_quote q;
		enum dcap_code code;
		make(&m, kinds[k]);
		struct dcap_pieces in = pieces_of(&m.s);
		assert_int_equal(judge(&in, &m.quote, &v), DCAP_OK);
		assert_int_equal(v.cert_data_type, 5);
		assert_int_equal(dcap_quote_parse(m.quote.buf, m.quote.len,
		                     &q, &code, NULL), DSTACK_OK);
		struct dcap_bytes chain = { q.cert, q.certlen };
		for (unsigned type = 1; type <= 3; type++) {
			AUTO_WR struct wr named = wr_new(0);
			uint8_t data[404];
			size_t n = names(type, &v, data);
			splice(&m.quote, (uint16_t)type, data, n, &named);
			/* nobody gives the chain */
			in.pck_certificate_chain.n = 0;
			assert_int_equal(judge(&in, &named, NULL),
			    DCAP_UNSUPPORTED_CERT_DATA_TYPE);
			in.pck_certificate_chain = chain;
			struct dcap_verdict w;
			assert_int_equal(judge(&in, &named, &w), DCAP_OK);
			assert_int_equal(w.cert_data_type, type);
			assert_memory_equal(w.fmspc, v.fmspc, 6);
			/* another PCE, another PPID, another length */
			AUTO_WR struct wr pce = wr_new(0);
			data[n - 1] ^= 1;
			splice(&m.quote, (uint16_t)type, data, n, &pce);
			assert_int_equal(
			    judge(&in, &pce, NULL), DCAP_BAD_PCK_CHAIN);
			data[n - 1] ^= 1;
			AUTO_WR struct wr ppid = wr_new(0);
			data[3] ^= 1;
			splice(&m.quote, (uint16_t)type, data, n, &ppid);
			assert_int_equal(judge(&in, &ppid, NULL),
			    type == 1 ? DCAP_BAD_PCK_CHAIN : DCAP_OK);
			data[3] ^= 1;
			AUTO_WR struct wr less = wr_new(0);
			splice(&m.quote, (uint16_t)type, data, n - 1, &less);
			assert_int_equal(
			    judge(&in, &less, NULL), DCAP_MALFORMED_QUOTE);
		}
		/* type 4 has no form that anybody makes */
		AUTO_WR struct wr four = wr_new(0);
		splice(&m.quote, 4, chain.p, chain.n, &four);
		assert_int_equal(judge(&in, &four, NULL),
		    DCAP_UNSUPPORTED_CERT_DATA_TYPE);
		unmake(&m);
	}
}

/* What the quote has is what counts, and the other chain is judged as hard. */
static void
the_collaterals_chain_is_judged_like_a_quotes_own(void **state)
{
	(void)state;
	struct made m, other;
	struct dcap_verdict v;
	struct dcap_quote q;
	enum dcap_code code;
	make(&m, TDX4);
	struct dcap_pieces in = pieces_of(&m.s);
	assert_int_equal(judge(&in, &m.quote, &v), DCAP_OK);
	assert_int_equal(dcap_quote_parse(
	    m.quote.buf, m.quote.len, &q, &code, NULL), DSTACK_OK);
	/* beside a quote's own chain anything may stand: it is not used */
	in.pck_certificate_chain = (struct dcap_bytes){ "junk", 4 };
	assert_int_equal(judge(&in, &m.quote, NULL), DCAP_OK);
	AUTO_WR struct wr named = wr_new(0);
	uint8_t data[404];
	splice(&m.quote, 3, data, names(3, &v, data), &named);
	assert_int_equal(judge(&in, &named, NULL), DCAP_BAD_PCK_CHAIN);
	/* another platform's genuine chain: its key signed no such QE report */
	make(&other, TDX4);
	sim_world_init(other.w, "two", SIM_CA_PLATFORM, NOW);
	wr_free(&other.quote);
	other.quote = wr_new(0);
	assert_int_equal(sim_world_quote(other.w, &other.quote), DSTACK_OK);
	struct dcap_quote two;
	assert_int_equal(dcap_quote_parse(
	    other.quote.buf, other.quote.len, &two, &code, NULL), DSTACK_OK);
	in.pck_certificate_chain = (struct dcap_bytes){ two.cert, two.certlen };
	assert_int_equal(
	    judge(&in, &named, NULL), DCAP_BAD_QE_REPORT_SIGNATURE);
	/* every byte of the right one counts */
	char *chain = malloc(q.certlen);
	assert_non_null(chain);
	memcpy(chain, q.cert, q.certlen);
	in.pck_certificate_chain = (struct dcap_bytes){ chain, q.certlen };
	assert_int_equal(judge(&in, &named, NULL), DCAP_OK);
	for (size_t i = 60; i < 600; i += 7) {
		char was = chain[i];
		chain[i] = was == 'A' ? 'B' : 'A';
		if (was != '\n')
			assert_int_not_equal(
			    judge(&in, &named, NULL), DCAP_OK);
		chain[i] = was;
	}
	free(chain);
	unmake(&other);
	unmake(&m);
}

static void
a_verdict_is_read_by_the_names_of_its_members(void **state)
{
	(void)state;
	struct made m;
	struct dcap_verdict *v = dcap_verdict_new();
	size_t n = 0;
	assert_non_null(v);
	make(&m, TDX4);
	struct dcap_pieces in = pieces_of(&m.s);
	assert_int_equal(judge(&in, &m.quote, v), DCAP_OK);
	assert_int_equal(dcap_verdict_number(v, "abi"), DCAP_VERDICT_ABI);
	assert_string_equal(dcap_verdict_text(v, "code"), "ok");
	assert_string_equal(dcap_verdict_text(v, "tee"), "tdx");
	assert_string_equal(dcap_verdict_text(v, "tcb_status"), "UpToDate");
	assert_string_equal(dcap_verdict_text(v, "message"), "");
	assert_int_equal(dcap_verdict_number(v, "version"), 4);
	assert_memory_equal(dcap_verdict_bytes(v, "mr_td", &n), v->mr_td, 48);
	assert_int_equal(n, 48);
	assert_memory_equal(dcap_verdict_bytes(v, "rtmr3", &n), v->rtmr[3], 48);
	assert_memory_equal(dcap_verdict_bytes(v, "qe_mr_signer", &n),
	    v->qe_mr_signer, 32);
	assert_int_equal(n, 32);
	assert_null(dcap_verdict_bytes(v, "no_such", &n));
	assert_int_equal(n, 0);
	assert_null(dcap_verdict_bytes(v, "tcb_date", &n));
	assert_int_equal(dcap_verdict_number(v, "mr_td"), -1);
	assert_string_equal(dcap_verdict_text(v, "mr_td"), "");
	assert_null(dcap_verdict_advisory(v, v->advisories));
	dcap_verdict_free(v);
	dcap_verdict_free(NULL);
	unmake(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_piece_may_end_with_one_nul),
		cmocka_unit_test(
		    a_quote_may_name_its_certificate_and_leave_it_to_the_collateral),
		cmocka_unit_test(
		    the_collaterals_chain_is_judged_like_a_quotes_own),
		cmocka_unit_test(
		    a_verdict_is_read_by_the_names_of_its_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
