/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest/hostlink/hostlink.h"
#include "protocol/link.h"

static void
what_is_put_is_decoded(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	struct link_frame f;
	size_t rest;
	link_put_request(&w, 7, "/rpc", "{}", 2);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	assert_int_equal(link_rest(w.buf, &rest), DSTACK_OK);
	assert_int_equal(rest, w.len - LINK_HEAD);
	assert_int_equal(
	    link_decode(w.buf + LINK_HEAD, rest, &f), DSTACK_OK);
	assert_int_equal(f.id, 7);
	assert_false(f.answer);
	assert_string_equal(f.path, "/rpc");
	assert_int_equal(f.len, 2);
	wr_free(&w);
	w = wr_new(0);
	link_put_answer(&w, 8, 204, NULL, 0);
	assert_int_equal(
	    link_decode(w.buf + LINK_HEAD, w.len - LINK_HEAD, &f), DSTACK_OK);
	assert_true(f.answer);
	assert_int_equal(f.status, 204);
	assert_int_equal(f.len, 0);
}

static void
cut_and_strange_frames_are_refused(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	struct link_frame f;
	link_put_request(&w, 7, "/rpc", "", 0);
	for (size_t n = 0; n < w.len - LINK_HEAD; n++)
		assert_int_not_equal(
		    link_decode(w.buf + LINK_HEAD, n, &f), DSTACK_OK);
	uint8_t kind = w.buf[8];
	w.buf[8] = 3;
	assert_int_equal(link_decode(w.buf + LINK_HEAD, w.len - LINK_HEAD, &f),
	    DSTACK_E_FORMAT);
	w.buf[8] = kind;
	static const char *const paths[] = { "rpc", "", "/a b", "/a%2e",
		"/\n", "/a?b" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		AUTO_WR struct wr p = wr_new(0);
		link_put_request(&p, 1, paths[i], "", 0);
		assert_int_equal(
		    link_decode(p.buf + LINK_HEAD, p.len - LINK_HEAD, &f),
		    DSTACK_E_FORMAT);
	}
	AUTO_WR struct wr a = wr_new(0);
	link_put_answer(&a, 1, 199, "", 0);
	assert_int_equal(link_decode(a.buf + LINK_HEAD, a.len - LINK_HEAD, &f),
	    DSTACK_E_FORMAT);
}

static void
a_body_over_160_kib_is_refused_at_both_ends(void **state)
{
	(void)state;
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	struct link_frame f;
	wr_zero(&body, LINK_MAX_BODY + 1);
	link_put_request(&w, 1, "/rpc", body.buf, body.len);
	assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
	wr_free(&w);
	w = wr_new(0);
	link_put_answer(&w, 1, 200, body.buf, body.len - 1);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	wr_u8(&w, 0);
	assert_int_equal(link_decode(w.buf + LINK_HEAD, w.len - LINK_HEAD, &f),
	    DSTACK_E_LIMIT);
	size_t rest;
	const uint8_t huge[4] = { 0xff, 0xff, 0xff, 0xff };
	const uint8_t tiny[4] = { 0, 0, 0, 5 };
	assert_int_equal(link_rest(huge, &rest), DSTACK_E_LIMIT);
	assert_int_equal(link_rest(tiny, &rest), DSTACK_E_FORMAT);
}

static void
each_role_reaches_its_own_paths_only(void **state)
{
	(void)state;
	assert_true(hostlink_may(ROLE_INIT, "/file/netcfg/0/4096"));
	assert_false(hostlink_may(ROLE_INIT, "/rpc"));
	assert_true(hostlink_may(ROLE_TLS, "/file/certificate.pem/0/65536"));
	assert_false(hostlink_may(ROLE_TLS, "/file/netcfg/0/1"));
	assert_true(hostlink_may(ROLE_KUBERNETHES, "/file/app.tar/0/65536"));
	assert_false(hostlink_may(ROLE_KUBERNETHES, "/file/../x/0/1"));
	assert_false(hostlink_may(ROLE_KUBERNETHES, "/register"));
	assert_true(hostlink_may(ROLE_REPLICATOOR, "/register"));
	assert_false(hostlink_may(ROLE_REPLICATOOR, "/registerx"));
	assert_false(hostlink_may(ROLE_VERIFIER, "/register"));
	assert_true(hostlink_may(ROLE_VERIFIER, "/rpc"));
	assert_false(hostlink_may(ROLE_GUEST_SERVICE, "/anchor"));
	assert_true(hostlink_may(ROLE_VOLUME, "/anchor"));
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		assert_false(hostlink_may((enum role)r, "/"));
		assert_false(hostlink_may((enum role)r, "/file/"));
	}
	assert_true(hostlink_may(ROLE_LIGHTCLIENT, "/rpc"));
	assert_true(hostlink_may(ROLE_LIGHTCLIENT, "/beacon/finality"));
	assert_false(hostlink_may(ROLE_LIGHTCLIENT, "/beacon/"));
	assert_false(hostlink_may(ROLE_LIGHTCLIENT, "/node"));
	assert_false(hostlink_may(ROLE_VERIFIER, "/beacon/finality"));
	assert_false(hostlink_may(ROLE_KEYD, "/rpc"));
	assert_false(hostlink_may(ROLE_TEE, "/rpc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_decoded),
		cmocka_unit_test(cut_and_strange_frames_are_refused),
		cmocka_unit_test(a_body_over_160_kib_is_refused_at_both_ends),
		cmocka_unit_test(each_role_reaches_its_own_paths_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
