/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A staged image becomes an app that answers, step by step.
 *
 * Its slot gets a tmpfs, the tree is unpacked into it by a bounded process,
 * and the host's files are copied beside it. guest-service listens for the
 * app, then its first process is started, and then it has three minutes (more
 * where its HEALTHCHECK gives more) to say by its HEALTHCHECK that it is well
 * and to take a connection on its port (port.c says which one that is). An app
 * that ends, or that listens where nobody gets to, will not: it is refused
 * before that.
 */
#include "guest/kubernethes/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/paths.h"
#include "guest/base/role.h"
#include "guest/init/cgroup.h"
#include "guest/kubernethes/port.h"
#include "guest/kubernethes/services.h"
#include "guest/kubernethes/unpacker.h"
#include "guest/tls/tls.h"

#define STEP_MS 50
#define ASK_MS 2000
#define FILL_MS 60000    /* for the host's files, before an app starts */

/* Container and tree of an app that is one image. */
static enum dstack_status
lay_out_one(struct app *a, struct kube_stage *s, const struct kube_memory *m,
    bool (*go_on)(void *ctx), void *ctx, struct why *why)
{
	enum dstack_status st =
	    container_make(&a->box, m->total / 4 * 3, why);
	if (st == DSTACK_OK && oci_config(s->image)->on_volume)
		st = container_store(&a->box, why);
	if (st == DSTACK_OK)
		st = container_bound(&a->box, m->first, why);
	if (st == DSTACK_OK)
		st = unpack_apart(&a->box, s->image, &s->archive, m->first,
		    go_on, ctx, why);
	/* The config is kept for restarts; the archive is eaten up. */
	if (st == DSTACK_OK)
		a->image = take_ptr(&s->image);
	return st;
}

enum dstack_status
start_lay_out(struct app *a, struct kube_stage *s, const struct kube_memory *m,
    bool (*go_on)(void *ctx), void *ctx, struct why *why)
{
	char host[64];
	enum dstack_status st = s->bundle != NULL
	    ? services_lay_out(a, s, m, go_on, ctx, why)
	    : lay_out_one(a, s, m, go_on, ctx, why);
	kube_unstage(s);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(host, sizeof(host), "%s/host", a->box.dir);
	a->host = open(host, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a->host < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", host,
		    strerror(errno));
	kube_shared_fill(
	    FD_EDGE + ROLE_HOSTLINK, a->host, kube_now() + FILL_MS);
	a->watch = kube_shared_watch(host);
	return DSTACK_OK;
}

enum dstack_status
start_plane(const struct app *a, struct why *why)
{
	AUTO_CLOSE int tcp = -1;
	AUTO_CLOSE int local = -1;
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	enum dstack_status st = container_listen(&a->box, &tcp, &local, why);
	if (st != DSTACK_OK)
		return st;
	const int fds[2] = { tcp, local };
	wr_put(&q, a->record.app_id, 32);
	wr_text(&q, a->record.name);
	wr_put(&q, a->record.digest, 32);
	wr_u64be(&q, a->record.version);
	wr_u8(&q, a->box.egress >= 0);
	wr_text(&q, a->box.service != NULL ? a->box.service->name : "");
	st = ipc_call(FD_EDGE + ROLE_GUEST_SERVICE, GS_APP_LISTEN, &q, fds, 2,
	    NULL, why);
	return st == DSTACK_OK ? st
			       : why_wrap(why, st, "guest-service: app plane");
}

enum dstack_status
start_run(struct app *a, const struct kube_memory *m, struct why *why)
{
	app_note(a, "version %llu starts",
	    (unsigned long long)a->record.version);
	a->killed = cgroup_killed(CGROUP_ROOT, a->box.slot);
	enum dstack_status st = container_start(&a->box, oci_config(a->image),
	    PATH_VOLUME, a->of.setting.mode != APPLOG_NONE, m->first, why);
	a->started = kube_now();
	a->since = life_now();
	if (st == DSTACK_OK)
		health_begin(a);
	return st;
}

static enum dstack_status
has_ended(const struct app *a, struct why *why)
{
	char how[LIFE_END_TEXT];
	char port[16] = "";

	life_end_text(&a->end, how);
	if (a->box.port != 0)
		(void)snprintf(port, sizeof(port), " on port %u", a->box.port);
	return why_set(why, DSTACK_E_REJECTED,
	    "app ended before it listened%s (%s)", port, how);
}

static enum dstack_status
too_late(const struct app *a, const struct port_look *look, int64_t ms,
    struct why *why)
{
	if (health_good(a))
		return port_too_late(look, ms, why);
	return why_set(why, DSTACK_E_REJECTED,
	    "app is not healthy after %lld s: its HEALTHCHECK says %s",
	    (long long)ms / 1000,
	    a->health.last[0] != '\0' ? a->health.last : "nothing");
}

static bool
ready(struct app *a, const struct port_look *look)
{
	a->box.port = look->port;
	return look->port != 0 && health_good(a) &&
	    container_answers(&a->box, STEP_MS);
}

enum dstack_status
start_wait(struct app *a, bool (*go_on)(void *ctx), void *ctx, struct why *why)
{
	const int64_t grace = health_grace(a);
	const int64_t ms = grace > READY_MS ? grace : READY_MS;
	int64_t end = kube_now() + ms;
	struct port_look look;
	port_begin(&look, oci_config(a->image));
	while (!ready(a, &look)) {
		struct pollfd p = { .fd = a->box.pidfd, .events = POLLIN };
		bool on = go_on(ctx);
		services_tend(a);
		/* A refused connect comes back at once: wait by the process. */
		(void)poll(&p, 1, STEP_MS);
		if (app_ended(a)) {
			(void)go_on(ctx); /* its last words */
			return has_ended(a, why);
		}
		if (!on)
			return why_set(why, DSTACK_E_BUSY,
			    "given up for what comes");
		if (kube_now() > end)
			return too_late(a, &look, ms, why);
		enum dstack_status st = port_look(&look, &a->box, why);
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

uint8_t
start_front(struct app *a)
{
	const struct oci_config *c = oci_config(a->image);
	const size_t n = a->more != NULL ? a->more->m.nservices : 1;
	uint8_t flags = c->proxy ? TLS_BACKEND_PROXY : 0;

	/* what one service may tell the world the app may */
	for (unsigned i = 0; i < n; i++)
		if (services_at(a, i)->box.egress >= 0)
			flags |= TLS_BACKEND_EGRESS;
	if (c->h2 == OCI_H2_YES ||
	    (c->h2 == OCI_H2_ASK &&
		ask_h2(container_address(&a->box), a->box.port, c->proxy,
		    ASK_MS)))
		flags |= TLS_BACKEND_H2;
	return flags;
}
