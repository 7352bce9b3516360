/* SPDX-License-Identifier: Apache-2.0 */
/* What an authentic quote's status comes to, and what policy makes of it. */
#include <stdio.h>

#include "base/hex.h"
#include "tests/unit/lib/dcap/dcap_sim.h"

static const uint64_t xfam_linux = DCAP_XFAM_LINUX;

struct converge {
	const char *platform, *component;
	enum dcap_tcb_status want;
};

static void
component_out_of_date_lowers_the_platform(void **state)
{
	(void)state;
	static const struct converge rule[] = {
		{ "UpToDate", "UpToDate", DCAP_TCB_UP_TO_DATE },
		{ "UpToDate", "OutOfDate", DCAP_TCB_OUT_OF_DATE },
		{ "SWHardeningNeeded", "UpToDate",
		    DCAP_TCB_SW_HARDENING_NEEDED },
		{ "SWHardeningNeeded", "OutOfDate", DCAP_TCB_OUT_OF_DATE },
		{ "ConfigurationNeeded", "UpToDate",
		    DCAP_TCB_CONFIGURATION_NEEDED },
		{ "ConfigurationNeeded", "OutOfDate",
		    DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "ConfigurationAndSWHardeningNeeded", "UpToDate",
		    DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED },
		{ "ConfigurationAndSWHardeningNeeded", "OutOfDate",
		    DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "OutOfDate", "UpToDate", DCAP_TCB_OUT_OF_DATE },
		{ "OutOfDate", "OutOfDate", DCAP_TCB_OUT_OF_DATE },
		{ "OutOfDateConfigurationNeeded", "OutOfDate",
		    DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "Revoked", "UpToDate", DCAP_TCB_REVOKED_STATUS },
		{ "Revoked", "OutOfDate", DCAP_TCB_REVOKED_STATUS },
		{ "OutOfDate", "Revoked", DCAP_TCB_REVOKED_STATUS },
	};
	for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		for (int module = 0; module < 2; module++) {
			struct sim_world *w = world_new(TDX4);
			struct dcap_verdict v;
			w->tcb.level[0].status = rule[i].platform;
			if (module)
				w->tcb.module[0].level[0].status =
				    rule[i].component;
			else
				w->qe_identity.level[0].status =
				    rule[i].component;
			enum dcap_code code = judge_world(w, &v);
			assert_int_equal(v.tcb_status, rule[i].want);
			assert_int_equal(code,
			    rule[i].want == DCAP_TCB_REVOKED_STATUS
				? DCAP_TCB_REVOKED
				: DCAP_OK);
			free(w);
		}
	}
}

static void
td_by_an_old_module_on_a_new_one_is_told_to_relaunch(void **state)
{
	(void)state;
	static const struct {
		const char *platform;
		uint8_t launch, now; /* module SVN: 5 new, 2 old */
		enum dcap_tcb_status want;
	} rule[] = {
		{ "UpToDate", 5, 5, DCAP_TCB_UP_TO_DATE },
		{ "UpToDate", 2, 5, DCAP_TCB_TD_RELAUNCH_ADVISED },
		{ "UpToDate", 2, 2, DCAP_TCB_OUT_OF_DATE },
		{ "UpToDate", 5, 2, DCAP_TCB_OUT_OF_DATE },
		{ "SWHardeningNeeded", 2, 5, DCAP_TCB_TD_RELAUNCH_ADVISED },
		{ "ConfigurationNeeded", 2, 5,
		    DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED },
		{ "ConfigurationAndSWHardeningNeeded", 2, 5,
		    DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED },
		{ "ConfigurationNeeded", 5, 5, DCAP_TCB_CONFIGURATION_NEEDED },
		{ "OutOfDate", 2, 5, DCAP_TCB_OUT_OF_DATE },
	};
	for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		struct sim_world *w = world_new(TDX15);
		struct dcap_verdict v;
		w->tcb.level[0].status = rule[i].platform;
		w->tcb.module[0].level[1].advisory[0] = "INTEL-SA-00001";
		w->quote.td.tee_tcb_svn[0] = rule[i].launch;
		w->quote.td.tee_tcb_svn2[0] = rule[i].now;
		assert_int_equal(judge_world(w, &v), DCAP_OK);
		assert_int_equal(v.tcb_status, rule[i].want);
		bool old = rule[i].launch == 2 || rule[i].now == 2;
		assert_int_equal(v.advisories, old ? 1 : 0);
		assert_string_equal(v.tcb_date,
		    old ? "2024-01-01T00:00:00Z" : SIM_TCB_DATE);
		assert_int_equal(
		    (v.policy_flags & DCAP_FLAG_TEE_TCB_SVN2_DIFFERS) != 0,
		    rule[i].launch != rule[i].now);
		free(w);
	}
}

static void
the_first_level_in_document_order_wins(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	struct dcap_verdict v;
	w->pck.sgx.svn[3] = 1; /* below the first level in one component */
	assert_int_equal(judge_world(w, &v), DCAP_OK);
	assert_int_equal(v.platform_status, DCAP_TCB_OUT_OF_DATE);
	assert_int_equal(v.advisories, 1);
	assert_string_equal(v.advisory[0], "INTEL-SA-99999");
	w->tcb.level[1].status = "UpToDate";
	assert_int_equal(judge_world(w, &v), DCAP_OK);
	assert_int_equal(v.tcb_status, DCAP_TCB_UP_TO_DATE);
	free(w);
}

static void
module_of_version_0_is_judged_by_the_components(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	struct dcap_verdict v;
	w->quote.td.tee_tcb_svn[1] = 0;
	assert_int_equal(judge_world(w, &v), DCAP_OK);
	assert_int_equal(v.module_status, DCAP_TCB_NONE);
	assert_string_equal(v.module_id, "");
	w->quote.td.tee_tcb_svn[0] = 3;
	assert_int_equal(judge_world(w, &v), DCAP_OK);
	assert_int_equal(v.tcb_status, DCAP_TCB_OUT_OF_DATE);
	free(w);
}

static void
processor_ca_quotes_verify_too(void **state)
{
	(void)state;
	struct sim_world *w = calloc(1, sizeof(*w));
	struct dcap_verdict v;
	sim_world_init(w, "two", SIM_CA_PROCESSOR, NOW);
	assert_int_equal(judge_world(w, &v), DCAP_OK);
	assert_false(v.platform_ca);
	free(w);
}

static void
all_64_bytes_of_report_data_are_compared(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr quote = wr_new(0);
	struct sim_collateral s;
	struct dcap_collateral *c = NULL;
	struct dcap_verdict v;
	uint8_t root[64], rd[64];
	for (int i = 0; i < 64; i++)
		w->quote.td.reportdata[i] = rd[i] = (uint8_t)(i + 1);
	sim_root(SIM_KEY_ROOT, root);
	assert_int_equal(sim_world_quote(w, &quote), DSTACK_OK);
	assert_int_equal(sim_collateral_make(w, &s), DSTACK_OK);
	assert_int_equal(load_parts(&s, &c), DCAP_OK);
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c, NOW, root,
	    rd, &v), DSTACK_OK);
	for (int i = 0; i < 64; i++) {
		rd[i] ^= 0x80;
		assert_int_equal(dcap_authenticate(quote.buf, quote.len, c,
		    NOW, root, rd, &v), DSTACK_E_REJECTED);
		assert_int_equal(v.code, DCAP_REPORT_DATA_MISMATCH);
		rd[i] ^= 0x80;
	}
	struct dcap_collateral_info info;
	dcap_collateral_describe(c, &info);
	assert_memory_equal(info.root_key, root, 64);
	assert_true(info.not_before == NOW - DAY);
	assert_true(info.not_after == NOW + 29 * DAY);
	assert_int_equal(info.tcb_eval, SIM_TCB_EVAL);
	assert_int_equal(info.tee, DCAP_TEE_TDX);
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c,
	    info.not_after, root, NULL, &v), DSTACK_OK);
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c,
	    info.not_after + 1, root, NULL, &v), DSTACK_E_REJECTED);
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c,
	    info.not_before, root, NULL, &v), DSTACK_OK);
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c,
	    info.not_before - 1, root, NULL, &v), DSTACK_E_REJECTED);
	root[0] ^= 1;
	assert_int_equal(dcap_authenticate(quote.buf, quote.len, c, NOW, root,
	    NULL, &v), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_UNTRUSTED_PCK_CHAIN);
	dcap_collateral_free(c);
	sim_collateral_free(&s);
	free(w);
}

/* A quote, its collateral and a policy that lets it pass. */
struct desk {
	struct sim_world *w;
	struct wr quote;
	struct dcap_collateral *c;
	uint8_t root[64];
	uint8_t rd[64];
	struct dcap_policy p;
};

static void
desk_open(struct desk *d, struct sim_world *w)
{
	struct sim_collateral s;
	memset(d, 0, sizeof(*d));
	d->w = w;
	d->quote = wr_new(0);
	sim_root(SIM_KEY_ROOT, d->root);
	assert_int_equal(sim_world_quote(w, &d->quote), DSTACK_OK);
	assert_int_equal(sim_collateral_make(w, &s), DSTACK_OK);
	assert_int_equal(load_parts(&s, &d->c), DCAP_OK);
	sim_collateral_free(&s);
	d->p = (struct dcap_policy){
		.root_key = d->root,
		.accept_tee = 1u << DCAP_TEE_TDX | 1u << DCAP_TEE_SGX,
		.accept_status = DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE),
		.xfam_allow = xfam_linux,
		.min_tcb_eval = SIM_TCB_EVAL,
		.min_root_crl = 1,
		.min_pck_crl = 1,
	};
}

static void
desk_close(struct desk *d)
{
	dcap_collateral_free(d->c);
	wr_free(&d->quote);
	free(d->w);
}

static enum dcap_code
desk_judge(const struct desk *d, const struct dcap_policy *p)
{
	struct dcap_verdict v;
	enum dstack_status st = dcap_verify(d->quote.buf, d->quote.len, d->c,
	    NOW, p, d->rd, &v);
	assert_true((st == DSTACK_OK) == (v.code == DCAP_OK));
	assert_true((st == DSTACK_OK) == (v.why.text[0] == '\0'));
	return v.code;
}

static void
zero_policy_and_each_unset_field_refuse(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d, world_new(TDX4));
	assert_int_equal(desk_judge(&d, &d.p), DCAP_OK);
	struct dcap_policy p = { .root_key = NULL };
	assert_int_equal(desk_judge(&d, &p), DCAP_REFUSED);
	p.root_key = d.root;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.root_key = NULL;
	assert_int_equal(desk_judge(&d, &p), DCAP_REFUSED);
	p = d.p, p.accept_tee = 1u << DCAP_TEE_SGX;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.accept_status = 0;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.accept_status = ~DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE);
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.xfam_allow = 0;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.xfam_allow = xfam_linux & ~UINT64_C(0x40000);
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_tcb_eval = 0;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_tcb_eval = SIM_TCB_EVAL + 1;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_tcb_date = NOW;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_root_crl = 0;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_root_crl = 2;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_pck_crl = 0;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	p = d.p, p.min_pck_crl = 2;
	assert_int_equal(desk_judge(&d, &p), DCAP_POLICY);
	desk_close(&d);
}

static void
a_verdict_without_a_status_or_revoked_passes_no_policy(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d, world_new(TDX4));
	d.p.accept_status = UINT32_MAX;
	struct dcap_verdict good = { .code = DCAP_OK, .tee = DCAP_TEE_TDX,
		.tcb_status = DCAP_TCB_OUT_OF_DATE, .tcb_eval = SIM_TCB_EVAL,
		.tcb_date_s = NOW, .root_crl_number = 9, .pck_crl_number = 9 };
	struct dcap_verdict v = good;
	assert_int_equal(dcap_apply_policy(&v, &d.p), DSTACK_OK);
	v.tcb_status = DCAP_TCB_NONE;
	assert_int_equal(dcap_apply_policy(&v, &d.p), DSTACK_E_REJECTED);
	v = good;
	v.tcb_status = DCAP_TCB_REVOKED_STATUS;
	assert_int_equal(dcap_apply_policy(&v, &d.p), DSTACK_E_REJECTED);
	v = good;
	v.code = DCAP_REFUSED;
	assert_int_equal(dcap_apply_policy(&v, &d.p), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_REFUSED);
	desk_close(&d);
}

static void
what_is_seen_without_collateral_names_chain_and_signatures(void **state)
{
	(void)state;
	struct sim_world *w = world_new(TDX4);
	AUTO_WR struct wr quote = wr_new(0);
	struct dcap_verdict v;
	enum dcap_code code;
	bool signatures, chain;
	uint8_t root[64], other[64];
	sim_root(SIM_KEY_ROOT, root);
	sim_root("mallory", other);
	assert_int_equal(sim_world_quote(w, &quote), DSTACK_OK);
	assert_int_equal(dcap_inspect(quote.buf, quote.len, NOW, root,
	    &signatures, &chain, &code, &v), DSTACK_OK);
	assert_true(signatures && chain);
	assert_int_equal(v.code, DCAP_REFUSED);
	assert_int_equal(dcap_inspect(quote.buf, quote.len, NOW, other,
	    &signatures, &chain, &code, &v), DSTACK_E_REJECTED);
	assert_true(signatures && !chain);
	assert_int_equal(code, DCAP_UNTRUSTED_PCK_CHAIN);
	quote.buf[100] ^= 1;
	assert_int_equal(dcap_inspect(quote.buf, quote.len, NOW, root,
	    &signatures, &chain, &code, &v), DSTACK_E_REJECTED);
	assert_true(!signatures && chain);
	assert_int_equal(code, DCAP_BAD_QUOTE_SIGNATURE);
	struct sim_world *e = world_new(SGX3);
	AUTO_WR struct wr sgx = wr_new(0);
	assert_int_equal(sim_world_quote(e, &sgx), DSTACK_OK);
	(void)!dcap_inspect(sgx.buf, sgx.len, NOW, root, &signatures, &chain,
	    &code, &v);
	assert_int_equal(v.policy_flags, 0);
	sgx.buf[48 + 20] = 1; /* behind MISCSELECT */
	(void)!dcap_inspect(sgx.buf, sgx.len, NOW, root, &signatures, &chain,
	    &code, &v);
	assert_int_equal(v.policy_flags, DCAP_FLAG_RESERVED_NONZERO);
	e->quote.inner_type = 1;
	wr_free(&sgx);
	sgx = wr_new(0);
	assert_int_equal(sim_world_quote(e, &sgx), DSTACK_OK);
	assert_int_equal(dcap_inspect(sgx.buf, sgx.len, NOW, root,
	    &signatures, &chain, &code, &v), DSTACK_E_REJECTED);
	assert_true(!signatures && !chain);
	assert_int_equal(code, DCAP_UNSUPPORTED_CERT_DATA_TYPE);
	free(e);
	/* and a root is a certificate */
	struct sim_collateral parts;
	assert_int_equal(sim_collateral_make(w, &parts), DSTACK_OK);
	const struct wr *pem = &parts.pck_crl_issuer_chain;
	const uint8_t *end = memmem(pem->buf, pem->len, "-----END", 8);
	assert_non_null(end);
	size_t one = (size_t)(end - pem->buf) + 26;
	assert_int_equal(
	    dcap_root_from_cert(pem->buf, one, other, NULL), DSTACK_OK);
	assert_int_not_equal(
	    dcap_root_from_cert(pem->buf, pem->len, other, NULL), DSTACK_OK);
	sim_collateral_free(&parts);
	static const uint8_t none[] = { 0x30, 3, 2, 1, 1 };
	assert_int_not_equal(
	    dcap_root_from_cert(none, sizeof(none), root, NULL), DSTACK_OK);
	assert_int_not_equal(
	    dcap_root_from_cert("-----", 5, root, NULL), DSTACK_OK);
	free(w);
}

static void
no_report_data_no_collateral_no_verdict(void **state)
{
	(void)state;
	struct desk d;
	struct dcap_verdict v;
	memset(&v, 0, sizeof(v));
	assert_int_not_equal(v.code, DCAP_OK);
	desk_open(&d, world_new(TDX4));
	assert_int_equal(dcap_apply_policy(&v, &d.p), DSTACK_E_REJECTED);
	assert_int_equal(dcap_verify(d.quote.buf, d.quote.len, d.c, NOW, &d.p,
	    NULL, &v), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_REFUSED);
	assert_int_equal(dcap_verify(d.quote.buf, d.quote.len, NULL, NOW, &d.p,
	    d.rd, &v), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_REFUSED);
	assert_int_equal(dcap_authenticate(d.quote.buf, d.quote.len, NULL, NOW,
	    d.root, d.rd, &v), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_REFUSED);
	desk_close(&d);
}

static void
lower_of_the_two_evaluation_numbers_meets_the_floor(void **state)
{
	(void)state;
	struct desk d;
	struct sim_world *w = world_new(TDX4);
	w->qe_identity.eval = SIM_TCB_EVAL - 1;
	desk_open(&d, w);
	assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
	desk_close(&d);
	w = world_new(TDX4);
	w->tcb.eval = SIM_TCB_EVAL - 1;
	desk_open(&d, w);
	assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
	desk_close(&d);
}

static void
status_that_is_accepted_may_still_have_a_denied_advisory(void **state)
{
	(void)state;
	static const char *const deny[] = { "INTEL-SA-00001",
		"INTEL-SA-99999" };
	struct desk d;
	struct sim_world *w = world_new(TDX4);
	w->pck.sgx.svn[0] = 1;
	desk_open(&d, w);
	assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
	d.p.accept_status |= DCAP_ACCEPT(DCAP_TCB_OUT_OF_DATE);
	assert_int_equal(desk_judge(&d, &d.p), DCAP_OK);
	d.p.deny_advisories = deny;
	d.p.deny_count = 1;
	assert_int_equal(desk_judge(&d, &d.p), DCAP_OK);
	d.p.deny_count = 2;
	assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
	desk_close(&d);
}

struct flagged {
	enum world world;
	uint32_t flag;
	uint8_t td[8];      /* XORed into the TD attributes */
	uint8_t service_td; /* first byte of mrservicetd */
	uint8_t sgx;        /* XORed into the first SGX attribute byte */
	uint8_t reserved;   /* header */
};

static void
each_attribute_out_of_order_is_flagged_and_refused(void **state)
{
	(void)state;
	static const struct flagged f[] = {
		{ TDX4, DCAP_FLAG_TD_DEBUG, { 1 }, 0, 0, 0 },
		{ TDX5, DCAP_FLAG_TD_DEBUG, { 1 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_TUD_RESERVED, { 2 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_TUD_RESERVED, { 0x80 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_RESERVED_ATTRIBUTES, { 0, 1 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_RESERVED_ATTRIBUTES, { 0, 0, 0, 8 }, 0,
		    0, 0 },
		{ TDX4, DCAP_FLAG_TD_RESERVED_ATTRIBUTES, { 0, 0, 0, 0, 1 },
		    0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_RESERVED_ATTRIBUTES,
		    { 0, 0, 0, 0, 0, 0, 0, 0x40 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_SEPT_VE_DISABLE_NOT_SET,
		    { 0, 0, 0, 0x10 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_MIGRATABLE, { 0, 0, 0, 0x20 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_PKS, { 0, 0, 0, 0x40 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_KEY_LOCKER, { 0, 0, 0, 0x80 }, 0, 0, 0 },
		{ TDX4, DCAP_FLAG_TD_PERFMON, { 0, 0, 0, 0, 0, 0, 0, 0x80 },
		    0, 0, 0 },
		{ TDX15, DCAP_FLAG_MR_SERVICE_TD_NONZERO, { 0 }, 1, 0, 0 },
		{ SGX3, DCAP_FLAG_SGX_DEBUG, { 0 }, 0, 2, 0 },
		{ TDX4, DCAP_FLAG_RESERVED_NONZERO, { 0 }, 0, 0, 1 },
	};
	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		struct desk d;
		struct dcap_verdict v;
		struct sim_world *w = world_new(f[i].world);
		for (int b = 0; b < 8; b++)
			w->quote.td.tdattributes[b] ^= f[i].td[b];
		w->quote.td.mrservicetd[0] = f[i].service_td;
		w->quote.sgx.attributes[0] ^= f[i].sgx;
		w->quote.reserved[0] = f[i].reserved;
		assert_int_equal(judge_world(w, &v), DCAP_OK);
		assert_int_equal(v.policy_flags, f[i].flag);
		desk_open(&d, w);
		assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
		d.p.allow_flags = ~f[i].flag;
		assert_int_equal(desk_judge(&d, &d.p), DCAP_POLICY);
		d.p.allow_flags = f[i].flag;
		assert_int_equal(desk_judge(&d, &d.p), DCAP_OK);
		desk_close(&d);
	}
}

static void
platform_of_a_quote_names_its_collateral(void **state)
{
	(void)state;
	struct desk d;
	struct dcap_platform p;
	desk_open(&d, world_new(SGX3));
	assert_int_equal(dcap_quote_platform(d.quote.buf, d.quote.len, &p,
	    NULL), DSTACK_OK);
	assert_memory_equal(p.fmspc, sim_fmspc, 6);
	assert_true(p.platform_ca);
	assert_int_equal(p.tee, DCAP_TEE_SGX);
	assert_int_not_equal(dcap_quote_platform(d.quote.buf, 100, &p, NULL),
	    DSTACK_OK);
	desk_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(component_out_of_date_lowers_the_platform),
		cmocka_unit_test(
		    td_by_an_old_module_on_a_new_one_is_told_to_relaunch),
		cmocka_unit_test(the_first_level_in_document_order_wins),
		cmocka_unit_test(module_of_version_0_is_judged_by_the_components),
		cmocka_unit_test(processor_ca_quotes_verify_too),
		cmocka_unit_test(all_64_bytes_of_report_data_are_compared),
		cmocka_unit_test(zero_policy_and_each_unset_field_refuse),
		cmocka_unit_test(
		    a_verdict_without_a_status_or_revoked_passes_no_policy),
		cmocka_unit_test(
		    what_is_seen_without_collateral_names_chain_and_signatures),
		cmocka_unit_test(no_report_data_no_collateral_no_verdict),
		cmocka_unit_test(
		    lower_of_the_two_evaluation_numbers_meets_the_floor),
		cmocka_unit_test(
		    status_that_is_accepted_may_still_have_a_denied_advisory),
		cmocka_unit_test(
		    each_attribute_out_of_order_is_flagged_and_refused),
		cmocka_unit_test(platform_of_a_quote_names_its_collateral),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
