/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role unstoppable-tls: TLS front on the public port. The key comes from the
 * network's secret, so every node has the same one; the certificate comes
 * from the host volume and is believed only where it is for that key and our
 * name (files.c). Bytes go to exactly one app; no HTTP is parsed (THREATS T31,
 * T47).
 *
 * A connection is let in if there is a certificate, an app and a place
 * (link.c has the rest of its life); else it is told so at once, by an alert,
 * and closed. How many there may be, and what all of them may have under way,
 * goes by the memory of this VM.
 *
 * What can go wrong: more clients than places, at once or one after the
 * other. None of it ends the role; only kubernethes or hostlink going away
 * does. And kubernethes may hang without going away, on a disk that its host
 * holds up on purpose: then it no longer reads whether the contract has
 * stopped the app. It speaks at least every minute as long as it reads the
 * chain, and where it has been silent for too long nobody new is let in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/log.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"
#include "guest/tls/cert.h"
#include "guest/tls/front.h"
#include "guest/tls/tls.h"
#include "protocol/statements.h"

#define KEYD_TLS_KEY 15
#define OP_BACKEND 1
#define OP_TIME 2
#define AGES 4u      /* of netcfg's max-age, as guest/kubernethes/view.c has */
#define SLOW_STEP 600 /* seconds */

#define MOST_LEAST 256u
#define MOST_EVER 1900u    /* two descriptors each, of 4096 (guest/init/spawn.c) */
#define SILENT_MS 5000     /* one that is silent so long may go */
#define ACCEPTS 64         /* at one go, before the others' bytes */

/*
 * Nothing to serve, or full: a fatal alert, which a client sees as such at
 * once, and the end (RFC 8446, section 6: internal_error). What has come of
 * its hello is read away, or the kernel would cut the alert off.
 */
static void
turn_away(int fd)
{
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 80 };
	uint8_t hello[2048];

	(void)!recv(fd, hello, sizeof(hello), MSG_DONTWAIT);
	(void)!send(fd, alert, sizeof(alert), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
}

static int64_t
boot_seconds(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/* Is it so long since kubernethes spoke that the app may have been stopped? */
static bool
unheard(const struct front *f, int64_t now)
{
	return f->patience != 0 && now - f->heard >= f->patience;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_in from = { 0 };
		struct sockaddr_in to = { 0 };
		socklen_t n = sizeof(from);
		int c = accept4(fd, (struct sockaddr *)&from, &n,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (c < 0)
			return;
		n = sizeof(to);
		if (f->ctx == NULL || f->backend.sin_port == 0 ||
		    unheard(f, boot_seconds()) ||
		    getsockname(c, (struct sockaddr *)&to, &n) != 0 ||
		    !link_room(f))
			turn_away(c);
		else
			link_open(f, c, &from, &to);
	}
}

static void
say_serving(struct front *f)
{
	if (!f->said_serving && f->ctx != NULL && f->backend.sin_port != 0) {
		f->said_serving = true;
		ipc_phase("serving");
	}
}

/* Where the client's list has that protocol; NULL: it has not. */
static const unsigned char *
offered(const unsigned char *in, unsigned inlen, const char *name)
{
	const size_t len = strlen(name);

	for (size_t at = 0; at < inlen; at += 1u + in[at])
		if (in[at] == len && at + 1 + len <= inlen &&
		    memcmp(in + at + 1, name, len) == 0)
			return in + at + 1;
	return NULL;
}

/*
 * Of what the client offers, the one protocol that is ours, or HTTP/2 where
 * the app speaks it; else none, which is HTTP/1.1 to everybody. The network
 * vouches for its own name alone: a certificate may have more names, and
 * nobody may take the network's word for one of those.
 */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	const struct front *f = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const bool other = asked != NULL && strcasecmp(asked, f->domain) != 0;
	const char *name = TLS_BIND_ALPN;

	*out = offered(in, inlen, name);
	if (*out != NULL && other)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	if (*out == NULL && f->h2) {
		name = ALPN_H2;
		*out = offered(in, inlen, name);
	}
	if (*out == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	*outlen = (unsigned char)strlen(name);
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
make_ctx(struct front *f, const struct server_chain *chain)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL)
		return NULL;
	/* TLS 1.3 alone: no renegotiation, no downgrade, no RSA key exchange */
	bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_use_certificate(ctx, chain->cert[0]) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, f->key) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1 &&
	    SSL_CTX_set_num_tickets(ctx, 0) == 1;
	for (size_t i = 1; ok && i < chain->n; i++)
		ok = SSL_CTX_add1_chain_cert(ctx, chain->cert[i]) == 1;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* 32 KiB less for each connection that has nothing to say */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, f);
	if (!ok) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Serve with this chain from now on; connections keep what they have. */
static bool
use_chain(void *arg, const struct server_chain *chain)
{
	struct front *f = arg;
	SSL_CTX *ctx = make_ctx(f, chain);

	if (ctx == NULL)
		return false;
	SSL_CTX_free(f->ctx); /* live connections hold their own reference */
	f->ctx = ctx;
	say_serving(f);
	return true;
}

static bool
set_backend(struct front *f, struct rd *r)
{
	uint8_t ip[4];
	uint16_t port;
	uint8_t flags;
	if (rd_copy(r, ip, sizeof(ip)) != DSTACK_OK ||
	    rd_u16be(r, &port) != DSTACK_OK ||
	    rd_u8(r, &flags) != DSTACK_OK || rd_end(r) != DSTACK_OK ||
	    (flags & ~(unsigned)(TLS_BACKEND_PROXY | TLS_BACKEND_H2 |
			 TLS_BACKEND_EGRESS)) != 0)
		return false;
	bool none = ip[0] == 0;
	/* only a container's address: 10.88.slot.2 (docs/internals.md) */
	if (!none && (ip[0] != 10 || ip[1] != 88 || ip[3] != 2 || port == 0))
		return false;
	memset(&f->backend, 0, sizeof(f->backend));
	f->backend.sin_family = AF_INET;
	memcpy(&f->backend.sin_addr, ip, sizeof(ip));
	f->backend.sin_port = none ? 0 : htons(port);
	f->proxy = (flags & TLS_BACKEND_PROXY) != 0;
	f->h2 = (flags & TLS_BACKEND_H2) != 0;
	f->egress = (flags & TLS_BACKEND_EGRESS) != 0;
	say_serving(f);
	return true;
}

static bool
set_time(struct front *f, struct rd *r)
{
	uint64_t now;
	if (rd_u64be(r, &now) != DSTACK_OK || rd_end(r) != DSTACK_OK)
		return false;
	if (now > f->files.now) /* proven time never goes back */
		f->files.now = now;
	return true;
}

static void
on_kubernethes(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct front *f = arg;
	struct ipc_request q = { 0 };
	bool eof = false;
	if (ipc_receive(fd, &q, &eof) != DSTACK_OK || eof) {
		(void)event_base_loopbreak(f->base);
		return;
	}
	bool ok = false;
	f->heard = boot_seconds();
	if (q.op == OP_BACKEND)
		ok = set_backend(f, &q.body);
	else if (q.op == OP_TIME)
		ok = set_time(f, &q.body);
	enum dstack_status st = ok
	    ? ipc_answer(fd, NULL)
	    : ipc_answer_no(fd, IPC_REFUSED, "unstoppable-tls: bad request");
	ipc_request_free(&q);
	if (st != DSTACK_OK)
		(void)event_base_loopbreak(f->base);
}

static enum dstack_status
get_key(struct front *f, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WIPE32 struct secret32 scalar = { { 0 } };
	enum dstack_status st = ipc_call_wait(
	    FD_EDGE + ROLE_KEYD, KEYD_TLS_KEY, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if ((st = rd_copy(&r, scalar.b, sizeof(scalar.b))) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return why_set(why, st, "keyd: bad answer");
	return cert_key(&scalar, &f->key);
}

static enum dstack_status
read_domain(struct front *f, struct why *why)
{
	struct netcfg cfg;
	enum dstack_status st = role_netcfg(&cfg, NULL, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(f->domain, sizeof(f->domain), "%s", cfg.tls_domain);
	/* as long as a view of the chain may be old, and a slow step more */
	if (cfg.max_age < INT32_MAX)
		f->patience = (int64_t)(AGES * cfg.max_age) + SLOW_STEP;
	return st;
}

static enum dstack_status
look_after_files(struct front *f, struct why *why)
{
	f->files.base = f->base;
	f->files.key = f->key;
	f->files.domain = f->domain;
	f->files.use = use_chain;
	f->files.arg = f;
	return tls_files_start(&f->files, why);
}

/*
 * Half a MiB of this VM's memory a place, of which a tenth is what TLS and the
 * kernel need for one; beside that a thirty-second part for all bytes that are
 * under way. docs/app-reference.md has the figures.
 */
static void
bounds(struct front *f, uint64_t memory)
{
	const uint64_t n = memory >> 19;
	const uint64_t bytes = memory >> 5;

	f->most = n < MOST_LEAST ? MOST_LEAST
	    : n > MOST_EVER	 ? MOST_EVER
				 : (unsigned)n;
	f->budget = bytes < 64u << 20 ? (uint32_t)bytes : 64u << 20;
	f->silent_ms = SILENT_MS;
}

static enum dstack_status
serve(struct front *f, struct why *why)
{
	TAILQ_INIT(&f->links);
	f->base = event_base_new();
	if (f->base == NULL)
		return DSTACK_E_NOMEM;
	if (fcntl(FD_PUBLIC, F_SETFL, O_NONBLOCK) != 0)
		return why_set(why, DSTACK_E_SYS, "public listener");
	struct event *kube = event_new(f->base, FD_EDGE + ROLE_KUBERNETHES,
	    EV_READ | EV_PERSIST, on_kubernethes, f);
	f->accept = event_new(
	    f->base, FD_PUBLIC, EV_READ | EV_PERSIST, on_accept, f);
	if (kube == NULL || f->accept == NULL ||
	    event_add(kube, NULL) != 0 || event_add(f->accept, NULL) != 0)
		return DSTACK_E_NOMEM;
	enum dstack_status st = look_after_files(f, why);
	if (st != DSTACK_OK)
		return st;
	ipc_ready();
	(void)event_base_dispatch(f->base);
	return why_set(why, DSTACK_E_SYS, "kubernethes or hostlink is gone");
}

int
tls_main(void)
{
	struct front f = { 0 };
	struct why why = { "" };
	struct sysinfo si = { 0 };
	log_name("unstoppable-tls");
	(void)sysinfo(&si); /* a call that is not on the list of this role */
	bounds(&f, (uint64_t)si.totalram * si.mem_unit);
	enum dstack_status st = sandbox_enter(ROLE_TLS, &why);
	if (st == DSTACK_OK)
		st = read_domain(&f, &why);
	if (st == DSTACK_OK)
		st = get_key(&f, &why);
	if (st == DSTACK_OK)
		st = serve(&f, &why);
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
