/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SDK's calls, on the Unix socket alone. app.c has judged by then who
 * stands between (T33). What comes in is POST with one JSON object; it is
 * parsed whole (lib/protocol/sdk.c), then keyd or tee is asked with the id of
 * the app whose listener this is, and the answer is JSON whatever happens,
 * since the SDK reads nothing else. What the app's author did wrong is told in
 * one line; what fails in here is not for the app to read.
 *
 * Keys pass through and are wiped where they were; the copy in libevent's
 * buffer lives until it is sent.
 */
#include "guest/service/sdk.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/keyd/keyd.h"
#include "guest/tee/tee.h"
#include "protocol/statements.h"

/* What the calls below are those of, for who asks /Version. */
#define SDK_API "0.5.8"
#define SDK_REV "dstack2"

static void
reply(struct evhttp_request *req, int code, const char *reason, const void *p,
    size_t n)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", "application/json");
	(void)evhttp_add_header(h, "Cache-Control", "no-store");
	if (b != NULL)
		(void)evbuffer_add(b, p, n);
	evhttp_send_reply(req, code, reason, b);
	if (b != NULL)
		evbuffer_free(b);
}

void
sdk_error(struct evhttp_request *req, int code, const char *text)
{
	json_t *o = json_pack("{s:s}", "error", text);
	char *s = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	if (s == NULL)
		reply(req, 500, "No", "{\"error\":\"no memory\"}", 21);
	else
		reply(req, code, "No", s, strlen(s));
	free(s);
	json_decref(o);
}

/* --- keys ---------------------------------------------------------------- */

/* "signature_chain":[...] of what is left: links of 65 bytes. */
static bool
put_chain(struct wr *out, struct rd *r, const void *first, size_t n)
{
	wr_str(out, "\"signature_chain\":[");
	if (first != NULL) {
		wr_str(out, "\"");
		wr_hex(out, first, n);
		wr_str(out, "\",");
	}
	for (int i = 0; i < 2; i++) {
		const uint8_t *sig;
		if (rd_take(r, SECP_SIG_LEN, &sig) != DSTACK_OK)
			return false;
		wr_str(out, i == 0 ? "\"" : ",\"");
		wr_hex(out, sig, SECP_SIG_LEN);
		wr_str(out, "\"");
	}
	wr_str(out, "]");
	return rd_end(r) == DSTACK_OK;
}

/* Not the app's doing, and nothing for it to read. */
static enum dstack_status
strange(struct why *why)
{
	return why_set(why, DSTACK_E_SYS, "a role's answer has another form");
}

/*
 * The path and purpose are the app's own words; keyd derives below the id,
 * which is ours.
 */
static enum dstack_status
get_key(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	const uint8_t *key;
	const uint8_t *pub;
	size_t n;
	wr_put(&ask, app->app_id, 32);
	wr_u8(&ask, (uint8_t)q->alg);
	service_own(app, q->path, &ask);
	wr_text(&ask, q->purpose);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_SDK_KEY, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_take(&r, 32, &key) != DSTACK_OK ||
	    rd_blob(&r, 65, &pub, &n) != DSTACK_OK)
		return strange(why);
	wr_str(out, "{\"key\":\"");
	wr_hex(out, key, 32);
	wr_str(out, "\",");
	if (!put_chain(out, &r, NULL, 0))
		return strange(why);
	wr_str(out, "}");
	return DSTACK_OK;
}

static enum dstack_status
sign(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	const uint8_t *sig;
	const uint8_t *pub;
	size_t nsig;
	size_t npub;
	wr_put(&ask, app->app_id, 32);
	wr_u8(&ask, (uint8_t)q->alg);
	wr_blob(&ask, q->data.buf, q->data.len);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_SDK_SIGN, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_blob(&r, 64, &sig, &nsig) != DSTACK_OK ||
	    rd_blob(&r, 65, &pub, &npub) != DSTACK_OK)
		return strange(why);
	wr_str(out, "{\"signature\":\"");
	wr_hex(out, sig, nsig);
	wr_str(out, "\",\"public_key\":\"");
	wr_hex(out, pub, npub);
	wr_str(out, "\",");
	/* the first link of this chain is the signature itself */
	if (!put_chain(out, &r, sig, nsig))
		return strange(why);
	wr_str(out, "}");
	return DSTACK_OK;
}

/* Arithmetic over what the caller has: nobody else need be asked. */
static enum dstack_status
verify(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	uint8_t digest[32];
	enum dstack_status st;
	(void)app;
	if (q->sig.len != 64)
		return why_set(why, DSTACK_E_FORMAT,
		    "signature is %zu bytes, not 64", q->sig.len);
	if (q->alg == SDK_ED25519) {
		if (q->pub.len != 32)
			return why_set(why, DSTACK_E_FORMAT,
			    "public_key is %zu bytes, not 32", q->pub.len);
		st = ed25519_verify(
		    q->pub.buf, q->data.buf, q->data.len, q->sig.buf);
	} else {
		if (q->alg == SDK_SECP256K1)
			sha256(q->data.buf, q->data.len, digest);
		else
			memcpy(digest, q->data.buf, sizeof(digest));
		st = secp_verify(
		    digest, q->sig.buf, q->pub.buf, q->pub.len);
	}
	if (st == DSTACK_E_FORMAT)
		return why_set(why, st, "public_key is no point of secp256k1");
	if (st != DSTACK_OK && st != DSTACK_E_REJECTED)
		return st;
	wr_fmt(out, "{\"valid\":%s}", st == DSTACK_OK ? "true" : "false");
	return DSTACK_OK;
}

/* --- what this is -------------------------------------------------------- */

static enum dstack_status
version(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	(void)app;
	(void)q;
	(void)why;
	wr_str(out, "{\"version\":\"" SDK_API "\",\"rev\":\"" SDK_REV "\"}");
	return DSTACK_OK;
}

static json_t *
hex_json(const void *p, size_t n)
{
	char hex[2 * 48 + 1];
	if (n > 48)
		return NULL;
	hex_encode(p, n, hex);
	return json_string(hex);
}

/*
 * tcb_info is a text in which the SDK finds JSON. os_image_hash is what the
 * contract's policy lists (tupleHash); what has no like here is empty.
 */
static enum dstack_status
tcb_info(const struct service_app *app, json_t *info, struct why *why)
{
	static const char *const names[] = { "mrtd", "rtmr0", "rtmr1", "rtmr2",
		"rtmr3" };
	AUTO_WR struct wr a = wr_new(0);
	AUTO_FREE char *log = NULL;
	AUTO_FREE char *text = NULL;
	uint8_t reg[6][48];
	uint8_t tuple[32];
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_TEE, TEE_REPORT, NULL, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != sizeof(reg))
		return strange(why);
	memcpy(reg, a.buf, sizeof(reg));
	stmt_tuple_hash(reg[0], (const uint8_t (*)[48])&reg[1], reg[5], tuple);
	if ((st = sdk_event_log(&log, why)) != DSTACK_OK)
		return st;
	json_t *t = json_object();
	for (size_t i = 0; i < 5; i++)
		(void)json_object_set_new(t, names[i], hex_json(reg[i], 48));
	(void)json_object_set_new(t, "mrconfigid", hex_json(reg[5], 48));
	(void)json_object_set_new(t, "os_image_hash", hex_json(tuple, 32));
	(void)json_object_set_new(
	    t, "compose_hash", hex_json(app->digest, 32));
	(void)json_object_set_new(t, "mr_aggregated", json_string(""));
	(void)json_object_set_new(t, "device_id", json_string(""));
	(void)json_object_set_new(t, "app_compose", json_string(""));
	(void)json_object_set_new(t, "event_log", json_loads(log, 0, NULL));
	text = json_dumps(t, JSON_COMPACT);
	json_decref(t);
	if (text == NULL ||
	    json_object_set_new(info, "tcb_info", json_string(text)) != 0)
		return DSTACK_E_NOMEM;
	(void)json_object_set_new(info, "os_image_hash", hex_json(tuple, 32));
	return DSTACK_OK;
}

/*
 * Public facts, all of them on the chain or in the quote; the app may show
 * them to whoever asks.
 */
static enum dstack_status
info(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	uint8_t epoch_xpub[8 + 20];
	uint8_t node[20];
	char provider[128];
	char xpub[41];
	(void)q;
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_PUBLIC, NULL, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_copy(&r, epoch_xpub, sizeof(epoch_xpub)) != DSTACK_OK ||
	    rd_skip(&r, 32) != DSTACK_OK ||
	    rd_copy(&r, node, sizeof(node)) != DSTACK_OK)
		return strange(why);
	hex_encode(epoch_xpub + 8, 20, xpub);
	(void)snprintf(provider, sizeof(provider),
	    "{\"name\":\"dstack2\",\"id\":\"%s\"}", xpub);
	json_t *o = json_object();
	(void)json_object_set_new(o, "app_id", hex_json(app->app_id, 32));
	(void)json_object_set_new(o, "app_name", json_string(app->name));
	(void)json_object_set_new(o, "instance_id", hex_json(node, 20));
	(void)json_object_set_new(
	    o, "compose_hash", hex_json(app->digest, 32));
	(void)json_object_set_new(
	    o, "key_provider_info", json_string(provider));
	AUTO_WR struct wr pem = wr_new(0);
	static const char *const empty[] = { "device_id",
		"mr_aggregated", "vm_config", "cloud_vendor",
		"cloud_product" };
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		(void)json_object_set_new(o, empty[i], json_string(""));
	st = sdk_authority(app, &pem, why);
	if (st == DSTACK_OK) {
		(void)json_object_set_new(
		    o, "app_cert", json_string((const char *)pem.buf));
		st = tcb_info(app, o, why);
	}
	char *text = st == DSTACK_OK ? json_dumps(o, JSON_COMPACT) : NULL;
	if (text != NULL)
		wr_str(out, text);
	else if (st == DSTACK_OK)
		st = DSTACK_E_NOMEM;
	free(text);
	json_decref(o);
	return st;
}

/* --- the way in ---------------------------------------------------------- */

static bool
call_of(struct evhttp_request *req, enum sdk_call *out)
{
	return sdk_call_of(evhttp_request_get_uri(req), out);
}

bool
sdk_is(struct evhttp_request *req)
{
	enum sdk_call call;
	return call_of(req, &call);
}

static sdk_fn *
function(enum sdk_call call)
{
	switch (call) {
	case SDK_GET_KEY: return get_key;
	case SDK_SIGN: return sign;
	case SDK_VERIFY: return verify;
	case SDK_INFO: return info;
	case SDK_VERSION: return version;
	case SDK_GET_QUOTE: return sdk_get_quote;
	case SDK_ATTEST: return sdk_attest;
	case SDK_TDX_QUOTE: return sdk_tdx_quote;
	case SDK_EMIT_EVENT: return sdk_emit_event;
	case SDK_GET_TLS_KEY:
	case SDK_DERIVE_KEY: return sdk_tls_key;
	default: return NULL;
	}
}

void
sdk_serve(struct evhttp_request *req, const struct service_app *app)
{
	AUTO_SDK struct sdk_request q = { .nalt = 0 };
	AUTO_WR struct wr out = wr_new(0);
	struct why why = { "" };
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	const size_t n = evbuffer_get_length(in);
	enum sdk_call call;
	/* what has no members may be asked by GET, as people at a shell do */
	if (!call_of(req, &call) ||
	    (evhttp_request_get_command(req) != EVHTTP_REQ_POST &&
		call != SDK_INFO && call != SDK_VERSION)) {
		sdk_error(req, 405, "only POST, with a JSON object");
		return;
	}
	const uint8_t *body = n > 0 ? evbuffer_pullup(in, -1) : NULL;
	enum dstack_status st = body == NULL && n > 0
	    ? DSTACK_E_NOMEM
	    : sdk_parse(call, body, n, &q, &why);
	sdk_fn *fn = function(call);
	if (st == DSTACK_OK && fn != NULL)
		st = fn(app, &q, &out, &why);
	else if (st == DSTACK_OK)
		st = why_set(&why, DSTACK_E_FORMAT, "not here yet");
	if (st == DSTACK_OK)
		st = wr_status(&out);
	if (st == DSTACK_OK)
		reply(req, 200, "OK", out.buf, out.len);
	else if (st == DSTACK_E_BUSY)
		sdk_error(req, 503, "this node has not joined yet; ask again");
	else if (st == DSTACK_E_REJECTED || st == DSTACK_E_FORMAT ||
	    st == DSTACK_E_LIMIT)
		sdk_error(req, 400, why.text);
	else
		sdk_error(req, 500, "the guest could not answer; ask again");
}
