/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All keys of a network from its one secret, S_e.
 *
 * First an HKDF extract under a salt of chain, contract and epoch, so that the
 * same S_e in another network or epoch is another tree. Then one expand a key:
 * its info has the label, the number of parts and each part behind its length,
 * and the length asked for; so no key is a prefix of another, and no app can
 * name parts that make another's key. Apps get a subtree of their own
 * (keytree_app), and everything they can ask is derived below it.
 *
 * EC scalars take 48 bytes and reduce them modulo n - 1, plus one: never zero,
 * and no bias that could be measured. The reduction has no branch on the bytes.
 * Whatever fails leaves the key wiped, not half made.
 */
#include "protocol/keytree.h"

#include <string.h>

#include "base/wr.h"
#include "crypto/secp.h"

#define SCALAR_LEN 48 /* bytes reduced to one EC scalar: bias below 2^-128 */

/* Group orders less one, as eight 32-bit limbs, lowest first. */
static const uint32_t secp256k1_n1[8] = { 0xd0364140, 0xbfd25e8c, 0xaf48a03b,
	0xbaaedce6, 0xfffffffe, 0xffffffff, 0xffffffff, 0xffffffff };
static const uint32_t p256_n1[8] = { 0xfc632550, 0xf3b9cac2, 0xa7179e84,
	0xbce6faad, 0xffffffff, 0xffffffff, 0x00000000, 0xffffffff };

void
keytree_init(struct keytree *t, uint64_t chain_id,
    const uint8_t contract[static 20], uint64_t epoch,
    const struct secret32 *secret)
{
	/*
	 * The chain id as the EVM has it, 32 bytes; the epoch as the contract
	 * has it, 8.
	 */
	uint8_t chain32[32] = { 0 };
	uint8_t epoch8[8];
	uint8_t salt[32];
	for (size_t i = 0; i < 8; i++) {
		chain32[31 - i] = (uint8_t)(chain_id >> (8 * i));
		epoch8[7 - i] = (uint8_t)(epoch >> (8 * i));
	}
	const struct piece fixed[] = { /* every piece has a fixed length */
		{ "dstack2/hkdf/v1", 15 },
		{ chain32, sizeof(chain32) },
		{ contract, 20 },
		{ epoch8, sizeof(epoch8) },
	};
	sha256v(fixed, sizeof(fixed) / sizeof(fixed[0]), salt);
	hkdf_extract(
	    salt, sizeof(salt), secret->b, sizeof(secret->b), t->prk.b);
}

enum dstack_status
keytree_derive(const struct keytree *t, const char *label,
    const struct piece *parts, size_t count, void *out, size_t n)
{
	AUTO_WR struct wr info = wr_new(0);
	size_t labellen = strlen(label);
	if (labellen > UINT8_MAX || count > KEYTREE_MAX_PARTS || n > UINT16_MAX)
		return DSTACK_E_LIMIT;
	wr_str(&info, "dstack2/v1");
	wr_u8(&info, 0);
	wr_u8(&info, (uint8_t)labellen);
	wr_str(&info, label);
	wr_u8(&info, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].n > UINT16_MAX)
			return DSTACK_E_LIMIT;
		wr_u16be(&info, (uint16_t)parts[i].n);
		wr_put(&info, parts[i].p, parts[i].n);
	}
	/*
	 * The length belongs to the name of a key: a shorter one is not the
	 * head of a longer one.
	 */
	wr_u16be(&info, (uint16_t)n);
	enum dstack_status st = wr_status(&info);
	if (st != DSTACK_OK)
		return st;
	return hkdf_expand(t->prk.b, info.buf, info.len, out, n);
}

/* r := 2r + bit, less m where that is not below m; r < m before and after. */
static void
shift_in(uint32_t r[static 8], uint32_t bit, const uint32_t m[static 8])
{
	uint32_t d[8];
	uint64_t borrow = 0;
	uint32_t carry = bit;
	for (size_t i = 0; i < 8; i++) {
		uint32_t top = r[i] >> 31;
		r[i] = r[i] << 1 | carry;
		carry = top;
	}
	for (size_t i = 0; i < 8; i++) {
		uint64_t v = (uint64_t)r[i] - m[i] - borrow;
		d[i] = (uint32_t)v;
		borrow = v >> 63;
	}
	/*
	 * Keep the difference where the sum was at least m. A mask instead of
	 * a branch: which way a bit of the secret went must not be seen in
	 * time.
	 */
	uint32_t keep = 0 - (carry | (uint32_t)(1 - borrow));
	for (size_t i = 0; i < 8; i++)
		r[i] = (d[i] & keep) | (r[i] & ~keep);
	explicit_bzero(d, sizeof(d));
}

/* 1 + (wide mod m), big-endian; no branch or index depends on wide. */
static void
to_scalar(const uint8_t wide[static SCALAR_LEN], const uint32_t m[static 8],
    struct secret32 *out)
{
	uint32_t r[8] = { 0 };
	for (size_t i = 0; i < SCALAR_LEN; i++) {
		for (int b = 7; b >= 0; b--)
			shift_in(r, (uint32_t)(wide[i] >> b) & 1, m);
	}
	uint64_t carry = 1;
	for (size_t i = 0; i < 8; i++) {
		carry += r[i];
		for (size_t b = 0; b < 4; b++)
			out->b[31 - 4 * i - b] = (uint8_t)(carry >> (8 * b));
		carry >>= 32;
	}
	explicit_bzero(r, sizeof(r));
}

static enum dstack_status
scalar(const struct keytree *t, const char *label, const struct piece *parts,
    size_t count, const uint32_t m[static 8], struct secret32 *key)
{
	uint8_t wide[SCALAR_LEN];
	enum dstack_status st =
	    keytree_derive(t, label, parts, count, wide, sizeof(wide));
	if (st == DSTACK_OK)
		to_scalar(wide, m, key);
	explicit_bzero(wide, sizeof(wide));
	return st;
}

static enum dstack_status
secp_scalar(const struct keytree *t, const char *label,
    const struct piece *parts, size_t count, struct secret32 *key,
    uint8_t *addr)
{
	enum dstack_status st =
	    scalar(t, label, parts, count, secp256k1_n1, key);
	/*
	 * The address costs a multiplication; who signs often has it already.
	 */
	if (st == DSTACK_OK && addr != NULL)
		st = secp_address(key, addr);
	if (st != DSTACK_OK)
		secret32_wipe(key);
	return st;
}

enum dstack_status
keytree_seed_commit(const struct keytree *t, uint8_t out[static 32])
{
	return keytree_derive(t, "seed-commit", NULL, 0, out, 32);
}

enum dstack_status
keytree_net_sign(const struct keytree *t, struct secret32 *key, uint8_t *addr)
{
	return secp_scalar(t, "net-sign/secp256k1", NULL, 0, key, addr);
}

enum dstack_status
keytree_tls(const struct keytree *t, const char *domain, struct secret32 *key)
{
	const struct piece c[] = { { domain, strlen(domain) } };
	return scalar(t, "tls/p256", c, 1, p256_n1, key);
}

enum dstack_status
keytree_acme(const struct keytree *t, const char *ca, const char *domain,
    struct secret32 *key)
{
	const struct piece c[] = { { ca, strlen(ca) },
		{ domain, strlen(domain) } };
	return scalar(t, "acme/p256", c, 2, p256_n1, key);
}

enum dstack_status
keytree_volume(const struct keytree *t, const uint8_t app[static 32],
    const uint8_t uuid[static 16], struct secret64 *xts, struct secret32 *mac,
    struct secret32 *hdr)
{
	const struct piece c[] = { { app, 32 }, { uuid, 16 } };
	enum dstack_status st =
	    keytree_derive(t, "vol/xts", c, 2, xts->b, sizeof(xts->b));
	if (st == DSTACK_OK)
		st = keytree_derive(t, "vol/mac", c, 2, mac->b, sizeof(mac->b));
	if (st == DSTACK_OK)
		st = keytree_derive(t, "vol/hdr", c, 2, hdr->b, sizeof(hdr->b));
	if (st != DSTACK_OK) {
		secret64_wipe(xts);
		secret32_wipe(mac);
		secret32_wipe(hdr);
	}
	return st;
}

enum dstack_status
keytree_prev_epoch(const struct keytree *t, struct secret32 *key)
{
	return keytree_derive(
	    t, "prev-epoch", NULL, 0, key->b, sizeof(key->b));
}

enum dstack_status
keytree_app(const struct keytree *t, const uint8_t app[static 32],
    struct keytree *out)
{
	const struct piece c[] = { { app, 32 } };
	return keytree_derive(
	    t, "app", c, 1, out->prk.b, sizeof(out->prk.b));
}

/*
 * Tags are parts of URLs and file names on the app plane: no slash, nothing
 * that a path would climb by.
 */
bool
keytree_tag_ok(const char *tag)
{
	size_t n = strnlen(tag, KEYTREE_TAG_MAX + 1);
	if (n == 0 || n > KEYTREE_TAG_MAX)
		return false;
	if (strcmp(tag, ".") == 0 || strcmp(tag, "..") == 0)
		return false;
	return strspn(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                   "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool
keytree_own_ok(const char *tag)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *slash = strchr(tag, '/');
	const size_t n = slash != NULL ? (size_t)(slash - tag) : 0;
	if (slash == NULL)
		return keytree_tag_ok(tag);
	return n != 0 && n <= KEYTREE_SERVICE_MAX &&
	    strspn(tag, letters) == n && keytree_tag_ok(slash + 1);
}

/*
 * The original's getkey, keyed BLAKE2b of the tag, below a key of this app
 * alone: apps written for it get the form they know, and still cannot reach
 * another's.
 */
enum dstack_status
keytree_getkey(
    const struct keytree *app, const char *tag, struct secret32 *key)
{
	AUTO_WIPE32 struct secret32 kb = { { 0 } };
	if (!keytree_own_ok(tag))
		return DSTACK_E_REJECTED;
	enum dstack_status st = keytree_derive(
	    app, "getkey/v1-blake2b", NULL, 0, kb.b, sizeof(kb.b));
	if (st == DSTACK_OK)
		blake2b256_keyed(kb.b, tag, strlen(tag), key->b);
	return st;
}

enum dstack_status
keytree_getkey2(const struct keytree *app, const char *alg, const char *tag,
    struct secret32 *key)
{
	const struct piece c[] = { { alg, strlen(alg) }, { tag, strlen(tag) } };
	if (!keytree_own_ok(tag))
		return DSTACK_E_REJECTED;
	return keytree_derive(
	    app, "getkey/v2", c, 2, key->b, sizeof(key->b));
}

enum dstack_status
keytree_app_sign(const struct keytree *app, const char *tag,
    struct secret32 *key, uint8_t *addr)
{
	const struct piece c[] = { { tag, strlen(tag) } };
	if (!keytree_own_ok(tag))
		return DSTACK_E_REJECTED;
	return secp_scalar(app, "app-sign/secp256k1", c, 1, key, addr);
}

enum dstack_status
keytree_sdk_secp(const struct keytree *app, const char *path,
    const char *purpose, struct secret32 *key)
{
	const struct piece c[] = { { path, strlen(path) },
		{ purpose, strlen(purpose) } };
	return scalar(app, "sdk/secp256k1", c, 2, secp256k1_n1, key);
}

enum dstack_status
keytree_sdk_p256(const struct keytree *app, const char *path,
    const char *purpose, struct secret32 *key)
{
	const struct piece c[] = { { path, strlen(path) },
		{ purpose, strlen(purpose) } };
	return scalar(app, "sdk/p256", c, 2, p256_n1, key);
}

enum dstack_status
keytree_sdk_ed25519(const struct keytree *app, const char *path,
    const char *purpose, struct secret32 *seed)
{
	const struct piece c[] = { { path, strlen(path) },
		{ purpose, strlen(purpose) } };
	return keytree_derive(
	    app, "sdk/ed25519", c, 2, seed->b, sizeof(seed->b));
}

enum dstack_status
keytree_app_ca(const struct keytree *app, struct secret32 *key)
{
	return scalar(app, "app-ca/p256", NULL, 0, p256_n1, key);
}
