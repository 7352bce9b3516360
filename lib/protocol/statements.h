/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests sign (EIP-712, layout.h has the type texts) and what quotes
 * carry in report_data. Each statement is hashed from typed fields only:
 * nobody signs a digest that came from elsewhere (hole D6).
 *
 * X_put and X_get are the fields in order for messages between roles: u64 as
 * 8 bytes, addresses 20, words 32, u8 as one.
 */
#ifndef PROTOCOL_STATEMENTS_H
#define PROTOCOL_STATEMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"
#include "eth/eip712.h"

#define SUITE_X25519 1 /* RFC 9180, the only suite so far */

struct stmt_bootstrap {
	uint64_t epoch;
	uint8_t xpub[20];
	uint8_t seed_commit[32];
	uint8_t policy_hash[32];
	uint8_t anchor_hash[32];
	uint64_t anchor_number;
	uint8_t submitter[20];
};

struct stmt_register {
	uint64_t epoch;
	uint8_t node[20];
	uint8_t enc_key_hash[32];
	uint8_t policy_hash[32];
	uint8_t anchor_hash[32];
	uint64_t anchor_number;
	uint8_t submitter[20];
	uint8_t nonce[32];
};

struct stmt_onboard {
	uint8_t request_id[32];
	uint64_t epoch;
	uint8_t seed_commit[32];
	uint8_t ct_hash[32];
	uint8_t platform_hash[32];
	uint8_t tcb_status; /* enum km_tcb_status */
	uint8_t payee[20];
};

struct stmt_heartbeat {
	uint8_t node[20];
	uint64_t epoch;
	uint8_t anchor_hash[32];
	uint64_t anchor_number;
};

struct stmt_volume_anchor {
	uint8_t volume_id[32];
	uint64_t generation;
	uint8_t root[32];
	uint64_t epoch;
	uint64_t anchor_number;
	uint8_t anchor_hash[32];
};

/*
 * This TLS session ends in the network (THREATS T32). The client speaks the
 * ALPN protocol below, sends a nonce of 32 bytes, and is answered with
 * TLS_BIND_LEN bytes: version 1 || epoch u64 || sig65. What the session goes
 * on to say is the network's word as well: one byte TLS_SAYS_... of the app
 * that is served, which an older guest leaves out.
 */
#define TLS_BIND_ALPN "dstack-attest/1"
#define TLS_BIND_LABEL "EXPORTER-dstack2-bind" /* context: the nonce */
#define TLS_BIND_LEN (1 + 8 + 65)
#define TLS_SAYS_SERVES 1u /* there is an app; the next bits are of it */
#define TLS_SAYS_EGRESS 2u /* its label dstack.egress is "open" */
#define TLS_BIND_FRONT 1 /* role: who ends the session */

struct stmt_tls_bind {
	uint8_t nonce[32];
	uint8_t exporter[32];  /* RFC 8446, section 7.5 */
	uint8_t spki_hash[32]; /* keccak256 of the leaf's SubjectPublicKeyInfo */
	uint8_t role;
	uint64_t epoch;
};

void stmt_tls_bind_digest(const struct stmt_tls_bind *s,
    const struct eip712_domain *d, uint8_t out[static 32]);
void stmt_bootstrap_digest(const struct stmt_bootstrap *s,
    const struct eip712_domain *d, uint8_t out[static 32]);
/* The digest of Register is the requestId. */
void stmt_register_digest(const struct stmt_register *s,
    const struct eip712_domain *d, uint8_t out[static 32]);
void stmt_register_tx_digest(const uint8_t request_id[static 32],
    const uint8_t quote_hash[static 32], const struct eip712_domain *d,
    uint8_t out[static 32]);
void stmt_onboard_digest(const struct stmt_onboard *s,
    const struct eip712_domain *d, uint8_t out[static 32]);
void stmt_heartbeat_digest(const struct stmt_heartbeat *s,
    const struct eip712_domain *d, uint8_t out[static 32]);
void stmt_volume_anchor_digest(const struct stmt_volume_anchor *s,
    const struct eip712_domain *d, uint8_t out[static 32]);

void stmt_bootstrap_put(struct wr *w, const struct stmt_bootstrap *s);
void stmt_register_put(struct wr *w, const struct stmt_register *s);
void stmt_onboard_put(struct wr *w, const struct stmt_onboard *s);
void stmt_heartbeat_put(struct wr *w, const struct stmt_heartbeat *s);
void stmt_volume_anchor_put(struct wr *w, const struct stmt_volume_anchor *s);
DSTACK_CHECKED enum dstack_status stmt_bootstrap_get(
    struct rd *r, struct stmt_bootstrap *s);
DSTACK_CHECKED enum dstack_status stmt_register_get(
    struct rd *r, struct stmt_register *s);
DSTACK_CHECKED enum dstack_status stmt_onboard_get(
    struct rd *r, struct stmt_onboard *s);
DSTACK_CHECKED enum dstack_status stmt_heartbeat_get(
    struct rd *r, struct stmt_heartbeat *s);
DSTACK_CHECKED enum dstack_status stmt_volume_anchor_get(
    struct rd *r, struct stmt_volume_anchor *s);

/* keccak256(suite || encPub). */
void stmt_enc_key_hash(
    uint8_t suite, const uint8_t pub[static 32], uint8_t out[static 32]);
/* keccak256("dstack2/ppid/v1" || PPID || FMSPC). */
void stmt_platform_hash(const uint8_t ppid[static 16],
    const uint8_t fmspc[static 6], uint8_t out[static 32]);
/* keccak256(MRTD || RTMR0 || RTMR1 || RTMR2 || MRCONFIGID). */
void stmt_tuple_hash(const uint8_t mrtd[static 48], const uint8_t (*rtmr)[48],
    const uint8_t mrconfigid[static 48], uint8_t out[static 32]);

/* report_data, 64 bytes: a purpose's second half is its own constant. */
void stmt_report_register(
    const uint8_t request_id[static 32], uint8_t out[static 64]);
void stmt_report_bootstrap(
    const uint8_t digest[static 32], uint8_t out[static 64]);
void stmt_report_app(const uint8_t app_id[static 32], const void *data,
    size_t len, uint8_t out[static 64]);
/*
 * An app's own report_data, n (at most 64) bytes and zeros behind them, as
 * verifiers outside know it. DSTACK_E_REJECTED: its second half is one of the
 * purposes above, so it could be taken for a quote of the network.
 */
DSTACK_CHECKED enum dstack_status stmt_report_raw(
    const void *data, size_t n, uint8_t out[static 64]);

/*
 * What an app attests (PROTOCOL section 7): keccak256(abi.encode(typehash,
 * chainId, contract, appId, epoch, keccak256(tag), keccak256(data))).
 */
void stmt_app_data(const struct eip712_domain *d,
    const uint8_t app_id[static 32], uint64_t epoch, const char *tag,
    const void *data, size_t len, uint8_t out[static 32]);
/* keccak256("attest" || appData), the digest that verify() expects. */
void stmt_attest_digest(
    const uint8_t app_data[static 32], uint8_t out[static 32]);

/*
 * The two links of an SDK key's signature chain, as the SDK's guests have
 * them. The app's root key (keytree_app_sign, STMT_SDK_ROOT) signs
 * keccak256(purpose || ":" || hex of the public key, n bytes, 32 or 33); the
 * epoch's key signs keccak256("dstack-kms-issued:" || appId || root public
 * key, 33 bytes). Neither can be another statement: those begin otherwise.
 * purpose: at most STMT_SDK_PURPOSE_MAX bytes.
 */
#define STMT_SDK_ROOT "sdk-root"
#define STMT_SDK_PURPOSE_MAX 255
void stmt_sdk_key_digest(const char *purpose, const uint8_t *pub, size_t n,
    uint8_t out[static 32]);
void stmt_sdk_root_digest(const uint8_t app_id[static 32],
    const uint8_t root[static 33], uint8_t out[static 32]);

/* HPKE info of an onboarding: tag || 0x00 || requestId || seedCommit. */
#define STMT_HPKE_INFO_LEN (23 + 1 + 32 + 32)
void stmt_hpke_info(const uint8_t request_id[static 32],
    const uint8_t seed_commit[static 32],
    uint8_t out[static STMT_HPKE_INFO_LEN]);

#endif
