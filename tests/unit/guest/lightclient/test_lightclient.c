/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role lightclient without its host: what it keeps for its next life, how old
 * it says that a head is, which heads go back. The view by RPC is in
 * tests/unit/guest/chain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/lightclient/lightclient.h"
#include "guest/lightclient/view.h"

static struct netcfg cfg = { .view = NETCFG_VIEW_RPC };

static void
opened(struct view *v, int fd)
{
	struct why why = { "" };
	assert_int_equal(view_open(v, -1, &cfg, fd, &why), DSTACK_OK);
}

static int
memory(off_t bytes)
{
	int fd = memfd_create("view", 0);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	return fd;
}

static void
memory_has_the_newest_that_is_whole(void **state)
{
	(void)state;
	static uint8_t big[KEEP_SIZE];
	int fd = memory(KEEP_SIZE);
	uint8_t *m = keep_map(fd);
	assert_non_null(m);
	AUTO_WR struct wr w = wr_new(0);
	assert_false(keep_load(m, &w));
	keep_save(m, "one", 3);
	keep_save(m, "second", 6);
	assert_true(keep_load(m, &w));
	assert_int_equal(w.len, 6);
	assert_memory_equal(w.buf, "second", 6);
	/* what does not fit changes nothing */
	keep_save(m, big, sizeof(big) / 2);
	/* every bit of the newest counts: without it the one before is there */
	for (size_t i = 0; i < 44 + 6; i++) {
		uint8_t *p = m + KEEP_SIZE / 2 + i;
		AUTO_WR struct wr o = wr_new(0);
		*p ^= 1;
		assert_true(keep_load(m, &o));
		assert_int_equal(o.len, 3);
		*p ^= 1;
	}
	/* a third takes the place of the first */
	keep_save(m, "third", 5);
	AUTO_WR struct wr t = wr_new(0);
	assert_true(keep_load(m, &t));
	assert_memory_equal(t.buf, "third", 5);
	memset(m, 0xff, KEEP_SIZE);
	AUTO_WR struct wr n = wr_new(0);
	assert_false(keep_load(m, &n));
	(void)munmap(m, KEEP_SIZE);
	(void)close(fd);
	assert_null(keep_map(-1));
	fd = memory(KEEP_SIZE - 1);
	assert_null(keep_map(fd));
	(void)close(fd);
}

static struct view_head
block(uint64_t number, uint64_t time)
{
	struct view_head h = { .number = number, .time = time };
	h.hash[0] = (uint8_t)number;
	return h;
}

static void
a_head_never_goes_back(void **state)
{
	(void)state;
	struct view v;
	struct why why = { "" };
	opened(&v, -1);
	struct view_head h = block(7, 1000);
	h.slot = 70;
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	struct view_head bad = h;
	bad.number = 6;
	assert_int_equal(view_advance(&v, &bad, &why), DSTACK_E_MISSING);
	bad = h;
	bad.number = 8;
	bad.time = 999;
	assert_int_equal(view_advance(&v, &bad, &why), DSTACK_E_MISSING);
	bad = h;
	bad.hash[1] = 1; /* another block of that number */
	assert_int_equal(view_advance(&v, &bad, &why), DSTACK_E_MISSING);
	bad = h;
	bad.number = 8;
	bad.slot = 69;
	assert_int_equal(view_advance(&v, &bad, &why), DSTACK_E_MISSING);
	assert_int_equal(v.kept.head.number, 7);
	h = block(8, 1000);
	h.slot = 71;
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	assert_int_equal(v.kept.head.number, 8);
	assert_int_equal(v.kept.first, 1000);
}

/* Signed at second 50, seen in a block of 2000: from then on heads have ages. */
static void
an_age_is_what_this_machine_counted_less_what_the_chain_gained(void **state)
{
	(void)state;
	struct view_kept k = { .any = true, .head = block(1, 2000) };
	assert_true(view_age(&k, 60) == UINT64_MAX);
	k.tied = true;
	k.tie_time = 2000;
	k.tie_at = 50;
	assert_int_equal(view_age(&k, 50), 0);
	assert_int_equal(view_age(&k, 60), 10);
	k.head.time = 2008;
	assert_int_equal(view_age(&k, 60), 2);
	k.head.time = 3000; /* block times may run ahead */
	assert_int_equal(view_age(&k, 60), 0);
	/* a chain that stands still gets older, and nothing wraps */
	assert_true(view_age(&k, 1050 + 100000) == 100000);
	assert_true(view_age(&k, 49) == UINT64_MAX);
	k.any = false;
	assert_true(view_age(&k, 60) == UINT64_MAX);
}

/* One request of a role, and the status byte that it gets. */
static int
asked(struct view *v, enum role from, uint8_t op, const struct wr *body,
    struct wr *out)
{
	int p[2];
	uint8_t buf[512];
	struct ipc_request q;
	bool eof = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	buf[0] = op;
	if (body != NULL)
		memcpy(buf + 1, body->buf, body->len);
	size_t n = 1 + (body != NULL ? body->len : 0);
	assert_int_equal(write(p[0], buf, n), n);
	assert_int_equal(ipc_receive(p[1], &q, &eof), DSTACK_OK);
	assert_false(eof);
	view_serve(v, from, p[1], &q);
	ipc_request_free(&q);
	ssize_t got = read(p[0], buf, sizeof(buf));
	assert_true(got >= 1);
	if (out != NULL)
		wr_put(out, buf + 1, (size_t)got - 1);
	(void)close(p[0]);
	(void)close(p[1]);
	return buf[0];
}

static int
tied(struct view *v, enum role from, uint64_t time, uint64_t at)
{
	AUTO_WR struct wr q = wr_new(0);
	wr_u64be(&q, time);
	wr_u64be(&q, at);
	return asked(v, from, LIGHTCLIENT_TIE, &q, NULL);
}

static void
a_tie_is_replicatoors_within_the_heads_of_this_boot_and_the_first(void **state)
{
	(void)state;
	struct view v;
	struct why why = { "" };
	opened(&v, -1);
	uint64_t now = (uint64_t)(view_ms() / 1000);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 0, now), IPC_REFUSED);
	struct view_head h = block(1, 5000);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	h = block(2, 5010);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	assert_int_equal(tied(&v, ROLE_VERIFIER, 5010, now), IPC_REFUSED);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 4999, now), IPC_REFUSED);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 5011, now), IPC_REFUSED);
	assert_int_equal(
	    tied(&v, ROLE_REPLICATOOR, 5010, now + 3600), IPC_REFUSED);
	assert_false(v.kept.tied);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 5010, now), IPC_YES);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 5000, now), IPC_YES);
	assert_int_equal(v.kept.tie_time, 5010);
	AUTO_WR struct wr cut = wr_new(0);
	wr_u64be(&cut, 5010);
	assert_int_equal(asked(&v, ROLE_REPLICATOOR, LIGHTCLIENT_TIE, &cut,
			     NULL), IPC_REFUSED);
	/* and so is it to begin anew: no head, no tie */
	assert_int_equal(asked(&v, ROLE_VERIFIER, LIGHTCLIENT_ANEW, NULL,
			     NULL), IPC_REFUSED);
	assert_int_equal(asked(&v, ROLE_REPLICATOOR, LIGHTCLIENT_ANEW, &cut,
			     NULL), IPC_REFUSED);
	assert_true(v.kept.any && v.kept.tied);
	assert_int_equal(asked(&v, ROLE_REPLICATOOR, LIGHTCLIENT_ANEW, NULL,
			     NULL), IPC_YES);
	assert_false(v.kept.any || v.kept.tied);
	h = block(1, 4000);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
}

/* Who can end the role cannot have it begin with an older chain. */
static void
the_next_life_goes_on_where_this_one_was(void **state)
{
	(void)state;
	struct view v;
	struct why why = { "" };
	int fd = memory(KEEP_SIZE);
	opened(&v, fd);
	assert_false(v.kept.any);
	struct view_head h = block(9, 6000);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_OK);
	uint64_t now = (uint64_t)(view_ms() / 1000);
	assert_int_equal(tied(&v, ROLE_REPLICATOOR, 6000, now), IPC_YES);
	struct view_kept was = v.kept;
	(void)munmap(v.memory, KEEP_SIZE);
	opened(&v, fd);
	assert_memory_equal(&v.kept, &was, sizeof(was));
	h = block(8, 6000);
	assert_int_equal(view_advance(&v, &h, &why), DSTACK_E_MISSING);
	/* what is whole and makes no sense is not taken up: cut, or beyond */
	keep_save(v.memory, "\1abc", 4);
	(void)munmap(v.memory, KEEP_SIZE);
	opened(&v, fd);
	assert_false(v.kept.any);
	(void)munmap(v.memory, KEEP_SIZE);
	(void)close(fd);
}

static void
a_view_without_beacon_has_zeros_alone_in_it(void **state)
{
	(void)state;
	struct view v;
	opened(&v, -1);
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_zero(&q, 72);
	assert_int_equal(
	    asked(&v, ROLE_REPLICATOOR, LIGHTCLIENT_CONTAINS, &q, &a), IPC_YES);
	assert_int_equal(a.buf[0], LIGHTCLIENT_YES);
	for (size_t i = 0; i < 72; i++) {
		AUTO_WR struct wr b = wr_new(0);
		q.buf[i] = 1;
		assert_int_equal(asked(&v, ROLE_REPLICATOOR,
				     LIGHTCLIENT_CONTAINS, &q, &b), IPC_YES);
		assert_int_equal(b.buf[0], LIGHTCLIENT_NO);
		q.buf[i] = 0;
	}
	wr_u8(&q, 0);
	assert_int_equal(asked(&v, ROLE_REPLICATOOR, LIGHTCLIENT_CONTAINS, &q,
			     NULL), IPC_REFUSED);
	assert_int_equal(asked(&v, ROLE_VERIFIER, 9, NULL, NULL), IPC_REFUSED);
	assert_int_equal(
	    asked(&v, ROLE_VERIFIER, LIGHTCLIENT_HEAD, &q, NULL), IPC_REFUSED);
	/* no hostlink: nothing can be told, and the role goes on */
	assert_int_equal(asked(&v, ROLE_VERIFIER, LIGHTCLIENT_HEAD, NULL, NULL),
	    IPC_UNDECIDED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_has_the_newest_that_is_whole),
		cmocka_unit_test(a_head_never_goes_back),
		cmocka_unit_test(
		    an_age_is_what_this_machine_counted_less_what_the_chain_gained),
		cmocka_unit_test(
		    a_tie_is_replicatoors_within_the_heads_of_this_boot_and_the_first),
		cmocka_unit_test(the_next_life_goes_on_where_this_one_was),
		cmocka_unit_test(a_view_without_beacon_has_zeros_alone_in_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
