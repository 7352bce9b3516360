/* SPDX-License-Identifier: Apache-2.0 */
/* More cases of test_dcap_sim.c; see dcap_cases.h. */

/* ---- The chain of the QE identity */
P(qe_signer_under_another_root, UNTRUSTED_QE_IDENTITY_CHAIN,
    w->root.key = w->root.signer = w->qe_signer.signer = "mallory";
    bed_chain(&b->c.qe_identity_issuer_chain, &w->qe_signer, &w->root, NULL))
W(qe_signer_signed_by_the_pck_ca, BAD_QE_IDENTITY_CHAIN,
    w->qe_signer.signer = SIM_KEY_PLATFORM_CA)
W(qe_signer_named_otherwise, BAD_QE_IDENTITY_CHAIN,
    w->qe_signer.cn = "Intel SGX QE Signing")
W(qe_signer_is_a_ca, BAD_QE_IDENTITY_CHAIN, w->qe_signer.ca = true)
W(qe_signer_signature_bit, BAD_QE_IDENTITY_CHAIN, w->qe_signer.flip = true)
W(qe_signer_expired, EXPIRED_QE_IDENTITY_CHAIN,
    w->qe_signer.not_after = BED_NOW - 1)
W(qe_signer_not_yet_valid, EXPIRED_QE_IDENTITY_CHAIN,
    w->qe_signer.not_before = BED_NOW + 1)
P(qe_chain_of_the_leaf_alone, BAD_QE_IDENTITY_CHAIN,
    bed_chain(&b->c.qe_identity_issuer_chain, &w->qe_signer, NULL, NULL))
P(qe_chain_empty, BAD_QE_IDENTITY_CHAIN,
    bed_set(&b->c.qe_identity_issuer_chain, "", 0))

/* ---- CRLs */
W(root_crl_signature_bit, CRL_BAD_SIGNATURE, w->root_crl.flip = true)
W(root_crl_signed_by_the_pck_ca, CRL_BAD_SIGNATURE,
    w->root_crl.signer = SIM_KEY_PLATFORM_CA)
W(root_crl_of_another_key, CRL_BAD_SIGNATURE, w->root_crl.signer = "mallory")
W(root_crl_expired, CRL_EXPIRED, w->root_crl.next_update = BED_NOW - 1)
W(root_crl_not_yet_valid, CRL_EXPIRED, w->root_crl.this_update = BED_NOW + 1)
P(root_crl_empty, CRL_MISSING, bed_set(&b->c.root_ca_crl, "", 0))
W(pck_crl_signature_bit, CRL_BAD_SIGNATURE, w->pck_crl.flip = true)
W(pck_crl_signed_by_the_other_ca, CRL_BAD_SIGNATURE,
    w->pck_crl.signer = SIM_KEY_PROCESSOR_CA)
W(pck_crl_signed_by_the_root, CRL_BAD_SIGNATURE,
    w->pck_crl.signer = SIM_KEY_ROOT)
W(pck_crl_aki_empty_and_signed_by_another, CRL_BAD_SIGNATURE,
    w->pck_crl.aki = SIM_AKI_EMPTY; w->pck_crl.signer = "mallory")
W(root_crl_aki_of_another_key_and_so_signed, CRL_BAD_SIGNATURE,
    w->root_crl.aki = SIM_AKI_OTHER; w->root_crl.signer = "nobody")
W(pck_crl_expired, CRL_EXPIRED, w->pck_crl.next_update = BED_NOW - 1)
W(pck_crl_not_yet_valid, CRL_EXPIRED, w->pck_crl.this_update = BED_NOW + 1)
P(pck_crl_empty, CRL_MISSING, bed_set(&b->c.pck_crl, "", 0))
W(pck_crl_of_the_other_ca_for_this_leaf, CRL_MISSING,
    w->pck_crl.issuer_cn = SIM_CN_PROCESSOR_CA;
    w->pck_crl.signer = w->crl_ca.key = SIM_KEY_PROCESSOR_CA;
    w->crl_ca.cn = SIM_CN_PROCESSOR_CA)
P(crls_swapped, CRL_MISSING,
    struct wr t = b->c.pck_crl; b->c.pck_crl = b->c.root_ca_crl;
    b->c.root_ca_crl = t)
P(pck_crl_is_the_root_crl, CRL_MISSING,
    bed_set(&b->c.pck_crl, b->c.root_ca_crl.buf, b->c.root_ca_crl.len))
P(pck_crl_ca_under_another_root, CRL_BAD_SIGNATURE,
    w->root.key = w->root.signer = w->crl_ca.signer = "mallory";
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
P(crls_under_another_root, UNTRUSTED_PCK_CHAIN,
    w->root.key = w->root.signer = w->crl_ca.signer = "mallory";
    w->root_crl.signer = "mallory"; b->c.root_ca_crl.len = 0;
    if (sim_crl_make(&w->root_crl, &b->c.root_ca_crl) != DSTACK_OK) abort();
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
W(crl_issuer_expired, EXPIRED_PCK_CHAIN, w->crl_ca.not_after = BED_NOW - 1)
W(crl_issuer_not_yet_valid, EXPIRED_PCK_CHAIN,
    w->crl_ca.not_before = BED_NOW + 1)
P(crl_chain_root_expired, EXPIRED_PCK_CHAIN, w->root.not_after = BED_NOW - 1;
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
P(crl_chain_empty, BAD_PCK_CHAIN, bed_set(&b->c.pck_crl_issuer_chain, "", 0))
P(crl_chain_of_the_ca_alone, BAD_PCK_CHAIN,
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, NULL, NULL))
P(crl_chain_root_signature_bit, BAD_PCK_CHAIN, w->root.flip = true;
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
P(tcb_chain_root_signature_bit, BAD_TCB_INFO_CHAIN, w->root.flip = true;
    bed_chain(&b->c.tcb_info_issuer_chain, &w->tcb_signer, &w->root, NULL))
P(qe_chain_root_signature_bit, BAD_QE_IDENTITY_CHAIN, w->root.flip = true;
    bed_chain(&b->c.qe_identity_issuer_chain, &w->qe_signer, &w->root, NULL))
P(crl_chain_in_reverse, BAD_PCK_CHAIN,
    bed_chain(&b->c.pck_crl_issuer_chain, &w->root, &w->crl_ca, NULL))
P(crl_chain_is_the_tcb_chain, BAD_PCK_CHAIN,
    bed_chain(&b->c.pck_crl_issuer_chain, &w->tcb_signer, &w->root, NULL))
P(crl_chain_with_three_certificates, BAD_PCK_CHAIN,
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, &w->root))
P(crl_chain_of_a_broken_certificate, BAD_PCK_CHAIN,
    struct wr *x = &b->c.pck_crl_issuer_chain; x->buf[100] = '*')
P(crl_chain_root_key_off_the_curve, BAD_PCK_CHAIN,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 }; w->root.point = k;
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
P(crl_chain_ca_key_off_the_curve, BAD_PCK_CHAIN,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 }; w->crl_ca.point = k;
    bed_chain(&b->c.pck_crl_issuer_chain, &w->crl_ca, &w->root, NULL))
P(tcb_signer_key_off_the_curve, BAD_TCB_INFO_SIGNATURE,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 };
    w->tcb_signer.point = k;
    bed_chain(&b->c.tcb_info_issuer_chain, &w->tcb_signer, &w->root, NULL))
P(qe_signer_key_off_the_curve, BAD_QE_IDENTITY_SIGNATURE,
    static const uint8_t k[64] = { [31] = 1, [63] = 1 };
    w->qe_signer.point = k;
    bed_chain(&b->c.qe_identity_issuer_chain, &w->qe_signer, &w->root, NULL))
P(tcb_chain_root_expired, EXPIRED_TCB_INFO_CHAIN,
    w->root.not_after = BED_NOW - 1;
    bed_chain(&b->c.tcb_info_issuer_chain, &w->tcb_signer, &w->root, NULL))
P(qe_chain_root_expired, EXPIRED_QE_IDENTITY_CHAIN,
    w->root.not_after = BED_NOW - 1;
    bed_chain(&b->c.qe_identity_issuer_chain, &w->qe_signer, &w->root, NULL))
W(pck_revoked, REVOKED, bed_revoke(&w->pck_crl, &w->pck))
W(pck_revoked_as_third_of_three, REVOKED,
    bed_revoke(&w->pck_crl, &w->ca); bed_revoke(&w->pck_crl, &w->root);
    bed_revoke(&w->pck_crl, &w->pck))
W(ca_revoked, REVOKED, bed_revoke(&w->root_crl, &w->ca))
W(tcb_signer_revoked, REVOKED, bed_revoke(&w->root_crl, &w->tcb_signer))
W(qe_signer_alone_revoked, REVOKED, w->qe_signer.serial[5] ^= 0xff;
    bed_revoke(&w->root_crl, &w->qe_signer))
W(pck_with_a_short_serial_revoked, REVOKED, w->pck.serial_len = 1;
    w->pck.serial[0] = 5; bed_revoke(&w->pck_crl, &w->pck))

W(pck_crl_without_number, MALFORMED_COLLATERAL, w->pck_crl.no_number = true)
W(pck_crl_unknown_critical_extension, MALFORMED_COLLATERAL,
    w->pck_crl.critical = true)
W(root_crl_unknown_critical_extension, MALFORMED_COLLATERAL,
    w->root_crl.critical = true)
P(pck_crl_cut_by_one_byte, MALFORMED_COLLATERAL, b->c.pck_crl.len--)
P(root_crl_with_a_byte_behind_it, MALFORMED_COLLATERAL,
    wr_u8(&b->c.root_ca_crl, 0))
P(pck_crl_is_a_certificate, MALFORMED_COLLATERAL, AUTO_WR struct wr x = wr_new(0);
    if (sim_cert_make(&w->ca, &x) != DSTACK_OK) abort();
    bed_set(&b->c.pck_crl, x.buf, x.len))

/* ---- TCB info */
W(tcb_info_signature_bit, BAD_TCB_INFO_SIGNATURE, w->tcb.flip = true)
W(tcb_info_signed_by_another_key, BAD_TCB_INFO_SIGNATURE,
    w->tcb.signer = "mallory")
W(tcb_info_signed_by_the_root, BAD_TCB_INFO_SIGNATURE,
    w->tcb.signer = SIM_KEY_ROOT)
P(tcb_info_status_raised_after_signing, BAD_TCB_INFO_SIGNATURE,
    char *t = bed_edit(&b->c.tcb_info, "OutOfDate", "UpToDate");
    bed_set(&b->c.tcb_info, t, strlen(t)); free(t))
P(tcb_info_space_added_after_signing, BAD_TCB_INFO_SIGNATURE,
    wr_str(&b->c.tcb_info, " "))
P(documents_swapped, BAD_TCB_INFO_SIGNATURE,
    struct wr t = b->c.tcb_info; b->c.tcb_info = b->c.qe_identity;
    b->c.qe_identity = t)
P(tcb_info_empty, BAD_TCB_INFO_SIGNATURE, bed_set(&b->c.tcb_info, "", 0))
W(tcb_info_not_yet_valid, TCB_INFO_NOT_YET_VALID, w->tcb.issued = BED_NOW + 1)
W(tcb_info_expired, TCB_INFO_EXPIRED, w->tcb.next_update = BED_NOW - 1)
W(tcb_info_for_sgx, TCB_INFO_MISMATCH, w->tcb.id = "SGX")
W(tcb_info_version_2, TCB_INFO_MISMATCH, w->tcb.version = 2)
W(tcb_info_of_another_fmspc, TCB_INFO_MISMATCH, w->tcb.fmspc[5] ^= 1)
W(tcb_info_of_another_pceid, TCB_INFO_MISMATCH, w->tcb.pceid[0] ^= 1)
W(pck_of_another_fmspc, TCB_INFO_MISMATCH, w->pck.sgx.fmspc[0] ^= 1)
W(tcb_info_without_fmspc, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"fmspc\"", "\"fmspx\""))
W(tcb_info_without_next_update, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"nextUpdate\"", "\"lastUpdate\""))
W(tcb_info_without_evaluation_number, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"tcbEvaluationDataNumber\"", "\"evaluation\""))
W(tcb_info_without_levels, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "],\"tcbLevels\":[{\"tcb\":{\"sgx",
	"],\"tcbLevelz\":[{\"tcb\":{\"sgx"))
W(tcb_info_with_a_key_twice, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"version\":3,", "\"version\":3,\"version\":3,"))
W(tcb_info_not_json, MALFORMED_COLLATERAL, bed_tcb_text(b, "{", "["))
W(tcb_info_with_a_short_component_list, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"sgxtcbcomponents\":[{\"svn\":2},",
	"\"sgxtcbcomponents\":["))
W(tcb_info_with_a_long_component_list, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "\"tdxtcbcomponents\":[",
	"\"tdxtcbcomponents\":[{\"svn\":0},"))
W(tcb_info_svn_over_a_byte, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "{\"svn\":2}", "{\"svn\":256}"))
W(tcb_info_svn_negative, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "{\"svn\":2}", "{\"svn\":-2}"))
W(tcb_info_svn_as_text, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "{\"svn\":2}", "{\"svn\":\"2\"}"))
W(tcb_info_status_unknown, MALFORMED_COLLATERAL,
    w->tcb.level[0].status = "Splendid")
W(tcb_info_status_in_other_letters, MALFORMED_COLLATERAL,
    w->tcb.level[0].status = "uptodate")
W(tcb_info_date_broken, MALFORMED_COLLATERAL,
    w->tcb.level[0].date = "2025-13-01T00:00:00Z")

W(tcb_info_with_no_level, MALFORMED_COLLATERAL, w->tcb.nlevels = 0)
W(tcb_info_advisories_as_text, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "[\"INTEL-SA-99999\"]", "\"INTEL-SA-99999\""))
W(tcb_info_advisory_as_number, MALFORMED_COLLATERAL,
    bed_tcb_text(b, "[\"INTEL-SA-99999\"]", "[99999]"))

/* ---- TCB levels: the platform one below, in one component each */
W(sgx_component_1_below_every_level, TCB_NOT_SUPPORTED, w->pck.sgx.svn[0] = 0)
W(sgx_component_8_below_every_level, TCB_NOT_SUPPORTED, w->pck.sgx.svn[7] = 0)
W(sgx_component_16_below_every_level, TCB_NOT_SUPPORTED,
    w->tcb.level[0].sgx[15] = w->tcb.level[1].sgx[15] = 1)
W(pcesvn_below_every_level, TCB_NOT_SUPPORTED, w->pck.sgx.pcesvn = 4)
W(tdx_component_3_below_every_level, TCB_NOT_SUPPORTED,
    w->tcb.level[0].tdx[2] = w->tcb.level[1].tdx[2] = 3)
W(tdx_component_16_below_every_level, TCB_NOT_SUPPORTED,
    w->tcb.level[0].tdx[15] = w->tcb.level[1].tdx[15] = 1)
W(tdx_component_1_counts_without_module_version, TCB_NOT_SUPPORTED,
    w->quote.td.tee_tcb_svn[1] = 0;
    w->tcb.level[0].tdx[0] = w->tcb.level[1].tdx[0] = 6)
W(no_levels_at_all_match, TCB_NOT_SUPPORTED, w->tcb.nlevels = 1;
    w->tcb.level[0].sgx[0] = 4)
W(level_revoked, TCB_REVOKED, w->tcb.level[0].status = "Revoked")
W(second_level_revoked, TCB_REVOKED, w->tcb.level[0].pcesvn = 14;
    w->tcb.level[1].status = "Revoked")

/* ---- TDX module */
W(module_of_no_known_version, TDX_MODULE_MISMATCH,
    w->quote.td.tee_tcb_svn[1] = 2)
W(module_identity_missing, TDX_MODULE_MISMATCH, w->tcb.module[0].id = NULL)
W(module_mrsigner_differs, TDX_MODULE_MISMATCH,
    w->quote.td.mrsignerseam[47] = 1)
W(module_identity_of_another_signer, TDX_MODULE_MISMATCH,
    w->tcb.module[0].mrsigner[0] = 1)
W(module_seamattributes_set, TDX_MODULE_MISMATCH,
    w->quote.td.seamattributes[0] = 1)
W(module_seamattributes_top_bit, TDX_MODULE_MISMATCH,
    w->quote.td.seamattributes[7] = 0x80)
W(module_seamattributes_set_and_unmasked, TDX_MODULE_MISMATCH,
    w->quote.td.seamattributes[0] = 1;
    memset(w->tcb.module[0].mask, 0, 8); memset(w->tcb.own.mask, 0, 8))
W(module_0_mrsigner_differs, TDX_MODULE_MISMATCH,
    w->quote.td.tee_tcb_svn[1] = 0; w->quote.td.mrsignerseam[0] = 1)
W(module_0_of_another_signer, TDX_MODULE_MISMATCH,
    w->quote.td.tee_tcb_svn[1] = 0; w->tcb.own.mrsigner[0] = 1)
W(module_identity_wants_an_attribute, TDX_MODULE_MISMATCH,
    w->tcb.module[0].attributes[0] = 1)
W(module_0_identity_wants_an_attribute, TDX_MODULE_MISMATCH,
    w->quote.td.tee_tcb_svn[1] = 0; w->tcb.own.attributes[7] = 1)
W(module_level_with_a_platforms_status, MALFORMED_COLLATERAL,
    w->tcb.module[0].level[0].status = "SWHardeningNeeded")
W(module_without_levels, MALFORMED_COLLATERAL, w->tcb.module[0].nlevels = 0)
W(module_svn_below_every_level, TCB_NOT_SUPPORTED,
    w->quote.td.tee_tcb_svn[0] = 1)
W(module_level_revoked, TCB_REVOKED,
    w->tcb.module[0].level[0].status = "Revoked")

/* ---- QE identity document */
W(qe_identity_signature_bit, BAD_QE_IDENTITY_SIGNATURE,
    w->qe_identity.flip = true)
W(qe_identity_signed_by_another_key, BAD_QE_IDENTITY_SIGNATURE,
    w->qe_identity.signer = "mallory")
P(qe_identity_changed_after_signing, BAD_QE_IDENTITY_SIGNATURE,
    char *t = bed_edit(&b->c.qe_identity, "\"isvsvn\":4", "\"isvsvn\":1");
    bed_set(&b->c.qe_identity, t, strlen(t)); free(t))
P(qe_identity_empty, BAD_QE_IDENTITY_SIGNATURE, bed_set(&b->c.qe_identity, "", 0))
W(qe_identity_of_the_sgx_qe, QE_IDENTITY_MISMATCH, w->qe_identity.id = "QE")
W(qe_identity_of_the_qve, QE_IDENTITY_MISMATCH, w->qe_identity.id = "QVE")
W(qe_identity_version_1, QE_IDENTITY_MISMATCH, w->qe_identity.version = 1)
W(qe_identity_not_yet_valid, QE_IDENTITY_NOT_YET_VALID,
    w->qe_identity.issued = BED_NOW + 1)
W(qe_identity_expired, QE_IDENTITY_EXPIRED,
    w->qe_identity.next_update = BED_NOW - 1)
W(qe_identity_without_mrsigner, MALFORMED_COLLATERAL,
    bed_qe_text(b, "\"mrsigner\"", "\"signer\""))
W(qe_identity_without_levels, MALFORMED_COLLATERAL,
    bed_qe_text(b, "\"tcbLevels\"", "\"levels\""))
W(qe_identity_with_no_level, MALFORMED_COLLATERAL, w->qe_identity.nlevels = 0)
W(qe_identity_level_with_a_platforms_status, MALFORMED_COLLATERAL,
    w->qe_identity.level[1].status = "ConfigurationNeeded")
W(qe_identity_short_mask, MALFORMED_COLLATERAL,
    bed_qe_text(b, "\"miscselectMask\":\"FFFFFFFF\"",
	"\"miscselectMask\":\"FFFFFF\""))
W(qe_identity_with_a_key_twice, MALFORMED_COLLATERAL,
    bed_qe_text(b, "\"version\":2,", "\"version\":2,\"version\":2,"))

/* ---- Time and report_data */
W(verified_in_1970, EXPIRED_PCK_CHAIN, b->now = 0)
W(verified_in_2060, EXPIRED_PCK_CHAIN, b->now = INT64_C(2840140800))
W(report_data_first_byte, REPORT_DATA_MISMATCH, b->report_data[0] ^= 1)
W(report_data_byte_32, REPORT_DATA_MISMATCH, b->report_data[32] ^= 1)
W(report_data_last_byte, REPORT_DATA_MISMATCH, b->report_data[63] ^= 0x80)

/* ---- SGX v3 */
W(sgx_quote_with_tdx_tcb_info, TCB_INFO_MISMATCH, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64); w->tcb.id = "TDX")
W(sgx_quote_with_td_qe_identity, QE_IDENTITY_MISMATCH, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    w->qe_identity.id = "TD_QE")

W(sgx_quote_in_debug_mode_of_its_qe, QE_IDENTITY_MISMATCH, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    w->quote.qe.attributes[0] |= 2)
W(sgx_quote_signed_by_another_key, BAD_QUOTE_SIGNATURE, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    w->quote.att_signer = "mallory")
W(sgx_component_below_every_level, TCB_NOT_SUPPORTED, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    w->pck.sgx.svn[3] = 0)
W(sgx_pck_revoked, REVOKED, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    bed_revoke(&w->pck_crl, &w->pck))
W(sgx_level_revoked, TCB_REVOKED, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64);
    w->tcb.level[0].status = "Revoked")

/* ---- TD 1.5: the present TCB counts as well as the one at launch */
W(td15_present_tcb_below_every_level, TCB_NOT_SUPPORTED, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.td.tee_tcb_svn2[2] = 0;
    w->tcb.level[1].tdx[2] = 2)
W(td15_launch_tcb_below_every_level, TCB_NOT_SUPPORTED, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.td.tee_tcb_svn[2] = 0;
    w->tcb.level[1].tdx[2] = 2)
W(td15_present_level_revoked, TCB_REVOKED, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.td.tee_tcb_svn2[2] = 0;
    w->tcb.level[1].status = "Revoked")
W(td15_launch_level_revoked, TCB_REVOKED, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.td.tee_tcb_svn[2] = 0;
    w->tcb.level[1].status = "Revoked")
W(td15_quote_signed_without_its_last_fields, BAD_QUOTE_SIGNATURE,
    w->quote.version = 5; w->quote.body_type = 3;
    w->quote.att_signer = "mallory")

/* ---- What must pass, and with which status */
OK(plain_tdx_v4, UP_TO_DATE, (void)w)
OKP(quote_with_trailing_zeros, UP_TO_DATE, wr_zero(&b->q, 100))
OKP(quote_without_the_nul_behind_its_chain, UP_TO_DATE,
    bed_quote_chain(b, &w->pck, &w->ca, &w->root))
OK(tdx_v5_td10, UP_TO_DATE, w->quote.version = 5)
OK(tdx_v5_td15, UP_TO_DATE, w->quote.version = 5; w->quote.body_type = 3)
OK(sgx_v3, UP_TO_DATE, sim_world_sgx(w);
    memcpy(w->quote.sgx.reportdata, b->report_data, 64))
OK(processor_ca, UP_TO_DATE,
    sim_world_init(w, "bed", SIM_CA_PROCESSOR, BED_NOW);
    memcpy(w->quote.td.reportdata, b->report_data, 64))
OK(another_platform, UP_TO_DATE,
    sim_world_init(w, "bed 2", SIM_CA_PLATFORM, BED_NOW);
    memcpy(w->quote.td.reportdata, b->report_data, 64))
OK(qe_attribute_outside_the_mask, UP_TO_DATE,
    w->quote.qe.attributes[0] |= 4)
OK(other_serials_revoked, UP_TO_DATE, struct sim_cert_spec x = w->pck;
    x.serial[19] ^= 1; bed_revoke(&w->pck_crl, &x);
    x.serial_len = 19; bed_revoke(&w->pck_crl, &x);
    bed_revoke(&w->root_crl, &w->pck); bed_revoke(&w->pck_crl, &w->tcb_signer))
OK(certificate_at_its_first_second, UP_TO_DATE, w->pck.not_before = BED_NOW)
OK(certificate_at_its_last_second, UP_TO_DATE, w->pck.not_after = BED_NOW)
OK(documents_at_their_last_second, UP_TO_DATE, w->tcb.next_update = BED_NOW;
    w->qe_identity.next_update = BED_NOW; w->pck_crl.next_update = BED_NOW;
    w->root_crl.next_update = BED_NOW)
OK(tdx_components_0_and_1_are_the_modules, UP_TO_DATE,
    w->tcb.level[0].tdx[0] = 200; w->tcb.level[0].tdx[1] = 200)
OK(fmspc_in_lower_case, UP_TO_DATE,
    bed_tcb_text(b, "514DD57AC401", "514dd57ac401"))
OK(platform_out_of_date, OUT_OF_DATE, w->tcb.level[0].pcesvn = 14)
OK(platform_one_component_below, OUT_OF_DATE, w->pck.sgx.svn[4] = 1)
OK(platform_sw_hardening, SW_HARDENING_NEEDED,
    w->tcb.level[0].status = "SWHardeningNeeded")
OK(platform_configuration, CONFIGURATION_NEEDED,
    w->tcb.level[0].status = "ConfigurationNeeded")
OK(platform_configuration_and_hardening, CONFIGURATION_AND_SW_HARDENING_NEEDED,
    w->tcb.level[0].status = "ConfigurationAndSWHardeningNeeded")
OK(platform_out_of_date_configuration, OUT_OF_DATE_CONFIGURATION_NEEDED,
    w->tcb.level[0].status = "OutOfDateConfigurationNeeded")
OK(qe_out_of_date, OUT_OF_DATE, w->quote.qe.isvsvn = 3)
OK(module_out_of_date, OUT_OF_DATE, w->quote.td.tee_tcb_svn[0] = 4)
OK(qe_out_of_date_and_hardening, OUT_OF_DATE, w->quote.qe.isvsvn = 2;
    w->tcb.level[0].status = "SWHardeningNeeded")
OK(module_out_of_date_and_configuration, OUT_OF_DATE_CONFIGURATION_NEEDED,
    w->quote.td.tee_tcb_svn[0] = 3;
    w->tcb.level[0].status = "ConfigurationNeeded")
OK(td15_relaunch_advised, TD_RELAUNCH_ADVISED, w->quote.version = 5;
    w->quote.body_type = 3; w->quote.td.tee_tcb_svn[2] = 0;
    w->tcb.level[1].tdx[2] = 0)
