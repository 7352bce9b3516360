/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack quote show|verify: an attestation quote for people and scripts.
 *
 * Options first, then the files in the order quote, collateral, root, policy:
 * what cannot be read is exit 3 and its line, whatever the quote would have
 * been worth. Then the library judges, once, and all that is printed is of its
 * verdict. verify ends 0 only if the quote is genuine and, where a policy or
 * report data are asked for, those hold too; show says what is in a quote and
 * what holds of it, and gives no verdict. Which root it was judged under is
 * said in words, since a simulator's says nothing about any machine.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/quote/input.h"
#include "cli/quote/log.h"
#include "cli/usage.h"
#include "crypto/ratls.h"
#include "dcap/json.h"
#include "protocol/eventlog.h"
#include "protocol/statements.h"
#include "sim/key.h"

enum { SHOW, VERIFY, COLLATERAL };

static const struct usage uses[] = {
	[SHOW] = { "quote show",
	    "dstack quote show FILE [--at TIME] [--root FILE] [--json]",
	    "at root json", NULL },
	[VERIFY] = { "quote verify",
	    "dstack quote verify FILE|--certificate FILE --collateral FILE|DIR\n"
	    "           [--at TIME] [--root FILE] [--policy FILE] [--json]\n"
	    "           [--report-data HEX | --app-report-data HEX | --app-data ID:HEX]\n"
	    "           [--event-log FILE]\n"
	    "  --certificate: of an RA-TLS server, PEM or DER: the quote in it, which\n"
	    "  has to name the certificate's key. --app-report-data: what an app gave\n"
	    "  to the SDK's getQuote, up to 64 bytes. --app-data: the app's id and what\n"
	    "  it gave to http://dstack-guest/quote/. --event-log: the event_log that came\n"
	    "  with the quote, which has to replay to its RTMR3; a certificate has its own.",
	    NULL, NULL },
	[COLLATERAL] = { "quote collateral", 
	    "dstack quote collateral QUOTE|--fmspc HEX [--ca platform|processor]\n"
	    "           [--tee tdx|sgx] [--url URL] [--update standard|early]\n"
	    "           [--cache DIR] [--root FILE] [--pccs-ca FILE]\n"
	    "  The JSON document for quote verify --collateral, from Intel's service or\n"
	    "  the PCS or PCCS at URL. QUOTE says which; else FMSPC, CA and TEE do.",
	    NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const char forms[] = "FILE: raw, hex or base64, - for standard input. "
			    "TIME: Unix seconds or RFC 3339.";

struct args {
	const char *quote, *collateral, *at, *root, *report_data, *policy;
	const char *certificate, *app_report_data, *app_data, *log;
	bool json;
};

static void
take_args(const struct usage *u, int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "collateral", required_argument, NULL, 'c' },
		{ "at", required_argument, NULL, 'a' },
		{ "root", required_argument, NULL, 'r' },
		{ "report-data", required_argument, NULL, 'd' },
		{ "app-report-data", required_argument, NULL, 'D' },
		{ "app-data", required_argument, NULL, 'A' },
		{ "event-log", required_argument, NULL, 'L' },
		{ "certificate", required_argument, NULL, 'C' },
		{ "policy", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = usage_next(u, argc, argv, options)) != -1) {
		switch (c) {
		case 'c': a->collateral = optarg; break;
		case 'a': a->at = optarg; break;
		case 'r': a->root = optarg; break;
		case 'd': a->report_data = optarg; break;
		case 'D': a->app_report_data = optarg; break;
		case 'A': a->app_data = optarg; break;
		case 'L': a->log = optarg; break;
		case 'C': a->certificate = optarg; break;
		case 'p': a->policy = optarg; break;
		default: a->json = true; break;
		}
	}
	const int words = a->certificate != NULL ? 0 : 1;
	usage_words(u, argc, argv, words, words, "FILE");
	a->quote = a->certificate != NULL ? a->certificate : argv[optind];
	if (a->certificate != NULL && a->log != NULL)
		usage_wrong(u, "--certificate has its event log in it");
	if ((a->certificate != NULL) + (a->report_data != NULL) +
		(a->app_report_data != NULL) + (a->app_data != NULL) > 1)
		usage_wrong(u, "--certificate, --report-data, "
		    "--app-report-data and --app-data each say what "
		    "report_data is");
}

/* Is it the root of this project's simulator, whose key everybody has? */
static bool
sim_root(const uint8_t root[static 64])
{
	AUTO_KEY EVP_PKEY *sim = sim_key(SIM_KEY_ROOT);
	uint8_t key[64];
	return sim != NULL && sim_key_public(sim, key) &&
	    memcmp(key, root, 64) == 0;
}

static void
put_hex(json_t *o, const char *name, const void *p, size_t n)
{
	char hex[2 * 64 + 1];
	hex_encode(p, n, hex);
	(void)json_object_set_new(o, name, json_string(hex));
}

static void
put_text(json_t *o, const char *name, const char *s)
{
	(void)json_object_set_new(o, name, json_string(s));
}

static void
put_td(json_t *o, const struct dcap_verdict *v)
{
	json_t *rtmr = json_array();
	for (int i = 0; i < 4; i++) {
		char hex[97];
		hex_encode(v->rtmr[i], 48, hex);
		(void)json_array_append_new(rtmr, json_string(hex));
	}
	put_hex(o, "mr_td", v->mr_td, 48);
	(void)json_object_set_new(o, "rtmr", rtmr);
	put_hex(o, "td_attributes", v->td_attributes, 8);
	put_hex(o, "xfam", v->xfam, 8);
	put_hex(o, "mr_config_id", v->mr_config_id, 48);
	put_hex(o, "mr_owner", v->mr_owner, 48);
	put_hex(o, "mr_owner_config", v->mr_owner_config, 48);
	put_hex(o, "mr_seam", v->mr_seam, 48);
	put_hex(o, "mr_signer_seam", v->mr_signer_seam, 48);
	put_hex(o, "seam_attributes", v->seam_attributes, 8);
	put_hex(o, "tee_tcb_svn", v->tee_tcb_svn, 16);
	if (v->body == DCAP_BODY_TD15) {
		put_hex(o, "tee_tcb_svn2", v->tee_tcb_svn2, 16);
		put_hex(o, "mr_service_td", v->mr_service_td, 48);
	}
}

static void
put_sgx(json_t *o, const struct dcap_verdict *v)
{
	put_hex(o, "mr_enclave", v->mr_enclave, 32);
	put_hex(o, "mr_signer", v->mr_signer, 32);
	put_hex(o, "attributes", v->sgx_attributes, 16);
	put_hex(o, "cpu_svn", v->sgx_cpusvn, 16);
	(void)json_object_set_new(
	    o, "isv_prod_id", json_integer(v->isv_prod_id));
	(void)json_object_set_new(o, "isv_svn", json_integer(v->isv_svn));
}

static void
put_truth(json_t *o, const char *name, enum dcap_truth t)
{
	(void)json_object_set_new(o, name,
	    t == DCAP_ABSENT ? json_null() : json_boolean(t == DCAP_TRUE));
}

/* The PCK certificate's platform, and the quoting enclave. */
static void
put_platform(json_t *o, const struct dcap_verdict *v)
{
	put_hex(o, "ppid", v->ppid, 16);
	put_hex(o, "pce_id", v->pceid, 2);
	(void)json_object_set_new(o, "pce_svn", json_integer(v->pcesvn));
	put_hex(o, "pck_cpu_svn", v->cpusvn, 16);
	if (v->has_platform_instance == DCAP_TRUE)
		put_hex(o, "platform_instance_id", v->platform_instance_id, 16);
	else
		put_truth(o, "platform_instance_id", DCAP_ABSENT);
	put_truth(o, "dynamic_platform", v->dynamic_platform);
	put_truth(o, "cached_keys", v->cached_keys);
	put_truth(o, "smt_enabled", v->smt_enabled);
	put_hex(o, "qe_mr_signer", v->qe_mr_signer, 32);
	put_hex(o, "qe_mr_enclave", v->qe_mr_enclave, 32);
	put_hex(o, "qe_attributes", v->qe_attributes, 16);
	put_hex(o, "qe_miscselect", v->qe_miscselect, 4);
	put_hex(o, "qe_cpu_svn", v->qe_cpusvn, 16);
	(void)json_object_set_new(
	    o, "qe_isv_prod_id", json_integer(v->qe_isv_prod_id));
	(void)json_object_set_new(
	    o, "qe_isv_svn", json_integer(v->qe_isv_svn));
	(void)json_object_set_new(o, "certification_data_type",
	    json_integer(v->cert_data_type));
	if (v->tee == DCAP_TEE_TDX)
		put_hex(o, "cpu_svn", v->cpusvn, 16);
}

/* What the quote itself says; nothing if it could not be parsed. */
static void
put_quote(json_t *o, const struct dcap_verdict *v)
{
	if (v->version == 0)
		return;
	put_text(o, "tee", v->tee == DCAP_TEE_SGX ? "sgx" : "tdx");
	(void)json_object_set_new(o, "version", json_integer(v->version));
	put_hex(o, "fmspc", v->fmspc, 6);
	put_platform(o, v);
	json_t *flags = json_array();
	for (unsigned i = 0; i < DCAP_FLAGS; i++)
		if ((v->policy_flags & 1u << i) != 0)
			(void)json_array_append_new(
			    flags, json_string(dcap_flag_text(i)));
	(void)json_object_set_new(o, "policy_flags", flags);
	put_hex(o, "report_data", v->report_data, 64);
	put_hex(o, "user_data", v->user_data, 20);
	(void)json_object_set_new(
	    o, "trailing_bytes", json_integer((json_int_t)v->trailing));
	if (v->tee == DCAP_TEE_SGX)
		put_sgx(o, v);
	else
		put_td(o, v);
}

static void
put_tcb(json_t *o, const struct dcap_verdict *v)
{
	json_t *ids = json_array();
	for (unsigned i = 0; i < v->advisories; i++)
		(void)json_array_append_new(ids, json_string(v->advisory[i]));
	put_text(o, "tcb_status", dcap_tcb_status_text(v->tcb_status));
	(void)json_object_set_new(o, "advisory_ids", ids);
	put_text(o, "tcb_date", v->tcb_date);
	put_text(o, "platform_status",
	    dcap_tcb_status_text(v->platform_status));
	if (v->module_status != DCAP_TCB_NONE)
		put_text(o, "tdx_module_status",
		    dcap_tcb_status_text(v->module_status));
	put_text(o, "qe_status", dcap_tcb_status_text(v->qe_status));
	(void)json_object_set_new(o, "tcb_evaluation_data_number",
	    json_integer(v->tcb_eval));
}

/* One line of JSON, or "name: value" lines. */
static int
print(const json_t *o, bool json)
{
	if (json) {
		if (json_dumpf(o, stdout, JSON_COMPACT) != 0)
			return EXIT_UNDECIDED;
		return putchar('\n') == EOF ? EXIT_UNDECIDED : EXIT_YES;
	}
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)o, name, v) {
		/* Empty fields are for programs. */
		if (json_is_string(v) && json_string_length(v) == 0)
			continue;
		printf("%s:", name);
		size_t i;
		json_t *e;
		if (json_is_string(v))
			printf(" %s", json_string_value(v));
		else if (json_is_integer(v))
			printf(" %lld", (long long)json_integer_value(v));
		else if (json_is_boolean(v))
			printf(" %s", json_is_true(v) ? "yes" : "no");
		json_array_foreach(v, i, e)
			printf(" %s", json_string_value(e));
		printf("\n");
	}
	return EXIT_YES;
}

static int
show(const struct usage *u, const struct args *a)
{
	AUTO_FREE uint8_t *quote = NULL;
	size_t len = 0;
	struct why why = { "" };
	uint8_t root[64];
	int64_t now = 0;
	bool signatures, chain;
	enum dcap_code code;
	struct dcap_verdict v;
	if (quote_read_time(a->at, &now, &why) != DSTACK_OK)
		usage_wrong(u, "--at: %.150s", why.text);
	bool garbled = false;
	enum dstack_status st =
	    quote_read_quote(a->quote, &quote, &len, &garbled, &why);
	if (st == DSTACK_OK)
		st = quote_read_root(a->root, root, &why);
	if (st != DSTACK_OK) {
		(void)cmd_fail("quote", st, &why);
		return EXIT_UNDECIDED;
	}
	st = dcap_inspect(
	    quote, len, now, root, &signatures, &chain, &code, &v);
	if (garbled) {
		code = DCAP_MALFORMED_QUOTE;
		(void)why_set(&v.why, DSTACK_E_REJECTED, QUOTE_GARBLED);
	}
	AUTO_JSON json_t *o = json_object();
	put_text(o, "note", "parsed fields; no verdict on the quote");
	if (code != DCAP_OK) {
		put_text(o, "problem", dcap_code_text(code));
		put_text(o, "message", v.why.text);
	}
	(void)json_object_set_new(
	    o, "signature_valid", json_boolean(signatures));
	(void)json_object_set_new(o, "chain_valid", json_boolean(chain));
	put_quote(o, &v);
	int rc = print(o, a->json);
	return rc == EXIT_YES && v.version == 0 ? EXIT_NO : rc;
}

/* Everything the judgement takes; what cannot be read is no verdict. */
struct inputs {
	uint8_t *quote;
	size_t len;
	bool garbled; /* the quote: see quote_read_quote */
	struct dcap_collateral *c; /* NULL: refused, see code and why */
	enum dcap_code code;
	struct why why;
	uint8_t root[64];
	bool bound; /* report_data is to be this */
	uint8_t report_data[64];
	struct ratls cert;
	uint8_t *log; /* NULL: none */
	size_t log_len;
	struct quote_policy policy;
};

static void
free_inputs(struct inputs *in)
{
	free(in->quote);
	ratls_free(&in->cert);
	free(in->log);
	dcap_collateral_free(in->c);
	quote_policy_free(&in->policy);
}

/* A directory of files, or one JSON document. */
static enum dstack_status
read_collateral(const char *path, struct inputs *in, struct why *why)
{
	AUTO_FREE uint8_t *text = NULL;
	size_t len = 0;
	struct stat sb;
	enum dstack_status st;
	if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) {
		st = quote_load_dir(path, &in->c, &in->code, &in->why);
	} else {
		st = quote_read_file(
		    path, DCAP_MAX_COLLATERAL, &text, &len, why);
		if (st != DSTACK_OK)
			return st;
		st = dcap_collateral_load(
		    text, len, &in->c, &in->code, &in->why);
	}
	/*
	 * Exit codes are for scripts: 1 says no, 2 says that it could not be
	 * judged.
	 */
	if (st == DSTACK_OK || in->code != DCAP_REFUSED)
		return DSTACK_OK; /* a refusal is a verdict */
	*why = in->why;
	return st;
}

/* The bytes that an app gave, and the zeros that the guest puts behind them. */
static void
app_report_data(const struct usage *u, const char *hex, uint8_t out[64])
{
	size_t n = 0;
	memset(out, 0, 64);
	if (hex_decode_var(hex, strlen(hex), out, 64, &n) != DSTACK_OK)
		usage_wrong(u, "--app-report-data takes 1 to 64 bytes of hex");
}

/* "ID:HEX": whose quote it is, and over which data. */
static void
app_data(const struct usage *u, const char *text, uint8_t out[64])
{
	static uint8_t data[64 * 1024];
	uint8_t id[32];
	size_t n = 0;
	const char *hex = strchr(text, ':');
	if (hex == NULL ||
	    hex_decode(text, (size_t)(hex - text), id, 32) != DSTACK_OK ||
	    hex_decode_var(hex + 1, strlen(hex + 1), data, sizeof(data), &n) !=
		DSTACK_OK)
		usage_wrong(u, "--app-data takes the app's id, 64 hex digits, "
		    "a colon and hex");
	stmt_report_app(id, data, n, out);
}

/*
 * The quote, alone or out of a certificate that holds at the time asked for.
 * A certificate that does not is a no; one that cannot be read is none.
 */
static enum dstack_status
read_quote(const struct args *a, int64_t now, struct inputs *in,
    struct why *why)
{
	AUTO_FREE uint8_t *file = NULL;
	size_t len = 0;
	if (a->certificate == NULL)
		return quote_read_quote(
		    a->quote, &in->quote, &in->len, &in->garbled, why);
	enum dstack_status st =
	    quote_read_file(a->certificate, RATLS_MAX_FILE, &file, &len, why);
	if (st == DSTACK_OK)
		st = ratls_read(file, len, now, &in->cert, why);
	if (st != DSTACK_OK)
		return st;
	in->quote = wr_steal(&in->cert.quote, &in->len);
	memcpy(in->report_data, in->cert.report_data, 64);
	in->bound = true;
	return DSTACK_OK;
}

static void
judge(const struct args *a, const struct inputs *in, int64_t now,
    struct dcap_verdict *v)
{
	if (in->c != NULL) {
		enum dstack_status st = dcap_authenticate(in->quote, in->len,
		    in->c, now, in->root,
		    in->bound ? in->report_data : NULL, v);
		if (st == DSTACK_OK && a->policy != NULL)
			(void)!dcap_apply_policy(v, &in->policy.p);
		return;
	}
	/* show what the quote says, under the collateral's refusal */
	bool sig, chain;
	enum dcap_code unused;
	(void)!dcap_inspect(in->quote, in->len, now, in->root, &sig, &chain,
	    &unused, v);
	v->code = in->code;
	v->why = in->why;
}

/* The log that was given, or that of the certificate; none is fine. */
static enum dstack_status
read_log(const struct args *a, struct inputs *in, struct why *why)
{
	if (a->log != NULL)
		return quote_read_file(
		    a->log, EVENTLOG_MAX, &in->log, &in->log_len, why);
	if (in->cert.log.len > 0)
		in->log = wr_steal(&in->cert.log, &in->log_len);
	return DSTACK_OK;
}

/* A quote that is genuine, whose log is not its own: no. */
static const char *
judge_log(const struct inputs *in, struct dcap_verdict *v, json_t *told)
{
	struct why why = { "" };
	if (in->log == NULL || v->code != DCAP_OK)
		return NULL;
	enum dstack_status st =
	    quote_log(in->log, in->log_len, v, told, &why);
	if (st == DSTACK_OK)
		return NULL;
	(void)why_set(&v->why, st, "%s", why.text);
	return "event_log_mismatch";
}

static int
verify(const struct usage *u, const struct args *a)
{
	OWN_CLEANUP(free_inputs) struct inputs in = { .quote = NULL };
	struct why why = { "" };
	int64_t now = 0;
	struct dcap_verdict v;
	if (a->collateral == NULL)
		usage_wrong(u, "--collateral FILE|DIR is missing");
	if (quote_read_time(a->at, &now, &why) != DSTACK_OK)
		usage_wrong(u, "--at: %.150s", why.text);
	in.bound = a->report_data != NULL || a->app_report_data != NULL ||
	    a->app_data != NULL;
	if (a->report_data != NULL)
		usage_hex(u, "--report-data", a->report_data, in.report_data,
		    64);
	if (a->app_report_data != NULL)
		app_report_data(u, a->app_report_data, in.report_data);
	if (a->app_data != NULL)
		app_data(u, a->app_data, in.report_data);
	enum dstack_status st = read_quote(a, now, &in, &why);
	if (st == DSTACK_E_REJECTED && a->certificate != NULL) {
		(void)cmd_fail("quote", st, &why);
		return EXIT_NO;
	}
	if (st == DSTACK_OK)
		st = read_collateral(a->collateral, &in, &why);
	if (st == DSTACK_OK)
		st = read_log(a, &in, &why);
	if (st == DSTACK_OK)
		st = quote_read_root(a->root, in.root, &why);
	if (st == DSTACK_OK && a->policy != NULL)
		st = quote_read_policy(a->policy, &in.policy, &why);
	if (st != DSTACK_OK) {
		(void)cmd_fail("quote", st, &why);
		return EXIT_UNDECIDED;
	}
	judge(a, &in, now, &v);
	if (in.garbled) {
		v.code = DCAP_MALFORMED_QUOTE;
		(void)why_set(&v.why, DSTACK_E_REJECTED, QUOTE_GARBLED);
	}
	/*
	 * "Genuine" under another root than Intel's must not read like the real
	 * thing.
	 */
	bool intel = memcmp(in.root, dcap_intel_root, 64) == 0;
	AUTO_JSON json_t *o = json_object();
	AUTO_JSON json_t *told = json_object();
	const char *log = judge_log(&in, &v, told);
	const bool yes = v.code == DCAP_OK && log == NULL;
	(void)json_object_set_new(o, "ok", json_boolean(yes));
	put_text(o, "code", log != NULL ? log : dcap_code_text(v.code));
	put_text(o, "message",
	    !yes              ? v.why.text
	        : intel       ? "the quote is genuine"
	        : sim_root(in.root)
	        ? "the quote is genuine under the simulator's root, whose key "
	          "is public: it proves nothing"
	        : "the quote is genuine under the root given with --root, "
	          "which is not Intel's");
	put_text(o, "root", intel ? "intel" : sim_root(in.root) ? "simulator"
							      : "other");
	if (a->certificate != NULL) {
		put_hex(o, "certificate_key_sha256", in.cert.spki_sha256, 32);
		if (in.cert.app_id.len == 32)
			put_hex(o, "certificate_app_id", in.cert.app_id.buf,
			    32);
		(void)json_object_set_new(o, "certificate_issuers",
		    json_integer((json_int_t)in.cert.chain));
	}
	(void)json_object_update(o, told);
	put_quote(o, &v);
	put_tcb(o, &v);
	int rc = print(o, a->json);
	if (rc != EXIT_YES || v.code == DCAP_REFUSED)
		return EXIT_UNDECIDED;
	return yes ? EXIT_YES : EXIT_NO;
}

int
cmd_quote(int argc, char **argv)
{
	struct args a = { .quote = NULL };
	const struct usage *u = usage_sub(uses, forms, argc, argv);

	argc--;
	argv++;
	if (u == &uses[COLLATERAL])
		return cmd_quote_collateral(u, argc, argv);
	take_args(u, argc, argv, &a);
	return u == &uses[SHOW] ? show(u, &a) : verify(u, &a);
}
