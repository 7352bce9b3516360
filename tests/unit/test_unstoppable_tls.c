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

#include "guest/unstoppable_tls.c"

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
self_signed(void)
{
	struct secret32 scalar = { { 0 } };
	EVP_PKEY *key = NULL;
	scalar.b[31] = 7;
	assert_int_equal(cert_key(&scalar, &key), DSTACK_OK);
	X509 *x = X509_new();
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	struct front f = { .key = key };
	struct cert_chain c = { { x }, 1 };
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

static void
front(int l, const struct sockaddr_in *backend)
{
	struct front f = { .backend = *backend, .ctx = self_signed() };
	(void)signal(SIGPIPE, SIG_IGN);
	f.base = event_base_new();
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
		front(lb, &a);
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
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
