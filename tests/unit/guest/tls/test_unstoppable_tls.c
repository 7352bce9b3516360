/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS front between a real client and a plain app, each in a process of
 * its own, over the loopback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/tls/unstoppable_tls.c"

#include <event2/event.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "guest/tls/proxy.h"

#define MAX_CONNECTIONS 3

static bool proxy, h2; /* of the app that the next front has */

static int
listener(struct sockaddr_in *at)
{
	socklen_t n = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

static SSL_CTX *
self_signed(EVP_PKEY **out)
{
	struct secret32 scalar = { { 0 } };
	EVP_PKEY *key = NULL;
	scalar.b[31] = 7;
	assert_int_equal(cert_key(&scalar, &key), DSTACK_OK);
	*out = key;
	X509 *x = X509_new();
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	struct front f = { .key = key };
	struct server_chain c = { { x }, 1 };
	SSL_CTX *ctx = make_ctx(&f, &c);
	assert_non_null(ctx);
	return ctx;
}

/* Read all there is until the peer's end, then send it back; or break off. */
static void
app(int l, bool breaks)
{
	static char buf[1 << 20];
	int fd = accept(l, NULL, NULL);
	size_t n = 0;
	ssize_t k;
	if (breaks) {
		const struct linger now = { 1, 0 };
		(void)!read(fd, buf, 1);
		(void)!write(fd, "cut", 3);
		(void)usleep(100000);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		(void)close(fd);
		_exit(0);
	}
	while ((k = read(fd, buf + n, sizeof(buf) - n)) > 0)
		n += (size_t)k;
	for (size_t at = 0; at < n; at += (size_t)k) {
		k = write(fd, buf + at, n - at);
		if (k <= 0)
			_exit(1);
	}
	_exit(0);
}

static int64_t patience; /* of the next front */

/* host: its end of the link to it; -1: none. */
static void
front(int l, const struct sockaddr_in *backend, int host)
{
	struct front f = { .backend = *backend, .domain = "a.test",
		.files.now = 1, .most = MAX_CONNECTIONS, .silent_ms = 300,
		.budget = 1, .proxy = proxy, .h2 = h2,
		.heard = boot_seconds(), .patience = patience };
	struct why why = { "" };
	(void)signal(SIGPIPE, SIG_IGN);
	f.ctx = self_signed(&f.key);
	SSL_CTX_set_alpn_select_cb(f.ctx, on_alpn, &f);
	(void)fcntl(l, F_SETFL, O_NONBLOCK);
	TAILQ_INIT(&f.links);
	f.base = event_base_new();
	if (host >= 0 &&
	    (dup2(host, FD_EDGE + ROLE_HOSTLINK) < 0 ||
	        look_after_files(&f, &why) != DSTACK_OK))
		_exit(1);
	f.accept =
	    event_new(f.base, l, EV_READ | EV_PERSIST, on_accept, &f);
	(void)event_add(f.accept, NULL);
	(void)event_base_dispatch(f.base);
	_exit(1);
}

struct stage {
	pid_t app, front;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static void
begin(struct stage *s, bool breaks)
{
	struct sockaddr_in a, b;
	const struct timeval tv = { .tv_sec = 20 };
	int la = listener(&a), lb = listener(&b);
	s->app = fork();
	if (s->app == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		app(la, breaks);
	}
	s->front = fork();
	if (s->front == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		front(lb, &a, -1);
	}
	(void)close(la);
	(void)close(lb);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(connect(s->fd, (struct sockaddr *)&b, sizeof(b)), 0);
	s->ctx = SSL_CTX_new(TLS_client_method());
	s->ssl = SSL_new(s->ctx);
	assert_int_equal(SSL_set_fd(s->ssl, s->fd), 1);
	assert_int_equal(SSL_connect(s->ssl), 1);
}

static void
finish(struct stage *s)
{
	(void)kill(s->front, SIGKILL);
	(void)waitpid(s->front, NULL, 0);
	if (s->app > 0) {
		(void)kill(s->app, SIGKILL);
		(void)waitpid(s->app, NULL, 0);
	}
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	(void)close(s->fd);
}

static void
a_client_that_has_said_all_gets_its_whole_answer(void **state)
{
	(void)state;
	static char out[300000], in[sizeof(out)];
	struct stage s;
	size_t n = 0;
	int k;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 251);
	begin(&s, false);
	assert_int_equal(SSL_write(s.ssl, out, sizeof(out)), sizeof(out));
	assert_int_equal(SSL_shutdown(s.ssl), 0); /* close_notify */
	while (n < sizeof(in) &&
	    (k = SSL_read(s.ssl, in + n, (int)(sizeof(in) - n))) > 0)
		n += (size_t)k;
	assert_int_equal(n, sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	/* and is told that this was all of it */
	k = SSL_read(s.ssl, in, 1);
	assert_int_equal(SSL_get_error(s.ssl, k), SSL_ERROR_ZERO_RETURN);
	finish(&s);
}

static void
a_client_that_says_nothing_ends_the_app_s_connection(void **state)
{
	(void)state;
	struct stage s;
	char byte;
	int status = -1;
	begin(&s, false);
	assert_int_equal(SSL_shutdown(s.ssl), 0);
	int k = SSL_read(s.ssl, &byte, 1);
	assert_int_equal(SSL_get_error(s.ssl, k), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(waitpid(s.app, &status, 0), s.app);
	assert_int_equal(status, 0);
	s.app = 0;
	finish(&s);
}

static void
an_answer_that_was_cut_off_does_not_look_whole(void **state)
{
	(void)state;
	struct stage s;
	char in[16];
	int k;
	begin(&s, true);
	assert_int_equal(SSL_write(s.ssl, "x", 1), 1);
	while ((k = SSL_read(s.ssl, in, sizeof(in))) > 0)
		continue;
	assert_int_not_equal(SSL_get_error(s.ssl, k), SSL_ERROR_ZERO_RETURN);
	finish(&s);
}

/* Echo on every connection. */
static void
echo(int l)
{
	for (;;) {
		char byte;
		int fd = accept(l, NULL, NULL);
		if (fork() != 0) {
			(void)close(fd);
			continue;
		}
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (read(fd, &byte, 1) == 1)
			(void)!write(fd, &byte, 1);
		_exit(0);
	}
}

struct crowd {
	pid_t app, front;
	struct sockaddr_in at;
	SSL_CTX *ctx;
};

static void
crowd_begin(struct crowd *c, int host)
{
	struct sockaddr_in a;
	int la = listener(&a), lb = listener(&c->at);
	c->app = fork();
	if (c->app == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		echo(la);
	}
	c->front = fork();
	if (c->front == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		front(lb, &a, host);
	}
	(void)close(la);
	(void)close(lb);
	c->ctx = SSL_CTX_new(TLS_client_method());
}

static void
crowd_end(struct crowd *c)
{
	(void)kill(c->front, SIGKILL);
	(void)waitpid(c->front, NULL, 0);
	(void)kill(c->app, SIGKILL);
	(void)waitpid(c->app, NULL, 0);
	SSL_CTX_free(c->ctx);
}

static int
tcp(const struct crowd *c)
{
	const struct timeval tv = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&c->at, sizeof(c->at)), 0);
	return fd;
}

static SSL *
client(const struct crowd *c)
{
	SSL *s = SSL_new(c->ctx);
	assert_int_equal(SSL_set_fd(s, tcp(c)), 1);
	assert_int_equal(SSL_connect(s), 1);
	return s;
}

static int64_t
now_us(void)
{
	struct timeval tv = { 0 };
	(void)gettimeofday(&tv, NULL);
	return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

static bool
is_answered(SSL *s)
{
	char byte = 0;
	return SSL_write(s, "x", 1) == 1 && SSL_read(s, &byte, 1) == 1 &&
	    byte == 'x';
}

static void
leave(SSL *s)
{
	(void)close(SSL_get_fd(s));
	SSL_free(s);
}

static void
the_most_silent_makes_room_when_all_are_in_use(void **state)
{
	(void)state;
	struct crowd c;
	SSL *s[4];
	char byte;
	crowd_begin(&c, -1);
	s[0] = client(&c);
	s[1] = client(&c);
	/* a handshake that never ends takes a place too */
	int raw = tcp(&c);
	for (int i = 0; i < 10; i++) {
		assert_true(is_answered(s[0]));
		(void)usleep(50000);
	}
	s[2] = client(&c);
	assert_true(is_answered(s[2]));
	assert_true(SSL_read(s[1], &byte, 1) <= 0);
	s[3] = client(&c);
	assert_true(is_answered(s[3]));
	assert_true(recv(raw, &byte, 1, 0) <= 0);
	assert_true(is_answered(s[0]));
	for (size_t i = 0; i < 4; i++)
		leave(s[i]);
	(void)close(raw);
	crowd_end(&c);
}

/* At once, by an alert, and not by a wait till the client gives up. */
static void
one_too_many_is_turned_away_at_once(void **state)
{
	(void)state;
	struct crowd c;
	SSL *s[3];
	crowd_begin(&c, -1);
	for (int i = 0; i < 3; i++)
		s[i] = client(&c);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			assert_true(is_answered(s[i]));
		int64_t start = now_us();
		SSL *no = SSL_new(c.ctx);
		assert_int_equal(SSL_set_fd(no, tcp(&c)), 1);
		ERR_clear_error();
		assert_true(SSL_connect(no) <= 0);
		assert_true(now_us() - start < 1000000);
		leave(no);
	}
	int raw = tcp(&c);
	uint8_t alert[16];
	assert_true(is_answered(s[0]));
	assert_int_equal(recv(raw, alert, sizeof(alert), 0), 7);
	assert_memory_equal(alert, "\x15\x03\x03\x00\x02\x02\x50", 7);
	assert_int_equal(recv(raw, alert, sizeof(alert), 0), 0);
	(void)close(raw);
	/* and there is room again when one has left */
	leave(s[2]);
	(void)usleep(100000);
	s[2] = client(&c);
	assert_true(is_answered(s[2]));
	for (int i = 0; i < 3; i++)
		leave(s[i]);
	crowd_end(&c);
}

static void
places_go_by_the_memory_of_the_vm(void **state)
{
	(void)state;
	static const struct {
		uint64_t mib;
		unsigned most;
	} v[] = { { 64, 256 }, { 256, 512 }, { 512, 1024 }, { 8192, 1900 } };
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct front f = { .most = 0 };
		bounds(&f, v[i].mib << 20);
		assert_int_equal(f.most, v[i].most);
		assert_true(f.budget <= v[i].mib << 15);
	}
}

/* What the app echoes before the client has said anything is the header. */
static void
an_app_that_asks_for_it_hears_the_client_s_address(void **state)
{
	(void)state;
	static const uint8_t head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
				      "\x7f\0\0\1\x7f\0\0\1";
	struct crowd c;
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	uint8_t in[PROXY_V2_LEN];
	size_t n = 0;
	proxy = true;
	crowd_begin(&c, -1);
	SSL *s = client(&c);
	while (n < sizeof(in)) {
		int k = SSL_read(s, in + n, (int)(sizeof(in) - n));
		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_memory_equal(in, head, sizeof(head) - 1);
	assert_int_equal(getsockname(SSL_get_fd(s), (struct sockaddr *)&me,
			     &len), 0);
	assert_memory_equal(in + 24, &me.sin_port, 2);
	assert_memory_equal(in + 26, &c.at.sin_port, 2);
	assert_true(is_answered(s));
	leave(s);
	crowd_end(&c);
	proxy = false;
}

/* The protocol that a client of these two gets, "" for none. */
static void
alpn(const struct crowd *c, char out[16])
{
	static const uint8_t both[] = "\2h2\10http/1.1";
	const unsigned char *got = NULL;
	unsigned n = 0;
	SSL *s = SSL_new(c->ctx);
	assert_int_equal(SSL_set_alpn_protos(s, both, sizeof(both) - 1), 0);
	assert_int_equal(SSL_set_fd(s, tcp(c)), 1);
	assert_int_equal(SSL_connect(s), 1);
	assert_true(is_answered(s));
	SSL_get0_alpn_selected(s, &got, &n);
	(void)snprintf(out, 16, "%.*s", (int)n, (const char *)got);
	leave(s);
}

static void
http2_is_offered_where_the_app_speaks_it(void **state)
{
	(void)state;
	struct crowd c;
	char got[16];
	crowd_begin(&c, -1);
	alpn(&c, got);
	assert_string_equal(got, "");
	crowd_end(&c);
	h2 = true;
	crowd_begin(&c, -1);
	alpn(&c, got);
	assert_string_equal(got, "h2");
	SSL *s = client(&c); /* one that asks for nothing gets nothing */
	assert_true(is_answered(s));
	leave(s);
	crowd_end(&c);
	h2 = false;
}

static void
a_backend_is_a_container_s_and_has_known_flags(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		bool ok;
	} v[] = { { "\12\130\1\2\0\120\0", true },
		{ "\12\130\1\2\0\120\3", true },
		{ "\12\130\1\2\0\120\4", true },
		{ "\12\130\1\2\0\120\10", false },
		{ "\12\130\1\1\0\120\0", false },
		{ "\12\130\1\2\0\0\0", false },
		{ "\0\0\0\0\0\0\0", true } };
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct front f = { .said_serving = true };
		struct rd r = rd_over((const uint8_t *)v[i].bytes, 7);
		assert_int_equal(set_backend(&f, &r), v[i].ok);
		r = rd_over((const uint8_t *)v[i].bytes, 6);
		assert_false(set_backend(&f, &r));
		if (i == 1)
			assert_true(f.proxy && f.h2 && !f.egress);
		if (i == 2)
			assert_true(!f.proxy && !f.h2 && f.egress);
	}
}

/* One that hangs on its host's disk does not hear that an app is stopped. */
static void
nobody_is_let_in_where_kubernethes_is_silent_for_too_long(void **state)
{
	(void)state;
	struct crowd c;
	patience = 2;
	crowd_begin(&c, -1);
	patience = 0;
	SSL *s = client(&c);
	assert_true(is_answered(s));
	leave(s);
	(void)usleep(3100000);
	int raw = tcp(&c);
	uint8_t alert[16];
	assert_int_equal(recv(raw, alert, sizeof(alert), 0), 7);
	(void)close(raw);
	crowd_end(&c);
	/* it was busy, and speaks again */
	struct front f = { .patience = 240, .heard = 1000 };
	assert_true(unheard(&f, 1240));
	f.heard = 1240;
	assert_false(unheard(&f, 1300));
}

static void
the_app_hears_of_no_handshake_that_does_not_end(void **state)
{
	(void)state;
	struct sockaddr_in a;
	struct crowd c;
	int la = listener(&a), lb = listener(&c.at);
	c.front = fork();
	if (c.front == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		front(lb, &a, -1);
	}
	(void)close(lb);
	int raw = tcp(&c);
	struct pollfd p = { .fd = la, .events = POLLIN };
	assert_int_equal(write(raw, "\x16\x03\x01", 3), 3);
	assert_int_equal(poll(&p, 1, 300), 0);
	(void)kill(c.front, SIGKILL);
	(void)waitpid(c.front, NULL, 0);
	(void)close(raw);
	(void)close(la);
}

static void
a_host_that_does_not_answer_stalls_nobody(void **state)
{
	(void)state;
	struct crowd c;
	static char buf[4096];
	const struct timeval tv = { .tv_sec = 20 };
	int host[2];
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, host), 0);
	(void)setsockopt(host[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	crowd_begin(&c, host[1]);
	assert_true(recv(host[0], buf, sizeof(buf), 0) > 0);
	assert_non_null(memmem(buf, 64, "/file/certificate.pem", 21));
	/* it has asked, and waits: clients are served all the same */
	SSL *s = client(&c);
	assert_true(is_answered(s));
	leave(s);
	/* the answer comes: none yet; what follows is asked */
	assert_int_equal(send(host[0], "\0\1\x94\0\0\0\0", 7, 0), 7);
	assert_true(recv(host[0], buf, sizeof(buf), 0) > 0);
	assert_non_null(memmem(buf, 64, "/put/request.csr", 16));
	crowd_end(&c);
	(void)close(host[0]);
	(void)close(host[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_client_that_has_said_all_gets_its_whole_answer),
		cmocka_unit_test(
		    a_client_that_says_nothing_ends_the_app_s_connection),
		cmocka_unit_test(
		    an_answer_that_was_cut_off_does_not_look_whole),
		cmocka_unit_test(
		    the_most_silent_makes_room_when_all_are_in_use),
		cmocka_unit_test(
		    nobody_is_let_in_where_kubernethes_is_silent_for_too_long),
		cmocka_unit_test(
		    the_app_hears_of_no_handshake_that_does_not_end),
		cmocka_unit_test(one_too_many_is_turned_away_at_once),
		cmocka_unit_test(places_go_by_the_memory_of_the_vm),
		cmocka_unit_test(
		    an_app_that_asks_for_it_hears_the_client_s_address),
		cmocka_unit_test(http2_is_offered_where_the_app_speaks_it),
		cmocka_unit_test(
		    a_backend_is_a_container_s_and_has_known_flags),
		cmocka_unit_test(a_host_that_does_not_answer_stalls_nobody),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
