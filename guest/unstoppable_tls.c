/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role unstoppable-tls: TLS front on the public port. The key comes from the
 * network's secret, so every node has the same one; the certificate comes
 * from the host volume and is believed only where it is for that key and our
 * name. Bytes go to exactly one app; no HTTP is parsed (THREATS T31, T47).
 */
#include "guest/role.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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
#include "crypto/hash.h"
#include "guest/cert.h"
#include "guest/ipc.h"
#include "guest/sandbox.h"

#define KEYD_TLS_KEY 15
#define KEYD_TLS_ATTEST 19
#define HOSTLINK_CALL 1
#define OP_BACKEND 1
#define OP_TIME 2

#define MAX_CONNECTIONS 256
#define BUFFER_MAX (64u * 1024)   /* bytes waiting in one direction */
#define HANDSHAKE_SECONDS 15
#define IDLE_SECONDS 300
#define LAST_SECONDS 60           /* for an answer to one who sends no more */
#define FIRST_POLL_MS 200         /* until there is a certificate */
#define RENEW_POLL_MS 10000       /* a renewed one may take this long */

struct front {
	struct event_base *base;
	struct event *poll;
	struct event *accept;
	SSL_CTX *ctx; /* NULL until a certificate was accepted */
	EVP_PKEY *key;
	uint8_t leaf_seen[32]; /* SHA-256 of the file last judged */
	char domain[256];
	uint64_t now; /* proven chain time, seconds; 0: not told yet */
	struct sockaddr_in backend; /* sin_port 0: none */
	bool said_serving;
	bool published; /* request and attestation are on the host volume */
	char refusal[200]; /* of the host, when it was last logged */
	int connections;
};

struct link {
	struct front *front;
	struct bufferevent *client; /* TLS side */
	struct bufferevent *app;    /* plain side */
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
	l->front->connections--;
	free(l);
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

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	struct bufferevent *other = bev == l->client ? l->app : l->client;
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

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct link *l = arg;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		if (bev == l->client) {
			const struct timeval idle = { IDLE_SECONDS, 0 };
			bufferevent_set_timeouts(bev, &idle, &idle);
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
	const struct timeval idle = { IDLE_SECONDS, 0 };
	bufferevent_set_timeouts(l->client, &handshake, &handshake);
	bufferevent_set_timeouts(l->app, &idle, &idle);
	bufferevent_setwatermark(l->client, EV_READ, 0, BUFFER_MAX);
	bufferevent_setwatermark(l->app, EV_READ, 0, BUFFER_MAX);
	bufferevent_setcb(l->client, on_read, on_drained, on_event, l);
	bufferevent_setcb(l->app, on_read, on_drained, on_event, l);
	bufferevent_enable(l->client, EV_READ | EV_WRITE);
	bufferevent_enable(l->app, EV_READ | EV_WRITE);
	/* a failure to connect comes back through on_event */
	if (bufferevent_socket_connect(l->app, (struct sockaddr *)&f->backend,
		sizeof(f->backend)) != 0)
		return;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct front *f = arg;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c < 0)
		return;
	if (f->ctx == NULL || f->backend.sin_port == 0 ||
	    f->connections >= MAX_CONNECTIONS) {
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

/* hostlink CALL: path and body in, HTTP-like status and body out. */
static enum dstack_status
host_call(const char *path, const void *body, size_t len, uint16_t *status,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	wr_text(&q, path);
	wr_blob(&q, body, len);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_HOSTLINK, HOSTLINK_CALL, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	const uint8_t *p;
	size_t n;
	if ((st = rd_u16be(&r, status)) != DSTACK_OK ||
	    (st = rd_blob(&r, IPC_MAX, &p, &n)) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return why_set(why, st, "hostlink: bad answer to %s", path);
	wr_put(out, p, n);
	return wr_status(out);
}

static SSL_CTX *
make_ctx(const struct front *f, const struct cert_chain *chain)
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
	if (!ok) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/*
 * Judge the file that the host offers now. A refused one changes nothing:
 * what was served before is served on. Each file is judged, and a refusal
 * said, once.
 */
static void
take_certificate(struct front *f)
{
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	struct why why = { "" };
	uint16_t status = 0;
	if (f->now == 0)
		return; /* it could not be told from an expired one */
	enum dstack_status st =
	    host_call("/file/certificate.pem/0/65536", NULL, 0, &status, &a, &why);
	if (st != DSTACK_OK || status != 200 || a.len < 8)
		return; /* none yet, or the host is away */
	uint8_t seen[32];
	sha256(a.buf, a.len, seen);
	if (memcmp(seen, f->leaf_seen, sizeof(seen)) == 0)
		return;
	memcpy(f->leaf_seen, seen, sizeof(seen));
	struct rd r = rd_over(a.buf, a.len);
	uint64_t size;
	struct cert_chain chain = { { NULL }, 0 };
	st = rd_u64be(&r, &size);
	if (st == DSTACK_OK && size != rd_left(&r))
		st = why_set(&why, DSTACK_E_LIMIT,
		    "certificate.pem is larger than %u bytes", CERT_PEM_MAX);
	if (st == DSTACK_OK)
		st = cert_chain_judge(a.buf + r.pos, rd_left(&r), f->key,
		    f->domain, f->now, &chain, &why);
	if (st != DSTACK_OK) {
		log_line("%s%s", why.text,
		    f->ctx != NULL ? "; the one before stays" : "");
		return;
	}
	SSL_CTX *ctx = make_ctx(f, &chain);
	cert_chain_free(&chain);
	if (ctx == NULL) {
		log_line("OpenSSL refused certificate.pem");
		return;
	}
	SSL_CTX_free(f->ctx); /* live connections hold their own reference */
	f->ctx = ctx;
	log_line("certificate for %s accepted", f->domain);
	say_serving(f);
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
	if (now > f->now) /* proven time never goes back */
		f->now = now;
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

/* The host's refusal is said once; it may be full, and have room later. */
static enum dstack_status
give(struct front *f, const char *path, const struct wr *w, bool *taken,
    struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	uint16_t status = 0;
	char text[sizeof(f->refusal)];
	enum dstack_status st =
	    host_call(path, w->buf, w->len, &status, &a, why);
	if (st != DSTACK_OK)
		return st;
	*taken = status == 200;
	if (*taken)
		return DSTACK_OK;
	(void)snprintf(text, sizeof(text), "%.*s",
	    (int)(a.len < 160 ? a.len : 160),
	    a.len > 0 ? (const char *)a.buf : "no reason");
	if (strcmp(text, f->refusal) != 0)
		log_line("the host did not take host_volume/%s: %s; trying on",
		    strrchr(path, '/') + 1, text);
	(void)snprintf(f->refusal, sizeof(f->refusal), "%s", text);
	return DSTACK_OK;
}

/*
 * Publish what an outside auditor needs: the request, to be signed by a CA,
 * and the network's signature over the public key (65-byte point) as system
 * statement `unstoppable_tls`. Both are for everybody to see.
 */
static enum dstack_status
publish(struct front *f, struct why *why)
{
	AUTO_WR struct wr csr = wr_new(0);
	bool taken = false;
	enum dstack_status st = cert_request(f->key, f->domain, &csr);
	if (st == DSTACK_OK)
		st = give(f, "/put/request.csr", &csr, &taken, why);
	if (st != DSTACK_OK || !taken)
		return st;

	uint8_t point[65];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	st = cert_point(f->key, point);
	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_KEYD, KEYD_TLS_ATTEST, &q, NULL, 0,
		    &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != 32 + 65)
		return why_set(why, DSTACK_E_FORMAT, "keyd: bad answer");
	AUTO_WR struct wr json = wr_new(0);
	wr_str(&json, "{\"tag\":\"unstoppable_tls\",\"publicKey\":\"0x");
	wr_hex(&json, point, sizeof(point));
	wr_str(&json, "\",\"appData\":\"0x");
	wr_hex(&json, a.buf, 32);
	wr_str(&json, "\",\"signature\":\"0x");
	wr_hex(&json, a.buf + 32, 65);
	wr_str(&json, "\"}\n");
	if ((st = wr_status(&json)) != DSTACK_OK)
		return st;
	return give(f, "/put/tls-attestation.json", &json, &f->published, why);
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct front *f = arg;
	struct why why = { "" };
	take_certificate(f);
	if (!f->published && publish(f, &why) != DSTACK_OK)
		log_line("%s", why.text);
	int ms = f->ctx != NULL && f->published ? RENEW_POLL_MS
						: FIRST_POLL_MS;
	const struct timeval next = { ms / 1000, (ms % 1000) * 1000 };
	(void)evtimer_add(f->poll, &next);
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
serve(struct front *f, struct why *why)
{
	f->base = event_base_new();
	if (f->base == NULL)
		return DSTACK_E_NOMEM;
	if (fcntl(FD_PUBLIC, F_SETFL, O_NONBLOCK) != 0)
		return why_set(why, DSTACK_E_SYS, "public listener");
	struct event *kube = event_new(f->base, FD_EDGE + ROLE_KUBERNETHES,
	    EV_READ | EV_PERSIST, on_kubernethes, f);
	f->accept = event_new(
	    f->base, FD_PUBLIC, EV_READ | EV_PERSIST, on_accept, f);
	f->poll = evtimer_new(f->base, on_poll, f);
	if (kube == NULL || f->accept == NULL || f->poll == NULL ||
	    event_add(kube, NULL) != 0 || event_add(f->accept, NULL) != 0)
		return DSTACK_E_NOMEM;
	on_poll(-1, 0, f);
	ipc_ready();
	(void)event_base_dispatch(f->base);
	return why_set(why, DSTACK_E_SYS, "kubernethes is gone");
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
		st = publish(&f, &why);
	if (st == DSTACK_OK)
		st = serve(&f, &why);
	if (why.text[0] == '\0')
		(void)why_set(&why, st, "%s", dstack_status_text(st));
	ipc_give_up(&why);
	return 1;
}
