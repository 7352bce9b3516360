/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role verifier: judges who asks to be let in, and has keyd seal the secret for
 * whom it takes.
 *
 * A request comes from guest-service as the bytes that some host posted: quote,
 * collateral, hashes, a signature. All of that is read by a child that is
 * forked for it, with a limit on its processor time, no edge but the one to
 * hostlink and a pipe back; if reading the bytes kills it, or worse turns it,
 * what comes out is a verdict about one request and nothing else, and the next
 * one gets a fresh child. The verdict has a fixed form. Which block counts, and
 * how old it may be, the parent has asked lightclient for before: a node whose
 * view is held back judges nobody.
 *
 * Yes goes to keyd with request, key, epoch and platform; its answer, signed by
 * the network's key, goes back as JSON. keyd has its own checks: a turned
 * verifier can let a machine in that it should not, and cannot read the secret.
 */
#include "guest/verifier/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/base/ipc.h"
#include "guest/verifier/judge.h"
#include "guest/keyd/keyd.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"

#define CHILD_CPU_SECONDS 60

struct verifier {
	struct chain chain;
	uint8_t netcfg_sha384[48];
	char said[256]; /* the last "not now"; "": another word since */
};

/* The child: no edge but the one to hostlink, and the pipe. */
static void
child(struct verifier *v, int out, const void *body, size_t len)
{
	struct verifier_verdict verdict;
	const struct rlimit cpu = {CHILD_CPU_SECONDS, CHILD_CPU_SECONDS};
	/*
	 * Processor time, not wall: proofs come through the host, which may be
	 * slow.
	 */
	(void)setrlimit(RLIMIT_CPU, &cpu);
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (r != ROLE_HOSTLINK)
			(void)close(FD_EDGE + r);
	}
	verifier_judge(&v->chain, v->netcfg_sha384, body, len, &verdict);
	/* smaller than PIPE_BUF: written whole or not at all */
	_Static_assert(sizeof(verdict) <= 4096, "fits a pipe's page");
	ssize_t n = write(out, &verdict, sizeof(verdict));
	_exit(n == (ssize_t)sizeof(verdict) ? 0 : 1);
}

/* *out is a whole verdict, or zero: which is no. */
static enum dstack_status
ask_child(struct verifier *v, const void *body, size_t len,
    struct verifier_verdict *out, struct why *why)
{
	int p[2];
	memset(out, 0, sizeof(*out));
	if (pipe2(p, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		child(v, p[1], body, len);
	}
	(void)close(p[1]);
	AUTO_CLOSE int in = p[0];
	if (pid < 0)
		return why_set(why, DSTACK_E_SYS, "fork: %s", strerror(errno));
	struct verifier_verdict got;
	ssize_t n;
	do {
		n = read(in, &got, sizeof(got));
	} while (n < 0 && errno == EINTR);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	/* A crash, a limit or half a verdict: no. */
	if (n != (ssize_t)sizeof(got) || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the request ended the process that read it");
	/* It came from a process that read foreign bytes. */
	got.why.text[sizeof(got.why.text) - 1] = '\0';
	*out = got;
	return DSTACK_OK;
}

static enum dstack_status
seal(const struct verifier_verdict *d, const struct chain_head *head,
    struct wr *json, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	struct handon_view view = { .slot = head->slot };
	memcpy(view.root, head->root, 32);
	memcpy(view.committee, head->committee, 32);
	wr_put(&q, d->request_id, 32);
	wr_u64be(&q, d->epoch);
	wr_put(&q, d->enc_pub, 32);
	wr_u8(&q, d->suite);
	wr_put(&q, d->platform_hash, 32);
	wr_u8(&q, d->tcb_status);
	wr_put(&q, d->payee, 20);
	/* on which chain it was judged: by this process, not by the child */
	handon_view_put(&q, &view);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_ONBOARD, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct msg_onboard m;
	const uint8_t *ct;
	size_t n;
	memset(&m, 0, sizeof(m));
	struct rd r = rd_over(a.buf, a.len);
	if (stmt_onboard_get(&r, &m.s) != DSTACK_OK ||
	    rd_copy(&r, m.sig, sizeof(m.sig)) != DSTACK_OK ||
	    rd_blob(&r, MSG_MAX_CT, &ct, &n) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT, "keyd: bad answer");
	m.ct = wr_new(MSG_MAX_CT);
	wr_put(&m.ct, ct, n);
	msg_onboard_build(json, &m);
	msg_onboard_free(&m);
	return wr_status(json);
}

/* keyd says "later" until this node has joined, and so does the verifier. */
static enum dstack_status
joined(struct why *why)
{
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	return ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_PUBLIC, NULL, NULL, 0, &a, why);
}

static enum dstack_status
onboard(struct verifier *v, struct rd *q, struct wr *out, struct why *why)
{
	const uint8_t *body;
	size_t len;
	struct verifier_verdict d;
	if (rd_blob(q, MSG_MAX, &body, &len) != DSTACK_OK ||
	    rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT, "malformed ONBOARD");
	enum dstack_status st = joined(why);
	/* the head is no child's to name: this process asks for it */
	if (st == DSTACK_OK)
		st = chain_look(&v->chain, why);
	if (st == DSTACK_OK)
		st = verifier_check_age(
		    v->chain.head.age, v->chain.cfg.max_age, why);
	if (st == DSTACK_OK)
		st = ask_child(v, body, len, &d, why);
	if (st != DSTACK_OK)
		return st;
	if (!d.yes) {
		/* No and "all is well" at once: then it is no. */
		if (d.st == DSTACK_OK)
			d.st = DSTACK_E_REJECTED;
		return why_set(why, d.st, "%s",
		    d.why.text[0] != '\0' ? d.why.text : "refused");
	}
	AUTO_WR struct wr json = wr_new(IPC_MAX);
	st = seal(&d, &v->chain.head, &json, why);
	if (st == DSTACK_OK)
		wr_blob(out, json.buf, json.len);
	return st;
}

static void
serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	struct verifier *v = ctx;
	struct why why = {""};
	AUTO_WR struct wr out = wr_new(IPC_MAX);
	enum dstack_status st;
	(void)from;
	if (q->op == VERIFIER_OP_ONBOARD)
		st = onboard(v, &q->body, &out, &why);
	else
		st = why_set(&why, DSTACK_E_REJECTED, "no such request");
	if (st != DSTACK_OK) {
		/* asked several times a second while a request gets final: the
		 * same "not now" is said once, a refusal each time */
		const bool later = st == DSTACK_E_MISSING;
		if (st != DSTACK_E_BUSY &&
		    (!later || strcmp(v->said, why.text) != 0))
			log_line("%s: %s", later ? "not now" : "refused",
			    why.text);
		(void)snprintf(v->said, sizeof(v->said), "%s",
		    later ? why.text : "");
		ipc_answer_why(fd, st, &why);
		return;
	}
	v->said[0] = '\0';
	log_line("onboarded a node");
	if (ipc_answer(fd, &out) != DSTACK_OK)
		log_line("guest-service is gone");
}

int
verifier_main(void)
{
	static const enum role askers[] = {ROLE_GUEST_SERVICE};
	static struct verifier v;
	struct netcfg cfg;
	struct why why = {""};
	log_name("verifier");
	(void)signal(SIGPIPE, SIG_IGN);
	enum dstack_status st = role_netcfg(&cfg, v.netcfg_sha384, &why);
	if (st == DSTACK_OK)
		st = sandbox_enter(ROLE_VERIFIER, &why);
	if (st != DSTACK_OK) {
		log_line("%s", why.text);
		ipc_give_up(&why);
		return 1;
	}
	chain_open(&v.chain, FD_EDGE + ROLE_HOSTLINK,
	    FD_EDGE + ROLE_LIGHTCLIENT, &cfg);
	ipc_ready();
	ipc_serve(askers, 1, serve, &v);
	return 0;
}
