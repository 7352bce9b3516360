/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds with one thing wrong and everything signed as if it were right, so
 * that each check of the verifier is reached by a case of its own.
 */
#include <stdio.h>

#include "tests/unit/lib/dcap/dcap_sim.h"

struct bad {
	const char *name;
	unsigned worlds; /* bits 1 << enum world */
	enum dcap_code code;
	void (*change)(struct sim_world *w);
};

#define ALL 0xfu
#define TDX 0x7u
#define V5 0x6u
#define T15 0x4u
#define SGX 0x8u

/* name, worlds, code, change */
#define CASES(X)                                                              \
	X(version_2, ALL, UNSUPPORTED_VERSION, w->quote.version = 2)          \
	X(version_6, ALL, UNSUPPORTED_VERSION, w->quote.version = 6)          \
	X(tee_type_unknown, ALL, UNSUPPORTED_TEE_TYPE, w->quote.tee_type = 2) \
	X(att_key_type_3, ALL, UNSUPPORTED_ATT_KEY_TYPE,                      \
	    w->quote.att_key_type = 3)                                        \
	X(vendor_other, ALL, BAD_QE_VENDOR_ID, w->quote.vendor_id[15] ^= 1)   \
	X(outer_type_5, TDX, UNSUPPORTED_CERT_DATA_TYPE,                      \
	    w->quote.outer_type = 5)                                          \
	X(inner_type_1, ALL, UNSUPPORTED_CERT_DATA_TYPE,                      \
	    w->quote.inner_type = 1)                                          \
	X(inner_type_4, ALL, UNSUPPORTED_CERT_DATA_TYPE,                      \
	    w->quote.inner_type = 4)                                          \
	X(inner_type_6, ALL, UNSUPPORTED_CERT_DATA_TYPE,                      \
	    w->quote.inner_type = 6)                                          \
	X(body_type_1_in_tdx, V5, MALFORMED_QUOTE, w->quote.body_type = 1)    \
	X(body_type_4, V5, MALFORMED_QUOTE, w->quote.body_type = 4)           \
	X(quote_by_another_key, ALL, BAD_QUOTE_SIGNATURE,                     \
	    w->quote.att_signer = "evil")                                     \
	X(qe_report_by_another_key, ALL, BAD_QE_REPORT_SIGNATURE,             \
	    w->quote.qe_signer = "evil")                                      \
	X(qe_report_data_zero, ALL, BAD_QE_REPORT_DATA,                       \
	    w->quote.qe_reportdata_given = true)                              \
	X(qe_mrsigner_other, ALL, QE_IDENTITY_MISMATCH,                       \
	    w->quote.qe.mrsigner[0] ^= 1)                                     \
	X(qe_mrsigner_last_byte, ALL, QE_IDENTITY_MISMATCH,                   \
	    w->quote.qe.mrsigner[31] ^= 1)                                    \
	X(qe_prodid_other, ALL, QE_IDENTITY_MISMATCH,                         \
	    w->quote.qe.isvprodid = 9)                                        \
	X(qe_miscselect_set, ALL, QE_IDENTITY_MISMATCH,                       \
	    w->quote.qe.miscselect[0] = 1)                                    \
	X(qe_debug, ALL, QE_IDENTITY_MISMATCH,                                \
	    w->quote.qe.attributes[0] |= 2)                                   \
	X(qe_attribute_last, ALL, QE_IDENTITY_MISMATCH,                       \
	    w->quote.qe.attributes[7] = 0x80)                                 \
	X(qe_svn_below_all, ALL, TCB_NOT_SUPPORTED, w->quote.qe.isvsvn = 1)   \
	X(tcb_sgx_component_0, ALL, TCB_NOT_SUPPORTED,                        \
	    w->pck.sgx.svn[0] = 0)                                            \
	X(tcb_sgx_component_7, ALL, TCB_NOT_SUPPORTED,                        \
	    w->pck.sgx.svn[7] = 0)                                            \
	X(tcb_sgx_component_15, ALL, TCB_NOT_SUPPORTED,                       \
	    (w->tcb.level[0].sgx[15] = 1, w->tcb.level[1].sgx[15] = 1))       \
	X(pcesvn_below_all, ALL, TCB_NOT_SUPPORTED, w->pck.sgx.pcesvn = 4)    \
	X(tdx_component_2, TDX, TCB_NOT_SUPPORTED,                            \
	    (w->tcb.level[0].tdx[2] = 9, w->tcb.level[1].tdx[2] = 9))         \
	X(tdx_component_15, TDX, TCB_NOT_SUPPORTED,                           \
	    (w->tcb.level[0].tdx[15] = 1, w->tcb.level[1].tdx[15] = 1))       \
	X(svn2_component_2, T15, TCB_NOT_SUPPORTED,                           \
	    (w->quote.td.tee_tcb_svn2[2] = 0, w->tcb.level[1].tdx[2] = 1))    \
	X(module_unknown, TDX, TDX_MODULE_MISMATCH,                           \
	    w->quote.td.tee_tcb_svn[1] = 7)                                   \
	X(module_of_svn2_unknown, T15, TDX_MODULE_MISMATCH,                   \
	    w->quote.td.tee_tcb_svn2[1] = 7)                                  \
	X(module_below_all, TDX, TCB_NOT_SUPPORTED,                           \
	    w->quote.td.tee_tcb_svn[0] = 1)                                   \
	X(module_of_svn2_below_all, T15, TCB_NOT_SUPPORTED,                   \
	    w->quote.td.tee_tcb_svn2[0] = 1)                                  \
	X(module_mrsigner, TDX, TDX_MODULE_MISMATCH,                          \
	    w->quote.td.mrsignerseam[0] = 1)                                  \
	X(module_mrsigner_last, TDX, TDX_MODULE_MISMATCH,                     \
	    w->quote.td.mrsignerseam[47] = 1)                                 \
	X(module_attributes, TDX, TDX_MODULE_MISMATCH,                        \
	    w->quote.td.seamattributes[0] = 1)                                \
	X(module_attributes_unmasked, TDX, TDX_MODULE_MISMATCH,               \
	    (w->quote.td.seamattributes[0] = 1,                               \
		w->tcb.module[0].mask[0] = 0))                                \
	X(module_attributes_wanted, TDX, TDX_MODULE_MISMATCH,                 \
	    w->tcb.module[0].attributes[7] = 1)                               \
	X(module_0_mrsigner, TDX, TDX_MODULE_MISMATCH,                        \
	    (w->quote.td.tee_tcb_svn[1] = 0, w->tcb.own.mrsigner[0] = 1))     \
	X(module_0_component_0, TDX, TCB_NOT_SUPPORTED,                       \
	    (w->quote.td.tee_tcb_svn[1] = 0, w->quote.td.tee_tcb_svn[0] = 1)) \
	X(platform_revoked, ALL, TCB_REVOKED,                                 \
	    w->tcb.level[0].status = "Revoked")                               \
	X(module_revoked, TDX, TCB_REVOKED,                                   \
	    w->tcb.module[0].level[0].status = "Revoked")                     \
	X(qe_revoked, ALL, TCB_REVOKED,                                       \
	    w->qe_identity.level[0].status = "Revoked")                       \
	X(launch_module_revoked, T15, TCB_REVOKED,                            \
	    (w->quote.td.tee_tcb_svn[0] = 2,                                  \
		w->tcb.module[0].level[1].status = "Revoked"))                \
	X(current_module_revoked, T15, TCB_REVOKED,                           \
	    (w->quote.td.tee_tcb_svn2[0] = 2,                                 \
		w->tcb.module[0].level[1].status = "Revoked"))                \
	X(pck_cn, ALL, BAD_PCK_CHAIN, w->pck.cn = "Intel SGX Quote Key")      \
	X(pck_issuer_cn, ALL, BAD_PCK_CHAIN,                                  \
	    w->pck.issuer_cn = SIM_CN_PROCESSOR_CA)                           \
	X(pck_by_another_key, ALL, BAD_PCK_CHAIN, w->pck.signer = "evil")     \
	X(pck_by_root, ALL, BAD_PCK_CHAIN, w->pck.signer = SIM_KEY_ROOT)      \
	X(pck_is_ca, ALL, BAD_PCK_CHAIN, w->pck.ca = true)                    \
	X(pck_no_constraints, ALL, BAD_PCK_CHAIN, w->pck.no_basic = true)     \
	X(pck_no_key_usage, ALL, BAD_PCK_CHAIN, w->pck.ku = 0)                \
	X(pck_may_not_sign, ALL, BAD_PCK_CHAIN, w->pck.ku = 0x40)             \
	X(pck_may_sign_certs, ALL, BAD_PCK_CHAIN, w->pck.ku = 0xc4)           \
	X(pck_critical_unknown, ALL, BAD_PCK_CHAIN, w->pck.critical = true)   \
	X(pck_sha384, ALL, BAD_PCK_CHAIN, w->pck.sha384 = true)               \
	X(pck_signature_flip, ALL, BAD_PCK_CHAIN, w->pck.flip = true)         \
	X(pck_expired, ALL, EXPIRED_PCK_CHAIN, w->pck.not_after = NOW - 1)    \
	X(pck_future, ALL, EXPIRED_PCK_CHAIN, w->pck.not_before = NOW + 1)    \
	X(pck_no_sgx, ALL, BAD_PCK_CHAIN, w->pck.sgx.present = false)         \
	X(pck_no_ppid, ALL, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 1)         \
	X(pck_no_tcb, ALL, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 2)          \
	X(pck_no_pceid, ALL, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 3)        \
	X(pck_no_fmspc, ALL, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 4)        \
	X(pck_no_type, ALL, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 5)         \
	X(pck_type_3, ALL, BAD_PCK_CHAIN, w->pck.sgx.type = 3)                \
	X(pck_fmspc_other, ALL, TCB_INFO_MISMATCH, w->pck.sgx.fmspc[5] ^= 1)  \
	X(pck_pceid_other, ALL, TCB_INFO_MISMATCH, w->pck.sgx.pceid[1] ^= 1)  \
	X(ca_cn, ALL, BAD_PCK_CHAIN,                                          \
	    (w->ca.cn = "Intel SGX PCK CA", w->pck.issuer_cn = w->ca.cn))     \
	X(ca_issuer_cn, ALL, BAD_PCK_CHAIN, w->ca.issuer_cn = "Intel Root")   \
	X(ca_by_another_key, ALL, BAD_PCK_CHAIN, w->ca.signer = "evil")       \
	X(ca_is_no_ca, ALL, BAD_PCK_CHAIN, w->ca.ca = false)                  \
	X(ca_pathlen_1, ALL, BAD_PCK_CHAIN, w->ca.pathlen = 1)                \
	X(ca_no_pathlen, ALL, BAD_PCK_CHAIN, w->ca.pathlen = -1)              \
	X(ca_no_constraints, ALL, BAD_PCK_CHAIN, w->ca.no_basic = true)       \
	X(ca_may_not_sign_certs, ALL, BAD_PCK_CHAIN, w->ca.ku = 0x02)         \
	X(ca_may_not_sign_crls, ALL, BAD_PCK_CHAIN, w->ca.ku = 0x04)          \
	X(ca_no_key_usage, ALL, BAD_PCK_CHAIN, w->ca.ku = 0)                  \
	X(ca_critical_unknown, ALL, BAD_PCK_CHAIN, w->ca.critical = true)     \
	X(ca_signature_flip, ALL, BAD_PCK_CHAIN, w->ca.flip = true)           \
	X(ca_expired, ALL, EXPIRED_PCK_CHAIN, w->ca.not_after = NOW - 1)      \
	X(ca_future, ALL, EXPIRED_PCK_CHAIN, w->ca.not_before = NOW + 1)      \
	X(ca_other_key_than_crls, ALL, CRL_BAD_SIGNATURE,                     \
	    (w->ca.key = "other", w->pck.signer = "other"))                   \
	X(crl_ca_cn, ALL, BAD_PCK_CHAIN, w->crl_ca.cn = "Intel SGX PCK CA")   \
	X(crl_ca_by_another_key, ALL, BAD_PCK_CHAIN,                          \
	    w->crl_ca.signer = "evil")                                        \
	X(crl_ca_is_no_ca, ALL, BAD_PCK_CHAIN, w->crl_ca.ca = false)          \
	X(crl_ca_expired, ALL, EXPIRED_PCK_CHAIN,                             \
	    w->crl_ca.not_after = NOW - 1)                                    \
	X(crl_ca_of_processors, ALL, CRL_MISSING,                             \
	    (w->crl_ca.cn = SIM_CN_PROCESSOR_CA,                              \
		w->pck_crl.issuer_cn = SIM_CN_PROCESSOR_CA))                  \
	X(root_other_key, ALL, UNTRUSTED_PCK_CHAIN,                           \
	    (w->root.key = "evil", w->root.signer = "evil",                   \
		w->ca.signer = "evil", w->crl_ca.signer = "evil",             \
		w->tcb_signer.signer = "evil", w->qe_signer.signer = "evil",  \
		w->root_crl.signer = "evil"))                                 \
	X(root_cn, ALL, BAD_PCK_CHAIN, w->root.cn = "Intel SGX Root")         \
	X(root_not_own_issuer, ALL, BAD_PCK_CHAIN,                            \
	    w->root.issuer_cn = "Intel SGX Roots")                            \
	X(root_is_no_ca, ALL, BAD_PCK_CHAIN, w->root.ca = false)              \
	X(root_may_not_sign_certs, ALL, BAD_PCK_CHAIN, w->root.ku = 0x02)     \
	X(root_may_not_sign_crls, ALL, BAD_PCK_CHAIN, w->root.ku = 0x04)      \
	X(root_signature_flip, ALL, BAD_PCK_CHAIN, w->root.flip = true)       \
	X(root_signed_by_another, ALL, BAD_PCK_CHAIN,                         \
	    w->root.signer = "evil")                                          \
	X(root_expired, ALL, EXPIRED_PCK_CHAIN, w->root.not_after = NOW - 1)  \
	X(root_future, ALL, EXPIRED_PCK_CHAIN, w->root.not_before = NOW + 1)  \
	X(tcb_signer_cn, ALL, BAD_TCB_INFO_CHAIN,                             \
	    w->tcb_signer.cn = SIM_CN_PCK)                                    \
	X(tcb_signer_issuer, ALL, BAD_TCB_INFO_CHAIN,                         \
	    w->tcb_signer.issuer_cn = SIM_CN_PLATFORM_CA)                     \
	X(tcb_signer_by_another_key, ALL, BAD_TCB_INFO_CHAIN,                 \
	    w->tcb_signer.signer = "evil")                                    \
	X(tcb_signer_is_ca, ALL, BAD_TCB_INFO_CHAIN, w->tcb_signer.ca = true) \
	X(tcb_signer_no_constraints, ALL, BAD_TCB_INFO_CHAIN,                 \
	    w->tcb_signer.no_basic = true)                                    \
	X(tcb_signer_may_not_sign, ALL, BAD_TCB_INFO_CHAIN,                   \
	    w->tcb_signer.ku = 0x40)                                          \
	X(tcb_signer_flip, ALL, BAD_TCB_INFO_CHAIN,                           \
	    w->tcb_signer.flip = true)                                        \
	X(tcb_signer_expired, ALL, EXPIRED_TCB_INFO_CHAIN,                    \
	    w->tcb_signer.not_after = NOW - 1)                                \
	X(tcb_signer_future, ALL, EXPIRED_TCB_INFO_CHAIN,                     \
	    w->tcb_signer.not_before = NOW + 1)                               \
	X(qe_signer_cn, ALL, BAD_QE_IDENTITY_CHAIN,                           \
	    w->qe_signer.cn = "Intel SGX QE Signing")                         \
	X(qe_signer_by_another_key, ALL, BAD_QE_IDENTITY_CHAIN,               \
	    w->qe_signer.signer = "evil")                                     \
	X(qe_signer_is_ca, ALL, BAD_QE_IDENTITY_CHAIN,                        \
	    w->qe_signer.ca = true)                                           \
	X(qe_signer_flip, ALL, BAD_QE_IDENTITY_CHAIN,                         \
	    w->qe_signer.flip = true)                                         \
	X(qe_signer_expired, ALL, EXPIRED_QE_IDENTITY_CHAIN,                  \
	    w->qe_signer.not_after = NOW - 1)                                 \
	X(qe_signer_future, ALL, EXPIRED_QE_IDENTITY_CHAIN,                   \
	    w->qe_signer.not_before = NOW + 1)                                \
	X(root_crl_by_another_key, ALL, CRL_BAD_SIGNATURE,                    \
	    w->root_crl.signer = "evil")                                      \
	X(root_crl_issuer, ALL, CRL_MISSING,                                  \
	    w->root_crl.issuer_cn = SIM_CN_PLATFORM_CA)                       \
	X(root_crl_old, ALL, CRL_EXPIRED, w->root_crl.next_update = NOW - 1)  \
	X(root_crl_future, ALL, CRL_EXPIRED,                                  \
	    w->root_crl.this_update = NOW + 1)                                \
	X(root_crl_no_number, ALL, MALFORMED_COLLATERAL,                      \
	    w->root_crl.no_number = true)                                     \
	X(root_crl_critical, ALL, MALFORMED_COLLATERAL,                       \
	    w->root_crl.critical = true)                                      \
	X(pck_crl_by_another_key, ALL, CRL_BAD_SIGNATURE,                     \
	    w->pck_crl.signer = "evil")                                       \
	X(pck_crl_by_root, ALL, CRL_BAD_SIGNATURE,                            \
	    w->pck_crl.signer = SIM_KEY_ROOT)                                 \
	X(pck_crl_issuer, ALL, CRL_MISSING,                                   \
	    w->pck_crl.issuer_cn = SIM_CN_PROCESSOR_CA)                       \
	X(pck_crl_old, ALL, CRL_EXPIRED, w->pck_crl.next_update = NOW - 1)    \
	X(pck_crl_future, ALL, CRL_EXPIRED, w->pck_crl.this_update = NOW + 1) \
	X(pck_crl_no_number, ALL, MALFORMED_COLLATERAL,                       \
	    w->pck_crl.no_number = true)                                      \
	X(pck_crl_critical, ALL, MALFORMED_COLLATERAL,                        \
	    w->pck_crl.critical = true)                                       \
	X(pck_revoked, ALL, REVOKED, put_on(&w->pck_crl, &w->pck, 0))         \
	X(pck_revoked_last_of_4, ALL, REVOKED,                                \
	    put_on(&w->pck_crl, &w->pck, 3))                                  \
	X(ca_revoked, ALL, REVOKED, put_on(&w->root_crl, &w->ca, 0))          \
	X(crl_ca_revoked, ALL, REVOKED,                                       \
	    (w->crl_ca.serial[3] ^= 1, put_on(&w->root_crl, &w->crl_ca, 1)))  \
	X(root_revoked, ALL, REVOKED, put_on(&w->root_crl, &w->root, 0))      \
	X(tcb_signer_revoked, ALL, REVOKED,                                   \
	    (w->tcb_signer.serial[3] ^= 1,                                    \
		put_on(&w->root_crl, &w->tcb_signer, 2)))                     \
	X(qe_signer_revoked, ALL, REVOKED,                                    \
	    (w->qe_signer.serial[3] ^= 1,                                     \
		put_on(&w->root_crl, &w->qe_signer, 1)))                      \
	X(tcb_id_of_the_other_tee, ALL, TCB_INFO_MISMATCH, other_tcb(w))      \
	X(tcb_id_unknown, ALL, MALFORMED_COLLATERAL, w->tcb.id = "TDY")       \
	X(tcb_version_2, ALL, TCB_INFO_MISMATCH, w->tcb.version = 2)          \
	X(tcb_version_4, ALL, TCB_INFO_MISMATCH, w->tcb.version = 4)          \
	X(tcb_type_1, ALL, MALFORMED_COLLATERAL, w->tcb.type = 1)             \
	X(tcb_fmspc, ALL, TCB_INFO_MISMATCH, w->tcb.fmspc[0] ^= 1)            \
	X(tcb_pceid, ALL, TCB_INFO_MISMATCH, w->tcb.pceid[0] ^= 1)            \
	X(tcb_old, ALL, TCB_INFO_EXPIRED, w->tcb.next_update = NOW - 1)       \
	X(tcb_future, ALL, TCB_INFO_NOT_YET_VALID, w->tcb.issued = NOW + 1)   \
	X(tcb_status_unknown, ALL, MALFORMED_COLLATERAL,                      \
	    w->tcb.level[1].status = "Fine")                                  \
	X(tcb_status_is_a_result, ALL, MALFORMED_COLLATERAL,                  \
	    w->tcb.level[1].status = "TDRelaunchAdvised")                     \
	X(tcb_date_broken, ALL, MALFORMED_COLLATERAL,                         \
	    w->tcb.level[1].date = "2024-02-30T00:00:00Z")                    \
	X(tcb_no_levels, ALL, MALFORMED_COLLATERAL, w->tcb.nlevels = 0)       \
	X(tcb_text_no_json, ALL, MALFORMED_COLLATERAL, w->tcb.text = "{")     \
	X(tcb_text_array, ALL, MALFORMED_COLLATERAL, w->tcb.text = "[]")      \
	X(tcb_text_empty_object, ALL, MALFORMED_COLLATERAL,                   \
	    w->tcb.text = "{}")                                               \
	X(tcb_signature_flip, ALL, BAD_TCB_INFO_SIGNATURE,                    \
	    w->tcb.flip = true)                                               \
	X(tcb_by_another_key, ALL, BAD_TCB_INFO_SIGNATURE,                    \
	    w->tcb.signer = "evil")                                           \
	X(tcb_by_root, ALL, BAD_TCB_INFO_SIGNATURE,                           \
	    w->tcb.signer = SIM_KEY_ROOT)                                     \
	X(module_id_broken, TDX, MALFORMED_COLLATERAL,                        \
	    w->tcb.module[0].id = "TDX_1")                                    \
	X(module_id_other, TDX, TDX_MODULE_MISMATCH,                          \
	    w->tcb.module[0].id = "TDX_02")                                   \
	X(module_status_for_platforms_only, TDX, MALFORMED_COLLATERAL,        \
	    w->tcb.module[0].level[0].status = "SWHardeningNeeded")           \
	X(module_no_levels, TDX, MALFORMED_COLLATERAL,                        \
	    w->tcb.module[0].nlevels = 0)                                     \
	X(module_twice, TDX, MALFORMED_COLLATERAL,                            \
	    w->tcb.module[1] = w->tcb.module[0])                              \
	X(qeid_of_the_other_tee, ALL, QE_IDENTITY_MISMATCH, other_qe(w))      \
	X(qeid_of_qve, ALL, QE_IDENTITY_MISMATCH, w->qe_identity.id = "QVE")  \
	X(qeid_version_1, ALL, QE_IDENTITY_MISMATCH,                          \
	    w->qe_identity.version = 1)                                       \
	X(qeid_old, ALL, QE_IDENTITY_EXPIRED,                                 \
	    w->qe_identity.next_update = NOW - 1)                             \
	X(qeid_future, ALL, QE_IDENTITY_NOT_YET_VALID,                        \
	    w->qe_identity.issued = NOW + 1)                                  \
	X(qeid_mrsigner, ALL, QE_IDENTITY_MISMATCH,                           \
	    w->qe_identity.mrsigner[0] ^= 1)                                  \
	X(qeid_prodid, ALL, QE_IDENTITY_MISMATCH,                             \
	    w->qe_identity.isvprodid = 3)                                     \
	X(qeid_miscselect, ALL, QE_IDENTITY_MISMATCH,                         \
	    w->qe_identity.miscselect[3] = 1)                                 \
	X(qeid_attributes, ALL, QE_IDENTITY_MISMATCH,                         \
	    w->qe_identity.attributes[0] = 0x31)                              \
	X(qeid_wants_what_its_mask_hides, ALL, QE_IDENTITY_MISMATCH,          \
	    w->qe_identity.attributes[0] = 0x15)                              \
	X(qeid_status_unknown, ALL, MALFORMED_COLLATERAL,                     \
	    w->qe_identity.level[0].status = "SWHardeningNeeded")             \
	X(qeid_no_levels, ALL, MALFORMED_COLLATERAL,                          \
	    w->qe_identity.nlevels = 0)                                       \
	X(qeid_svn_above_all, ALL, TCB_NOT_SUPPORTED,                         \
	    (w->qe_identity.level[0].isvsvn = 9,                              \
		w->qe_identity.level[1].isvsvn = 8))                          \
	X(qeid_signature_flip, ALL, BAD_QE_IDENTITY_SIGNATURE,                \
	    w->qe_identity.flip = true)                                       \
	X(qeid_by_another_key, ALL, BAD_QE_IDENTITY_SIGNATURE,                \
	    w->qe_identity.signer = "evil")                                   \
	X(qeid_text_no_json, ALL, MALFORMED_COLLATERAL,                       \
	    w->qe_identity.text = "{\"id\":}")

static void
put_on(struct sim_crl_spec *crl, const struct sim_cert_spec *c, size_t at)
{
	for (size_t i = 0; i < 4; i++) {
		crl->revoked[i].len = 20;
		memset(crl->revoked[i].serial, 0x50 + (int)i, 20);
	}
	memcpy(crl->revoked[at].serial, c->serial, c->serial_len);
	crl->nrevoked = 4;
}

static void
other_tcb(struct sim_world *w)
{
	w->tcb.id = strcmp(w->tcb.id, "TDX") == 0 ? "SGX" : "TDX";
}

static void
other_qe(struct sim_world *w)
{
	w->qe_identity.id =
	    strcmp(w->qe_identity.id, "QE") == 0 ? "TD_QE" : "QE";
}

#define CHANGE(name, worlds, code, what) \
	static void change_##name(struct sim_world *w) { what; }
CASES(CHANGE)

static const struct bad bad[] = {
#define ROW(name, worlds, code, what) \
	{ #name, worlds, DCAP_##code, change_##name },
	CASES(ROW)
};

static void
every_base_world_is_genuine_and_up_to_date(void **state)
{
	(void)state;
	for (int k = 0; k < WORLDS; k++) {
		struct sim_world *w = world_new((enum world)k);
		struct dcap_verdict v;
		assert_int_equal(judge_world(w, &v), DCAP_OK);
		assert_int_equal(v.tcb_status, DCAP_TCB_UP_TO_DATE);
		assert_int_equal(v.policy_flags, 0);
		assert_int_equal(v.tcb_eval, SIM_TCB_EVAL);
		assert_string_equal(v.tcb_date, SIM_TCB_DATE);
		free(w);
	}
}

static void
each_world_with_one_thing_wrong_is_refused_for_it(void **state)
{
	(void)state;
	unsigned wrong = 0, count = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (int k = 0; k < WORLDS; k++) {
			if ((bad[i].worlds & 1u << k) == 0)
				continue;
			struct sim_world *w = world_new((enum world)k);
			struct dcap_verdict v;
			bad[i].change(w);
			enum dcap_code code = judge_world(w, &v);
			if (code != bad[i].code) {
				wrong++;
				print_message("%s (%d): %s, expected %s: %s\n",
				    bad[i].name, k, dcap_code_text(code),
				    dcap_code_text(bad[i].code), v.why.text);
			}
			count++;
			free(w);
		}
	}
	print_message("%zu cases, %u worlds\n", sizeof(bad) / sizeof(bad[0]),
	    count);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_base_world_is_genuine_and_up_to_date),
		cmocka_unit_test(
		    each_world_with_one_thing_wrong_is_refused_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
