/* SPDX-License-Identifier: Apache-2.0 */
/* Which beacon chain is meant, by what was typed. */
#ifndef CLI_BEACON_NETWORK_H
#define CLI_BEACON_NETWORK_H

#include "dstack/beacon.h"

/*
 * A name (mainnet, sepolia, hoodi), or a file of the form in docs/beacon.md.
 * option: for messages, "--network". DSTACK_E_MISSING, DSTACK_E_SYS: no such
 * file; DSTACK_E_FORMAT, DSTACK_E_LIMIT: why says which line.
 */
DSTACK_CHECKED enum dstack_status beacon_network_take(const char *option,
    const char *name, struct beacon_network *out, struct why *why);

#endif
