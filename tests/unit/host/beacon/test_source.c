/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source that feeds guests, before beacon nodes that are good, slow,
 * broken or lying: two HTTP servers on loopback hand out the made chain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/log.h"
#include "host/beacon/source.h"
#include "sim/beacon_serve.h"
#include "tests/unit/lib/beacon/beacon_bed.h"

#define FIRST BEACON_DENEB
#define ROOM (4u * MK_LEN)

enum mode { SIM, GOOD, NONE, GARBAGE, FLIPPED, PAUSE, HANG, OTHER_HEADER };

struct doc {
	uint8_t p[ROOM];
	size_t n;
};
static struct doc bootstrap, updates[3], finality;
static uint8_t checkpoint[32];
static struct netcfg cfg;
static uint8_t headers[5][SOURCE_HEADER_LEN], roots[5][32];

struct server {
	int fd;
	uint16_t port;
	atomic_int mode;
	atomic_uint asked;
	pthread_t thread;
};
static struct server a, b;
static struct beacon_node made; /* what a server in mode SIM says; 150 slots */

static void
make_chain(void)
{
	net = mk_network(32);
	cfg.view = NETCFG_VIEW_BEACON;
	cfg.beacon = net;
	mk_bootstrap(&m, &net, AT(FIRST, 8), checkpoint);
	memcpy(cfg.checkpoint, checkpoint, 32);
	bootstrap.n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, bootstrap.p);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t digest[32];
		unsigned p = FIRST + i;
		mk_update(&m, &net, AT(p, 8 + i), AT(p, 20), AT(p, 21));
		struct doc *d = &updates[i];
		size_t n = mk_ssz(&m, BEACON_KIND_UPDATE, d->p + 12);
		fork_data_root(&net, m.fork, digest);
		mk_le(d->p, n + 4, 8);
		memcpy(d->p + 8, digest, 4);
		d->n = n + 12;
	}
	mk_update(&m, &net, AT(FIRST + 3, 24), AT(FIRST + 3, 40),
	    AT(FIRST + 3, 41));
	finality.n = mk_ssz(&m, BEACON_KIND_FINALITY, finality.p);
	/* a line of headers, the oldest last */
	uint8_t parent[32];
	memset(parent, 0x11, 32);
	for (int i = 4; i >= 0; i--) {
		struct block_header h = { .slot = (uint64_t)(100 - i),
			.proposer = 7,
			.parent = parent, .state = checkpoint,
			.body = checkpoint };
		mk_le(headers[i], h.slot, 8);
		mk_le(headers[i] + 8, h.proposer, 8);
		memcpy(headers[i] + 16, parent, 32);
		memcpy(headers[i] + 48, checkpoint, 32);
		memcpy(headers[i] + 80, checkpoint, 32);
		header_root(&h, roots[i]);
		memcpy(parent, roots[i], 32);
	}
}

static void
say(int fd, const char *status, const char *more, const void *p, size_t n)
{
	char head[256];
	int k = snprintf(head, sizeof(head),
	    "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
	    status, n, more);
	if (write(fd, head, (size_t)k) != k ||
	    (n > 0 && write(fd, p, n) != (ssize_t)n))
		return; /* the other side has gone */
}

static void
header_json(int fd, const uint8_t h[static SOURCE_HEADER_LEN])
{
	char t[1024], parent[65], root[65];
	uint64_t slot = 0;
	for (int i = 7; i >= 0; i--)
		slot = slot << 8 | h[i];
	hex_encode(h + 16, 32, parent);
	hex_encode(h + 48, 32, root);
	int n = snprintf(t, sizeof(t),
	    "{\"data\":{\"root\":\"0x00\",\"canonical\":true,\"header\":{"
	    "\"message\":{\"slot\":\"%llu\",\"proposer_index\":\"7\","
	    "\"parent_root\":\"0x%s\",\"state_root\":\"0x%s\",\"body_root\":"
	    "\"0x%s\"},\"signature\":\"0x\"}}}",
	    (unsigned long long)slot, parent, root, root);
	say(fd, "200 OK", "Content-Type: application/json\r\n", t, (size_t)n);
}

static void
document(int fd, int mode, const struct doc *d)
{
	static struct doc bad;
	if (mode == FLIPPED) {
		bad = *d;
		/* well formed still: a byte of a branch or a root */
		bad.p[d->n / 2] ^= 1;
		d = &bad;
	}
	say(fd, "200 OK", "Content-Type: application/octet-stream\r\n", d->p,
	    d->n);
}

/* "GET path?query HTTP/1.1..." */
static void
from_sim(int fd, char *q)
{
	struct beacon_answer r;
	char *path = strchr(q, ' '), *end = NULL;
	if (path != NULL)
		end = strchr(++path, ' ');
	if (end == NULL)
		return;
	*end = '\0';
	char *query = strchr(path, '?');
	if (query != NULL)
		*query++ = '\0';
	node_get(&made, path, query, true, &r);
	say(fd, r.code == 200 ? "200 OK" : "404 Not Found",
	    "Content-Type: application/octet-stream\r\n", r.body.buf,
	    r.body.len);
	wr_free(&r.body);
}

static void
answer(struct server *s, int fd)
{
	char q[4096];
	size_t n = 0;
	ssize_t k;
	while (n < sizeof(q) - 1 &&
	    (k = read(fd, q + n, sizeof(q) - 1 - n)) > 0) {
		n += (size_t)k;
		q[n] = '\0';
		if (strstr(q, "\r\n\r\n") != NULL)
			break;
	}
	q[n] = '\0';
	s->asked++;
	const int mode = s->mode;
	if (mode == SIM) {
		from_sim(fd, q);
		return;
	}
	const char *header = strstr(q, "/eth/v1/beacon/headers/0x");
	const char *from = strstr(q, "start_period=");
	if (mode == NONE) {
		say(fd, "404 Not Found", "", NULL, 0);
	} else if (mode == GARBAGE) {
		say(fd, "200 OK", "", "<html>", 6);
	} else if (mode == PAUSE) {
		say(fd, "429 Too Many Requests", "Retry-After: 3000\r\n", NULL,
		    0);
	} else if (header != NULL) {
		uint8_t root[32];
		assert_int_equal(hex_decode(header + 25, 64, root, 32), 0);
		for (int i = 0; i < 5; i++)
			if (memcmp(root, roots[i], 32) == 0) {
				header_json(fd, headers[mode == OTHER_HEADER
					? (i + 1) % 5 : i]);
				return;
			}
		say(fd, "404 Not Found", "", NULL, 0);
	} else if (strstr(q, "light_client/bootstrap/0x") != NULL) {
		document(fd, mode, &bootstrap);
	} else if (from != NULL) {
		unsigned long p = strtoul(from + 13, NULL, 10);
		if (p >= FIRST && p < FIRST + 3u)
			document(fd, mode, &updates[p - FIRST]);
		else
			say(fd, "200 OK", "", "[]", 2);
	} else {
		document(fd, mode, &finality);
	}
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		if (s->mode != HANG)
			answer(s, fd);
		else
			(void)sleep(1);
		(void)close(fd);
	}
}

static void
up(struct server *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(s->fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(
	    getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	s->port = ntohs(sin.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
down(struct server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
}

static int
setup(void **state)
{
	(void)state;
	make_chain();
	up(&a);
	up(&b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	down(&a);
	down(&b);
	return 0;
}

static struct source *
begin_at(const char *cache, bool two)
{
	struct source *s = NULL;
	struct why why = { "" };
	char urls[128];
	(void)snprintf(urls, sizeof(urls),
	    two ? "http://127.0.0.1:%u, http://127.0.0.1:%u/"
		: "http://127.0.0.1:%u",
	    a.port, b.port);
	if (source_new(&cfg, urls, cache, &s, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	return s;
}

/* The finality update arrives within some seconds; the updates before it. */
static void
all_there(struct source *s)
{
	enum dstack_status st = DSTACK_E_MISSING;
	struct why why = { "" };
	for (int i = 0; i < 400 && st != DSTACK_OK; i++) {
		AUTO_WR struct wr w = wr_new(0);
		st = source_finality(s, &w, &why);
		if (st == DSTACK_OK) {
			assert_int_equal(w.len, finality.n);
			assert_memory_equal(w.buf, finality.p, w.len);
		} else {
			assert_int_equal(st, DSTACK_E_MISSING);
			assert_non_null(strstr(why.text, "yet"));
			(void)usleep(50000);
		}
	}
	if (st != DSTACK_OK)
		fail_msg("no finality update: %s", why.text);
	for (unsigned i = 0; i < 3; i++) {
		AUTO_WR struct wr w = wr_new(0);
		assert_int_equal(
		    source_update(s, FIRST + i, &w, &why), DSTACK_OK);
		assert_int_equal(w.len, updates[i].n - 12);
		assert_memory_equal(w.buf, updates[i].p + 12, w.len);
	}
}

static void
what_the_store_took_is_handed_on(void **state)
{
	(void)state;
	struct why why = { "" };
	uint8_t other[32] = { 1 };
	a.mode = GOOD;
	struct source *s = begin_at(NULL, false);
	all_there(s);
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(
	    source_bootstrap(s, checkpoint, &w, &why), DSTACK_OK);
	assert_int_equal(w.len, bootstrap.n);
	assert_memory_equal(w.buf, bootstrap.p, w.len);
	assert_int_equal(
	    source_bootstrap(s, other, &w, &why), DSTACK_E_REJECTED);
	assert_int_equal(
	    source_update(s, FIRST + 3, &w, &why), DSTACK_E_MISSING);
	assert_int_equal(
	    source_update(s, FIRST - 1, &w, &why), DSTACK_E_MISSING);
	assert_int_equal(
	    source_update(s, UINT64_MAX, &w, &why), DSTACK_E_MISSING);
	json_t *o = source_status(s);
	assert_int_equal(
	    json_integer_value(json_object_get(o, "finalizedSlot")),
	    AT(FIRST + 3, 24));
	assert_true(json_is_null(json_object_get(o, "trouble")));
	assert_true(json_integer_value(json_object_get(o, "bytes")) > 0);
	json_decref(o);
	source_free(s);
}

/* Whatever the first node does, the second is asked in time. */
static void
a_node_that_is_down_or_lies_is_not_in_the_way(void **state)
{
	(void)state;
	static const enum mode bad[] = { NONE, GARBAGE, FLIPPED, PAUSE };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		a.mode = (int)bad[i];
		b.mode = GOOD;
		struct source *s = begin_at(NULL, true);
		all_there(s);
		source_free(s);
	}
}

/* Its own word is kept, whatever else is not to be had. */
static void
a_node_that_asks_for_a_pause_gets_it(void **state)
{
	(void)state;
	struct why why = { "" };
	a.mode = PAUSE;
	a.asked = 0;
	struct source *s = begin_at(NULL, false);
	(void)usleep(2500000); /* three tries without its word */
	assert_int_equal(a.asked, 1);
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(source_finality(s, &w, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "pause of 3000 s"));
	source_free(s);
}

/* Nobody waits for a node that hangs, and the end comes at once. */
static void
a_node_that_hangs_holds_nobody_up(void **state)
{
	(void)state;
	struct why why = { "" };
	struct timespec t0, t1;
	a.mode = HANG;
	struct source *s = begin_at(NULL, false);
	AUTO_WR struct wr w = wr_new(0);
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(source_finality(s, &w, &why), DSTACK_E_MISSING);
	source_free(s);
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	/* far under the 15 s of a request's own end */
	assert_true(t1.tv_sec - t0.tv_sec < 10);
}

static void
what_was_kept_is_there_after_a_restart(void **state)
{
	(void)state;
	char dir[] = "/tmp/test-source-XXXXXX", path[300];
	struct why why = { "" };
	assert_non_null(mkdtemp(dir));
	a.mode = GOOD;
	struct source *s = begin_at(dir, false);
	all_there(s);
	source_free(s);
	a.mode = NONE;
	s = begin_at(dir, false);
	enum dstack_status st = DSTACK_E_MISSING;
	for (int i = 0; i < 200 && st != DSTACK_OK; i++) {
		AUTO_WR struct wr w = wr_new(0);
		st = source_update(s, FIRST + 2, &w, &why);
		(void)usleep(20000);
	}
	assert_int_equal(st, DSTACK_OK);
	source_free(s);
	/* one that is no update any more ends the list there, nothing else */
	(void)snprintf(path, sizeof(path), "%s/beacon-update-%d.ssz", dir,
	    FIRST + 1);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite("junk", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	a.mode = GOOD;
	s = begin_at(dir, false);
	all_there(s);
	source_free(s);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/beacon-update-%d.ssz",
		    dir, FIRST + i);
		assert_int_equal(unlink(path), 0);
	}
	char hex[17];
	hex_encode(checkpoint, 8, hex);
	(void)snprintf(path, sizeof(path), "%s/beacon-%s.ssz", dir, hex);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* The newest final block, once there is one of the wanted kind; 20 s. */
static bool
goes_on(struct source *s, bool forged)
{
	for (int i = 0; i < 400; i++) {
		AUTO_WR struct wr w = wr_new(0);
		struct lc_update u;
		if (source_finality(s, &w, NULL) == DSTACK_OK &&
		    ssz_update(chain_network(made.chain), true, w.buf, w.len,
			&u, NULL) == BEACON_OK) {
			uint8_t root[32];
			header_root(&u.finalized.beacon, root);
			if ((chain_by_root(made.chain, root) == NULL) == forged)
				return true;
		}
		(void)usleep(50000);
	}
	return false;
}

/*
 * A beacon node had an old committee's keys, and what it made up was kept. The
 * operator turns to another one: the truth is believed, without his help.
 */
static void
what_an_old_committee_made_up_is_given_up(void **state)
{
	(void)state;
	char dir[] = "/tmp/test_source.XXXXXX", old[64], path[96];
	const struct netcfg before = cfg;
	assert_non_null(mkdtemp(dir));
	memset(&made, 0, sizeof(made));
	made.chain = chain_new((uint64_t)time(NULL) - 152, 1, BEACON_NEVER);
	assert_non_null(made.chain);
	made.finality = true;
	for (uint64_t i = 1; i < 150; i++) {
		struct chain_exec e = { .extra_len = 0 };
		memset(e.hash, (int)i, 32);
		assert_int_equal(chain_add(made.chain, i, &e, true), DSTACK_OK);
	}
	cfg.beacon = *chain_network(made.chain);
	memcpy(cfg.checkpoint, chain_first(made.chain)->root, 32);
	assert_int_equal(node_lie(&made, "old-committee", true), DSTACK_OK);
	a.mode = SIM;
	struct source *s = begin_at(dir, false);
	assert_true(goes_on(s, true));
	source_free(s);
	assert_int_equal(node_lie(&made, "old-committee", false), DSTACK_OK);
	/* what was kept is believed again, and then not any more */
	s = begin_at(dir, false);
	assert_true(goes_on(s, false));
	source_free(s);
	/* for good */
	s = begin_at(dir, false);
	assert_true(goes_on(s, false));
	assert_int_equal(source_sees(s) > 0, true);
	source_free(s);
	cfg = before;
	a.mode = GOOD;
	for (int i = 0; i < 3; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/beacon-update-%d.ssz", dir, i);
		(void)unlink(path);
	}
	hex_encode(chain_first(made.chain)->root, 8, old);
	(void)snprintf(path, sizeof(path), "%s/beacon-%s.ssz", dir, old);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	chain_free(made.chain);
	chain_free(made.forged);
}

static void
headers_are_those_that_were_asked_for(void **state)
{
	(void)state;
	struct why why = { "" };
	uint8_t none[32] = { 9 };
	a.mode = OTHER_HEADER;
	b.mode = GOOD;
	struct source *s = begin_at(NULL, true);
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(source_headers(s, roots[0], 3, &w, &why), DSTACK_OK);
	assert_int_equal(w.len, 3 * SOURCE_HEADER_LEN);
	assert_memory_equal(w.buf, headers, w.len);
	/* down to where nobody has more */
	AUTO_WR struct wr all = wr_new(0);
	assert_int_equal(
	    source_headers(s, roots[0], 256, &all, &why), DSTACK_OK);
	assert_int_equal(all.len, 5 * SOURCE_HEADER_LEN);
	AUTO_WR struct wr x = wr_new(0);
	assert_int_equal(
	    source_headers(s, none, 1, &x, &why), DSTACK_E_MISSING);
	b.mode = OTHER_HEADER;
	assert_int_equal(
	    source_headers(s, roots[0], 1, &x, &why), DSTACK_E_MISSING);
	assert_int_equal(x.len, 0);
	source_free(s);
}

static void
urls_are_judged_at_the_start(void **state)
{
	(void)state;
	struct source *s = NULL;
	struct why why = { "" };
	assert_int_equal(
	    source_new(&cfg, "", NULL, &s, &why), DSTACK_E_FORMAT);
	assert_int_equal(
	    source_new(&cfg, "ftp://x", NULL, &s, &why), DSTACK_E_FORMAT);
	assert_non_null(strstr(why.text, "BEACON_URL"));
	assert_int_equal(source_new(&cfg,
			     "http://a http://b http://c http://d http://e "
			     "http://f http://g http://h http://i",
			     NULL, &s, &why),
	    DSTACK_E_FORMAT);
	assert_null(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_store_took_is_handed_on),
		cmocka_unit_test(a_node_that_is_down_or_lies_is_not_in_the_way),
		cmocka_unit_test(a_node_that_asks_for_a_pause_gets_it),
		cmocka_unit_test(a_node_that_hangs_holds_nobody_up),
		cmocka_unit_test(what_was_kept_is_there_after_a_restart),
		cmocka_unit_test(what_an_old_committee_made_up_is_given_up),
		cmocka_unit_test(headers_are_those_that_were_asked_for),
		cmocka_unit_test(urls_are_judged_at_the_start),
	};
	log_name("test_source");
	return cmocka_run_group_tests(tests, setup, teardown);
}
