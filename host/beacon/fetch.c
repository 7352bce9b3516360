/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to one node. Nothing that comes is believed, so whom to ask is
 * a matter of luck alone: the caller turns to the next node when one does not
 * answer, or answers what the store refuses. A node that says how long it
 * wants to be left alone is, up to an hour.
 */
#include "host/beacon/fetch.h"

#include <string.h>
#include <time.h>

#include "host/http/client.h"

#define TIMEOUT_MS 15000u
#define REDIRECTS 3u
#define LONGEST 3600u /* seconds: nobody may say never */

static int64_t
boot_seconds(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

enum dstack_status
fetch_urls(struct fetch *f, char *text, struct why *why)
{
	char *save = NULL;

	f->count = 0;
	for (char *s = strtok_r(text, ", \t", &save); s != NULL;
	     s = strtok_r(NULL, ", \t", &save)) {
		if (strncmp(s, "http://", 7) != 0 &&
		    strncmp(s, "https://", 8) != 0)
			return why_set(why, DSTACK_E_FORMAT,
			    "'%.80s' is no http or https URL", s);
		if (f->count == FETCH_MAX_URLS)
			return why_set(why, DSTACK_E_FORMAT,
			    "more than %d URLs", FETCH_MAX_URLS);
		f->url[f->count++] = s;
	}
	return f->count > 0
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_FORMAT, "no URL");
}

/* By a clock that counts while this machine sleeps and is never set. */
unsigned
fetch_wait(const struct fetch *f)
{
	int64_t now = boot_seconds();
	return f->not_before[f->at] > now
	    ? (unsigned)(f->not_before[f->at] - now)
	    : 0;
}

/*
 * Who asked for no pause comes first, in the order of the list; where all did,
 * the one whose pause ends soonest.
 */
void
fetch_turn(struct fetch *f)
{
	size_t best = (f->at + 1) % f->count;
	for (size_t i = 1; i <= f->count; i++) {
		f->at = (f->at + 1) % f->count;
		if (fetch_wait(f) == 0)
			return;
		if (f->not_before[f->at] < f->not_before[best])
			best = f->at;
	}
	f->at = best;
}

/* No more than scheme, host and port: a path may hold somebody's key. */
void
fetch_whom(const struct fetch *f, char *out, size_t cap)
{
	http_origin(f->url[f->at], out, cap);
}

enum dstack_status
fetch_get(struct fetch *f, const char *path, size_t max, struct wr *out,
    struct why *why)
{
	static const char *const accept[] = {
		"Accept: application/octet-stream;q=1.0,application/json;q=0.9",
		NULL };
	AUTO_WR struct wr url = wr_new(4096);
	const char *base = f->url[f->at];
	size_t n = strlen(base);
	unsigned status = 0, pause = 0;
	while (n > 0 && base[n - 1] == '/')
		n--;
	wr_put(&url, base, n);
	wr_put(&url, path, strlen(path) + 1);
	enum dstack_status st = wr_status(&url);
	if (st != DSTACK_OK)
		return why_set(why, st, "the URL is too long");
	const struct http_request q = { .url = (const char *)url.buf,
		.headers = accept,
		.max = max,
		.redirects = REDIRECTS,
		.timeout_ms = TIMEOUT_MS,
		.stop = f->stop,
		.retry_after = &pause };
	/* libcurl bounds size and time; an answer cut short is an error */
	size_t before = out->len;
	f->requests++;
	st = http_do(&q, &status, out, NULL, why);
	f->bytes += out->len - before;
	if (st != DSTACK_OK)
		return st;
	if ((status == 429 || status == 503) && pause > 0) {
		pause = pause < LONGEST ? pause : LONGEST;
		f->not_before[f->at] = boot_seconds() + pause;
		return why_set(why, DSTACK_E_BUSY,
		    "HTTP %u: it asks for a pause of %u s", status, pause);
	}
	if (status == 404 || status == 204 ||
	    (status == 200 && out->len == before))
		return why_set(why, DSTACK_E_MISSING,
		    "it has no %s (HTTP %u)", path, status);
	if (status != 200)
		return why_set(why, DSTACK_E_REJECTED,
		    "HTTP %u for %s", status, path);
	return DSTACK_OK;
}
