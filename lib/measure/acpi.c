/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI files that QEMU hands to the firmware, which RTMR0 measures as they
 * are. They are not computed here but taken from a QEMU that ran with the same
 * options ("dstack vm acpi"), so what is checked is that they are such files at
 * all, and of a machine with as many processors as the prediction is for: files
 * of another shape would give registers that no node ever shows, and nobody
 * would see why. The bytes are a file's, hence bounded and walked by cursor.
 */
#include "measure/acpi.h"

#include <string.h>

#include "base/rd.h"

#define MAX_TABLES 64u
#define HEADER_REST 28u /* of the 36 bytes, after signature and length */

static enum dstack_status
broken(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_FORMAT, "ACPI tables: %s", text);
}

/* The MADT's body: local APICs (type 0) and x2APICs (9) that are enabled. */
static enum dstack_status
processors(struct rd t, uint32_t *count)
{
	enum dstack_status st = rd_skip(&t, 8); /* APIC address, flags */
	while (st == DSTACK_OK && rd_left(&t) != 0) {
		/*
		 * Types by ACPI 6.5, section 5.2.12; bit 0 of the flags: the
		 * processor is there.
		 */
		struct rd e;
		uint8_t type = 0, len = 0;
		uint32_t flags = 0;
		st = rd_u8(&t, &type);
		if (st == DSTACK_OK)
			st = rd_u8(&t, &len);
		if (st == DSTACK_OK)
			st = len < 2 ? DSTACK_E_FORMAT
				     : rd_sub(&t, len - 2u, &e);
		if (st != DSTACK_OK || (type != 0 && type != 9))
			continue;
		st = rd_skip(&e, type == 0 ? 2 : 6);
		if (st == DSTACK_OK)
			st = rd_u32le(&e, &flags);
		*count += flags & 1;
	}
	return st;
}

enum dstack_status
acpi_check(const struct acpi_files *f, uint32_t vcpus, struct why *why)
{
	struct rd r = rd_over(f->tables, f->tableslen);
	uint32_t count = 0;
	unsigned madt = 0, n = 0;
	if (f->tableslen > ACPI_MAX_FILE || f->loaderlen > ACPI_MAX_FILE ||
	    f->loaderlen == 0 || f->loaderlen % 128 != 0)
		return broken(why, "the loader file is not QEMU's");
	if (f->rsdplen < 20 || f->rsdplen > 36 ||
	    memcmp(f->rsdp, "RSD PTR ", 8) != 0)
		return broken(why, "the rsdp file is not an RSDP");
	while (rd_left(&r) >= 8) {
		const uint8_t *sig = NULL;
		uint32_t len = 0;
		struct rd t;
		enum dstack_status st = rd_take(&r, 4, &sig);
		if (st == DSTACK_OK)
			st = rd_u32le(&r, &len);
		if (st == DSTACK_OK && len == 0 && sig[0] == 0)
			break; /* the padding behind the last table */
		/*
		 * A length that does not even hold its own header would never
		 * end the walk.
		 */
		if (st == DSTACK_OK && (len < 8 || n++ >= MAX_TABLES))
			st = DSTACK_E_FORMAT;
		if (st == DSTACK_OK)
			st = rd_sub(&r, len - 8, &t);
		if (st == DSTACK_OK && memcmp(sig, "APIC", 4) == 0) {
			madt++;
			st = rd_skip(&t, HEADER_REST);
			if (st == DSTACK_OK)
				st = processors(t, &count);
		}
		if (st != DSTACK_OK)
			return broken(why, "the tables file is broken");
	}
	/* Two would leave it to the kernel which of them counts. */
	if (madt != 1)
		return broken(why, "the tables file has no single MADT");
	if (count != vcpus)
		return why_set(why, DSTACK_E_REJECTED,
		    "ACPI tables: of a machine with %u vCPUs, not %u; dump "
		    "them with the same options",
		    count, vcpus);
	return DSTACK_OK;
}
