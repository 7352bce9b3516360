/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's collateral service before a PCS that is played here (pcs_bed.h),
 * with a clock that the tests set.
 */
#include "tests/unit/host/collateral/pcs_bed.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/log.h"
#include "host/collateral/collateral.h"

#define FMSPC "00806f050000"
#define OTHER "90c06f000000"

static char dir[64];
static struct pcs_bed bed;
static struct collateral *svc;
static int64_t now_s;
static uint8_t root[64];
static struct why why;

static int64_t
test_clock(void *arg)
{
	(void)arg;
	return now_s * 1000;
}

static void
clear_dir(void)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		(void)closedir(d);
}

/* The service anew, as after a restart of the host; what is on disk stays. */
static void
restart_with(const struct collateral_options *more)
{
	struct collateral_options o = *more;
	o.url = o.url != NULL ? o.url : bed.url;
	o.cache_dir = dir;
	o.root_key = root;
	o.now_ms = test_clock;
	o.timeout_ms = o.timeout_ms != 0 ? o.timeout_ms : 2000;
	collateral_free(svc);
	svc = NULL;
	assert_int_equal(collateral_new(&o, &svc, &why), DSTACK_OK);
}

static void
restart(void)
{
	const struct collateral_options none = { .sim = false };
	restart_with(&none);
}

static int
each(void **state)
{
	(void)state;
	clear_dir();
	memset(&why, 0, sizeof(why));
	now_s = NOW;
	bed_start(&bed);
	restart();
	return 0;
}

static int
each_after(void **state)
{
	(void)state;
	collateral_free(svc);
	svc = NULL;
	bed_stop(&bed);
	return 0;
}

/* Ask; the document's info, if there is one. */
static enum dstack_status
ask(const char *fmspc, const char *ca, struct dcap_collateral_info *info)
{
	AUTO_WR struct wr w = wr_new(0);
	struct dcap_collateral *c = NULL;
	enum dcap_code code;

	memset(&why, 0, sizeof(why));
	memset(info, 0, sizeof(*info));
	enum dstack_status st =
	    collateral_get(svc, DCAP_TEE_TDX, fmspc, ca, &w, &why);
	if (st != DSTACK_OK) {
		assert_int_equal(w.len, 0);
		assert_true(why.text[0] != '\0');
		return st;
	}
	assert_int_equal(
	    dcap_collateral_load(w.buf, w.len, &c, &code, &why), DSTACK_OK);
	dcap_collateral_describe(c, info);
	dcap_collateral_free(c);
	return DSTACK_OK;
}

static struct dcap_collateral_info
good(void)
{
	struct dcap_collateral_info i;
	if (ask(FMSPC, "platform", &i) != DSTACK_OK)
		fail_msg("%s", why.text);
	return i;
}

static void
refused_with(const char *words)
{
	struct dcap_collateral_info i;
	assert_int_not_equal(ask(FMSPC, "platform", &i), DSTACK_OK);
	if (strstr(why.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", why.text, words);
}

static void
answers_become_one_document_that_the_verifier_takes(void **state)
{
	struct dcap_collateral_info i = good();
	(void)state;
	assert_int_equal(i.tee, DCAP_TEE_TDX);
	assert_int_equal(i.tcb_eval, 20);
	assert_int_equal(i.pck_crl_number, 7);
	assert_int_equal(bed.requests, 4);
	/* and is not fetched again */
	(void)good();
	assert_int_equal(bed.requests, 4);
}

static void
lists_are_taken_as_der_pem_and_hex(void **state)
{
	(void)state;
	for (int form = BED_DER; form <= BED_PEM; form++) {
		clear_dir();
		bed.form = (enum bed_form)form;
		bed.pccs = form == BED_HEX;
		restart();
		assert_int_equal(good().root_crl_number, 7);
	}
}

static void
models_cas_and_tees_are_kept_apart(void **state)
{
	struct dcap_collateral_info i;
	AUTO_WR struct wr w = wr_new(0);
	(void)state;
	(void)good();
	assert_int_equal(ask(OTHER, "platform", &i), DSTACK_OK);
	assert_int_equal(i.fmspc[0], 0x90);
	assert_int_equal(ask(FMSPC, "processor", &i), DSTACK_OK);
	assert_int_equal(collateral_get(svc, DCAP_TEE_SGX, FMSPC, "platform",
	                     &w, &why),
	    DSTACK_OK);
	assert_int_equal(bed.requests, 16);
	assert_int_equal(good().fmspc[0], 0x00);
	bed_stop(&bed);
	restart();
	assert_int_equal(good().fmspc[0], 0x00);
	assert_int_equal(ask(OTHER, "platform", &i), DSTACK_OK);
	assert_int_equal(i.fmspc[0], 0x90);
}

static void
a_restart_without_the_service_serves_what_is_cached(void **state)
{
	(void)state;
	(void)good();
	bed_stop(&bed);
	restart();
	(void)good();
	now_s += 20 * DAY; /* still valid; renewal fails and nothing is lost */
	assert_true(collateral_renew(svc) < 3600 * 1000);
	(void)good();
	now_s += 15 * DAY;
	refused_with("what is cached has ended");
}

static void
what_is_cached_is_renewed_long_before_it_ends(void **state)
{
	(void)state;
	assert_int_equal(good().tcb_issued, NOW);
	assert_true(collateral_renew(svc) > 0);
	assert_int_equal(bed.requests, 4);
	now_s += 7 * 3600;
	bed.made = now_s;
	(void)collateral_renew(svc);
	assert_int_equal(bed.requests, 8);
	assert_int_equal(good().tcb_issued, NOW + 7 * 3600);
	/* near its end more often than every six hours */
	bed.made = NOW - 29 * DAY + 9 * 3600;
	clear_dir();
	restart();
	now_s = NOW;
	(void)good();
	unsigned before = bed.requests;
	now_s += 3600;
	assert_in_range(collateral_renew(svc), 1000, 3600 * 1000);
	assert_int_equal(bed.requests, before);
	now_s += 90 * 60; /* 9 hours were left, a quarter is over */
	(void)collateral_renew(svc);
	assert_int_equal(bed.requests, before + 4);
}

static void
an_unchanged_answer_is_asked_for_by_its_etag(void **state)
{
	(void)state;
	bed.etags = true;
	(void)good();
	assert_int_equal(bed.requests, 4);
	restart(); /* the ETags are on disk */
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	assert_int_equal(bed.requests, 4);
	assert_int_equal(bed.unchanged, 4);
	assert_int_equal(good().tcb_eval, 20);
	bed.version = 2;
	bed.eval = 21;
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	assert_int_equal(bed.requests, 8);
	assert_int_equal(good().tcb_eval, 21);
	/* another service is not asked about this one's ETags */
	struct pcs_bed second;
	bed_start(&second);
	second.etags = true;
	second.version = 2;
	second.eval = 22;
	const struct collateral_options o = { .url = second.url };
	restart_with(&o);
	(void)collateral_renew(svc);
	assert_int_equal(second.unchanged, 0);
	assert_int_equal(good().tcb_eval, 22);
	bed_stop(&second);
}

static void
an_unchanged_answer_is_asked_for_by_its_date(void **state)
{
	(void)state;
	bed.dates = true;
	(void)good();
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	assert_int_equal(bed.requests, 4);
	assert_int_equal(bed.unchanged, 4);
	now_s += 7 * 3600; /* what was unchanged keeps its date */
	(void)collateral_renew(svc);
	assert_int_equal(bed.unchanged, 8);
}

static const struct {
	enum bed_fault fault;
	const char *words;
} faults[] = {
	{ BED_NO_HEADER, "no header TCB-Info-Issuer-Chain" },
	{ BED_CUT_CHAIN, "issuer_chain: certificate" },
	{ BED_NOT_ENCODED, "not percent-encoded" },
	{ BED_ERROR, "HTTP 500; check PCCS_URL" },
	{ BED_GARBAGE, "the answer is malformed" },
	{ BED_HUGE, "more than" },
	{ BED_FLIPPED, "its signature is wrong" },
	{ BED_OTHER_PCK_ROOT, "do not end in the trusted root" },
	{ BED_OTHER_TCB_ROOT, "do not end in the trusted root" },
	{ BED_OTHER_QE_ROOT, "do not end in the trusted root" },
	{ BED_OTHER_TCB_TEE, "of the other TEE" },
	{ BED_OTHER_QE_TEE, "of the other TEE" },
	{ BED_OTHER_MODEL, "of another FMSPC" },
	{ BED_OTHER_CA, "PCK CRL is not of the Platform CA" },
};

static void
a_bad_answer_is_refused_with_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		clear_dir();
		restart();
		bed.fault = faults[i].fault;
		refused_with(faults[i].words);
		bed.fault = BED_GOOD;
		now_s += 10;
		(void)good();
	}
}

static void
a_bad_answer_takes_no_good_one_away(void **state)
{
	(void)state;
	(void)good();
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		bed.fault = faults[i].fault;
		bed.eval = 21;
		now_s += 7 * 3600;
		(void)collateral_renew(svc);
		assert_int_equal(good().tcb_eval, 20);
	}
	restart(); /* neither in memory nor on disk */
	assert_int_equal(good().tcb_eval, 20);
	bed.fault = BED_GOOD;
	now_s += 3600;
	(void)collateral_renew(svc);
	assert_int_equal(good().tcb_eval, 21);
}

static void
an_older_answer_does_not_replace_a_newer_one(void **state)
{
	(void)state;
	bed.made = NOW - DAY;
	(void)good();
	bed.eval = 19;
	bed.qe_eval = 21; /* this part is newer, and taken */
	bed.crl = 6;
	bed.root_crl = 8;
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	struct dcap_collateral_info i = good();
	assert_int_equal(i.tcb_eval, 20);
	assert_int_equal(i.qe_eval, 21);
	assert_int_equal(i.pck_crl_number, 7);
	assert_int_equal(i.root_crl_number, 8);
	bed.eval = 20;
	bed.made -= 1;
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	i = good();
	assert_int_equal(i.tcb_issued, NOW - DAY);
	assert_int_equal(i.qe_issued, NOW - DAY);
	bed.qe_eval = 20;
	bed.root_crl = 7;
	bed.made = NOW;
	restart();
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	i = good();
	assert_int_equal(i.tcb_issued, NOW);
	assert_int_equal(i.qe_eval, 21);
	assert_int_equal(i.root_crl_number, 8);
}

static void
an_expired_answer_is_refused(void **state)
{
	(void)state;
	bed.made = NOW - 31 * DAY;
	refused_with("is this machine's clock right?");
	bed.made = NOW - 28 * DAY;
	now_s += 10;
	(void)good();
	bed.eval = 21; /* newer, but its list has ended */
	bed.made = NOW - 31 * DAY;
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	assert_int_equal(good().tcb_eval, 20);
}

static void
a_silent_service_costs_no_more_than_the_timeout(void **state)
{
	const struct collateral_options o = { .timeout_ms = 100 };
	struct timespec a, b;
	(void)state;
	restart_with(&o);
	bed.fault = BED_SILENT;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	refused_with("imeout");
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 +
	        (b.tv_nsec - a.tv_nsec) / 1000000 < 1500);
}

static void
a_dead_service_is_asked_less_and_less_often(void **state)
{
	const struct collateral_options o = {
		.retry_ms = 1000, .retry_max_ms = 3000 };
	(void)state;
	restart_with(&o);
	bed.fault = BED_ERROR;
	refused_with("HTTP 500");
	refused_with("HTTP 500"); /* from memory */
	assert_int_equal(bed.requests, 1);
	now_s += 1; /* 0.75 to 1 s later it may be asked */
	refused_with("HTTP 500");
	assert_int_equal(bed.requests, 2);
	now_s += 1; /* now 1.5 to 2 s */
	refused_with("HTTP 500");
	assert_int_equal(bed.requests, 2);
	now_s += 1;
	refused_with("HTTP 500");
	assert_int_equal(bed.requests, 3);
	for (int i = 0; i < 4; i++) {
		now_s += 3; /* never more than the most */
		refused_with("HTTP 500");
		assert_int_equal(bed.requests, 4 + i);
	}
	now_s -= 30 * DAY; /* a clock turned back stops nothing */
	bed.made = now_s;
	bed.fault = BED_GOOD;
	(void)good();
}

static void
damaged_cache_files_are_fetched_again(void **state)
{
	char path[160];
	(void)state;
	(void)snprintf(path, sizeof(path),
	    "%s/collateral-tdx-" FMSPC "-platform-standard.json", dir);
	for (int how = 0; how < 4; how++) {
		struct stat sb;
		now_s += 3600;
		bed.requests = 0;
		clear_dir();
		restart();
		(void)good();
		assert_int_equal(bed.requests, 4);
		assert_int_equal(stat(path, &sb), 0);
		FILE *f = fopen(path, "r+");
		assert_non_null(f);
		if (how == 0) {
			(void)fseek(f, sb.st_size / 2, SEEK_SET);
			(void)fputc('~', f);
		} else if (how == 3) { /* what no signature is over */
			char text[200];
			size_t n = fread(text, 1, sizeof(text) - 1, f);
			text[n] = '\0';
			const char *at = strstr(text, "\"checked\":");
			assert_non_null(at);
			(void)fseek(f, at - text + 10, SEEK_SET);
			(void)fputc(at[10] == '1' ? '2' : '1', f);
		} else if (how == 1) {
			assert_int_equal(
			    ftruncate(fileno(f), sb.st_size - 9), 0);
		} else {
			assert_int_equal(ftruncate(fileno(f), 0), 0);
		}
		(void)fclose(f);
		restart();
		(void)good();
		assert_int_equal(bed.requests, 8);
		restart();
		(void)good();
		assert_int_equal(bed.requests, 8);
	}
}

static void
a_cache_file_under_another_root_is_not_used(void **state)
{
	uint8_t mine[64];
	(void)state;
	(void)good();
	memcpy(mine, root, 64);
	sim_root("other", root);
	bed_stop(&bed);
	restart();
	refused_with("TCB info: http://127.0.0.1");
	memcpy(root, mine, 64);
}

static void
early_updates_are_asked_for_by_name_and_cached_apart(void **state)
{
	char base[96];
	(void)state;
	(void)good();
	(void)snprintf(base, sizeof(base), "%s/sgx/certification/v4/", bed.url);
	const struct collateral_options o = { .early = true, .url = base };
	restart_with(&o);
	bed.eval = 21;
	assert_int_equal(good().tcb_eval, 21);
	assert_int_equal(bed.requests, 8);
	bed.fault = BED_ERROR;
	now_s += 7 * 3600;
	(void)collateral_renew(svc);
	assert_non_null(strstr(bed.last,
	    "GET /tdx/certification/v4/tcb?fmspc=" FMSPC "&update=early "));
	restart();
	assert_int_equal(good().tcb_eval, 20);
}

static void
the_thread_renews_by_itself(void **state)
{
	struct collateral_options o = { .background = true };
	(void)state;
	(void)good();
	now_s += 7 * 3600;
	bed.eval = 21;
	restart_with(&o);
	for (int i = 0; i < 200 && good().tcb_eval != 21; i++)
		(void)usleep(10000);
	assert_int_equal(good().tcb_eval, 21);
	/* and ends soon though the service says nothing */
	o.timeout_ms = 20000;
	bed.fault = BED_SILENT;
	now_s += 7 * 3600;
	restart_with(&o);
	struct timespec a, b;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	restart();
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec <= 3);
}

static void
the_simulator_makes_its_own(void **state)
{
	const struct collateral_options o = { .sim = true, .url = "" };
	struct dcap_collateral_info i;
	(void)state;
	restart_with(&o);
	assert_int_equal(good().tcb_eval, SIM_TCB_EVAL);
	assert_int_equal(bed.requests, 0);
	assert_int_equal(
	    ask("../../x/y/z0", "platform", &i), DSTACK_E_FORMAT);
	assert_int_equal(ask(FMSPC, "else", &i), DSTACK_E_FORMAT);
}

static int
setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	log_name("test");
	sim_root(SIM_KEY_ROOT, root);
	(void)snprintf(dir, sizeof(dir), "build/test-coll-%d", (int)getpid());
	return mkdir(dir, 0700);
}

static int
teardown(void **state)
{
	(void)state;
	clear_dir();
	return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each, each_after)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_become_one_document_that_the_verifier_takes),
		TEST(lists_are_taken_as_der_pem_and_hex),
		TEST(models_cas_and_tees_are_kept_apart),
		TEST(a_restart_without_the_service_serves_what_is_cached),
		TEST(what_is_cached_is_renewed_long_before_it_ends),
		TEST(an_unchanged_answer_is_asked_for_by_its_etag),
		TEST(an_unchanged_answer_is_asked_for_by_its_date),
		TEST(a_bad_answer_is_refused_with_a_line),
		TEST(a_bad_answer_takes_no_good_one_away),
		TEST(an_older_answer_does_not_replace_a_newer_one),
		TEST(an_expired_answer_is_refused),
		TEST(a_silent_service_costs_no_more_than_the_timeout),
		TEST(a_dead_service_is_asked_less_and_less_often),
		TEST(damaged_cache_files_are_fetched_again),
		TEST(a_cache_file_under_another_root_is_not_used),
		TEST(early_updates_are_asked_for_by_name_and_cached_apart),
		TEST(the_thread_renews_by_itself),
		TEST(the_simulator_makes_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
