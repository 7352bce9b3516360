/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the app's author asks when it does not work, told to guest-service:
 * which version serves and since when, how its process ended, what was
 * refused and why, what is waited for. Each round of the role gathers it
 * anew, and it goes out only when it differs from what was told last. None of
 * it is the app's own words: the host reads all of it, whatever the app's
 * owner wants of its logs.
 */
#include "guest/kubernethes/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/init/cgroup.h"
#include "guest/kubernethes/services.h"

/* Worth telling? What is free moves all the time. */
static bool
moved(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) >= 4u << 20;
}

void
kube_told_refused(struct kube_told *t, const struct kube_refused *f,
    const struct why *why)
{
	struct life_refused *r = &t->life.refused;
	int64_t in = f->at - kube_now();

	/* by the clock of the message, which is in seconds */
	*r = (struct life_refused){ .version = f->record.version,
		.tries = f->tries,
		.rests = f->rests,
		.again = life_now() + (uint64_t)(in > 0 ? in / 1000 : 0) };
	(void)snprintf(r->why, sizeof(r->why), "%.*s",
	    (int)sizeof(r->why) - 1, why->text);
}

void
kube_told_app(
    struct kube_told *t, const struct app *a, const struct app *tried)
{
	struct life *l = &t->life;
	const struct app *of = tried != NULL ? tried : a;

	l->serves = a != NULL ? a->record.version : 0;
	l->up = a != NULL && a->box.pid != 0;
	l->since = l->up ? a->since : 0;
	l->restarts = a != NULL ? a->restarts : 0;
	health_text(a, l->health);
	l->used = l->bound = 0;
	if (a != NULL)
		cgroup_usage(CGROUP_ROOT, a->box.slot, &l->used, &l->bound);
	l->services = of != NULL ? services_told(of, l->service) : 0;
	l->services_of = l->services != 0 ? of->record.version : 0;
}

/* Byte by byte over what a reader gets, so that padding does not count. */
static bool
same(const struct life *a, const struct life *b)
{
	AUTO_WR struct wr x = wr_new(0);
	AUTO_WR struct wr y = wr_new(0);
	struct life c = *a;

	c.used = moved(a->used, b->used) ? a->used : b->used;
	life_put(&x, &c);
	life_put(&y, b);
	return x.len == y.len && x.len != 0 && memcmp(x.buf, y.buf, x.len) == 0;
}

void
kube_tell(struct kube_told *t, const char *what, const struct state_app *r,
    const struct kube_memory *m)
{
	char text[sizeof(t->state)];
	AUTO_WR struct wr q = wr_new(IPC_MAX);

	if (r != NULL)
		(void)snprintf(text, sizeof(text), "%s %.60s version %" PRIu64,
		    what, r->name, r->version);
	else
		(void)snprintf(text, sizeof(text), "%s", what);
	if (r != NULL) {
		t->life.wanted = r->version;
		memcpy(t->life.app_id, r->app_id, 32);
	}
	if (strcmp(text, t->state) == 0 && !moved(m->spare, t->spare) &&
	    same(&t->life, &t->last))
		return;
	memcpy(t->state, text, sizeof(text));
	t->spare = m->spare;
	t->last = t->life;
	wr_text(&q, text);
	wr_u64be(&q, m->total);
	wr_u64be(&q, m->spare);
	wr_u8(&q, t->egress);
	life_put(&q, &t->life);
	(void)!ipc_call(FD_EDGE + ROLE_GUEST_SERVICE, GS_STATUS, &q, NULL, 0,
	    NULL, NULL);
}
