/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One order, led by the state that the CA says it is in (RFC 8555 7.1.6):
 * pending: prove the name by http-01; ready: hand in the request; processing:
 * wait; valid: fetch the chain, judge it, put it in place; invalid: say why.
 * Since only the CA's state decides what is next, an order can be taken up at
 * any point: after a slow finalize, a 503, or a restart of ours. Its URL is
 * kept (host/acme/memory.c) until it ends one way or the other.
 *
 * What can go wrong is the CA's to word: the error of a challenge or of the
 * order is printed as it came. What it hands out is judged before the old
 * certificate goes. A body that is no chain is fetched again later, for the
 * order has been paid for; a chain that is not ours is not.
 */
#include "host/acme/acme.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "host/acme/ca.h"
#include "host/acme/http01.h"
#include "host/acme/issued.h"
#include "host/acme/jws.h"
#include "host/acme/memory.h"

#define ORDER_MS 120000
#define UNREADABLE_MAX 5 /* downloads, then the order is given up */
#define UNREADABLE_S 3600
/* Let's Encrypt gives back one certificate of the same names each 34 hours */
#define NOT_OURS_S (34u * 3600)

struct run {
	const struct acme_config *cfg;
	struct why *why;
	struct ca ca;
	struct wanted want;
	struct http01 *http;
	struct order_memory order;
};

/* The one kind of challenge we answer; NULL: the CA offers others alone. */
static const json_t *
http01_of(const json_t *authorization)
{
	const json_t *all = json_object_get(authorization, "challenges");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);
		if (strcmp(ca_text(c, "type"), "http-01") == 0)
			return c;
	}
	return NULL;
}

/* Why a name was not proven: the first challenge that has a word to say. */
static enum dstack_status
not_proven(struct run *r, const json_t *authorization)
{
	const json_t *all = json_object_get(authorization, "challenges");
	char text[300] = "";

	for (size_t i = 0; i < json_array_size(all) && text[0] == '\0'; i++)
		ca_problem(json_object_get(json_array_get(all, i), "error"), text,
		    sizeof(text));
	if (text[0] != '\0')
		return why_set(r->why, DSTACK_E_REJECTED, "ACME CA on %s: %s",
		    r->want.name, text);
	return why_set(r->why, DSTACK_E_REJECTED,
	    "ACME CA says %s of %s without a reason; is port 80 of the name "
	    "led to --http?",
	    ca_text(authorization, "status"), r->want.name);
}

static enum dstack_status
prove(struct run *r, const char *authorization)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	AUTO_CA_ANSWER struct ca_answer b = { 0 };
	AUTO_WR struct wr thumb = wr_new(0);
	char url[CA_URL_MAX];
	bool asked = false;

	for (unsigned turn = 0;; turn++) {
		enum dstack_status st = ca_post(&r->ca, authorization, "", &a);
		if (st != DSTACK_OK)
			return st;
		const char *status = ca_text(a.json, "status");
		if (strcmp(status, "valid") == 0)
			return DSTACK_OK; /* perhaps for an earlier order */
		if (strcmp(status, "pending") != 0 &&
		    strcmp(status, "processing") != 0)
			return not_proven(r, a.json);
		const json_t *mine = http01_of(a.json);
		if (mine == NULL)
			return why_set(r->why, DSTACK_E_REJECTED,
			    "ACME CA offers no http-01 challenge");
		if (!asked) {
			/* the answer is there before the CA is told to look */
			st = jws_thumbprint(r->ca.key, &thumb);
			wr_u8(&thumb, 0);
			if (st == DSTACK_OK)
				st = wr_status(&thumb);
			if (st == DSTACK_OK)
				st = http01_offer(r->http, ca_text(mine, "token"),
				    (const char *)thumb.buf, r->why);
			if (st == DSTACK_OK)
				st = ca_url(&r->ca, mine, "url", url);
			/* one that is being looked at is not asked for twice */
			if (st == DSTACK_OK &&
			    strcmp(ca_text(mine, "status"), "processing") != 0)
				st = ca_post(&r->ca, url, "{}", &b);
			if (st != DSTACK_OK)
				return st;
			asked = true;
			continue;
		}
		st = ca_wait(&r->ca, &a, turn, "it still checks the name");
		if (st != DSTACK_OK)
			return st;
	}
}

/* One name was asked for, so one authorization is all there can be. */
static enum dstack_status
prove_all(struct run *r, const json_t *order)
{
	const json_t *list = json_object_get(order, "authorizations");

	if (json_array_size(list) != 1)
		return why_set(r->why, DSTACK_E_FORMAT,
		    "ACME: the order has not one authorization");
	const char *url = json_string_value(json_array_get(list, 0));
	if (url == NULL || strncmp(url, "https://", 8) != 0)
		return why_set(r->why, DSTACK_E_FORMAT,
		    "ACME: the authorization is no https URL");
	return prove(r, url);
}

/*
 * "Not now" is no error here: the CA may have taken the request all the same,
 * and the order's state tells whether it did (7.4).
 */
static enum dstack_status
finalize(struct run *r, const json_t *order, unsigned turn)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	AUTO_WR struct wr payload = wr_new(0);
	char url[CA_URL_MAX], text[300];
	enum dstack_status st = ca_url(&r->ca, order, "finalize", url);

	if (st != DSTACK_OK)
		return st;
	wr_str(&payload, "{\"csr\":\"");
	jws_b64(&payload, r->want.der.buf, r->want.der.len);
	wr_str(&payload, "\"}");
	wr_u8(&payload, 0);
	if ((st = wr_status(&payload)) != DSTACK_OK ||
	    (st = ca_try(&r->ca, url, (const char *)payload.buf, &a)) !=
	        DSTACK_OK)
		return st;
	if (ca_busy(&a))
		return ca_wait(&r->ca, &a, turn, "it takes no request now");
	if (a.status >= 200 && a.status < 300)
		return DSTACK_OK;
	if (strstr(ca_text(a.json, "type"), ":orderNotReady") != NULL)
		return ca_wait(&r->ca, &a, turn, "the order is not ready");
	ca_problem(a.json, text, sizeof(text));
	memory_forget(r->cfg->account_key);
	return why_set(r->why, DSTACK_E_REJECTED,
	    "ACME CA refuses the request for %s with %u: %s", r->want.name,
	    a.status, text);
}

/* The chain is there: take it, and only if it is what was asked for. */
static enum dstack_status
fetch(struct run *r, const json_t *order)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	AUTO_WR struct wr pem = wr_new(0);
	char url[CA_URL_MAX];
	enum dstack_status st = ca_url(&r->ca, order, "certificate", url);

	if (st == DSTACK_OK)
		st = ca_post(&r->ca, url, "", &a);
	if (st == DSTACK_E_REJECTED) /* no longer to be had */
		memory_forget(r->cfg->account_key);
	if (st != DSTACK_OK)
		return st;
	st = issued_judge("what the CA handed out", a.body.buf, a.body.len,
	    &r->want, (uint64_t)time(NULL), &pem, r->why);
	if (st == DSTACK_OK)
		st = issued_write(r->cfg->certificate, &pem, r->why);
	if (st == DSTACK_OK) {
		memory_forget(r->cfg->account_key);
	} else if (st == DSTACK_E_FORMAT &&
	    ++r->order.unreadable < UNREADABLE_MAX) {
		memory_write(r->cfg->account_key, r->cfg->directory, r->want.name,
		    r->want.spki, &r->order);
		r->ca.again_s = UNREADABLE_S;
	} else if (st == DSTACK_E_FORMAT || st == DSTACK_E_REJECTED) {
		memory_forget(r->cfg->account_key);
		r->ca.again_s = NOT_OURS_S;
	}
	if (st == DSTACK_E_FORMAT || st == DSTACK_E_REJECTED)
		return why_wrap(r->why, DSTACK_E_REJECTED, "%s stays as it is",
		    r->cfg->certificate);
	return st;
}

/* From whatever state the order is in to its end (7.1.6). */
static enum dstack_status
step_through(struct run *r)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	char text[300];

	for (unsigned turn = 0;; turn++) {
		enum dstack_status st = ca_post(&r->ca, r->order.url, "", &a);
		if (st != DSTACK_OK)
			return st;
		const char *status = ca_text(a.json, "status");
		if (strcmp(status, "valid") == 0)
			return fetch(r, a.json);
		if (strcmp(status, "pending") == 0) {
			/* first prove; then the CA may need a moment to see it */
			st = turn == 0
			    ? prove_all(r, a.json)
			    : ca_wait(&r->ca, &a, turn, "the order is pending");
		} else if (strcmp(status, "ready") == 0) {
			st = finalize(r, a.json, turn);
		} else if (strcmp(status, "processing") == 0) {
			st = ca_wait(
			    &r->ca, &a, turn, "it still makes the certificate");
		} else {
			ca_problem(
			    json_object_get(a.json, "error"), text, sizeof(text));
			memory_forget(r->cfg->account_key);
			return why_set(r->why, DSTACK_E_REJECTED,
			    "ACME CA says the order for %s is %.40s: %s",
			    r->want.name, status[0] != '\0' ? status : "nothing",
			    text[0] != '\0' ? text : "no reason given");
		}
		if (st != DSTACK_OK)
			return st;
	}
}

/* Its URL is written down before anything else is done with it. */
static enum dstack_status
new_order(struct run *r)
{
	/* the name was held to letters, digits, dots and hyphens when read */
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	char payload[400];

	(void)snprintf(payload, sizeof(payload),
	    "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}",
	    r->want.name);
	enum dstack_status st = ca_post(&r->ca, r->ca.new_order, payload, &a);
	if (st != DSTACK_OK)
		return st;
	if (strncmp(a.location, "https://", 8) != 0)
		return why_set(r->why, DSTACK_E_FORMAT,
		    "ACME: the new order has no URL");
	memset(&r->order, 0, sizeof(r->order));
	memcpy(r->order.url, a.location, sizeof(r->order.url));
	memory_write(r->cfg->account_key, r->cfg->directory, r->want.name,
	    r->want.spki, &r->order);
	return DSTACK_OK;
}

/* Is the order that we remember one that can still lead to a certificate? */
static enum dstack_status
alive(struct run *r, bool *yes)
{
	AUTO_CA_ANSWER struct ca_answer a = { 0 };
	enum dstack_status st = ca_post(&r->ca, r->order.url, "", &a);

	*yes = st == DSTACK_OK &&
	    strcmp(ca_text(a.json, "status"), "invalid") != 0;
	if (st != DSTACK_OK && st != DSTACK_E_REJECTED)
		return st; /* not to be had now says nothing about the order */
	if (!*yes)
		memory_forget(r->cfg->account_key);
	return DSTACK_OK;
}

/* An order of before, if it still lives; else a new one. */
static enum dstack_status
carry_out(struct run *r)
{
	bool there = memory_read(r->cfg->account_key, r->cfg->directory,
	    r->want.name, r->want.spki, &r->order);
	enum dstack_status st = ca_open(&r->ca);

	if (st == DSTACK_OK && there)
		st = alive(r, &there);
	if (st == DSTACK_OK && !there)
		st = new_order(r);
	if (st != DSTACK_OK)
		return st;
	st = step_through(r);
	/* a refused order is over; one that is only slow is kept */
	if (st == DSTACK_E_REJECTED && r->order.unreadable == 0)
		memory_forget(r->cfg->account_key);
	return st;
}

enum dstack_status
acme_issue(const struct acme_config *cfg, unsigned *again_s, struct why *why)
{
	struct run r = { .cfg = cfg, .why = why };

	if (again_s != NULL)
		*again_s = 0;
	if (strncmp(cfg->directory, "https://", 8) != 0 ||
	    strlen(cfg->directory) >= CA_URL_MAX)
		return why_set(why, DSTACK_E_FORMAT,
		    "ACME directory %.100s is not an https URL", cfg->directory);
	r.ca.directory = cfg->directory;
	r.ca.ca_file = cfg->ca_file;
	r.ca.stop = cfg->stop;
	r.ca.why = why;
	r.ca.deadline = ca_now() +
	    (cfg->timeout_ms != 0 ? (int64_t)cfg->timeout_ms : ORDER_MS);
	/* without a request there is nothing to trouble the CA with */
	enum dstack_status st = wanted_read(cfg->csr, &r.want, why);
	if (st == DSTACK_OK)
		st = jws_account_key(cfg->account_key, &r.ca.key, why);
	if (st == DSTACK_OK)
		st = http01_start(cfg->http_listen, &r.http, why);
	if (st == DSTACK_OK)
		st = carry_out(&r);
	if (again_s != NULL)
		*again_s = r.ca.again_s;
	http01_stop(r.http);
	EVP_PKEY_free(r.ca.key);
	wanted_free(&r.want);
	return st;
}
