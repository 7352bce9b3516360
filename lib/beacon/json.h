/* SPDX-License-Identifier: Apache-2.0 */
/* From the beacon API's JSON to the SSZ of the same container. */
#ifndef BEACON_JSON_H
#define BEACON_JSON_H

#include <jansson.h>

#include "dstack/beacon.h"

/* No container is longer: an update of 512 keys has about 27,000 bytes. */
#define SSZ_MAX 32768u

/*
 * One object {"version":FORK,"data":{...}}. *out: the caller's to free,
 * written on DSTACK_OK only. DSTACK_E_FORMAT: why names the member;
 * DSTACK_E_REJECTED: of a fork that is not known, which why names;
 * DSTACK_E_NOMEM. Numbers are decimal texts, bytes are hex with 0x; a member
 * that is missing, or one more, is an error.
 */
DSTACK_CHECKED enum dstack_status json_to_ssz(const struct beacon_network *n,
    enum beacon_kind kind, const json_t *item, uint8_t **out, size_t *len,
    struct why *why);

#endif
