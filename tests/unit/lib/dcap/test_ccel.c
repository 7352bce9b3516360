/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "dcap/ccel.h"
#include "dstack/dcap.h"

#define VECTOR "../shared/vectors/dcap/ccel/cos-113/"

static void
put_header(struct wr *w, uint16_t alg, uint16_t size)
{
	wr_u32le(w, 1);
	wr_u32le(w, CCEL_NO_ACTION);
	wr_zero(w, 20);
	wr_u32le(w, 33);
	wr_put(w, "Spec ID Event03", 16);
	wr_zero(w, 4);
	wr_put(w, "\0\2\0\2", 4);
	wr_u32le(w, 1);
	wr_u16le(w, alg);
	wr_u16le(w, size);
	wr_u8(w, 0);
}

static void
put_event(struct wr *w, uint32_t mr, uint32_t type, uint8_t fill)
{
	uint8_t digest[48];
	memset(digest, fill, sizeof(digest));
	wr_u32le(w, mr);
	wr_u32le(w, type);
	wr_u32le(w, 1);
	wr_u16le(w, 0x000c);
	wr_put(w, digest, sizeof(digest));
	wr_u32le(w, 5);
	wr_put(w, "event", 5);
}

static void
extend(uint8_t reg[48], uint8_t fill)
{
	uint8_t digest[48], next[48];
	memset(digest, fill, sizeof(digest));
	const struct piece in[] = { { reg, 48 }, { digest, 48 } };
	sha384v(in, 2, next);
	memcpy(reg, next, 48);
}

static void
log_replays_to_its_registers_in_order(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	uint8_t want[4][48] = { { 0 } }, got[4][48];
	size_t used;
	unsigned events;
	put_header(&w, 0x000c, 48);
	put_event(&w, 1, 1, 0x11);
	put_event(&w, 2, 1, 0x22);
	put_event(&w, 1, 1, 0x33);
	put_event(&w, 1, CCEL_NO_ACTION, 0x44);
	put_event(&w, 0, 1, 0x55);
	put_event(&w, 4, 1, 0x66);
	extend(want[0], 0x11);
	extend(want[1], 0x22);
	extend(want[0], 0x33);
	extend(want[3], 0x66);
	size_t end = w.len;
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, &used, &events, NULL),
	    DSTACK_OK);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(used, end);
	assert_int_equal(events, 6);
	wr_zero(&w, 1001); /* unused part of the area */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, &used, &events, NULL),
	    DSTACK_OK);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(used, end);
	memset(w.buf + end, 0xff, 4);
	w.buf[end + 4] = 7;
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, &used, &events, NULL),
	    DSTACK_OK);
	assert_int_equal(used, end);
	w.buf[end] = 9; /* neither an end nor a register */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, &used, &events, NULL),
	    DSTACK_E_FORMAT);
}

static void
broken_logs_are_refused(void **state)
{
	(void)state;
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	put_header(&w, 0x000c, 48);
	size_t head = w.len;
	put_event(&w, 3, 1, 1);
	for (size_t n = 0; n < w.len; n++)
		if (n != head)
			assert_int_equal(dcap_ccel_replay(w.buf, n, got, NULL, NULL,
			    NULL), DSTACK_E_FORMAT);
	w.buf[head] = 5; /* no such register */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[head] = 3;
	w.buf[head + 8] = 2; /* two digests, one algorithm */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[head + 8] = 1;
	w.buf[head + 12] = 0x0b; /* SHA-256 is not in the header */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[head + 12] = 0x0c;
	memset(w.buf + head + 62, 0xff, 4); /* data longer than the log */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	AUTO_WR struct wr other = wr_new(0);
	put_header(&other, 0x000b, 32);
	assert_int_equal(dcap_ccel_replay(other.buf, other.len, got, NULL, NULL,
	    NULL), DSTACK_E_FORMAT);
	AUTO_WR struct wr wide = wr_new(0);
	put_header(&wide, 0x000c, 32);
	assert_int_equal(dcap_ccel_replay(wide.buf, wide.len, got, NULL, NULL,
	    NULL), DSTACK_E_FORMAT);
	AUTO_WR struct wr many = wr_new(0);
	put_header(&many, 0x000c, 48);
	for (int i = 0; i <= CCEL_MAX_EVENTS; i++)
		put_event(&many, 1, 1, 1);
	assert_int_equal(dcap_ccel_replay(many.buf, many.len, got, NULL, NULL,
	    NULL), DSTACK_E_FORMAT);
}

static void
each_digest_comes_once_and_sha384_among_them(void **state)
{
	(void)state;
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	wr_u32le(&w, 1);
	wr_u32le(&w, CCEL_NO_ACTION);
	wr_zero(&w, 20);
	wr_u32le(&w, 37);
	wr_put(&w, "Spec ID Event03", 16);
	wr_zero(&w, 8);
	wr_u32le(&w, 2);
	wr_u16le(&w, 0x000b);
	wr_u16le(&w, 32);
	wr_u16le(&w, 0x000c);
	wr_u16le(&w, 48);
	wr_u8(&w, 0);
	size_t head = w.len;
	wr_u32le(&w, 1);
	wr_u32le(&w, 1);
	wr_u32le(&w, 2);
	wr_u16le(&w, 0x000c);
	wr_zero(&w, 48);
	size_t second = w.len;
	wr_u16le(&w, 0x000b);
	wr_zero(&w, 32);
	wr_u32le(&w, 0);
	wr_zero(&w, 32);
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_OK);
	/* the second one SHA-384 as well: 48 bytes, then no data */
	w.buf[second] = 0x0c;
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[second] = 0x0b;
	w.buf[head + 12] = 0x0b; /* SHA-256 twice in place of it */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[head + 12] = 0x0c;
	w.buf[second] = 0x0d; /* one that the header has not */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[second] = 0x0b;
	w.buf[head - 5] = 0x0b; /* header: SHA-256 twice */
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
	w.buf[head - 9] = w.buf[head - 5] = 0x0c; /* header: SHA-384 twice */
	w.buf[head - 7] = 48;
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
}

static void
an_event_with_fewer_digests_than_the_header_is_refused(void **state)
{
	(void)state;
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	wr_u32le(&w, 1);
	wr_u32le(&w, CCEL_NO_ACTION);
	wr_zero(&w, 20);
	wr_u32le(&w, 37);
	wr_put(&w, "Spec ID Event03", 16);
	wr_zero(&w, 8);
	wr_u32le(&w, 2);
	wr_u16le(&w, 0x000b);
	wr_u16le(&w, 32);
	wr_u16le(&w, 0x000c);
	wr_u16le(&w, 48);
	wr_u8(&w, 0);
	put_event(&w, 1, 1, 1);
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
}

static void
an_unknown_digest_of_no_length_is_refused(void **state)
{
	(void)state;
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	wr_u32le(&w, 1);
	wr_u32le(&w, CCEL_NO_ACTION);
	wr_zero(&w, 20);
	wr_u32le(&w, 37);
	wr_put(&w, "Spec ID Event03", 16);
	wr_zero(&w, 8);
	wr_u32le(&w, 2);
	wr_u16le(&w, 0x000b);
	wr_u16le(&w, 32);
	wr_u16le(&w, 0x000c);
	wr_u16le(&w, 48);
	wr_u8(&w, 0);
	wr_u32le(&w, 1);
	wr_u32le(&w, 1);
	wr_u32le(&w, 2);
	wr_u16le(&w, 0x000c);
	wr_zero(&w, 48);
	wr_u16le(&w, 0x000d); /* in no header: its length is not known */
	wr_u32le(&w, 0);
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
}

/* A log of a header alone, with these algorithms and more behind them. */
static enum dstack_status
header_only(const char sig[16], uint32_t type, const uint16_t *alg,
    unsigned algs, const char *more, size_t moren)
{
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	wr_u32le(&w, 1);
	wr_u32le(&w, type);
	wr_zero(&w, 20);
	wr_u32le(&w, (uint32_t)(28 + 4 * algs + 1 + moren));
	wr_put(&w, sig, 16);
	wr_zero(&w, 8);
	wr_u32le(&w, algs);
	for (unsigned i = 0; i < algs; i++) {
		wr_u16le(&w, alg[i]);
		wr_u16le(&w, 48);
	}
	wr_u8(&w, 0);
	wr_put(&w, more, moren);
	return dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL);
}

static void
a_header_is_checked_before_any_event(void **state)
{
	(void)state;
	static const char sig[16] = "Spec ID Event03";
	static const char old[16] = "Spec ID Event02";
	static const uint16_t one[] = { 0x0c }, twice[] = { 0x0c, 0x0c };
	static const uint16_t nine[] = { 0x0c, 1, 2, 3, 4, 5, 6, 7, 8 };
	const uint32_t no = CCEL_NO_ACTION;
	assert_int_equal(header_only(sig, no, one, 1, "", 0), DSTACK_OK);
	assert_int_equal(header_only(sig, no, nine, 8, "", 0), DSTACK_OK);
	assert_int_not_equal(header_only(sig, no, nine, 9, "", 0), DSTACK_OK);
	assert_int_not_equal(header_only(old, no, one, 1, "", 0), DSTACK_OK);
	assert_int_not_equal(header_only(sig, no, twice, 2, "", 0), DSTACK_OK);
	assert_int_not_equal(header_only(sig, 1, one, 1, "", 0), DSTACK_OK);
	assert_int_not_equal(header_only(sig, no, one, 1, "x", 1), DSTACK_OK);
}

static void
a_log_over_the_limit_is_refused(void **state)
{
	(void)state;
	uint8_t got[4][48];
	AUTO_WR struct wr w = wr_new(0);
	put_header(&w, 0x000c, 48);
	wr_zero(&w, CCEL_MAX_LOG - w.len);
	assert_int_equal(
	    dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL), DSTACK_OK);
	wr_u8(&w, 0);
	assert_int_equal(dcap_ccel_replay(w.buf, w.len, got, NULL, NULL, NULL),
	    DSTACK_E_FORMAT);
}

static void
only_a_tds_table_is_taken(void **state)
{
	(void)state;
	uint8_t t[57] = "CCEL\x38";
	uint64_t area = 0;
	t[36] = 2;
	t[42] = 4; /* 0x40000 */
	assert_int_equal(ccel_table_parse(t, 56, &area, NULL), DSTACK_OK);
	assert_true(area == 0x40000);
	t[36] = 1; /* SEV */
	assert_int_equal(ccel_table_parse(t, 56, &area, NULL), DSTACK_E_FORMAT);
	t[36] = 2;
	t[4] = 57;
	assert_int_equal(ccel_table_parse(t, 56, &area, NULL), DSTACK_E_FORMAT);
	t[4] = 56;
	t[0] = 'c';
	assert_int_equal(ccel_table_parse(t, 56, &area, NULL), DSTACK_E_FORMAT);
	t[0] = 'C';
	assert_int_equal(ccel_table_parse(t, 55, &area, NULL), DSTACK_E_FORMAT);
	t[4] = 55; /* and says so */
	assert_int_equal(ccel_table_parse(t, 55, &area, NULL), DSTACK_E_FORMAT);
	t[4] = 57;
	assert_int_equal(ccel_table_parse(t, 57, &area, NULL), DSTACK_E_FORMAT);
}

static size_t
slurp(const char *path, uint8_t *buf, size_t cap)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return 0;
	size_t n = fread(buf, 1, cap, f);
	(void)fclose(f);
	return n;
}

static void
a_real_log_replays_to_the_quote_of_its_boot(void **state)
{
	(void)state;
	uint8_t *log = malloc(CCEL_MAX_LOG), quote[8192], table[64];
	uint8_t got[4][48];
	size_t used;
	unsigned events;
	uint64_t area;
	struct dcap_quote q;
	enum dcap_code code;
	assert_non_null(log);
	size_t n = slurp(VECTOR "ccel_data.dat", log, CCEL_MAX_LOG);
	size_t qn = slurp(VECTOR "cos-113-tdx-quote.dat", quote, sizeof(quote));
	size_t tn = slurp(VECTOR "ccel_table.dat", table, sizeof(table));
	if (n == 0 || qn == 0) {
		free(log);
		skip();
	}
	assert_int_equal(dcap_ccel_replay(log, n, got, &used, &events, NULL),
	    DSTACK_OK);
	free(log);
	assert_int_equal(events, 43);
	assert_int_equal(used, 18101);
	assert_int_equal(dcap_quote_parse(quote, qn, &q, &code, NULL),
	    DSTACK_OK);
	assert_true(q.trailing > 0);
	for (int i = 0; i < 4; i++)
		assert_memory_equal(got[i], q.td.rtmr[i], 48);
	assert_int_equal(ccel_table_parse(table, tn, &area, NULL), DSTACK_OK);
	assert_true(area == n);
	assert_int_equal(ccel_table_parse(table, tn - 1, &area, NULL),
	    DSTACK_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_replays_to_its_registers_in_order),
		cmocka_unit_test(broken_logs_are_refused),
		cmocka_unit_test(each_digest_comes_once_and_sha384_among_them),
		cmocka_unit_test(
		    an_event_with_fewer_digests_than_the_header_is_refused),
		cmocka_unit_test(an_unknown_digest_of_no_length_is_refused),
		cmocka_unit_test(a_header_is_checked_before_any_event),
		cmocka_unit_test(a_log_over_the_limit_is_refused),
		cmocka_unit_test(only_a_tds_table_is_taken),
		cmocka_unit_test(a_real_log_replays_to_the_quote_of_its_boot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
