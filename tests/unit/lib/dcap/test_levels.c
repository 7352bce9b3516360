/* SPDX-License-Identifier: Apache-2.0 */
/* TCB levels of enclaves and modules, as documents write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/wr.h"
#include "dcap/levels.h"

#define LEVEL(svn, status) \
	"{\"tcb\":{\"isvsvn\":" #svn "},\"tcbDate\":\"2024-03-13T00:00:00Z\"," \
	"\"tcbStatus\":\"" status "\"}"
#define DOC(levels) "{\"tcbLevels\":[" levels "]}"

static enum dstack_status
parse(const char *text, struct svn_levels *out, struct advisory_pool *pool,
    struct why *why)
{
	AUTO_JSON json_t *j = jget_parse(text, strlen(text), why);
	*out = (struct svn_levels){ NULL, 0 };
	*pool = (struct advisory_pool){ NULL, 0, 0 };
	assert_non_null(j);
	return svn_levels_parse(j, 65535, pool, out, why);
}

static void
the_first_level_that_is_reached_counts(void **state)
{
	struct svn_levels l;
	struct advisory_pool pool;
	struct why why = { "" };
	(void)state;
	if (parse(DOC(LEVEL(8, "UpToDate") "," LEVEL(5, "OutOfDate") ","
		    LEVEL(2, "Revoked")), &l, &pool, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	static const struct {
		unsigned svn;
		enum dcap_tcb_status want;
	} cases[] = { { 65535, DCAP_TCB_UP_TO_DATE },
		{ 8, DCAP_TCB_UP_TO_DATE }, { 7, DCAP_TCB_OUT_OF_DATE },
		{ 5, DCAP_TCB_OUT_OF_DATE }, { 4, DCAP_TCB_REVOKED_STATUS },
		{ 2, DCAP_TCB_REVOKED_STATUS } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct level_result *r =
		    svn_levels_find(&l, cases[i].svn);
		assert_non_null(r);
		assert_int_equal(r->status, cases[i].want);
		assert_string_equal(r->date_text, "2024-03-13T00:00:00Z");
		assert_int_equal(r->date, 1710288000);
	}
	assert_null(svn_levels_find(&l, 1));
	svn_levels_free(&l);
	pool_free(&pool);
	/* the document's order, also where it is none that anybody wants */
	assert_int_equal(parse(DOC(LEVEL(2, "Revoked") "," LEVEL(8, "UpToDate")),
			     &l, &pool, &why),
	    DSTACK_OK);
	assert_int_equal(
	    svn_levels_find(&l, 9)->status, DCAP_TCB_REVOKED_STATUS);
	svn_levels_free(&l);
	pool_free(&pool);
}

static void
what_no_document_may_say_is_refused_where_it_stands(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ DOC(""), "'tcbLevels' is empty" },
		{ "{\"tcbLevels\":{}}", "tcbLevels" },
		{ "{}", "tcbLevels" },
		{ DOC(LEVEL(5, "UpToDate") "," LEVEL(5, "OutOfDate")),
		    "tcbLevels[1]" },
		{ DOC(LEVEL(5, "UpToDate") "," LEVEL(4, "Fine")),
		    "'Fine' is no TCB status" },
		{ DOC(LEVEL(5, "TDRelaunchAdvised")),
		    "'TDRelaunchAdvised' is no TCB status" },
		/* platforms have these, enclaves and modules do not */
		{ DOC(LEVEL(5, "SWHardeningNeeded")),
		    "no status of an enclave" },
		{ DOC(LEVEL(5, "ConfigurationNeeded")),
		    "no status of an enclave" },
		{ DOC(LEVEL(65536, "UpToDate")), "isvsvn" },
		{ DOC("{\"tcbDate\":\"2024-03-13T00:00:00Z\","
		      "\"tcbStatus\":\"UpToDate\"}"), "tcb" },
		{ DOC("{\"tcb\":{\"isvsvn\":1},\"tcbStatus\":\"UpToDate\"}"),
		    "tcbDate" },
		{ DOC("{\"tcb\":{\"isvsvn\":1},"
		      "\"tcbDate\":\"2024-03-13T00:00:00Z\"}"), "tcbStatus" },
		{ DOC("{\"tcb\":{\"isvsvn\":1},\"tcbDate\":\"2024-03-13T00:00:"
		      "00Z\",\"tcbStatus\":\"UpToDate\",\"advisoryIDs\":{}}"),
		    "'advisoryIDs' is no array" },
		{ DOC("{\"tcb\":{\"isvsvn\":1},\"tcbDate\":\"2024-03-13T00:00:"
		      "00Z\",\"tcbStatus\":\"UpToDate\",\"advisoryIDs\":[1]}"),
		    "an advisory id is no text" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct svn_levels l;
		struct advisory_pool pool;
		struct why why = { "" };
		if (parse(bad[i].text, &l, &pool, &why) == DSTACK_OK ||
		    strstr(why.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].text, why.text);
		svn_levels_free(&l);
		pool_free(&pool);
	}
}

/* So many of them, in one document. */
static enum dstack_status
levels_of(size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	struct svn_levels l;
	struct advisory_pool pool;
	struct why why = { "" };
	wr_str(&w, "{\"tcbLevels\":[");
	for (size_t i = 0; i < n; i++)
		wr_fmt(&w, "%s{\"tcb\":{\"isvsvn\":%zu},\"tcbDate\":"
			   "\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"}",
		    i == 0 ? "" : ",", n - i);
	wr_str(&w, "]}");
	wr_u8(&w, 0);
	enum dstack_status st =
	    parse((const char *)w.buf, &l, &pool, &why);
	svn_levels_free(&l);
	pool_free(&pool);
	return st;
}

static void
there_are_so_many_levels_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(levels_of(LEVELS_MAX_SVN), DSTACK_OK);
	assert_int_not_equal(levels_of(LEVELS_MAX_SVN + 1), DSTACK_OK);
}

/* Each level has its own part of one pool, in the document's order. */
static void
advisories_are_their_levels_own(void **state)
{
	static const char text[] = DOC("{\"tcb\":{\"isvsvn\":3},\"tcbDate\":"
	    "\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	    "{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2023-01-01T00:00:00Z\","
	    "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"A\",\"B\"]},"
	    "{\"tcb\":{\"isvsvn\":1},\"tcbDate\":\"2022-01-01T00:00:00Z\","
	    "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"B\",\"C\"]}");
	struct svn_levels l;
	struct advisory_pool pool;
	struct why why = { "" };
	(void)state;
	assert_int_equal(parse(text, &l, &pool, &why), DSTACK_OK);
	assert_int_equal(svn_levels_find(&l, 3)->count, 0);
	const struct level_result *r = svn_levels_find(&l, 2);
	assert_int_equal(r->count, 2);
	assert_string_equal(pool.name[r->first], "A");
	assert_string_equal(pool.name[r->first + 1], "B");
	r = svn_levels_find(&l, 1);
	assert_int_equal(r->count, 2);
	assert_string_equal(pool.name[r->first], "B");
	assert_string_equal(pool.name[r->first + 1], "C");
	svn_levels_free(&l);
	pool_free(&pool);
}

/* One level that has n advisories named name. */
static enum dstack_status
level_with(size_t n, const char *name)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_str(&w, "{\"tcbDate\":\"2024-03-13T00:00:00Z\","
	    "\"tcbStatus\":\"UpToDate\",\"advisoryIDs\":[");
	for (size_t i = 0; i < n; i++)
		wr_fmt(&w, "%s\"%s\"", i == 0 ? "" : ",", name);
	wr_str(&w, "]}");
	AUTO_JSON json_t *j = jget_parse(w.buf, w.len, NULL);
	assert_non_null(j);
	struct advisory_pool pool = { NULL, 0, 0 };
	struct level_result r;
	enum dstack_status st = level_result_parse(j, &pool, &r, NULL);
	if (st == DSTACK_OK)
		assert_int_equal(r.count, n);
	pool_free(&pool);
	return st;
}

static void
advisories_have_names_and_are_not_without_end(void **state)
{
	(void)state;
	assert_int_equal(level_with(0, ""), DSTACK_OK);
	assert_int_equal(level_with(1, "INTEL-SA-00615"), DSTACK_OK);
	assert_int_equal(level_with(1, "12345678901234567890123"), DSTACK_OK);
	assert_int_equal(
	    level_with(1, "123456789012345678901234"), DSTACK_E_LIMIT);
	assert_int_equal(level_with(1, ""), DSTACK_E_LIMIT);
	assert_int_equal(level_with(LEVELS_MAX_ADVISORIES, "A"), DSTACK_OK);
	assert_int_equal(
	    level_with(LEVELS_MAX_ADVISORIES + 1, "A"), DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_first_level_that_is_reached_counts),
		cmocka_unit_test(
		    what_no_document_may_say_is_refused_where_it_stands),
		cmocka_unit_test(there_are_so_many_levels_and_no_more),
		cmocka_unit_test(advisories_are_their_levels_own),
		cmocka_unit_test(advisories_have_names_and_are_not_without_end),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
