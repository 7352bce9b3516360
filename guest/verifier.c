/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role verifier: decides whether a newcomer may have the network's secret
 * (PROTOCOL.md section 5). Each request is judged in a child that has no
 * edge to keyd and hands back a struct of fixed size; the parent, which never
 * parses a foreign byte, then asks keyd to seal.
 */
#include "guest/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "guest/ipc.h"
#include "guest/judge.h"
#include "guest/sandbox.h"

#define OP_ONBOARD 1
#define KEYD_ONBOARD 10
#define CHILD_CPU_SECONDS 60

/* What the child may say. Zeroed: no. */
struct verdict {
	uint32_t ok; /* 1: everything holds */
	int32_t status; /* enum dstack_status where not */
	struct why why;
	uint8_t request_id[32];
	uint64_t epoch;
	uint8_t enc_pub[32];
	uint8_t suite;
	uint8_t platform_hash[32];
	uint8_t tcb_status;
	uint8_t payee[20];
	struct chain_head head; /* newest proven: never go behind it again */
};

struct verifier {
	struct chain chain;
	uint8_t netcfg_sha384[48];
};

static uint64_t
boottime(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec;
}

/* --- in the child -------------------------------------------------------- */

/* The statement and everything that can be checked without the chain. */
static enum dstack_status
cheap_checks(
    const struct verifier *v, const struct msg_register *m, struct why *why)
{
	uint8_t id[32], h[32];
	struct eip712_domain d = { .chain_id = v->chain.cfg.chain_id };
	memcpy(d.contract, v->chain.cfg.contract, sizeof(d.contract));
	stmt_register_digest(&m->s, &d, id);
	if (!ct_equal(id, m->request_id, sizeof(id)))
		return why_set(why, DSTACK_E_REJECTED,
		    "requestId is not the digest of the request");
	if (m->suite != SUITE_X25519)
		return why_set(why, DSTACK_E_REJECTED,
		    "suite %u is unknown to this image", m->suite);
	stmt_enc_key_hash(m->suite, m->enc_pub, h);
	if (!ct_equal(h, m->s.enc_key_hash, sizeof(h)))
		return why_set(why, DSTACK_E_REJECTED,
		    "encPub is not the key that the request names");
	keccak256(m->ev.quote.buf, m->ev.quote.len, h);
	if (!ct_equal(h, m->quote_hash, sizeof(h)))
		return why_set(why, DSTACK_E_REJECTED,
		    "the quote is not the one that the request names");
	return DSTACK_OK;
}

/* The chain's word on the request: there, in time, of this very quote. */
static enum dstack_status
chain_checks(struct verifier *v, const struct msg_register *m,
    struct state_epoch *record, struct chain_head *head, struct why *why)
{
	struct state_head state;
	struct state_request request;
	enum dstack_status st = chain_request(
	    &v->chain, m->request_id, &request, head, why);
	if (st != DSTACK_OK)
		return st;
	if (request.state != KM_REQUEST_REQUESTED)
		return why_set(why, DSTACK_E_REJECTED,
		    request.state == KM_REQUEST_NONE
			? "the contract has no such request"
			: "the request was already answered");
	if (head->number > request.expiry)
		return why_set(why, DSTACK_E_REJECTED,
		    "the request expired at block %llu",
		    (unsigned long long)request.expiry);
	if (!ct_equal(request.quote_tag, m->quote_hash, KM_REQUEST_QUOTE_LEN))
		return why_set(why, DSTACK_E_REJECTED,
		    "the contract holds another quote for this request");
	st = chain_epoch(
	    &v->chain, m->s.epoch, &state, record, head, why);
	if (st != DSTACK_OK)
		return st;
	if (state.paused)
		return why_set(why, DSTACK_E_REJECTED, "the contract is paused");
	if (state.current_epoch != m->s.epoch ||
	    record->state != KM_EPOCH_ACTIVE)
		return why_set(why, DSTACK_E_REJECTED,
		    "epoch %llu is not the current one",
		    (unsigned long long)m->s.epoch);
	if (!ct_equal(record->policy_hash, m->s.policy_hash, 32))
		return why_set(why, DSTACK_E_REJECTED,
		    "the request names another policy");
	return DSTACK_OK;
}

static enum dstack_status
judge(struct verifier *v, const uint8_t *body, size_t len,
    struct verdict *out, struct why *why)
{
	struct msg_register m = { 0 };
	struct state_epoch record;
	struct chain_head head;
	struct policy_evidence e;
	uint8_t report_data[64];
	enum dstack_status st = msg_register_parse(body, len, &m, why);
	if (st == DSTACK_OK && !m.has_payee)
		st = why_set(why, DSTACK_E_FORMAT, "no payee");
	if (st == DSTACK_OK)
		st = cheap_checks(v, &m, why);
	if (st == DSTACK_OK)
		st = chain_checks(v, &m, &record, &head, why);
	if (st == DSTACK_OK) {
		stmt_report_register(m.request_id, report_data);
		st = judge_quote(&v->chain, m.s.epoch, &record, &head, &m.ev,
		    report_data, v->netcfg_sha384, &e, why);
	}
	if (st == DSTACK_OK) {
		memcpy(out->request_id, m.request_id, 32);
		out->epoch = m.s.epoch;
		memcpy(out->enc_pub, m.enc_pub, 32);
		out->suite = m.suite;
		memcpy(out->platform_hash, e.platform_hash, 32);
		out->tcb_status = e.tcb_status;
		memcpy(out->payee, m.payee, 20);
	}
	msg_register_free(&m);
	return st;
}

static void
child(struct verifier *v, const uint8_t *body, size_t len, int report)
{
	const struct rlimit cpu = { CHILD_CPU_SECONDS, CHILD_CPU_SECONDS };
	struct verdict out;
	memset(&out, 0, sizeof(out));
	/* nothing here can reach keyd or answer for the verifier */
	(void)close(FD_EDGE + ROLE_KEYD);
	(void)close(FD_EDGE + ROLE_GUEST_SERVICE);
	(void)close(FD_EDGE + ROLE_INIT);
	(void)setrlimit(RLIMIT_CPU, &cpu);
	enum dstack_status st = judge(v, body, len, &out, &out.why);
	out.status = st;
	out.head = v->chain.head;
	out.ok = st == DSTACK_OK ? 1 : 0;
	ssize_t n = write(report, &out, sizeof(out));
	_exit(n == (ssize_t)sizeof(out) ? 0 : 1);
}

/* --- in the parent ------------------------------------------------------- */

static enum dstack_status
run_child(struct verifier *v, const uint8_t *body, size_t len,
    struct verdict *out, struct why *why)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		child(v, body, len, p[1]);
	}
	(void)close(p[1]);
	size_t got = 0;
	while (pid > 0 && got < sizeof(*out)) {
		ssize_t n = read(p[0], (uint8_t *)out + got, sizeof(*out) - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	(void)close(p[0]);
	int st = 0;
	if (pid > 0)
		(void)waitpid(pid, &st, 0);
	if (pid < 0 || got != sizeof(*out) || st != 0) {
		memset(out, 0, sizeof(*out));
		return why_set(why, DSTACK_E_REJECTED,
		    "judging the request failed: it is refused");
	}
	out->why.text[sizeof(out->why.text) - 1] = '\0';
	return DSTACK_OK;
}

static enum dstack_status
seal(const struct verdict *d, struct wr *json, struct why *why)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	AUTO_WR struct wr text = wr_new(IPC_MAX);
	struct msg_onboard m = { 0 };
	const uint8_t *ct;
	size_t n;
	wr_put(&q, d->request_id, 32);
	wr_u64be(&q, d->epoch);
	wr_put(&q, d->enc_pub, 32);
	wr_u8(&q, d->suite);
	wr_put(&q, d->platform_hash, 32);
	wr_u8(&q, d->tcb_status);
	wr_put(&q, d->payee, 20);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_ONBOARD, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	m.ct = wr_new(MSG_MAX_CT);
	if ((st = stmt_onboard_get(&r, &m.s)) == DSTACK_OK &&
	    (st = rd_copy(&r, m.sig, sizeof(m.sig))) == DSTACK_OK &&
	    (st = rd_blob(&r, MSG_MAX_CT, &ct, &n)) == DSTACK_OK &&
	    (st = rd_end(&r)) == DSTACK_OK) {
		wr_put(&m.ct, ct, n);
		msg_onboard_build(&text, &m);
		st = wr_status(&text);
	}
	if (st == DSTACK_OK)
		wr_blob(json, text.buf, text.len);
	else
		(void)why_set(why, st, "keyd: bad answer");
	msg_onboard_free(&m);
	return st == DSTACK_OK ? wr_status(json) : st;
}

static enum dstack_status
onboard(struct verifier *v, struct rd *body, struct wr *json, struct why *why)
{
	const uint8_t *p;
	size_t n;
	uint64_t live_at;
	struct verdict d;
	enum dstack_status st = rd_blob(body, MSG_MAX, &p, &n);
	if (st == DSTACK_OK)
		st = rd_u64be(body, &live_at);
	if (st == DSTACK_OK)
		st = rd_end(body);
	if (st != DSTACK_OK)
		return why_set(why, st, "bad ONBOARD");
	/* a host that shows us an old chain must not make us give keys away */
	uint64_t now = boottime();
	if (live_at > now || now - live_at > v->chain.cfg.heartbeat)
		return why_set(why, DSTACK_E_MISSING,
		    "this node has not seen its own heartbeat on the chain for "
		    "more than %llu seconds",
		    (unsigned long long)v->chain.cfg.heartbeat);
	memset(&d, 0, sizeof(d));
	st = run_child(v, p, n, &d, why);
	if (st != DSTACK_OK)
		return st;
	if (d.head.number >= v->chain.head.number &&
	    d.head.timestamp >= v->chain.head.timestamp)
		v->chain.head = d.head;
	if (d.ok != 1) {
		*why = d.why;
		return d.status == DSTACK_E_MISSING ? DSTACK_E_MISSING
						    : DSTACK_E_REJECTED;
	}
	return seal(&d, json, why);
}

static void
serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	AUTO_WR struct wr json = wr_new(IPC_MAX);
	struct why why = { "" };
	enum dstack_status st;
	(void)from;
	if (q->op != OP_ONBOARD)
		st = why_set(&why, DSTACK_E_REJECTED, "no such request");
	else
		st = onboard(ctx, &q->body, &json, &why);
	if (st != DSTACK_OK) {
		log_line("refused: %s", why.text);
		ipc_answer_why(fd, st, &why);
		return;
	}
	log_line("onboarded a node");
	(void)!ipc_answer(fd, &json);
}

int
verifier_main(void)
{
	static const enum role from[] = { ROLE_GUEST_SERVICE };
	struct verifier v;
	struct netcfg cfg;
	struct why why = { "" };
	log_name("verifier");
	memset(&v, 0, sizeof(v));
	enum dstack_status st = sandbox_enter(ROLE_VERIFIER, &why);
	if (st == DSTACK_OK)
		st = judge_netcfg(&cfg, v.netcfg_sha384, &why);
	if (st != DSTACK_OK) {
		ipc_give_up(&why);
		return 1;
	}
	chain_open(&v.chain, FD_EDGE + ROLE_HOSTLINK, &cfg);
	ipc_ready();
	ipc_serve(from, 1, serve, &v);
	return 0;
}
