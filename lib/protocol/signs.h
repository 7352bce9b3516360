/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs of life: Heartbeat statements, signed in a guest by the epoch's key,
 * that travel by relay and cost no gas. A host hands them on as a list, one
 * message a line; whoever reads it believes the signatures and nothing else.
 */
#ifndef PROTOCOL_SIGNS_H
#define PROTOCOL_SIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/messages.h"

#define SIGNS_LINES 256u /* of a list are looked at */

/* Whose signs count: of one network's epoch. */
struct signs_of {
	struct eip712_domain domain;
	uint8_t xpub[20];
	uint64_t epoch;
};

/* Is it of that epoch, and signed by its key? */
bool sign_holds(const struct msg_heartbeat *m, const struct signs_of *of);

/*
 * Into out, max at most, the signs of a list that hold: each node once, by
 * the one that names the highest block, and self (may be NULL) not. Lines
 * that are none are passed over. How many.
 */
size_t signs_take(const void *text, size_t len, const struct signs_of *of,
    const uint8_t *self, struct msg_heartbeat *out, size_t max);

#endif
