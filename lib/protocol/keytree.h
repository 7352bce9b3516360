/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key tree: every key of an epoch, from its secret S_e.
 *
 *   PRK = HKDF-Extract(SHA-256("dstack2/hkdf/v1" || chainId32 || contract20
 *         || epoch8), S_e)
 *   K(label, c1..cn; L) = HKDF-Expand(PRK, "dstack2/v1" || 0 || len8(label)
 *         || label || n8 || sum of len16(ci) || ci || L16, L)
 *   EC scalar = 1 + (K(...; 48) mod (n - 1)), in constant time
 *
 * Integers are big-endian. All outputs but the seed commitment and the
 * addresses are secret: the caller wipes them. On failure outputs hold
 * nothing. DSTACK_E_LIMIT: a context longer than 65535 bytes or more than
 * KEYTREE_MAX_PARTS of them; DSTACK_E_NOMEM.
 */
#ifndef PROTOCOL_KEYTREE_H
#define PROTOCOL_KEYTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"
#include "crypto/hash.h"

#define KEYTREE_MAX_PARTS 4
#define KEYTREE_TAG_MAX 64 /* characters of an app's tag */
#define KEYTREE_SERVICE_MAX 32 /* and of a service's name */
/* "SERVICE/TAG": of an app of several containers */
#define KEYTREE_OWN_MAX (KEYTREE_SERVICE_MAX + 1 + KEYTREE_TAG_MAX)

/* A pseudorandom key of its own: of an epoch, or of one app in it. */
struct keytree {
	struct secret32 prk;
};

static inline void
keytree_wipe(struct keytree *t)
{
	secret32_wipe(&t->prk);
}
#define AUTO_KEYTREE OWN_CLEANUP(keytree_wipe)

/* The epoch's tree. */
void keytree_init(struct keytree *t, uint64_t chain_id,
    const uint8_t contract[static 20], uint64_t epoch,
    const struct secret32 *secret);

/* K(label, parts; n): for labels that have no function of their own. */
DSTACK_CHECKED enum dstack_status keytree_derive(const struct keytree *t,
    const char *label, const struct piece *parts, size_t count, void *out,
    size_t n);

/* "seed-commit": published in the contract. */
DSTACK_CHECKED enum dstack_status keytree_seed_commit(
    const struct keytree *t, uint8_t out[static 32]);
/* "net-sign/secp256k1" and its address, xPub[e]. addr may be NULL. */
DSTACK_CHECKED enum dstack_status keytree_net_sign(
    const struct keytree *t, struct secret32 *key, uint8_t *addr);
/* "tls/p256" (domain): a P-256 scalar. */
DSTACK_CHECKED enum dstack_status keytree_tls(
    const struct keytree *t, const char *domain, struct secret32 *key);
/* "acme/p256" (ca, domain): a P-256 scalar. */
DSTACK_CHECKED enum dstack_status keytree_acme(const struct keytree *t,
    const char *ca, const char *domain, struct secret32 *key);
/* "vol/xts", "vol/mac", "vol/hdr" (appId, uuid). */
DSTACK_CHECKED enum dstack_status keytree_volume(const struct keytree *t,
    const uint8_t app[static 32], const uint8_t uuid[static 16],
    struct secret64 *xts, struct secret32 *mac, struct secret32 *hdr);
/* "prev-epoch": wraps the secret of the epoch before. */
DSTACK_CHECKED enum dstack_status keytree_prev_epoch(
    const struct keytree *t, struct secret32 *key);

/* "app" (appId): the root of everything the app may ask for. */
DSTACK_CHECKED enum dstack_status keytree_app(const struct keytree *t,
    const uint8_t app[static 32], struct keytree *out);

/*
 * A tag of an app: 1..64 of [A-Za-z0-9._-], not "." and not "..". The
 * functions below answer DSTACK_E_REJECTED to any other.
 */
bool keytree_tag_ok(const char *tag);
/*
 * The same, or "SERVICE/TAG": what guest-service puts before the tag where
 * several containers are one app. No tag has a slash, so none is another's.
 */
bool keytree_own_ok(const char *tag);

/* In the app's tree: GET /getkey/<tag>, before it is written as hex. */
DSTACK_CHECKED enum dstack_status keytree_getkey(
    const struct keytree *app, const char *tag, struct secret32 *key);
/* "getkey/v2" (alg, tag). */
DSTACK_CHECKED enum dstack_status keytree_getkey2(const struct keytree *app,
    const char *alg, const char *tag, struct secret32 *key);
/* "app-sign/secp256k1" (tag) and its address. addr may be NULL. */
DSTACK_CHECKED enum dstack_status keytree_app_sign(const struct keytree *app,
    const char *tag, struct secret32 *key, uint8_t *addr);

/*
 * Keys that apps ask for in the SDK's form, by path and purpose (each at most
 * 65535 bytes, any): "sdk/secp256k1" and "sdk/p256" are scalars,
 * "sdk/ed25519" is a seed.
 */
DSTACK_CHECKED enum dstack_status keytree_sdk_secp(const struct keytree *app,
    const char *path, const char *purpose, struct secret32 *key);
DSTACK_CHECKED enum dstack_status keytree_sdk_p256(const struct keytree *app,
    const char *path, const char *purpose, struct secret32 *key);
DSTACK_CHECKED enum dstack_status keytree_sdk_ed25519(
    const struct keytree *app, const char *path, const char *purpose,
    struct secret32 *seed);
/* "app-ca/p256": the scalar of the app's own certificate authority. */
DSTACK_CHECKED enum dstack_status keytree_app_ca(
    const struct keytree *app, struct secret32 *key);

#endif
