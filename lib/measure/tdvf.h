/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TDVF: the firmware file of a trust domain. Its metadata says which pages
 * the VMM adds to the TD before it runs and which of them are measured; MRTD
 * follows from that alone.
 *
 * Sources: Intel TDX Virtual Firmware Design Guide (344991), chapter 11 "TDVF
 * metadata"; edk2 OvmfPkg/ResetVector (the table of GUIDed entries that ends
 * 32 bytes before the file's end); TDX Module Base Architecture (348549) on
 * TDH.MEM.PAGE.ADD and TDH.MR.EXTEND. What QEMU's hw/i386/tdvf.c refuses is
 * refused here too.
 */
#ifndef MEASURE_TDVF_H
#define MEASURE_TDVF_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define TDVF_MAX_SECTIONS 16u
#define TDVF_MAX_FILE (16u * 1024 * 1024)
#define TDVF_PAGE 4096u

enum tdvf_type {
	TDVF_BFV = 0,      /* boot firmware volume */
	TDVF_CFV = 1,      /* configuration firmware volume: variables */
	TDVF_TD_HOB = 2,   /* the VMM writes the hand-off blocks here */
	TDVF_TEMP_MEM = 3, /* zeroed memory for the firmware's first steps */
};

struct tdvf_section {
	const uint8_t *data; /* borrowed; size bytes, NULL for memory only */
	uint64_t address;    /* guest physical; pages */
	uint64_t size;       /* bytes; pages */
	uint32_t type;       /* enum tdvf_type */
	int extend;          /* its content goes into MRTD, not only its place */
};

/* The sections in the order of the file, which is the order of MRTD. */
struct tdvf {
	struct tdvf_section s[TDVF_MAX_SECTIONS];
	size_t count;
	const struct tdvf_section *cfv; /* into s: exactly one each */
	const struct tdvf_section *hob;
};

/*
 * The metadata of a firmware file; out borrows the file's bytes. One CFV, one
 * TD_HOB, at least one measured BFV, no two sections over the same page.
 * out must not be copied (it points into itself).
 */
DSTACK_CHECKED enum dstack_status tdvf_parse(
    const void *file, size_t len, struct tdvf *out, struct why *why);

/*
 * MRTD: SHA-384 over one 128-byte block for each page added (name and
 * address), followed, for measured sections, by sixteen pairs of a 128-byte
 * block and 256 bytes of the page. KVM's order: page by page.
 */
void tdvf_mrtd(const struct tdvf *t, uint8_t out[static 48]);

/*
 * DSTACK_E_REJECTED unless the CFV's variable store is empty: a variable in
 * it (boot order, Secure Boot keys) would change RTMR0's later events.
 * edk2 MdeModulePkg VariableFormat.h, PI vol. 3 section 3.2 (volume header).
 */
DSTACK_CHECKED enum dstack_status tdvf_blank(
    const struct tdvf *t, struct why *why);

#endif
