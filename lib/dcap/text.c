/* SPDX-License-Identifier: Apache-2.0 */
/* Names of codes, statuses and flags. */
#include <string.h>

#include "dstack/dcap.h"

const char *
dcap_code_text(enum dcap_code code)
{
	static const char *const name[DCAP_CODES] = {
		[DCAP_REFUSED] = "refused",
		[DCAP_OK] = "ok",
		[DCAP_MALFORMED_QUOTE] = "malformed_quote",
		[DCAP_UNSUPPORTED_VERSION] = "unsupported_version",
		[DCAP_UNSUPPORTED_TEE_TYPE] = "unsupported_tee_type",
		[DCAP_UNSUPPORTED_ATT_KEY_TYPE] = "unsupported_att_key_type",
		[DCAP_UNSUPPORTED_CERT_DATA_TYPE] =
		    "unsupported_cert_data_type",
		[DCAP_BAD_QE_VENDOR_ID] = "bad_qe_vendor_id",
		[DCAP_UNTRUSTED_PCK_CHAIN] = "untrusted_pck_chain",
		[DCAP_BAD_PCK_CHAIN] = "bad_pck_chain",
		[DCAP_EXPIRED_PCK_CHAIN] = "expired_pck_chain",
		[DCAP_UNTRUSTED_TCB_INFO_CHAIN] = "untrusted_tcb_info_chain",
		[DCAP_BAD_TCB_INFO_CHAIN] = "bad_tcb_info_chain",
		[DCAP_EXPIRED_TCB_INFO_CHAIN] = "expired_tcb_info_chain",
		[DCAP_UNTRUSTED_QE_IDENTITY_CHAIN] =
		    "untrusted_qe_identity_chain",
		[DCAP_BAD_QE_IDENTITY_CHAIN] = "bad_qe_identity_chain",
		[DCAP_EXPIRED_QE_IDENTITY_CHAIN] = "expired_qe_identity_chain",
		[DCAP_CRL_MISSING] = "crl_missing",
		[DCAP_CRL_BAD_SIGNATURE] = "crl_bad_signature",
		[DCAP_CRL_EXPIRED] = "crl_expired",
		[DCAP_REVOKED] = "revoked",
		[DCAP_BAD_TCB_INFO_SIGNATURE] = "bad_tcb_info_signature",
		[DCAP_BAD_QE_IDENTITY_SIGNATURE] = "bad_qe_identity_signature",
		[DCAP_MALFORMED_COLLATERAL] = "malformed_collateral",
		[DCAP_TCB_INFO_EXPIRED] = "tcb_info_expired",
		[DCAP_TCB_INFO_NOT_YET_VALID] = "tcb_info_not_yet_valid",
		[DCAP_TCB_INFO_MISMATCH] = "tcb_info_mismatch",
		[DCAP_QE_IDENTITY_EXPIRED] = "qe_identity_expired",
		[DCAP_QE_IDENTITY_NOT_YET_VALID] =
		    "qe_identity_not_yet_valid",
		[DCAP_QE_IDENTITY_MISMATCH] = "qe_identity_mismatch",
		[DCAP_TDX_MODULE_MISMATCH] = "tdx_module_mismatch",
		[DCAP_TCB_NOT_SUPPORTED] = "tcb_not_supported",
		[DCAP_TCB_REVOKED] = "tcb_revoked",
		[DCAP_BAD_QE_REPORT_SIGNATURE] = "bad_qe_report_signature",
		[DCAP_BAD_QE_REPORT_DATA] = "bad_qe_report_data",
		[DCAP_BAD_ATTESTATION_KEY] = "bad_attestation_key",
		[DCAP_BAD_QUOTE_SIGNATURE] = "bad_quote_signature",
		[DCAP_REPORT_DATA_MISMATCH] = "report_data_mismatch",
		[DCAP_POLICY] = "policy",
	};
	if ((unsigned)code >= DCAP_CODES)
		return "refused";
	return name[code];
}

static const char *const status_name[DCAP_TCB_STATUSES] = {
	[DCAP_TCB_NONE] = "",
	[DCAP_TCB_UP_TO_DATE] = "UpToDate",
	[DCAP_TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
	[DCAP_TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
	[DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] =
	    "ConfigurationAndSWHardeningNeeded",
	[DCAP_TCB_OUT_OF_DATE] = "OutOfDate",
	[DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] =
	    "OutOfDateConfigurationNeeded",
	[DCAP_TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
	[DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] =
	    "TDRelaunchAdvisedConfigurationNeeded",
	[DCAP_TCB_REVOKED_STATUS] = "Revoked",
};

const char *
dcap_tcb_status_text(enum dcap_tcb_status s)
{
	return (unsigned)s < DCAP_TCB_STATUSES ? status_name[s] : "";
}

enum dcap_tcb_status
dcap_tcb_status_from(const char *text)
{
	for (int i = DCAP_TCB_NONE + 1; i < DCAP_TCB_STATUSES; i++)
		if (strcmp(status_name[i], text) == 0)
			return (enum dcap_tcb_status)i;
	return DCAP_TCB_NONE;
}

const char *
dcap_flag_text(unsigned i)
{
	static const char *const name[DCAP_FLAGS] = {
		"td_debug",
		"td_tud_reserved",
		"sept_ve_disable_not_set",
		"td_reserved_attributes",
		"td_migratable",
		"td_pks",
		"td_key_locker",
		"td_perfmon",
		"mr_service_td_nonzero",
		"tee_tcb_svn2_differs",
		"sgx_debug",
		"reserved_nonzero",
	};
	return i < DCAP_FLAGS ? name[i] : "";
}
