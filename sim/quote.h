/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes quotes: TDX v4 and v5 (TD 1.0, 1.5), SGX v3, v4, v5. Layouts: Intel TDX
 * DCAP Quoting Library API, appendix A, and SGX QuoteLibReference, appendix
 * A; integers little-endian. Every field is a value; keys are labels
 * (sim/key.h).
 */
#ifndef SIM_QUOTE_H
#define SIM_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define SIM_TDX 0x81u

/* An SGX report body, 384 bytes. */
struct sim_sgx_report {
	uint8_t cpusvn[16];
	uint8_t miscselect[4];
	uint8_t attributes[16];
	uint8_t mrenclave[32];
	uint8_t mrsigner[32];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint8_t reportdata[64];
};

/* A TD report body, 584 bytes; the last two fields make it 648. */
struct sim_td_report {
	uint8_t tee_tcb_svn[16];
	uint8_t mrseam[48];
	uint8_t mrsignerseam[48];
	uint8_t seamattributes[8];
	uint8_t tdattributes[8];
	uint8_t xfam[8];
	uint8_t mrtd[48];
	uint8_t mrconfigid[48];
	uint8_t mrowner[48];
	uint8_t mrownerconfig[48];
	uint8_t rtmr[4][48];
	uint8_t reportdata[64];
	uint8_t tee_tcb_svn2[16];
	uint8_t mrservicetd[48];
};

struct sim_quote {
	uint16_t version;
	uint16_t att_key_type;
	uint32_t tee_type;
	uint8_t reserved[4]; /* v3: qe_svn, pce_svn */
	uint8_t vendor_id[16];
	uint8_t user_data[20];
	uint16_t body_type; /* v5: 1 SGX, 2 TD 1.0, 3 TD 1.5 */
	uint32_t body_size; /* v5; 0: the right one */
	struct sim_td_report td;
	struct sim_sgx_report sgx; /* v3; v4 of TEE type 0; v5 of body type 1 */
	struct sim_sgx_report qe;  /* its reportdata is made, see below */
	bool qe_reportdata_given;  /* take qe.reportdata as it is */
	uint8_t qe_auth[64];
	size_t qe_authlen;
	const char *att_key;    /* the key in the quote */
	const uint8_t *att_key_bytes; /* 64; if set, in the quote in its place */
	const char *att_signer; /* signs the quote; NULL: att_key */
	const char *qe_signer;  /* signs the QE report: the PCK */
	uint16_t outer_type;    /* v4, v5: 6 */
	uint16_t inner_type;    /* 5: PEM chain */
};

/*
 * Append the quote with the PEM chain of n bytes in it. The QE report's data
 * is SHA-256(attestation key || QE auth data) || 0, unless given.
 * DSTACK_E_NOMEM is all that can go wrong.
 */
DSTACK_CHECKED enum dstack_status sim_quote_make(const struct sim_quote *q,
    const void *chain, size_t n, struct wr *out);

#endif
