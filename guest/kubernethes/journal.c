/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app's lines become batches. A line is taken if the app has not used up
 * its rate (64 KiB a second, four times that at once) and the batch has room;
 * else it is counted, and the count becomes a line of its own at the end of the
 * batch: an app that writes without end costs a bounded part of the
 * host's disk and of this role's time, and its owner sees that lines are
 * missing. A batch goes out a second after its first line, or when it is three
 * quarters full, under the next number; one that the host does not take is
 * tried again, the same bytes under the same number, so that a number that its
 * owner misses was kept back after this guest had handed it over.
 *
 * The host can be slow on purpose. A batch is waited for like any answer of the
 * host, so afterwards there is a pause of ten times as long, and the chain is
 * looked at meanwhile.
 */
#include "guest/kubernethes/journal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/kubernethes/kubernethes.h"

#define RATE_BYTES (64u * 1024) /* a second */
#define BURST_BYTES (4 * RATE_BYTES)
#define LINES_MAX (APPLOG_TEXT_MAX - 32 - 256) /* 256: for our own line */
#define GATHER_MS 1000
#define FULL (LINES_MAX / 4 * 3)
#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 60000
#define LINE_COST 11 /* bytes of a line in a batch beside its own */

enum dstack_status
journal_of(const struct oci_config *c, bool log_app, struct journal_of *out,
    struct why *why)
{
	const char *label = oci_label(c, APPLOG_LABEL);

	*out = (struct journal_of){ .setting.mode =
		    log_app ? APPLOG_PLAIN : APPLOG_NONE,
		.console = log_app };
	if (label == NULL)
		return DSTACK_OK;
	enum dstack_status st =
	    applog_setting_parse(label, &out->setting, why);
	/* what is sealed for the owner is not for the console */
	out->console = log_app && out->setting.mode == APPLOG_PLAIN;
	return st;
}

void
journal_begin(struct journal *j, int edge)
{
	*j = (struct journal){ .edge = edge,
		.lines = wr_new(APPLOG_TEXT_MAX),
		.out = wr_new(APPLOG_FRAME_MAX),
		.tokens = BURST_BYTES };
	/* without a name of its own a start would pass for another's: then
	   there is no log, and the app runs all the same */
	j->ready = getrandom(j->boot, sizeof(j->boot), 0) ==
	    (ssize_t)sizeof(j->boot);
	j->tokens_at = kube_now();
}

static uint64_t
wall_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The batch as a frame; an ephemeral key of its own each time. */
static enum dstack_status
frame(const struct journal *j, struct wr *out)
{
	struct applog_head h = { .mode = j->of.setting.mode,
		.version = j->of.version, .number = j->number };
	AUTO_WIPE32 struct secret32 ephemeral = { { 0 } };

	memcpy(h.app_id, j->of.app_id, 32);
	memcpy(h.boot, j->boot, 16);
	if (getrandom(ephemeral.b, sizeof(ephemeral.b), 0) !=
	    (ssize_t)sizeof(ephemeral.b))
		return DSTACK_E_SYS;
	return applog_frame_put(out, &h, j->of.setting.key, &ephemeral,
	    j->prev, j->lines.buf, j->lines.len);
}

/*
 * Hand the batch over. What the host does not take is kept as it is: an answer
 * that gets lost is a batch that the host may have, and the same bytes twice
 * are one batch.
 */
static void
send_batch(struct journal *j)
{
	AUTO_WR struct wr in = wr_new(LINK_MAX_BODY);
	struct why why = { "" };
	enum dstack_status st = DSTACK_OK;

	if (j->out.len == 0) {
		st = frame(j, &j->out);
		wr_free(&j->lines);
		j->lines = wr_new(APPLOG_TEXT_MAX);
	}
	if (st != DSTACK_OK) { /* no memory: they are lost */
		wr_free(&j->out);
		j->out = wr_new(APPLOG_FRAME_MAX);
		return;
	}
	int64_t start = kube_now();
	st = link_fetch(j->edge, "/log", j->out.buf, j->out.len, &in, &why);
	j->wait_till = kube_now() + (kube_now() - start) * 10;
	if (st == DSTACK_OK) {
		sha256(j->out.buf, j->out.len, j->prev);
		wr_free(&j->out);
		j->out = wr_new(APPLOG_FRAME_MAX);
		j->number++;
		j->fail_ms = 0;
		return;
	}
	if (j->fail_ms == 0)
		log_line("the app's log: %s", why.text);
	j->fail_ms = j->fail_ms == 0 ? PAUSE_FIRST_MS : j->fail_ms * 2;
	if (j->fail_ms > PAUSE_MOST_MS)
		j->fail_ms = PAUSE_MOST_MS;
	if (j->wait_till < kube_now() + j->fail_ms)
		j->wait_till = kube_now() + j->fail_ms;
}

/* Does the rate allow n more bytes? Then they are used up. */
static bool
take(struct journal *j, size_t n)
{
	int64_t now = kube_now();
	int64_t ms = now - j->tokens_at;

	if (ms > 0) {
		/* a burst is full after 4 s: no longer time counts, or fits */
		size_t more = ms > 10000 ? BURST_BYTES
					 : (size_t)ms * RATE_BYTES / 1000;
		j->tokens += more;
		if (j->tokens > BURST_BYTES)
			j->tokens = BURST_BYTES;
		j->tokens_at = now;
	}
	if (j->tokens < n)
		return false;
	j->tokens -= n;
	return true;
}

static bool
same_of(const struct journal_of *a, const struct journal_of *b)
{
	return a->setting.mode == b->setting.mode &&
	    memcmp(a->setting.key, b->setting.key, 32) == 0 &&
	    memcmp(a->app_id, b->app_id, 32) == 0 && a->version == b->version;
}

/* Say how many were left out, in the room that is kept for it. */
static void
tell_left_out(struct journal *j)
{
	char text[96];

	int n = snprintf(text, sizeof(text),
	    "%llu lines are left out: the app writes more than is kept",
	    (unsigned long long)j->left_out);
	applog_line_put(
	    &j->lines, wall_ms(), APPLOG_GUEST, text, (size_t)n);
	j->left_out = 0;
}

/* It is told with the next batch, which may have nothing else. */
static void
leave_out(struct journal *j, const struct journal_of *of)
{
	if (j->left_out++ != 0 || j->lines.len != 0)
		return;
	j->of = *of;
	j->send_at = kube_now() + GATHER_MS;
}

bool
journal_line(struct journal *j, const struct journal_of *of,
    enum applog_from from, const char *line, size_t n)
{
	if (n > APPLOG_LINE_MAX)
		n = APPLOG_LINE_MAX;
	if (!j->ready || of->setting.mode == APPLOG_NONE)
		return false;
	if (!take(j, n + LINE_COST)) {
		leave_out(j, of);
		return false;
	}
	if (j->lines.len != 0 && !same_of(of, &j->of))
		journal_step(j, true);
	/* no room; or another version's lines, which the host does not take */
	if (j->lines.len + n + LINE_COST > LINES_MAX ||
	    (j->lines.len != 0 && !same_of(of, &j->of))) {
		leave_out(j, of);
		return true;
	}
	if (j->lines.len == 0) {
		j->of = *of;
		j->send_at = kube_now() + GATHER_MS;
	}
	applog_line_put(&j->lines, wall_ms(), from, line, n);
	if (j->lines.len >= FULL)
		journal_step(j, false);
	return true;
}

void
journal_step(struct journal *j, bool all)
{
	int64_t now = kube_now();

	if (j->out.len != 0 && (all || now >= j->wait_till))
		send_batch(j);
	/* the host does not take what it has: no more for now */
	if (j->out.len != 0 || (j->lines.len == 0 && j->left_out == 0))
		return;
	if (!all && (now < j->wait_till ||
	        (now < j->send_at && j->lines.len < FULL)))
		return;
	if (j->left_out != 0)
		tell_left_out(j);
	send_batch(j);
}

int64_t
journal_wait(const struct journal *j, int64_t until)
{
	int64_t at = j->out.len == 0 && j->send_at > j->wait_till
	    ? j->send_at
	    : j->wait_till;

	bool some = j->lines.len != 0 || j->left_out != 0 || j->out.len != 0;

	return some && at < until ? at : until;
}
