/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes and collateral with bytes changed, cut off, added or swapped. */
#include <stdio.h>

#include "base/hex.h"
#include "tests/unit/lib/dcap/dcap_sim.h"
#include "sim/der.h"

struct made {
	struct sim_world *w;
	struct wr quote;
	struct sim_collateral s;
	uint8_t root[64];
};

static void
make(struct made *m, enum world kind)
{
	m->w = world_new(kind);
	m->quote = wr_new(0);
	sim_root(SIM_KEY_ROOT, m->root);
	assert_int_equal(sim_world_quote(m->w, &m->quote), DSTACK_OK);
	assert_int_equal(sim_collateral_make(m->w, &m->s), DSTACK_OK);
}

static void
unmake(struct made *m)
{
	sim_collateral_free(&m->s);
	wr_free(&m->quote);
	free(m->w);
}

static enum dcap_code
judge(const struct made *m, const struct dcap_collateral *c, const void *q,
    size_t n)
{
	struct dcap_verdict v;
	(void)!dcap_authenticate(q, n, c, NOW, m->root, NULL, &v);
	return v.code;
}

/*
 * One bit of each byte, or with DSTACK_ALL_BITS set every bit. The one byte
 * that nothing covers is the NUL behind the PEM chain, where white space is
 * as good.
 */
static void
each_bit_flip_of_a_quote_is_refused(void **state)
{
	(void)state;
	bool all = getenv("DSTACK_ALL_BITS") != NULL;
	for (int k = 0; k < WORLDS; k++) {
		struct made m;
		struct dcap_collateral *c = NULL;
		unsigned passed = 0;
		make(&m, (enum world)k);
		assert_int_equal(load_parts(&m.s, &c), DCAP_OK);
		for (size_t i = 0; i < 8 * m.quote.len; i++) {
			if (!all && i % 8 != i / 8 % 8)
				continue;
			uint8_t bit = (uint8_t)(1u << i % 8);
			m.quote.buf[i / 8] ^= bit;
			bool ok = judge(&m, c, m.quote.buf, m.quote.len) ==
			    DCAP_OK;
			m.quote.buf[i / 8] ^= bit;
			if (ok && (i / 8 != m.quote.len - 1 || bit != 0x20)) {
				passed++;
				print_message("world %d: byte %zu, bit %zu\n",
				    k, i / 8, i % 8);
			}
		}
		assert_int_equal(passed, 0);
		dcap_collateral_free(c);
		unmake(&m);
	}
}

static bool
reserved_zero(const uint8_t *p, size_t n)
{
	struct dcap_quote q;
	enum dcap_code code;
	assert_int_equal(
	    dcap_quote_parse(p, n, &q, &code, NULL), DSTACK_OK);
	return q.reserved_zero &&
	    (q.body != DCAP_BODY_SGX || q.sgx.reserved_zero);
}

static void
each_reserved_byte_is_looked_at(void **state)
{
	(void)state;
	static const struct {
		enum world kind;
		size_t from, to;
	} part[] = {
		{ TDX4, 8, 12 }, { TDX15, 8, 12 }, { SGX3, 48 + 20, 48 + 48 },
		{ SGX3, 48 + 96, 48 + 128 }, { SGX3, 48 + 160, 48 + 256 },
		{ SGX3, 48 + 260, 48 + 320 },
	};
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		struct made m;
		make(&m, part[i].kind);
		assert_true(reserved_zero(m.quote.buf, m.quote.len));
		for (size_t at = part[i].from; at < part[i].to; at++) {
			m.quote.buf[at] ^= 0x10;
			assert_false(reserved_zero(m.quote.buf, m.quote.len));
			m.quote.buf[at] ^= 0x10;
		}
		unmake(&m);
	}
}

static void
a_quote_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (int k = 0; k < WORLDS; k++) {
		struct made m;
		struct dcap_collateral *c = NULL;
		make(&m, (enum world)k);
		assert_int_equal(load_parts(&m.s, &c), DCAP_OK);
		for (size_t n = 0; n < m.quote.len; n++) {
			/* a copy of its own, so that a sanitizer sees */
			uint8_t *cut = malloc(n + 1);
			assert_non_null(cut);
			memcpy(cut, m.quote.buf, n);
			enum dcap_code code = judge(&m, c, cut, n);
			free(cut);
			assert_int_equal(code, DCAP_MALFORMED_QUOTE);
		}
		dcap_collateral_free(c);
		unmake(&m);
	}
}

static void
zero_padding_is_counted_and_anything_else_refused(void **state)
{
	(void)state;
	struct made m;
	struct dcap_collateral *c = NULL;
	struct dcap_verdict v;
	make(&m, TDX4);
	assert_int_equal(load_parts(&m.s, &c), DCAP_OK);
	wr_zero(&m.quote, 3000);
	assert_int_equal(dcap_authenticate(m.quote.buf, m.quote.len, c, NOW,
	    m.root, NULL, &v), DSTACK_OK);
	assert_int_equal(v.trailing, 3000);
	wr_u8(&m.quote, 1);
	assert_int_equal(judge(&m, c, m.quote.buf, m.quote.len),
	    DCAP_MALFORMED_QUOTE);
	m.quote.buf[m.quote.len - 1] = 0;
	wr_zero(&m.quote, DCAP_MAX_QUOTE);
	assert_int_equal(judge(&m, c, m.quote.buf, m.quote.len),
	    DCAP_MALFORMED_QUOTE);
	dcap_collateral_free(c);
	unmake(&m);
}

/* One bit of each third byte of a part (or of each): never genuine then. */
static void
flip_part(struct made *m, uint8_t *p, size_t n, const char *name)
{
	size_t step = getenv("DSTACK_ALL_BITS") != NULL ? 1 : 3;
	for (size_t i = 0; i < n; i += step) {
		p[i] ^= (uint8_t)(1u << i % 8);
		struct dcap_verdict v;
		if (judge_parts(&m->quote, &m->s, NOW, &v) == DCAP_OK)
			fail_msg("%s: byte %zu is not covered", name, i);
		p[i] ^= (uint8_t)(1u << i % 8);
	}
}

static void
each_byte_of_collateral_is_covered(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
#define PART(p) flip_part(&m, m.s.p.buf, m.s.p.len, #p)
	PART(root_ca_crl);
	PART(pck_crl);
	PART(tcb_info);
	PART(qe_identity);
	PART(pck_crl_issuer_chain);
	PART(tcb_info_issuer_chain);
	PART(qe_identity_issuer_chain);
	flip_part(&m, m.s.tcb_info_signature, 64, "tcb_info_signature");
	flip_part(&m, m.s.qe_identity_signature, 64, "qe_identity_signature");
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_OK);
	unmake(&m);
}

static void
a_missing_part_is_a_refusal(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
#define WITHOUT(p, want)                                                   \
	do {                                                               \
		size_t n = m.s.p.len;                                      \
		m.s.p.len = 0;                                             \
		assert_int_equal(                                          \
		    judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_##want);  \
		m.s.p.len = n;                                             \
	} while (0)
	WITHOUT(root_ca_crl, CRL_MISSING);
	WITHOUT(pck_crl, CRL_MISSING);
	WITHOUT(pck_crl_issuer_chain, BAD_PCK_CHAIN);
	WITHOUT(tcb_info_issuer_chain, BAD_TCB_INFO_CHAIN);
	WITHOUT(tcb_info, BAD_TCB_INFO_SIGNATURE);
	WITHOUT(qe_identity_issuer_chain, BAD_QE_IDENTITY_CHAIN);
	WITHOUT(qe_identity, BAD_QE_IDENTITY_SIGNATURE);
	unmake(&m);
}

#define SWAP(a, b)                        \
	do {                              \
		__typeof__(a) t_ = (a);   \
		(a) = (b);                \
		(b) = t_;                 \
	} while (0)

static void
parts_under_another_root_are_untrusted(void **state)
{
	(void)state;
	struct made m, e;
	struct sim_collateral s;
	make(&m, TDX4);
	make(&e, TDX4);
	e.w->root.key = e.w->root.signer = "evil";
	e.w->tcb_signer.signer = e.w->qe_signer.signer = "evil";
	e.w->crl_ca.signer = "evil";
	e.w->root_crl.signer = "evil";
	assert_int_equal(sim_collateral_make(e.w, &s), DSTACK_OK);
	SWAP(s.tcb_info_issuer_chain, m.s.tcb_info_issuer_chain);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_UNTRUSTED_TCB_INFO_CHAIN);
	SWAP(s.tcb_info_issuer_chain, m.s.tcb_info_issuer_chain);
	SWAP(s.qe_identity_issuer_chain, m.s.qe_identity_issuer_chain);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_UNTRUSTED_QE_IDENTITY_CHAIN);
	SWAP(s.qe_identity_issuer_chain, m.s.qe_identity_issuer_chain);
	SWAP(s.pck_crl_issuer_chain, m.s.pck_crl_issuer_chain);
	SWAP(s.root_ca_crl, m.s.root_ca_crl);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_UNTRUSTED_PCK_CHAIN);
	sim_collateral_free(&s);
	unmake(&e);
	unmake(&m);
}

static void
text_behind_a_chain_is_refused(void **state)
{
	(void)state;
	static const char *const more[] = { "x", "-----BEGIN CERTIFICATE-----",
		"-----BEGIN CERTIFICATE-----\nAAAA\n"
		"-----END CERTIFICATE-----\n" };
	for (size_t i = 0; i < 3; i++) {
		struct made m;
		make(&m, TDX4);
		wr_str(&m.s.tcb_info_issuer_chain, more[i]);
		assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
		    DCAP_BAD_TCB_INFO_CHAIN);
		unmake(&m);
	}
}

static void
swapped_parts_are_refused(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
	SWAP(m.s.root_ca_crl, m.s.pck_crl);
	assert_int_equal(
	    judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_CRL_MISSING);
	SWAP(m.s.root_ca_crl, m.s.pck_crl);
	SWAP(m.s.tcb_info, m.s.qe_identity);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_BAD_TCB_INFO_SIGNATURE);
	SWAP(m.s.tcb_info, m.s.qe_identity);
	SWAP(m.s.tcb_info_issuer_chain, m.s.pck_crl_issuer_chain);
	assert_int_equal(
	    judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_BAD_PCK_CHAIN);
	unmake(&m);
}

/* The document's text with one piece replaced, signed anew. */
static enum dcap_code
with_text(bool qe, const char *from, const char *to)
{
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr text = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	if (qe)
		sim_qe_identity_text(&w->qe_identity, &text);
	else
		sim_tcb_info_text(&w->tcb, &text);
	wr_u8(&text, 0);
	assert_int_equal(wr_status(&text), DSTACK_OK);
	const char *p = (char *)text.buf, *at = strstr(p, from);
	if (at == NULL)
		fail_msg("'%s' is not in %s", from, p);
	wr_put(&out, p, (size_t)(at - p));
	wr_str(&out, to);
	wr_put(&out, at + strlen(from), strlen(at + strlen(from)) + 1);
	if (qe)
		w->qe_identity.text = (char *)out.buf;
	else
		w->tcb.text = (char *)out.buf;
	enum dcap_code code = judge_world(w, NULL);
	free(w);
	return code;
}

static void
documents_with_a_wrong_member_are_malformed(void **state)
{
	(void)state;
	static const struct {
		bool qe;
		const char *from, *to;
	} text[] = {
		{ false, "\"id\":", "\"ID\":" },
		{ false, "\"version\":3", "\"version\":\"3\"" },
		{ false, "\"version\":3", "\"version\":3,\"version\":3" },
		{ false, "\"issueDate\":", "\"issued\":" },
		{ false, "\"nextUpdate\":\"2", "\"nextUpdate\":\" 2" },
		{ false, "\"fmspc\":\"", "\"fmspc\":\"00" },
		{ false, "\"fmspc\":\"5", "\"fmspc\":\"g" },
		{ false, "\"pceId\":\"00", "\"pceId\":\"" },
		{ false, "\"tcbType\":0", "\"tcbType\":0.0" },
		{ false, "\"tcbType\":0", "\"tcbType\":-1" },
		{ false, "\"tcbType\":0", "\"tcbType\":null" },
		{ false, "\"tcbEvaluationDataNumber\":20",
		    "\"tcbEvaluationDataNumber\":true" },
		{ false, "\"tcbEvaluationDataNumber\":20",
		    "\"tcbEvaluationDataNumber\":4294967296" },
		{ false, "\"tdxModule\":", "\"tdxModules\":" },
		{ false, "\"tdxModuleIdentities\":[",
		    "\"tdxModuleIdentities\":[7," },
		{ false, "\"tdxModuleIdentities\":",
		    "\"tdxModuleIdentities\":{},\"x\":" },
		{ false, "\"tcbLevels\":", "\"tcbLevels\":{},\"x\":" },
		{ false, "\"attributesMask\":\"", "\"attributesMask\":\"00" },
		{ false, "\"sgxtcbcomponents\":[", "\"sgxtcbcomponents\":[{}," },
		{ false, "\"sgxtcbcomponents\":[{\"svn\":2},",
		    "\"sgxtcbcomponents\":[" },
		{ false, "\"sgxtcbcomponents\":[{\"svn\":2},",
		    "\"sgxtcbcomponents\":[{\"svn\":256}," },
		{ false, "\"sgxtcbcomponents\":[{\"svn\":2},",
		    "\"sgxtcbcomponents\":[{\"svn\":-2}," },
		{ false, "\"sgxtcbcomponents\":[{\"svn\":2},",
		    "\"sgxtcbcomponents\":[2," },
		{ false, "\"tdxtcbcomponents\":", "\"tdxcomponents\":" },
		{ false, "\"pcesvn\":13", "\"pcesvn\":65536" },
		{ false, "\"tcbStatus\":\"UpToDate\"",
		    "\"tcbStatus\":\"uptodate\"" },
		{ false, "\"tcbDate\":\"2025-01-01T00:00:00Z\"",
		    "\"tcbDate\":\"2025-01-01\"" },
		{ false, "\"advisoryIDs\":[", "\"advisoryIDs\":[1," },
		{ false, "\"INTEL-SA-99999\"",
		    "\"INTEL-SA-99999-99999-99999\"" },
		{ true, "\"version\":2", "\"version\":2.0" },
		{ true, "\"id\":\"TD_QE\"", "\"id\":7" },
		{ true, "\"miscselect\":\"00", "\"miscselect\":\"" },
		{ true, "\"miscselectMask\":", "\"miscselectmask\":" },
		{ true, "\"attributes\":\"", "\"attributes\":\"00" },
		{ true, "\"attributesMask\":", "\"mask\":" },
		{ true, "\"mrsigner\":\"", "\"mrsigner\":\"0x" },
		{ true, "\"isvprodid\":2", "\"isvprodid\":65536" },
		{ true, "\"isvsvn\":4", "\"isvsvn\":\"4\"" },
		{ true, "\"tcbLevels\":[", "\"tcbLevels\":[null," },
		{ true, "\"tcb\":{", "\"tcbs\":{" },
		{ true, "\"issueDate\":", "\"issueDate\":null,\"was\":" },
		{ true, "\"tcbEvaluationDataNumber\":",
		    "\"evaluationDataNumber\":" },
	};
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		enum dcap_code code =
		    with_text(text[i].qe, text[i].from, text[i].to);
		if (code != DCAP_MALFORMED_COLLATERAL)
			fail_msg("%s: %s", text[i].to, dcap_code_text(code));
	}
}

static void
members_that_are_not_known_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(with_text(false, "{", "{\"new\":{\"a\":[1,2]},"),
	    DCAP_OK);
	assert_int_equal(with_text(true, "{", "{\"new\":\"}\","), DCAP_OK);
	assert_int_equal(with_text(false, "TDX_01", "tdx_01"), DCAP_OK);
}

static enum dcap_code
load_json(const char *text, size_t n)
{
	struct dcap_collateral *c = NULL;
	enum dcap_code code;
	(void)!dcap_collateral_load(text, n, &c, &code, NULL);
	dcap_collateral_free(c);
	return code;
}

static void
one_json_document_is_as_good_as_its_pieces(void **state)
{
	(void)state;
	struct made m;
	AUTO_WR struct wr json = wr_new(0);
	make(&m, TDX4);
	assert_int_equal(sim_collateral_print(&m.s, &json), DSTACK_OK);
	assert_int_equal(load_json((char *)json.buf, json.len), DCAP_OK);
	for (size_t n = 0; n + 2 < json.len; n += 97)
		assert_int_not_equal(
		    load_json((char *)json.buf, n), DCAP_OK);
	assert_int_equal(load_json("[]", 2), DCAP_MALFORMED_COLLATERAL);
	assert_int_equal(load_json("{}", 2), DCAP_MALFORMED_COLLATERAL);
	wr_str(&json, "x");
	assert_int_equal(load_json((char *)json.buf, json.len),
	    DCAP_MALFORMED_COLLATERAL);
	while (json.len <= DCAP_MAX_COLLATERAL) /* blanks, but too many */
		wr_str(&json, "                ");
	char *x = memchr(json.buf + json.len / 2, 'x', json.len / 2);
	assert_null(x);
	for (size_t i = json.len; i > 0; i--)
		if (json.buf[i - 1] == 'x') {
			json.buf[i - 1] = ' ';
			break;
		}
	assert_int_equal(load_json((char *)json.buf, DCAP_MAX_COLLATERAL),
	    DCAP_OK);
	assert_int_equal(load_json((char *)json.buf, json.len),
	    DCAP_MALFORMED_COLLATERAL);
	unmake(&m);
}

static void
a_list_in_hex_is_as_good_as_in_der(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
	struct wr hex = wr_new(0);
	wr_hex(&hex, m.s.pck_crl.buf, m.s.pck_crl.len);
	SWAP(hex, m.s.pck_crl);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_OK);
	size_t n = m.s.pck_crl.len;
	m.s.pck_crl.len--;
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_MALFORMED_COLLATERAL);
	m.s.pck_crl.len = n;
	wr_str(&m.s.pck_crl, "\r\n"); /* as a file ends */
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_OK);
	wr_str(&m.s.pck_crl, "0");
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_MALFORMED_COLLATERAL);
	m.s.pck_crl.len = n;
	m.s.pck_crl.buf[0] = '\n';
	m.s.pck_crl.len = 1;
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_MALFORMED_COLLATERAL);
	SWAP(hex, m.s.pck_crl);
	AUTO_WR struct wr pem = wr_new(0);
	pem_put(&pem, "X509 CRL", m.s.pck_crl.buf, m.s.pck_crl.len);
	SWAP(pem, m.s.pck_crl);
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL), DCAP_OK);
	wr_str(&m.s.pck_crl, "x");
	assert_int_equal(judge_parts(&m.quote, &m.s, NOW, NULL),
	    DCAP_MALFORMED_COLLATERAL);
	wr_free(&hex);
	unmake(&m);
}

/* In hex, 128 digits: no more, no less, none other. */
static void
signatures_have_one_length(void **state)
{
	(void)state;
	struct made m;
	make(&m, TDX4);
	char hex[131] = "";
	hex_encode(m.s.tcb_info_signature, 64, hex);
	struct dcap_pieces in = {
		bytes_of(&m.s.pck_crl_issuer_chain),
		bytes_of(&m.s.root_ca_crl), bytes_of(&m.s.pck_crl),
		bytes_of(&m.s.tcb_info_issuer_chain), bytes_of(&m.s.tcb_info),
		{ hex, 128 }, bytes_of(&m.s.qe_identity_issuer_chain),
		bytes_of(&m.s.qe_identity), { m.s.qe_identity_signature, 64 },
		{ NULL, 0 },
	};
	struct dcap_collateral *c = NULL;
	enum dcap_code code;
	assert_int_equal(
	    dcap_collateral_from_pieces(&in, &c, &code, NULL), DSTACK_OK);
	dcap_collateral_free(c);
	memcpy(hex + 128, "00", 2);
	for (size_t n = 0; n <= 130; n++) {
		in.tcb_info_signature.n = n;
		if (n == 128)
			continue;
		assert_int_equal(dcap_collateral_from_pieces(
		    &in, &c, &code, NULL), DSTACK_E_REJECTED);
		assert_int_equal(code, DCAP_BAD_TCB_INFO_SIGNATURE);
	}
	unmake(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bit_flip_of_a_quote_is_refused),
		cmocka_unit_test(each_reserved_byte_is_looked_at),
		cmocka_unit_test(a_quote_cut_anywhere_is_refused),
		cmocka_unit_test(zero_padding_is_counted_and_anything_else_refused),
		cmocka_unit_test(each_byte_of_collateral_is_covered),
		cmocka_unit_test(a_missing_part_is_a_refusal),
		cmocka_unit_test(parts_under_another_root_are_untrusted),
		cmocka_unit_test(text_behind_a_chain_is_refused),
		cmocka_unit_test(swapped_parts_are_refused),
		cmocka_unit_test(documents_with_a_wrong_member_are_malformed),
		cmocka_unit_test(members_that_are_not_known_change_nothing),
		cmocka_unit_test(one_json_document_is_as_good_as_its_pieces),
		cmocka_unit_test(a_list_in_hex_is_as_good_as_in_der),
		cmocka_unit_test(signatures_have_one_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
