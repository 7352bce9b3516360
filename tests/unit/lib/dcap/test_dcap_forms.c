/* SPDX-License-Identifier: Apache-2.0 */
/* The SGX extension, lists, JSON members and levels, each made by hand. */
#include <stdio.h>

#include "base/hex.h"
#include "dcap/crl.h"
#include "dcap/levels.h"
#include "dcap/pckext.h"
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
members_have_the_type_and_size_asked_for(void **state)
{
	(void)state;
	static const char text[] = "{\"n\":-1,\"i\":7,\"r\":7.0,\"s\":\"00\","
	    "\"a\":[1,2],\"o\":{\"n\":1}}";
	AUTO_JSON json_t *o = jget_parse(text, sizeof(text) - 1, NULL);
	AUTO_JSON json_t *array = jget_parse("[1]", 3, NULL);
	AUTO_JSON json_t *none = jget_parse("", 0, NULL);
	AUTO_JSON json_t *more = jget_parse("{}x", 3, NULL);
	AUTO_JSON json_t *twice = jget_parse("{\"a\":1,\"a\":1}", 13, NULL);
	assert_non_null(o);
	assert_null(array);
	assert_null(none);
	assert_null(more);
	assert_null(twice);
	uint64_t n = 0;
	uint8_t b[2];
	const char *s;
	const json_t *v;
	assert_int_equal(jget_uint(o, "i", 7, &n, NULL), DSTACK_OK);
	assert_int_equal(n, 7);
	assert_int_not_equal(jget_uint(o, "i", 6, &n, NULL), DSTACK_OK);
	assert_int_not_equal(
	    jget_uint(o, "n", UINT64_MAX, &n, NULL), DSTACK_OK);
	assert_int_not_equal(jget_uint(o, "r", 9, &n, NULL), DSTACK_OK);
	assert_int_not_equal(jget_uint(o, "s", 9, &n, NULL), DSTACK_OK);
	assert_int_not_equal(jget_uint(o, "x", 9, &n, NULL), DSTACK_OK);
	assert_int_equal(jget_text(o, "s", &s, NULL), DSTACK_OK);
	assert_int_not_equal(jget_text(o, "i", &s, NULL), DSTACK_OK);
	assert_int_equal(jget_hex(o, "s", b, 1, NULL), DSTACK_OK);
	assert_int_not_equal(jget_hex(o, "s", b, 2, NULL), DSTACK_OK);
	assert_int_equal(jget_array(o, "a", 2, &v, NULL), DSTACK_OK);
	assert_int_not_equal(jget_array(o, "a", 1, &v, NULL), DSTACK_OK);
	assert_int_not_equal(jget_array(o, "o", 9, &v, NULL), DSTACK_OK);
	assert_int_equal(jget_object(o, "o", &v, NULL), DSTACK_OK);
	assert_int_not_equal(jget_object(o, "a", &v, NULL), DSTACK_OK);
	assert_int_not_equal(jget_object(o, "s", &v, NULL), DSTACK_OK);
}

static void
tlv(struct wr *w, uint8_t tag, const struct wr *body)
{
	wr_u8(w, tag);
	if (body->len < 0x80) {
		wr_u8(w, (uint8_t)body->len);
	} else {
		wr_u8(w, body->len > 0xff ? 0x82 : 0x81);
		if (body->len > 0xff)
			wr_u8(w, (uint8_t)(body->len >> 8));
		wr_u8(w, (uint8_t)body->len);
	}
	wr_put(w, body->buf, body->len);
}

static void
put(struct wr *w, const char *hex)
{
	uint8_t b[256];
	if (hex == NULL)
		return;
	struct rd r = from_hex(hex, b);
	wr_put(w, b, rd_left(&r));
}

/* One thing of the SGX extension otherwise; hex or NULL. */
struct ext_change {
	unsigned tcb;   /* 1: of the TCB's pairs, 0: of the others */
	unsigned arc;   /* which pair */
	const char *oid, *value, *more; /* whole, whole, behind the value */
	bool leave_out;
	const char *top, *list, *behind; /* more pairs; behind all */
};

#define SGX_OID "2a864886f84d010d01"

static void
put_pair(struct wr *out, const struct ext_change *c, unsigned tcb,
    unsigned arc, const struct wr *value)
{
	AUTO_WR struct wr oid = wr_new(0), pair = wr_new(0);
	bool here = c->tcb == tcb && c->arc == arc;
	if (here && c->leave_out)
		return;
	if (here && c->oid != NULL) {
		put(&oid, c->oid);
	} else {
		put(&oid, SGX_OID);
		if (tcb)
			wr_u8(&oid, 2);
		wr_u8(&oid, (uint8_t)arc);
	}
	tlv(&pair, DER_OID, &oid);
	if (here && c->value != NULL)
		put(&pair, c->value);
	else
		wr_put(&pair, value->buf, value->len);
	put(&pair, here ? c->more : NULL);
	tlv(out, DER_SEQ, &pair);
}

static void
put_hex_pair(struct wr *out, const struct ext_change *c, unsigned tcb,
    unsigned arc, const char *hex)
{
	AUTO_WR struct wr value = wr_new(0);
	put(&value, hex);
	put_pair(out, c, tcb, arc, &value);
}

static enum dstack_status
parse_ext(const struct ext_change *c)
{
	static const char sixteen[] = "041000112233445566778899aabbccddeeff";
	AUTO_WR struct wr list = wr_new(0), inner = wr_new(0);
	AUTO_WR struct wr all = wr_new(0), ext = wr_new(0);
	for (unsigned arc = 1; arc <= 16; arc++)
		put_hex_pair(&list, c, 1, arc, "020107");
	put_hex_pair(&list, c, 1, 17, "02020100");
	put_hex_pair(&list, c, 1, 18, sixteen);
	put(&list, c->list);
	tlv(&inner, DER_SEQ, &list);
	put_hex_pair(&all, c, 0, 1, sixteen);
	put_pair(&all, c, 0, 2, &inner);
	put_hex_pair(&all, c, 0, 3, "04020000");
	put_hex_pair(&all, c, 0, 4, "0406b0c06f000000");
	put_hex_pair(&all, c, 0, 5, "0a0101");
	put(&all, c->top);
	tlv(&ext, DER_SEQ, &all);
	put(&ext, c->behind);
	struct der_span s = { ext.buf, ext.len };
	struct pck_ext e;
	enum dstack_status st = pck_ext_parse(s, &e);
	if (st == DSTACK_OK)
		assert_true(e.svn[15] == 7 && e.pcesvn == 256 &&
		    e.fmspc[0] == 0xb0 && e.sgx_type == 1);
	return st;
}

static void
sgx_extensions_hold_each_part_once(void **state)
{
	(void)state;
	static const struct ext_change good[] = {
		{ .arc = 0 },
		/* platform instance, configuration: of multi-package ones */
		{ .top = "3010060a" SGX_OID "06" "04020000" },
		{ .top = "300e060a" SGX_OID "07" "3000" },
		/* longer: what it means is not known */
		{ .top = "300f060b" SGX_OID "0101" "3000" },
		{ .top = "3008060455040302" "0500" },
		{ .tcb = 1, .arc = 17, .value = "02020100" }, };
	static const struct ext_change bad[] = {
		{ .behind = "0500" },
		{ .arc = 1, .value = "041100112233445566778899aabbccddeeff00" },
		{ .arc = 1, .value = "040f00112233445566778899aabbccddee" },
		{ .arc = 1, .more = "0500" },
		{ .arc = 2, .more = "0500" },
		{ .arc = 3, .leave_out = true },
		{ .arc = 3, .oid = SGX_OID "0301" },
		{ .arc = 5, .value = "0a020101" },
		{ .arc = 5, .value = "0a0103" },
		{ .arc = 5, .value = "020101" },
		{ .top = "3010060a" SGX_OID "03" "04020000" },
		{ .tcb = 1, .arc = 9, .leave_out = true },
		{ .tcb = 1, .arc = 18, .leave_out = true },
		{ .tcb = 1, .arc = 9, .more = "0500" },
		{ .tcb = 1, .arc = 9, .value = "02020100" },
		{ .tcb = 1, .arc = 17, .value = "0203010000" },
		{ .tcb = 1, .arc = 9, .oid = SGX_OID "020901" },
		{ .tcb = 1, .arc = 9, .oid = SGX_OID "0309" },
		{ .tcb = 1, .arc = 9, .oid = "2a864886f84d010d020209" },
		{ .tcb = 1, .arc = 9, .oid = SGX_OID "02" },
		{ .list = "3010060b" SGX_OID "0209" "020107" },
		{ .list = "3010060b" SGX_OID "0213" "020107" },
		{ .list = "3010060b" SGX_OID "0221" "020107" }, };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (parse_ext(&good[i]) != DSTACK_OK)
			fail_msg("good extension %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_ext(&bad[i]) == DSTACK_OK)
			fail_msg("bad extension %zu", i);
}

/* A list with one entry and a number; hex more of each part, or "". */
struct list_parts {
	const char *entry, *number, *exts, *wrap, *tbs, *outer; /* NULL: none */
	const char *version; /* NULL: v2 */
};

static enum dstack_status
parse_list(const struct list_parts *p)
{
	AUTO_WR struct wr entry = wr_new(0), list = wr_new(0);
	AUTO_WR struct wr value = wr_new(0), ext = wr_new(0);
	AUTO_WR struct wr exts = wr_new(0), wrap = wr_new(0);
	AUTO_WR struct wr tbs = wr_new(0), all = wr_new(0), der = wr_new(0);
	static const char alg[] = "300a06082a8648ce3d040302";
	put(&entry, "020101" "170d3234303130313030303030305a");
	put(&entry, p->entry);
	tlv(&list, DER_SEQ, &entry);
	put(&value, "020107");
	put(&value, p->number);
	put(&ext, "0603551d14");
	tlv(&ext, DER_OCTETS, &value);
	tlv(&exts, DER_SEQ, &ext);
	put(&exts, p->exts);
	tlv(&wrap, DER_SEQ, &exts);
	put(&wrap, p->wrap);
	put(&tbs, p->version != NULL ? p->version : "020101");
	put(&tbs, alg);
	put(&tbs, "3000" "170d3234303130313030303030305a"
	    "170d3234303230313030303030305a");
	tlv(&tbs, DER_SEQ, &list);
	tlv(&tbs, DER_CTX0, &wrap);
	put(&tbs, p->tbs);
	tlv(&all, DER_SEQ, &tbs);
	put(&all, alg);
	put(&all, "030900" "3006020101020101");
	put(&all, p->outer);
	tlv(&der, DER_SEQ, &all);
	struct der_span s = { der.buf, der.len };
	struct crl c;
	enum dstack_status st = crl_parse(s, &c);
	if (st == DSTACK_OK) {
		assert_true(c.number == 7 && c.count == 1);
		crl_free(&c);
	}
	return st;
}

static void
lists_hold_what_they_must_and_nothing_more(void **state)
{
	(void)state;
	static const struct list_parts good[] = {
		{ .entry = NULL },
		/* a reason, not critical */
		{ .entry = "300c300a0603551d1504030a0101" },
		/* an unknown extension, not critical */
		{ .exts = "300a0603551d1c0403020101" }, };
	static const struct list_parts bad[] = {
		/* an entry's critical extension */
		{ .entry = "300f300d0603551d1d0101ff04030a0101" },
		{ .entry = "300c300a0603551d1504030a01010500" },
		{ .entry = "30000500" },
		{ .number = "0500" },
		{ .exts = "0500" },
		{ .exts = "300d0603551d1c0101ff0403020101" },
		/* the number twice */
		{ .exts = "300a0603551d140403020107" },
		{ .wrap = "0500" },
		{ .tbs = "0500" },
		{ .outer = "0500" },
		{ .version = "020100" },
		{ .version = "020102" },
		{ .version = "0400" }, };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (parse_list(&good[i]) != DSTACK_OK)
			fail_msg("good list %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_list(&bad[i]) == DSTACK_OK)
			fail_msg("bad list %zu", i);
}

/* One thing of a certificate otherwise: hex in place of or behind a part. */
struct cert_change {
	const char *in_place; /* name of the part, or NULL */
	const char *behind;
	const char *hex;
};

static bool
is(const char *name, const char *part)
{
	return name != NULL && strcmp(name, part) == 0;
}

static void
field(struct wr *w, const struct cert_change *c, const char *part,
    const char *hex)
{
	put(w, is(c->in_place, part) ? c->hex : hex);
	if (is(c->behind, part))
		put(w, c->hex);
}

static void
wrap(struct wr *out, const struct cert_change *c, const char *part,
    uint8_t tag, const struct wr *body)
{
	if (is(c->in_place, part))
		put(out, c->hex);
	else
		tlv(out, tag, body);
	if (is(c->behind, part))
		put(out, c->hex);
}

static void
put_extension(struct wr *out, const struct cert_change *c, const char *part,
    const char *head, const char *value)
{
	AUTO_WR struct wr in = wr_new(0), ext = wr_new(0);
	field(&in, c, part, value);
	put(&ext, head);
	wrap(&ext, c, "value", DER_OCTETS, &in);
	tlv(out, DER_SEQ, &ext);
}

#define ALG "06082a8648ce3d040302"
#define POINT "1111111111111111111111111111111111111111111111111111111111111111"
#define SPKI "301306072a8648ce3d020106082a8648ce3d03010703420004"

static enum dstack_status
parse_cert(const struct cert_change *c, struct x509_cert *out, struct wr *der)
{
	AUTO_WR struct wr version = wr_new(0), alg = wr_new(0);
	AUTO_WR struct wr pair = wr_new(0), set = wr_new(0), name = wr_new(0);
	AUTO_WR struct wr when = wr_new(0), spki = wr_new(0);
	AUTO_WR struct wr list = wr_new(0), exts = wr_new(0);
	AUTO_WR struct wr tbs = wr_new(0), alg2 = wr_new(0);
	AUTO_WR struct wr bits = wr_new(0), all = wr_new(0);
	field(&version, c, "version", "020102");
	field(&alg, c, "alg", ALG);
	field(&alg2, c, "alg2", ALG);
	field(&pair, c, "cn", "0603550403" "0c0141");
	wrap(&set, c, "pair", DER_SEQ, &pair);
	wrap(&name, c, "set", DER_SET, &set);
	field(&when, c, "when", "170d3234303130313030303030305a"
	    "170d3439303130313030303030305a");
	field(&spki, c, "spki", SPKI POINT POINT);
	put_extension(&list, c, "usage", "0603551d0f0101ff", "03020106");
	put_extension(&list, c, "constraints", "0603551d130101ff",
	    "30060101ff020100");
	field(&list, c, "list", "");
	wrap(&exts, c, "exts", DER_SEQ, &list);
	tlv(&tbs, DER_CTX0, &version);
	put(&tbs, "020107");
	tlv(&tbs, DER_SEQ, &alg);
	put(&tbs, "3000");
	tlv(&tbs, DER_SEQ, &when);
	tlv(&tbs, DER_SEQ, &name);
	tlv(&tbs, DER_SEQ, &spki);
	wrap(&tbs, c, "tbs", DER_CTX3, &exts);
	tlv(&all, DER_SEQ, &tbs);
	tlv(&all, DER_SEQ, &alg2);
	field(&bits, c, "sig", "00" "3006020101020101");
	wrap(&all, c, "cert", DER_BITS, &bits);
	tlv(der, DER_SEQ, &all);
	if (is(c->behind, "der"))
		put(der, c->hex);
	struct der_span s = { der->buf, der->len };
	return x509_parse(s, out, NULL);
}

static void
certificates_hold_what_they_must_and_nothing_more(void **state)
{
	(void)state;
	static const struct cert_change good[] = {
		{ NULL, NULL, NULL },
		{ "usage", NULL, "03020780" },
		{ "usage", NULL, "0303070600" },
		{ "cn", NULL, "0603550403" "130141" },
		{ "cn", NULL, "0603550406" "160141" }, /* no common name */
		{ "constraints", NULL, "3000" },
		{ "constraints", NULL, "30030101ff" },
		{ "constraints", NULL, "30060101ff020110" },
		{ NULL, "list", "300a0603551d23040330" "0100" },
		{ NULL, "list", "30090603551d1c04023000" },
		{ NULL, "list", "300c0603551d1c01010004023000" },
		{ NULL, "set", "310a3008" "0603550406" "130141" }, };
	static const char *const behind[] = { "version", "alg", "alg2", "cn",
		"pair", "when", "spki", "usage", "constraints", "value",
		"exts", "tbs", "sig", "cert", "der" };
	static const struct cert_change bad[] = {
		{ "version", NULL, "020101" }, { "version", NULL, "020103" },
		{ "version", NULL, "" },
		{ "alg", NULL, "06082a8648ce3d040303" },
		{ "alg2", NULL, "06082a8648ce3d040303" },
		{ "alg", NULL, "06072a8648ce3d0403" },
		{ "cn", NULL, "0603550403" "160141" },
		{ NULL, "set", "310a3008" "0603550403" "0c0142" },
		{ "spki", NULL, "301306072a8648ce3d020106082a8648ce3d0301080342"
		    "0004" POINT POINT },
		{ "spki", NULL, "301306072a8648ce3d020106082a8648ce3d0301070342"
		    "0002" POINT POINT },
		{ "spki", NULL, SPKI POINT "11" },
		{ "usage", NULL, "03020806" }, { "usage", NULL, "030100" },
		{ "usage", NULL, "030400060000" }, { "usage", NULL, "0300" },
		{ "constraints", NULL, "3003020100" },
		{ "constraints", NULL, "30060101ff020111" },
		{ "constraints", NULL, "300601010102" "0100" },
		{ "constraints", NULL, "30080101ff0201000500" },
		{ NULL, "list", "300e0603551d0f0101ff040403020106" },
		{ NULL, "list", "300c0603551d130101ff04023000" },
		{ NULL, "list", "300c0603551d1c0101ff04023000" },
		{ NULL, "list", "30090603551d23040230003009"
		    "0603551d2304023000" },
		{ NULL, "list", "30090603551d0e040230003009"
		    "0603551d0e04023000" },
		{ NULL, "list", "30090603551d1f040230003009"
		    "0603551d1f04023000" },
		{ NULL, "list", "300f0609" SGX_OID "04023000"
		    "300f0609" SGX_OID "04023000" },
		{ "sig", NULL, "01" "3006020101020101" },
		{ "sig", NULL, "00" "3006020101020181" },
		{ "exts", NULL, "0500" }, { "tbs", NULL, "" }, };
	struct x509_cert x;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		AUTO_WR struct wr der = wr_new(0);
		if (parse_cert(&good[i], &x, &der) != DSTACK_OK)
			fail_msg("good certificate %zu", i);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO_WR struct wr der = wr_new(0);
		if (parse_cert(&bad[i], &x, &der) == DSTACK_OK)
			fail_msg("bad certificate %zu", i);
	}
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		AUTO_WR struct wr der = wr_new(0);
		const struct cert_change c = { NULL, behind[i], "0500" };
		if (parse_cert(&c, &x, &der) == DSTACK_OK)
			fail_msg("more behind %s", behind[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_have_the_type_and_size_asked_for),
		cmocka_unit_test(sgx_extensions_hold_each_part_once),
		cmocka_unit_test(lists_hold_what_they_must_and_nothing_more),
		cmocka_unit_test(
		    certificates_hold_what_they_must_and_nothing_more), };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
