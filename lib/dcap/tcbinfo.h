/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCB info, version 3 (PCS API v4, "Get TCB Info"). Parsed after its
 * signature held. Levels stay in the document's order.
 */
#ifndef DCAP_TCBINFO_H
#define DCAP_TCBINFO_H

#include "dcap/levels.h"

#define TCBINFO_MAX_LEVELS 64
#define TCBINFO_MAX_MODULES 32

struct tcb_level {
	uint8_t sgx[16];
	uint8_t tdx[16];
	uint16_t pcesvn;
	struct level_result result;
};

struct tdx_module {
	uint8_t version; /* the two hex digits of "TDX_03" */
	uint8_t mrsigner[48];
	uint8_t attributes[8];
	uint8_t mask[8];
	struct svn_levels levels;
};

struct tcb_info {
	enum dcap_tee tee;
	struct window valid; /* issueDate to nextUpdate */
	uint8_t fmspc[6];
	uint8_t pceid[2];
	uint32_t eval; /* tcbEvaluationDataNumber */
	struct tcb_level *level; /* owned */
	size_t levels;
	struct tdx_module base;    /* tdxModule, TDX only; no levels */
	struct tdx_module *module; /* owned; tdxModuleIdentities */
	size_t modules;
	struct advisory_pool pool;
};

/*
 * *code: DCAP_MALFORMED_COLLATERAL, or DCAP_TCB_INFO_MISMATCH for a version
 * that is not 3. tcbinfo_free also after failure.
 */
DSTACK_CHECKED enum dstack_status tcbinfo_parse(const void *text, size_t len,
    struct tcb_info *out, enum dcap_code *code, struct why *why);
void tcbinfo_free(struct tcb_info *t);

#endif
