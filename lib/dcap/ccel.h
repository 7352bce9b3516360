/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CCEL: the boot event log of a TD (ACPI 6.5 section 5.2.34, TCG PC Client
 * Platform Firmware Profile, UEFI 2.10 section 38.4). Only digests are bound
 * by RTMRs: an event's data is the attester's word until it is hashed into
 * its digest, so nothing here reads meaning out of it. RTMR3's run-time
 * events are not in this log.
 */
#ifndef DCAP_CCEL_H
#define DCAP_CCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "dstack/dcap.h"

#define CCEL_MAX_LOG (1024 * 1024) /* bytes; firmware has 256 KiB */
#define CCEL_MAX_EVENTS 4096
#define CCEL_MAX_ALGS 8
#define CCEL_NO_ACTION 3u /* EV_NO_ACTION: extends nothing */

struct ccel_event {
	uint32_t mr; /* 0 MRTD, 1..4 RTMR0..3 */
	uint32_t type;
	const uint8_t *digest; /* 48: SHA-384; borrowed */
	const uint8_t *data;   /* borrowed, not trusted */
	size_t datalen;
};

/* Walks a log; the bytes are borrowed. */
struct ccel {
	struct rd r;
	size_t algs;
	struct {
		uint16_t id;
		uint16_t size;
	} alg[CCEL_MAX_ALGS];
	unsigned events; /* so far */
};

/* Header event: "Spec ID Event03", with SHA-384 among its algorithms. */
DSTACK_CHECKED enum dstack_status ccel_open(
    const void *log, size_t len, struct ccel *out, struct why *why);
/* Next event; *end is set instead at the log's end (0xffffffff or zeros). */
DSTACK_CHECKED enum dstack_status ccel_next(
    struct ccel *c, struct ccel_event *out, bool *end, struct why *why);

/* dcap_ccel_replay, in dstack/dcap.h, walks all of it. */

/* The ACPI table, 56 bytes: how long the log's area is. */
DSTACK_CHECKED enum dstack_status ccel_table_parse(
    const void *table, size_t len, uint64_t *log_len, struct why *why);

#endif
