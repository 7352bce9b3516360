/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a host asks for the newest block, by a clock and chains of the
 * test; and what it does not ask twice, of a server that counts.
 */
#include "tests/unit/host/host_bed.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "host/chain/rpc_priv.h"

struct run {
	unsigned polls;
	uint64_t late; /* ms at most from a block to its being seen */
};

/* Block k is there from at[k] on. Somebody wants to know every `every` ms. */
static struct run
follow(const uint64_t *at, size_t blocks, uint64_t until, uint64_t every)
{
	struct run r = { 0, 0 };
	struct pulse p;
	size_t seen = SIZE_MAX;
	memset(&p, 0, sizeof(p));
	pulse_init(&p);
	for (uint64_t now = at[0]; now < until; now += every) {
		size_t k = 0;
		while (k + 1 < blocks && at[k + 1] <= now)
			k++;
		if (now < p.next_ms)
			continue;
		uint8_t hash[32] = { (uint8_t)k, (uint8_t)(k >> 8), 1 };
		pulse_take(&p, k, at[k] / 1000, hash, NULL, now);
		r.polls++;
		if (k != seen && seen != SIZE_MAX && now - at[k] > r.late)
			r.late = now - at[k];
		seen = k;
	}
	pulse_free(&p);
	return r;
}

#define BLOCKS 200u

static void
a_steady_chain_is_asked_twice_a_block_at_most(void **state)
{
	static const uint64_t gaps[] = { 1000, 2000, 6000, 12000 };
	uint64_t at[BLOCKS];
	(void)state;
	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		for (size_t i = 0; i < BLOCKS; i++)
			at[i] = 5000 + i * gaps[g];
		struct run r =
		    follow(at, BLOCKS, 5000 + BLOCKS * gaps[g], 10);
		assert_true(r.polls <= 2 * BLOCKS);
		assert_true(r.polls >= BLOCKS);
		assert_true(r.late <= gaps[g] / 8 + 1000);
	}
}

static void
a_chain_that_stands_still_is_asked_less(void **state)
{
	const uint64_t at[1] = { 1000 };
	(void)state;
	/* ten minutes: once in two seconds, and what the start takes */
	struct run r = follow(at, 1, 601000, 10);
	assert_true(r.polls <= 310);
	assert_true(r.polls >= 290);
}

static void
a_chain_that_mines_on_demand_is_not_taken_for_a_slow_one(void **state)
{
	uint64_t at[60];
	uint64_t t = 1000;
	(void)state;
	/* now three at once, now a minute of nothing */
	for (size_t i = 0; i < 60; i++) {
		at[i] = t;
		t += i % 3 == 2 ? 60000 : 50;
	}
	struct run r = follow(at, 60, t, 10);
	assert_true(r.late <= 2500);
	/* or one now and then */
	t = 1000;
	for (size_t i = 0; i < 60; i++) {
		at[i] = t;
		t += 3000 + i * i * 7919 % 20000;
	}
	r = follow(at, 60, t, 10);
	assert_true(r.late <= 2500);
}

static void
a_missed_slot_changes_little(void **state)
{
	uint64_t at[BLOCKS];
	uint64_t t = 5000;
	(void)state;
	for (size_t i = 0; i < BLOCKS; i++) {
		at[i] = t;
		t += i % 9 == 4 ? 24000 : 12000;
	}
	struct run r = follow(at, BLOCKS, t, 10);
	assert_true(r.polls <= 3 * BLOCKS);
	assert_true(r.late <= 2500);
}

static void
who_has_sent_something_looks_sooner(void **state)
{
	struct pulse p;
	const uint8_t hash[32] = { 1 };
	uint64_t now = 1000000;
	(void)state;
	memset(&p, 0, sizeof(p));
	pulse_init(&p);
	for (uint64_t i = 0; i < 9; i++, now += 12000) {
		uint8_t h[32] = { 2, (uint8_t)i };
		pulse_take(&p, i, i * 12, h, NULL, now);
	}
	pulse_take(&p, 9, 108, hash, NULL, now);
	assert_true(p.next_ms == now + 11250);
	pulse_hasten(&p);
	assert_true(p.next_ms <= now);
	unsigned polls = 0;
	for (uint64_t t = now; t < now + 11250; t += 10)
		if (t >= p.next_ms) {
			pulse_take(&p, 9, 108, hash, NULL, t);
			polls++;
		}
	/* at once, then by longer and longer steps */
	assert_true(polls >= 5 && polls <= 10);
	/* and as before when another is due */
	assert_true(p.next_ms == now + 11250);
	pulse_free(&p);
}

/* ------------------------------------------------- what is not asked twice */

static atomic_uint *asked; /* header, other */
static atomic_uint *block;
static pid_t server_pid;

static void
answer_all(int s)
{
	for (;;) {
		char buf[8192], body[512], out[1024];
		size_t n = 0;
		int c = accept(s, NULL, NULL);
		if (c < 0)
			_exit(0);
		do {
			ssize_t got = read(c, buf + n, sizeof(buf) - 1 - n);
			if (got <= 0)
				break;
			n += (size_t)got;
			buf[n] = '\0';
		} while (buf[n - 1] != '}');
		const bool header = strstr(buf, "latest") != NULL;
		const unsigned k = atomic_fetch_add(&asked[header ? 0 : 1], 1);
		if (header)
			(void)snprintf(body, sizeof(body),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{"
			    "\"number\":\"0x%x\",\"timestamp\":\"0x1\",\"hash\":\"0x%064x\"}}",
			    atomic_load(block), atomic_load(block));
		else if (strstr(buf, "bad") != NULL)
			(void)snprintf(body, sizeof(body),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{"
			    "\"code\":-1,\"message\":\"no\"}}");
		else
			(void)snprintf(body, sizeof(body),
			    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%u}", k);
		int len = snprintf(out, sizeof(out),
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
		    "Connection: close\r\n\r\n%s", strlen(body), body);
		(void)!write(c, out, (size_t)len);
		(void)close(c);
	}
}

static struct rpc *
counting(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char url[64];
	int s = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(s >= 0 && bind(s, (struct sockaddr *)&a, len) == 0);
	assert_int_equal(listen(s, 16), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
	asked = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(asked, MAP_FAILED);
	block = asked + 2;
	atomic_store(block, 7);
	server_pid = fork();
	if (server_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer_all(s);
	}
	(void)close(s);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    ntohs(a.sin_port));
	return rpc_new(url);
}

static uint64_t
kept(struct rpc *r, const char *what)
{
	struct why why = { "" };
	json_t *v = NULL;
	enum dstack_status st = rpc_call_kept(
	    r, "eth_getProof", json_pack("[s]", what), &v, &why);
	if (st != DSTACK_OK)
		return UINT64_MAX;
	const uint64_t n = (uint64_t)json_integer_value(v);
	json_decref(v);
	return n;
}

static void
a_question_is_asked_once_a_block(void **state)
{
	struct rpc *r = counting();
	struct why why = { "" };
	uint64_t n = 0;
	(void)state;
	assert_int_equal(rpc_newest(r, &n, NULL, &why), DSTACK_OK);
	assert_int_equal(n, 7);
	const uint64_t first = kept(r, "a");
	for (int i = 0; i < 20; i++)
		assert_int_equal(kept(r, "a"), first);
	assert_int_equal(atomic_load(&asked[1]), 1);
	assert_int_not_equal(kept(r, "b"), first); /* another question */
	assert_int_equal(atomic_load(&asked[1]), 2);
	/* an error is no answer to keep */
	assert_true(kept(r, "bad") == UINT64_MAX);
	assert_true(kept(r, "bad") == UINT64_MAX);
	assert_int_equal(atomic_load(&asked[1]), 4);
	/* the header that a guest asks for is the one that is there */
	const unsigned before = atomic_load(&asked[0]);
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(4096);
	assert_int_equal(eth_rpc_request(&q, "eth_getBlockByNumber",
	                     json_pack("[s,b]", "latest", 0)),
	    DSTACK_OK);
	assert_int_equal(
	    rpc_pass_kept(r, q.buf, q.len, &a, &why), DSTACK_OK);
	assert_true(atomic_load(&asked[0]) <= before + 1);
	json_t *v = NULL;
	assert_int_equal(
	    eth_rpc_result(a.buf, a.len, &v, &why), DSTACK_OK);
	assert_string_equal(
	    json_string_value(json_object_get(v, "number")), "0x7");
	json_decref(v);
	/* another block: all of it anew */
	atomic_store(block, 8);
	pulse_hasten(&r->pulse);
	assert_int_not_equal(kept(r, "a"), first);
	assert_int_equal(rpc_newest(r, &n, NULL, &why), DSTACK_OK);
	assert_int_equal(n, 8);
	/* the endpoint is away: nobody is told an old block */
	(void)kill(server_pid, SIGKILL);
	(void)waitpid(server_pid, NULL, 0);
	pulse_hasten(&r->pulse);
	assert_int_equal(rpc_newest(r, &n, NULL, &why), DSTACK_E_MISSING);
	assert_true(kept(r, "a") == UINT64_MAX);
	rpc_free(r);
	(void)munmap(asked, 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_chain_is_asked_twice_a_block_at_most),
		cmocka_unit_test(a_missed_slot_changes_little),
		cmocka_unit_test(a_chain_that_stands_still_is_asked_less),
		cmocka_unit_test(
		    a_chain_that_mines_on_demand_is_not_taken_for_a_slow_one),
		cmocka_unit_test(who_has_sent_something_looks_sooner),
		cmocka_unit_test(a_question_is_asked_once_a_block),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
