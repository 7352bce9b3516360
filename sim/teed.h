/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated TEE of one VM: measures what it is told the VM boots, holds
 * RTMR3 for as long as it runs, and quotes on request over the TEE port
 * (docs/internals.md section 3). One process a VM boot: a VM that starts
 * again gets a new one. A connection that breaks and comes back finds RTMR3
 * as it was.
 */
#ifndef SIM_TEED_H
#define SIM_TEED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "sim/measure.h"
#include "sim/pki.h"

#define TEED_MAX_SET 8

struct teed_options {
	const char *kernel;
	const char *initrd;       /* NULL or "": none */
	const char *cmdline_file; /* a newline at its end is not part of it */
	const char *netcfg;
	const char *platform;     /* names the simulated machine */
	const char *listen;       /* path of the Unix socket to make, 0600 */
	const char *set[TEED_MAX_SET]; /* see teed_set */
	size_t nset;
	uint32_t vcpus;
	uint32_t memory_mib;
};

struct teed {
	struct sim_world world; /* its quote has the VM's measurements */
};

/*
 * Measure the files. DSTACK_E_MISSING or DSTACK_E_SYS: one cannot be read;
 * DSTACK_E_LIMIT: command line or netcfg over 4 KiB.
 */
DSTACK_CHECKED enum dstack_status teed_measure(const struct teed_options *o,
    struct sim_measurements *out, struct why *why);
/* A machine with these measurements; RTMR3 is zero. */
void teed_init(struct teed *t, const char *platform,
    const struct sim_measurements *m);
/*
 * Overwrite one field of every quote to come, for tests that play a bad host:
 * "td-attributes=0100001000000000". Fields: tee-tcb-svn, mrseam,
 * mrsignerseam, seam-attributes, td-attributes, xfam, mrtd, mrconfigid,
 * mrowner, mrownerconfig, rtmr0, rtmr1, rtmr2. DSTACK_E_FORMAT: no such
 * field, or not its length in hex.
 */
DSTACK_CHECKED enum dstack_status teed_set(
    struct teed *t, const char *text, struct why *why);
/* Answer the rest of one request frame; appends the whole answer frame. */
DSTACK_CHECKED enum dstack_status teed_answer(
    struct teed *t, const void *rest, size_t len, struct wr *out);
/* Serve until SIGTERM or SIGINT. */
DSTACK_CHECKED enum dstack_status teed_run(
    const struct teed_options *o, struct why *why);

#endif
