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

#define MAX_CONNECTIONS 3
#define SILENT_MS 300
#include "guest/tls/unstoppable_tls.c"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

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

/* host: its end of the link to it; -1: none. */
static void
front(int l, const struct sockaddr_in *backend, int host)
{
	struct front f = { .backend = *backend, .domain = "a.test", .files.now = 1 };
	struct why why = { "" };
	(void)signal(SIGPIPE, SIG_IGN);
	f.ctx = self_signed(&f.key);
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
		    the_app_hears_of_no_handshake_that_does_not_end),
		cmocka_unit_test(a_host_that_does_not_answer_stalls_nobody),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
