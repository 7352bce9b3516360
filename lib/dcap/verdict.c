/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict by the names of its members, for programs in other languages and
 * for those that want to outlive a change of the struct. One table says what
 * there is; a name that it does not have is answered with nothing.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dstack/dcap.h"

enum kind { BYTES, U16, U32, U64, I64, TRUTH, SIZE, CHARS, BOOLEAN, STATUS };

static const struct member {
	const char *name;
	enum kind kind;
	size_t at;
	size_t n; /* of BYTES */
} member[] = {
#define AT(m) offsetof(struct dcap_verdict, m)
#define B(m) { #m, BYTES, AT(m), sizeof(((struct dcap_verdict *)0)->m) }
	B(fmspc), B(ppid), B(pceid), B(cpusvn), B(tee_tcb_svn), B(mr_seam),
	B(mr_signer_seam), B(seam_attributes), B(td_attributes), B(xfam),
	B(mr_td), B(mr_config_id), B(mr_owner), B(mr_owner_config),
	B(tee_tcb_svn2), B(mr_service_td), B(sgx_cpusvn), B(sgx_attributes),
	B(mr_enclave), B(mr_signer), B(report_data), B(user_data),
	B(platform_instance_id), B(qe_cpusvn), B(qe_miscselect),
	B(qe_attributes), B(qe_mr_enclave), B(qe_mr_signer),
	{ "rtmr0", BYTES, AT(rtmr[0]), 48 },
	{ "rtmr1", BYTES, AT(rtmr[1]), 48 },
	{ "rtmr2", BYTES, AT(rtmr[2]), 48 },
	{ "rtmr3", BYTES, AT(rtmr[3]), 48 },
	{ "abi", U32, AT(abi), 0 },
	{ "version", U16, AT(version), 0 },
	{ "tcb_eval", U32, AT(tcb_eval), 0 },
	{ "tcb_date_s", I64, AT(tcb_date_s), 0 },
	{ "collateral_issued", I64, AT(collateral_issued), 0 },
	{ "root_crl_number", U64, AT(root_crl_number), 0 },
	{ "pck_crl_number", U64, AT(pck_crl_number), 0 },
	{ "policy_flags", U32, AT(policy_flags), 0 },
	{ "advisories", U32, AT(advisories), 0 },
	{ "pcesvn", U16, AT(pcesvn), 0 },
	{ "isv_prod_id", U16, AT(isv_prod_id), 0 },
	{ "isv_svn", U16, AT(isv_svn), 0 },
	{ "qe_isv_prod_id", U16, AT(qe_isv_prod_id), 0 },
	{ "qe_isv_svn", U16, AT(qe_isv_svn), 0 },
	{ "cert_data_type", U16, AT(cert_data_type), 0 },
	{ "platform_ca", BOOLEAN, AT(platform_ca), 0 },
	{ "trailing", SIZE, AT(trailing), 0 },
	{ "has_platform_instance", TRUTH, AT(has_platform_instance), 0 },
	{ "dynamic_platform", TRUTH, AT(dynamic_platform), 0 },
	{ "cached_keys", TRUTH, AT(cached_keys), 0 },
	{ "smt_enabled", TRUTH, AT(smt_enabled), 0 },
	{ "module_id", CHARS, AT(module_id), 0 },
	{ "tcb_date", CHARS, AT(tcb_date), 0 },
	{ "message", CHARS, AT(why.text), 0 },
	{ "tcb_status", STATUS, AT(tcb_status), 0 },
	{ "platform_status", STATUS, AT(platform_status), 0 },
	{ "module_status", STATUS, AT(module_status), 0 },
	{ "qe_status", STATUS, AT(qe_status), 0 },
};

_Static_assert(sizeof(unsigned) == 4 && sizeof(enum dcap_truth) == 4,
    "read as they are stored");

static const struct member *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
		if (strcmp(member[i].name, name) == 0)
			return &member[i];
	return NULL;
}

struct dcap_verdict *
dcap_verdict_new(void)
{
	return calloc(1, sizeof(struct dcap_verdict));
}

void
dcap_verdict_free(struct dcap_verdict *v)
{
	free(v);
}

const uint8_t *
dcap_verdict_bytes(const struct dcap_verdict *v, const char *name, size_t *n)
{
	const struct member *m = find(name);
	*n = 0;
	if (m == NULL || m->kind != BYTES)
		return NULL;
	*n = m->n;
	return (const uint8_t *)v + m->at;
}

const char *
dcap_verdict_text(const struct dcap_verdict *v, const char *name)
{
	const struct member *m = find(name);
	enum dcap_tcb_status s = DCAP_TCB_NONE;
	if (strcmp(name, "code") == 0)
		return dcap_code_text(v->code);
	if (strcmp(name, "tee") == 0)
		return v->tee == DCAP_TEE_TDX ? "tdx"
		    : v->tee == DCAP_TEE_SGX  ? "sgx"
					      : "";
	if (m != NULL && m->kind == CHARS)
		return (const char *)v + m->at;
	if (m == NULL || m->kind != STATUS)
		return "";
	/* Copied, since the table knows offsets and the compiler no types. */
	memcpy(&s, (const char *)v + m->at, sizeof(s));
	return dcap_tcb_status_text(s);
}

int64_t
dcap_verdict_number(const struct dcap_verdict *v, const char *name)
{
	const struct member *m = find(name);
	const char *p = (const char *)v + (m != NULL ? m->at : 0);
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	int64_t i64 = 0;
	size_t size = 0;
	bool b = false;
	switch (m != NULL ? m->kind : BYTES) {
	case U16: memcpy(&u16, p, sizeof(u16)); return u16;
	case U32:
	case TRUTH: memcpy(&u32, p, sizeof(u32)); return u32;
	case U64:
		memcpy(&u64, p, sizeof(u64));
		return u64 > INT64_MAX ? INT64_MAX : (int64_t)u64;
	case I64: memcpy(&i64, p, sizeof(i64)); return i64;
	case SIZE:
		memcpy(&size, p, sizeof(size));
		return size > INT64_MAX ? INT64_MAX : (int64_t)size;
	case BOOLEAN: memcpy(&b, p, sizeof(b)); return b;
	case BYTES:
	case CHARS:
	case STATUS:
	/*
	 * No such number: no member has it, since all of them are counts, dates
	 * or flags.
	 */
	default: return -1;
	}
}

const char *
dcap_verdict_advisory(const struct dcap_verdict *v, unsigned i)
{
	return i < v->advisories && i < DCAP_MAX_ADVISORIES ? v->advisory[i]
							    : NULL;
}
