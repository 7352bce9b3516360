/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Intel publishes for a platform, made for a simulated one: TCB info,
 * QE identity, CRLs and their chains, as one QuoteCollateralV3 document
 * (Intel PCS API v4 has the inner formats). Keys: sim/key.h, and its warning.
 *
 * A struct sim_world holds everything that a verifier of one quote looks at,
 * before any of it is made or signed: fill it with defaults, change a field,
 * and make quote and collateral; all signatures then cover the change. All
 * strings in it are borrowed.
 */
#ifndef SIM_PKI_H
#define SIM_PKI_H

#include "sim/cert.h"
#include "sim/quote.h"

/* Model and TCB of every simulated platform. */
extern const uint8_t sim_fmspc[6];
#define SIM_TCB_EVAL 20
#define SIM_TCB_DATE "2025-01-01T00:00:00Z"
#define SIM_COLLATERAL_DAYS 30

enum sim_ca { SIM_CA_PLATFORM, SIM_CA_PROCESSOR };

#define SIM_MAX_LEVELS 4

struct sim_level {
	uint8_t sgx[16];
	uint16_t pcesvn;
	uint8_t tdx[16];
	uint16_t isvsvn; /* in place of the above: QE, TDX module */
	const char *date;
	const char *status;
	const char *advisory[4]; /* up to the first NULL */
};

struct sim_module {
	const char *id; /* "TDX_01"; NULL ends the list */
	uint8_t mrsigner[48];
	uint8_t attributes[8];
	uint8_t mask[8];
	struct sim_level level[SIM_MAX_LEVELS];
	size_t nlevels;
};

struct sim_tcb_info {
	const char *id; /* "TDX", "SGX" */
	unsigned version;
	int64_t issued;
	int64_t next_update;
	uint8_t fmspc[6];
	uint8_t pceid[2];
	unsigned type;
	unsigned eval;
	struct sim_module own;       /* "tdxModule"; id unused */
	struct sim_module module[2]; /* "tdxModuleIdentities" */
	struct sim_level level[SIM_MAX_LEVELS];
	size_t nlevels;
	const char *text;   /* if set: signed and sent in place of all this */
	const char *signer; /* key; NULL: that of tcb_signer */
	bool flip;          /* one bit of the signature wrong */
};

struct sim_qe_identity {
	const char *id; /* "TD_QE", "QE" */
	unsigned version;
	int64_t issued;
	int64_t next_update;
	unsigned eval;
	uint8_t miscselect[4];
	uint8_t miscselect_mask[4];
	uint8_t attributes[16];
	uint8_t attributes_mask[16];
	uint8_t mrsigner[32];
	uint16_t isvprodid;
	struct sim_level level[SIM_MAX_LEVELS];
	size_t nlevels;
	const char *text;
	const char *signer; /* NULL: that of qe_signer */
	bool flip;
};

struct sim_world {
	struct sim_cert_spec root;       /* in every chain */
	struct sim_cert_spec ca;         /* in the quote's chain */
	struct sim_cert_spec crl_ca;     /* in the PCK CRL's chain */
	struct sim_cert_spec pck;
	struct sim_cert_spec tcb_signer;
	struct sim_cert_spec qe_signer;
	struct sim_crl_spec root_crl;
	struct sim_crl_spec pck_crl;
	struct sim_tcb_info tcb;
	struct sim_qe_identity qe_identity;
	struct sim_quote quote;
	char pck_key[64];
	char att_key[64];
};

/*
 * A world whose quote (TDX v4, all measurements zero) and collateral verify
 * as UpToDate at time now (seconds UTC). platform: any text; each makes a
 * PPID, PCK key and attestation key of its own. Certificates hold from 2020
 * to 2049, CRLs and documents SIM_COLLATERAL_DAYS from a day before now.
 * w->pck.key and the quote's keys point into *w: do not copy the struct.
 */
void sim_world_init(struct sim_world *w, const char *platform,
    enum sim_ca ca, int64_t now);
/* The same for an SGX v3 quote and its collateral ("SGX", "QE"). */
void sim_world_sgx(struct sim_world *w);
/* PPID of a platform. */
void sim_ppid(const char *platform, uint8_t ppid[static 16]);

/* Append leaf, intermediate and root as PEM (the quote's chain). */
DSTACK_CHECKED enum dstack_status sim_pck_chain(
    const struct sim_world *w, struct wr *out);
/* Append the quote, its chain included. */
DSTACK_CHECKED enum dstack_status sim_world_quote(
    const struct sim_world *w, struct wr *out);

/* The signed JSON texts (PCS API v4); errors stick in the writer. */
void sim_tcb_info_text(const struct sim_tcb_info *t, struct wr *out);
void sim_qe_identity_text(const struct sim_qe_identity *q, struct wr *out);

/* The parts of collateral, made; a test may still change or empty one. */
struct sim_collateral {
	struct wr pck_crl_issuer_chain; /* PEM */
	struct wr root_ca_crl;          /* DER */
	struct wr pck_crl;              /* DER */
	struct wr tcb_info_issuer_chain;
	struct wr tcb_info; /* JSON text */
	uint8_t tcb_info_signature[64];
	struct wr qe_identity_issuer_chain;
	struct wr qe_identity;
	uint8_t qe_identity_signature[64];
};
void sim_collateral_free(struct sim_collateral *c);
DSTACK_CHECKED enum dstack_status sim_collateral_make(
    const struct sim_world *w, struct sim_collateral *out);
/* As QuoteCollateralV3 JSON, one line. */
DSTACK_CHECKED enum dstack_status sim_collateral_print(
    const struct sim_collateral *c, struct wr *out);

/*
 * TDX collateral for every simulated platform under ca at time now, as JSON:
 * what the host's collateral service hands out on a simulated network.
 */
DSTACK_CHECKED enum dstack_status sim_collateral_json(
    int64_t now, enum sim_ca ca, struct wr *out);

#endif
