/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/tee/tdx.h"
#include "tests/unit/guest/tee/tee_bed.h"

static enum ipc_status
quote(struct tee_state *s, enum role from, uint8_t op)
{
	static const uint8_t digest[32] = { 5 };
	AUTO_WR struct wr out = wr_new(0);
	return ask(s, from, op, digest, 32, &out);
}

static enum ipc_status
app_quote(struct tee_state *s, enum role from)
{
	static const uint8_t req[32 + 4 + 2] = { [35] = 2 };
	AUTO_WR struct wr out = wr_new(0);
	return ask(s, from, TEE_QUOTE_APP, req, sizeof(req), &out);
}

static void
rtmr3_at_join_ready_is_what_a_verifier_expects(void **state)
{
	(void)state;
	struct tee_state s;
	uint8_t cfg[48];
	uint8_t want[48];
	memset(cfg, 0xcc, sizeof(cfg));
	to_ready(&s);
	event_join_rtmr3(cfg, want);
	assert_memory_equal(fake.rtmr[3], want, 48);
	assert_memory_equal(s.rtmr3, want, 48);
}

static void
events_come_only_in_order(void **state)
{
	(void)state;
	struct tee_state s;
	begin(&s);
	assert_int_equal(event(&s, ROLE_INIT, "join-ready", 0), IPC_LATER);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 72), IPC_LATER);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_YES);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_LATER);
	assert_int_equal(event(&s, ROLE_INIT, "join-ready", 0), IPC_YES);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 72), IPC_LATER);
	assert_memory_equal(s.rtmr3, fake.rtmr[3], 48);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28),
	    IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 72), IPC_YES);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app-start", 0), IPC_YES);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 72), IPC_YES);
}

static void
a_role_extends_only_its_own_events(void **state)
{
	(void)state;
	struct tee_state s;
	begin(&s);
	for (int r = 0; r < ROLE_COUNT; r++)
		if (r != ROLE_INIT)
			assert_int_equal(event(&s, (enum role)r, "netcfg", 48),
			    IPC_REFUSED);
	to_ready(&s);
	for (int r = 0; r < ROLE_COUNT; r++)
		if (r != ROLE_REPLICATOOR)
			assert_int_equal(event(&s, (enum role)r, "joined", 28),
			    IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	assert_int_equal(event(&s, ROLE_INIT, "app", 72), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "other", 0), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 71), IPC_REFUSED);
}

static void
netcfg_must_be_the_measured_one(void **state)
{
	(void)state;
	struct tee_state s;
	begin(&s);
	s.mrconfigid[47] ^= 1;
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
	assert_int_equal(s.phase, TEE_BOOT);
}

static void
replication_quotes_are_given_only_between_join_ready_and_joined(void **state)
{
	(void)state;
	struct tee_state s;
	begin(&s);
	assert_int_equal(quote(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER),
	    IPC_LATER);
	to_ready(&s);
	assert_int_equal(quote(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER),
	    IPC_YES);
	assert_int_equal(quote(&s, ROLE_REPLICATOOR, TEE_QUOTE_BOOTSTRAP),
	    IPC_YES);
	assert_int_equal(app_quote(&s, ROLE_GUEST_SERVICE), IPC_LATER);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	assert_int_equal(quote(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER),
	    IPC_REFUSED);
	assert_int_equal(quote(&s, ROLE_REPLICATOOR, TEE_QUOTE_BOOTSTRAP),
	    IPC_REFUSED);
	assert_int_equal(app_quote(&s, ROLE_GUEST_SERVICE), IPC_YES);
}

static void
no_other_role_gets_a_quote(void **state)
{
	(void)state;
	struct tee_state s;
	to_ready(&s);
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (r != ROLE_REPLICATOOR) {
			assert_int_equal(quote(&s, (enum role)r,
			    TEE_QUOTE_REGISTER), IPC_REFUSED);
			assert_int_equal(quote(&s, (enum role)r,
			    TEE_QUOTE_BOOTSTRAP), IPC_REFUSED);
		}
		if (r != ROLE_GUEST_SERVICE)
			assert_int_equal(app_quote(&s, (enum role)r),
			    IPC_REFUSED);
	}
	for (int op = 0; op < 256; op++)
		if (op == 0 || op > TEE_INFO || op == TEE_QUOTE_RAW)
			assert_int_equal(quote(&s, ROLE_REPLICATOOR,
			    (uint8_t)op), IPC_REFUSED);
}

static void
the_role_puts_the_purpose_into_report_data(void **state)
{
	(void)state;
	struct tee_state s;
	uint8_t digest[32] = { 5 };
	uint8_t want[64];
	to_ready(&s);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr b = wr_new(0);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER, digest,
	    32, &a), IPC_YES);
	stmt_report_register(digest, want);
	assert_memory_equal(a.buf + 4, want, 64);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_BOOTSTRAP, digest,
	    32, &b), IPC_YES);
	stmt_report_bootstrap(digest, want);
	assert_memory_equal(b.buf + 4, want, 64);
	assert_memory_not_equal(a.buf, b.buf, 68);
}

static void
requests_of_another_length_are_refused(void **state)
{
	(void)state;
	struct tee_state s;
	static const uint8_t long_one[33] = { 0 };
	to_ready(&s);
	AUTO_WR struct wr out = wr_new(0);
	for (size_t n = 0; n <= 33; n++)
		assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER,
		    long_one, n, &out), n == 32 ? IPC_YES : IPC_REFUSED);
	assert_int_equal(ask(&s, ROLE_INIT, TEE_REPORT, long_one, 1, &out),
	    IPC_REFUSED);
	out.len = 0;
	assert_int_equal(ask(&s, ROLE_INIT, TEE_REPORT, long_one, 0, &out),
	    IPC_YES);
	assert_int_equal(out.len, TEE_REPORT_LEN);
}

static void
a_vm_where_something_ran_before_is_refused(void **state)
{
	(void)state;
	struct tee_state s;
	struct why why = { "" };
	uint8_t d[37] = { 0 };
	AUTO_WR struct wr out = wr_new(0);
	begin(&s);
	fake.rtmr[3][20] = 1;
	assert_int_equal(tee_begin(&s, &driver, &why), DSTACK_OK);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_INIT, "join-ready", 0), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_REFUSED);
	assert_int_equal(
	    event(&s, ROLE_KUBERNETHES, "app-start", 0), IPC_REFUSED);
	assert_int_not_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER, d,
	    32, &out), IPC_YES);
	assert_int_not_equal(ask(&s, ROLE_GUEST_SERVICE, TEE_QUOTE_APP, d,
	    36, &out), IPC_YES);
}

/* init started tee anew in a guest that has joined: apps go on, no more. */
static void
a_role_that_starts_anew_goes_on_where_the_other_was(void **state)
{
	(void)state;
	struct tee_state s;
	struct why why = { "" };
	uint8_t d[37] = { 0 };
	AUTO_WR struct wr out = wr_new(0);
	begin(&s);
	/* not at a boot: who says so there would skip its events */
	assert_int_equal(tee_resume(&s, true, &why), DSTACK_E_REJECTED);
	assert_int_equal(tee_resume(&s, false, &why), DSTACK_E_REJECTED);
	fake.rtmr[3][20] = 1;
	assert_int_equal(tee_begin(&s, &driver, &why), DSTACK_OK);
	assert_int_equal(tee_resume(&s, true, &why), DSTACK_OK);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app-start", 0), IPC_YES);
	assert_int_equal(ask(&s, ROLE_GUEST_SERVICE, TEE_QUOTE_APP, d, 36,
	    &out), IPC_YES);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_REGISTER, d, 32,
	    &out), IPC_REFUSED);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
	assert_int_equal(tee_resume(&s, true, &why), DSTACK_E_REJECTED);
	/* a role, init among them, cannot have it answered */
	assert_int_equal(
	    ask(&s, ROLE_KUBERNETHES, TEE_RESUME, d, 0, &out), IPC_REFUSED);
	/* a secret waits for the chain: its quote may have to be made again */
	assert_int_equal(tee_begin(&s, &driver, &why), DSTACK_OK);
	assert_int_equal(tee_resume(&s, false, &why), DSTACK_OK);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_BOOTSTRAP, d, 32,
	    &out), IPC_YES);
	assert_int_equal(ask(&s, ROLE_GUEST_SERVICE, TEE_QUOTE_APP, d, 36,
	    &out), IPC_LATER);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_QUOTE_BOOTSTRAP, d, 32,
	    &out), IPC_REFUSED);
}

/* A replicatoor that ended behind "joined" has a successor, who tells again. */
static void
the_same_joining_told_twice_is_one_event(void **state)
{
	(void)state;
	struct tee_state s;
	uint8_t before[48];
	AUTO_WR struct wr one = wr_new(0), other = wr_new(0), out = wr_new(0);
	wr_text(&one, "joined");
	wr_blob(&one, "the network's epoch and key.", 28);
	begin(&s);
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_YES);
	assert_int_equal(event(&s, ROLE_INIT, "join-ready", 0), IPC_YES);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_EXTEND, one.buf,
		    one.len, &out), IPC_YES);
		if (i == 0)
			memcpy(before, fake.rtmr[3], 48);
		assert_memory_equal(before, fake.rtmr[3], 48);
		assert_memory_equal(out.buf + out.len - 48, before, 48);
	}
	/* another is another, and comes too late */
	wr_text(&other, "joined");
	wr_blob(&other, "another network, 28 bytes...", 28);
	assert_int_equal(ask(&s, ROLE_REPLICATOOR, TEE_EXTEND, other.buf,
	    other.len, &out), IPC_REFUSED);
	assert_memory_equal(before, fake.rtmr[3], 48);
}

static void
a_device_that_extends_to_another_value_is_refused(void **state)
{
	(void)state;
	struct tee_state s;
	begin(&s);
	fake_lies = true;
	assert_int_equal(event(&s, ROLE_INIT, "netcfg", 48), IPC_REFUSED);
}

static void
the_tdx_driver_refuses_clearly_where_the_device_is_absent(void **state)
{
	(void)state;
	struct tee_report r;
	struct why why = { "" };
	uint8_t d[64] = { 0 };
	AUTO_WR struct wr out = wr_new(0);
	if (access(tdx_paths.device, F_OK) == 0)
		skip();
	assert_int_equal(tee_driver_tdx.report(&r, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "TDX guest"));
	assert_int_equal(tee_driver_tdx.extend(d, d, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "6.16"));
	assert_int_equal(tee_driver_tdx.quote(d, &out, &why),
	    DSTACK_E_MISSING);
	assert_int_equal(out.len, 0);
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The driver takes an entry that is there, so plain files can play one. */
static void
quotes_come_from_configfs_only_if_tdx_provides_them(void **state)
{
	(void)state;
	char dir[] = "/tmp/tsm.XXXXXX";
	char entry[32];
	const struct tdx_paths p = { .device = "none", .rtmr3 = "rtmr3",
		.tsm = "." };
	const struct tdx_paths none = { .tsm = "./nothing" };
	struct why why = { "" };
	uint8_t rd[64];
	uint8_t rtmr3[48];
	memset(rd, 'r', sizeof(rd));
	AUTO_WR struct wr out = wr_new(0);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(tdx_tsm_quote(&none, rd, &out, &why),
	    DSTACK_E_MISSING);
	(void)snprintf(entry, sizeof(entry), "dstack-%ld", (long)getpid());
	assert_int_equal(mkdir(entry, 0700), 0);
	assert_int_equal(chdir(entry), 0);
	put_file("inblob", "");
	put_file("generation", "1\n");
	put_file("outblob", "a quote");
	put_file("provider", "sev_guest\n");
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(tdx_tsm_quote(&p, rd, &out, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "sev_guest"));
	assert_int_equal(chdir(entry), 0);
	put_file("provider", "tdx_guest\n");
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(tdx_tsm_quote(&p, rd, &out, &why), DSTACK_OK);
	assert_int_equal(out.len, 7);
	assert_memory_equal(out.buf, "a quote", 7);
	assert_int_equal(chdir(entry), 0);
	put_file("outblob", "");
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(tdx_tsm_quote(&p, rd, &out, &why), DSTACK_E_SYS);
	/* a register that reads as other than 48 bytes is none */
	put_file("rtmr3", "");
	assert_int_equal(tdx_extend(&p, rd, rtmr3, &why), DSTACK_OK);
	assert_memory_equal(rtmr3, rd, 48);
	put_file("rtmr3",
	    "0123456789012345678901234567890123456789012345678");
	assert_int_equal(tdx_extend(&p, rd, rtmr3, &why), DSTACK_E_FORMAT);
	assert_int_equal(unlink("rtmr3"), 0);
	assert_int_equal(chdir(entry), 0);
	assert_int_equal(unlink("inblob") | unlink("generation") |
	    unlink("outblob") | unlink("provider"), 0);
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(rmdir(entry), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
a_tdreport_whose_own_hash_does_not_fit_is_refused(void **state)
{
	(void)state;
	uint8_t raw[TDREPORT_LEN];
	struct tee_report r;
	struct why why = { "" };
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 7);
	assert_int_equal(tdx_report_parse(raw, &r, &why), DSTACK_E_FORMAT);
	sha384(raw + 512, 512, raw + 80);
	assert_int_equal(tdx_report_parse(raw, &r, &why), DSTACK_OK);
	assert_memory_equal(r.mrtd, raw + 528, 48);
	assert_memory_equal(r.mrconfigid, raw + 576, 48);
	assert_memory_equal(r.rtmr[0], raw + 720, 48);
	assert_memory_equal(r.rtmr[3], raw + 864, 48);
	raw[1023] ^= 1;
	assert_int_equal(tdx_report_parse(raw, &r, &why), DSTACK_E_FORMAT);
}

static void
qgs_answers_are_bounded_and_exact(void **state)
{
	(void)state;
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	wr_u16le(&w, 1);
	wr_u16le(&w, 0);
	wr_u32le(&w, 1);
	wr_u32le(&w, 16 + 8 + 2 + 3);
	wr_u32le(&w, 0);
	wr_u32le(&w, 2);
	wr_u32le(&w, 3);
	wr_str(&w, "idabc");
	for (size_t n = 0; n < w.len; n++)
		assert_int_not_equal(qgs_answer(w.buf, n, &out, &why),
		    DSTACK_OK);
	assert_int_equal(out.len, 0);
	assert_int_equal(qgs_answer(w.buf, w.len, &out, &why), DSTACK_OK);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.buf, "abc", 3);
	w.buf[12] = 5; /* error */
	assert_int_equal(qgs_answer(w.buf, w.len, &out, &why),
	    DSTACK_E_MISSING);
	w.buf[12] = 0;
	w.buf[16] = 0xff; /* id longer than the message */
	w.buf[19] = 0xff;
	assert_int_equal(qgs_answer(w.buf, w.len, &out, &why),
	    DSTACK_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    rtmr3_at_join_ready_is_what_a_verifier_expects),
		cmocka_unit_test(events_come_only_in_order),
		cmocka_unit_test(a_role_extends_only_its_own_events),
		cmocka_unit_test(netcfg_must_be_the_measured_one),
		cmocka_unit_test(
		    replication_quotes_are_given_only_between_join_ready_and_joined),
		cmocka_unit_test(no_other_role_gets_a_quote),
		cmocka_unit_test(the_role_puts_the_purpose_into_report_data),
		cmocka_unit_test(requests_of_another_length_are_refused),
		cmocka_unit_test(a_vm_where_something_ran_before_is_refused),
		cmocka_unit_test(
		    a_role_that_starts_anew_goes_on_where_the_other_was),
		cmocka_unit_test(the_same_joining_told_twice_is_one_event),
		cmocka_unit_test(
		    a_device_that_extends_to_another_value_is_refused),
		cmocka_unit_test(
		    the_tdx_driver_refuses_clearly_where_the_device_is_absent),
		cmocka_unit_test(
		    quotes_come_from_configfs_only_if_tdx_provides_them),
		cmocka_unit_test(
		    a_tdreport_whose_own_hash_does_not_fit_is_refused),
		cmocka_unit_test(qgs_answers_are_bounded_and_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
