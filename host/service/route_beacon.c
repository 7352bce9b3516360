/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's light client asks for: /beacon/bootstrap/0xROOT,
 * /beacon/updates/PERIOD, /beacon/finality, /beacon/headers/0xROOT/COUNT. All
 * answers are SSZ that this host's own store has taken, or headers that hash
 * to what was asked for. A body is the guest's word on the last answer: the
 * code of its refusal. It is logged, as the two stores should agree: one of
 * the clocks is wrong, or the guest is of another version.
 */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "host/service/route_priv.h"

#define COMPLAINT_MAX 32u

static void
complaint(struct router *r, const struct route_body *in)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	char word[COMPLAINT_MAX + 1], line[128];
	if (in->len == 0 || in->len > COMPLAINT_MAX)
		return;
	memcpy(word, in->p, in->len);
	word[in->len] = '\0';
	if (strspn(word, letters) != in->len)
		return;
	(void)snprintf(line, sizeof(line),
	    "beacon: the guest refuses what this host's own store took: %s; "
	    "is this machine's clock right?",
	    word);
	route_say(r, line);
}

/* "0x" and 64 digits, exactly. */
static bool
root_of(const char *s, uint8_t out[static 32])
{
	return strncmp(s, "0x", 2) == 0 &&
	    hex_decode(s, strlen(s), out, 32) == DSTACK_OK;
}

void
route_beacon(struct router *r, char **arg, size_t n,
    const struct route_body *in, struct route_answer *a)
{
	uint8_t root[32];
	uint64_t number = 0;
	struct why why = { "" };
	enum dstack_status st;

	if (r->source == NULL) {
		route_text(a, 404, "this network's netcfg has view=rpc");
		return;
	}
	complaint(r, in);
	if (n == 1 && strcmp(arg[0], "finality") == 0) {
		st = source_finality(r->source, &a->body, &why);
	} else if (n == 2 && strcmp(arg[0], "updates") == 0 &&
	    route_decimal(arg[1], &number)) {
		st = source_update(r->source, number, &a->body, &why);
	} else if (n == 2 && strcmp(arg[0], "bootstrap") == 0 &&
	    root_of(arg[1], root)) {
		st = source_bootstrap(r->source, root, &a->body, &why);
	} else if (n == 3 && strcmp(arg[0], "headers") == 0 &&
	    root_of(arg[1], root) && route_decimal(arg[2], &number) &&
	    number >= 1 && number <= SOURCE_HEADERS_MAX) {
		st = source_headers(
		    r->source, root, (unsigned)number, &a->body, &why);
	} else {
		route_text(a, 400, "/beacon/bootstrap/0xROOT, updates/PERIOD, "
		    "finality or headers/0xROOT/COUNT");
		return;
	}
	a->status = 200;
	a->type = "application/octet-stream";
	if (st == DSTACK_E_REJECTED)
		route_text(a, 404, why.text);
	else if (st == DSTACK_E_MISSING)
		route_text(a, 503, why.text);
	else if (st != DSTACK_OK)
		route_fail(a, st, &why);
}
