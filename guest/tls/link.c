/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection through the front, from the handshake to its end.
 *
 * The handshake has its time; then ALPN tells who the client wants. One that
 * asks whom it speaks to gets the network's signature and is closed. Any other
 * is connected to the app, which hears the client's address first where it has
 * asked for that, and from then on bytes are moved, each direction with a
 * bound, until one side ends; the other side then gets the rest.
 *
 * What can go wrong: clients that say nothing (they make room for others),
 * clients that end their half (the app's answer still goes out), an app that
 * breaks off (no close_notify, so that a client can tell a cut answer from a
 * whole one), an app that was replaced by one without HTTP/2 while the client
 * agreed on it (it is closed). The more connections there are, the less each
 * may have under way, so that all of them together have a bound.
 */
#include "guest/tls/front.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>

#include "base/log.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/tls/proxy.h"
#include "protocol/statements.h"

#define KEYD_TLS_BIND 20
#define BUFFER_MAX (32u * 1024) /* bytes waiting in one direction */
#define BUFFER_MIN (4u * 1024)
#define HANDSHAKE_SECONDS 15
#define IDLE_SECONDS 300
#define LAST_SECONDS 60         /* for an answer to one who sends no more */

struct link {
	TAILQ_ENTRY(link) next;
	struct front *front;
	struct sockaddr_in from, to; /* the client, and where it came */
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
 * first (slowloris). The addresses of clients do not count: they are the
 * host's word, many honest ones share one, and one attacker has many.
 */
bool
link_room(struct front *f)
{
	struct link *l = TAILQ_FIRST(&f->links);

	if (f->connections < f->most)
		return true;
	if (l == NULL || now_ms() - l->heard_ms < f->silent_ms)
		return false;
	link_close(l);
	return true;
}

/* What one direction of one connection may have waiting. */
static size_t
buffer_max(const struct front *f)
{
	/* two directions, and each is read into one buffer from another */
	uint32_t each = f->budget / (4 * (f->connections + 1));

	return each < BUFFER_MIN ? BUFFER_MIN
	    : each > BUFFER_MAX	 ? BUFFER_MAX
				 : each;
}

/* Move what one side read to the other; stop reading while it is full. */
static void
pass_on(const struct front *f, struct bufferevent *from, struct bufferevent *to)
{
	struct evbuffer *out = bufferevent_get_output(to);
	evbuffer_add_buffer(out, bufferevent_get_input(from));
	if (evbuffer_get_length(out) >= buffer_max(f))
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
	const uint8_t says = l->front->backend.sin_port == 0
	    ? 0
	    : (uint8_t)(TLS_SAYS_SERVES |
		  (l->front->egress ? TLS_SAYS_EGRESS : 0));
	(void)bufferevent_write(l->client, &says, 1);
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
		pass_on(l->front, bev, other);
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
	const bool h2 = n == strlen(ALPN_H2) && memcmp(alpn, ALPN_H2, n) == 0;
	if (h2 && !f->h2) { /* agreed with an app that is gone */
		link_close(l);
		return;
	}
	if (n != 0 && !h2) { /* ours; the time of before goes on */
		l->attest = true;
		bufferevent_free(l->app);
		l->app = NULL;
		return;
	}
	bufferevent_set_timeouts(l->client, &idle, &idle);
	bufferevent_set_timeouts(l->app, &idle, &idle);
	if (f->proxy) {
		uint8_t head[PROXY_V2_LEN];
		proxy_v2(&l->from, &l->to, head);
		(void)bufferevent_write(l->app, head, sizeof(head));
	}
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

void
link_open(struct front *f, int fd, const struct sockaddr_in *from,
    const struct sockaddr_in *to)
{
	struct link *l = calloc(1, sizeof(*l));
	SSL *ssl = l != NULL ? SSL_new(f->ctx) : NULL;
	if (ssl == NULL) {
		free(l);
		(void)close(fd);
		return;
	}
	l->front = f;
	l->from = *from;
	l->to = *to;
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
	bufferevent_setwatermark(l->client, EV_READ, 0, buffer_max(f));
	bufferevent_setwatermark(l->app, EV_READ, 0, buffer_max(f));
	bufferevent_setcb(l->client, on_read, on_drained, on_event, l);
	bufferevent_setcb(l->app, on_read, on_drained, on_event, l);
	bufferevent_enable(l->client, EV_READ | EV_WRITE);
}
