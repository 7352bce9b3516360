/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of test_dcap_sim.c, no include guard: included once to define the
 * functions and once to list them. W(name, code, change of the world w),
 * P(name, code, change of the made parts). The positive ones: OK(name,
 * status, change).
 */

/* ---- Header and lengths of the quote */
W(quote_version_0, UNSUPPORTED_VERSION, w->quote.version = 0)
W(quote_version_2, UNSUPPORTED_VERSION, w->quote.version = 2)
W(quote_version_6, UNSUPPORTED_VERSION, w->quote.version = 6)
W(att_key_type_1, UNSUPPORTED_ATT_KEY_TYPE, w->quote.att_key_type = 1)
W(att_key_type_3, UNSUPPORTED_ATT_KEY_TYPE, w->quote.att_key_type = 3)
W(tee_type_1, UNSUPPORTED_TEE_TYPE, w->quote.tee_type = 1)
W(tee_type_0x82, UNSUPPORTED_TEE_TYPE, w->quote.tee_type = 0x82)
W(tdx_in_a_v3_quote, UNSUPPORTED_TEE_TYPE, w->quote.version = 3)
W(vendor_id_first_byte, BAD_QE_VENDOR_ID, w->quote.vendor_id[0] ^= 1)
W(vendor_id_last_byte, BAD_QE_VENDOR_ID, w->quote.vendor_id[15] ^= 1)
W(outer_cert_type_5, UNSUPPORTED_CERT_DATA_TYPE, w->quote.outer_type = 5)
W(inner_cert_type_1, UNSUPPORTED_CERT_DATA_TYPE, w->quote.inner_type = 1)
W(inner_cert_type_3, UNSUPPORTED_CERT_DATA_TYPE, w->quote.inner_type = 3)
W(inner_cert_type_4, UNSUPPORTED_CERT_DATA_TYPE, w->quote.inner_type = 4)
W(inner_cert_type_6, UNSUPPORTED_CERT_DATA_TYPE, w->quote.inner_type = 6)
W(v5_body_type_0, MALFORMED_QUOTE, w->quote.version = 5;
    w->quote.body_type = 0)
W(v5_body_type_4, MALFORMED_QUOTE, w->quote.version = 5;
    w->quote.body_type = 4)
W(v5_body_size_one_more, MALFORMED_QUOTE, w->quote.version = 5;
    w->quote.body_size = 585)
W(v5_td15_with_the_size_of_td10, MALFORMED_QUOTE, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.body_size = 584)
P(quote_of_no_bytes, MALFORMED_QUOTE, bed_set(&b->q, "", 0))
P(quote_cut_in_the_header, MALFORMED_QUOTE, b->q.len = 47)
P(quote_cut_in_the_body, MALFORMED_QUOTE, b->q.len = 631)
P(quote_cut_before_auth_data, MALFORMED_QUOTE, b->q.len = 636)
P(quote_cut_by_one_byte, MALFORMED_QUOTE, b->q.len--)
P(auth_length_one_less, MALFORMED_QUOTE, b->q.buf[632]--)
P(auth_length_huge, MALFORMED_QUOTE, memset(b->q.buf + 632, 0xff, 4))
P(outer_length_one_more, MALFORMED_QUOTE, b->q.buf[766]++)
P(qe_auth_length_one_more, MALFORMED_QUOTE, b->q.buf[1218]++)
P(qe_auth_length_0xffff, MALFORMED_QUOTE, memset(b->q.buf + 1218, 0xff, 2))
P(chain_length_one_less, MALFORMED_QUOTE, b->q.buf[1254]--)

/* ---- Signatures of the quote and its quoting enclave */
W(quote_signed_by_another_key, BAD_QUOTE_SIGNATURE,
    w->quote.att_signer = "mallory")
W(quote_signed_by_the_pck_key, BAD_QUOTE_SIGNATURE,
    w->quote.att_signer = w->pck_key)
P(quote_signature_r_zero, BAD_QUOTE_SIGNATURE, memset(b->q.buf + 636, 0, 32))
P(quote_signature_s_zero, BAD_QUOTE_SIGNATURE, memset(b->q.buf + 668, 0, 32))
P(quote_signature_all_ones, BAD_QUOTE_SIGNATURE,
    memset(b->q.buf + 636, 0xff, 64))
P(quote_signature_all_zero, BAD_QUOTE_SIGNATURE, memset(b->q.buf + 636, 0, 64))
W(qe_report_signed_by_another_pck, BAD_QE_REPORT_SIGNATURE,
    w->quote.qe_signer = "pck/other")
W(qe_report_signed_by_the_ca, BAD_QE_REPORT_SIGNATURE,
    w->quote.qe_signer = SIM_KEY_PLATFORM_CA)
W(qe_report_signed_by_the_attestation_key, BAD_QE_REPORT_SIGNATURE,
    w->quote.qe_signer = w->att_key)
P(qe_report_signature_zero, BAD_QE_REPORT_SIGNATURE,
    memset(b->q.buf + 1154, 0, 64))
W(qe_report_data_of_another_key, BAD_QE_REPORT_DATA,
    w->quote.qe_reportdata_given = true;
    memset(w->quote.qe.reportdata, 7, 32))
W(qe_report_data_zero, BAD_QE_REPORT_DATA,
    w->quote.qe_reportdata_given = true)
P(qe_auth_data_changed_after_signing, BAD_QE_REPORT_DATA, b->q.buf[1220] ^= 1)
P(qe_auth_data_changed_at_its_end, BAD_QE_REPORT_DATA, b->q.buf[1251] ^= 1)
W(attestation_key_zero, BAD_ATTESTATION_KEY,
    static const uint8_t k[64] = { 0 }; w->quote.att_key_bytes = k)
W(attestation_key_off_the_curve, BAD_ATTESTATION_KEY,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 };
    w->quote.att_key_bytes = k)
W(attestation_key_over_the_prime, BAD_ATTESTATION_KEY,
    static uint8_t k[64]; memset(k, 0xff, 64); w->quote.att_key_bytes = k)

/* ---- Identity of the quoting enclave */
W(qe_mrsigner_differs, QE_IDENTITY_MISMATCH, w->quote.qe.mrsigner[0] ^= 1)
W(qe_mrsigner_last_byte, QE_IDENTITY_MISMATCH, w->quote.qe.mrsigner[31] ^= 1)
W(qe_isvprodid_of_the_sgx_qe, QE_IDENTITY_MISMATCH, w->quote.qe.isvprodid = 1)
W(qe_in_debug_mode, QE_IDENTITY_MISMATCH, w->quote.qe.attributes[0] |= 2)
W(qe_attribute_reserved_bit, QE_IDENTITY_MISMATCH,
    w->quote.qe.attributes[7] |= 0x80)
W(qe_attribute_missing, QE_IDENTITY_MISMATCH, w->quote.qe.attributes[0] = 1)
W(qe_miscselect_set, QE_IDENTITY_MISMATCH, w->quote.qe.miscselect[0] = 1)
W(qe_svn_below_every_level, TCB_NOT_SUPPORTED, w->quote.qe.isvsvn = 1)
W(qe_svn_zero, TCB_NOT_SUPPORTED, w->quote.qe.isvsvn = 0)
W(qe_level_revoked, TCB_REVOKED, w->qe_identity.level[0].status = "Revoked")

/* ---- The PCK chain */
W(whole_world_under_another_root, UNTRUSTED_PCK_CHAIN, bed_other_root(b))
W(pck_signed_by_the_other_ca, BAD_PCK_CHAIN,
    w->pck.signer = SIM_KEY_PROCESSOR_CA)
W(pck_signed_by_itself, BAD_PCK_CHAIN, w->pck.signer = w->pck_key)
W(pck_signed_by_the_root, BAD_PCK_CHAIN, w->pck.signer = SIM_KEY_ROOT)
W(pck_signature_bit, BAD_PCK_CHAIN, w->pck.flip = true)
W(pck_named_otherwise, BAD_PCK_CHAIN, w->pck.cn = "Intel SGX PCK Cert")
W(pck_named_as_tcb_signer, BAD_PCK_CHAIN, w->pck.cn = SIM_CN_TCB_SIGNER)
W(pck_of_another_organization, BAD_PCK_CHAIN, w->pck.org = "Mallory Inc")
W(pck_issuer_name_of_the_other_ca, BAD_PCK_CHAIN,
    w->pck.issuer_cn = SIM_CN_PROCESSOR_CA)
W(pck_issuer_name_of_the_root, BAD_PCK_CHAIN, w->pck.issuer_cn = SIM_CN_ROOT)
W(pck_is_a_ca, BAD_PCK_CHAIN, w->pck.ca = true)
W(pck_may_sign_certificates, BAD_PCK_CHAIN, w->pck.ku = 0x84)
W(pck_without_digital_signature_usage, BAD_PCK_CHAIN, w->pck.ku = 0x20)
W(pck_with_an_unknown_critical_extension, BAD_PCK_CHAIN,
    w->pck.critical = true)
W(pck_names_another_algorithm, BAD_PCK_CHAIN, w->pck.sha384 = true)
W(pck_aki_of_another_key_and_so_signed, BAD_PCK_CHAIN,
    w->pck.aki = SIM_AKI_OTHER; w->pck.signer = "nobody")
W(pck_aki_empty_and_signed_by_another, BAD_PCK_CHAIN,
    w->pck.aki = SIM_AKI_EMPTY; w->pck.signer = "mallory")
W(pck_aki_absent_and_signed_by_another, BAD_PCK_CHAIN,
    w->pck.aki = SIM_AKI_NONE; w->pck.signer = "mallory")
W(pck_key_off_the_curve, BAD_PCK_CHAIN,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 }; w->pck.point = k)
W(ca_key_differs_from_the_crl_issuers, CRL_BAD_SIGNATURE,
    w->ca.key = w->pck.signer = "ca/platform 2")
W(pck_expired, EXPIRED_PCK_CHAIN, w->pck.not_after = BED_NOW - 1)
W(pck_not_yet_valid, EXPIRED_PCK_CHAIN, w->pck.not_before = BED_NOW + 1)
W(pck_without_the_sgx_extension, BAD_PCK_CHAIN, w->pck.sgx.present = false)
W(pck_without_ppid, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 1)
W(pck_without_tcb, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 2)
W(pck_without_pceid, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 3)
W(pck_without_fmspc, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 4)
W(pck_without_sgx_type, BAD_PCK_CHAIN, w->pck.sgx.omit = 1u << 5)
W(pck_with_an_extension_twice, BAD_PCK_CHAIN, w->pck.basic_twice = true)
W(ca_with_an_extension_twice, BAD_PCK_CHAIN, w->ca.basic_twice = true)
W(pck_with_two_fmspcs, BAD_PCK_CHAIN, w->pck.sgx.fmspc_twice = true)
W(pck_component_svn_over_a_byte, BAD_PCK_CHAIN, w->pck.sgx.big_svn = 256)
W(pck_pcesvn_over_two_bytes, BAD_PCK_CHAIN, w->pck.sgx.big_pcesvn = 65536)
W(ca_signature_bit, BAD_PCK_CHAIN, w->ca.flip = true)
W(ca_signed_by_another_key, BAD_PCK_CHAIN, w->ca.signer = "mallory")
W(ca_is_no_ca, BAD_PCK_CHAIN, w->ca.ca = false)
W(ca_without_basic_constraints, BAD_PCK_CHAIN, w->ca.no_basic = true)
W(ca_may_not_sign_certificates, BAD_PCK_CHAIN, w->ca.ku = SIM_KU_LEAF)
W(ca_without_key_usage, BAD_PCK_CHAIN, w->ca.ku = 0)
W(ca_named_otherwise, BAD_PCK_CHAIN,
    w->ca.cn = w->pck.issuer_cn = "Intel SGX PCK Any CA")
W(ca_issuer_name_differs, BAD_PCK_CHAIN, w->ca.issuer_cn = "Intel Root")
W(ca_aki_of_another_key_and_so_signed, BAD_PCK_CHAIN,
    w->ca.aki = SIM_AKI_OTHER; w->ca.signer = "nobody")
W(ca_aki_empty_and_signed_by_another, BAD_PCK_CHAIN,
    w->ca.aki = SIM_AKI_EMPTY; w->ca.signer = "mallory")
W(ca_with_an_unknown_critical_extension, BAD_PCK_CHAIN, w->ca.critical = true)
W(ca_expired, EXPIRED_PCK_CHAIN, w->ca.not_after = BED_NOW - 1)
W(ca_not_yet_valid, EXPIRED_PCK_CHAIN, w->ca.not_before = BED_NOW + 1)
P(root_of_the_quote_expired, EXPIRED_PCK_CHAIN, w->root.not_after = BED_NOW - 1;
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
P(root_of_the_quote_not_yet_valid, EXPIRED_PCK_CHAIN,
    w->root.not_before = BED_NOW + 1;
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
P(root_of_the_quote_is_no_ca, BAD_PCK_CHAIN, w->root.ca = false;
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
P(root_of_the_quote_signature_bit, BAD_PCK_CHAIN, w->root.flip = true;
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
W(root_named_otherwise_throughout, BAD_PCK_CHAIN,
    w->root.cn = w->root.issuer_cn = w->ca.issuer_cn = "Other Root CA";
    w->crl_ca.issuer_cn = w->tcb_signer.issuer_cn = w->root.cn;
    w->qe_signer.issuer_cn = w->root_crl.issuer_cn = w->root.cn)
P(root_of_the_quote_not_self_issued, BAD_PCK_CHAIN,
    w->root.issuer_cn = "Other Root CA";
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
P(only_the_quote_under_another_root, UNTRUSTED_PCK_CHAIN,
    w->root.key = w->root.signer = w->ca.signer = "mallory";
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
P(chain_of_the_leaf_alone, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->pck, NULL, NULL))
P(chain_without_root, BAD_PCK_CHAIN, bed_quote_chain(b, &w->pck, &w->ca, NULL))
P(chain_without_intermediate, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->pck, &w->root, NULL))
P(chain_in_reverse, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->root, &w->ca, &w->pck))
P(chain_with_the_ca_as_leaf, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->ca, &w->ca, &w->root))
P(chain_with_the_leaf_as_ca, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->pck, &w->pck, &w->root))
P(chain_with_the_tcb_signer_as_leaf, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->tcb_signer, &w->ca, &w->root))
P(chain_with_the_root_twice, BAD_PCK_CHAIN,
    bed_quote_chain(b, &w->pck, &w->root, &w->root))

/* ---- The chain of TCB info */
P(tcb_signer_under_another_root, UNTRUSTED_TCB_INFO_CHAIN,
    w->root.key = w->root.signer = w->tcb_signer.signer = "mallory";
    bed_chain(&b->c.tcb_info_issuer_chain, &w->tcb_signer, &w->root, NULL))
W(tcb_signer_signed_by_the_pck_ca, BAD_TCB_INFO_CHAIN,
    w->tcb_signer.signer = SIM_KEY_PLATFORM_CA)
W(tcb_signer_named_otherwise, BAD_TCB_INFO_CHAIN,
    w->tcb_signer.cn = "Intel SGX TCB Signer")
W(tcb_signer_named_as_a_pck, BAD_TCB_INFO_CHAIN, w->tcb_signer.cn = SIM_CN_PCK)
W(tcb_signer_is_a_ca, BAD_TCB_INFO_CHAIN, w->tcb_signer.ca = true)
W(tcb_signer_signature_bit, BAD_TCB_INFO_CHAIN, w->tcb_signer.flip = true)
W(tcb_signer_issuer_name_differs, BAD_TCB_INFO_CHAIN,
    w->tcb_signer.issuer_cn = SIM_CN_PLATFORM_CA)
W(tcb_signer_unknown_critical_extension, BAD_TCB_INFO_CHAIN,
    w->tcb_signer.critical = true)
W(tcb_signer_usage_without_signature, BAD_TCB_INFO_CHAIN,
    w->tcb_signer.ku = 0x20)
W(tcb_signer_expired, EXPIRED_TCB_INFO_CHAIN,
    w->tcb_signer.not_after = BED_NOW - 1)
W(tcb_signer_not_yet_valid, EXPIRED_TCB_INFO_CHAIN,
    w->tcb_signer.not_before = BED_NOW + 1)
P(tcb_chain_of_the_leaf_alone, BAD_TCB_INFO_CHAIN,
    bed_chain(&b->c.tcb_info_issuer_chain, &w->tcb_signer, NULL, NULL))
P(tcb_chain_is_the_pck_ca_chain, BAD_TCB_INFO_CHAIN,
    bed_chain(&b->c.tcb_info_issuer_chain, &w->ca, &w->root, NULL))
P(tcb_chain_in_reverse, BAD_TCB_INFO_CHAIN,
    bed_chain(&b->c.tcb_info_issuer_chain, &w->root, &w->tcb_signer, NULL))
P(tcb_chain_empty, BAD_TCB_INFO_CHAIN,
    bed_set(&b->c.tcb_info_issuer_chain, "", 0))
