/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TDVF metadata, MRTD and the TD HOB; see lib/measure. The constants were
 * computed by another program, in another language, from the same bytes; the
 * TD HOB of 64 GiB is that of a real TD's published boot event log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "measure/hob.h"
#include "measure/tdvf.h"
#include "tests/unit/lib/measure/tdvf_make.h"

static uint8_t fw[FW_LEN];

static int
fresh(void **state)
{
	(void)state;
	fw_make(fw);
	return 0;
}

static void
is_hash(const void *p, size_t n, const char *want)
{
	uint8_t d[48];
	char hex[97];
	sha384(p, n, d);
	hex_encode(d, 48, hex);
	assert_string_equal(hex, want);
}

static void
mrtd_is_what_the_module_would_hash(void **state)
{
	(void)state;
	struct tdvf t;
	uint8_t d[48];
	char hex[97];
	is_hash(fw, sizeof(fw),
	    "91c23720a60127edf69e37599f3484b5b088ece1ad1f17da5b5b226771fff7d5ff"
	    "3cdc8f76660460fd5f2795ea1b98a5");
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	assert_int_equal(t.count, FW_SECTIONS);
	assert_int_equal(t.hob->address, 0x809000);
	tdvf_mrtd(&t, d);
	hex_encode(d, 48, hex);
	assert_string_equal(hex,
	    "29b66b09a9c197bdc5c724c4036027f009e256f5f397a86d9d7ff984499ed39529"
	    "0ad3f9917fa9468fc14556cb86c3ee");
}

/* Of the code every byte counts; of the variable store only its place. */
static void
mrtd_covers_the_code_and_not_the_variables(void **state)
{
	(void)state;
	struct tdvf t;
	uint8_t was[48], is[48];
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	tdvf_mrtd(&t, was);
	fw[FW_CFV + 100] ^= 1;
	tdvf_mrtd(&t, is);
	assert_memory_not_equal(was, is, 48);
	fw[FW_CFV + 100] ^= 1;
	fw[FW_CFV - 1] ^= 1;
	tdvf_mrtd(&t, is);
	assert_memory_equal(was, is, 48);
	/* the order of the sections counts, too */
	uint8_t swap[32];
	memcpy(swap, fw + FW_SECTION(2), 32);
	memcpy(fw + FW_SECTION(2), fw + FW_SECTION(3), 32);
	memcpy(fw + FW_SECTION(3), swap, 32);
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	tdvf_mrtd(&t, is);
	assert_memory_not_equal(was, is, 48);
}

static void
hob_of(uint64_t mib, const char *want)
{
	struct tdvf t;
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	assert_int_equal(hob_build(&t, mib << 20, &w, NULL), DSTACK_OK);
	is_hash(w.buf, w.len, want);
}

static void
the_td_hob_follows_the_memory(void **state)
{
	(void)state;
	hob_of(256,
	    "907135aa23fcf3bfb739f9ea1bc84071afce2bbb878f4ed09659fde4b273606218"
	    "3e8f29f2fd738b08248cdc8050e1b0");
	hob_of(2048,
	    "0e35f1b315ba6c912cf791e5c79dd9d3a2b8704516aa27d4e5aa78fb09ede04aef"
	    "2bbd02ac7a8734c48562b9c26ba35d");
	hob_of(4096,
	    "02a008e63d55a77823c04a5513a5810d4e592dc41bf2596267c09eae5d4b4e3b32"
	    "9ae614973fb192297d8833d37a08fd");
	/* near/mpc, a dstack TD of 64 GiB: first event of its RTMR0 */
	hob_of(65536,
	    "519245d8b6b54b48b57143e6647d41e5e6f3b4ef10a73c95be4d9a9c0f54115b70"
	    "7e7af5e38f7be6852229b18573690d");
}

static void
memory_without_room_for_the_sections_is_refused(void **state)
{
	(void)state;
	struct tdvf t;
	AUTO_WR struct wr w = wr_new(0);
	struct why why;
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	assert_int_equal(
	    hob_build(&t, 8u << 20, &w, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "outside of 8 MiB"));
	assert_int_equal(hob_low_memory(UINT64_C(0xafffffff)), 0xafffffff);
	assert_int_equal(hob_low_memory(UINT64_C(0xb0000000)), 0x80000000);
}

static void
the_published_blank_variable_store_is_blank(void **state)
{
	(void)state;
	struct tdvf t;
	struct why why;
	is_hash(fw, FW_CFV,
	    "344bc51c980ba621aaa00da3ed7436f7d6e549197dfe699515dfa2c6583d95e641"
	    "2af21c097d473155875ffd561d6790");
	assert_int_equal(tdvf_parse(fw, sizeof(fw), &t, NULL), DSTACK_OK);
	assert_int_equal(tdvf_blank(&t, NULL), DSTACK_OK);
	fw_put(fw + 100, 0x55aa, 2); /* a variable begins */
	assert_int_equal(tdvf_blank(&t, &why), DSTACK_E_REJECTED);
	fw[40] = 'X';
	assert_int_equal(tdvf_blank(&t, &why), DSTACK_E_FORMAT);
}

static void
refused(size_t at, uint64_t value, int n, const char *text)
{
	struct tdvf t;
	struct why why;
	fw_make(fw);
	fw_put(fw + at, value, n);
	assert_int_equal(
	    tdvf_parse(fw, sizeof(fw), &t, &why), DSTACK_E_FORMAT);
	if (strstr(why.text, text) == NULL)
		fail_msg("byte %zu: '%s', not '%s'", at, why.text, text);
}

static void
broken_metadata_is_refused_by_name(void **state)
{
	(void)state;
	const size_t s = FW_SECTION(0), cfv = FW_SECTION(1),
		     tmp = FW_SECTION(2), hob = FW_SECTION(4);
	refused(FW_TABLE_END - 1, 0, 1, "no TDX metadata"); /* footer */
	refused(FW_TABLE_END - 34, 0, 1, "no TDX metadata"); /* our entry */
	refused(FW_TABLE_END - 18, 17, 2, "broken"); /* shorter than itself */
	refused(FW_TABLE_END - 18, 18, 2, "no TDX metadata"); /* empty table */
	refused(FW_TABLE_END - 18, 30, 2, "broken"); /* cuts our entry */
	refused(FW_TABLE_END - 36, 21, 2, "broken");
	refused(FW_TABLE_END - 36, 0xffff, 2, "broken");
	refused(FW_TABLE_END - 40, 0xffffffff, 4, "broken");
	refused(FW_TABLE_END - 40, 8, 4, "broken"); /* too near to the end */
	refused(FW_META, 0, 1, "broken");	    /* signature */
	refused(FW_META + 4, 207, 4, "broken");	    /* length */
	refused(FW_META + 8, 2, 4, "broken");	    /* version */
	refused(FW_META + 12, 17, 4, "broken");	    /* sections */
	refused(s, FW_CFV + 1, 4, "broken");	    /* past the end */
	refused(s + 4, FW_BFV - 4096, 4, "broken"); /* less data than memory */
	refused(s + 8, 0xffffc001, 8, "broken");    /* not a page */
	refused(s + 8, UINT64_MAX - 0xfff, 8, "broken"); /* wraps */
	refused(s + 16, 0, 8, "broken");
	refused(s + 24, 4, 4, "broken"); /* type */
	refused(s + 28, 2, 4, "broken"); /* attribute */
	refused(s + 28, 0, 4, "lacks");	 /* code that is not measured */
	refused(tmp + 4, 4096, 4, "broken");
	refused(tmp + 28, 1, 4, "broken");
	refused(tmp + 8, 0x80c000, 8, "overlap");
	refused(tmp + 24, 2, 4, "two CFV or two TD_HOB");
	refused(hob + 24, 3, 4, "lacks");
	refused(cfv + 24, 0, 4, "lacks");
}

static void
every_cut_is_refused(void **state)
{
	(void)state;
	struct tdvf t;
	struct why why;
	assert_int_equal(
	    tdvf_parse(fw, TDVF_MAX_FILE + 1, &t, &why), DSTACK_E_FORMAT);
	assert_non_null(strstr(why.text, "over 16 MiB"));
	for (size_t n = 0; n < 300; n++) {
		assert_int_not_equal(
		    tdvf_parse(fw + sizeof(fw) - n, n, &t, NULL), DSTACK_OK);
		assert_int_not_equal(
		    tdvf_parse(fw, sizeof(fw) - 1 - n, &t, NULL), DSTACK_OK);
	}
}

/* Debian's package ovmf, where it is installed: a firmware of the world. */
static void
debian_s_firmware_measures_as_known(void **state)
{
	(void)state;
	static const struct {
		const char *file, *mrtd;
	} known[] = {
		/* 2025.02-8+deb13u1 */
		{ "14954040cc754ade", "bdc6fb145880f06f30c8b346b8dce2a99d9351b5"
				      "6892df22f80fcf6574caa9f9c31df8e8576d53b4"
				      "d0cd1c3f28910e11" },
		/* 2022.11-6+deb12u2 */
		{ "7b456907dd0786d4", "4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999"
		       "a08de4057fb887fed0744d5631a212967fb231c47" },
	};
	static uint8_t file[4 * 1024 * 1024 + 1];
	uint8_t sum[32], d[48];
	char hex[97];
	struct tdvf t;
	FILE *f = fopen("/usr/share/ovmf/OVMF.fd", "rbe");
	if (f == NULL)
		return;
	size_t n = fread(file, 1, sizeof(file), f);
	(void)fclose(f);
	assert_int_equal(tdvf_parse(file, n, &t, NULL), DSTACK_OK);
	assert_int_equal(tdvf_blank(&t, NULL), DSTACK_OK);
	tdvf_mrtd(&t, d);
	sha256(file, n, sum);
	char is[65];
	hex_encode(sum, 32, is);
	hex_encode(d, 48, hex);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(is, known[i].file, 16) == 0)
			assert_string_equal(hex, known[i].mrtd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    mrtd_is_what_the_module_would_hash, fresh),
		cmocka_unit_test_setup(
		    mrtd_covers_the_code_and_not_the_variables, fresh),
		cmocka_unit_test_setup(the_td_hob_follows_the_memory, fresh),
		cmocka_unit_test_setup(
		    memory_without_room_for_the_sections_is_refused, fresh),
		cmocka_unit_test_setup(
		    the_published_blank_variable_store_is_blank, fresh),
		cmocka_unit_test(broken_metadata_is_refused_by_name),
		cmocka_unit_test_setup(every_cut_is_refused, fresh),
		cmocka_unit_test(debian_s_firmware_measures_as_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
