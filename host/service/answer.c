/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are one line of text, below all of the router's paths. */
#include "host/service/route_priv.h"

#include "protocol/link.h"

void
route_text(struct route_answer *a, unsigned status, const char *text)
{
	a->status = status;
	a->type = "text/plain";
	wr_free(&a->body);
	a->body = wr_new(LINK_MAX_BODY);
	wr_str(&a->body, text);
}

/* Whose fault it was, in HTTP's words; what no row names is the upstream's. */
void
route_fail(struct route_answer *a, enum dstack_status st,
    const struct why *why)
{
	unsigned status = 502;

	if (st == DSTACK_E_FORMAT || st == DSTACK_E_TRUNCATED)
		status = 400;
	else if (st == DSTACK_E_LIMIT)
		status = 413;
	else if (st == DSTACK_E_REJECTED)
		status = 409;
	route_text(a, status,
	    why->text[0] != '\0' ? why->text : dstack_status_text(st));
}
