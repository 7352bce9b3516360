/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One platform's set: checked as the verifier would, compared with what was
 * before, and written to and read from a file. The file begins with a hash of
 * the rest, against disks and half-written files, not against an enemy:
 * whatever it has is judged anew at reading, under the same root. A set that
 * another service gave is kept, but asked for again at once.
 */
#include "host/collateral/entry.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "dcap/collateral.h"
#include "dcap/json.h"

#define FILE_VERSION 1

void
collateral_entry_free(struct collateral_entry *e)
{
	pcs_set_free(&e->set);
	free(e->doc);
	memset(e, 0, sizeof(*e));
}

/* Is what was loaded of this key and under this root? */
static enum dstack_status
fits(const struct collateral_entry *e, const struct dcap_collateral *c,
    const uint8_t root[static 64], struct why *why)
{
	const char *ca =
	    e->key.platform ? X509_CN_PLATFORM : X509_CN_PROCESSOR;

	if (memcmp(c->pck_root.cert.key, root, 64) != 0 ||
	    memcmp(c->tcb_root.cert.key, root, 64) != 0 ||
	    memcmp(c->qe_root.cert.key, root, 64) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "its chains do not end in the trusted root");
	if (c->tcb.tee != e->key.tee || c->qe.tee != e->key.tee)
		return why_set(why, DSTACK_E_REJECTED,
		    "it is of the other TEE (SGX, TDX)");
	if (memcmp(c->tcb.fmspc, e->key.fmspc, 6) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "its TCB info is of another FMSPC");
	if (!x509_cn_is(&c->pck_ca.cert, ca))
		return why_set(why, DSTACK_E_REJECTED,
		    "its PCK CRL is not of the %s CA",
		    e->key.platform ? "Platform" : "Processor");
	return DSTACK_OK;
}

enum dstack_status
collateral_entry_check(struct collateral_entry *e,
    const uint8_t root_key[static 64], struct why *why)
{
	AUTO_WR struct wr doc = wr_new(COLLATERAL_MAX);
	struct dcap_collateral *c = NULL;
	enum dcap_code code;

	free(e->doc);
	e->doc = NULL;
	if (pcs_document(&e->set, &doc) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "its parts make no document of at most %u bytes",
		    COLLATERAL_MAX);
	enum dstack_status st =
	    dcap_collateral_load(doc.buf, doc.len, &c, &code, why);
	if (st != DSTACK_OK)
		return st;
	st = fits(e, c, root_key, why);
	if (st == DSTACK_OK)
		dcap_collateral_describe(c, &e->info);
	dcap_collateral_free(c);
	if (st != DSTACK_OK)
		return st;
	e->doc = (char *)wr_steal(&doc, &e->len);
	return e->doc != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

static bool
older(const struct dcap_collateral_info *a,
    const struct dcap_collateral_info *b, enum pcs_kind k)
{
	switch (k) {
	case PCS_TCB:
		return a->tcb_eval < b->tcb_eval ||
		    a->tcb_issued < b->tcb_issued;
	case PCS_QE:
		return a->qe_eval < b->qe_eval || a->qe_issued < b->qe_issued;
	case PCS_PCK_CRL:
		return a->pck_crl_number < b->pck_crl_number;
	default:
		return a->root_crl_number < b->root_crl_number;
	}
}

enum dstack_status
collateral_entry_keep_newer(struct collateral_entry *now,
    const struct collateral_entry *old, const uint8_t root_key[static 64],
    struct why *note)
{
	char list[80] = "";

	note->text[0] = '\0';
	for (int i = 0; i < PCS_PARTS; i++) {
		size_t n = strlen(list);
		if (!older(&now->info, &old->info, (enum pcs_kind)i))
			continue;
		json_t *kept = json_deep_copy(old->set.part[i]);
		if (kept == NULL)
			return DSTACK_E_NOMEM;
		json_decref(now->set.part[i]);
		now->set.part[i] = kept;
		(void)snprintf(list + n, sizeof(list) - n, "%s%s",
		    n > 0 ? ", " : "", pcs_kind_text((enum pcs_kind)i));
	}
	if (list[0] == '\0')
		return DSTACK_OK;
	(void)why_set(note, DSTACK_OK,
	    "the service gives an older %s than before: not taken", list);
	return collateral_entry_check(now, root_key, note);
}

void
collateral_entry_name(
    const struct pcs_key *key, char out[static COLLATERAL_NAME_MAX])
{
	char fmspc[13];

	hex_encode(key->fmspc, 6, fmspc);
	(void)snprintf(out, COLLATERAL_NAME_MAX, "collateral-%s-%s-%s-%s.json",
	    key->tee == DCAP_TEE_SGX ? "sgx" : "tdx", fmspc,
	    key->platform ? "platform" : "processor",
	    key->early ? "early" : "standard");
}

bool
collateral_entry_key(const char *name, struct pcs_key *out)
{
	static const size_t at = sizeof("collateral-tdx-") - 1;
	struct pcs_key k;
	char again[COLLATERAL_NAME_MAX];

	if (strlen(name) < at + 12 ||
	    hex_decode(name + at, 12, k.fmspc, 6) != DSTACK_OK)
		return false;
	k.tee = strncmp(name, "collateral-sgx", 14) == 0 ? DCAP_TEE_SGX
	                                                 : DCAP_TEE_TDX;
	k.platform = strstr(name, "-platform-") != NULL;
	k.early = strstr(name, "-early.") != NULL;
	collateral_entry_name(&k, again);
	/* Parsed and printed again: a name has one spelling. */
	if (strcmp(name, again) != 0)
		return false;
	*out = k;
	return true;
}

enum dstack_status
collateral_entry_write(
    const struct collateral_entry *e, const char *base, struct wr *out)
{
	AUTO_JSON json_t *o = json_pack("{s:i,s:s,s:I,s:[O,O,O,O]}", "version",
	    FILE_VERSION, "service", base, "checked",
	    (json_int_t)e->checked_ms, "parts", e->set.part[0],
	    e->set.part[1], e->set.part[2], e->set.part[3]);
	AUTO_FREE char *text = json_dumps(o, JSON_COMPACT);
	uint8_t h[32];

	if (text == NULL)
		return DSTACK_E_NOMEM;
	sha256(text, strlen(text), h);
	wr_hex(out, h, 32);
	wr_str(out, "\n");
	wr_str(out, text);
	return wr_status(out);
}

static bool
file_intact(const uint8_t *p, size_t len)
{
	uint8_t want[32];
	uint8_t h[32];

	if (len < 66 || p[64] != '\n' ||
	    hex_decode((const char *)p, 64, want, 32) != DSTACK_OK)
		return false;
	sha256(p + 65, len - 65, h);
	return memcmp(h, want, 32) == 0;
}

enum dstack_status
collateral_entry_read(const void *p, size_t len, const char *base,
    const uint8_t root_key[static 64], struct collateral_entry *e,
    struct why *why)
{
	AUTO_JSON json_t *o = NULL;
	const char *service = "";
	json_int_t checked = 0;
	int version = 0;
	struct pcs_set s = { { NULL } };

	if (file_intact(p, len))
		o = json_loadb((const char *)p + 65, len - 65,
		    JSON_REJECT_DUPLICATES, NULL);
	if (o == NULL ||
	    json_unpack(o, "{s:i,s:s,s:I,s:[o,o,o,o!]}", "version", &version,
	        "service", &service, "checked", &checked, "parts", &s.part[0],
	        &s.part[1], &s.part[2], &s.part[3]) != 0 ||
	    version != FILE_VERSION || !pcs_set_copy(&s, &e->set))
		return why_set(why, DSTACK_E_REJECTED, "the file is damaged");
	e->checked_ms = checked;
	/*
	 * Validators (ETag) are that service's own and mean nothing to this
	 * one.
	 */
	if (strcmp(service, base) != 0) {
		e->checked_ms = 0;
		for (size_t i = 0; i < PCS_PARTS; i++) {
			(void)json_object_del(e->set.part[i], "etag");
			(void)json_object_del(e->set.part[i], "modified");
		}
	}
	enum dstack_status st = collateral_entry_check(e, root_key, why);
	if (st != DSTACK_OK)
		collateral_entry_free(e);
	return st;
}
