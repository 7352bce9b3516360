/* SPDX-License-Identifier: Apache-2.0 */
/* What a PCS says, and the names of its copies, without a service. */
#include "tests/unit/host/collateral/pcs_bed.h"

#include <dirent.h>

#include "host/collateral/entry.h"
#include "tests/unit/lib/vec.h"

static struct why why;

/* One answer as Intel gives it, out of the document it became. */
static void
part_of(const json_t *doc, enum pcs_kind k, struct collateral_entry *e)
{
	static const struct {
		const char *header, *chain, *open, *text, *sig;
	} form[PCS_PARTS] = {
		{ "TCB-Info-Issuer-Chain", "tcb_info_issuer_chain",
		    "{\"tcbInfo\":", "tcb_info", "tcb_info_signature" },
		{ "SGX-Enclave-Identity-Issuer-Chain",
		    "qe_identity_issuer_chain", "{\"enclaveIdentity\":",
		    "qe_identity", "qe_identity_signature" },
		{ "SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain", "",
		    "pck_crl", NULL },
		{ NULL, NULL, "", "root_ca_crl", NULL },
	};
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr lines = wr_new(0);
#define MEMBER(m) json_string_value(json_object_get(doc, m))
	if (form[k].header != NULL) {
		const char *c = MEMBER(form[k].chain);
		struct wr text = wr_new(0);
		wr_str(&text, c);
		wr_fmt(&lines, "HTTP/2 200\r\n%s: ", form[k].header);
		bed_put_encoded(&lines, &text, text.len);
		wr_str(&lines, "\r\n\r\n");
		wr_free(&text);
	}
	wr_str(&body, form[k].open);
	wr_str(&body, MEMBER(form[k].text));
	if (form[k].sig != NULL)
		wr_fmt(&body, ",\"signature\":\"%s\"}", MEMBER(form[k].sig));
	if (pcs_part_parse(k, body.buf, body.len, (const char *)lines.buf,
	        lines.len, &e->set.part[k], &why) != DSTACK_OK)
		fail_msg("%s", why.text);
}

static void
intels_own_documents_are_taken(void **state)
{
	DIR *d = opendir(VEC_DIR "dcap/cases");
	const struct dirent *f;
	int n = 0;

	(void)state;
	while (d != NULL && (f = readdir(d)) != NULL) {
		AUTO_ENTRY struct collateral_entry e = { .doc = NULL };
		char path[200];
		if (f->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "dcap/cases/%.120s/"
		    "collateral.json", f->d_name);
		json_t *doc = vec_json(path);
		/* some were kept without this one, which no service does */
		if (json_object_get(doc, "pck_crl_issuer_chain") == NULL ||
		    ++n % 5 != 1) {
			json_decref(doc);
			continue;
		}
		for (int k = 0; k < PCS_PARTS; k++)
			part_of(doc, (enum pcs_kind)k, &e);
		e.key.tee = f->d_name[0] == 's' ? DCAP_TEE_SGX : DCAP_TEE_TDX;
		json_t *tcb = json_loads(
		    json_string_value(json_object_get(doc, "tcb_info")), 0,
		    NULL);
		const char *fmspc =
		    json_string_value(json_object_get(tcb, "fmspc"));
		assert_int_equal(
		    hex_decode(fmspc, 12, e.key.fmspc, 6), DSTACK_OK);
		json_decref(tcb);
		json_decref(doc);
		enum dstack_status st =
		    collateral_entry_check(&e, dcap_intel_root, &why);
		if (st != DSTACK_OK) {
			e.key.platform = true;
			st = collateral_entry_check(
			    &e, dcap_intel_root, &why);
		}
		if (st != DSTACK_OK)
			fail_msg("%s: %s", f->d_name, why.text);
		e.key.fmspc[0] ^= 1;
		assert_int_equal(
		    collateral_entry_check(&e, dcap_intel_root, &why),
		    DSTACK_E_REJECTED);
	}
	if (d == NULL)
		skip();
	(void)closedir(d);
}

static void
file_names_tell_what_is_in_them(void **state)
{
	static const char *const bad[] = { "collateral-tdx-00806f050000-"
		"platform-standard.json.tmp", "collateral-00806f050000.json",
		"collateral-TDX-00806f050000-platform-standard.json",
		"collateral-tdx-00806F050000-platform-standard.json",
		"collateral-tdx-00806f05000-platform-standard.json",
		"collateral-tdx-00806f050000-platform-later.json" };
	struct pcs_key k;
	char name[COLLATERAL_NAME_MAX];

	(void)state;
	for (int i = 0; i < 8; i++) {
		const struct pcs_key in = { .fmspc = { 1, 2, 3, 4, 5, 0xff },
			.tee = i & 1 ? DCAP_TEE_SGX : DCAP_TEE_TDX,
			.platform = (i & 2) != 0,
			.early = (i & 4) != 0 };
		collateral_entry_name(&in, name);
		assert_true(collateral_entry_key(name, &k));
		assert_memory_equal(k.fmspc, in.fmspc, 6);
		assert_int_equal(k.tee, in.tee);
		assert_int_equal(k.platform, in.platform);
		assert_int_equal(k.early, in.early);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(collateral_entry_key(bad[i], &k));
}

static void
base_urls_are_taken_as_operators_write_them(void **state)
{
	static const char *const urls[] = { "https://a:8081",
		"https://a:8081/", "https://a:8081/sgx/certification/v4",
		"https://a:8081/sgx/certification/v4/",
		"https://a:8081/tdx/certification/v4/" };
	char base[PCS_URL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		pcs_base(urls[i], base);
		assert_string_equal(base, "https://a:8081");
	}
}

/* The chain that header lines say, or NULL. */
static const char *
chain_of(const char *lines)
{
	static json_t *part;

	json_decref(part);
	part = NULL;
	if (pcs_part_parse(PCS_PCK_CRL, "3001ff", 6, lines, strlen(lines),
	        &part, &why) != DSTACK_OK)
		return NULL;
	return json_string_value(json_object_get(part, "chain"));
}

static void
chains_are_read_out_of_headers(void **state)
{
#define H "SGX-PCK-CRL-Issuer-Chain: "
	(void)state;
	assert_string_equal(chain_of(H "a%0Ab%2Bc\r\n\r\n"), "a\nb+c");
	assert_string_equal(
	    chain_of("sgx-pck-crl-issuer-chain:%2bx \r\n"), "+x");
	/* a proxy's own answer stands before */
	assert_string_equal(
	    chain_of("HTTP/1.1 200 Connected\r\n" H "no\r\n\r\n"
	             "HTTP/1.1 200 OK\r\n" H "yes\r\n\r\n"),
	    "yes");
	assert_null(chain_of("X-" H "a\r\n"));
	assert_null(chain_of(H "a%2"));
	assert_null(chain_of(H "a%zz"));
	assert_null(chain_of(H "a%00b"));
	assert_null(chain_of(H "a%ff"));
	assert_null(chain_of(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intels_own_documents_are_taken),
		cmocka_unit_test(file_names_tell_what_is_in_them),
		cmocka_unit_test(base_urls_are_taken_as_operators_write_them),
		cmocka_unit_test(chains_are_read_out_of_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
