/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel as the firmware measures it: the Authenticode hash of a PE image
 * (Windows Authenticode Portable Executable Signature Format, 1.0). What is
 * hashed is the file without its checksum, its security directory entry and its
 * signatures. The format lets a file be odd in ways in which two hashers differ
 * (gaps, overlapping or unsorted sections, data behind the last one), so only
 * images are taken that can be hashed in one way: sections one behind the
 * other, from the headers to the end.
 *
 * kernel_patch_header is for QEMU before 10.2 (docs/measurement.md): it writes
 * its own words into the bzImage header before the firmware sees the file, and
 * they depend on memory and initramfs.
 */
#include "measure/kernel.h"

#include <string.h>

#include "base/rd.h"
#include "crypto/hash.h"
#include "measure/hob.h"

#define MAX_SECTIONS 96u
#define CHECKSUM 64u      /* in the optional header; 4 bytes */
#define DIRECTORIES 108u  /* PE32+: their number, then 8 bytes each */
#define SECURITY 4u       /* the security directory's index */

struct pe {
	size_t checksum;  /* offsets in the file */
	size_t directory; /* entry of the security directory, 8 bytes */
	size_t headers;   /* length of all headers */
	uint32_t certs, certs_len;
	size_t count;
	struct {
		uint32_t at, len;
	} section[MAX_SECTIONS];
};

static enum dstack_status
broken(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_FORMAT, "kernel: %s", text);
}

static enum dstack_status
at_u32(const uint8_t *p, size_t len, size_t at, uint32_t *out)
{
	struct rd r = rd_over(p, len);
	enum dstack_status st = rd_skip(&r, at);
	return st == DSTACK_OK ? rd_u32le(&r, out) : st;
}

static enum dstack_status
sections(struct rd *r, size_t n, struct pe *pe)
{
	enum dstack_status st = DSTACK_OK;
	size_t end = pe->headers;
	/* The PE loader's own limit of sections. */
	if (n > MAX_SECTIONS)
		return DSTACK_E_FORMAT;
	for (size_t i = 0; i < n && st == DSTACK_OK; i++) {
		uint32_t size = 0, at = 0;
		st = rd_skip(r, 16); /* name, virtual size and address */
		if (st == DSTACK_OK)
			st = rd_u32le(r, &size);
		if (st == DSTACK_OK)
			st = rd_u32le(r, &at);
		if (st == DSTACK_OK)
			st = rd_skip(r, 16);
		if (st != DSTACK_OK || size == 0)
			continue;
		/* in file order and apart: nothing to sort, nothing twice */
		if (at < end)
			return DSTACK_E_FORMAT;
		pe->section[pe->count].at = at;
		pe->section[pe->count++].len = size;
		end = (size_t)at + size;
	}
	return st;
}

static enum dstack_status
parse(const uint8_t *p, size_t len, struct pe *pe)
{
	struct rd r = rd_over(p, len), opt = r;
	const uint8_t *sig = NULL;
	uint32_t lfanew = 0, headers = 0, dirs = 0;
	uint16_t count = 0, optlen = 0, magic = 0;
	enum dstack_status st = at_u32(p, len, 0x3c, &lfanew);
	if (st == DSTACK_OK)
		st = rd_skip(&r, lfanew);
	if (st == DSTACK_OK)
		st = rd_take(&r, 4, &sig);
	if (st == DSTACK_OK && memcmp(sig, "PE\0\0", 4) != 0)
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = rd_skip(&r, 2); /* machine */
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &count);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 12);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &optlen);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 2);
	size_t base = r.pos;
	if (st == DSTACK_OK)
		st = rd_sub(&r, optlen, &opt);
	if (st == DSTACK_OK)
		st = rd_u16le(&opt, &magic);
	/* PE32+, the only kind a 64-bit firmware starts. */
	if (st == DSTACK_OK && magic != 0x20b)
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = at_u32(opt.buf, opt.len, 60, &headers);
	if (st == DSTACK_OK)
		st = at_u32(opt.buf, opt.len, DIRECTORIES, &dirs);
	size_t entry = DIRECTORIES + 4 + 8 * SECURITY;
	if (st == DSTACK_OK && (dirs <= SECURITY || headers > len))
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = at_u32(opt.buf, opt.len, entry, &pe->certs);
	if (st == DSTACK_OK)
		st = at_u32(opt.buf, opt.len, entry + 4, &pe->certs_len);
	pe->checksum = base + CHECKSUM;
	pe->directory = base + entry;
	pe->headers = headers;
	if (st == DSTACK_OK && headers < pe->directory + 8)
		st = DSTACK_E_FORMAT;
	return st == DSTACK_OK ? sections(&r, count, pe) : st;
}

enum dstack_status
kernel_authenticode(
    const void *image, size_t len, uint8_t out[static 48], struct why *why)
{
	const uint8_t *p = image;
	struct pe pe = { .count = 0 };
	if (len > KERNEL_MAX)
		return broken(why, "over 64 MiB");
	if (parse(p, len, &pe) != DSTACK_OK)
		return broken(why,
		    "not a 64-bit PE image (a bzImage with an EFI stub)");
	size_t end = pe.headers;
	for (size_t i = 0; i < pe.count; i++) {
		/* a gap would be hashed by some and not by others */
		if (pe.section[i].at != end ||
		    pe.section[i].len > len - end)
			return broken(why,
			    "its sections do not lie one behind the other");
		end += pe.section[i].len;
	}
	size_t rest = len - end;
	/*
	 * Authenticode pads to 8 bytes before it hashes; firmware and tools
	 * differ on whether they do, so a file that needs it is refused.
	 */
	if (len % 8 != 0 || rest < pe.certs_len ||
	    (pe.certs_len != 0 && pe.certs != len - pe.certs_len))
		return broken(why,
		    "length or signatures leave no single way to hash it");
	struct hasher *h = hasher_new(HASHER_SHA384);
	if (h == NULL)
		return why_set(why, DSTACK_E_NOMEM, "kernel: no memory");
	hasher_update(h, p, pe.checksum);
	hasher_update(h, p + pe.checksum + 4, pe.directory - pe.checksum - 4);
	hasher_update(h, p + pe.directory + 8,
	    len - pe.certs_len - pe.directory - 8);
	hasher_final(h, out);
	return DSTACK_OK;
}

static void
put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

enum dstack_status
kernel_patch_header(uint8_t *image, size_t len, uint64_t initrd_size,
    uint64_t memory, struct why *why)
{
	enum {
		LOADER = 0x210, FLAGS = 0x211, INITRD = 0x218,
		INITRD_SIZE = 0x21c, HEAP = 0x224, CMDLINE = 0x228,
		XLOAD = 0x236, HEADER_END = 0x268,
		REAL_ADDR = 0x10000, CMDLINE_ADDR = 0x20000,
		ACPI_DATA = 0x28000, /* what QEMU's pc machines keep free */
	};
	/*
	 * Fields of Documentation/arch/x86/boot.rst: older protocols are
	 * patched differently by QEMU.
	 */
	if (len < HEADER_END || memcmp(image + 0x202, "HdrS", 4) != 0 ||
	    image[0x207] < 2 || (image[0x207] == 2 && image[0x206] < 0x0c) ||
	    (image[FLAGS] & 1) == 0 || (image[XLOAD] & 2) == 0)
		return broken(why,
		    "not a bzImage of boot protocol 2.12 that loads above "
		    "4 GiB");
	uint64_t top = hob_low_memory(memory);
	if (top < ACPI_DATA + 1 || initrd_size >= top - ACPI_DATA - 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "initramfs: larger than the VM's memory below 4 GiB");
	/*
	 * QEMU's x86_load_linux: the initrd as high as it fits below the ACPI
	 * data, on a page.
	 */
	uint64_t at = (top - ACPI_DATA - 1 - initrd_size) & ~UINT64_C(4095);
	image[LOADER] = 0xb0; /* QEMU */
	image[FLAGS] |= 0x80; /* the heap may be used */
	put(image + HEAP, CMDLINE_ADDR - REAL_ADDR - 0x200, 2);
	put(image + CMDLINE, CMDLINE_ADDR, 4);
	put(image + INITRD, at, 4);
	put(image + INITRD_SIZE, initrd_size, 4);
	return DSTACK_OK;
}
