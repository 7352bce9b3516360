/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TD HOB: the list of memory that the VMM (QEMU) writes for the firmware,
 * and the first thing that RTMR0 measures (TDVF Design Guide 8.3; layout by PI
 * 1.8, volume 3). It is computed, byte for byte as QEMU does: memory below and
 * above 4 GiB is unaccepted, except for the firmware's sections that the VMM
 * has added itself; each section is cut out of the range around it, so the
 * list's order is the order of addresses. A section outside of memory has no
 * such list and is refused.
 */
#include "measure/hob.h"

#include <stdbool.h>

#define GIB (UINT64_C(1) << 30)
#define RANGES (2 + 2 * TDVF_MAX_SECTIONS)

enum {
	HOB_HANDOFF = 1,
	HOB_RESOURCE = 3,
	HANDOFF_VERSION = 9,
	HANDOFF_LEN = 56,
	RESOURCE_LEN = 48,
	END_LEN = 8,
	SYSTEM_MEMORY = 0, /* added: EFI_RESOURCE_SYSTEM_MEMORY */
	UNACCEPTED = 7,    /* EFI_RESOURCE_MEMORY_UNACCEPTED */
	ATTRIBUTES = 7,    /* present, initialized, tested */
};

struct range {
	uint64_t start, end;
	bool added;
};

struct map {
	struct range r[RANGES];
	size_t n;
};

uint64_t
hob_low_memory(uint64_t memory)
{
	/* 2.75 GiB: what leaves room for PCI; above it QEMU splits at 2 GiB */
	uint64_t low = memory >= 0xb0000000u ? 2 * GIB : 0xb0000000u;
	return memory < low ? memory : low;
}

/* Cut [start, end) out of the unaccepted range that holds all of it. */
static bool
add(struct map *m, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < m->n; i++) {
		struct range old = m->r[i];
		if (old.added || start < old.start || end > old.end)
			continue;
		struct range parts[3] = { { old.start, start, false },
			{ start, end, true }, { end, old.end, false } };
		size_t kept = 0;
		for (size_t k = 0; k < 3; k++)
			if (parts[k].start < parts[k].end)
				parts[kept++] = parts[k];
		/*
		 * RANGES holds whatever TDVF_MAX_SECTIONS cuts can make: this
		 * is a fence, not a case.
		 */
		if (m->n + kept - 1 > RANGES)
			return false;
		for (size_t k = m->n; k > i + 1; k--)
			m->r[k - 1 + kept - 1] = m->r[k - 1];
		for (size_t k = 0; k < kept; k++)
			m->r[i + k] = parts[k];
		m->n += kept - 1;
		return true;
	}
	return false;
}

static void
header(struct wr *w, uint16_t type, uint16_t len)
{
	wr_u16le(w, type);
	wr_u16le(w, len);
	wr_u32le(w, 0);
}

enum dstack_status
hob_build(const struct tdvf *t, uint64_t memory, struct wr *w, struct why *why)
{
	uint64_t low = hob_low_memory(memory);
	struct map m = { .r = { { 0, low, false } }, .n = 1 };
	/* QEMU moves what does not fit below the PCI hole to 4 GiB and up. */
	if (memory > low)
		m.r[m.n++] = (struct range){ 4 * GIB, 4 * GIB + memory - low,
			false };
	for (size_t i = 0; i < t->count; i++) {
		const struct tdvf_section *s = &t->s[i];
		if (s->data == NULL && !add(&m, s->address,
					   s->address + s->size))
			return why_set(why, DSTACK_E_REJECTED,
			    "firmware: a section lies outside of %llu MiB of "
			    "memory",
			    (unsigned long long)(memory >> 20));
	}
	/* a page holds the list of any TDVF_MAX_SECTIONS sections */
	uint64_t len = HANDOFF_LEN + RESOURCE_LEN * m.n;
	_Static_assert(HANDOFF_LEN + RESOURCE_LEN * RANGES + END_LEN <=
	    TDVF_PAGE, "the TD_HOB section is at least a page");
	header(w, HOB_HANDOFF, HANDOFF_LEN);
	wr_u32le(w, HANDOFF_VERSION);
	wr_zero(w, 4 + 4 * 8); /* boot mode; memory top, bottom and free */
	/*
	 * Address of the end of the list. The end entry itself is not measured.
	 */
	wr_u64le(w, t->hob->address + len + END_LEN);
	for (size_t i = 0; i < m.n; i++) {
		header(w, HOB_RESOURCE, RESOURCE_LEN);
		wr_zero(w, 16); /* no owner */
		wr_u32le(w, m.r[i].added ? SYSTEM_MEMORY : UNACCEPTED);
		wr_u32le(w, ATTRIBUTES);
		wr_u64le(w, m.r[i].start);
		wr_u64le(w, m.r[i].end - m.r[i].start);
	}
	return wr_status(w);
}
