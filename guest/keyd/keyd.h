/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role keyd: the only process that holds the epoch's secret S_e. It signs
 * from typed fields only, and only what is its own (docs/internals.md 1.3).
 */
#ifndef GUEST_KEYD_H
#define GUEST_KEYD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/secret.h"
#include "base/wr.h"
#include "eth/eip712.h"
#include "guest/base/role.h"
#include "protocol/handon.h"
#include "protocol/keytree.h"
#include "protocol/netcfg.h"

enum keyd_op {
	KEYD_OP_NETCFG = 1,
	KEYD_OP_NODE_KEY = 2,
	KEYD_OP_SIGN_REGISTER = 3,
	KEYD_OP_SIGN_REGISTER_TX = 4,
	KEYD_OP_OPEN = 5,
	KEYD_OP_GENERATE = 6,
	KEYD_OP_SIGN_BOOTSTRAP = 7,
	KEYD_OP_ACTIVATE = 8,
	KEYD_OP_WIPE = 9,
	KEYD_OP_ONBOARD = 10,
	KEYD_OP_GETKEY = 11,
	KEYD_OP_ATTEST = 12,
	KEYD_OP_HEARTBEAT = 13,
	KEYD_OP_PUBLIC = 14,
	KEYD_OP_TLS_KEY = 15,
	KEYD_OP_VOLUME_KEYS = 17,
	KEYD_OP_SIGN_ANCHOR = 18,
	KEYD_OP_TLS_ATTEST = 19,
	KEYD_OP_TLS_BIND = 20,
	KEYD_OP_PENDING = 21,
	KEYD_OP_SECRET_KEY = 26,
	KEYD_OP_SECRET_OPEN = 27,
	KEYD_OP_SDK_KEY = 30,
	KEYD_OP_SDK_SIGN = 31,
	KEYD_OP_SDK_CERT = 32,
	KEYD_OP_SDK_CA = 33,
	KEYD_OP_FRONT = 34,
};

/* Flags of SDK_CERT. */
#define KEYD_CERT_SERVER 1u
#define KEYD_CERT_CLIENT 2u
#define KEYD_CERT_APP 4u /* the app's id as an extension */

enum keyd_phase {
	KEYD_EMPTY = 0, /* no S_e */
	KEYD_HELD = 1,  /* S_e is there and nobody is served from it */
	KEYD_ACTIVE = 2 /* the chain has the record that belongs to S_e */
};

/* All of it lives in one locked page that no dump and no fork gets. */
struct keyd {
	/* secret */
	struct secret32 node_key;
	struct secret32 hpke_key; /* wiped once S_e is here */
	struct secret32 seed;     /* S_e */
	struct secret32 net_sign;
	struct keytree tree;
	/* public */
	enum keyd_phase phase;
	bool configured; /* NETCFG was given */
	bool hpke;       /* the HPKE key is there */
	bool requested;  /* request_id and request_epoch are set */
	bool generated;  /* S_e was made here, not received */
	struct eip712_domain domain;
	char tls_domain[NETCFG_DOMAIN_MAX + 1];
	uint8_t node[20];
	uint8_t enc_pub[32];
	uint8_t request_id[32];
	uint64_t request_epoch;
	uint8_t app[32]; /* the one whose volume was opened; zero: none yet */
	uint8_t submitter[20]; /* of the newest Register or Bootstrap */
	uint64_t anchor; /* block of the newest Bootstrap; 0: none was signed */
	uint64_t epoch;
	uint8_t xpub[20];
	uint8_t seed_commit[32];
	struct handon_view view; /* that S_e was received with; else zero */
};

/* Zero state; makes the node's two keys from the system's randomness. */
DSTACK_CHECKED enum dstack_status keyd_begin(struct keyd *k, struct why *why);

/*
 * One request of the role `from`; the payload of the answer to out. Not
 * DSTACK_OK: why has one line, out must not be sent, and nothing happened but
 * what docs/internals.md says (a wipe). DSTACK_E_BUSY: not active yet.
 */
DSTACK_CHECKED enum dstack_status keyd_handle(struct keyd *k, enum role from,
    uint8_t op, struct rd *body, struct wr *out, struct why *why);

/* Forget S_e and everything derived from it. */
void keyd_forget(struct keyd *k);
/* A fresh HPKE key; on failure there is none. */
DSTACK_CHECKED enum dstack_status keyd_new_hpke(
    struct keyd *k, struct why *why);

/* Within the role. */
typedef enum dstack_status keyd_fn(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why);
keyd_fn keyd_netcfg, keyd_node_key, keyd_sign_register, keyd_sign_register_tx,
    keyd_open, keyd_pending, keyd_generate, keyd_sign_bootstrap, keyd_activate, keyd_wipe,
    keyd_onboard, keyd_getkey, keyd_attest, keyd_heartbeat, keyd_public,
    keyd_tls_key, keyd_tls_attest, keyd_tls_bind, keyd_volume_keys, keyd_sign_anchor,
    keyd_secret_key, keyd_secret_open,
    keyd_sdk_key, keyd_sdk_sign, keyd_sdk_cert, keyd_sdk_ca, keyd_front;

/* May this VM serve that app? */
DSTACK_CHECKED enum dstack_status keyd_app_ok(
    const struct keyd *k, const uint8_t app[static 32], struct why *why);

DSTACK_CHECKED enum dstack_status keyd_random(
    struct secret32 *out, struct why *why);
/* Sign, with fresh extra entropy (THREATS T29), and append the 65 bytes. */
DSTACK_CHECKED enum dstack_status keyd_sign(const struct secret32 *key,
    const uint8_t digest[static 32], struct wr *out, struct why *why);
DSTACK_CHECKED enum dstack_status keyd_no(struct why *why, const char *text);

#endif
