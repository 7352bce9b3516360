/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role guest-service: the two HTTP planes of the guest, and the signs of life
 * that its host hands to the relay. Holds no key: keyd is asked with the app id
 * that belongs to the listener a request came in by.
 */
#include "guest/service/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/chain/chain.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"
#include "protocol/messages.h"

#define OP_APP_LISTEN 1
#define OP_APP_GONE 2
#define OP_STATUS 3
#define OP_SECRET 4
#define KEYD_HEARTBEAT 13
#define KEYD_PUBLIC 14
#define KEYD_SECRET_OPEN 27
#define SIGN_S 45      /* between two signs of life, at most */
#define BEAT_JOIN_S 1   /* until keyd serves: nobody is onboarded before */

struct role_state {
	struct service s;
	struct chain chain;
	struct event *beat;
	bool said;
};

/* --- kubernethes --------------------------------------------------------- */

static bool
app_listen(struct service *s, struct ipc_request *q, struct why *why)
{
	struct service_app app;
	uint8_t egress = 0;
	memset(&app, 0, sizeof(app));
	int slot = q->fd[0] >= 0 && q->fd[1] >= 0 ? service_slot_of(q->fd[0])
						 : -1;
	if (slot < 0 || rd_copy(&q->body, app.app_id, 32) != DSTACK_OK ||
	    rd_text(&q->body, app.name, sizeof(app.name)) != DSTACK_OK ||
	    rd_copy(&q->body, app.digest, 32) != DSTACK_OK ||
	    rd_u64be(&q->body, &app.version) != DSTACK_OK ||
	    rd_u8(&q->body, &egress) != DSTACK_OK || egress > 1 ||
	    rd_text(&q->body, app.own, sizeof(app.own)) != DSTACK_OK ||
	    rd_end(&q->body) != DSTACK_OK) {
		(void)why_set(why, DSTACK_E_FORMAT, "bad APP_LISTEN");
		return false;
	}
	/*
	 * A version that starts anew in the same slot takes the place of what
	 * was there.
	 */
	service_app_gone(s, slot);
	app.egress = egress != 0;
	s->app[slot] = app;
	int tcp = take_fd(&q->fd[0]), local = take_fd(&q->fd[1]);
	return service_app_listen(s, slot, tcp, local, why) == DSTACK_OK;
}

static bool
app_gone(struct service *s, struct ipc_request *q, struct why *why)
{
	uint8_t slot;
	if (rd_u8(&q->body, &slot) != DSTACK_OK || slot >= SERVICE_SLOTS ||
	    rd_end(&q->body) != DSTACK_OK) {
		(void)why_set(why, DSTACK_E_FORMAT, "bad APP_GONE");
		return false;
	}
	service_app_gone(s, slot);
	return true;
}

static bool
app_status(struct service *s, struct ipc_request *q, struct why *why)
{
	char text[sizeof(s->app_state)];
	uint64_t total = 0;
	uint64_t spare = 0;
	uint8_t egress = 0;
	struct life life;
	if (rd_text(&q->body, text, sizeof(text)) != DSTACK_OK ||
	    rd_u64be(&q->body, &total) != DSTACK_OK ||
	    rd_u64be(&q->body, &spare) != DSTACK_OK ||
	    rd_u8(&q->body, &egress) != DSTACK_OK || egress > 1 ||
	    life_get(&q->body, &life) != DSTACK_OK ||
	    rd_end(&q->body) != DSTACK_OK) {
		(void)why_set(why, DSTACK_E_FORMAT, "bad STATUS");
		return false;
	}
	/*
	 * The state quotes the app's archive at times, and /status goes to the
	 * host's consoles.
	 */
	for (char *c = text; *c != '\0'; c++) {
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
	memcpy(s->app_state, text, sizeof(text));
	s->memory = total;
	s->spare = spare;
	s->egress = egress != 0;
	s->life = life;
	return true;
}

/*
 * A sealed value on its way to keyd, and back sealed for kubernethes: what
 * goes through here can be read at neither end of the way by this role.
 */
static bool
app_secret(struct ipc_request *q, struct wr *out, struct why *why)
{
	AUTO_WR struct wr body = wr_new(IPC_MAX);
	size_t n = rd_left(&q->body);
	const uint8_t *p = NULL;

	if (rd_take(&q->body, n, &p) != DSTACK_OK)
		return false;
	wr_put(&body, p, n);
	return ipc_call(FD_EDGE + ROLE_KEYD, KEYD_SECRET_OPEN, &body, NULL, 0,
		   out, why) == DSTACK_OK;
}

static void
on_kubernethes(evutil_socket_t fd, short what, void *arg)
{
	struct role_state *g = arg;
	struct ipc_request q = { 0 };
	struct why why = { "" };
	bool eof = false, ok = false;
	AUTO_WR struct wr out = wr_new(IPC_MAX);
	(void)what;
	enum dstack_status st = ipc_receive(fd, &q, &eof);
	if (st == DSTACK_E_LIMIT)
		return; /* already answered no */
	if (st != DSTACK_OK || eof) {
		(void)event_base_loopbreak(g->s.base);
		return;
	}
	if (q.op == OP_APP_LISTEN)
		ok = app_listen(&g->s, &q, &why);
	else if (q.op == OP_APP_GONE)
		ok = app_gone(&g->s, &q, &why);
	else if (q.op == OP_STATUS)
		ok = app_status(&g->s, &q, &why);
	else if (q.op == OP_SECRET)
		ok = app_secret(&q, &out, &why);
	else
		(void)why_set(&why, DSTACK_E_FORMAT, "no such request");
	st = ok ? ipc_answer(fd, &out)
		: ipc_answer_no(fd, IPC_REFUSED, why.text);
	ipc_request_free(&q);
	if (st != DSTACK_OK)
		(void)event_base_loopbreak(g->s.base);
}

/* --- signs of life --------------------------------------------------- */

/* Signed by keyd, for the newest block that this guest believes. */
static enum dstack_status
sign(struct role_state *g, struct wr *body, struct chain_head *head,
    struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr sig = wr_new(0);
	struct msg_heartbeat m;
	uint8_t skip[52];
	memset(&m, 0, sizeof(m));
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_PUBLIC, NULL, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_u64be(&r, &m.s.epoch) != DSTACK_OK ||
	    rd_copy(&r, skip, sizeof(skip)) != DSTACK_OK ||
	    rd_copy(&r, m.s.node, 20) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT, "keyd: bad answer");
	st = chain_final(&g->chain, head, why);
	if (st != DSTACK_OK)
		return st;
	g->s.chain_time = head->timestamp;
	m.s.anchor_number = head->number;
	memcpy(m.s.anchor_hash, head->hash, 32);
	stmt_heartbeat_put(&q, &m.s);
	st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_HEARTBEAT, &q, NULL, 0, &sig, why);
	if (st != DSTACK_OK)
		return st;
	if (sig.len != sizeof(m.sig))
		return why_set(why, DSTACK_E_FORMAT, "keyd: bad answer");
	memcpy(m.sig, sig.buf, sizeof(m.sig));
	msg_heartbeat_build(body, &m);
	return wr_status(body);
}

static enum dstack_status
heartbeat(struct role_state *g, struct why *why)
{
	AUTO_WR struct wr body = wr_new(LINK_MAX_BODY);
	AUTO_WR struct wr answer = wr_new(LINK_MAX_BODY);
	struct chain_head head;
	enum dstack_status st = sign(g, &body, &head, why);
	if (st == DSTACK_OK)
		st = link_fetch(FD_EDGE + ROLE_HOSTLINK, "/sign", body.buf,
		    body.len, &answer, why);
	if (st == DSTACK_OK)
		g->s.last_sign = head.timestamp;
	return st;
}

/* Often enough that who listens for as long as a view may be old hears many. */
static time_t
period(const struct role_state *g)
{
	const uint64_t s = g->chain.cfg.max_age / 8;
	return s < 1 ? 1 : s > SIGN_S ? SIGN_S : (time_t)s;
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct role_state *g = arg;
	struct why why = { "" };
	struct timeval next = { period(g), 0 };
	(void)fd;
	(void)what;
	enum dstack_status st = DSTACK_E_BUSY;
	if (!event_pending(g->s.verdict, EV_READ, NULL)) /* one at a time */
		st = heartbeat(g, &why);
	if (st == DSTACK_E_BUSY)
		next.tv_sec = BEAT_JOIN_S;
	else if (st == DSTACK_OK)
		g->said = false;
	else if (!g->said) {
		log_line("sign of life: %s", why.text);
		g->said = true;
	}
	(void)evtimer_add(g->beat, &next);
}

/* --- start --------------------------------------------------------------- */

static enum dstack_status
open_chain(struct role_state *g, struct why *why)
{
	struct netcfg cfg;
	enum dstack_status st = role_netcfg(&cfg, NULL, why);
	if (st == DSTACK_OK)
		chain_open(&g->chain, FD_EDGE + ROLE_HOSTLINK,
		    FD_EDGE + ROLE_LIGHTCLIENT, &cfg);
	g->s.chain = &g->chain;
	return st;
}

static enum dstack_status
run(struct role_state *g, struct why *why)
{
	const struct timeval first = { BEAT_JOIN_S, 0 };
	enum dstack_status st = open_chain(g, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(g->s.app_state, sizeof(g->s.app_state), "none");
	g->s.base = event_base_new();
	if (g->s.base == NULL)
		return DSTACK_E_NOMEM;
	struct event *kube = event_new(g->s.base, FD_EDGE + ROLE_KUBERNETHES,
	    EV_READ | EV_PERSIST, on_kubernethes, g);
	g->beat = evtimer_new(g->s.base, on_beat, g);
	if (kube == NULL || g->beat == NULL || event_add(kube, NULL) != 0 ||
	    evtimer_add(g->beat, &first) != 0)
		return DSTACK_E_NOMEM;
	st = service_control_start(&g->s, FD_CONTROL, why);
	if (st != DSTACK_OK)
		return st;
	ipc_ready();
	(void)event_base_dispatch(g->s.base);
	return why_set(why, DSTACK_E_SYS, "a peer is gone");
}

int
guest_service_main(void)
{
	struct role_state g;
	struct why why = { "" };
	memset(&g, 0, sizeof(g));
	log_name("guest-service");
	enum dstack_status st = sandbox_enter(ROLE_GUEST_SERVICE, &why);
	if (st == DSTACK_OK)
		st = run(&g, &why);
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
