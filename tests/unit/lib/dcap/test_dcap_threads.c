/* SPDX-License-Identifier: Apache-2.0 */
/* One loaded collateral, many threads: the promise of dcap(3). make tsan. */
#include <pthread.h>

#include "tests/unit/lib/dcap/dcap_sim.h"

enum { THREADS = 8, ROUNDS = 40 };

struct shared {
	struct wr quote;
	struct sim_collateral parts;
	struct dcap_collateral *c;
	uint8_t root[64];
	pthread_barrier_t start;
};

/* Returns NULL if every verdict was the right one. */
static void *
work(void *arg)
{
	struct shared *s = arg;
	struct dcap_verdict v;
	AUTO_WR struct wr bad = wr_new(0);
	void *const wrong = s;
	wr_put(&bad, s->quote.buf, s->quote.len);
	if (bad.len != s->quote.len)
		return wrong;
	bad.buf[60] ^= 1; /* in the body: only its signature tells */
	(void)pthread_barrier_wait(&s->start);
	for (int i = 0; i < ROUNDS; i++) {
		struct dcap_collateral *own = NULL;
		struct dcap_collateral_info info;
		if (dcap_authenticate(s->quote.buf, s->quote.len, s->c, NOW,
		    s->root, NULL, &v) != DSTACK_OK ||
		    v.tcb_status != DCAP_TCB_UP_TO_DATE)
			return wrong;
		if (dcap_authenticate(bad.buf, bad.len, s->c, NOW, s->root,
		    NULL, &v) == DSTACK_OK)
			return wrong;
		dcap_collateral_describe(s->c, &info);
		/* others load and free their own beside it */
		if (i % 8 == 0) {
			if (load_parts(&s->parts, &own) != DCAP_OK ||
			    dcap_authenticate(s->quote.buf, s->quote.len, own,
			    info.not_after, s->root, NULL, &v) != DSTACK_OK)
				return wrong;
			dcap_collateral_free(own);
		}
	}
	return NULL;
}

static void
threads_share_one_loaded_collateral(void **state)
{
	(void)state;
	for (enum world kind = TDX4; kind < WORLDS; kind++) {
		struct sim_world *w = world_new(kind);
		struct shared s = { .quote = wr_new(0) };
		pthread_t t[THREADS];
		sim_root(SIM_KEY_ROOT, s.root);
		assert_int_equal(sim_world_quote(w, &s.quote), DSTACK_OK);
		assert_int_equal(sim_collateral_make(w, &s.parts), DSTACK_OK);
		assert_int_equal(load_parts(&s.parts, &s.c), DCAP_OK);
		assert_int_equal(
		    pthread_barrier_init(&s.start, NULL, THREADS), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(
			    pthread_create(&t[i], NULL, work, &s), 0);
		for (int i = 0; i < THREADS; i++) {
			void *wrong;
			assert_int_equal(pthread_join(t[i], &wrong), 0);
			assert_null(wrong);
		}
		(void)pthread_barrier_destroy(&s.start);
		dcap_collateral_free(s.c);
		sim_collateral_free(&s.parts);
		wr_free(&s.quote);
		free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_one_loaded_collateral),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
