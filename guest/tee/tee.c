/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tee role owns the TEE's device. What comes in: requests of four roles,
 * each a quote, an event for RTMR3 or a question. Which role may ask what is
 * judged first, then the request's shape, then whether the boot has come so
 * far: events go netcfg, join-ready, joined, and each is believed once. A
 * quote for replication is given only between the last two, so a guest that
 * runs an app can no longer ask for the network's secret with it; one for an
 * app only after them. The purpose is put into report_data here, never by who
 * asks. The role keeps its own account of RTMR3 and compares it after each
 * event, so that anybody else's extension is seen.
 *
 * What can go wrong: something ran in this VM before the role did. RTMR3
 * tells, and then the role gives nothing, and the boot ends. The one case in
 * which that is in order is a tee role that ended in a guest which holds the
 * secret; init, which measured everything since, then says to go on, and
 * whether the guest has joined.
 */
#include "guest/tee/tee.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "guest/init/sandbox.h"
#include "protocol/events.h"
#include "protocol/statements.h"

#define BIT(r) (1u << (r))
#define APP_EVENT "app-event"
#define ANY_LEN SIZE_MAX /* app_event judges */

struct event {
	const char *name;
	enum role from;
	size_t len;            /* of its data: lib/protocol/events.h */
	enum tee_phase needs;
	enum tee_phase leads;
};

static const struct event events[] = {
	{ "netcfg", ROLE_INIT, 48, TEE_BOOT, TEE_NETCFG },
	{ "join-ready", ROLE_INIT, 0, TEE_NETCFG, TEE_READY },
	{ "joined", ROLE_REPLICATOOR, 28, TEE_READY, TEE_JOINED },
	{ "app", ROLE_KUBERNETHES, 72, TEE_JOINED, TEE_JOINED },
	{ "app-start", ROLE_KUBERNETHES, 0, TEE_JOINED, TEE_JOINED },
	{ APP_EVENT, ROLE_GUEST_SERVICE, ANY_LEN, TEE_JOINED, TEE_JOINED },
};

enum dstack_status
tee_begin(struct tee_state *s, const struct tee_driver *driver,
    struct why *why)
{
	struct tee_report r;
	memset(s, 0, sizeof(*s));
	enum dstack_status st = driver->report(&r, why);
	if (st != DSTACK_OK)
		return st;
	s->phase = ct_is_zero(r.rtmr[3], 48) ? TEE_BOOT : TEE_USED;
	memcpy(s->rtmr3, r.rtmr[3], 48);
	memcpy(s->mrconfigid, r.mrconfigid, 48);
	s->driver = driver;
	s->log_whole = s->phase == TEE_BOOT;
	return DSTACK_OK;
}

enum dstack_status
tee_resume(struct tee_state *s, bool joined, struct why *why)
{
	if (s->phase != TEE_USED)
		return why_set(why, DSTACK_E_REJECTED,
		    "tee: asked to go on where nothing has been");
	s->phase = joined ? TEE_JOINED : TEE_READY;
	return DSTACK_OK;
}

static enum ipc_status
verdict(enum dstack_status st)
{
	if (st == DSTACK_OK)
		return IPC_YES;
	return st == DSTACK_E_REJECTED ? IPC_REFUSED : IPC_UNDECIDED;
}

static enum ipc_status
refuse(struct why *why, const char *text)
{
	(void)why_set(why, DSTACK_E_REJECTED, "tee: %s", text);
	return IPC_REFUSED;
}

static enum ipc_status
give_quote(struct tee_state *s, const uint8_t report_data[64], struct wr *out,
    struct why *why)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX / 2);
	enum dstack_status st = s->driver->quote(report_data, &q, why);
	if (st == DSTACK_OK)
		st = wr_status(&q);
	if (st == DSTACK_OK)
		wr_blob(out, q.buf, q.len);
	return verdict(st);
}

/* For register and bootstrap: 32 bytes, only between join-ready and joined. */
static enum ipc_status
quote_replication(struct tee_state *s, uint8_t op, struct rd *body,
    struct wr *out, struct why *why)
{
	uint8_t digest[32];
	uint8_t report_data[64];
	if (rd_copy(body, digest, 32) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return refuse(why, "a quote request is 32 bytes");
	if (s->phase > TEE_READY)
		return refuse(why, "no replication quote once joined; reboot");
	if (s->phase < TEE_READY) {
		(void)refuse(why, "not join-ready yet");
		return IPC_LATER;
	}
	if (op == TEE_QUOTE_REGISTER)
		stmt_report_register(digest, report_data);
	else
		stmt_report_bootstrap(digest, report_data);
	return give_quote(s, report_data, out, why);
}

static enum ipc_status
quote_app(struct tee_state *s, struct rd *body, struct wr *out,
    struct why *why)
{
	uint8_t app[32];
	uint8_t report_data[64];
	const uint8_t *data = NULL;
	size_t n = 0;
	if (rd_copy(body, app, 32) != DSTACK_OK ||
	    rd_blob(body, TEE_MAX_APP_DATA, &data, &n) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return refuse(why, "an app quote request is appId and data");
	if (s->phase < TEE_JOINED) {
		(void)refuse(why, "not joined yet");
		return IPC_LATER;
	}
	stmt_report_app(app, data, n, report_data);
	return give_quote(s, report_data, out, why);
}

/*
 * What an app asks for as it is, unless it would look like a quote of the
 * network's: whose it is, RTMR3 and MRCONFIGID say.
 */
static enum ipc_status
quote_raw(struct tee_state *s, struct rd *body, struct wr *out,
    struct why *why)
{
	const uint8_t *data = NULL;
	uint8_t report_data[64];
	if (rd_take(body, 64, &data) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return refuse(why, "a raw quote request is 64 bytes");
	if (s->phase < TEE_JOINED) {
		(void)refuse(why, "not joined yet");
		return IPC_LATER;
	}
	if (stmt_report_raw(data, 64, report_data) != DSTACK_OK)
		return refuse(why, "the second half of report_data is a "
		    "purpose of the network's own quotes");
	return give_quote(s, report_data, out, why);
}

/*
 * An event of an app's own: its form, a name that none of the guest's events
 * has, and room for it in the log, so that whoever reads a quote can still
 * replay all of them.
 */
static enum ipc_status
app_event(const struct tee_state *s, const uint8_t *data, size_t n,
    struct why *why)
{
	struct rd r = rd_over(data, n);
	char name[EVENT_APP_NAME_MAX + 1];
	const uint8_t *payload = NULL;
	size_t len = 0;
	if (rd_skip(&r, 32) != DSTACK_OK ||
	    rd_text(&r, name, sizeof(name)) != DSTACK_OK || name[0] == '\0' ||
	    rd_blob(&r, EVENT_APP_PAYLOAD_MAX, &payload, &len) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		return refuse(why, "an app's event is appId, a name of 1 to "
		    "64 bytes and at most 1024 bytes of payload");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(events[i].name, name) == 0)
			return refuse(why, "that is the name of an event of "
			    "the guest's own; take another");
	if (s->log_apps + n > TEE_LOG_APPS)
		return refuse(why, "the log has no room for more events of "
		    "apps until this VM boots anew");
	return IPC_YES;
}

static void
log_event(struct tee_state *s, const struct event *e, const uint8_t *data,
    size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_text(&w, e->name);
	wr_blob(&w, data, n);
	if (wr_status(&w) != DSTACK_OK || w.len > TEE_LOG_MAX - s->log_len) {
		/* Part of a chain replays to nothing: say so instead. */
		s->log_whole = false;
		return;
	}
	memcpy(s->log + s->log_len, w.buf, w.len);
	s->log_len += w.len;
	if (e->len == ANY_LEN)
		s->log_apps += w.len;
}

static enum ipc_status
extend(struct tee_state *s, enum role from, struct rd *body, struct wr *out,
    struct why *why)
{
	char name[EVENT_NAME_MAX + 1];
	const uint8_t *data = NULL;
	size_t n = 0;
	const struct event *e = NULL;
	if (rd_text(body, name, sizeof(name)) != DSTACK_OK ||
	    rd_blob(body, EVENT_DATA_MAX, &data, &n) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return refuse(why, "an event is a name and its data");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(events[i].name, name) == 0)
			e = &events[i];
	if (e == NULL || e->from != from || (e->len != ANY_LEN && e->len != n))
		return refuse(why, "no such event for this role, or its data "
		    "has another length");
	/*
	 * Each event once, in order; going back needs a reboot, which clears
	 * the register.
	 */
	if (s->phase == TEE_USED)
		return refuse(why, "RTMR3 is not zero: other software ran in "
		    "this VM before; boot it anew");
	/*
	 * A replicatoor that ended behind it has a successor, which cannot know:
	 * the same joining is told twice and is one event.
	 */
	if (e->needs == TEE_READY && s->phase == TEE_JOINED &&
	    n == sizeof(s->joined) && ct_equal(data, s->joined, n) &&
	    !ct_is_zero(s->joined, n)) {
		wr_put(out, s->rtmr3, 48);
		return IPC_YES;
	}
	if (s->phase > e->needs)
		return refuse(why, "this event has been; reboot");
	if (s->phase < e->needs) {
		(void)refuse(why, "an event before this one is missing");
		return IPC_LATER;
	}
	if (e->len == ANY_LEN && app_event(s, data, n, why) != IPC_YES)
		return IPC_REFUSED;
	/*
	 * The launcher measured one netcfg into MRCONFIGID; the host may not
	 * have shown another.
	 */
	if (e->leads == TEE_NETCFG && !ct_equal(data, s->mrconfigid, 48))
		return refuse(why, "netcfg is not the one that was measured "
		    "(MRCONFIGID)");
	uint8_t digest[48];
	uint8_t got[48];
	event_digest(name, data, (uint32_t)n, digest);
	enum dstack_status st = s->driver->extend(digest, got, why);
	if (st != DSTACK_OK)
		return verdict(st);
	event_extend(s->rtmr3, digest);
	/*
	 * Before the comparison: the register has moved, whatever it moved to.
	 */
	s->phase = e->leads;
	log_event(s, e, data, n);
	if (e->needs == TEE_READY && n == sizeof(s->joined))
		memcpy(s->joined, data, n);
	if (!ct_equal(got, s->rtmr3, 48))
		return refuse(why, "RTMR3 has another value than the events "
		    "give");
	wr_put(out, got, 48);
	return IPC_YES;
}

static enum ipc_status
report(struct tee_state *s, struct rd *body, struct wr *out, struct why *why)
{
	struct tee_report r;
	if (rd_end(body) != DSTACK_OK)
		return refuse(why, "a report request is empty");
	enum dstack_status st = s->driver->report(&r, why);
	if (st != DSTACK_OK)
		return verdict(st);
	wr_put(out, r.mrtd, 48);
	for (int i = 0; i < 4; i++)
		wr_put(out, r.rtmr[i], 48);
	wr_put(out, r.mrconfigid, 48);
	return IPC_YES;
}

static enum ipc_status
event_log(const struct tee_state *s, struct rd *body, struct wr *out,
    struct why *why)
{
	if (rd_end(body) != DSTACK_OK)
		return refuse(why, "an events request is empty");
	wr_u8(out, s->log_whole ? 1 : 0);
	wr_blob(out, s->log, s->log_len);
	return IPC_YES;
}

/* Which roles may ask which op; EXTEND says itself who may which event. */
static unsigned
askers(uint8_t op)
{
	switch (op) {
	case TEE_QUOTE_REGISTER:
	case TEE_QUOTE_BOOTSTRAP:
		return BIT(ROLE_REPLICATOOR);
	case TEE_QUOTE_APP:
	case TEE_QUOTE_RAW:
	case TEE_EVENTS:
		return BIT(ROLE_GUEST_SERVICE);
	case TEE_EXTEND:
		return BIT(ROLE_INIT) | BIT(ROLE_REPLICATOOR) |
		    BIT(ROLE_KUBERNETHES) | BIT(ROLE_GUEST_SERVICE);
	case TEE_REPORT:
		return BIT(ROLE_INIT) | BIT(ROLE_REPLICATOOR) |
		    BIT(ROLE_GUEST_SERVICE);
	case TEE_INFO:
		return BIT(ROLE_INIT) | BIT(ROLE_REPLICATOOR) |
		    BIT(ROLE_GUEST_SERVICE) | BIT(ROLE_KUBERNETHES);
	default:
		return 0;
	}
}

enum ipc_status
tee_handle(struct tee_state *s, enum role from, uint8_t op, struct rd *body,
    struct wr *out, struct why *why)
{
	enum ipc_status st = IPC_REFUSED;
	if ((askers(op) & BIT(from)) == 0)
		return refuse(why, "this role may not ask that");
	switch (op) {
	case TEE_QUOTE_REGISTER:
	case TEE_QUOTE_BOOTSTRAP:
		st = quote_replication(s, op, body, out, why);
		break;
	case TEE_QUOTE_APP:
		st = quote_app(s, body, out, why);
		break;
	case TEE_QUOTE_RAW:
		st = quote_raw(s, body, out, why);
		break;
	case TEE_EVENTS:
		st = event_log(s, body, out, why);
		break;
	case TEE_EXTEND:
		st = extend(s, from, body, out, why);
		break;
	case TEE_REPORT:
		st = report(s, body, out, why);
		break;
	default: /* TEE_INFO: askers knows no other */
		if (rd_end(body) != DSTACK_OK)
			return refuse(why, "an info request is empty");
		wr_text(out, s->driver->name);
		st = IPC_YES;
		break;
	}
	if (st == IPC_YES && wr_status(out) != DSTACK_OK)
		return refuse(why, "the answer does not fit");
	return st;
}

static void
serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(IPC_MAX - 1);
	if (from == ROLE_INIT && q->op == TEE_RESUME) {
		uint8_t joined = 1;
		/* no answer: init waits for nobody while it starts roles */
		if (rd_u8(&q->body, &joined) != DSTACK_OK ||
		    tee_resume(ctx, joined != 0, &why) != DSTACK_OK) {
			ipc_give_up(&why);
			_exit(1);
		}
		return;
	}
	enum ipc_status no = tee_handle(ctx, from, q->op, &q->body, &out, &why);
	enum dstack_status st = no == IPC_YES
	    ? ipc_answer(fd, &out) : ipc_answer_no(fd, no, why.text);
	if (st != DSTACK_OK)
		(void)shutdown(fd, SHUT_RDWR); /* the peer is gone */
}

int
tee_main(void)
{
	static const enum role peers[] = { ROLE_INIT, ROLE_REPLICATOOR,
		ROLE_GUEST_SERVICE, ROLE_KUBERNETHES };
	struct tee_state s;
	struct why why = { "" };
	enum dstack_status st = sandbox_enter(ROLE_TEE, &why);
	if (st == DSTACK_OK)
		st = tee_begin(&s, dstack_flavour.tee, &why);
	if (st != DSTACK_OK) {
		ipc_give_up(&why);
		return 1;
	}
	ipc_ready();
	ipc_serve(peers, sizeof(peers) / sizeof(peers[0]), serve, &s);
	return 0; /* init is gone, and the VM with it */
}
