/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd's ops for values that an app's owner seals to it. SECRET_KEY gives the
 * public half of the app's key with the network's statement that it is that:
 * whoever seals can tell it from a key that a host has put in its place.
 * SECRET_OPEN opens a value, under the head as the asker gives it and the epoch
 * as it is here, and seals it again for the key that the asker names, so that
 * no role on the way has it in its memory. The private key and the value are
 * here for no longer than that.
 */
#include "guest/keyd/keyd.h"

#include <string.h>

#include "crypto/hpke.h"
#include "guest/base/ipc.h"
#include "protocol/appsecret.h"
#include "protocol/statements.h"

static enum dstack_status
app_key(const struct keyd *k, const uint8_t app[static 32],
    struct secret32 *key, struct why *why)
{
	AUTO_KEYTREE struct keytree tree = { { { 0 } } };
	enum dstack_status st = keyd_app_ok(k, app, why);

	if (st == DSTACK_OK)
		st = keytree_app(&k->tree, app, &tree);
	return st == DSTACK_OK ? appsecret_key(&tree, key) : st;
}

enum dstack_status
keyd_secret_key(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	static const uint8_t system_app[32] = { 0 };
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	uint8_t data[64]; /* appId || public key */
	uint8_t app_data[32];
	uint8_t digest[32];

	if (rd_copy(body, data, 32) != DSTACK_OK || rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a SECRET_KEY is an appId");
	enum dstack_status st = app_key(k, data, &key, why);
	if (st == DSTACK_OK)
		st = x25519_public(&key, data + 32);
	if (st != DSTACK_OK)
		return st;
	/* the system's word, which no app can have: appId 0 */
	stmt_app_data(&k->domain, system_app, k->epoch, APPSECRET_TAG, data,
	    sizeof(data), app_data);
	stmt_attest_digest(app_data, digest);
	wr_put(out, data + 32, 32);
	wr_put(out, app_data, sizeof(app_data));
	return keyd_sign(&k->net_sign, digest, out, why);
}

static void
wipe_value(uint8_t **p)
{
	if (*p == NULL)
		return;
	explicit_bzero(*p, APPSECRET_VALUE_MAX);
	free(*p);
}

/* Sealed for the asker; the head keeps the hop from being another secret's. */
static enum dstack_status
seal_on(const struct appsecret *s, const uint8_t pub[static 32],
    const uint8_t *value, struct wr *out, struct why *why)
{
	AUTO_WIPE32 struct secret32 ephemeral = { { 0 } };
	AUTO_WR struct wr head = wr_new(256);
	AUTO_FREE uint8_t *ct = malloc(s->ctlen);

	appsecret_head_put(&head, s);
	enum dstack_status st = wr_status(&head);
	if (ct == NULL)
		st = DSTACK_E_NOMEM;
	if (st == DSTACK_OK)
		st = keyd_random(&ephemeral, why);
	if (st == DSTACK_OK)
		st = hpke_seal(pub, &ephemeral, APPSECRET_HOP_INFO,
		    sizeof(APPSECRET_HOP_INFO) - 1, head.buf, head.len, value,
		    s->ctlen - HPKE_OVERHEAD, ct);
	if (st == DSTACK_OK)
		wr_blob(out, ct, s->ctlen);
	return st;
}

enum dstack_status
keyd_secret_open(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	OWN_CLEANUP(wipe_value) uint8_t *value = malloc(APPSECRET_VALUE_MAX);
	struct appsecret s;
	const uint8_t *file = NULL;
	size_t n = 0;
	uint8_t pub[32];

	if (rd_copy(body, pub, 32) != DSTACK_OK ||
	    rd_blob(body, APPSECRET_FILE_MAX, &file, &n) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a SECRET_OPEN is a key and a file");
	if (value == NULL)
		return DSTACK_E_NOMEM;
	if (appsecret_get(file, n, &s) != DSTACK_OK)
		return keyd_no(why, "the file is no sealed secret");
	if (s.epoch != k->epoch)
		return keyd_no(why, "the secret is sealed for another epoch: "
				    "set it again");
	enum dstack_status st = app_key(k, s.app_id, &key, why);
	if (st != DSTACK_OK)
		return st;
	if (appsecret_open(&s, &key, value) != DSTACK_OK)
		return keyd_no(why, "the secret does not open: it is altered, or "
				    "sealed to another key");
	return seal_on(&s, pub, value, out, why);
}
