/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of sealed values. They lie with a host, so the reader believes none of
 * the head before the value has opened under it: an epoch, an app, a name or a
 * version that was changed does not open. What the head cannot show is that a
 * newer file exists; for that the guest keeps the highest version it has seen
 * (guest/kubernethes/secrets.c).
 */
#include "protocol/appsecret.h"

#include <string.h>

#include "base/rd.h"
#include "crypto/hpke.h"

#define FILE_VERSION 1

bool
appsecret_name_ok(const char *name)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(name);

	return n >= 1 && n <= APPSECRET_NAME_MAX && strspn(name, set) == n &&
	    name[0] != '.';
}

enum dstack_status
appsecret_names_parse(const char *value, struct appsecret_names *out)
{
	const char *p = value;

	*out = (struct appsecret_names){ .n = 0 };
	for (;;) {
		size_t n = strcspn(p, ",");
		if (out->n == APPSECRET_MAX || n > APPSECRET_NAME_MAX)
			return DSTACK_E_REJECTED;
		char *name = out->name[out->n];
		memcpy(name, p, n);
		name[n] = '\0';
		if (!appsecret_name_ok(name))
			return DSTACK_E_REJECTED;
		for (size_t i = 0; i < out->n; i++)
			if (strcmp(out->name[i], name) == 0)
				return DSTACK_E_REJECTED;
		out->n++;
		if (p[n] == '\0')
			return DSTACK_OK;
		p += n + 1;
	}
}

enum dstack_status
appsecret_get(const void *p, size_t n, struct appsecret *out)
{
	struct rd r = rd_over(p, n);
	uint8_t version = 0;
	enum dstack_status st;

	memset(out, 0, sizeof(*out));
	if ((st = rd_u8(&r, &version)) != DSTACK_OK)
		return st;
	if (version != FILE_VERSION)
		return DSTACK_E_FORMAT;
	if ((st = rd_u64be(&r, &out->epoch)) != DSTACK_OK ||
	    (st = rd_copy(&r, out->app_id, 32)) != DSTACK_OK ||
	    (st = rd_text(&r, out->name, sizeof(out->name))) != DSTACK_OK ||
	    (st = rd_u64be(&r, &out->version)) != DSTACK_OK ||
	    (st = rd_blob(&r, APPSECRET_VALUE_MAX + HPKE_OVERHEAD, &out->ct,
	         &out->ctlen)) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return st;
	if (!appsecret_name_ok(out->name) || out->version == 0 ||
	    out->ctlen < HPKE_OVERHEAD)
		return DSTACK_E_FORMAT;
	return DSTACK_OK;
}

void
appsecret_head_put(struct wr *w, const struct appsecret *s)
{
	wr_u8(w, FILE_VERSION);
	wr_u64be(w, s->epoch);
	wr_put(w, s->app_id, 32);
	wr_text(w, s->name);
	wr_u64be(w, s->version);
}

enum dstack_status
appsecret_put(struct wr *out, const struct appsecret *s,
    const uint8_t pub[static 32], const struct secret32 *ephemeral,
    const void *value, size_t n)
{
	AUTO_WR struct wr head = wr_new(256);
	enum dstack_status st;

	if (n > APPSECRET_VALUE_MAX)
		return DSTACK_E_LIMIT;
	appsecret_head_put(&head, s);
	if ((st = wr_status(&head)) != DSTACK_OK)
		return st;
	AUTO_FREE uint8_t *ct = malloc(n + HPKE_OVERHEAD);
	if (ct == NULL)
		return DSTACK_E_NOMEM;
	st = hpke_seal(pub, ephemeral, APPSECRET_INFO,
	    sizeof(APPSECRET_INFO) - 1, head.buf, head.len, value, n, ct);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, head.buf, head.len);
	wr_blob(out, ct, n + HPKE_OVERHEAD);
	return wr_status(out);
}

enum dstack_status
appsecret_open(
    const struct appsecret *s, const struct secret32 *key, void *value)
{
	AUTO_WR struct wr head = wr_new(256);
	enum dstack_status st;

	appsecret_head_put(&head, s);
	if ((st = wr_status(&head)) != DSTACK_OK)
		return st;
	return hpke_open(key, APPSECRET_INFO, sizeof(APPSECRET_INFO) - 1,
	    head.buf, head.len, s->ct, s->ctlen, value);
}

enum dstack_status
appsecret_key(const struct keytree *app, struct secret32 *key)
{
	return keytree_derive(app, "app-secret", NULL, 0, key->b, 32);
}
