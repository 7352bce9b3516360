/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to one node. Nothing that comes is believed, so whom to ask is
 * a matter of luck alone: the caller turns to the next node when one does not
 * answer, or answers what the store refuses.
 */
#include "cli/beacon/fetch.h"

#include <string.h>

#include "host/http/client.h"

void
fetch_turn(struct fetch *f)
{
	f->at = (f->at + 1) % f->count;
}

void
fetch_whom(const struct fetch *f, char *out, size_t cap)
{
	http_origin(f->url[f->at], out, cap);
}

enum dstack_status
fetch_get(const struct fetch *f, const char *path, size_t max, struct wr *out,
    struct why *why)
{
	static const char *const accept[] = {
		"Accept: application/octet-stream;q=1.0,application/json;q=0.9",
		NULL };
	AUTO_WR struct wr url = wr_new(4096);
	const char *base = f->url[f->at];
	size_t n = strlen(base);
	unsigned status = 0;
	while (n > 0 && base[n - 1] == '/')
		n--;
	wr_put(&url, base, n);
	wr_put(&url, path, strlen(path) + 1);
	enum dstack_status st = wr_status(&url);
	if (st != DSTACK_OK)
		return why_set(why, st, "the URL is too long");
	const struct http_request q = { .url = (const char *)url.buf,
		.headers = accept,
		.max = max };
	/* libcurl bounds size and time; an answer cut short is an error */
	size_t before = out->len;
	st = http_do(&q, &status, out, NULL, why);
	if (st != DSTACK_OK)
		return st;
	if (status == 404 || status == 204 ||
	    (status == 200 && out->len == before))
		return why_set(why, DSTACK_E_MISSING,
		    "it has no %s (HTTP %u)", path, status);
	if (status != 200)
		return why_set(why, DSTACK_E_REJECTED,
		    "HTTP %u for %s", status, path);
	return DSTACK_OK;
}
