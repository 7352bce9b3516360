/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role unstoppable-tls: TLS front on the public port. The key comes from the
 * network's secret, so every node has the same one; the certificate comes
 * from the host volume and is believed only where it is for that key and our
 * name (files.c). Bytes go to exactly one app; no HTTP is parsed (THREATS T31,
 * T47).
 *
 * A connection: it is let in if there is a certificate, an app and a place;
 * the handshake has its time; then ALPN tells who the client wants. One that
 * asks whom it speaks to gets the network's signature and is closed. Any other
 * is connected to the app, and from then on bytes are moved, each direction
 * with a bound, until one side ends; the other side then gets the rest.
 *
 * What can go wrong: clients that say nothing (they make room for others),
 * clients that end their half (the app's answer still goes out), an app that
 * breaks off (no close_notify, so that a client can tell a cut answer from a
 * whole one). None of it ends the role; only kubernethes or hostlink going
 * away does.
 */
/*
 * Role unstoppable-tls: TLS front on the public port. The key comes from the
 * network's secret, so every node has the same one; the certificate comes
 * from the host volume and is believed only where it is for that key and our
 * name. Bytes go to exactly one app; no HTTP is parsed (THREATS T31, T47).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/log.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"
#include "guest/tls/cert.h"
#include "guest/tls/files.h"
#include "protocol/statements.h"

#define KEYD_TLS_KEY 15
#define KEYD_TLS_BIND 20
#define OP_BACKEND 1
#define OP_TIME 2

#ifndef MAX_CONNECTIONS /* its test has others */
#define MAX_CONNECTIONS 256
#define SILENT_MS 5000            /* one that is silent so long may go */
#endif
#define BUFFER_MAX (32u * 1024)   /* bytes waiting in one direction */
#define HANDSHAKE_SECONDS 15
#define IDLE_SECONDS 300
#define LAST_SECONDS 60           /* for an answer to one who sends no more */

/* The role: who is connected, what is served with, and to which app. */
struct front {
	struct event_base *base;
	struct event *accept;
	SSL_CTX *ctx; /* NULL until a certificate was accepted */
	EVP_PKEY *key;
	char domain[256];
	struct sockaddr_in backend; /* sin_port 0: none */
	bool said_serving;
	/* who the app has been silent to longest, first */
	TAILQ_HEAD(link_list, link) links;
	unsigned connections;
	struct tls_files files;
};

struct link {
	TAILQ_ENTRY(link) next;
	struct front *front;
	int64_t heard_ms; /* the last byte of the app, or the accept */
	struct bufferevent *client; /* TLS side */
	struct bufferevent *app;    /* plain side */
	bool attest; /* asks whom it speaks to, and is not for the app */
	bool app_up;
	bool client_done; /* the client sends no more, and wants its answer */
	bool app_done;    /* the app has said all it had to say */
};

/*
 * The alert close_notify tells the client that it has everything; one whose
 * app was cut off gets none and can tell (RFC 8446, section 6.1).
 */
static void
client_close(struct link *l)
{
	SSL *ssl = bufferevent_openssl_get_ssl(l->client);
	if (l->app_done && SSL_is_init_finished(ssl) == 1)
		(void)SSL_shutdown(ssl);
	ERR_clear_error();
	bufferevent_free(l->client);
	l->client = NULL;
}

static void
link_close(struct link *l)
{
	if (l->client != NULL)
		client_close(l);
	if (l->app != NULL)
		bufferevent_free(l->app);
	TAILQ_REMOVE(&l->front->links, l, next);
	l->front->connections--;
	free(l);
}

static int64_t
now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The app has spoken to this one, or it is new: it goes last. */
static void
heard(struct link *l, bool new)
{
	if (!new)
		TAILQ_REMOVE(&l->front->links, l, next);
	TAILQ_INSERT_TAIL(&l->front->links, l, next);
	l->heard_ms = now_ms();
}

/*
 * A connection that is full of nothing must not keep others out: where all
 * are in use, the one to which the app has been silent longest makes room. A
 * client that sends its request a byte at a time gets no answer, and so goes
 * first (slowloris). The addresses of clients do not tell them apart: to the
 * VM all of them are the host.
 */
static bool
room(struct front *f)
{
	struct link *l = TAILQ_FIRST(&f->links);

	if (f->connections < MAX_CONNECTIONS)
		return true;
	if (l == NULL || now_ms() - l->heard_ms < SILENT_MS)
		return false;
	link_close(l);
	return true;
}

/* Move what one side read to the other; stop reading while it is full. */
static void
pass_on(struct bufferevent *from, struct bufferevent *to)
{
	struct evbuffer *out = bufferevent_get_output(to);
	evbuffer_add_buffer(out, bufferevent_get_input(from));
	if (evbuffer_get_length(out) >= BUFFER_MAX)
		bufferevent_disable(from, EV_READ);
}

/*
 * The client's nonce, and our answer: the network's key says that this very
 * session, by its exporter, ends at the key of the certificate (THREATS T32).
 * No exporter, no answer.
 */
static void
attest(struct link *l)
{
	struct evbuffer *in = bufferevent_get_input(l->client);
	SSL *ssl = bufferevent_openssl_get_ssl(l->client);
	uint8_t nonce[32], exporter[32];
	struct why why = { "" };
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);

	if (evbuffer_get_length(in) < sizeof(nonce))
		return;
	bool ok = evbuffer_get_length(in) == sizeof(nonce) &&
	    evbuffer_remove(in, nonce, sizeof(nonce)) == sizeof(nonce) &&
	    SSL_export_keying_material(ssl, exporter, sizeof(exporter),
		TLS_BIND_LABEL, strlen(TLS_BIND_LABEL), nonce, sizeof(nonce),
		1) == 1;
	wr_put(&q, nonce, sizeof(nonce));
	wr_put(&q, exporter, sizeof(exporter));
	if (!ok ||
	    ipc_call(FD_EDGE + ROLE_KEYD, KEYD_TLS_BIND, &q, NULL, 0, &a,
		&why) != DSTACK_OK ||
	    a.len != TLS_BIND_LEN - 1) {
		if (why.text[0] != '\0')
			log_line("%s", why.text);
		link_close(l);
		return;
	}
	(void)bufferevent_write(l->client, "\1", 1);
	(void)bufferevent_write(l->client, a.buf, a.len);
	bufferevent_disable(l->client, EV_READ);
	l->app_done = true; /* on_drained ends it, with a close_notify */
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	if (l->attest) {
		attest(l);
		return;
	}
	struct bufferevent *other = bev == l->client ? l->app : l->client;
	if (bev == l->app)
		heard(l, false);
	if (other != NULL)
		pass_on(bev, other);
	else
		link_close(l);
}

static void
on_drained(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	struct bufferevent *other = bev == l->client ? l->app : l->client;
	if (l->attest && !l->app_done)
		return; /* not asked yet */
	if (other == NULL) { /* the other side ended and this one has it all */
		link_close(l);
		return;
	}
	if (bev == l->app && l->client_done)
		(void)shutdown(bufferevent_getfd(bev), SHUT_WR);
	else
		bufferevent_enable(other, EV_READ);
}

/* The client has ended its half: the app's answer still goes to it. */
static void
client_ended(struct link *l)
{
	const struct timeval last = { LAST_SECONDS, 0 };
	struct evbuffer *out = bufferevent_get_output(l->app);
	l->client_done = true;
	evbuffer_add_buffer(out, bufferevent_get_input(l->client));
	bufferevent_disable(l->client, EV_READ);
	bufferevent_enable(l->client, EV_WRITE);
	bufferevent_set_timeouts(l->app, &last, &last);
	if (l->app_up && evbuffer_get_length(out) == 0)
		(void)shutdown(bufferevent_getfd(l->app), SHUT_WR);
}

/* One side ended: let the other get what is still under way, then close. */
static void
side_ended(struct link *l, struct bufferevent *bev)
{
	struct bufferevent **mine = bev == l->client ? &l->client : &l->app;
	struct bufferevent *other = bev == l->client ? l->app : l->client;
	if (other != NULL)
		evbuffer_add_buffer(bufferevent_get_output(other),
		    bufferevent_get_input(bev));
	if (bev == l->client)
		client_close(l);
	else
		bufferevent_free(bev);
	*mine = NULL;
	if (other == NULL ||
	    evbuffer_get_length(bufferevent_get_output(other)) == 0) {
		link_close(l);
		return;
	}
	bufferevent_disable(other, EV_READ);
}

/* Only now the app hears of it: a handshake that never ends costs it none. */
static void
handshake_done(struct link *l)
{
	const struct timeval idle = { IDLE_SECONDS, 0 };
	struct front *f = l->front;
	const unsigned char *alpn = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(
	    bufferevent_openssl_get_ssl(l->client), &alpn, &n);
	if (n != 0) { /* the one that there is; the time of before goes on */
		l->attest = true;
		bufferevent_free(l->app);
		l->app = NULL;
		return;
	}
	bufferevent_set_timeouts(l->client, &idle, &idle);
	bufferevent_set_timeouts(l->app, &idle, &idle);
	bufferevent_enable(l->app, EV_READ | EV_WRITE);
	/* a failure to connect comes back through on_event */
	(void)!bufferevent_socket_connect(
	    l->app, (struct sockaddr *)&f->backend, sizeof(f->backend));
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct link *l = arg;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		if (bev == l->client) {
			handshake_done(l);
		} else {
			l->app_up = true;
			if (l->client_done &&
			    evbuffer_get_length(bufferevent_get_output(bev)) == 0)
				(void)shutdown(
				    bufferevent_getfd(bev), SHUT_WR);
		}
		return;
	}
	if (bev == l->app && (what & BEV_EVENT_EOF) != 0)
		l->app_done = true;
	if (bev == l->client && l->app != NULL && !l->client_done &&
	    (what & BEV_EVENT_EOF) != 0 &&
	    (SSL_get_shutdown(bufferevent_openssl_get_ssl(bev)) &
		SSL_RECEIVED_SHUTDOWN) != 0) {
		client_ended(l);
		ERR_clear_error();
		return;
	}
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0)
		side_ended(l, bev);
	ERR_clear_error();
}

static void
open_link(struct front *f, int fd)
{
	struct link *l = calloc(1, sizeof(*l));
	SSL *ssl = l != NULL ? SSL_new(f->ctx) : NULL;
	if (ssl == NULL) {
		free(l);
		(void)close(fd);
		return;
	}
	l->front = f;
	f->connections++;
	heard(l, true);
	l->client = bufferevent_openssl_socket_new(f->base, fd, ssl,
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (l->client == NULL) {
		SSL_free(ssl);
		(void)close(fd);
		link_close(l);
		return;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(l->client, 1);
	l->app = bufferevent_socket_new(f->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (l->app == NULL) {
		link_close(l);
		return;
	}
	const struct timeval handshake = { HANDSHAKE_SECONDS, 0 };
	bufferevent_set_timeouts(l->client, &handshake, &handshake);
	bufferevent_setwatermark(l->client, EV_READ, 0, BUFFER_MAX);
	bufferevent_setwatermark(l->app, EV_READ, 0, BUFFER_MAX);
	bufferevent_setcb(l->client, on_read, on_drained, on_event, l);
	bufferevent_setcb(l->app, on_read, on_drained, on_event, l);
	bufferevent_enable(l->client, EV_READ | EV_WRITE);
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct front *f = arg;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c < 0)
		return;
	if (f->ctx == NULL || f->backend.sin_port == 0 || !room(f)) {
		(void)close(c); /* nothing to serve, or full: refuse at once */
		return;
	}
	open_link(f, c);
}

static void
say_serving(struct front *f)
{
	if (!f->said_serving && f->ctx != NULL && f->backend.sin_port != 0) {
		f->said_serving = true;
		ipc_phase("serving");
	}
}

/*
 * Of what the client offers, the one protocol that is ours; else none. The
 * network vouches for its own name alone: a certificate may have more names,
 * and nobody may take the network's word for one of those.
 */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const char name[] = TLS_BIND_ALPN;
	const size_t len = sizeof(name) - 1;
	const struct front *f = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const bool other = asked != NULL && strcasecmp(asked, f->domain) != 0;
	for (size_t at = 0; at < inlen; at += 1u + in[at])
		if (in[at] == len && at + 1 + len <= inlen &&
		    memcmp(in + at + 1, name, len) == 0) {
			if (other)
				return SSL_TLSEXT_ERR_ALERT_FATAL;
			*out = in + at + 1;
			*outlen = (unsigned char)len;
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
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
	if (rd_copy(r, ip, sizeof(ip)) != DSTACK_OK ||
	    rd_u16be(r, &port) != DSTACK_OK || rd_end(r) != DSTACK_OK)
		return false;
	bool none = ip[0] == 0;
	/* only a container's address: 10.88.slot.2 (docs/internals.md) */
	if (!none && (ip[0] != 10 || ip[1] != 88 || ip[3] != 2 || port == 0))
		return false;
	memset(&f->backend, 0, sizeof(f->backend));
	f->backend.sin_family = AF_INET;
	memcpy(&f->backend.sin_addr, ip, sizeof(ip));
	f->backend.sin_port = none ? 0 : htons(port);
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
	if (st == DSTACK_OK)
		(void)snprintf(
		    f->domain, sizeof(f->domain), "%s", cfg.tls_domain);
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
	log_name("unstoppable-tls");
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
