/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front's files on the host volume, in turns: as soon as the chain's time
 * is known the certificate is asked for and judged; until they are there, the
 * request and its attestation are handed out; then all over again, soon while
 * there is no certificate and every ten seconds after.
 *
 * Requests to the host go out one at a time and their answers come through
 * the event loop, so that a host that is slow, or means to be, does not hold
 * up a single client. What the host sends can be anything: a file that is
 * refused changes nothing, and a refusal of the host's is said once.
 */
/*
 * The front's files on the host volume. Requests to the host go out one at a
 * time and their answers come through the event loop, so that a host that is
 * slow, or means to be, does not hold up a single client.
 */
#include "guest/tls/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/own.h"
#include "base/rd.h"
#include "crypto/hash.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/tls/cert.h"

#define KEYD_TLS_ATTEST 19
#define HOSTLINK_CALL 1
#define FIRST_POLL_MS 200   /* until there is a certificate */
#define RENEW_POLL_MS 10000 /* a renewed one may take this long */
#define JUDGE_AGAIN_S 60    /* of chain time, until a refused one is judged anew */

#define HOST (FD_EDGE + ROLE_HOSTLINK)

/* hostlink CALL: path and body; the answer comes to on_answer. */
static bool
ask(struct tls_files *f, enum tls_ask what, const char *path, const struct wr *body)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);

	wr_u8(&q, HOSTLINK_CALL);
	wr_text(&q, path);
	wr_blob(&q, body != NULL ? body->buf : NULL,
	    body != NULL ? body->len : 0);
	if (wr_status(&q) != DSTACK_OK ||
	    send(HOST, q.buf, q.len, MSG_NOSIGNAL) != (ssize_t)q.len ||
	    event_add(f->answer, NULL) != 0)
		return false;
	f->asked = what;
	return true;
}

/*
 * Judge the file that the host offers now. A refused one changes nothing:
 * what was served before is served on. A refusal is said once; since a file
 * may be refused for a time that is not its own yet, it is judged again as the
 * chain's time goes on.
 */
static void
judge(struct tls_files *f, const uint8_t *p, size_t n)
{
	struct why why = { "" };
	uint8_t seen[32];
	uint64_t size;
	struct server_chain chain = { { NULL }, 0 };

	if (n < 8)
		return;
	sha256(p, n, seen);
	const bool again = memcmp(seen, f->leaf_seen, sizeof(seen)) == 0;
	if (again && (f->leaf_again == 0 || f->now < f->leaf_again))
		return;
	memcpy(f->leaf_seen, seen, sizeof(seen));
	f->leaf_again = f->now + JUDGE_AGAIN_S;
	struct rd r = rd_over(p, n);
	enum dstack_status st = rd_u64be(&r, &size);
	if (st == DSTACK_OK && size != rd_left(&r))
		st = why_set(&why, DSTACK_E_LIMIT,
		    "certificate.pem is larger than %u bytes", SERVER_CHAIN_PEM_MAX);
	if (st == DSTACK_OK)
		st = server_chain_judge("certificate.pem", p + r.pos, rd_left(&r), f->key,
		    f->domain, f->now, &chain, &why);
	if (st != DSTACK_OK) {
		if (!again)
			log_line("%s%s", why.text,
			    f->serving ? "; the one before stays" : "");
		return;
	}
	bool used = f->use(f->arg, &chain);
	server_chain_free(&chain);
	if (used) {
		f->leaf_again = 0;
		f->serving = true;
	}
	log_line(used ? "certificate for %s accepted"
		      : "OpenSSL refused certificate.pem for %s",
	    f->domain);
}

/*
 * What an outside auditor needs: the request, to be signed by a CA, and the
 * network's signature over the public key (65-byte point) as system statement
 * `unstoppable_tls`. Both are for everybody to see.
 */
static bool
ask_request(struct tls_files *f)
{
	AUTO_WR struct wr csr = wr_new(0);

	return cert_request(f->key, f->domain, &csr) == DSTACK_OK &&
	    ask(f, TLS_ASK_REQUEST, "/put/request.csr", &csr);
}

static bool
ask_attestation(struct tls_files *f)
{
	uint8_t point[65];
	struct why why = { "" };
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	enum dstack_status st = cert_point(f->key, point);

	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_KEYD, KEYD_TLS_ATTEST, &q, NULL, 0,
		    &a, &why);
	if (st == DSTACK_OK && a.len != 32 + 65)
		st = why_set(&why, DSTACK_E_FORMAT, "keyd: bad answer");
	if (st != DSTACK_OK) {
		log_line("%s", why.text);
		return false;
	}
	AUTO_WR struct wr json = wr_new(0);
	wr_str(&json, "{\"tag\":\"unstoppable_tls\",\"publicKey\":\"0x");
	wr_hex(&json, point, sizeof(point));
	wr_str(&json, "\",\"appData\":\"0x");
	wr_hex(&json, a.buf, 32);
	wr_str(&json, "\",\"signature\":\"0x");
	wr_hex(&json, a.buf + 32, 65);
	wr_str(&json, "\"}\n");
	return wr_status(&json) == DSTACK_OK &&
	    ask(f, TLS_ASK_ATTESTATION, "/put/tls-attestation.json", &json);
}

/* The host's refusal is said once; it may be full, and have room later. */
static void
refused(struct tls_files *f, const char *name, const uint8_t *p, size_t n)
{
	char text[sizeof(f->refusal)];

	(void)snprintf(text, sizeof(text), "%.*s", (int)(n < 160 ? n : 160),
	    n > 0 ? (const char *)p : "no reason");
	if (strcmp(text, f->refusal) != 0)
		log_line("the host did not take host_volume/%s: %s; trying on",
		    name, text);
	(void)snprintf(f->refusal, sizeof(f->refusal), "%s", text);
}

static void
wait_a_little(struct tls_files *f)
{
	int ms = f->serving && f->published ? RENEW_POLL_MS
						: FIRST_POLL_MS;
	const struct timeval next = { ms / 1000, (ms % 1000) * 1000 };

	(void)evtimer_add(f->poll, &next);
}

/* status 0: the host, or the link to it, is away. */
static void
answered(struct tls_files *f, unsigned status, const uint8_t *p, size_t n)
{
	bool more = false;

	switch (f->asked) {
	case TLS_ASK_CERTIFICATE:
		if (status == 200)
			judge(f, p, n);
		more = !f->published && ask_request(f);
		break;
	case TLS_ASK_REQUEST:
		if (status == 200)
			more = ask_attestation(f);
		else
			refused(f, "request.csr", p, n);
		break;
	case TLS_ASK_ATTESTATION:
		f->published = status == 200;
		if (!f->published)
			refused(f, "tls-attestation.json", p, n);
		break;
	case TLS_ASK_NONE:
		break;
	}
	if (!more) {
		f->asked = TLS_ASK_NONE;
		wait_a_little(f);
	}
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct tls_files *f = arg;
	AUTO_FREE uint8_t *buf = malloc(IPC_MAX);
	uint8_t st = 0;
	uint16_t status = 0;
	const uint8_t *p = NULL;
	size_t len = 0;

	(void)what;
	ssize_t n = buf != NULL ? recv(fd, buf, IPC_MAX, 0) : -1;
	if (n <= 0) {
		(void)event_base_loopbreak(f->base);
		return;
	}
	struct rd r = rd_over(buf, (size_t)n);
	if (rd_u8(&r, &st) != DSTACK_OK)
		st = IPC_REFUSED;
	if (st != IPC_YES) { /* a line of text */
		answered(f, 0, buf + r.pos, rd_left(&r));
		return;
	}
	if (rd_u16be(&r, &status) != DSTACK_OK ||
	    rd_blob(&r, IPC_MAX, &p, &len) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		answered(f, 0, (const uint8_t *)"hostlink: bad answer", 20);
	else
		answered(f, status, p, len);
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct tls_files *f = arg;
	bool asked = false;

	(void)fd;
	(void)what;
	/* before the time is known none could be told from an expired one */
	if (f->now != 0)
		asked = ask(f, TLS_ASK_CERTIFICATE,
		    "/file/certificate.pem/0/65536", NULL);
	else if (!f->published)
		asked = ask_request(f);
	if (!asked)
		wait_a_little(f);
}

enum dstack_status
tls_files_start(struct tls_files *f, struct why *why)
{
	f->answer = event_new(f->base, HOST, EV_READ, on_answer, f);
	f->poll = evtimer_new(f->base, on_poll, f);
	if (f->answer == NULL || f->poll == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	on_poll(-1, 0, f);
	return DSTACK_OK;
}
