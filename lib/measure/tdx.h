/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a TDX guest that QEMU boots by -bios TDVF -kernel -initrd
 * -append, computed from those files and the VM's shape before it runs. The
 * firmware is OVMF as of edk2-stable202502 with a blank variable store (what
 * Debian 13 ships): newer ones measure more, and are not predicted.
 *
 * Each event's .text names what it follows. Registers: r = SHA-384(r || d),
 * from 48 zero bytes (TDG.MR.RTMR.EXTEND, TDX Module ABI 348551; UEFI 2.10
 * section 38.4 for which register a PCR's events go to: 0, 2..7 by TDVF's
 * table in its Design Guide section 8.1).
 */
#ifndef MEASURE_TDX_H
#define MEASURE_TDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "measure/acpi.h"

#define TDX_MAX_EVENTS 24u

struct tdx_bytes {
	const uint8_t *p; /* borrowed */
	size_t n;
};

struct tdx_boot {
	struct tdx_bytes firmware, kernel, initrd, netcfg;
	const char *cmdline; /* as QEMU's -append has it; ASCII */
	struct acpi_files acpi;
	uint32_t vcpus;
	uint32_t memory_mib;
	bool patched_header; /* QEMU before 10.2; see measure/kernel.h */
};

struct tdx_event {
	uint8_t rtmr;  /* 0..2 */
	uint32_t type; /* TCG event type, as the CCEL has it */
	uint8_t digest[48];
	const char *name; /* static */
	const char *text; /* static: the document or code it follows */
};

struct tdx_prediction {
	uint8_t mrtd[48];
	uint8_t rtmr[4][48]; /* [3] is zero: nothing of ours ran yet */
	uint8_t mrconfigid[48];
	struct tdx_event event[TDX_MAX_EVENTS];
	size_t events;
};

DSTACK_CHECKED enum dstack_status tdx_predict(const struct tdx_boot *b,
    struct tdx_prediction *out, struct why *why);

/*
 * Hold a guest's boot event log against a prediction; the log tells an
 * operator where to look, and is never a source of the prediction. said is
 * called for each event that is not as predicted: index in its register,
 * predicted and logged (either NULL: the other side has one more).
 * *differ: how many. DSTACK_E_FORMAT: the log is broken.
 */
struct ccel_event;
typedef void tdx_differs(void *ctx, unsigned rtmr, unsigned index,
    const struct tdx_event *predicted, const struct ccel_event *logged);
DSTACK_CHECKED enum dstack_status tdx_compare(const struct tdx_prediction *p,
    const void *log, size_t len, tdx_differs *said, void *ctx,
    unsigned *differ, struct why *why);

#endif
