/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A known name comes first: a file of that name must not stand for another
 * network.
 */
#include "cli/beacon/network.h"

#include "base/own.h"
#include "cli/quote/input.h"

#define MAX_FILE 65536u /* bytes; the parser has a bound of its own */

enum dstack_status
beacon_network_take(const char *option, const char *name,
    struct beacon_network *out, struct why *why)
{
	AUTO_FREE uint8_t *text = NULL;
	size_t len = 0;
	const struct beacon_network *n = beacon_network_named(name);
	if (n != NULL) {
		*out = *n;
		return DSTACK_OK;
	}
	enum dstack_status st =
	    quote_read_file(name, MAX_FILE, &text, &len, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st,
		    "%s is neither mainnet, sepolia or hoodi nor a file",
		    option);
	st = beacon_network_parse(text, len, out, why);
	return st == DSTACK_OK ? st : why_wrap(why, st, "%.100s", name);
}
