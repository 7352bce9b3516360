/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTMR0 to RTMR2 of a TD: kernel, ACPI files, events; see lib/measure. The
 * reference is the boot event log of a real TD that QEMU booted directly, as
 * the project near/mpc publishes it in its tests with the registers of the
 * TD's quote (dstack, 64 GiB).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/hex.h"
#include "base/wr.h"
#include "crypto/hash.h"
#include "dcap/ccel.h"
#include "measure/kernel.h"
#include "measure/tdx.h"
#include "tests/unit/lib/measure/tdvf_make.h"

#define PE_LEN 2600u
#define PE_CERTS 24u
#define OPT 0x58u /* the optional header */

static uint8_t fw[FW_LEN], pe[PE_LEN];
static uint8_t tables[512], rsdp[20], loader[256];
static struct tdx_boot boot;

static void
make_pe(uint8_t *p)
{
	for (unsigned i = 0; i < 0x400; i++)
		p[i] = (uint8_t)(i * 3);
	for (unsigned i = 0; i < PE_LEN - 0x400; i++)
		p[0x400 + i] = (uint8_t)(i * 5 + 1);
	fw_put(p + 0x3c, 0x40, 4);
	memcpy(p + 0x40, "PE\0\0", 4);
	memset(p + 0x44, 0, 20);
	fw_put(p + 0x44, 0x8664, 2);
	fw_put(p + 0x46, 2, 2);
	fw_put(p + 0x54, 160, 2);
	fw_put(p + 0x56, 0x206, 2);
	fw_put(p + OPT, 0x20b, 2);
	fw_put(p + OPT + 60, 0x400, 4);
	fw_put(p + OPT + 108, 6, 4);
	fw_put(p + OPT + 144, PE_LEN - PE_CERTS, 4);
	fw_put(p + OPT + 148, PE_CERTS, 4);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *s = p + OPT + 160 + 40 * i;
		memset(s, 0, 40);
		memcpy(s, i == 0 ? ".s0" : ".s1", 3);
		fw_put(s + 8, i == 0 ? 0x200 : 0x400, 4);
		fw_put(s + 12, i == 0 ? 0x400 : 0x600, 4);
		fw_put(s + 16, i == 0 ? 0x200 : 0x400, 4);
		fw_put(s + 20, i == 0 ? 0x400 : 0x600, 4);
	}
}

/* A table without content, and a MADT of two enabled vCPUs and one not. */
static void
make_acpi(void)
{
	memset(tables, 0, sizeof(tables));
	memset(loader, 1, sizeof(loader));
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(tables, "FACP", 4);
	fw_put(tables + 4, 36, 4);
	memcpy(tables + 36, "APIC", 4);
	fw_put(tables + 40, 36 + 8 + 8 + 12 + 8 + 16, 4);
	uint8_t *e = tables + 36 + 44;
	fw_put(e, 0x0800, 2); /* type 0, 8 bytes */
	fw_put(e + 4, 1, 4);
	e += 8;
	fw_put(e, 0x0c01, 2); /* an I/O APIC */
	e += 12;
	fw_put(e, 0x0800, 2); /* disabled */
	e += 8;
	fw_put(e, 0x1009, 2); /* an x2APIC */
	fw_put(e + 8, 1, 4);
}

static int
fresh(void **state)
{
	static const uint8_t initrd[] = "initrd", netcfg[] = "abc";
	(void)state;
	fw_make(fw);
	make_pe(pe);
	make_acpi();
	boot = (struct tdx_boot){ .firmware = { fw, sizeof(fw) },
		.kernel = { pe, sizeof(pe) }, .initrd = { initrd, 6 },
		.netcfg = { netcfg, 3 }, .cmdline = "console=ttyS0 quiet",
		.acpi = { tables, rsdp, loader, sizeof(tables), sizeof(rsdp),
		    sizeof(loader) },
		.vcpus = 2, .memory_mib = 65536 };
	return 0;
}

static void
is(const uint8_t *digest, const char *want)
{
	char hex[97];
	hex_encode(digest, 48, hex);
	assert_string_equal(hex, want);
}

static void
the_kernel_is_hashed_as_signatures_are(void **state)
{
	(void)state;
	uint8_t d[48], was[48];
	assert_int_equal(
	    kernel_authenticode(pe, sizeof(pe), was, NULL), DSTACK_OK);
	is(was,
	    "ade21f72d2ce3bea485d71c556bada3b8e7da7796e4bd7152900a78c2307079c7c"
	    "b4ce84f5dea61fa0c781a96625dd5c");
	/* neither checksum nor signature nor where it is */
	for (unsigned i = 0; i < 4; i++)
		pe[OPT + 64 + i] ^= 0xff;
	pe[PE_LEN - 1] ^= 1;
	assert_int_equal(
	    kernel_authenticode(pe, sizeof(pe), d, NULL), DSTACK_OK);
	assert_memory_equal(d, was, 48);
	/* every other byte */
	static const size_t at[] = { 0, OPT + 63, OPT + 68, OPT + 143,
		0x3ff, 0x400, 0x5ff, 0x600, 0x9ff, 0xa00, PE_LEN - 25 };
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		pe[at[i]] ^= 1;
		if (kernel_authenticode(pe, sizeof(pe), d, NULL) == DSTACK_OK)
			assert_memory_not_equal(d, was, 48);
		pe[at[i]] ^= 1;
	}
}

static void
no(size_t at, uint64_t v, int n)
{
	uint8_t d[48];
	make_pe(pe);
	fw_put(pe + at, v, n);
	if (kernel_authenticode(pe, sizeof(pe), d, NULL) != DSTACK_E_FORMAT)
		fail_msg("byte %zu was accepted", at);
}

static void
a_kernel_with_two_ways_to_hash_it_is_refused(void **state)
{
	(void)state;
	uint8_t d[48];
	no(0x3c, 0xffffffff, 4);
	no(0x40, 0, 1);
	no(0x46, 97, 2); /* sections past the headers */
	no(0x54, 0xffff, 2);
	no(OPT, 0x10b, 2); /* 32-bit */
	no(OPT + 60, PE_LEN + 1, 4);
	no(OPT + 60, OPT, 4);
	no(OPT + 108, 4, 4);		   /* no security directory */
	no(OPT + 144, PE_LEN - 32, 4);	   /* not at the end */
	no(OPT + 148, PE_LEN, 4);
	no(OPT + 160 + 20, 0x3ff, 4);	   /* section in the headers */
	no(OPT + 160 + 20, 0x401, 4);	   /* a gap */
	no(OPT + 200 + 20, 0x400, 4);	   /* one over the other */
	no(OPT + 200 + 16, 0xffffffff, 4); /* past the end */
	make_pe(pe);
	assert_int_not_equal(
	    kernel_authenticode(pe, sizeof(pe) - 1, d, NULL), DSTACK_OK);
	assert_int_equal(kernel_authenticode(pe, KERNEL_MAX + 1, d, NULL),
	    DSTACK_E_FORMAT);
}

static void
old_qemu_writes_where_the_initrd_will_be(void **state)
{
	(void)state;
	struct why why;
	memcpy(pe + 0x202, "HdrS", 4);
	fw_put(pe + 0x206, 0x20f, 2);
	fw_put(pe + 0x211, 1, 1);
	fw_put(pe + 0x236, 2, 2);
	uint8_t was[PE_LEN];
	memcpy(was, pe, sizeof(was));
	assert_int_equal(kernel_patch_header(pe, sizeof(pe), 0x123456,
	    UINT64_C(4) << 30, NULL), DSTACK_OK);
	/* 2 GiB below 4 GiB, less what QEMU keeps for ACPI, page aligned */
	uint32_t want = (0x80000000u - 0x28000u - 1u - 0x123456u) & ~4095u;
	fw_put(was + 0x218, want, 4);
	fw_put(was + 0x21c, 0x123456, 4);
	fw_put(was + 0x210, 0xb0, 1);
	fw_put(was + 0x211, 0x81, 1);
	fw_put(was + 0x224, 0xfe00, 2);
	fw_put(was + 0x228, 0x20000, 4);
	assert_memory_equal(pe, was, sizeof(was));
	assert_int_equal(kernel_patch_header(
	    pe, sizeof(pe), 16 << 20, 16 << 20, &why), DSTACK_E_REJECTED);
	pe[0x202] = 0;
	assert_int_equal(kernel_patch_header(
	    pe, sizeof(pe), 1, 16 << 20, &why), DSTACK_E_FORMAT);
}

static void
acpi_files_must_be_of_as_many_processors(void **state)
{
	(void)state;
	struct why why;
	assert_int_equal(acpi_check(&boot.acpi, 2, NULL), DSTACK_OK);
	assert_int_equal(acpi_check(&boot.acpi, 3, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "2 vCPUs, not 3"));
	tables[36 + 44 + 1] = 1; /* an entry shorter than its own header */
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	make_acpi();
	fw_put(tables + 40, 600, 4);
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	make_acpi();
	memcpy(tables, "APIC", 4);
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	make_acpi();
	rsdp[0] = 'X';
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	make_acpi();
	boot.acpi.tableslen = ACPI_MAX_FILE + 1;
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	boot.acpi.tableslen = sizeof(tables);
	memset(tables, 'X', sizeof(tables)); /* more tables than any machine */
	for (size_t i = 0; i < sizeof(tables); i += 8)
		fw_put(tables + i + 4, 8, 4);
	memcpy(tables + sizeof(tables) - 8, "APIC", 4);
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
	make_acpi();
	boot.acpi.loaderlen = 100;
	assert_int_equal(acpi_check(&boot.acpi, 2, &why), DSTACK_E_FORMAT);
}

/* The published log, register by register; "" where files are not public. */
static const struct {
	uint8_t rtmr;
	uint32_t type;
	const char *digest;
	bool other; /* of other files than ours */
} published[] = {
	{ 0, 0x8000000b, "519245d8b6b54b48b57143e6647d41e5e6f3b4ef10a73c95be4d9"
			 "a9c0f54115b707e7af5e38f7be6852229b18573690d", false },
	{ 0, 0x8000000a, "344bc51c980ba621aaa00da3ed7436f7d6e549197dfe699515dfa"
			 "2c6583d95e6412af21c097d473155875ffd561d6790", false },
	{ 0, 0x80000001, "9dc3a1f80bcec915391dcda5ffbb15e7419f77eab462bbf72b421"
			 "66fb70d50325e37b36f93537a863769bcf9bedae6fb", false },
	{ 0, 0x80000001, "6f2e3cbc14f9def86980f5f66fd85e99d63e69a73014ed8a5633c"
			 "e56eca5b64b692108c56110e22acadcef58c3250f1b", false },
	{ 0, 0x80000001, "d607c0efb41c0d757d69bca0615c3a9ac0b1db06c557d992e906c"
			 "6b7dee40e0e031640c7bfd7bcd35844ef9edeadc6f9", false },
	{ 0, 0x80000001, "08a74f8963b337acb6c93682f934496373679dd26af1089cb4eaf"
			 "0c30cf260a12e814856385ab8843e56a9acea19e127", false },
	{ 0, 0x80000001, "18cc6e01f0c6ea99aa23f8a280423e94ad81d96d0aeb5180504fc"
			 "0f7a40cb3619dd39bd6a95ec1680a86ed6ab0f9828d", false },
	{ 0, 4, "394341b7182cd227c5c6b07ef8000cdfd86136c4292b8e576573ad7ed9ae4"
		"1019f5818b4b971c9effc60e1ad9f1289f0", false },
	{ 0, 10, "6dae15170c9fea6455681e3f838941a642ff9001a02a333e9ca8549af1db"
		 "4ba47f01403e31dabe6e8a0b41ddd38b6d99", true },
	{ 0, 10, "b3a62232ef6be064cce25a8b92cf55d4a6c099ee7a9c0852ce0c7d572393"
		 "dae84895c0f59a9db5000f0b34a90c1b1bec", true },
	{ 0, 10, "b6ed8ff3fca3c308f3f1ec7889054cc900b1c6dad9b14aedd0144d046626"
		 "c81a5dbae47937f4949bb2d674a0bd699a7b", true },
	{ 1, 0x80000003, "8cc63f85b7793b5c25bd02b8f68508b99fd4a1d59b477e4053dfd"
			 "91768dfa62822be5ab001b353cbde25eb173a228723", true },
	{ 0, 0x80000002, "1dd6f7b457ad880d840d41c961283bab688e94e4b59359ea45686"
			 "581e90feccea3c624b1226113f824f315eb60ae0a7c", false },
	{ 0, 0x80000002, "23ada07f5261f12f34a0bd8e46760962d6b4d576a416f1fea1c64"
			 "bc656b1d28eacf7047ae6e967c58fd2a98bfa74c298", false },
	{ 1, 0x80000007, "77a0dab2312b4e1e57a84d865a21e5b2ee8d677a21012ada819d0"
			 "a98988078d3d740f6346bfe0abaa938ca20439a8d71", false },
	{ 1, 4, "394341b7182cd227c5c6b07ef8000cdfd86136c4292b8e576573ad7ed9ae4"
		"1019f5818b4b971c9effc60e1ad9f1289f0", false },
	{ 2, 6, "3a39dd006e06b2e52764221aee49c94bd4ef798317f27968140e6d0823f52"
		"b4ee87b2788960e5d119d287d9b62885a10", true },
	{ 2, 6, "f82aa3cc8b76d7bb525184c89c5928fb67fcd8b508c55e3eec4a5e3f6f9d7"
		"8b2427ae66f1689edeef0e6614e8aa3fe54", true },
	{ 1, 0x80000007, "214b0bef1379756011344877743fdc2a5382bac6e70362d624ccf"
			 "3f654407c1b4badf7d8f9295dd3dabdef65b27677e0", false },
	{ 1, 0x80000007, "0a2e01c85deae718a530ad8c6d20a84009babe6c8989269e950d8"
			 "cf440c6e997695e64d455c4174a652cd080f6230b74", false },
};
#define PUBLISHED (sizeof(published) / sizeof(published[0]))

static void
extend(uint8_t r[48], const uint8_t d[48])
{
	const struct piece v[] = { { r, 48 }, { d, 48 } };
	uint8_t next[48];
	sha384v(v, 2, next);
	memcpy(r, next, 48);
}

static void
a_real_td_s_log_is_predicted_event_by_event(void **state)
{
	(void)state;
	static struct tdx_prediction p;
	uint8_t r[3][48] = { { 0 } };
	assert_int_equal(tdx_predict(&boot, &p, NULL), DSTACK_OK);
	assert_int_equal(p.events, PUBLISHED);
	for (unsigned reg = 0; reg < 3; reg++) {
		size_t i = 0;
		for (size_t k = 0; k < p.events; k++) {
			const struct tdx_event *e = &p.event[k];
			uint8_t d[48];
			if (e->rtmr != reg)
				continue;
			while (published[i].rtmr != reg)
				i++;
			assert_int_equal(e->type, published[i].type);
			assert_non_null(e->text);
			assert_int_equal(
			    hex_decode(published[i].digest, 96, d, 48),
			    DSTACK_OK);
			if (published[i].other)
				assert_memory_not_equal(e->digest, d, 48);
			else
				assert_memory_equal(e->digest, d, 48);
			extend(r[reg], d);
			i++;
		}
	}
	/* and these events make the registers of that TD's quote */
	is(r[0], "3744b154069500a466f514253b49858299b2e1bdc44e3d557337d81e828be"
		 "df6a0410f27d3a18c932e5e49e1c4215737");
	is(r[1], "4b66e888c8dfa7a504fc7ca060ab9e2d051233f115d71304085570c7ac71f"
		 "5a190a3e237d15f0965967a78539ba0d787");
	is(r[2], "5a41c9f71ce5655b6ba605fe0d00a0a05add7471acaaa6aa155bce1e04b82"
		 "04f0fffaec2e6c95ffc1442b37e141127d9");
}

/*
 * A TD of 16 GiB and 8 CPUs (Tinfoil's cvmimage), published with its RTMR0 in
 * the tests of virtee/tdx-measure together with QEMU's arguments. The tables'
 * digests are those of the files that dstack's way of reading them (host/
 * vm_acpi.h) gives with these arguments, QEMU 10.0.13 and Debian 13's OVMF.
 */
static void
another_td_s_rtmr0_is_predicted_with_the_tables_read_here(void **state)
{
	(void)state;
	static struct tdx_prediction p;
	static const char *const acpi[] = {
		"84db560c1236915fc523c9bc14355a124290f448db2f302740b06170548dc9"
		"3ddbf16d0aac71276ae5be29e0761782c4",
		"727c0e3904042ea889dbeb79d48b7ec3cb922df485d65775a07533e1aa83e3"
		"166cbafa24b091e17533ad2f48a543d961",
		"66bb50e2c4bcde199d3e62344d9e2276d9fa117c861f14fd9bf6a3bcfebf6e"
		"fc97059e273f08bf5a09fa0853b2492048",
	};
	uint8_t r[48] = { 0 };
	size_t next = 0;
	boot.memory_mib = 16384;
	assert_int_equal(tdx_predict(&boot, &p, NULL), DSTACK_OK);
	for (size_t i = 0; i < p.events; i++) {
		uint8_t d[48];
		if (p.event[i].rtmr != 0)
			continue;
		memcpy(d, p.event[i].digest, 48);
		if (p.event[i].type == 10)
			assert_int_equal(hex_decode(acpi[next++], 96, d, 48),
			    DSTACK_OK);
		extend(r, d);
	}
	assert_int_equal(next, 3);
	is(r, "a2749c840579faca6adf0c9c3ab69f277556cda67f8a6b3553c2c7fbf00e9706"
	      "ec77a6f6960d802433b339ff8b72eefb");
}

static void
registers_are_the_events_in_order(void **state)
{
	(void)state;
	static struct tdx_prediction p;
	uint8_t r[3][48] = { { 0 } };
	assert_int_equal(tdx_predict(&boot, &p, NULL), DSTACK_OK);
	for (size_t i = 0; i < p.events; i++)
		extend(r[p.event[i].rtmr], p.event[i].digest);
	assert_memory_equal(r, p.rtmr, sizeof(r));
	/* the command line, UTF-16 with a NUL, and OVMF's word behind it */
	is(p.event[p.events - 2].digest,
	    "84d8bb0cdce30e79de0d21467e3ded56bd08e8486e8d907178e8c8fadb3a8b08c5"
	    "ddc0bab090b78b814fc71fbcc1dcc6");
	/* FIPS 180-2 appendix D.1 */
	is(p.mrconfigid,
	    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed80"
	    "86072ba1e7cc2358baeca134c825a7");
}

/* Which registers differ when one input does: bit 0 MRTD, 1..3 RTMR0..2. */
static unsigned
changed(void)
{
	static struct tdx_prediction p, q;
	static struct tdx_boot b;
	struct tdx_boot now = boot;
	unsigned set = 0;
	assert_int_equal(tdx_predict(&now, &q, NULL), DSTACK_OK);
	fresh(NULL);
	b = boot;
	assert_int_equal(tdx_predict(&b, &p, NULL), DSTACK_OK);
	set |= memcmp(p.mrtd, q.mrtd, 48) != 0 ? 1 : 0;
	for (int i = 0; i < 3; i++)
		set |= memcmp(p.rtmr[i], q.rtmr[i], 48) != 0 ? 2u << i : 0;
	set |= memcmp(p.mrconfigid, q.mrconfigid, 48) != 0 ? 16 : 0;
	return set;
}

static void
each_input_moves_its_own_register_and_no_other(void **state)
{
	(void)state;
	assert_int_equal(changed(), 0);
	fw[FW_CFV] ^= 1;
	assert_int_equal(changed(), 1);
	fw[FW_CFV - 1] ^= 1;
	assert_int_equal(changed(), 2);
	boot.memory_mib = 4096;
	assert_int_equal(changed(), 2);
	tables[20] ^= 1;
	assert_int_equal(changed(), 2);
	loader[0] ^= 1;
	assert_int_equal(changed(), 2);
	rsdp[19] ^= 1;
	assert_int_equal(changed(), 2);
	pe[0x500] ^= 1;
	assert_int_equal(changed(), 4);
	boot.cmdline = "console=ttyS0 quiet ";
	assert_int_equal(changed(), 8);
	boot.initrd.p = (const uint8_t *)"Initrd";
	assert_int_equal(changed(), 8);
	boot.netcfg.p = (const uint8_t *)"abd";
	assert_int_equal(changed(), 16);
}

static void
what_cannot_be_predicted_is_refused(void **state)
{
	(void)state;
	static struct tdx_prediction p;
	struct why why;
	fw_put(fw + 100, 0x55aa, 2);
	assert_int_equal(tdx_predict(&boot, &p, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "not blank"));
	fresh(NULL);
	boot.cmdline = "quiet\ninit=/bin/sh";
	assert_int_equal(tdx_predict(&boot, &p, &why), DSTACK_E_FORMAT);
	fresh(NULL);
	boot.vcpus = 4;
	assert_int_equal(tdx_predict(&boot, &p, &why), DSTACK_E_REJECTED);
	fresh(NULL);
	boot.netcfg.n = 0;
	assert_int_equal(tdx_predict(&boot, &p, &why), DSTACK_E_MISSING);
}

/* --- a guest's log against the prediction --- */

static unsigned calls, first_rtmr, first_index;
static bool no_prediction, no_event;

static void
note(void *ctx, unsigned rtmr, unsigned index,
    const struct tdx_event *predicted, const struct ccel_event *logged)
{
	(void)ctx;
	if (calls++ == 0) {
		first_rtmr = rtmr;
		first_index = index;
	}
	no_prediction = predicted == NULL;
	no_event = logged == NULL;
}

static void
put_event(struct wr *w, uint32_t mr, uint32_t type, const uint8_t digest[48])
{
	wr_u32le(w, mr);
	wr_u32le(w, type);
	wr_u32le(w, 1);
	wr_u16le(w, 0x000c);
	wr_put(w, digest, 48);
	wr_u32le(w, 0);
}

/* The log of a prediction, without its event number skip. */
static void
put_log(struct wr *w, const struct tdx_prediction *p, size_t skip)
{
	static const uint8_t head[65] = { 1, 0, 0, 0, 3, [28] = 33, [32] = 'S',
		'p', 'e', 'c', ' ', 'I', 'D', ' ', 'E', 'v', 'e', 'n', 't', '0',
		'3', [53] = 2, [55] = 2, [56] = 1, [60] = 0x0c, [62] = 48 };
	wr_put(w, head, sizeof(head));
	for (size_t i = 0; i < p->events; i++)
		if (i != skip)
			put_event(w, p->event[i].rtmr + 1u, p->event[i].type,
			    p->event[i].digest);
}

static void
the_first_event_that_differs_is_named(void **state)
{
	(void)state;
	static struct tdx_prediction p;
	unsigned n = 99;
	assert_int_equal(tdx_predict(&boot, &p, NULL), DSTACK_OK);
	AUTO_WR struct wr same = wr_new(0);
	put_log(&same, &p, SIZE_MAX);
	assert_int_equal(tdx_compare(&p, same.buf, same.len, note, NULL, &n,
	    NULL), DSTACK_OK);
	assert_int_equal(n, 0);
	AUTO_WR struct wr less = wr_new(0);
	put_log(&less, &p, p.events - 1);
	calls = 0;
	assert_int_equal(tdx_compare(&p, less.buf, less.len, note, NULL, &n,
	    NULL), DSTACK_OK);
	assert_int_equal(n, 1);
	assert_int_equal(first_rtmr, 2);
	assert_int_equal(first_index, 1);
	assert_true(no_event);
	put_event(&same, 2, 4, p.event[0].digest);
	calls = 0;
	assert_int_equal(tdx_compare(&p, same.buf, same.len, note, NULL, &n,
	    NULL), DSTACK_OK);
	assert_int_equal(n, 1);
	assert_int_equal(first_rtmr, 1);
	assert_true(no_prediction);
	p.event[0].digest[0] ^= 1;
	calls = 0;
	assert_int_equal(tdx_compare(&p, less.buf, less.len, note, NULL, &n,
	    NULL), DSTACK_OK);
	assert_int_equal(n, 2);
	assert_int_equal(first_rtmr, 0);
	assert_int_equal(first_index, 0);
	assert_int_equal(tdx_compare(&p, less.buf, 10, note, NULL, &n, NULL),
	    DSTACK_E_FORMAT);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		T(the_kernel_is_hashed_as_signatures_are),
		T(a_kernel_with_two_ways_to_hash_it_is_refused),
		T(old_qemu_writes_where_the_initrd_will_be),
		T(acpi_files_must_be_of_as_many_processors),
		T(a_real_td_s_log_is_predicted_event_by_event),
		T(another_td_s_rtmr0_is_predicted_with_the_tables_read_here),
		T(registers_are_the_events_in_order),
		T(each_input_moves_its_own_register_and_no_other),
		T(what_cannot_be_predicted_is_refused),
		T(the_first_event_that_differs_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
