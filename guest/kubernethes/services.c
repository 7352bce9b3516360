/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services of an app that run: started in order, looked after, stopped.
 *
 * A service is started when each that it needs is as its condition says:
 * started is so at once, healthy when its check has said yes, completed when
 * it has ended with 0. One that will not become so (it has ended and is not
 * started again, or its time is over) is the end of the whole attempt, with
 * the line that names both. While it waits the role goes on with all else.
 *
 * Once it serves, a service that ends is started again after a pause that
 * grows, as its restart says; the others are not touched by it, and neither
 * is the front. To stop goes the other way round, so that nothing loses what
 * it needs while it still works: each gets its signal when the last that
 * needs it has ended, and its grace. The whole has one end, of which whoever
 * comes later keeps a part: a hanging front must not cost a database its own.
 */
#include "guest/kubernethes/services.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"

#define STEP_MS 50
#define STOP_MS 20000 /* for all; the role itself has 30 s */
#define LEAST_MS 2000 /* of it, for each that comes after */

struct app *
services_at(struct app *a, unsigned i)
{
	return a->more == NULL || i == a->more->m.front ? a
							: &a->more->app[i];
}

static const char *
name(const struct app *x)
{
	return x->box.service->name;
}

/* Ended, and for good unless somebody asks? */
static bool
over(const struct app *x)
{
	return x->box.pid == 0 && x->restart_at == 0 && x->end.any;
}

static bool
completed(const struct app *x)
{
	return over(x) && !x->end.by_signal && x->end.code == 0;
}

/* It has ended: whether and when it comes back. */
static void
after_end(struct app *x)
{
	const int64_t now = kube_now();
	const enum manifest_restart r = x->box.service->restart;
	const bool well = !x->end.by_signal && x->end.code == 0;
	char how[LIFE_END_TEXT];

	app_log(x);
	life_end_text(&x->end, how);
	if (r == MANIFEST_NO || (r == MANIFEST_ON_FAILURE && well)) {
		log_line("service %s ended (%s)", name(x), how);
		return;
	}
	if (now - x->started > APP_STEADY_MS)
		x->backoff = APP_BACKOFF_FIRST_MS;
	log_line("service %s ended (%s), starts again in %lld ms", name(x),
	    how, (long long)x->backoff);
	x->restart_at = now + x->backoff;
	x->backoff = x->backoff * 2 < APP_BACKOFF_MAX_MS ? x->backoff * 2
							 : APP_BACKOFF_MAX_MS;
}

static void
tend_one(struct app *a, struct app *x)
{
	struct why why = { "" };

	if (app_ended(x))
		after_end(x);
	if (x->restart_at == 0 || kube_now() < x->restart_at)
		return;
	x->restart_at = 0;
	if (start_run(x, a->more->memory, &why) != DSTACK_OK) {
		log_line("service %s: %s", name(x), why.text);
		x->restart_at = kube_now() + x->backoff;
		return;
	}
	x->restarts++;
}

void
services_tend(struct app *a)
{
	if (a->more == NULL)
		return;
	/* in their order, for when all come back at once */
	for (size_t n = 0; n < a->more->m.nservices; n++) {
		struct app *x = services_at(a, a->more->m.order[n]);
		if (x != a)
			tend_one(a, x);
	}
}

void
services_idle(struct app *a)
{
	if (a->more == NULL)
		return;
	for (unsigned i = 0; i < a->more->m.nservices; i++) {
		struct app *x = services_at(a, i);
		if (x == a)
			continue;
		app_log(x);
		health_step(x);
	}
}

int64_t
services_poll(const struct app *a, struct pollfd p[static SERVICES_POLL],
    int64_t until)
{
	size_t n = 0;

	for (unsigned i = 0; a->more != NULL && i < a->more->m.nservices; i++) {
		const struct app *x = &a->more->app[i];
		if (i == a->more->m.front)
			continue;
		p[n] = (struct pollfd){ .fd = -1 };
		until = app_log_wait(x, &p[n++], until);
		p[n++] = (struct pollfd){ .fd = x->box.pid != 0 ? x->box.pidfd
								: -1,
			.events = POLLIN };
		p[n] = p[n + 1] = (struct pollfd){ .fd = -1 };
		until = health_poll(x, &p[n], until);
		n += 2;
		if (x->restart_at != 0 && x->restart_at < until)
			until = x->restart_at;
	}
	while (n < SERVICES_POLL)
		p[n++] = (struct pollfd){ .fd = -1 };
	return until;
}

_Static_assert(LIFE_SERVICES == MANIFEST_SERVICES, "all of them are told");
_Static_assert(LIFE_NAME == MANIFEST_NAME + 1, "by their whole names");

unsigned
services_told(
    const struct app *a, struct life_service out[static LIFE_SERVICES])
{
	unsigned n = 0;

	for (; a->more != NULL && n < a->more->m.nservices; n++) {
		const struct app *x =
		    n == a->more->m.front ? a : &a->more->app[n];
		struct life_service *s = &out[n];
		*s = (struct life_service){ .up = x->box.pid != 0,
			.over = x != a && over(x),
			.restarts = x->restarts,
			.end = x->end };
		s->since = s->up ? x->since : 0;
		(void)snprintf(s->name, sizeof(s->name), "%s",
		    a->more->m.service[n].name);
		health_text(x, s->health);
	}
	return n;
}

/* --- to start --- */

static bool
met(struct app *y, enum manifest_condition c)
{
	if (c == MANIFEST_COMPLETED)
		return completed(y);
	return c == MANIFEST_STARTED ||
	    (y->box.pid != 0 && health_good(y));
}

static enum dstack_status
not_met(const struct app *x, const struct app *y, enum manifest_condition c,
    int64_t ms, struct why *why)
{
	char how[LIFE_END_TEXT];

	if (over(y)) {
		life_end_text(&y->end, how);
		return why_set(why, DSTACK_E_REJECTED,
		    "service %s needs %s, which ended (%s)", name(x), name(y),
		    how);
	}
	return why_set(why, DSTACK_E_REJECTED,
	    "service %s needs %s, which is not %s after %lld s%s%s", name(x),
	    name(y), c == MANIFEST_COMPLETED ? "completed" : "healthy",
	    (long long)ms / 1000,
	    y->health.last[0] != '\0' ? ": its check says " : "",
	    y->health.last);
}

/* Until y, of a, is as x needs it. */
static enum dstack_status
await_need(struct app *a, const struct app *x, struct app *y,
    enum manifest_condition c, bool (*go_on)(void *ctx), void *ctx,
    struct why *why)
{
	const int64_t grace = health_grace(y);
	const int64_t ms = grace > READY_MS ? grace : READY_MS;
	const int64_t end = kube_now() + ms;

	while (!met(y, c)) {
		const int fd = y->box.pid != 0 ? y->box.pidfd : -1;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		bool on = go_on(ctx);
		(void)poll(&p, 1, STEP_MS);
		services_tend(a);
		/* of the front nobody else takes note before it serves */
		if (y == a && app_ended(a))
			return not_met(x, y, c, ms, why);
		if (!on)
			return why_set(why, DSTACK_E_BUSY,
			    "given up for what comes");
		if (met(y, c))
			break;
		if (over(y) || kube_now() > end)
			return not_met(x, y, c, ms, why);
	}
	return DSTACK_OK;
}

enum dstack_status
services_run(struct app *a, const struct kube_memory *m, bool (*go_on)(void *ctx), void *ctx, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	if (a->more == NULL)
		return start_run(a, m, why);
	a->more->memory = m;
	for (size_t n = 0; st == DSTACK_OK && n < a->more->m.nservices; n++) {
		const unsigned i = a->more->m.order[n];
		const struct manifest_service *s = &a->more->m.service[i];
		struct app *x = services_at(a, i);
		for (size_t k = 0; st == DSTACK_OK && k < s->nneeds; k++)
			st = await_need(a, x, services_at(a, s->needs[k].service),
			    s->needs[k].condition, go_on, ctx, why);
		if (st == DSTACK_OK)
			st = start_run(x, m, why);
	}
	return st;
}

/* --- to stop --- */

void
services_stop(
    struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx)
{
	const int64_t end = kube_now() + STOP_MS;
	const struct manifest *m = &a->more->m;

	for (size_t n = m->nservices; n-- > 0;) {
		struct app *x = services_at(a, m->order[n]);
		const uint32_t own = m->service[m->order[n]].stop_grace;
		int64_t ms = own != 0 ? own : MANIFEST_GRACE_MS;
		const int64_t left =
		    end - kube_now() - (int64_t)n * LEAST_MS;
		x->restart_at = 0;
		if (x->box.pid == 0)
			continue;
		if (ms > left)
			ms = left;
		if (ms < LEAST_MS)
			ms = LEAST_MS;
		if (until != 0) /* without a grace it is not asked either */
			container_ask(&x->box);
		app_await(x, until != 0 ? kube_now() + ms : 0, idle, ctx);
		if (until != 0 && x->box.pid != 0 && !app_ended(x))
			log_line("service %s does not stop in %lld ms; it is "
				 "ended", name(x), (long long)ms);
		health_end(x);
		container_stop(&x->box, 0);
	}
}

void
services_resume(struct app *a)
{
	for (unsigned i = 0; a->more != NULL && i < a->more->m.nservices; i++) {
		struct app *x = services_at(a, i);
		/* what has done its work is not asked for it again */
		if (x != a && !(x->box.service->restart == MANIFEST_NO &&
				  completed(x)))
			x->restart_at = kube_now();
	}
}

void
services_gone(struct app *a)
{
	if (a->more == NULL)
		return;
	for (unsigned i = 0; i < MANIFEST_SERVICES; i++) {
		AUTO_WR struct wr q = wr_new(IPC_MAX);
		struct app *x = &a->more->app[i];
		if (x->image == NULL) {
			container_drop(&x->box);
			continue;
		}
		health_end(x);
		container_stop(&x->box, 0);
		wr_u8(&q, (uint8_t)container_place(&x->box));
		(void)!ipc_call(FD_EDGE + ROLE_GUEST_SERVICE, GS_APP_GONE, &q,
		    NULL, 0, NULL, NULL);
		oci_free(x->image);
		container_drop(&x->box);
	}
	a->box.service = NULL;
	manifest_free(&a->more->m);
	free(a->more);
	a->more = NULL;
}

bool
services_keep(const struct app *a)
{
	bool keep = oci_config(a->image)->nvolumes != 0;
	for (unsigned i = 0; a->more != NULL && i < a->more->m.nservices; i++)
		if (i != a->more->m.front)
			keep = keep ||
			    oci_config(a->more->app[i].image)->nvolumes != 0;
	return keep;
}
