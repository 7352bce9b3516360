/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version that was proposed, followed until the nodes serve it. First its
 * notice: one that ends later than anybody wants to wait is told and not
 * waited for. Then each node that runs is asked twice a second, and what it
 * says is judged by look.c.
 *
 * A refusal is not final at once: the first try may fail by the moment, and
 * nodes try again by themselves. It is after three tries, or when the node
 * rests. A node may have refused the same version before this push; then its
 * count of tries is old until it moves, and it gets a while to notice that its
 * folder has changed. Nodes that are down at first are named and not waited
 * for; one that goes down meanwhile is an answer.
 */
#include "cli/app/wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/app/look.h"
#include "host/base/proc.h"

#define PAUSE_MS 500
#define TRIES 3
#define REST_MS 20000 /* a node looks at its folder every 10 s */

struct waiting {
	bool skip;        /* it did not run at first */
	int64_t tries;    /* of the version, as the first look said; -1: none */
	bool stale;       /* its refusal is from before */
	struct look last;
	char said[400];   /* the last news of it */
};

static json_int_t
tries_of(const struct look *l)
{
	return json_integer_value(json_object_get(
	    json_object_get(l->app, "refused"), "tries"));
}

/* Is that node's word final, and against the version? */
static bool
against(struct waiting *n, uint64_t version, uint64_t since_ms)
{
	const json_t *r = json_object_get(n->last.app, "refused");
	json_int_t serves = json_integer_value(
	    json_object_get(n->last.app, "serving"));

	if (n->last.state == LOOK_DOWN ||
	    (serves > 0 && (uint64_t)serves > version))
		return true;
	if (n->last.state != LOOK_REFUSED)
		return false;
	/* the count moves with each try, so one that moved is of this push */
	bool rests = json_is_true(json_object_get(r, "rests"));
	if (n->stale && tries_of(&n->last) == n->tries)
		return rests && since_ms > REST_MS;
	n->stale = false;
	return rests || tries_of(&n->last) >= TRIES;
}

/* A news is another state, or other words; not the count of seconds in them. */
static void
tell(struct waiting *n, unsigned i, struct show *s)
{
	char words[sizeof(n->said)];

	(void)snprintf(words, sizeof(words), "%s", n->last.line);
	if (n->last.state == LOOK_REFUSED)
		words[strcspn(words, "(")] = '\0';
	if (n->last.state == LOOK_SERVES)
		(void)snprintf(words, sizeof(words), "serves");
	if (strcmp(words, n->said) == 0)
		return;
	memcpy(n->said, words, sizeof(words));
	show_line(s, true, "node %u %s", i, n->last.line);
}

/* False: it ends later than seconds from now. */
static bool
notice(const struct where *w, const struct state_app *a, unsigned seconds,
    struct show *s)
{
	/* asked once: a chain without traffic has a clock that stands */
	uint64_t now = look_time(w->gov.rpc);
	uint64_t left = a->not_before > now ? a->not_before - now : 0;
	uint64_t end = proc_now_ms() + left * 1000;
	char span[LOOK_SPAN];

	if (left > seconds) {
		look_span(left, span);
		show_line(s, true, "its notice ends in %s, which is longer than "
		    "--timeout: not waited for", span);
		return false;
	}
	if (left > 0)
		show_line(s, !s->moving, "its notice ends in %" PRIu64 " s",
		    left);
	while (proc_now_ms() < end) {
		show_line(s, false, "its notice ends in %" PRIu64 " s",
		    (end - proc_now_ms() + 999) / 1000);
		proc_pause_ms(PAUSE_MS);
	}
	return true;
}

/* One line over all nodes, for a terminal. */
static void
summary(const struct waiting *n, unsigned nodes, struct show *s)
{
	char text[400] = "";
	size_t at = 0;

	for (unsigned i = 0; i < nodes && at < sizeof(text) - 1; i++) {
		int k = snprintf(text + at, sizeof(text) - at, "%snode %u %s",
		    i > 0 ? "; " : "", i,
		    n[i].skip ? "is down" : n[i].last.line);
		at += k > 0 ? (size_t)k : 0;
	}
	show_line(s, false, "%s", text);
}

/* What the app wrote last, where its owner lets the host have it. */
static void
last_lines(const struct look *l, json_int_t version)
{
	const json_t *end = json_object_get(l->app, "lastEnd");
	const json_t *lines = json_object_get(end, "lines");

	if (json_integer_value(json_object_get(end, "version")) != version)
		return;
	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *s = json_string_value(json_array_get(lines, i));
		/* printable by the guest; by whoever answers for it, not so */
		for (; s != NULL && *s != '\0' && *s >= 0x20 && *s <= 0x7e; s++)
			(void)fputc(*s, stderr);
		(void)fputc('\n', stderr);
	}
}

/* One look at all. True: it is over, with *st. */
static bool
round_over(const struct where *w, uint64_t version, struct waiting *n,
    uint64_t since_ms, struct show *s, enum dstack_status *st,
    struct why *why)
{
	bool all = true;

	for (unsigned i = 0; i < w->nodes; i++) {
		if (n[i].skip)
			continue;
		look_free(&n[i].last);
		look_at(w->state[i], version, &n[i].last);
		if (!s->moving)
			tell(&n[i], i, s);
		if (against(&n[i], version, since_ms)) {
			show_end(s);
			last_lines(&n[i].last, (json_int_t)version);
			*st = why_set(why, DSTACK_E_REJECTED, "node %u %s", i,
			    n[i].last.line);
			return true;
		}
		all = all && n[i].last.state == LOOK_SERVES;
	}
	summary(n, w->nodes, s);
	*st = DSTACK_OK;
	return all;
}

/* Who runs, and what of their words is old. */
static unsigned
begin(const struct where *w, uint64_t version, struct waiting *n,
    struct show *s)
{
	unsigned running = 0;

	for (unsigned i = 0; i < w->nodes; i++) {
		look_at(w->state[i], version, &n[i].last);
		n[i].skip = n[i].last.state == LOOK_DOWN;
		n[i].stale = n[i].last.state == LOOK_REFUSED;
		n[i].tries = n[i].stale ? tries_of(&n[i].last) : -1;
		if (n[i].skip)
			show_line(s, true, "node %u is not waited for: %s", i,
			    n[i].last.line);
		running += !n[i].skip;
	}
	return running;
}

enum dstack_status
wait_served(const struct where *w, const struct state_app *a,
    unsigned seconds, struct show *s, json_t *nodes, bool *served,
    struct why *why)
{
	struct waiting n[DEMO_NODES_MAX];
	enum dstack_status st = DSTACK_OK;
	bool over = false;

	memset(n, 0, sizeof(n));
	*served = false;
	unsigned running = begin(w, a->version, n, s);
	if (running != 0 && notice(w, a, seconds, s)) {
		uint64_t start = proc_now_ms();
		uint64_t end = start + (uint64_t)seconds * 1000;
		while (!(over = round_over(w, a->version, n,
			     proc_now_ms() - start, s, &st, why)) &&
		    proc_now_ms() < end)
			proc_pause_ms(PAUSE_MS);
		if (!over)
			st = why_set(why, DSTACK_E_BUSY,
			    "not all nodes serve version %" PRIu64 " after %u "
			    "s: dstack app status tells more", a->version,
			    seconds);
		*served = over && st == DSTACK_OK;
	}
	show_end(s);
	for (unsigned i = 0; i < w->nodes; i++) {
		if (nodes != NULL)
			(void)json_array_append_new(nodes,
			    json_string(n[i].last.line));
		look_free(&n[i].last);
	}
	return st;
}
