/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two flavours of the guest. They differ in the TEE driver and in the
 * trust root for quotes, and in nothing else. guest/init/main.c, compiled once
 * per flavour with DSTACK_FLAVOUR_SIM or DSTACK_FLAVOUR_TDX, defines
 *
 *	const struct flavour dstack_flavour = DSTACK_FLAVOUR_INIT;
 *
 * and is the only file that names a driver or a root, so the linker leaves
 * the other one's object in the archive (tests/lint looks for it).
 */
#ifndef GUEST_FLAVOUR_H
#define GUEST_FLAVOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

/* What the TEE says of this VM. RTMR3 is the run-time one. */
struct tee_report {
	uint8_t mrtd[48];
	uint8_t rtmr[4][48];
	uint8_t mrconfigid[48];
};

/*
 * Drivers are used by the tee role alone, from one thread.
 * quote: appends the raw quote over report_data to out.
 * extend: RTMR3 = SHA-384(RTMR3 || digest); the new value to rtmr3.
 * Status: DSTACK_E_MISSING device absent or too old, DSTACK_E_BUSY the host
 * stalls the device, DSTACK_E_SYS I/O, DSTACK_E_FORMAT it answers nonsense.
 */
struct tee_driver {
	const char *name; /* "sim" or "tdx" */
	enum dstack_status (*quote)(const uint8_t report_data[64],
	    struct wr *out, struct why *why);
	enum dstack_status (*extend)(const uint8_t digest[48],
	    uint8_t rtmr3[48], struct why *why);
	enum dstack_status (*report)(struct tee_report *out, struct why *why);
};

struct trust_root {
	const char *name;
	uint8_t key[64]; /* P-256 public key, x || y */
	bool simulated;  /* quotes under it prove nothing about hardware */
};

struct flavour {
	const char *name; /* "sim" or "tdx" */
	const struct tee_driver *tee;
	const struct trust_root *root;
};

extern const struct tee_driver tee_driver_sim; /* guest/tee/sim.c */
extern const struct trust_root trust_root_sim; /* guest/tee/trust_sim.c */
extern const struct tee_driver tee_driver_tdx; /* guest/tee/tdx.c */
extern const struct trust_root trust_root_tdx; /* guest/tee/trust_tdx.c */

#if defined(DSTACK_FLAVOUR_SIM)
#define DSTACK_FLAVOUR_INIT { "sim", &tee_driver_sim, &trust_root_sim }
#elif defined(DSTACK_FLAVOUR_TDX)
#define DSTACK_FLAVOUR_INIT { "tdx", &tee_driver_tdx, &trust_root_tdx }
#endif

/* Of this program: defined in guest/init/main.c, or by a test. */
extern const struct flavour dstack_flavour;

#endif
