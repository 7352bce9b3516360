/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the TDX driver that a test can reach without the device. */
#ifndef GUEST_TEE_TDX_H
#define GUEST_TEE_TDX_H

#include "guest/base/flavour.h"
#include "guest/tee/qgs.h"

/* Where the kernel shows the TDX guest device; a test names its own. */
struct tdx_paths {
	const char *device; /* /dev/tdx_guest */
	const char *rtmr3;  /* sysfs, kernel 6.16 or newer */
	const char *tsm;    /* configfs, kernel 6.7 or newer */
};
extern const struct tdx_paths tdx_paths;

/*
 * MRs of a TDREPORT (Intel TDX Module ABI: TDINFO at 512). Its own hash of
 * TDINFO must fit, so that offsets cannot be wrong unseen.
 */
DSTACK_CHECKED enum dstack_status tdx_report_parse(
    const uint8_t report[static TDREPORT_LEN], struct tee_report *out,
    struct why *why);

/* configfs-tsm quote below p->tsm. DSTACK_E_MISSING: there is no such tree. */
DSTACK_CHECKED enum dstack_status tdx_tsm_quote(const struct tdx_paths *p,
    const uint8_t report_data[64], struct wr *out, struct why *why);
DSTACK_CHECKED enum dstack_status tdx_extend(const struct tdx_paths *p,
    const uint8_t digest[48], uint8_t rtmr3[48], struct why *why);

#endif
