/* SPDX-License-Identifier: Apache-2.0 */
/* The SGX extension of a PCK certificate (Intel SGX PCK profile, 1.3.5). */
#ifndef DCAP_PCKEXT_H
#define DCAP_PCKEXT_H

#include "dcap/der.h"
#include "dstack/dcap.h"

struct pck_ext {
	uint8_t ppid[16];
	uint8_t svn[16]; /* component SVNs .2.1 to .2.16 */
	uint16_t pcesvn;
	uint8_t cpusvn[16];
	uint8_t pceid[2];
	uint8_t fmspc[6];
	uint8_t sgx_type; /* 0 standard, 1 scalable, 2 with integrity */
	/* of certificates of the Platform CA; else absent */
	bool has_instance;
	uint8_t instance[16]; /* platform instance id */
	enum dcap_truth dynamic_platform, cached_keys, smt_enabled;
};

/*
 * ext: content of the extension's OCTET STRING. Each of the five required
 * parts once, in any order; others are skipped, platform instance and
 * configuration read where they have the known form. DSTACK_E_FORMAT
 * otherwise.
 */
DSTACK_CHECKED enum dstack_status pck_ext_parse(
    struct der_span ext, struct pck_ext *out);

#endif
