/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the CA goes: take the nonce that the last answer left (or
 * ask for one), sign, send, keep the new nonce. The answer is judged by its
 * HTTP status first, and only then is its JSON looked at, for what comes from
 * a proxy in between is HTML.
 *
 * What can go wrong: a stale nonce (tried again at once, RFC 8555 6.5); "not
 * now" (429, 5xx), waited out as Retry-After says while there is time; a
 * redirect, followed to https alone, each POST signed anew since the URL is
 * part of what is signed; and a refusal, whose reason is the CA's to word and
 * is handed on as it is.
 */
#include "host/acme/ca.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/acme/jws.h"
#include "host/http/client.h"

#define ANSWER_MAX (256u * 1024)
#define HEADERS_MAX (64u * 1024)
#define REDIRECTS 5
#define NONCES 5
#define POLL_MIN_MS 200
#define POLL_MAX_MS 5000
#define SLICE_MS 200 /* how late a stop is seen in a wait */

void
ca_answer_free(struct ca_answer *a)
{
	json_decref(a->json);
	wr_free(&a->body);
	memset(a, 0, sizeof(*a));
}

int64_t
ca_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Value of header `name` in the answer's header lines; "" where absent. */
static void
header_value(const struct wr *headers, const char *name, char *out, size_t cap)
{
	size_t n = strlen(name);
	const char *p = (const char *)headers->buf;
	size_t left = headers->len;

	out[0] = '\0';
	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t line = nl != NULL ? (size_t)(nl - p) : left;
		if (line > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
			size_t at = n + 1;
			while (at < line && p[at] == ' ')
				at++;
			size_t end = line;
			while (end > at && (p[end - 1] == '\r' || p[end - 1] == ' '))
				end--;
			if (end - at < cap) {
				memcpy(out, p + at, end - at);
				out[end - at] = '\0';
			}
		}
		/* of several with one name the last counts */
		size_t step = line + (nl != NULL ? 1 : 0);
		p += step;
		left -= step;
	}
}

const char *
ca_text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t != NULL ? t : "";
}

void
ca_problem(const json_t *problem, char *out, size_t cap)
{
	const json_t *sub = json_array_get(
	    json_object_get(problem, "subproblems"), 0);
	const char *detail = ca_text(problem, "detail");
	const char *more = ca_text(sub, "detail");

	/* some CAs give the type alone */
	if (detail[0] == '\0')
		detail = ca_text(problem, "type");
	(void)snprintf(out, cap, "%s%s%s", detail,
	    detail[0] != '\0' && more[0] != '\0' ? ": " : "", more);
}

enum dstack_status
ca_url(struct ca *ca, const json_t *o, const char *key, char out[CA_URL_MAX])
{
	const char *t = ca_text(o, key);

	if (strncmp(t, "https://", 8) != 0 || strlen(t) >= CA_URL_MAX)
		return why_set(ca->why, DSTACK_E_FORMAT,
		    "ACME: the CA's answer has no https URL \"%s\"", key);
	memcpy(out, t, strlen(t) + 1);
	return DSTACK_OK;
}

bool
ca_busy(const struct ca_answer *a)
{
	return a->status == 429 || a->status >= 500;
}

enum dstack_status
ca_wait(struct ca *ca, const struct ca_answer *a, unsigned turn,
    const char *what)
{
	int64_t ms = POLL_MIN_MS;
	char origin[128];

	for (unsigned i = 0; i < turn && ms < POLL_MAX_MS; i++)
		ms += ms / 2;
	if (a->retry_after != 0)
		ms = (int64_t)a->retry_after * 1000;
	const int64_t end = ca_now() + ms;
	/* a wait that goes past the deadline is not begun */
	if (end > ca->deadline) {
		http_origin(ca->directory, origin, sizeof(origin));
		ca->again_s = a->retry_after;
		if (a->retry_after != 0)
			return why_set(ca->why, DSTACK_E_BUSY,
			    "ACME CA %s: %s; it asks to wait %u s", origin, what,
			    a->retry_after);
		return why_set(ca->why, DSTACK_E_BUSY,
		    "ACME CA %s: %s; try again later", origin, what);
	}
	for (int64_t now; (now = ca_now()) < end;) {
		if (ca->stop != NULL && atomic_load(ca->stop))
			return why_set(ca->why, DSTACK_E_MISSING,
			    "ended while the CA was at work");
		int64_t left = end - now < SLICE_MS ? end - now : SLICE_MS;
		const struct timespec t = { 0, (long)left * 1000000 };
		(void)nanosleep(&t, NULL);
	}
	return DSTACK_OK;
}

/* One HTTP exchange as it is: no status judged, no redirect followed. */
static enum dstack_status
exchange(struct ca *ca, const char *url, const char *method,
    const struct wr *body, struct ca_answer *a)
{
	AUTO_WR struct wr headers = wr_new(HEADERS_MAX);

	ca_answer_free(a);
	a->body = wr_new(ANSWER_MAX);
	struct http_request q = { 0 };
	q.url = url;
	q.method = method;
	q.ca_file = ca->ca_file;
	q.max = ANSWER_MAX;
	q.stop = ca->stop;
	/* seconds or a date: curl knows both, and http_do bounds it */
	q.retry_after = &a->retry_after;
	if (body != NULL) {
		q.body = body->buf;
		q.bodylen = body->len;
		q.content_type = "application/jose+json";
	}
	enum dstack_status st =
	    http_do(&q, &a->status, &a->body, &headers, ca->why);
	if (st != DSTACK_OK)
		return st;
	header_value(&headers, "replay-nonce", ca->nonce, sizeof(ca->nonce));
	header_value(&headers, "location", a->location, sizeof(a->location));
	a->json = json_loadb((const char *)a->body.buf, a->body.len,
	    JSON_REJECT_DUPLICATES, NULL);
	return DSTACK_OK;
}

/* Does the answer lead elsewhere? url then is where; https alone. */
static bool
redirected(const struct ca_answer *a, char url[CA_URL_MAX])
{
	bool moved = a->status == 301 || a->status == 302 || a->status == 303 ||
	    a->status == 307 || a->status == 308;

	if (!moved || a->location[0] == '\0')
		return false;
	if (strncmp(a->location, "https://", 8) == 0) {
		memcpy(url, a->location, sizeof(a->location));
		return true;
	}
	/* a path of the same server (RFC 9110 10.2.2) */
	char origin[CA_URL_MAX];
	http_origin(url, origin, sizeof(origin));
	if (a->location[0] != '/' || a->location[1] == '/' ||
	    strlen(origin) + strlen(a->location) >= CA_URL_MAX)
		return false;
	(void)snprintf(url, CA_URL_MAX, "%.200s%.300s", origin, a->location);
	return true;
}

/* GET is for directory and nonce; all else is a signed POST (6.3). */
static enum dstack_status
get(struct ca *ca, const char *from, struct ca_answer *a)
{
	char url[CA_URL_MAX];

	if (strlen(from) >= sizeof(url))
		return why_set(ca->why, DSTACK_E_LIMIT,
		    "ACME: a URL of over %d characters", CA_URL_MAX - 1);
	memcpy(url, from, strlen(from) + 1);
	for (int i = 0; i <= REDIRECTS; i++) {
		enum dstack_status st = exchange(ca, url, "GET", NULL, a);
		if (st != DSTACK_OK || !redirected(a, url))
			return st;
	}
	return why_set(ca->why, DSTACK_E_REJECTED,
	    "ACME: %.120s leads round in redirects", from);
}

/* A nonce may have run out meanwhile: no fault of ours (6.5). */
static bool
bad_nonce(const struct ca_answer *a)
{
	return a->status == 400 &&
	    strcmp(ca_text(a->json, "type"),
	        "urn:ietf:params:acme:error:badNonce") == 0;
}

enum dstack_status
ca_try(struct ca *ca, const char *to, const char *payload, struct ca_answer *a)
{
	char url[CA_URL_MAX];

	if (strlen(to) >= sizeof(url))
		return why_set(ca->why, DSTACK_E_LIMIT,
		    "ACME: a URL of over %d characters", CA_URL_MAX - 1);
	memcpy(url, to, strlen(to) + 1);
	for (int tries = 0, moves = 0; tries < NONCES && moves <= REDIRECTS;) {
		enum dstack_status st = DSTACK_OK;
		if (ca->nonce[0] == '\0')
			st = get(ca, ca->new_nonce, a);
		if (st == DSTACK_OK && ca->nonce[0] == '\0') {
			if (ca_busy(a))
				return DSTACK_OK;
			st = why_set(ca->why, DSTACK_E_FORMAT,
			    "ACME: the CA gives no nonce (HTTP %u)", a->status);
		}
		if (st != DSTACK_OK)
			return st;
		AUTO_WR struct wr body = wr_new(0);
		st = jws_sign(ca->key, ca->kid[0] != '\0' ? ca->kid : NULL,
		    ca->nonce, url, payload, &body);
		if (st != DSTACK_OK)
			return why_set(ca->why, st,
			    "ACME: a nonce or URL of the CA cannot be signed");
		ca->nonce[0] = '\0'; /* used, whatever becomes of it */
		st = exchange(ca, url, "POST", &body, a);
		if (st != DSTACK_OK)
			return st;
		if (bad_nonce(a))
			tries++;
		else if (redirected(a, url))
			moves++;
		else
			return DSTACK_OK;
	}
	return why_set(ca->why, DSTACK_E_MISSING,
	    "ACME CA refuses every nonce, or leads round in redirects");
}

/* The CA's "no", in its own words. */
static enum dstack_status
refusal(struct ca *ca, const char *url, const struct ca_answer *a)
{
	char origin[128], text[300];

	http_origin(url, origin, sizeof(origin));
	ca_problem(a->json, text, sizeof(text));
	return why_set(ca->why, DSTACK_E_REJECTED, "ACME CA %s answered %u: %s",
	    origin, a->status, text[0] != '\0' ? text : "no reason given");
}

enum dstack_status
ca_post(struct ca *ca, const char *url, const char *payload,
    struct ca_answer *a)
{
	/* each turn signs anew: a nonce serves once */
	char text[160], what[200];

	for (unsigned turn = 0;; turn++) {
		enum dstack_status st = ca_try(ca, url, payload, a);
		if (st != DSTACK_OK)
			return st;
		if (a->status >= 200 && a->status < 300)
			return DSTACK_OK;
		if (!ca_busy(a))
			return refusal(ca, url, a);
		ca_problem(a->json, text, sizeof(text));
		(void)snprintf(what, sizeof(what), "HTTP %u%s%s", a->status,
		    text[0] != '\0' ? ", " : "", text);
		st = ca_wait(ca, a, turn, what);
		if (st != DSTACK_OK)
			return st;
	}
}

/* Where to ask for what, and whether accounts must be bound. */
static enum dstack_status
read_directory(struct ca *ca, bool *bound)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	char origin[128];
	enum dstack_status st;

	http_origin(ca->directory, origin, sizeof(origin));
	for (unsigned turn = 0;; turn++) {
		st = get(ca, ca->directory, &a);
		if (st != DSTACK_OK)
			return st;
		if (!ca_busy(&a))
			break;
		st = ca_wait(ca, &a, turn, "no directory now");
		if (st != DSTACK_OK)
			return st;
	}
	/* a login page answers 200 as well */
	if (a.status != 200 || !json_is_object(a.json))
		return why_set(ca->why, DSTACK_E_FORMAT,
		    "%s answered %u and no ACME directory; is --directory "
		    "right?",
		    origin, a.status);
	*bound = json_is_true(json_object_get(
	    json_object_get(a.json, "meta"), "externalAccountRequired"));
	if ((st = ca_url(ca, a.json, "newNonce", ca->new_nonce)) != DSTACK_OK ||
	    (st = ca_url(ca, a.json, "newAccount", ca->new_account)) !=
	        DSTACK_OK)
		return st;
	return ca_url(ca, a.json, "newOrder", ca->new_order);
}

enum dstack_status
ca_open(struct ca *ca)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	bool bound = false;
	enum dstack_status st = read_directory(ca, &bound);

	if (st != DSTACK_OK)
		return st;
	/* A key that has its account already needs no binding (7.3.1, 7.3.4). */
	st = ca_post(ca, ca->new_account,
	    bound ? "{\"onlyReturnExisting\":true}"
	          : "{\"termsOfServiceAgreed\":true}",
	    &a);
	if (st == DSTACK_E_REJECTED && bound)
		return why_set(ca->why, st,
		    "the ACME CA wants an external account binding, which "
		    "dstack does not make: give --account a key that the CA "
		    "knows already, or take another CA");
	if (st != DSTACK_OK)
		return st;
	if (strncmp(a.location, "https://", 8) != 0)
		return why_set(
		    ca->why, DSTACK_E_FORMAT, "ACME: no account URL");
	memcpy(ca->kid, a.location, sizeof(ca->kid));
	return DSTACK_OK;
}
