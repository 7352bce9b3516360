/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel DCAP quotes: TDX v4, TDX v5 (TD 1.0 and 1.5) and SGX v3.
 *
 * Pure: bytes in, verdict out. No file, socket, clock, random number or
 * global state; every function is safe for threads as long as its arguments
 * are not changed meanwhile. Time, trust root, floors and policy are
 * arguments; nothing is optional by omission, and the zero value of every
 * struct means no.
 *
 * A program loads collateral once (dcap_collateral_load: parses it and
 * checks its signatures) and judges many quotes with it. Memory: load makes
 * one object, freed by dcap_collateral_free; judging allocates nothing that
 * outlives the call.
 *
 * Sources: Intel TDX DCAP Quoting Library API, appendix A (v4, v5); Intel SGX
 * ECDSA QuoteLibReference API, appendix A (v3); Intel SGX PCK Certificate and
 * CRL Profile; Intel PCS API v4; QVL = Intel's quote verification library.
 */
#ifndef DSTACK_DCAP_H
#define DSTACK_DCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dstack/status.h>

#define DCAP_MAX_QUOTE (64 * 1024)      /* bytes of quote file taken */
#define DCAP_MAX_COLLATERAL (1024 * 1024) /* bytes of collateral taken */
#define DCAP_MAX_ADVISORIES 96
#define DCAP_ADVISORY_LEN 24 /* with NUL: "INTEL-SA-00615" */
#define DCAP_DATE_LEN 24     /* with NUL: "2024-03-13T00:00:00Z" */

#ifdef __cplusplus
extern "C" {
#define DCAP_AT_LEAST(n) n
#else
#define DCAP_AT_LEAST(n) static n /* a pointer to n elements or more */
#endif
#pragma GCC visibility push(default)

/* Why a quote was refused. 0 is not OK. Text: dcap_code_text. */
enum dcap_code {
	DCAP_REFUSED = 0, /* nothing was judged */
	DCAP_OK = 1,
	DCAP_MALFORMED_QUOTE,
	DCAP_UNSUPPORTED_VERSION,
	DCAP_UNSUPPORTED_TEE_TYPE,
	DCAP_UNSUPPORTED_ATT_KEY_TYPE,
	DCAP_UNSUPPORTED_CERT_DATA_TYPE,
	DCAP_BAD_QE_VENDOR_ID,
	DCAP_UNTRUSTED_PCK_CHAIN, /* another root key */
	DCAP_BAD_PCK_CHAIN,
	DCAP_EXPIRED_PCK_CHAIN,
	DCAP_UNTRUSTED_TCB_INFO_CHAIN,
	DCAP_BAD_TCB_INFO_CHAIN,
	DCAP_EXPIRED_TCB_INFO_CHAIN,
	DCAP_UNTRUSTED_QE_IDENTITY_CHAIN,
	DCAP_BAD_QE_IDENTITY_CHAIN,
	DCAP_EXPIRED_QE_IDENTITY_CHAIN,
	DCAP_CRL_MISSING,
	DCAP_CRL_BAD_SIGNATURE,
	DCAP_CRL_EXPIRED, /* or not yet valid */
	DCAP_REVOKED,
	DCAP_BAD_TCB_INFO_SIGNATURE,
	DCAP_BAD_QE_IDENTITY_SIGNATURE,
	DCAP_MALFORMED_COLLATERAL,
	DCAP_TCB_INFO_EXPIRED,
	DCAP_TCB_INFO_NOT_YET_VALID,
	DCAP_TCB_INFO_MISMATCH,
	DCAP_QE_IDENTITY_EXPIRED,
	DCAP_QE_IDENTITY_NOT_YET_VALID,
	DCAP_QE_IDENTITY_MISMATCH,
	DCAP_TDX_MODULE_MISMATCH,
	DCAP_TCB_NOT_SUPPORTED,
	DCAP_TCB_REVOKED,
	DCAP_BAD_QE_REPORT_SIGNATURE,
	DCAP_BAD_QE_REPORT_DATA,
	DCAP_BAD_ATTESTATION_KEY,
	DCAP_BAD_QUOTE_SIGNATURE,
	DCAP_REPORT_DATA_MISMATCH,
	DCAP_POLICY, /* authentic, but the caller's policy says no */
	DCAP_CODES
};
/* "ok", "malformed_quote", ...; "refused" for 0 and unknown values. */
const char *dcap_code_text(enum dcap_code code);

enum dcap_tcb_status {
	DCAP_TCB_NONE = 0, /* no status: never acceptable */
	DCAP_TCB_UP_TO_DATE,
	DCAP_TCB_SW_HARDENING_NEEDED,
	DCAP_TCB_CONFIGURATION_NEEDED,
	DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
	DCAP_TCB_OUT_OF_DATE,
	DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	DCAP_TCB_TD_RELAUNCH_ADVISED,
	DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
	DCAP_TCB_REVOKED_STATUS,
	DCAP_TCB_STATUSES
};
/* Intel's spelling ("UpToDate"); "" for none. */
const char *dcap_tcb_status_text(enum dcap_tcb_status s);
/* The reverse; DCAP_TCB_NONE if it is no status. */
enum dcap_tcb_status dcap_tcb_status_from(const char *text);
#define DCAP_ACCEPT(s) (1u << (s))

enum dcap_tee { DCAP_TEE_NONE = 0, DCAP_TEE_SGX = 1, DCAP_TEE_TDX = 2 };
enum dcap_body {
	DCAP_BODY_NONE = 0,
	DCAP_BODY_SGX = 1,  /* 384 bytes */
	DCAP_BODY_TD10 = 2, /* 584 bytes */
	DCAP_BODY_TD15 = 3, /* 648 bytes */
};

/* A flag that not every certificate has. */
enum dcap_truth { DCAP_ABSENT = 0, DCAP_FALSE = 1, DCAP_TRUE = 2 };

/* One SGX report body, 384 bytes; pointers into it. */
struct dcap_sgx_report {
	const uint8_t *raw;        /* 384 */
	const uint8_t *cpusvn;     /* 16 */
	const uint8_t *miscselect; /* 4 */
	const uint8_t *attributes; /* 16 */
	const uint8_t *mrenclave;  /* 32 */
	const uint8_t *mrsigner;   /* 32 */
	const uint8_t *reportdata; /* 64 */
	uint16_t isvprodid;
	uint16_t isvsvn;
	bool reserved_zero; /* its three reserved fields */
};

/* One TD report body; pointers into it. */
struct dcap_td_report {
	const uint8_t *raw;            /* 584 or 648 */
	const uint8_t *tee_tcb_svn;    /* 16 */
	const uint8_t *mrseam;         /* 48 */
	const uint8_t *mrsignerseam;   /* 48 */
	const uint8_t *seamattributes; /* 8 */
	const uint8_t *tdattributes;   /* 8 */
	const uint8_t *xfam;           /* 8 */
	const uint8_t *mrtd;           /* 48 */
	const uint8_t *mrconfigid;     /* 48 */
	const uint8_t *mrowner;        /* 48 */
	const uint8_t *mrownerconfig;  /* 48 */
	const uint8_t *rtmr[4];        /* 48 each */
	const uint8_t *reportdata;     /* 64 */
	const uint8_t *tee_tcb_svn2;   /* 16; NULL in TD 1.0 */
	const uint8_t *mrservicetd;    /* 48; NULL in TD 1.0 */
};

/* A parsed quote: a view, valid as long as the quote's bytes are. */
struct dcap_quote {
	const uint8_t *raw;
	size_t rawlen;
	uint16_t version; /* 3, 4 or 5 */
	uint16_t att_key_type;
	uint32_t tee_type; /* 0 or 0x81 */
	enum dcap_tee tee;
	enum dcap_body body;
	const uint8_t *header;    /* 48 */
	const uint8_t *vendor_id; /* 16 */
	const uint8_t *user_data; /* 20 */
	struct dcap_sgx_report sgx; /* body == DCAP_BODY_SGX */
	struct dcap_td_report td;   /* otherwise */
	const uint8_t *report_data; /* 64, whichever body */
	size_t signed_len; /* the quote signature covers raw[0..signed_len) */
	const uint8_t *signature;  /* 64: r || s, big-endian */
	const uint8_t *att_key;    /* 64: x || y, big-endian */
	struct dcap_sgx_report qe; /* the quoting enclave's report */
	const uint8_t *qe_signature; /* 64 */
	const uint8_t *qe_auth;
	size_t qe_authlen;
	uint16_t cert_type;  /* inner certification data type */
	const uint8_t *cert; /* PEM chain for type 5 */
	size_t certlen;
	size_t trailing;     /* zero bytes behind the quote */
	bool reserved_zero;  /* reserved header bytes (v4, v5) */
};

/*
 * Parse buf: one quote, then at most zero bytes. On DSTACK_OK *out is set; otherwise *code and why say what is
 * wrong, and the status is DSTACK_E_REJECTED. Says nothing on who made it.
 */
DSTACK_CHECKED enum dstack_status dcap_quote_parse(const void *buf, size_t len,
    struct dcap_quote *out, enum dcap_code *code, struct why *why);

/* ---- Collateral -------------------------------------------------------- */

struct dcap_bytes {
	const void *p; /* borrowed for the call */
	size_t n;
};

/*
 * The pieces one by one. Chains: PEM, leaf first. CRLs: DER, PEM, or DER as
 * hex. tcb_info, qe_identity: the signed JSON text, byte for byte.
 * Signatures: 64 bytes r || s, or 128 hex digits. One NUL behind any of them
 * is not part of it: Intel's quote provider library counts it in its sizes
 * (sgx_ql_qve_collateral_t).
 *
 * pck_certificate_chain: may be empty. It is used for quotes that name their
 * PCK certificate without having it (certification data of type 1 to 3), and
 * judged as a quote's own; a quote of type 5 is judged by what it has.
 */
struct dcap_pieces {
	struct dcap_bytes pck_crl_issuer_chain;
	struct dcap_bytes root_ca_crl;
	struct dcap_bytes pck_crl;
	struct dcap_bytes tcb_info_issuer_chain;
	struct dcap_bytes tcb_info;
	struct dcap_bytes tcb_info_signature;
	struct dcap_bytes qe_identity_issuer_chain;
	struct dcap_bytes qe_identity;
	struct dcap_bytes qe_identity_signature;
	struct dcap_bytes pck_certificate_chain;
};

struct dcap_collateral; /* parsed, self-contained, read-only after load */

/*
 * Parse collateral and check every signature in it, up to whatever root key
 * its chains end in (dcap_authenticate compares that key with the trusted
 * one). DSTACK_OK: *out is the caller's, for dcap_collateral_free.
 * DSTACK_E_REJECTED: *code and why say which part is wrong. DSTACK_E_NOMEM.
 */
DSTACK_CHECKED enum dstack_status dcap_collateral_from_pieces(
    const struct dcap_pieces *in, struct dcap_collateral **out,
    enum dcap_code *code, struct why *why);
/* The same from one JSON document with QuoteCollateralV3's field names;
 * pck_certificate_chain may be absent. */
DSTACK_CHECKED enum dstack_status dcap_collateral_load(const void *json,
    size_t len, struct dcap_collateral **out, enum dcap_code *code,
    struct why *why);
void dcap_collateral_free(struct dcap_collateral *c); /* NULL is fine */

/* What a cache or a floor wants to know of loaded collateral. */
struct dcap_collateral_info {
	int64_t not_before; /* latest begin of all parts, seconds UTC */
	int64_t not_after;  /* earliest end of all parts */
	int64_t tcb_issued; /* issueDate of TCB info */
	int64_t qe_issued;  /* issueDate of the QE identity */
	uint32_t tcb_eval;  /* tcbEvaluationDataNumber of TCB info */
	uint32_t qe_eval;   /* and of the QE identity */
	uint64_t root_crl_number;
	uint64_t pck_crl_number;
	enum dcap_tee tee;
	uint8_t fmspc[6];
	uint8_t root_key[64];
};
void dcap_collateral_describe(
    const struct dcap_collateral *c, struct dcap_collateral_info *out);

/*
 * A PCS answer {"NAME":{...},"signature":"hex"}: where the signed text of
 * NAME ("tcbInfo", "enclaveIdentity") lies in body, byte for byte, and its
 * signature. DSTACK_E_FORMAT: not such a document.
 */
DSTACK_CHECKED enum dstack_status dcap_split_signed(const char *body,
    size_t len, const char *name, struct dcap_bytes *text, uint8_t sig[DCAP_AT_LEAST(64)]);

/* ---- Verdict ----------------------------------------------------------- */

/* policy_flags: what a careful policy refuses in an authentic quote. */
#define DCAP_FLAG_TD_DEBUG (1u << 0)
#define DCAP_FLAG_TD_TUD_RESERVED (1u << 1)
#define DCAP_FLAG_SEPT_VE_DISABLE_NOT_SET (1u << 2)
#define DCAP_FLAG_TD_RESERVED_ATTRIBUTES (1u << 3)
#define DCAP_FLAG_TD_MIGRATABLE (1u << 4)
#define DCAP_FLAG_TD_PKS (1u << 5)
#define DCAP_FLAG_TD_KEY_LOCKER (1u << 6)
#define DCAP_FLAG_TD_PERFMON (1u << 7)
#define DCAP_FLAG_MR_SERVICE_TD_NONZERO (1u << 8)
#define DCAP_FLAG_TEE_TCB_SVN2_DIFFERS (1u << 9)
#define DCAP_FLAG_SGX_DEBUG (1u << 10)
#define DCAP_FLAG_RESERVED_NONZERO (1u << 11) /* header or SGX body */
#define DCAP_FLAGS 12
/* Name of flag bit i (0..DCAP_FLAGS-1), as "td_debug". */
const char *dcap_flag_text(unsigned i);

/*
 * Fields are only ever added, into reserved: a program that was built with an
 * older header goes on working. Programs in other languages, and those that
 * want none of that, use the functions below the struct.
 */
#define DCAP_VERDICT_ABI 1
struct dcap_verdict {
	uint32_t abi; /* DCAP_VERDICT_ABI of the library that filled it */
	enum dcap_code code; /* DCAP_OK, or why not */
	struct why why;      /* one line; empty if OK */

	enum dcap_tee tee;
	enum dcap_body body;
	uint16_t version;
	enum dcap_tcb_status tcb_status; /* after convergence */
	enum dcap_tcb_status platform_status;
	enum dcap_tcb_status module_status; /* NONE: no module identity used */
	enum dcap_tcb_status qe_status;
	char module_id[8]; /* "TDX_03" or "" */
	unsigned advisories; /* platform, module, QE; each once */
	char advisory[DCAP_MAX_ADVISORIES][DCAP_ADVISORY_LEN];
	char tcb_date[DCAP_DATE_LEN]; /* the oldest that took part */
	int64_t tcb_date_s;           /* the same, seconds UTC */
	uint32_t tcb_eval; /* the lower of TCB info's and QE identity's */
	int64_t collateral_issued; /* the later issueDate of the two */
	uint64_t root_crl_number;
	uint64_t pck_crl_number;
	uint32_t policy_flags;

	uint8_t fmspc[6];
	uint8_t ppid[16];
	uint8_t pceid[2];
	uint8_t cpusvn[16]; /* of the PCK certificate */
	uint16_t pcesvn;
	bool platform_ca; /* PCK issued by the Platform CA */

	/* TDX (zero for SGX) */
	uint8_t tee_tcb_svn[16];
	uint8_t mr_seam[48];
	uint8_t mr_signer_seam[48];
	uint8_t seam_attributes[8];
	uint8_t td_attributes[8]; /* as in the quote: little-endian */
	uint8_t xfam[8];
	uint8_t mr_td[48];
	uint8_t mr_config_id[48];
	uint8_t mr_owner[48];
	uint8_t mr_owner_config[48];
	uint8_t rtmr[4][48];
	uint8_t tee_tcb_svn2[16]; /* TD 1.5 */
	uint8_t mr_service_td[48];
	/* SGX (zero for TDX) */
	uint8_t sgx_cpusvn[16];
	uint8_t sgx_attributes[16];
	uint8_t mr_enclave[32];
	uint8_t mr_signer[32];
	uint16_t isv_prod_id;
	uint16_t isv_svn;

	uint8_t report_data[64];
	uint8_t user_data[20];
	size_t trailing; /* zero bytes behind the quote */

	/* of the PCK certificate, where the Platform CA issued it */
	enum dcap_truth has_platform_instance; /* never DCAP_FALSE */
	uint8_t platform_instance_id[16];
	enum dcap_truth dynamic_platform;
	enum dcap_truth cached_keys;
	enum dcap_truth smt_enabled;
	/* the quoting enclave's report */
	uint8_t qe_cpusvn[16];
	uint8_t qe_miscselect[4];
	uint8_t qe_attributes[16];
	uint8_t qe_mr_enclave[32];
	uint8_t qe_mr_signer[32];
	uint16_t qe_isv_prod_id;
	uint16_t qe_isv_svn;
	uint16_t cert_data_type; /* inner certification data, 1 to 5 */

	uint8_t reserved[512];
};

/* A verdict on the heap, for dcap_verdict_free. NULL: no memory. */
struct dcap_verdict *dcap_verdict_new(void);
void dcap_verdict_free(struct dcap_verdict *v); /* NULL is fine */

/*
 * Members by name, as "mr_td", "tcb_status", "isv_svn" (the man page has the
 * table). bytes: NULL and *n 0 for no such member, else borrowed. text: "" for
 * none, also statuses and code as text, and "message". number: -1 for none;
 * an enum dcap_truth as its value.
 */
const uint8_t *dcap_verdict_bytes(
    const struct dcap_verdict *v, const char *name, size_t *n);
const char *dcap_verdict_text(const struct dcap_verdict *v, const char *name);
int64_t dcap_verdict_number(const struct dcap_verdict *v, const char *name);
/* Advisory i, or NULL past the last. */
const char *dcap_verdict_advisory(const struct dcap_verdict *v, unsigned i);

/*
 * Public key of the "Intel SGX Root CA", x || y. Its certificate is published
 * by Intel's provisioning certification service (IntelSGXRootCA.der).
 */
extern const uint8_t dcap_intel_root[64];

/* The P-256 key of a root certificate, DER or PEM. Does not judge it. */
DSTACK_CHECKED enum dstack_status dcap_root_from_cert(
    const void *cert, size_t len, uint8_t root_key[DCAP_AT_LEAST(64)], struct why *why);

/*
 * Is the quote genuine at time now (seconds UTC) under root_key, and what is
 * its platform's TCB status? report_data: the 64 bytes it must carry, or NULL
 * if the caller compares out->report_data itself.
 *
 * DSTACK_OK if and only if out->code == DCAP_OK; a Revoked TCB is refused,
 * any other status is the caller's to judge (dcap_apply_policy).
 * DSTACK_E_REJECTED: out->code and out->why; fields may be partly filled.
 * Without memory for OpenSSL's objects a signature counts as wrong.
 */
DSTACK_CHECKED enum dstack_status dcap_authenticate(const void *quote,
    size_t len, const struct dcap_collateral *c, int64_t now,
    const uint8_t root_key[DCAP_AT_LEAST(64)], const uint8_t *report_data,
    struct dcap_verdict *out);

/*
 * Only form, signatures and certificate chain, no collateral: no verdict on
 * the platform, so out->code is never DCAP_OK. *signatures, *chain tell what
 * held; out->why the first thing that did not. For people who look at a
 * quote, not for decisions. DSTACK_OK if both held.
 */
DSTACK_CHECKED enum dstack_status dcap_inspect(const void *quote, size_t len,
    int64_t now, const uint8_t root_key[DCAP_AT_LEAST(64)], bool *signatures,
    bool *chain, enum dcap_code *code, struct dcap_verdict *out);

/* ---- Policy ------------------------------------------------------------ */

/* A zeroed policy refuses everything. */
struct dcap_policy {
	const uint8_t *root_key; /* 64 bytes, borrowed; NULL refuses */
	uint32_t accept_tee;     /* bits 1u << enum dcap_tee */
	uint32_t accept_status;  /* bits DCAP_ACCEPT(status); Revoked never */
	uint32_t allow_flags;    /* policy_flags that are tolerated */
	uint64_t xfam_allow;     /* XFAM bits a TD may have */
	uint32_t min_tcb_eval;   /* floor of tcbEvaluationDataNumber; 0 refuses */
	int64_t min_tcb_date;    /* floor of tcb_date, seconds UTC; 0: none more */
	uint64_t min_root_crl;   /* floors of the CRL numbers; 0 refuses */
	uint64_t min_pck_crl;
	/* "INTEL-SA-..." that are refused although the status is accepted */
	const char *const *deny_advisories; /* borrowed; may be NULL if 0 */
	size_t deny_count;
};

/* XFAM bits of x87, SSE, AVX, AVX-512, PKRU, CET and AMX: what Linux uses. */
#define DCAP_XFAM_LINUX UINT64_C(0x61ae7)

/*
 * May an authentic quote pass? Changes v->code to DCAP_POLICY, v->why and
 * the result to DSTACK_E_REJECTED if not. A verdict that is not DCAP_OK stays
 * as it is and is refused.
 */
DSTACK_CHECKED enum dstack_status dcap_apply_policy(
    struct dcap_verdict *v, const struct dcap_policy *p);

/*
 * dcap_authenticate under p->root_key, then dcap_apply_policy: the one call
 * for a program that decides. report_data must be given: NULL refuses.
 */
DSTACK_CHECKED enum dstack_status dcap_verify(const void *quote, size_t len,
    const struct dcap_collateral *c, int64_t now, const struct dcap_policy *p,
    const uint8_t *report_data, struct dcap_verdict *out);

/* ---- PCK certificate of a quote ---------------------------------------- */

/* What names the collateral a quote needs (PCS: fmspc, ca). */
struct dcap_platform {
	uint8_t fmspc[6];
	bool platform_ca;
	enum dcap_tee tee;
};
/* Read from the quote's own, unverified, PCK certificate. */
DSTACK_CHECKED enum dstack_status dcap_quote_platform(const void *quote,
    size_t len, struct dcap_platform *out, struct why *why);

/* ---- Boot event log ---------------------------------------------------- */

/*
 * What RTMR0 to RTMR3 are after every event of a CCEL log (ACPI 6.5, 5.2.34),
 * from 48 zero bytes: compare with the verdict's. Digests only: an event's
 * data is the attester's word. RTMR3's run-time events are in no such log.
 * used: bytes up to the log's end; events: their number; either may be NULL.
 */
DSTACK_CHECKED enum dstack_status dcap_ccel_replay(const void *log,
    size_t len, uint8_t rtmr[4][48], size_t *used, unsigned *events,
    struct why *why);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
