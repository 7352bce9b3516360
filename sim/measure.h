/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulated TEE says of a VM before any of its code ran
 * (docs/internals.md section 3). The one function that both the simulator and
 * "dstack image measure" use.
 *
 * With ext(r, d) = SHA-384(r || d), r 48 zero bytes at first:
 *   MRTD        ext(0, SHA-384("dstack2/sim/firmware/v1"))
 *   RTMR0       ext(0, SHA-384("dstack2/sim/shape/v1" || vcpus u32be ||
 *               memory in MiB u32be))
 *   RTMR1       ext(0, SHA-384(kernel file))
 *   RTMR2       ext(ext(0, SHA-384(command line)), SHA-384(initramfs file))
 *   MRCONFIGID  SHA-384(netcfg text)
 */
#ifndef SIM_MEASURE_H
#define SIM_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct sim_boot {
	uint8_t kernel[48];    /* SHA-384 of each file */
	uint8_t initramfs[48]; /* of nothing, if there is none */
	const char *cmdline;   /* as the kernel gets it, no newline; borrowed */
	const void *netcfg;    /* borrowed */
	size_t netcfglen;
	uint32_t vcpus;
	uint32_t memory_mib;
};

struct sim_measurements {
	uint8_t mrtd[48];
	uint8_t rtmr[4][48]; /* [3] is zero: nothing ran yet */
	uint8_t mrconfigid[48];
	uint8_t td_attributes[8]; /* little-endian; SEPT_VE_DISABLE alone */
	uint8_t xfam[8];
};

void sim_measure(const struct sim_boot *boot, struct sim_measurements *out);
/* r = SHA-384(r || digest). */
void sim_extend(uint8_t r[static 48], const uint8_t digest[static 48]);

/*
 * SHA-384 of the regular file at path. DSTACK_E_SYS: errno says why.
 * DSTACK_E_MISSING: there is none, or it is no regular file.
 */
DSTACK_CHECKED enum dstack_status sim_hash_file(
    const char *path, uint8_t out[static 48], struct why *why);

#endif
