/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and CRLs of the simulated PKI, by Intel's profile ("Intel SGX
 * PCK Certificate and Certificate Revocation List Profile Specification"),
 * every field a value of the spec so that a test can make one wrong and have
 * the rest signed as if it were right. Keys are labels (sim/key.h).
 */
#ifndef SIM_CERT_H
#define SIM_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define SIM_CN_ROOT "Intel SGX Root CA"
#define SIM_CN_PLATFORM_CA "Intel SGX PCK Platform CA"
#define SIM_CN_PROCESSOR_CA "Intel SGX PCK Processor CA"
#define SIM_CN_PCK "Intel SGX PCK Certificate"
#define SIM_CN_TCB_SIGNER "Intel SGX TCB Signing"

#define SIM_SERIAL_MAX 20 /* RFC 5280 4.1.2.2 */

enum sim_aki {
	SIM_AKI_RIGHT,
	SIM_AKI_NONE,
	SIM_AKI_EMPTY, /* an empty SEQUENCE */
	SIM_AKI_OTHER, /* identifies a key that is not there */
};

/* The SGX extension, 1.2.840.113741.1.13.1. */
struct sim_sgx_ext {
	bool present;
	uint8_t ppid[16];
	uint8_t svn[16];
	uint16_t pcesvn;
	uint8_t cpusvn[16];
	uint8_t pceid[2];
	uint8_t fmspc[6];
	uint8_t type; /* 0 standard, 1 scalable */
	uint32_t big_svn;    /* if set, component 1: may not fit a byte */
	uint32_t big_pcesvn; /* likewise, over two bytes */
	unsigned omit; /* bit i: leave .i out (1 PPID ... 5 type) */
	bool fmspc_twice; /* and the second time another one */
};

/* Key usage bits as the first byte of the BIT STRING (RFC 5280 4.2.1.3). */
#define SIM_KU_CA 0x06   /* keyCertSign, cRLSign */
#define SIM_KU_LEAF 0xc0 /* digitalSignature, nonRepudiation */

struct sim_cert_spec {
	const char *cn;
	const char *issuer_cn;
	const char *org; /* of subject and issuer */
	const char *key;
	const char *signer;
	const uint8_t *point; /* 64; if set, the public key in its place */
	uint8_t serial[SIM_SERIAL_MAX];
	size_t serial_len;
	int64_t not_before;
	int64_t not_after;
	bool no_basic;   /* leave basicConstraints out */
	bool basic_twice;
	bool ca;
	int pathlen;     /* below 0: none */
	uint8_t ku;      /* 0: leave keyUsage out */
	enum sim_aki aki;
	bool critical;   /* add an unknown critical extension */
	bool sha384;     /* name ecdsa-with-SHA384, sign with SHA-256 */
	bool flip;       /* one bit of the signature wrong */
	struct sim_sgx_ext sgx;
};

struct sim_crl_spec {
	const char *issuer_cn;
	const char *org;
	const char *signer;
	int64_t this_update;
	int64_t next_update;
	uint64_t number;
	bool no_number;
	enum sim_aki aki;
	bool critical; /* add an unknown critical extension */
	bool flip;
	struct {
		uint8_t serial[SIM_SERIAL_MAX];
		size_t len;
	} revoked[4];
	size_t nrevoked;
};

/*
 * Append the DER of the certificate or CRL to out.
 * DSTACK_E_NOMEM is all that can go wrong.
 */
DSTACK_CHECKED enum dstack_status sim_cert_make(
    const struct sim_cert_spec *spec, struct wr *out);
DSTACK_CHECKED enum dstack_status sim_crl_make(
    const struct sim_crl_spec *spec, struct wr *out);

#endif
