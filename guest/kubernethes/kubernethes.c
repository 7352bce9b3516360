/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubernethes: runs what the contract names (THREATS T11, T21, T25, T38, T44).
 *
 * Every two seconds the app's record is read from proven storage. If it is the
 * one that serves, there is nothing to do. If it is another one, an attempt
 * begins: its archive is fetched and judged (stage.c), it is started in the
 * other slot while the old one serves (start.c), and only when it answers the
 * TLS front turns to it; the old one has a moment to finish, and goes. Where
 * either has VOLUMEs they take turns instead: two databases in one folder
 * would be the end of it.
 *
 * An attempt that fails leaves what serves as it is, and is made again: at
 * growing intervals at first, then after a rest. During an attempt the record
 * is read as before; one that is newer ends it. Nothing below a version that
 * this boot or the volume has seen is ever run. What ends an app that serves
 * is the contract's word, or a view of the chain that has grown too old.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "guest/chain/chain.h"
#include "guest/init/cgroup.h"
#include "guest/init/egress.h"
#include "guest/kubernethes/app.h"
#include "guest/base/ipc.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/base/paths.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"
#include "guest/tee/tee.h"
#include "guest/kubernethes/secrets.h"
#include "guest/kubernethes/services.h"
#include "guest/kubernethes/start.h"
#include "guest/kubernethes/store.h"
#include "guest/kubernethes/told.h"

#define POLL_IDLE_MS 200   /* chain, while no app runs */
#ifndef POLL_SERVING_MS    /* its test has other paces */
#define POLL_SERVING_MS 2000
#endif
#define VOLUME_STEP_MS 50
#ifndef DRAIN_MS
#define DRAIN_MS 5000      /* for an old app to answer what it was asked */
#endif

struct kube {
	struct chain chain;
	struct kube_view view;
	struct app app[CONTAINER_SLOTS];
	int live; /* slot that serves; -1 none */
	uint64_t highest; /* version seen; nothing below it runs */
	int egress; /* namespace of the way out; -1: the host gives none */
	struct kube_memory memory;
	struct kube_stage staged;
	struct kube_refused refused; /* the version that failed last */
	/* What launch is at; over: it is no longer what is wanted. */
	struct state_app attempt;
	bool over;
	const struct app *tried; /* several services that are being started */
	bool swept;   /* the volume has no trees of an earlier boot */
	bool paused; /* what serves was ended for it: they share VOLUMEs */
	int64_t look_at;
	bool waiting;      /* for the volume: the chain need not be read */
	uint64_t extended; /* version that RTMR3 has */
	char said[320];    /* last trouble, so that each is told once */
	struct kube_told told;
	struct journal journal; /* what the app writes */
};

static void
say(struct kube *k, const char *text)
{
	if (strcmp(k->said, text) == 0)
		return;
	(void)snprintf(k->said, sizeof(k->said), "%s", text);
	log_line("%s", text);
}

/* What guest-service's /status says. */
static void
status(struct kube *k, const char *what, const struct state_app *r)
{
	kube_told_app(
	    &k->told, k->live >= 0 ? &k->app[k->live] : NULL, k->tried);
	kube_tell(&k->told, what, r, &k->memory);
}

static void
idle(void *ctx)
{
	struct kube *k = ctx;
	for (int i = 0; i < CONTAINER_SLOTS; i++) {
		struct app *a = &k->app[i];
		app_log(a);
		health_step(a);
		services_idle(a);
		if (a->watch >= 0)
			(void)kube_shared_events(a->watch, a->host,
			    FD_EDGE + ROLE_HOSTLINK, kube_now() + APP_SHARED_MS);
	}
	journal_step(&k->journal, false);
}

/* --- what the chain says --- */

enum said {
	SAID_APP,     /* which app is to run */
	SAID_NONE,    /* that none is; or what is known is too old */
	SAID_NOTHING, /* that cannot be told now */
	SAID_END,     /* what ends this VM */
};

/* The newest proven record. why: for all but SAID_APP. */
static enum said
look(struct kube *k, struct state_app *r, struct why *why)
{
	enum dstack_status st = chain_app(&k->chain, r, NULL, why);
	if (st == DSTACK_E_REJECTED)
		return SAID_END;
	int64_t now = kube_boot_seconds();
	if (st == DSTACK_OK || st == DSTACK_E_BUSY)
		kube_view_block(&k->view, k->chain.head.number, now);
	if (kube_view_old(&k->view, k->chain.cfg.max_age, now)) {
		(void)why_set(why, DSTACK_E_BUSY,
		    "no new block for four times netcfg's max-age");
		return SAID_NONE;
	}
	if (kube_view_late(k->chain.head.age, k->chain.cfg.max_age)) {
		(void)why_set(why, DSTACK_E_BUSY,
		    "the newest block is older than four times netcfg's "
		    "max-age");
		return SAID_NONE;
	}
	if (st == DSTACK_E_BUSY)
		return SAID_NONE;
	return st == DSTACK_OK ? SAID_APP : SAID_NOTHING;
}

/* Start the live app again if it has ended. */
static void
keep_running(struct kube *k)
{
	struct why why = { "" };
	char how[LIFE_END_TEXT];
	if (k->live < 0)
		return;
	struct app *a = &k->app[k->live];
	int64_t now = kube_now();
	services_tend(a);
	if (app_ended(a)) {
		app_log(a);
		k->told.life.end = a->end;
		app_tail(a, k->told.life.tail, LIFE_TAIL);
		life_end_text(&a->end, how);
		if (now - a->started > APP_STEADY_MS)
			a->backoff = APP_BACKOFF_FIRST_MS;
		log_line("app ended (%s), starts again in %lld ms", how,
		    (long long)a->backoff);
		a->restart_at = now + a->backoff;
		a->backoff = a->backoff * 2 < APP_BACKOFF_MAX_MS ? a->backoff * 2
							     : APP_BACKOFF_MAX_MS;
		status(k, "restarting", &a->record);
	}
	if (a->restart_at == 0 || now < a->restart_at)
		return;
	a->restart_at = 0;
	if (start_run(a, &k->memory, &why) != DSTACK_OK) {
		log_line("%s", why.text);
		a->restart_at = now + a->backoff;
		return;
	}
	a->restarts++;
	status(k, "serving", &a->record);
}

/*
 * Between the steps of an attempt: is it still what is wanted? The chain is
 * read as often as while an app serves, so that a version that hangs does not
 * stand in the way of the one that mends it; nor of the one that serves, which
 * starts again when it has ended, as ever.
 */
static bool
go_on(void *ctx)
{
	struct kube *k = ctx;
	struct state_app r;
	struct why why = { "" };
	idle(k);
	if (kube_ending())
		return false;
	keep_running(k);
	if (k->tried != NULL)
		status(k, k->live < 0 ? "starting" : "old one serves, starting:",
		    &k->attempt);
	/* each look is a proof to check: not at every piece of an archive */
	if (k->over || kube_now() < k->look_at)
		return !k->over;
	enum said said = look(k, &r, &why);
	k->look_at = kube_now() + POLL_SERVING_MS;
	if (k->live >= 0 && said == SAID_APP)
		kube_view_time(&k->view, k->chain.head.timestamp,
		    kube_boot_seconds());
	/* an older one is an old view's word, and does not end a newer one */
	k->over = said == SAID_NONE || said == SAID_END ||
	    (said == SAID_APP && !kube_same(&r, &k->attempt) &&
		r.version >= k->attempt.version);
	return !k->over;
}

/* --- one version of the app --- */

/* No version below one that this boot or the volume has seen (T21). */
static enum dstack_status
not_older(const struct kube *k, const struct state_app *r, struct why *why)
{
	if (r->version >= k->highest)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "the state shown names version %" PRIu64 ", this node has seen "
	    "%" PRIu64 ": it is an old one", r->version, k->highest);
}

/*
 * Out gets who has the owner's word (a label) and the operator's (EGRESS); of
 * several services each that has the label.
 */
static enum dstack_status
may_go_out(const struct kube *k, struct why *why)
{
	const struct kube_stage *s = &k->staged;
	if (k->egress >= 0 ||
	    !(s->bundle != NULL ? bundle_egress(s->bundle)
				: kube_staged(s)->egress))
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "its label dstack.egress=open asks for a way out, which this node "
	    "does not give (EGRESS=yes in host.env)");
}

/*
 * A program in the folder of another that still runs there takes its lock for
 * a dead one's, each being process 1 of its own world, and both write. So the
 * old one ends, with its grace, before the new one's first process is there.
 */
static void
take_turns(struct kube *k, const struct app *next)
{
	if (k->live < 0)
		return;
	struct app *old = &k->app[k->live];
	if (!services_keep(old) && !services_keep(next))
		return;
	log_line("%s has VOLUMEs: version %" PRIu64 " ends before %" PRIu64
		 " starts", next->record.name, old->record.version,
	    next->record.version);
	k->paused = true;
	app_ask(old);
	app_wait(old, kube_now() + APP_STOP_MS, idle, k);
}

static enum dstack_status
launch(struct kube *k, const struct state_app *r, struct why *why)
{
	int slot = k->live == 0 ? 1 : 0;
	struct app *a = &k->app[slot];
	struct journal_of of;
	k->attempt = *r;
	k->over = false;
	k->paused = false;
	k->look_at = kube_now() + POLL_SERVING_MS;
	enum dstack_status st = not_older(k, r, why);
	/* its slot is needed, and its memory is to be counted as free */
	if (st == DSTACK_OK && a->retire_at != 0) {
		app_ask(a);
		app_stop(a, kube_now() + APP_STOP_MS, idle, k);
	}
	if (st == DSTACK_OK)
		st = kube_stage(&k->staged, &k->memory, r->digest, go_on, k,
		    why);
	if (st == DSTACK_OK)
		st = may_go_out(k, why);
	if (st == DSTACK_OK)
		st = journal_of(kube_staged(&k->staged),
		    k->chain.cfg.log_app, &of, why);
	if (st == DSTACK_OK)
		st = kube_volume_use(&k->highest, why);
	/* before the first app of this role: trees of an earlier boot go */
	if (st == DSTACK_OK && !k->swept)
		st = store_sweep(why);
	k->swept = k->swept || st == DSTACK_OK;
	if (st == DSTACK_OK)
		st = not_older(k, r, why);
	if (st == DSTACK_OK)
		st = secrets_there(&k->staged, r, why);
	if (st != DSTACK_OK) {
		/* kept for the volume that will be there, not for a refusal */
		if (st != DSTACK_E_BUSY)
			kube_unstage(&k->staged);
		return st;
	}
	/* from here on nothing older, also if this one fails: the chain has
	   been seen to name it, and only an old view would name another */
	k->highest = r->version;
	a->record = *r;
	a->backoff = APP_BACKOFF_FIRST_MS;
	a->restarts = 0;
	a->end = (struct life_end){ 0 };
	a->way_out = k->egress;
	a->box.egress = kube_staged(&k->staged)->egress ? k->egress : -1;
	a->of = of;
	memcpy(a->of.app_id, r->app_id, 32);
	a->of.version = r->version;
	a->journal = &k->journal;
	st = start_lay_out(a, &k->staged, &k->memory, go_on, k, why);
	if (st == DSTACK_OK)
		st = secrets_give(a, why);
	if (st == DSTACK_OK)
		st = kube_extend(&k->extended, r, why);
	if (st == DSTACK_OK)
		st = start_plane(a, why);
	if (st == DSTACK_OK)
		st = services_planes(a, why);
	if (st == DSTACK_OK)
		take_turns(k, a);
	k->tried = st == DSTACK_OK && a->more != NULL ? a : NULL;
	if (st == DSTACK_OK)
		st = services_run(a, &k->memory, go_on, k, why);
	if (st == DSTACK_OK)
		st = start_wait(a, go_on, k, why);
	k->tried = NULL;
	if (st == DSTACK_OK)
		st = kube_volume_version(r->version, why);
	if (st == DSTACK_OK)
		kube_view_time(&k->view, k->chain.head.timestamp,
		    kube_boot_seconds());
	if (st == DSTACK_OK)
		st = kube_backend(slot, a->box.port, start_front(a), why);
	if (st != DSTACK_OK) {
		if (a->end.any && a->end.version == r->version)
			k->told.life.end = a->end;
		app_tail(a, k->told.life.tail, LIFE_TAIL);
		app_note(a, "version %" PRIu64 " is not taken: %.150s",
		    r->version, why->text);
		app_ask(a);
		/* one that was refused had its time; one that is cut off not */
		app_stop(a, kube_ending() ? kube_now() + APP_STOP_MS : 0, idle, k);
		if (k->paused) { /* it has its trees yet */
			services_resume(&k->app[k->live]);
			k->app[k->live].restart_at = kube_now();
		}
		return st;
	}
	int old = k->live;
	k->live = slot;
	if (old >= 0) /* new requests go to the new one from here on */
		k->app[old].retire_at = kube_now() + DRAIN_MS;
	return DSTACK_OK;
}

/* Stop what was replaced and had its time to drain. */
static void
retire(struct kube *k, int64_t time)
{
	for (int i = 0; i < CONTAINER_SLOTS; i++) {
		struct app *a = &k->app[i];
		if (a->retire_at == 0 || a->retire_at > time)
			continue;
		app_ask(a);
		app_stop(a, kube_now() + APP_STOP_MS, idle, k);
	}
}

/* --- the loop --- */

static void
stop_all(struct kube *k, const char *text)
{
	struct why why = { "" };
	int64_t until = kube_now() + APP_STOP_MS;
	if (k->live >= 0) {
		log_line("%s: the app stops", text);
		(void)!kube_backend(-1, 0, 0, &why);
	}
	/* all are asked before one is waited for */
	for (int i = 0; i < CONTAINER_SLOTS; i++)
		if (i == k->live || k->app[i].retire_at != 0)
			app_ask(&k->app[i]);
	for (int i = 0; i < CONTAINER_SLOTS; i++)
		if (i == k->live || k->app[i].retire_at != 0)
			app_stop(&k->app[i], until, idle, k);
	/* its last lines at once, as nobody may come to do it; and not again
	   each time that there is still nothing to run: the host has its pause */
	journal_step(&k->journal, k->live >= 0);
	k->live = -1;
	kube_unstage(&k->staged); /* what was to come is not wanted either */
	say(k, text);
	status(k, text, NULL);
}

static void
failure(struct kube *k, const struct state_app *r, enum dstack_status st,
    const struct why *why)
{
	char text[sizeof(k->said)];
	if (st == DSTACK_E_BUSY) { /* not a failure: looked at often */
		k->waiting = !kube_volume_there();
		say(k, why->text);
		(void)snprintf(k->told.life.waits, LIFE_TEXT, "%.*s",
		    LIFE_TEXT - 1, why->text);
		status(k, k->live >= 0 ? "old one serves, waiting:" : "waiting:", r);
		return;
	}
	kube_refused(&k->refused, r, st == DSTACK_E_MISSING, k->paused);
	kube_told_refused(&k->told, &k->refused, why);
	(void)snprintf(text, sizeof(text), "%.60s version %" PRIu64
	    " does not run%s%s: %.150s", r->name, r->version,
	    k->live >= 0 ? ", the old one keeps serving" : "",
	    k->refused.rests ? "; it rests for an hour or till host_volume changes" : "",
	    why->text);
	say(k, text);
	status(k, k->live >= 0 ? "refused, old one serves:" : "not running:", r);
}

/* Compare what the contract names with what runs. False: give up, why. */
static bool
tick(struct kube *k, struct why *why)
{
	struct state_app r;
	k->waiting = false;
	enum said said = look(k, &r, why);
	if (said == SAID_END)
		return false;
	if (said == SAID_NONE)
		stop_all(k, why->text);
	else if (said == SAID_NOTHING)
		say(k, why->text);
	if (said != SAID_APP)
		return true;
	kube_view_clock(&k->view, k->chain.head.timestamp);
	if (k->live >= 0)
		kube_view_time(&k->view, k->chain.head.timestamp,
		    kube_boot_seconds());
	kube_memory_look(&k->memory, kube_memory_free());
	/* told to whoever asks for status, so that push can compare */
	if (k->live >= 0 && kube_same(&r, &k->app[k->live].record)) {
		status(k, k->app[k->live].box.pid != 0 ? "serving"
						       : "restarting", &r);
		return true;
	}
	if (!kube_again(&k->refused, &r))
		return true;
	if (k->told.life.waits[0] == '\0')
		status(k, k->live < 0 ? "starting" : "old one serves, starting:",
		    &r);
	enum dstack_status st = launch(k, &r, why);
	if (st != DSTACK_E_BUSY)
		k->told.life.waits[0] = '\0';
	if (st != DSTACK_OK) {
		failure(k, &r, st, why);
		return true;
	}
	char hex[65];
	hex_encode(r.digest, 32, hex);
	log_line("serving %s version %" PRIu64 " 0x%s", r.name, r.version, hex);
	k->said[0] = '\0';
	k->refused = (struct kube_refused){ 0 };
	k->told.life.refused.version = 0;
	status(k, "serving", &r);
	return true;
}

/* Wait for something of the live app, at most until. */
static void
wait_for(struct kube *k, int64_t until)
{
	struct pollfd p[6 + SERVICES_POLL] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 },
		{ .fd = kube_ending_fd(), .events = POLLIN }, { .fd = -1 },
		{ .fd = -1 } };
	nfds_t n = 6;
	if (k->live >= 0) {
		const struct app *a = &k->app[k->live];
		n += SERVICES_POLL;
		until = app_log_wait(a, &p[0], until);
		p[1] = (struct pollfd){ .fd = a->watch, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = a->box.pidfd, .events = POLLIN };
		if (a->restart_at != 0 && a->restart_at < until)
			until = a->restart_at;
		until = health_poll(a, &p[4], until);
		until = services_poll(a, &p[6], until);
	}
	for (int i = 0; i < CONTAINER_SLOTS; i++)
		if (k->app[i].retire_at != 0 && k->app[i].retire_at < until)
			until = k->app[i].retire_at;
	until = journal_wait(&k->journal, until);
	int64_t ms = until - kube_now();
	if (k->waiting && ms > VOLUME_STEP_MS)
		ms = VOLUME_STEP_MS;
	(void)poll(p, n, ms > 0 ? (int)ms : 0);
	idle(k);
	keep_running(k);
	retire(k, kube_now());
}

static enum dstack_status
begin(struct kube *k, struct why *why)
{
	struct netcfg cfg;
	/* before a descriptor of this role's own could have its number */
	*k = (struct kube){ .live = -1,
		.egress = egress_is(FD_EGRESS) ? FD_EGRESS : -1 };
	k->told.egress = k->egress >= 0;
	for (unsigned i = 0; i < CONTAINER_SLOTS; i++) {
		container_init(&k->app[i].box, i);
		k->app[i].watch = k->app[i].host = -1;
	}
	enum dstack_status st = sandbox_enter(ROLE_KUBERNETHES, why);
	if (st != DSTACK_OK)
		return st;
	/* trees of one that was ended, which would stay in memory */
	for (unsigned i = 0; i < CONTAINER_SLOTS; i++)
		container_uncover(&k->app[i].box);
	(void)cgroup_first_to_go(CGROUP_RUNNER);
	st = kube_ending_begin(why);
	if (st != DSTACK_OK)
		return st;
	journal_begin(&k->journal, FD_EDGE + ROLE_HOSTLINK);
	st = kube_memory_begin(&k->memory, why);
	if (st != DSTACK_OK)
		return st;
	st = role_netcfg(&cfg, NULL, why);
	if (st == DSTACK_OK)
		chain_open(&k->chain, FD_EDGE + ROLE_HOSTLINK,
		    FD_EDGE + ROLE_LIGHTCLIENT, &cfg);
	return st;
}

int
kubernethes_main(void)
{
	static struct kube k;
	struct why why = { "" };
	log_name("kubernethes");
	enum dstack_status st = begin(&k, &why);
	if (st == DSTACK_OK)
		ipc_ready();
	while (st == DSTACK_OK && !kube_ending()) {
		if (!tick(&k, &why))
			break;
		int64_t next = kube_now() +
		    (k.live >= 0 || k.waiting ? POLL_SERVING_MS : POLL_IDLE_MS);
		do {
			wait_for(&k, next);
		} while (!kube_ending() && kube_now() < next &&
		    !(k.waiting && kube_volume_there()));
	}
	if (kube_ending()) {
		stop_all(&k, "the node is to stop");
		return 0;
	}
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
