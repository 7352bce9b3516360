/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels: the settings of an app that Docker has no word for. The image's
 * digest covers them, so the owner chooses them with the version and anybody
 * can see them. What comes in is the config's member Labels. Labels of other
 * names are kept as they are and mean nothing here. One that begins with
 * "dstack." must be in the table below, with a value that its check takes: a
 * misspelt setting is refused by inspect and node alike, never passed over.
 */
#include "oci/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/hpke.h"

#define PREFIX "dstack."

/* dstack.port: the TCP port inside the container that clients reach. */
static bool
take_port(const char *value, struct oci_config *c)
{
	size_t n = strlen(value);
	if (n == 0 || n > 5 || strspn(value, "0123456789") != n ||
	    value[0] == '0')
		return false;
	unsigned long v = strtoul(value, NULL, 10);
	if (v > 65535)
		return false;
	c->port = (uint16_t)v;
	return true;
}

/* dstack.egress: may it reach the Internet (docs/app-reference.md)? */
static bool
take_egress(const char *value, struct oci_config *c)
{
	c->egress = strcmp(value, "open") == 0;
	return c->egress || strcmp(value, "none") == 0;
}

/* dstack.proxy: how the app is told who its client is. */
static bool
take_proxy(const char *value, struct oci_config *c)
{
	c->proxy = true;
	return strcmp(value, "v2") == 0;
}

static bool
take_h2(const char *value, struct oci_config *c)
{
	c->h2 = value[0] == 'y' ? OCI_H2_YES : OCI_H2_NO;
	return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
}

/*
 * X-Forwarded-For would have to be put into each request, and forged ones
 * taken out, so the guest would have to be an HTTP proxy. No library that is
 * well kept and small does that for HTTP/1.1, HTTP/2 and WebSockets.
 */
static bool
take_forwarded(const char *value, struct oci_config *c)
{
	(void)value;
	(void)c;
	return false;
}

/* dstack.store: where the image's tree is while it runs. */
static bool
take_store(const char *value, struct oci_config *c)
{
	c->on_volume = strcmp(value, "volume") == 0;
	return c->on_volume || strcmp(value, "memory") == 0;
}

/* dstack.logs: who may read what the app writes (protocol/applog.h). */
static bool
take_logs(const char *value, struct oci_config *c)
{
	struct secret32 any = { { 1 } };
	uint8_t key[32];
	uint8_t sealed[1 + HPKE_OVERHEAD];

	(void)c;
	if (strcmp(value, "none") == 0 || strcmp(value, "host") == 0)
		return true;
	/* also no key that nothing can be sealed to: found before a node does */
	return strlen(value) == 64 &&
	    hex_decode(value, 64, key, 32) == DSTACK_OK &&
	    hpke_seal(key, &any, "", 0, "", 0, "", 1, sealed) == DSTACK_OK;
}

/*
 * dstack.secrets: what must be there before the app starts. The rule is that of
 * appsecret_names_parse (protocol/appsecret.h), which lies above this room.
 */
static bool
take_secrets(const char *value, struct oci_config *c)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	const char *p = value;

	(void)c;
	for (unsigned names = 1;; names++) {
		size_t n = strcspn(p, ",");
		if (n == 0 || n > 48 || names > 16 || p[0] == '.' ||
		    strspn(p, set) != n)
			return false;
		for (const char *q = value; q != p; q += strcspn(q, ",") + 1)
			if (strcspn(q, ",") == n && strncmp(q, p, n) == 0)
				return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

static const struct setting {
	const char *key;
	const char *takes; /* for who wrote something else */
	bool (*take)(const char *value, struct oci_config *c);
} settings[] = {
	{ PREFIX "egress", "none or open", take_egress },
	{ PREFIX "port", "a port, 1 to 65535", take_port },
	{ PREFIX "proxy", "v2", take_proxy },
	{ PREFIX "h2", "yes or no", take_h2 },
	{ PREFIX "forwarded", "nothing (the guest parses no HTTP; "
	    PREFIX "proxy=v2 tells the client's address)", take_forwarded },
	{ PREFIX "store", "memory or volume", take_store },
	{ PREFIX "secrets", "up to 16 names of [A-Za-z0-9_.-], a comma between "
			    "two", take_secrets },
	{ PREFIX "logs", "none, host, or the 64 hex digits that dstack app "
			 "logs --new-key prints", take_logs },
};

#define NSETTINGS (sizeof(settings) / sizeof(settings[0]))

static enum dstack_status
judge(const struct oci_label *l, struct oci_config *c, struct why *why)
{
	if (strncmp(l->key, PREFIX, strlen(PREFIX)) != 0)
		return DSTACK_OK;
	for (size_t i = 0; i < NSETTINGS; i++) {
		if (strcmp(l->key, settings[i].key) != 0)
			continue;
		if (settings[i].take(l->value, c))
			return DSTACK_OK;
		return why_set(why, DSTACK_E_REJECTED,
		    "image config: label %s takes %s, not '%.40s'", l->key,
		    settings[i].takes, l->value);
	}
	return why_set(why, DSTACK_E_REJECTED,
	    "image config: there is no label %.60s here; "
	    "docs/app-reference.md lists those that begin with " PREFIX, l->key);
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct oci_label *)a)->key,
	    ((const struct oci_label *)b)->key);
}

enum dstack_status
oci_labels_take(json_t *root, struct oci_config *out, struct why *why)
{
	json_t *j = json_object_get(root, "Labels");
	const char *key = NULL;
	json_t *v = NULL;
	if (j == NULL || json_is_null(j))
		return DSTACK_OK;
	if (!json_is_object(j))
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: Labels has the wrong type");
	if (json_object_size(j) > OCI_MAX_LIST)
		return why_set(why, DSTACK_E_LIMIT,
		    "image config: Labels has over %d entries", OCI_MAX_LIST);
	out->labels = calloc(json_object_size(j) + 1, sizeof(*out->labels));
	if (out->labels == NULL)
		return why_set(why, DSTACK_E_NOMEM, "image config: no memory");
	json_object_foreach(j, key, v) {
		struct oci_label *l = &out->labels[out->nlabels];
		const char *text = json_string_value(v);
		if (text == NULL)
			return why_set(why, DSTACK_E_FORMAT,
			    "image config: label %.60s is no text", key);
		if (strlen(text) > OCI_MAX_LABEL ||
		    strlen(key) > OCI_MAX_LABEL)
			return why_set(why, DSTACK_E_LIMIT,
			    "image config: label %.60s is over %d bytes", key,
			    OCI_MAX_LABEL);
		out->nlabels++;
		l->key = strdup(key);
		l->value = strdup(text);
		if (l->key == NULL || l->value == NULL)
			return why_set(why, DSTACK_E_NOMEM,
			    "image config: no memory");
		enum dstack_status st = judge(l, out, why);
		if (st != DSTACK_OK)
			return st;
	}
	qsort(out->labels, out->nlabels, sizeof(*out->labels), by_key);
	return DSTACK_OK;
}

const char *
oci_label(const struct oci_config *c, const char *key)
{
	for (size_t i = 0; i < c->nlabels; i++)
		if (strcmp(c->labels[i].key, key) == 0)
			return c->labels[i].value;
	return NULL;
}

void
oci_labels_free(struct oci_config *c)
{
	for (size_t i = 0; i < c->nlabels; i++) {
		free(c->labels[i].key);
		free(c->labels[i].value);
	}
	free(c->labels);
}
