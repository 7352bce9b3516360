/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of an app, and of the role. init asks for the role's end by SIGTERM;
 * the handler does no more than make a descriptor readable, which every wait
 * of the role looks at. An app is asked by the signal that its image names and
 * then waited for, while what it writes is still read: a pipe that is full
 * would hold it up. One that does not end in time is killed. Then it is taken
 * out of the guest: guest-service closes its plane, and the files that it has
 * closed last are handed to the host, as long as the host takes them.
 */
#include "guest/kubernethes/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/init/cgroup.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/services.h"

#define STEP_MS 50
/* Read of the app's output: at most a MiB in 100 ms, 64 KiB at a time. */
#define READ_MS 100
#define READ_MOST (1u << 20)
#define READ_PIECES 16
#define LAST_EVENTS 64 /* batches of files that an ended app has left */

static int end_fd = -1;

static void
on_end(int sig)
{
	const uint64_t one = 1;
	int saved = errno;

	(void)sig;
	(void)!write(end_fd, &one, sizeof(one));
	errno = saved;
}

enum dstack_status
kube_ending_begin(struct why *why)
{
	const struct sigaction sa = { .sa_handler = on_end,
		.sa_flags = SA_RESTART };

	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end_fd < 0 || sigaction(SIGTERM, &sa, NULL) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "signals: %s", strerror(errno));
	return DSTACK_OK;
}

int
kube_ending_fd(void)
{
	return end_fd;
}

bool
kube_ending(void)
{
	struct pollfd p = { .fd = end_fd, .events = POLLIN };

	return end_fd >= 0 && poll(&p, 1, 0) == 1;
}

/* --- what it writes --- */

/* To everyone who may have it. */
static void
line_done(struct app *a)
{
	size_t n = a->linelen;

	a->linelen = 0;
	a->line[n < APP_LOG_LINE ? n : APP_LOG_LINE - 1] = '\0';
	/* of several services each line says whose it is */
	if (a->box.service != NULL) {
		char text[APP_LOG_LINE];
		const int k = snprintf(text, sizeof(text), "%s: %.*s",
		    a->box.service->name, APP_LOG_LINE - MANIFEST_NAME - 4,
		    a->line);
		n = k > 0 ? (size_t)k : 0;
		memcpy(a->line, text, n + 1);
	}
	bool taken = a->journal != NULL &&
	    journal_line(a->journal, &a->of, APPLOG_APP, a->line, n);
	if (taken && a->of.console)
		log_line("app: %s", a->line);
	if (a->of.setting.mode == APPLOG_PLAIN)
		(void)snprintf(a->tail[a->tails++ % APP_TAIL_LINES],
		    APP_TAIL_WIDTH, "%.*s", APP_TAIL_WIDTH - 1, a->line);
}

void
app_log(struct app *a)
{
	char buf[4096];
	ssize_t n = -1;
	int64_t now = kube_now();

	if (a->box.log < 0)
		return;
	/* nobody but the app itself waits when its part is used up */
	if (now - a->read_from >= READ_MS) {
		a->read_from = now;
		a->read_bytes = 0;
	}
	for (int i = 0; i < READ_PIECES && a->read_bytes < READ_MOST; i++) {
		n = read(a->box.log, buf, sizeof(buf));
		for (ssize_t at = 0; at < n; at++) {
			if (buf[at] == '\n') {
				line_done(a);
				continue;
			}
			a->line[a->linelen++] = buf[at];
			if (a->linelen == APP_LOG_LINE - 1)
				line_done(a);
		}
		if (n <= 0)
			break;
		a->read_bytes += (size_t)n;
	}
	if (n == 0) { /* every writer is gone */
		if (a->linelen != 0)
			line_done(a);
		(void)close(a->box.log);
		a->box.log = -1;
	}
}

int64_t
app_log_wait(const struct app *a, struct pollfd *p, int64_t until)
{
	int64_t again = a->read_from + READ_MS;

	*p = (struct pollfd){ .fd = a->box.log, .events = POLLIN };
	if (a->box.log < 0 || a->read_bytes < READ_MOST ||
	    kube_now() >= again)
		return until;
	p->fd = -1; /* it has had its part of this while */
	return again < until ? again : until;
}

void
app_note(struct app *a, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (a->journal != NULL)
		(void)journal_line(
		    a->journal, &a->of, APPLOG_GUEST, text, strlen(text));
}

void
app_tail(const struct app *a, char *out, size_t cap)
{
	unsigned n = a->tails < APP_TAIL_LINES ? a->tails : APP_TAIL_LINES;
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = a->tails - n; i != a->tails; i++) {
		const char *line = a->tail[i % APP_TAIL_LINES];
		size_t len = strlen(line);
		if (at + len + 2 > cap)
			return;
		memcpy(out + at, line, len);
		out[at + len] = '\n';
		out[at + len + 1] = '\0';
		at += len + 1;
	}
}

/* --- how it ends --- */

bool
app_ended(struct app *a)
{
	char how[LIFE_END_TEXT];
	int code = 0;

	if (!container_ended(&a->box, &code))
		return false;
	health_end(a);
	/* the kernel ends all of an app where one process of it has to end */
	a->end = (struct life_end){ .any = true,
		.by_signal = WIFSIGNALED(code),
		.code = (uint32_t)(WIFSIGNALED(code) ? WTERMSIG(code)
						     : WEXITSTATUS(code)),
		.memory = cgroup_killed(CGROUP_ROOT, a->box.slot) > a->killed,
		.version = a->record.version,
		.at = life_now() };
	app_log(a); /* its last words come before how it ended */
	life_end_text(&a->end, how);
	app_note(a, "the app has ended: %s", how);
	return true;
}

/* What is left of an app is ended, and all that it had in the guest. */
static void
gone(struct app *a)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	services_gone(a);
	health_end(a);
	container_stop(&a->box, 0);
	wr_u8(&q, (uint8_t)a->box.slot);
	(void)!ipc_call(FD_EDGE + ROLE_GUEST_SERVICE, GS_APP_GONE, &q, NULL, 0,
	    NULL, NULL);
	if (a->watch >= 0) {
		int64_t until = kube_now() + APP_SHARED_MS;
		for (int i = 0; i < LAST_EVENTS; i++) {
			if (!kube_shared_events(a->watch, a->host,
				FD_EDGE + ROLE_HOSTLINK, until))
				break;
		}
		(void)close(a->watch);
	}
	if (a->host >= 0)
		(void)close(a->host);
	a->watch = a->host = -1;
	oci_free(a->image);
	a->image = NULL;
	a->linelen = 0;
	a->tails = 0;
	a->restart_at = a->retire_at = 0;
	container_drop(&a->box);
}

void
app_ask(const struct app *a)
{
	if (a->more == NULL)
		container_ask(&a->box);
}

void
app_await(struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx)
{
	while (a->box.pid != 0 && kube_now() < until) {
		struct pollfd p = { .fd = a->box.pidfd, .events = POLLIN };
		if (poll(&p, 1, STEP_MS) == 1)
			break;
		idle(ctx);
	}
	idle(ctx);
}

void
app_wait(struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx)
{
	if (a->more != NULL)
		services_stop(a, until, idle, ctx);
	else
		app_await(a, until, idle, ctx);
	health_end(a);
	container_stop(&a->box, 0);
	a->restart_at = 0;
}

void
app_stop(struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx)
{
	if (a->more != NULL)
		services_stop(a, until, idle, ctx);
	else
		app_await(a, until, idle, ctx);
	if (until != 0 && a->box.pid != 0 && kube_now() >= until)
		log_line("the app does not stop in %d s; it is ended",
		    APP_STOP_MS / 1000);
	gone(a);
	log_line("%s version %llu has ended", a->record.name,
	    (unsigned long long)a->record.version);
}
