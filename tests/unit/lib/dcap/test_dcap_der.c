/* SPDX-License-Identifier: Apache-2.0 */
/* DER, dates, PEM, the SGX extension and lists, below the verifier. */
#include "base/hex.h"
#include "dcap/crl.h"
#include "dcap/levels.h"
#include "dcap/pckext.h"
#include "dcap/pem.h"
#include "dcap/when.h"
#include "dcap/x509.h"
#include "tests/unit/lib/dcap/dcap_sim.h"

static struct rd
from_hex(const char *hex, uint8_t buf[256])
{
	size_t n;
	assert_int_equal(
	    hex_decode_var(hex, strlen(hex), buf, 256, &n), DSTACK_OK);
	return rd_over(buf, n);
}

static void
only_definite_minimal_lengths_are_der(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"3080", "30800000", "3081", "308100", "30817f", "30820080",
		"308200", "3085000000000130", "30850100000000", "3003aabb",
		"1f0100", "3f0100", "30", "308400000000", "3083000081",
		"3089010000000000000081", /* wraps to 0x81 in 64 bits */
	};
	uint8_t buf[256], tag;
	struct rd in, r;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r = from_hex(bad[i], buf);
		/* bytes enough for any length it might claim */
		r.len = sizeof(buf);
		if (strcmp(bad[i], "30") == 0 || strcmp(bad[i], "3081") == 0 ||
		    strcmp(bad[i], "3003aabb") == 0 ||
		    strcmp(bad[i], "308200") == 0)
			r.len = strlen(bad[i]) / 2;
		size_t at = r.pos;
		if (der_take_any(&r, &tag, &in) == DSTACK_OK)
			fail_msg("%s", bad[i]);
		assert_int_equal(r.pos, at);
	}
	r = from_hex("3003020105", buf);
	assert_int_equal(der_take(&r, DER_SET, &in), DSTACK_E_FORMAT);
	assert_int_equal(r.pos, 0);
	assert_int_equal(der_take(&r, DER_SEQ, &in), DSTACK_OK);
	assert_int_equal(rd_left(&in), 3);
	assert_int_equal(rd_left(&r), 0);
	assert_false(der_is(&r, DER_SEQ));
	struct der_span two = { (const uint8_t *)"ab", 2 };
	struct der_span three = { (const uint8_t *)"abc", 3 };
	struct der_span other = { (const uint8_t *)"ax", 2 };
	struct der_span none = { NULL, 0 };
	assert_true(der_span_equal(two, two));
	assert_true(der_span_equal(none, none));
	assert_false(der_span_equal(two, three));
	assert_false(der_span_equal(three, two));
	assert_false(der_span_equal(two, other));
	assert_false(der_span_equal(none, two));
}

static void
numbers_are_minimal_and_in_range(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		bool ok;
		uint64_t v;
	} n[] = {
		{ "020100", true, 0 }, { "02017f", true, 127 },
		{ "02020080", true, 128 }, { "0200", false, 0 },
		{ "020180", false, 0 }, { "0202007f", false, 0 },
		{ "020900ffffffffffffffff", true, UINT64_MAX },
		{ "0209010000000000000000", false, 0 },
		{ "020a00000000000000000001", false, 0 },
		{ "0208ffffffffffffffff", false, 0 },
		{ "020a00800000000000000000", false, 0 },
		{ "040101", false, 0 },
	};
	uint8_t buf[256];
	uint64_t v;
	struct der_span s;
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		struct rd r = from_hex(n[i].hex, buf);
		bool ok = der_take_u64(&r, &v) == DSTACK_OK;
		if (ok != n[i].ok || (ok && v != n[i].v))
			fail_msg("%s", n[i].hex);
	}
	struct rd r = from_hex("02150095", buf);
	r.len = 23;
	memset(buf + 4, 0x11, 19);
	assert_int_equal(der_take_integer(&r, &s), DSTACK_OK);
	assert_int_equal(s.n, 20);
	assert_int_equal(s.p[0], 0x95);
	r = from_hex("0200", buf);
	assert_int_equal(der_take_integer(&r, &s), DSTACK_E_FORMAT);
	buf[0] = 2;
	buf[1] = 34;
	memset(buf + 2, 1, 34);
	r = rd_over(buf, 36);
	assert_int_equal(der_take_integer(&r, &s), DSTACK_E_FORMAT);
	buf[1] = 33;
	r = rd_over(buf, 35);
	assert_int_equal(der_take_integer(&r, &s), DSTACK_OK);
}

static void
booleans_and_oids_are_strict(void **state)
{
	(void)state;
	uint8_t buf[256];
	bool b;
	struct der_span s;
	struct rd r = from_hex("0101ff010100010101010200ff0100", buf);
	assert_int_equal(der_take_bool(&r, &b), DSTACK_OK);
	assert_true(b);
	assert_int_equal(der_take_bool(&r, &b), DSTACK_OK);
	assert_false(b);
	assert_int_equal(der_take_bool(&r, &b), DSTACK_E_FORMAT);
	assert_int_equal(rd_skip(&r, 3), DSTACK_OK);
	assert_int_equal(der_take_bool(&r, &b), DSTACK_E_FORMAT);
	assert_int_equal(rd_skip(&r, 4), DSTACK_OK);
	assert_int_not_equal(der_take_bool(&r, &b), DSTACK_OK);
	r = from_hex("0600", buf);
	assert_int_equal(der_take_oid(&r, &s), DSTACK_E_FORMAT);
}

static void
signatures_are_two_positive_minimal_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		bool ok;
	} c[] = {
		{ "3006020101020102", true },
		{ "300702020080020102", true },
		{ "3006020101020182", false },   /* negative */
		{ "30070201010202007f", false }, /* not minimal */
		{ "3006020001020102", false },
		{ "30050200020102", false },     /* no content */
		{ "3003020101", false },
		{ "3009020101020102020103", false },
		{ "300602010102010200", false }, /* something behind */
		{ "3106020101020102", false },
	};
	uint8_t buf[256], sig[64];
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct rd r = from_hex(c[i].hex, buf);
		if ((p256_sig_from_der(&r, sig) == DSTACK_OK) != c[i].ok)
			fail_msg("%s", c[i].hex);
	}
	struct rd r = from_hex("3006020101020102", buf);
	assert_int_equal(p256_sig_from_der(&r, sig), DSTACK_OK);
	assert_int_equal(sig[31], 1);
	assert_int_equal(sig[63], 2);
	assert_int_equal(sig[0] | sig[32], 0);
	/* 33 bytes: longer than the curve's order */
	buf[0] = 0x30, buf[1] = 38, buf[2] = 2, buf[3] = 33;
	memset(buf + 4, 0x11, 33);
	buf[37] = 2, buf[38] = 1, buf[39] = 1;
	r = rd_over(buf, 40);
	assert_int_not_equal(p256_sig_from_der(&r, sig), DSTACK_OK);
}

static void
put_time(struct wr *w, uint8_t tag, const char *text)
{
	wr_u8(w, tag);
	wr_u8(w, (uint8_t)strlen(text));
	wr_str(w, text);
}

static void
certificate_times_have_two_forms(void **state)
{
	(void)state;
	static const struct {
		uint8_t tag;
		const char *text;
		bool ok;
		int64_t t;
	} c[] = {
		{ DER_UTCTIME, "700101000000Z", true, 0 },
		{ DER_UTCTIME, "491231235959Z", true, INT64_C(2524607999) },
		{ DER_UTCTIME, "500101000000Z", true, INT64_C(-631152000) },
		{ DER_GENTIME, "20240229120000Z", true, 1709208000 },
		{ DER_GENTIME, "21000228000000Z", true, INT64_C(4107456000) },
		{ DER_GENTIME, "21000229000000Z", false, 0 },
		{ DER_GENTIME, "20230229000000Z", false, 0 },
		{ DER_GENTIME, "20240132000000Z", false, 0 },
		{ DER_GENTIME, "20240431000000Z", false, 0 },
		{ DER_GENTIME, "20241301000000Z", false, 0 },
		{ DER_GENTIME, "20240001000000Z", false, 0 },
		{ DER_GENTIME, "20240100000000Z", false, 0 },
		{ DER_GENTIME, "20240101240000Z", false, 0 },
		{ DER_GENTIME, "20240101006000Z", false, 0 },
		{ DER_GENTIME, "20240101000060Z", false, 0 },
		{ DER_GENTIME, "20240101000000z", false, 0 },
		{ DER_GENTIME, "2024010100000Z", false, 0 },
		{ DER_GENTIME, "202401010000000", false, 0 },
		{ DER_GENTIME, "2024 101000000Z", false, 0 },
		{ DER_GENTIME, "18000101000000Z", false, 0 },
		{ DER_GENTIME, "202401011:0000Z", false, 0 },
		{ DER_UTCTIME, "7001010000Z", false, 0 },
		{ DER_UTCTIME, "700101000000+", false, 0 },
		{ DER_UTCTIME, "20240229120000Z", false, 0 },
		{ DER_GENTIME, "700101000000Z", false, 0 },
		{ DER_PRINTABLE, "700101000000Z", false, 0 },
	};
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		AUTO_WR struct wr w = wr_new(0);
		int64_t t = 0;
		put_time(&w, c[i].tag, c[i].text);
		struct rd r = rd_over(w.buf, w.len);
		bool ok = der_take_time(&r, &t) == DSTACK_OK;
		if (ok != c[i].ok || (ok && t != c[i].t))
			fail_msg("%s: %lld", c[i].text, (long long)t);
	}
}

static void
a_time_of_many_characters_is_refused(void **state)
{
	(void)state;
	for (size_t n = 16; n < 120; n++) {
		AUTO_WR struct wr w = wr_new(0);
		int64_t t;
		wr_u8(&w, DER_GENTIME);
		wr_u8(&w, (uint8_t)n);
		wr_str(&w, "20240101000000Z");
		for (size_t i = 15; i < n; i++)
			wr_u8(&w, 'A');
		struct rd r = rd_over(w.buf, w.len);
		assert_int_not_equal(der_take_time(&r, &t), DSTACK_OK);
	}
}

static void
json_dates_have_one_form(void **state)
{
	(void)state;
	static const char *const bad[] = { "2024-03-13T00:00:00",
		"2024-03-13T00:00:00z", "2024-03-13 00:00:00Z",
		"2024-03-13T00:00:00+00:00", "2024/03/13T00:00:00Z",
		"2024-03/13T00:00:00Z", "2024-03-13T00.00:00Z",
		"2024-03-13T00:00.00Z", "", "2024-03-13T00:00:00Z ",
		"2024-03-13T00:00:0Z" };
	int64_t t;
	assert_int_equal(when_parse("2024-03-13T01:02:03Z", &t), DSTACK_OK);
	assert_true(t == 1710291723);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (when_parse(bad[i], &t) == DSTACK_OK)
			fail_msg("%s", bad[i]);
}

/* Each character replaced by each other one. */
static void
every_character_of_a_date_is_looked_at(void **state)
{
	(void)state;
	static const char good[] = "2024-03-13T01:02:03Z";
	static const char packed[] = "20240313010203Z";
	int64_t t;
	for (size_t i = 0; i < 20; i++) {
		for (int b = 0; b < 256; b++) {
			char text[24] = "", sixteen[17] = "";
			bool digit = b >= '0' && b <= '9';
			memcpy(text, good, sizeof(good));
			text[i] = (char)b;
			if ((digit && strchr("-T:Z", good[i]) == NULL) ||
			    b == good[i])
				continue;
			if (when_parse(text, &t) == DSTACK_OK)
				fail_msg("%s", text);
			memcpy(sixteen, packed, sizeof(packed));
			if (i > 14 || (i < 14 && digit) || b == packed[i])
				continue;
			sixteen[i] = (char)b;
			if (when_parse_packed(sixteen, &t) == DSTACK_OK)
				fail_msg("%s", sixteen);
		}
	}
	char longer[17] = "20240313010203Z0";
	assert_int_not_equal(when_parse_packed(longer, &t), DSTACK_OK);
	longer[15] = '\0';
	assert_int_equal(when_parse_packed(longer, &t), DSTACK_OK);
	assert_int_not_equal(
	    when_parse("2024-03-13T01:02:03ZZ", &t), DSTACK_OK);
}

static void
pem_is_strict(void **state)
{
	(void)state;
#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
	static const struct {
		const char *text;
		bool ok;
	} c[] = {
		{ BEGIN "AAEC\n" END, true },
		{ " \r\n" BEGIN "AA\nEC" END, true },
		{ BEGIN "AAE=\n" END, true },
		{ BEGIN "AA==\n" END, true },
		{ BEGIN "AAEC", false },
		{ BEGIN "AAEC\n-----END X509 CRL-----", false },
		{ "-----BEGIN X509 CRL-----\nAAEC\n" END, false },
		{ "x" BEGIN "AAEC\n" END, false },
		{ BEGIN END, false },
		{ BEGIN "AAE\n" END, false },
		{ BEGIN "AAF=\n" END, false }, /* bits that are cut off */
		{ BEGIN "AB==\n" END, false },
		{ BEGIN "A===\n" END, false },
		{ BEGIN "AA=A\n" END, false },
		{ BEGIN "AA==AAAA\n" END, false },
		{ BEGIN "AA_C\n" END, false },
		{ BEGIN "Proc-Type: 4\n\nAAEC\n" END, false },
	};
	uint8_t out[64];
	size_t n;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct rd r = rd_over(c[i].text, strlen(c[i].text));
		bool ok = pem_take(&r, "CERTIFICATE", out, sizeof(out), &n) ==
		    DSTACK_OK;
		if (ok != c[i].ok)
			fail_msg("%zu: %s", i, c[i].text);
	}
	struct rd r = rd_over(BEGIN "AAEC\n" END, strlen(BEGIN "AAEC\n" END));
	assert_int_equal(
	    pem_take(&r, "CERTIFICATE", out, 5, &n), DSTACK_E_LIMIT);
	r = rd_over("\n \0\0", 4);
	assert_true(pem_at_end(&r));
	r = rd_over("\0 ", 2);
	assert_false(pem_at_end(&r));
}

static void
chains_have_one_to_three_certificates(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr three = wr_new(0);
	AUTO_WR struct wr four = wr_new(0);
	AUTO_WR struct wr other = wr_new(0);
	struct x509_chain *c = malloc(sizeof(*c));
	assert_non_null(c);
	assert_int_equal(sim_pck_chain(w, &three), DSTACK_OK);
	assert_int_equal(
	    x509_chain_parse(three.buf, three.len, c, NULL), DSTACK_OK);
	assert_int_equal(c->count, 3);
	assert_true(x509_cn_is(&c->cert[0], X509_CN_PCK));
	assert_false(x509_cn_is(&c->cert[0], "Intel SGX PCK"));
	wr_put(&four, three.buf, three.len - 1);
	wr_put(&four, three.buf, three.len - 1);
	assert_int_equal(
	    x509_chain_parse(four.buf, four.len, c, NULL), DSTACK_E_LIMIT);
	assert_int_not_equal(x509_chain_parse("", 0, c, NULL), DSTACK_OK);
	wr_put(&other, three.buf, three.len - 1);
	while (other.len <= X509_MAX_PEM)
		wr_u8(&other, '\n');
	assert_int_equal(
	    x509_chain_parse(other.buf, other.len, c, NULL), DSTACK_E_LIMIT);
	assert_int_equal(
	    x509_chain_parse(other.buf, X509_MAX_PEM, c, NULL), DSTACK_OK);
	AUTO_WR struct wr org = wr_new(0);
	AUTO_WR struct wr wide = wr_new(0);
	while (org.len < X509_MAX_DER / 2)
		wr_str(&org, "Intel Corporation ");
	wr_u8(&org, 0);
	assert_int_equal(wr_status(&org), DSTACK_OK);
	w->pck.org = (char *)org.buf; /* twice in it: subject and issuer */
	assert_int_equal(sim_pck_chain(w, &wide), DSTACK_OK);
	assert_int_equal(
	    x509_chain_parse(wide.buf, wide.len, c, NULL), DSTACK_E_LIMIT);
	free(c);
	free(w);
}

/* Put b behind the first occurrence of mark, skip bytes further on. */
static enum dstack_status
parse_patched(const struct wr *cert, const char *mark, size_t n, size_t skip,
    uint8_t b)
{
	struct x509_cert c;
	uint8_t *copy = malloc(cert->len);
	assert_non_null(copy);
	memcpy(copy, cert->buf, cert->len);
	uint8_t *at = memmem(copy, cert->len, mark, n);
	assert_non_null(at);
	at[n + skip] = b;
	struct der_span s = { copy, cert->len };
	enum dstack_status st = x509_parse(s, &c, NULL);
	free(copy);
	return st;
}

static void
names_and_key_usage_have_known_types(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr cert = wr_new(0);
	assert_int_equal(sim_cert_make(&w->pck, &cert), DSTACK_OK);
	/* the subject's common name: the issuer's is not read */
	const uint8_t *at =
	    memmem(cert.buf, cert.len, SIM_CN_PCK, strlen(SIM_CN_PCK));
	assert_non_null(at);
	size_t tag = (size_t)(at - cert.buf) - 2;
	uint8_t was = cert.buf[tag];
	cert.buf[tag] = DER_PRINTABLE;
	struct der_span s = { cert.buf, cert.len };
	struct x509_cert c;
	assert_int_equal(x509_parse(s, &c, NULL), DSTACK_OK);
	cert.buf[tag] = 0x16; /* IA5String */
	assert_int_not_equal(x509_parse(s, &c, NULL), DSTACK_OK);
	cert.buf[tag] = was;
	/* keyUsage: 06 03 55 1d 0f, 01 01 ff, 04 04 03 02 unused bits */
	assert_int_equal(
	    parse_patched(&cert, "\x55\x1d\x0f", 3, 7, 5), DSTACK_OK);
	assert_int_not_equal(
	    parse_patched(&cert, "\x55\x1d\x0f", 3, 7, 8), DSTACK_OK);
	free(w);
}

/* Each byte of a structure changed: parsers may say either, but not crash. */
static void
every_cut_of_a_certificate_or_list_is_refused(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr cert = wr_new(0);
	AUTO_WR struct wr list = wr_new(0);
	w->pck_crl.nrevoked = 2;
	w->pck_crl.revoked[0].len = w->pck_crl.revoked[1].len = 20;
	memset(w->pck_crl.revoked[0].serial, 0x71, 20);
	memset(w->pck_crl.revoked[1].serial, 0x21, 20);
	assert_int_equal(sim_cert_make(&w->pck, &cert), DSTACK_OK);
	assert_int_equal(sim_crl_make(&w->pck_crl, &list), DSTACK_OK);
	struct x509_cert c;
	struct crl l;
	for (size_t n = 0; n < cert.len; n++) {
		struct der_span s = { cert.buf, n };
		assert_int_not_equal(x509_parse(s, &c, NULL), DSTACK_OK);
	}
	for (size_t n = 0; n < list.len; n++) {
		struct der_span s = { list.buf, n };
		assert_int_not_equal(crl_parse(s, &l), DSTACK_OK);
	}
	wr_u8(&cert, 0);
	wr_u8(&list, 0);
	struct der_span sc = { cert.buf, cert.len };
	struct der_span sl = { list.buf, list.len };
	assert_int_not_equal(x509_parse(sc, &c, NULL), DSTACK_OK);
	assert_int_not_equal(crl_parse(sl, &l), DSTACK_OK);
	sl.n--;
	assert_int_equal(crl_parse(sl, &l), DSTACK_OK);
	assert_int_equal(l.count, 2);
	uint8_t serial[20];
	memset(serial, 0x71, 20);
	struct der_span find = { serial, 20 };
	assert_true(crl_lists(&l, find));
	find.n = 19;
	assert_false(crl_lists(&l, find));
	find.n = 20;
	serial[19]++;
	assert_false(crl_lists(&l, find));
	crl_free(&l);
	assert_false(crl_lists(&l, find));
	uint8_t *big = calloc(1, CRL_MAX_BYTES + 1);
	struct der_span sb = { big, CRL_MAX_BYTES + 1 };
	assert_int_equal(crl_parse(sb, &l), DSTACK_E_LIMIT);
	free(big);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_definite_minimal_lengths_are_der),
		cmocka_unit_test(numbers_are_minimal_and_in_range),
		cmocka_unit_test(booleans_and_oids_are_strict),
		cmocka_unit_test(signatures_are_two_positive_minimal_numbers),
		cmocka_unit_test(certificate_times_have_two_forms),
		cmocka_unit_test(a_time_of_many_characters_is_refused),
		cmocka_unit_test(json_dates_have_one_form),
		cmocka_unit_test(every_character_of_a_date_is_looked_at),
		cmocka_unit_test(pem_is_strict),
		cmocka_unit_test(chains_have_one_to_three_certificates),
		cmocka_unit_test(names_and_key_usage_have_known_types),
		cmocka_unit_test(every_cut_of_a_certificate_or_list_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
