/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HEALTHCHECK of the image, run as Docker runs it.
 *
 * The check is a foreign program that runs beside the app every so often: its
 * end with 0 says that the app is well. It is started in the app's own
 * namespaces, bounds, user and list of calls (container_check), so that it can
 * do nothing that the app could not. Until it has said yes once, the app is
 * starting: then runs follow each other at StartInterval, and a new version is
 * not turned to. From then on they are made at Interval, and Retries failures
 * in a row make the app unhealthy. That is told (/status, the log), and no
 * more: Docker does not end an unhealthy container either.
 *
 * What can go wrong with it is bounded: a run that is not over within Timeout
 * is killed with all that it has started; what it writes is read away, and
 * only the first line of it is kept, for who is shown the app's output anyway;
 * one that writes without end is read no faster than the role's loop turns,
 * and so is stopped by its time. Nothing here waits.
 */
#include "guest/kubernethes/app.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/kubernethes/container_priv.h"
#include "guest/kubernethes/kubernethes.h"

#ifndef FIRST_MS          /* its test has another pace */
#define FIRST_MS 1000     /* after the app's start */
#endif
#define READS 16          /* of PIECE, each time it is looked at */
#define PIECE 4096
#define CHATTY (1u << 20) /* bytes; a run that writes more is in no hurry */
#define LATE_MS 5000      /* for what is over its time to be killed */
#define GRACE_MOST_MS 1800000 /* that a version may take to become healthy */

static const struct oci_health *
config(const struct app *a)
{
	return a->image != NULL ? &oci_config(a->image)->health : NULL;
}

void
health_begin(struct app *a)
{
	health_end(a);
	a->health = (struct health){ .is = HEALTH_NONE, .began = kube_now() };
	if (config(a) == NULL || config(a)->ntest == 0)
		return;
	a->health.is = HEALTH_STARTING;
	a->health.next = a->health.began + FIRST_MS;
}

static void
begin_run(struct app *a)
{
	struct health *h = &a->health;
	struct why why = { "" };
	int p[2];

	h->next = kube_now() + config(a)->interval;
	if (pipe2(p, O_CLOEXEC) != 0)
		return;
	AUTO_CLOSE int in = p[0], out = p[1];
	if (fcntl(in, F_SETFL, O_NONBLOCK) != 0)
		return;
	if (container_check(&a->box, out, config(a)->timeout, &h->pid,
		&h->pidfd, &why) != DSTACK_OK) {
		log_line("%s", why.text);
		return;
	}
	h->out = take_fd(&in);
	h->wrote = h->linelen = 0;
	h->next = kube_now() + config(a)->timeout + LATE_MS;
}

/* What it has written by now; the first line is kept. */
static void
drain(struct health *h)
{
	char buf[PIECE];
	ssize_t n = 1;

	for (int i = 0; i < READS && n > 0; i++) {
		n = read(h->out, buf, sizeof(buf));
		for (ssize_t k = 0; k < n &&
		     h->linelen < sizeof(h->line) - 1; k++)
			h->line[h->linelen++] =
			    buf[k] == '\n' || buf[k] == '\r' ? ' ' : buf[k];
		h->wrote += n > 0 ? (size_t)n : 0;
	}
}

/* Who looks after the run has ended, or does now. */
static void
reap(struct app *a, int *status)
{
	struct health *h = &a->health;

	(void)container_signal(h->pidfd, SIGKILL);
	(void)waitpid(h->pid, status, 0);
	(void)close(h->pidfd);
	(void)close(h->out);
	h->pid = 0;
}

void
health_end(struct app *a)
{
	struct health *h = &a->health;
	struct pollfd p = { .fd = h->pidfd, .events = POLLIN };
	int status;

	if (h->pid != 0) {
		(void)container_signal(h->pidfd, SIGTERM);
		(void)poll(&p, 1, LATE_MS);
		reap(a, &status);
	}
	*h = (struct health){ .is = HEALTH_NONE };
}

/* From starting and from unhealthy one good run leads to healthy. */
static void
good(struct app *a)
{
	struct health *h = &a->health;

	if (h->is == HEALTH_BAD)
		log_line("%s is healthy again", a->record.name);
	h->is = HEALTH_GOOD;
	h->failures = 0;
}

static void
failed(struct app *a)
{
	struct health *h = &a->health;

	/* it may take as long to start as with Docker, however often it is
	   asked here; where it has served before, nobody else waits for it */
	if (h->is == HEALTH_STARTING
		? kube_now() - h->began < health_grace(a)
		: h->is == HEALTH_BAD || ++h->failures < config(a)->retries)
		return;
	h->is = HEALTH_BAD;
	log_line("%s is unhealthy: its check says %s", a->record.name,
	    h->last);
	if (h->linelen == 0)
		return;
	/* the app's own words: they go where its output goes */
	h->line[h->linelen] = '\0';
	app_note(a, "its check: %s", h->line);
	if (a->of.console)
		log_line("app: its check: %s", h->line);
}

static void
end_run(struct app *a)
{
	struct health *h = &a->health;
	const struct oci_health *c = config(a);
	int status = 0;

	drain(h);
	reap(a, &status);
	bool late = WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM ||
		WTERMSIG(status) == SIGKILL);
	if (late)
		(void)snprintf(h->last, sizeof(h->last),
		    "nothing within %u ms", c->timeout);
	else
		(void)snprintf(h->last, sizeof(h->last), "%s %d",
		    WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		good(a);
	else
		failed(a);
	/* one that starts is asked as often as it may be */
	uint32_t pause = c->interval;
	if (h->is == HEALTH_STARTING && c->start_interval < pause)
		pause = c->start_interval;
	h->next = kube_now() + pause;
}

void
health_step(struct app *a)
{
	struct health *h = &a->health;

	if (h->is == HEALTH_NONE)
		return;
	if (h->pid == 0) {
		if (a->box.pid != 0 && kube_now() >= h->next)
			begin_run(a);
		return;
	}
	struct pollfd p = { .fd = h->pidfd, .events = POLLIN };
	drain(h);
	if (poll(&p, 1, 0) == 1 || kube_now() >= h->next)
		end_run(a);
}

int64_t
health_poll(const struct app *a, struct pollfd p[static 2], int64_t until)
{
	const struct health *h = &a->health;

	if (h->is == HEALTH_NONE || a->box.pid == 0)
		return until;
	if (h->pid != 0) {
		p[0] = (struct pollfd){ .fd = h->pidfd, .events = POLLIN };
		if (h->wrote < CHATTY)
			p[1] = (struct pollfd){ .fd = h->out,
				.events = POLLIN };
	}
	return h->next < until ? h->next : until;
}

bool
health_good(const struct app *a)
{
	return a->health.is == HEALTH_NONE || a->health.is == HEALTH_GOOD;
}

void
health_text(const struct app *a, char out[static LIFE_TEXT])
{
	static const char *const words[] = { [HEALTH_NONE] = "",
		[HEALTH_STARTING] = "starting", [HEALTH_GOOD] = "healthy",
		[HEALTH_BAD] = "unhealthy: its check says " };

	(void)snprintf(out, LIFE_TEXT, "%s%s",
	    a != NULL ? words[a->health.is] : "",
	    a != NULL && a->health.is == HEALTH_BAD ? a->health.last : "");
}

int64_t
health_grace(const struct app *a)
{
	const struct oci_health *c = config(a);

	if (c == NULL || c->ntest == 0)
		return 0;
	int64_t ms = (int64_t)c->start +
	    (int64_t)c->retries * ((int64_t)c->interval + c->timeout);
	return ms < GRACE_MOST_MS ? ms : GRACE_MOST_MS;
}
