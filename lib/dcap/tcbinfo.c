/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCB info, version 3, of one platform family (FMSPC): its levels for SGX or
 * TDX, and for TDX the modules' identities. Read as a whole and strictly:
 * sixteen components in each level, a module id of the one form there is, no
 * level and no module twice, and no TDX parts in a document of SGX. Whether it
 * is signed and current is judged elsewhere, on the bytes as they came.
 */
#include "dcap/tcbinfo.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

static enum dstack_status
components(const json_t *tcb, const char *name, uint8_t out[16],
    struct why *why)
{
	const json_t *list;
	enum dstack_status st = jget_array(tcb, name, 16, &list, why);
	if (st != DSTACK_OK)
		return st;
	if (json_array_size(list) != 16)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' has %zu of 16 components", name,
		    json_array_size(list));
	for (size_t i = 0; i < 16; i++) {
		uint64_t v;
		st = jget_uint(json_array_get(list, i), "svn", 0xff, &v, why);
		if (st != DSTACK_OK)
			return why_wrap(why, st, "%s[%zu]", name, i);
		out[i] = (uint8_t)v;
	}
	return DSTACK_OK;
}

static enum dstack_status
one_level(const json_t *v, struct tcb_info *t, struct tcb_level *out,
    struct why *why)
{
	const json_t *tcb;
	uint64_t pcesvn;
	enum dstack_status st = jget_object(v, "tcb", &tcb, why);
	if (st == DSTACK_OK)
		st = components(tcb, "sgxtcbcomponents", out->sgx, why);
	if (st == DSTACK_OK && t->tee == DCAP_TEE_TDX)
		st = components(tcb, "tdxtcbcomponents", out->tdx, why);
	if (st == DSTACK_OK)
		st = jget_uint(tcb, "pcesvn", 0xffff, &pcesvn, why);
	if (st == DSTACK_OK)
		st = level_result_parse(v, &t->pool, &out->result, why);
	if (st == DSTACK_OK)
		out->pcesvn = (uint16_t)pcesvn;
	return st;
}

/* Which of two results would such a level have? */
static bool
same_level(const struct tcb_level *a, const struct tcb_level *b)
{
	return memcmp(a->sgx, b->sgx, sizeof(a->sgx)) == 0 &&
	    memcmp(a->tdx, b->tdx, sizeof(a->tdx)) == 0 &&
	    a->pcesvn == b->pcesvn;
}

static enum dstack_status
all_levels(const json_t *j, struct tcb_info *t, struct why *why)
{
	const json_t *list;
	enum dstack_status st =
	    jget_array(j, "tcbLevels", TCBINFO_MAX_LEVELS, &list, why);
	if (st != DSTACK_OK)
		return st;
	size_t n = json_array_size(list);
	if (n == 0)
		return why_set(why, DSTACK_E_FORMAT, "'tcbLevels' is empty");
	/* Bounded above by TCBINFO_MAX_LEVELS. */
	t->level = calloc(n, sizeof(*t->level));
	if (t->level == NULL)
		return DSTACK_E_NOMEM;
	t->levels = n;
	for (size_t i = 0; i < n && st == DSTACK_OK; i++) {
		st = one_level(
		    json_array_get(list, i), t, &t->level[i], why);
		for (size_t k = 0; st == DSTACK_OK && k < i; k++)
			/*
			 * The document's order decides, so the second of two
			 * equal levels could never count.
			 */
			if (same_level(&t->level[k], &t->level[i]))
				st = why_set(why, DSTACK_E_FORMAT,
				    "SVNs given twice");
		if (st != DSTACK_OK)
			st = why_wrap(why, st, "tcbLevels[%zu]", i);
	}
	return st;
}

static enum dstack_status
module_common(const json_t *j, struct tdx_module *m, struct why *why)
{
	enum dstack_status st =
	    jget_hex(j, "mrsigner", m->mrsigner, sizeof(m->mrsigner), why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "attributes", m->attributes,
		    sizeof(m->attributes), why);
	if (st == DSTACK_OK)
		st = jget_hex(
		    j, "attributesMask", m->mask, sizeof(m->mask), why);
	return st;
}

static enum dstack_status
one_module(const json_t *j, struct tcb_info *t, struct tdx_module *m,
    struct why *why)
{
	const char *id;
	enum dstack_status st = jget_text(j, "id", &id, why);
	if (st != DSTACK_OK)
		return st;
	/* compared without case, as Intel's library does */
	/* The two digits are the module's version in the quote's SVN. */
	if (strlen(id) != 6 || strncasecmp(id, "TDX_", 4) != 0 ||
	    hex_decode(id + 4, 2, &m->version, 1) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no module id like TDX_03", id);
	st = module_common(j, m, why);
	if (st == DSTACK_OK)
		st = svn_levels_parse(j, 0xff, &t->pool, &m->levels, why);
	for (const struct tdx_module *o = t->module; st == DSTACK_OK && o < m;
	    o++)
		if (o->version == m->version)
			st = why_set(why, DSTACK_E_FORMAT, "id given twice");
	return st;
}

static enum dstack_status
all_modules(const json_t *j, struct tcb_info *t, struct why *why)
{
	const json_t *base, *list;
	enum dstack_status st = jget_object(j, "tdxModule", &base, why);
	if (st == DSTACK_OK)
		st = module_common(base, &t->base, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "tdxModule");
	/* Documents from before there was a second module have none. */
	if (json_object_get(j, "tdxModuleIdentities") == NULL)
		return DSTACK_OK;
	st = jget_array(j, "tdxModuleIdentities", TCBINFO_MAX_MODULES, &list,
	    why);
	if (st != DSTACK_OK || json_array_size(list) == 0)
		return st;
	t->module = calloc(json_array_size(list), sizeof(*t->module));
	if (t->module == NULL)
		return DSTACK_E_NOMEM;
	t->modules = json_array_size(list);
	for (size_t i = 0; i < t->modules && st == DSTACK_OK; i++) {
		st = one_module(
		    json_array_get(list, i), t, &t->module[i], why);
		if (st != DSTACK_OK)
			st = why_wrap(why, st, "tdxModuleIdentities[%zu]", i);
	}
	return st;
}

static enum dstack_status
tee_of(const json_t *j, enum dcap_tee *out, struct why *why)
{
	const char *id;
	enum dstack_status st = jget_text(j, "id", &id, why);
	if (st != DSTACK_OK)
		return st;
	if (strcmp(id, "TDX") == 0)
		*out = DCAP_TEE_TDX;
	else if (strcmp(id, "SGX") == 0)
		*out = DCAP_TEE_SGX;
	else
		return why_set(
		    why, DSTACK_E_FORMAT, "'id' is neither TDX nor SGX");
	return DSTACK_OK;
}

enum dstack_status
tcbinfo_parse(const void *text, size_t len, struct tcb_info *t,
    enum dcap_code *code, struct why *why)
{
	uint64_t version, type, eval;
	memset(t, 0, sizeof(*t));
	*code = DCAP_MALFORMED_COLLATERAL;
	AUTO_JSON json_t *j = jget_parse(text, len, why);
	if (j == NULL)
		return DSTACK_E_FORMAT;
	enum dstack_status st = jget_uint(j, "version", 1000, &version, why);
	if (st != DSTACK_OK)
		return st;
	if (version != 3) {
		*code = DCAP_TCB_INFO_MISMATCH;
		return why_set(why, DSTACK_E_REJECTED,
		    "TCB info of version %u; 3 is needed (PCS API v4)",
		    (unsigned)version);
	}
	st = tee_of(j, &t->tee, why);
	if (st == DSTACK_OK)
		st = jget_window(j, &t->valid, why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "fmspc", t->fmspc, sizeof(t->fmspc), why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "pceId", t->pceid, sizeof(t->pceid), why);
	if (st == DSTACK_OK) /* 0: the only way to compare there is */
		st = jget_uint(j, "tcbType", 0, &type, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "tcbEvaluationDataNumber", UINT32_MAX, &eval,
		    why);
	if (st == DSTACK_OK)
		t->eval = (uint32_t)eval;
	if (st == DSTACK_OK && t->tee == DCAP_TEE_TDX)
		st = all_modules(j, t, why);
	if (st == DSTACK_OK && t->tee == DCAP_TEE_SGX &&
	    (json_object_get(j, "tdxModule") != NULL ||
		json_object_get(j, "tdxModuleIdentities") != NULL)) {
		*code = DCAP_TCB_INFO_MISMATCH;
		return why_set(why, DSTACK_E_REJECTED,
		    "TCB info of SGX that names a TDX module");
	}
	if (st == DSTACK_OK)
		st = all_levels(j, t, why);
	return st;
}

void
tcbinfo_free(struct tcb_info *t)
{
	for (size_t i = 0; i < t->modules; i++)
		svn_levels_free(&t->module[i].levels);
	free(t->module);
	free(t->level);
	pool_free(&t->pool);
	memset(t, 0, sizeof(*t));
}
