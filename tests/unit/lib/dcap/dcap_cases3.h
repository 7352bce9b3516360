/* SPDX-License-Identifier: Apache-2.0 */
/* More of dcap_cases.h: SGX in newer quotes, text forms, contradictions. */

/* ---- SGX enclaves in quotes v4 and v5 */
OK(sgx_v4, UP_TO_DATE, bed_sgx(b, 4))
OK(sgx_v5, UP_TO_DATE, bed_sgx(b, 5))
OK(sgx_v5_out_of_date, OUT_OF_DATE, bed_sgx(b, 5); w->pck.sgx.svn[4] = 1)
W(sgx_v4_with_tdx_tcb_info, TCB_INFO_MISMATCH, bed_sgx(b, 4);
    w->tcb.id = "TDX")
W(sgx_v4_with_td_qe_identity, QE_IDENTITY_MISMATCH, bed_sgx(b, 4);
    w->qe_identity.id = "TD_QE")
W(sgx_v4_of_the_td_qe, QE_IDENTITY_MISMATCH, bed_sgx(b, 4);
    w->quote.qe.isvprodid = 2)
W(sgx_v4_signed_by_another_key, BAD_QUOTE_SIGNATURE, bed_sgx(b, 4);
    w->quote.att_signer = "mallory")
W(sgx_v4_outer_cert_type_5, UNSUPPORTED_CERT_DATA_TYPE, bed_sgx(b, 4);
    w->quote.outer_type = 5)
W(sgx_v4_component_below_every_level, TCB_NOT_SUPPORTED, bed_sgx(b, 4);
    w->pck.sgx.svn[3] = 0)
W(sgx_v4_of_another_report_data, REPORT_DATA_MISMATCH, bed_sgx(b, 4);
    w->quote.sgx.reportdata[63] ^= 1)
W(sgx_v5_with_tdx_tcb_info, TCB_INFO_MISMATCH, bed_sgx(b, 5);
    w->tcb.id = "TDX")
W(sgx_v5_signed_by_another_key, BAD_QUOTE_SIGNATURE, bed_sgx(b, 5);
    w->quote.att_signer = "mallory")
W(sgx_v5_revoked, REVOKED, bed_sgx(b, 5); bed_revoke(&w->pck_crl, &w->pck))
W(sgx_v5_with_a_td_body, MALFORMED_QUOTE, bed_sgx(b, 5);
    w->quote.body_type = 2)
W(sgx_v5_with_a_td15_body, MALFORMED_QUOTE, bed_sgx(b, 5);
    w->quote.body_type = 3)
W(tdx_v5_with_an_sgx_body, MALFORMED_QUOTE, w->quote.version = 5;
    w->quote.body_type = 1)
W(sgx_v5_body_of_another_size, MALFORMED_QUOTE, bed_sgx(b, 5);
    w->quote.body_size = 383)
P(sgx_v4_of_another_enclave, BAD_QUOTE_SIGNATURE,
    wr_free(&b->q); b->q = wr_new(0); bed_sgx(b, 4);
    if (sim_world_quote(&b->w, &b->q) != DSTACK_OK) abort();
    sim_collateral_free(&b->c);
    if (sim_collateral_make(&b->w, &b->c) != DSTACK_OK) abort();
    b->q.buf[48 + 64] ^= 1 /* MRENCLAVE */)

/* ---- PEM as others write it */
OKP(chain_with_crlf, UP_TO_DATE, bed_quote_pem(b, "\n", "\r\n", ""))
OKP(chain_without_the_last_newline, UP_TO_DATE,
    bed_quote_pem(b, "-----END CERTIFICATE-----\n",
	"-----END CERTIFICATE-----", ""))
OKP(chain_with_blank_lines, UP_TO_DATE,
    bed_quote_pem(b, "-----BEGIN", "\n \t\n-----BEGIN", ""))
P(chain_with_text_between, BAD_PCK_CHAIN,
    bed_quote_pem(b, "-----BEGIN", "subject=CN\n-----BEGIN", ""))
P(chain_with_text_behind, BAD_PCK_CHAIN, bed_quote_pem(b, "", "", "x"))
P(chain_of_another_label, BAD_PCK_CHAIN,
    bed_quote_pem(b, " CERTIFICATE-", " X509 CERTIFICATE-", ""))
P(chain_with_a_fourth_certificate, BAD_PCK_CHAIN,
    AUTO_WR struct wr c = wr_new(0);
    if (sim_pck_chain(&b->w, &c) != DSTACK_OK) abort();
    wr_u8(&c, 0);
    bed_quote_pem(b, "", "", (char *)c.buf))
OKP(collateral_chains_with_crlf, UP_TO_DATE,
    bed_swap(&b->c.pck_crl_issuer_chain, "\n", "\r\n", "");
    bed_swap(&b->c.tcb_info_issuer_chain, "\n", "\r\n", "");
    bed_swap(&b->c.qe_identity_issuer_chain, "\n", "\r\n", ""))
P(tcb_chain_with_text_between, BAD_TCB_INFO_CHAIN,
    bed_swap(&b->c.tcb_info_issuer_chain, "-----BEGIN", "x\n-----BEGIN", ""))

/* ---- What was checked at load is not taken for something else */
OKP(chain_that_the_collateral_has_too, UP_TO_DATE,
    bed_quote_known(b, NULL, NULL))
P(root_of_the_same_key_with_a_wrong_signature, BAD_PCK_CHAIN,
    struct sim_cert_spec r = b->w.root; r.flip = true;
    bed_quote_known(b, NULL, &r))
P(ca_of_the_same_key_with_a_wrong_signature, BAD_PCK_CHAIN,
    struct sim_cert_spec c = b->w.ca; c.flip = true;
    bed_quote_known(b, &c, NULL))
P(leaf_with_a_wrong_signature_under_a_known_ca, BAD_PCK_CHAIN,
    b->w.pck.flip = true; bed_quote_known(b, NULL, NULL))
OKP(root_of_the_same_key_made_anew, UP_TO_DATE,
    bed_quote_known(b, NULL, &b->w.root))

/* ---- Documents that contradict themselves, or are of the other kind */
W(tcb_level_given_twice, MALFORMED_COLLATERAL,
    w->tcb.level[1] = w->tcb.level[0];
    w->tcb.level[1].status = "OutOfDate")
OK(tcb_levels_that_differ_in_pcesvn, UP_TO_DATE,
    w->tcb.level[1] = w->tcb.level[0]; w->tcb.level[1].pcesvn--)
OK(tcb_levels_that_differ_in_a_tdx_component, UP_TO_DATE,
    w->tcb.level[1] = w->tcb.level[0]; w->tcb.level[1].tdx[15] = 1)
OK(tcb_levels_that_differ_in_an_sgx_component, UP_TO_DATE,
    w->tcb.level[1] = w->tcb.level[0]; w->tcb.level[1].sgx[15] = 1)
W(module_level_given_twice, MALFORMED_COLLATERAL,
    w->tcb.module[0].level[1].isvsvn = w->tcb.module[0].level[0].isvsvn)
W(qe_level_given_twice, MALFORMED_COLLATERAL,
    w->qe_identity.level[1].isvsvn = w->qe_identity.level[0].isvsvn)
W(sgx_tcb_info_with_a_tdx_module, TCB_INFO_MISMATCH, bed_sgx(b, 3);
    bed_tcb_text(b, "\"tcbLevels\"", "\"tdxModule\":{},\"tcbLevels\""))
W(sgx_tcb_info_with_module_identities, TCB_INFO_MISMATCH, bed_sgx(b, 3);
    bed_tcb_text(b, "\"tcbLevels\"",
	"\"tdxModuleIdentities\":[],\"tcbLevels\""))
W(tcb_info_of_another_tcb_type, MALFORMED_COLLATERAL, w->tcb.type = 1)
OK(documents_of_two_evaluations, UP_TO_DATE, w->qe_identity.eval = 3)

/* ---- More advisories than a verdict holds */
#define PLATFORM_LEVEL "\"svn\":0}]},"
OK(platform_with_96_advisories, UP_TO_DATE,
    bed_advisories(b, false, PLATFORM_LEVEL, DCAP_MAX_ADVISORIES))
W(platform_with_97_advisories, MALFORMED_COLLATERAL,
    bed_advisories(b, false, PLATFORM_LEVEL, DCAP_MAX_ADVISORIES + 1))
W(module_with_97_advisories, MALFORMED_COLLATERAL,
    bed_advisories(b, false, "\"isvsvn\":5},", DCAP_MAX_ADVISORIES + 1))
W(qe_with_97_advisories, MALFORMED_COLLATERAL,
    bed_advisories(b, true, "\"isvsvn\":4},", DCAP_MAX_ADVISORIES + 1))
#undef PLATFORM_LEVEL

/* ---- Body type and size of v5 must both fit */
P(v5_sgx_body_called_td10, MALFORMED_QUOTE, bed_poke(b, 1, 48, 2))
P(v5_sgx_body_called_another, MALFORMED_QUOTE, bed_poke(b, 1, 48, 9))
P(v5_sgx_body_of_383_bytes, MALFORMED_QUOTE, bed_poke(b, 1, 50, 0x7f))
P(v5_td10_body_called_td15, MALFORMED_QUOTE, bed_poke(b, 2, 48, 3))
P(v5_td10_body_called_another, MALFORMED_QUOTE, bed_poke(b, 2, 48, 4))
P(v5_td10_body_of_585_bytes, MALFORMED_QUOTE, bed_poke(b, 2, 50, 0x49))
P(v5_td15_body_called_td10, MALFORMED_QUOTE, bed_poke(b, 3, 48, 2))
P(v5_td15_body_called_another, MALFORMED_QUOTE, bed_poke(b, 3, 48, 4))
P(v5_td15_body_of_649_bytes, MALFORMED_QUOTE, bed_poke(b, 3, 50, 0x89))

/* ---- What no signature covers is used up exactly */
P(byte_between_certification_data_and_its_container, MALFORMED_QUOTE,
    wr_u8(&b->q, 0x55); uint32_t n; memcpy(&n, b->q.buf + 632, 4); n++;
    memcpy(b->q.buf + 632, &n, 4))

/* ---- Levels and modules once more */
W(td15_revoked_at_launch_and_out_of_date_now, TCB_REVOKED,
    w->quote.version = 5; w->quote.body_type = 3;
    w->quote.td.tee_tcb_svn[2] = 0; w->tcb.level[1].tdx[2] = 0;
    w->tcb.level[0].status = "OutOfDate"; w->tcb.level[1].status = "Revoked")
W(module_id_of_three_digits, MALFORMED_COLLATERAL,
    w->tcb.module[0].id = "TDX_011")
W(module_id_of_one_digit, MALFORMED_COLLATERAL, w->tcb.module[0].id = "TDX_1")
W(module_id_of_another_name, MALFORMED_COLLATERAL,
    w->tcb.module[0].id = "XYZ_01")
P(qe_report_data_with_a_second_half, BAD_QE_REPORT_DATA,
    struct dcap_quote q; enum dcap_code code;
    if (dcap_quote_parse(b->q.buf, b->q.len, &q, &code, NULL) != DSTACK_OK)
	abort();
    memcpy(b->w.quote.qe.reportdata, q.qe.reportdata, 64);
    b->w.quote.qe.reportdata[63] = 1; b->w.quote.qe_reportdata_given = true;
    wr_free(&b->q); b->q = wr_new(0);
    if (sim_world_quote(&b->w, &b->q) != DSTACK_OK) abort())
W(ca_that_may_sign_lists_only, BAD_PCK_CHAIN, w->ca.ku = 0x02)
W(ca_that_may_sign_certificates_only, BAD_PCK_CHAIN, w->ca.ku = 0x04)
W(leaf_that_may_not_sign, BAD_PCK_CHAIN, w->pck.ku = 0x40)
W(leaf_without_constraints, BAD_PCK_CHAIN, w->pck.no_basic = true)
W(ca_with_a_longer_path, BAD_PCK_CHAIN, w->ca.pathlen = 1)
W(root_that_may_sign_lists_only, BAD_PCK_CHAIN, w->root.ku = 0x02)
W(root_that_may_sign_certificates_only, BAD_PCK_CHAIN, w->root.ku = 0x04)
W(pck_named_otherwise_at_equal_length, BAD_PCK_CHAIN,
    w->pck.cn = "Intel SGX PCK certificate")
W(module_id_given_twice, MALFORMED_COLLATERAL,
    w->tcb.module[1] = w->tcb.module[0]; w->tcb.module[1].id = "tdx_01")
