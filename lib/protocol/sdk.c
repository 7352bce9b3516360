/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of the SDK, read strictly.
 *
 * A path names the call. Its body is bounded, parsed as one JSON object in
 * which no member comes twice, and then each member that the call has is taken
 * by name, with its own form and bound; the first fault sticks. At the end as
 * many members must have been taken as there are: an option that this node
 * does not know would else be dropped in silence, and a certificate or a key
 * be another than the app's author thinks. Nothing is judged here but forms.
 */
#include "protocol/sdk.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"

static void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

static const struct {
	const char *path;
	enum sdk_call call;
} paths[] = {
	{ "/GetKey", SDK_GET_KEY },
	{ "/GetTlsKey", SDK_GET_TLS_KEY },
	{ "/GetQuote", SDK_GET_QUOTE },
	{ "/Attest", SDK_ATTEST },
	{ "/Info", SDK_INFO },
	{ "/EmitEvent", SDK_EMIT_EVENT },
	{ "/Sign", SDK_SIGN },
	{ "/Verify", SDK_VERIFY },
	{ "/Version", SDK_VERSION },
	{ "/prpc/Tappd.DeriveKey", SDK_DERIVE_KEY },
	{ "/prpc/Tappd.TdxQuote", SDK_TDX_QUOTE },
	{ "/prpc/Tappd.Info", SDK_INFO },
};

bool
sdk_call_of(const char *path, enum sdk_call *out)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(path, paths[i].path) == 0) {
			*out = paths[i].call;
			return true;
		}
	}
	return false;
}

void
sdk_request_free(struct sdk_request *r)
{
	wr_free(&r->data);
	wr_free(&r->sig);
	wr_free(&r->pub);
}

struct obj {
	const json_t *v;
	size_t taken;
	enum dstack_status st; /* sticks */
	struct why *why;
};

/* A member, or NULL where it is not there or is null. */
static const json_t *
member(struct obj *o, const char *key)
{
	const json_t *v =
	    o->st == DSTACK_OK ? json_object_get(o->v, key) : NULL;
	if (v != NULL)
		o->taken++;
	return json_is_null(v) ? NULL : v;
}

static void
bad(struct obj *o, const char *key, const char *want, size_t max)
{
	if (o->st == DSTACK_OK)
		o->st = why_set(o->why, DSTACK_E_FORMAT,
		    "'%s' is not %s (at most %zu)", key, want, max);
}

/* jansson has refused bad UTF-8 and NUL by now, so strlen tells the length. */
static void
copy_text(struct obj *o, const char *key, const json_t *v, char *out,
    size_t max)
{
	const size_t n = json_string_length(v);
	if (!json_is_string(v) || n > max) {
		bad(o, key, "a text within its bound", max);
		return;
	}
	memcpy(out, json_string_value(v), n + 1);
}

static void
text(struct obj *o, const char *key, char *out, size_t max)
{
	const json_t *v = member(o, key);
	if (v != NULL)
		copy_text(o, key, v, out, max);
}

/* Neither "true" nor 1: an option that is nearly on is a mistake. */
static void
flag(struct obj *o, const char *key, bool *out)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	if (!json_is_boolean(v))
		bad(o, key, "true or false", 1);
	*out = json_is_true(v);
}

static void
seconds(struct obj *o, const char *key, uint64_t *out)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	/* a number with a point or an exponent is none */
	const json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
	if (n < 0 || (uint64_t)n > SDK_MAX_TIME)
		bad(o, key, "seconds since 1970", (size_t)SDK_MAX_TIME);
	else
		*out = (uint64_t)n;
}

/* Hex, with or without 0x, of at most max bytes. */
static void
bytes(struct obj *o, const char *key, size_t max, struct wr *out)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	const size_t len = json_string_length(v);
	if (!json_is_string(v) || len > 2 * max + 2) {
		bad(o, key, "hex within its bound of bytes", max);
		return;
	}
	/* by the text's length, which the body's bound holds */
	AUTO_FREE uint8_t *buf = malloc(len / 2 + 1);
	size_t n = 0;
	if (buf == NULL) {
		o->st = DSTACK_E_NOMEM;
		return;
	}
	if (len > 0 &&
	    hex_decode_var(json_string_value(v), len, buf, len / 2 + 1, &n) !=
		DSTACK_OK) {
		bad(o, key, "hex within its bound of bytes", max);
		return;
	}
	if (n > max) {
		bad(o, key, "hex within its bound of bytes", max);
		return;
	}
	*out = wr_new(max + 1);
	wr_put(out, buf, n);
	o->st = wr_status(out);
}

static void
names(struct obj *o, const char *key, struct sdk_request *r)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	const size_t n = json_array_size(v);
	if (!json_is_array(v) || n > SDK_MAX_NAMES) {
		bad(o, key, "a list of names", SDK_MAX_NAMES);
		return;
	}
	for (size_t i = 0; i < n; i++)
		copy_text(o, key, json_array_get(v, i), r->alt[i],
		    SDK_MAX_TEXT);
	r->nalt = n;
}

/* GetKey derives; Sign and Verify know the prehashed form besides. */
static void
algorithm(struct obj *o, bool prehashed, enum sdk_alg *out)
{
	char name[32] = "";
	text(o, "algorithm", name, sizeof(name) - 1);
	if (name[0] == '\0' || strcmp(name, "secp256k1") == 0 ||
	    strcmp(name, "k256") == 0)
		*out = SDK_SECP256K1;
	else if (strcmp(name, "ed25519") == 0)
		*out = SDK_ED25519;
	else if (prehashed && strcmp(name, "secp256k1_prehashed") == 0)
		*out = SDK_SECP256K1_PREHASHED;
	else if (o->st == DSTACK_OK)
		o->st = why_set(o->why, DSTACK_E_FORMAT,
		    "algorithm '%s' is none of secp256k1, ed25519%s", name,
		    prehashed ? ", secp256k1_prehashed" : "");
}

/* What both calls for a certificate have; what a name may be, keyd judges. */
static void
certificate(struct obj *o, struct sdk_request *r)
{
	text(o, "subject", r->subject, SDK_MAX_TEXT);
	names(o, "alt_names", r);
	flag(o, "usage_ra_tls", &r->ra_tls);
	flag(o, "usage_server_auth", &r->server_auth);
	flag(o, "usage_client_auth", &r->client_auth);
}

static void
members(struct obj *o, struct sdk_request *r)
{
	switch (r->call) {
	case SDK_GET_KEY:
		text(o, "path", r->path, SDK_MAX_TEXT);
		text(o, "purpose", r->purpose, SDK_MAX_TEXT);
		algorithm(o, false, &r->alg);
		break;
	case SDK_GET_TLS_KEY:
		certificate(o, r);
		seconds(o, "not_before", &r->not_before);
		seconds(o, "not_after", &r->not_after);
		flag(o, "with_app_info", &r->app_info);
		r->random_key = true;
		break;
	case SDK_DERIVE_KEY:
		certificate(o, r);
		text(o, "path", r->path, SDK_MAX_TEXT);
		flag(o, "random_seed", &r->random_key);
		break;
	case SDK_GET_QUOTE:
	case SDK_ATTEST:
		bytes(o, "report_data", SDK_REPORT_DATA, &r->data);
		break;
	case SDK_TDX_QUOTE:
		bytes(o, "report_data", SDK_MAX_DATA, &r->data);
		text(o, "hash_algorithm", r->hash, sizeof(r->hash) - 1);
		text(o, "prefix", r->prefix, SDK_MAX_TEXT);
		break;
	case SDK_EMIT_EVENT:
		text(o, "event", r->event, SDK_MAX_EVENT);
		bytes(o, "payload", SDK_MAX_PAYLOAD, &r->data);
		if (o->st == DSTACK_OK && r->event[0] == '\0')
			o->st = why_set(o->why, DSTACK_E_FORMAT,
			    "'event' is missing: an event has a name");
		break;
	case SDK_SIGN:
	case SDK_VERIFY:
		algorithm(o, true, &r->alg);
		bytes(o, "data", SDK_MAX_DATA, &r->data);
		if (o->st == DSTACK_OK && r->alg == SDK_SECP256K1_PREHASHED &&
		    r->data.len != 32)
			o->st = why_set(o->why, DSTACK_E_FORMAT,
			    "secp256k1_prehashed takes a digest of 32 bytes, "
			    "not %zu", r->data.len);
		if (r->call == SDK_SIGN)
			break;
		bytes(o, "signature", 128, &r->sig);
		bytes(o, "public_key", 128, &r->pub);
		break;
	case SDK_INFO:
	case SDK_VERSION:
	default:
		break;
	}
}

/* The first member that the call does not have, for the reason. */
static const char *
stranger(enum sdk_call call, const json_t *v)
{
	const char *key;
	json_t *one;
	json_object_foreach((json_t *)(uintptr_t)v, key, one) {
		struct sdk_request r = { .call = call };
		struct obj o = { v, 0, DSTACK_OK, NULL };
		AUTO_JSON json_t *alone = json_pack("{s:n}", key);
		o.v = alone;
		members(&o, &r);
		sdk_request_free(&r);
		if (o.taken == 0)
			return key;
	}
	return "?";
}

enum dstack_status
sdk_parse(enum sdk_call call, const void *body, size_t n,
    struct sdk_request *out, struct why *why)
{
	if (n > SDK_MAX_BODY)
		return why_set(why, DSTACK_E_LIMIT,
		    "a request has at most %u bytes", SDK_MAX_BODY);
	AUTO_JSON json_t *v = n == 0
	    ? json_object()
	    : json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(v))
		return why_set(why, DSTACK_E_FORMAT,
		    "the body is not one JSON object without members twice");
	struct sdk_request r = { .call = call };
	struct obj o = { v, 0, DSTACK_OK, why };
	members(&o, &r);
	if (o.st == DSTACK_OK && o.taken != json_object_size(v))
		o.st = why_set(why, DSTACK_E_FORMAT,
		    "'%.64s' is not a member that this call has here",
		    stranger(call, v));
	if (o.st != DSTACK_OK) {
		sdk_request_free(&r);
		return o.st;
	}
	*out = r;
	return DSTACK_OK;
}
