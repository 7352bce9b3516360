/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes, and the events behind RTMR3, for an app. What comes in is the app's
 * report_data of at most 64 bytes; zeros fill it up, as verifiers outside know
 * it, and the role tee refuses what would look like a quote of the network's
 * own. The log of events goes with each quote: the SDK replays it to RTMR3,
 * and whoever checks a quote of an app has to, since that is where the app and
 * its version are. RTMR0 to RTMR2 have no log here: the image's measurement
 * says them (dstack image measure).
 *
 * A log that is not whole (the role tee started anew, or there was no room) is
 * given as an empty list, which replays to nothing that is in the quote.
 */
#include "guest/service/sdk.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "crypto/hash.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/tee/tee.h"
#include "protocol/eventlog.h"
#include "protocol/events.h"
#include "protocol/statements.h"

#define APP_EVENT "app-event"

#define MAX_QUOTE (64u * 1024)

struct event {
	uint32_t type;
	char name[EVENT_APP_NAME_MAX + 1];
	const uint8_t *payload; /* borrowed of the log */
	size_t len;
	uint8_t digest[48];
};

/* The next event of tee's log. */
static enum dstack_status
next(struct rd *log, struct event *e)
{
	const uint8_t *data = NULL;
	size_t n = 0;
	char name[EVENT_NAME_MAX + 1];
	enum dstack_status st = rd_text(log, name, sizeof(name));
	if (st == DSTACK_OK)
		st = rd_blob(log, EVENT_DATA_MAX, &data, &n);
	if (st != DSTACK_OK)
		return st;
	event_digest(name, data, (uint32_t)n, e->digest);
	e->type = EVENTLOG_GUEST;
	e->payload = data;
	e->len = n;
	memcpy(e->name, name, sizeof(name));
	if (strcmp(name, APP_EVENT) != 0)
		return DSTACK_OK;
	/* The app's own words; its id is the one that Info tells. */
	struct rd r = rd_over(data, n);
	e->type = EVENTLOG_APP;
	if ((st = rd_skip(&r, 32)) == DSTACK_OK)
		st = rd_text(&r, e->name, sizeof(e->name));
	if (st == DSTACK_OK)
		st = rd_blob(
		    &r, EVENT_APP_PAYLOAD_MAX, &e->payload, &e->len);
	return st;
}

/* A cursor over a's log; empty where it is not whole. */
static enum dstack_status
read_log(struct wr *a, struct rd *log, struct why *why)
{
	uint8_t whole = 0;
	const uint8_t *p = NULL;
	size_t n = 0;
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_TEE, TEE_EVENTS, NULL, NULL, 0, a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a->buf, a->len);
	if ((st = rd_u8(&r, &whole)) == DSTACK_OK)
		st = rd_blob(&r, TEE_LOG_MAX, &p, &n);
	if (st == DSTACK_OK)
		*log = rd_over(p, whole == 1 ? n : 0);
	return st;
}

static json_t *
event_json(const struct event *e)
{
	char digest[97];
	AUTO_WR struct wr payload = wr_new(0);
	hex_encode(e->digest, 48, digest);
	wr_hex(&payload, e->payload, e->len);
	wr_u8(&payload, 0);
	if (wr_status(&payload) != DSTACK_OK)
		return NULL;
	return json_pack("{s:i, s:I, s:s, s:s, s:s}", "imr", 3, "event_type",
	    (json_int_t)e->type, "digest", digest, "event", e->name,
	    "event_payload", (const char *)payload.buf);
}

static enum dstack_status
log_json(struct rd log, char **json)
{
	struct event e;
	enum dstack_status st = DSTACK_OK;
	json_t *list = json_array();
	while (st == DSTACK_OK && rd_left(&log) > 0) {
		st = next(&log, &e);
		/* NULL, for want of memory or of UTF-8, is refused there */
		if (st == DSTACK_OK &&
		    json_array_append_new(list, event_json(&e)) != 0)
			st = DSTACK_E_NOMEM;
	}
	*json = st == DSTACK_OK ? json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	return st == DSTACK_OK && *json == NULL ? DSTACK_E_NOMEM : st;
}

enum dstack_status
sdk_event_log(char **json, struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	struct rd log;
	enum dstack_status st = read_log(&a, &log, why);
	return st == DSTACK_OK ? log_json(log, json) : st;
}

/* The quote over rd alone. */
static enum dstack_status
quote_raw(const uint8_t rd[static 64], struct wr *quote, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	const uint8_t *p;
	size_t n;
	wr_put(&ask, rd, 64);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_TEE, TEE_QUOTE_RAW, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_blob(&r, MAX_QUOTE, &p, &n) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "tee: bad answer");
	wr_put(quote, p, n);
	return wr_status(quote);
}

/*
 * A quote and the log that replays to it: taken anew where an event came
 * between the two, as when the app's next version starts just now.
 */
static enum dstack_status
quote_and_log(const uint8_t rd[static 64], struct wr *quote, struct wr *log,
    struct rd *events, struct why *why)
{
	for (int i = 0; i < 3; i++) {
		AUTO_WR struct wr before = wr_new(0);
		struct rd unused;
		wr_free(quote);
		wr_free(log);
		enum dstack_status st = read_log(&before, &unused, why);
		if (st == DSTACK_OK)
			st = quote_raw(rd, quote, why);
		if (st == DSTACK_OK)
			st = read_log(log, events, why);
		if (st != DSTACK_OK)
			return st;
		/* it only grows */
		if (before.len == log->len)
			return DSTACK_OK;
	}
	return why_set(why, DSTACK_E_MISSING, "RTMR3 does not stand still");
}

enum dstack_status
sdk_quote_and_log(const uint8_t rd[static 64], struct wr *quote, char **json,
    struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	struct rd events;
	enum dstack_status st = quote_and_log(rd, quote, &a, &events, why);
	return st == DSTACK_OK ? log_json(events, json) : st;
}

static enum dstack_status
put_quote(json_t *o, const uint8_t rd[static 64], struct why *why)
{
	AUTO_WR struct wr quote = wr_new(0);
	AUTO_WR struct wr hex = wr_new(0);
	AUTO_FREE char *log = NULL;
	enum dstack_status st = sdk_quote_and_log(rd, &quote, &log, why);
	if (st != DSTACK_OK)
		return st;
	wr_hex(&hex, quote.buf, quote.len);
	wr_u8(&hex, 0);
	if ((st = wr_status(&hex)) != DSTACK_OK)
		return st;
	(void)json_object_set_new(
	    o, "quote", json_string((const char *)hex.buf));
	return json_object_set_new(o, "event_log", json_string(log)) == 0
	    ? DSTACK_OK
	    : DSTACK_E_NOMEM;
}

/* Takes o, whatever st is. */
static enum dstack_status
dump(json_t *o, enum dstack_status st, struct wr *out)
{
	char *text = st == DSTACK_OK ? json_dumps(o, JSON_COMPACT) : NULL;
	if (st == DSTACK_OK && text == NULL)
		st = DSTACK_E_NOMEM;
	if (text != NULL)
		wr_str(out, text);
	free(text);
	json_decref(o);
	return st;
}

/* By stmt_report_raw for its padding and, early, for its refusal. */
static enum dstack_status
padded(const struct sdk_request *q, uint8_t rd[static 64], struct why *why)
{
	enum dstack_status st = stmt_report_raw(
	    q->data.len > 0 ? (const void *)q->data.buf : "", q->data.len, rd);
	if (st == DSTACK_E_REJECTED)
		return why_set(why, st, "the second half of report_data is a "
		    "purpose of the network's own quotes");
	return st;
}

enum dstack_status
sdk_get_quote(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	uint8_t rd[64];
	char hex[129];
	(void)app;
	enum dstack_status st = padded(q, rd, why);
	if (st != DSTACK_OK)
		return st;
	json_t *o = json_object();
	hex_encode(rd, 64, hex);
	st = put_quote(o, rd, why);
	(void)json_object_set_new(o, "report_data", json_string(hex));
	(void)json_object_set_new(o, "vm_config", json_string(""));
	return dump(o, st, out);
}

/* SCALE's compact length (https://docs.substrate.io/reference/scale-codec). */
static void
compact(struct wr *w, size_t n)
{
	if (n < 1u << 6)
		wr_u8(w, (uint8_t)(n << 2));
	else if (n < 1u << 14)
		wr_u16le(w, (uint16_t)(n << 2 | 1));
	else
		wr_u32le(w, (uint32_t)(n << 2 | 2));
}

static void
scale_bytes(struct wr *w, const void *p, size_t n)
{
	compact(w, n);
	wr_put(w, p, n);
}

/*
 * Version 0 of the SDK's envelope: a TDX quote, the events, report_data and
 * two things that are not here (events by another rule, configuration).
 */
static enum dstack_status
envelope(struct wr *w, const struct wr *quote, struct rd log,
    const uint8_t rd[static 64])
{
	struct event e;
	struct rd count = log;
	size_t n = 0;
	enum dstack_status st = DSTACK_OK;
	for (; st == DSTACK_OK && rd_left(&count) > 0; n++)
		st = next(&count, &e);
	wr_u8(w, 0); /* version 0 */
	wr_u8(w, 0); /* of a TDX guest */
	scale_bytes(w, quote->buf, quote->len);
	compact(w, n);
	while (st == DSTACK_OK && rd_left(&log) > 0) {
		st = next(&log, &e);
		if (st != DSTACK_OK)
			break;
		wr_u32le(w, 3);
		wr_u32le(w, e.type);
		scale_bytes(w, e.digest, 48);
		scale_bytes(w, e.name, strlen(e.name));
		scale_bytes(w, e.payload, e.len);
	}
	compact(w, 0);
	wr_put(w, rd, 64);
	compact(w, 0);
	return st == DSTACK_OK ? wr_status(w) : st;
}

enum dstack_status
sdk_attest(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr quote = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	struct rd log;
	uint8_t rd[64];
	(void)app;
	enum dstack_status st = padded(q, rd, why);
	if (st == DSTACK_OK)
		st = quote_and_log(rd, &quote, &a, &log, why);
	if (st == DSTACK_OK)
		st = envelope(&w, &quote, log, rd);
	if (st != DSTACK_OK)
		return st;
	wr_str(out, "{\"attestation\":\"");
	wr_hex(out, w.buf, w.len);
	wr_str(out, "\"}");
	return DSTACK_OK;
}

/*
 * The older call hashes what it is given under a prefix, unless that is asked
 * not to be: hash(prefix ":"-ended ‖ data), zeros behind it.
 */
static enum dstack_status
hashed(const struct sdk_request *q, const char *hash, const char *prefix,
    uint8_t rd[static 64], struct why *why)
{
	static const char *const known[] = { "sha256", "sha384", "sha512",
		"sha3-256", "sha3-384", "sha3-512" };
	AUTO_WR struct wr w = wr_new(0);
	size_t n = 0;
	memset(rd, 0, 64);
	wr_str(&w, prefix);
	wr_put(&w, q->data.buf, q->data.len);
	enum dstack_status st = wr_status(&w);
	if (st != DSTACK_OK)
		return st;
	if (strcmp(hash, "keccak256") == 0) {
		keccak256(w.buf, w.len, rd);
		return DSTACK_OK;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(hash, known[i]) == 0)
			return EVP_Q_digest(NULL, hash, NULL, w.buf, w.len, rd,
				   &n) == 1
			    ? DSTACK_OK
			    : DSTACK_E_NOMEM;
	return why_set(why, DSTACK_E_FORMAT,
	    "hash_algorithm '%s' is none of raw, sha256, sha384, sha512, "
	    "sha3-256, sha3-384, sha3-512, keccak256", hash);
}

enum dstack_status
sdk_tdx_quote(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	const char *hash = q->hash[0] != '\0' ? q->hash : "sha512";
	const bool raw = strcmp(hash, "raw") == 0;
	const char *prefix = q->prefix[0] != '\0' ? q->prefix : "app-data:";
	uint8_t rd[64];
	enum dstack_status st;
	(void)app;
	if (!raw)
		st = hashed(q, hash, prefix, rd, why);
	else if (q->prefix[0] != '\0')
		st = why_set(why, DSTACK_E_FORMAT,
		    "raw report_data has no prefix");
	else if (q->data.len > SDK_REPORT_DATA)
		st = why_set(why, DSTACK_E_FORMAT,
		    "raw report_data has at most 64 bytes");
	else
		st = padded(q, rd, why);
	if (st != DSTACK_OK)
		return st;
	json_t *o = json_pack("{s:s, s:s}", "hash_algorithm", hash, "prefix",
	    raw ? "" : prefix);
	return dump(o, put_quote(o, rd, why), out);
}

/*
 * Under the id of this app, so that of two apps' events each is its own; that
 * the name is none of the guest's, tee sees to.
 */
enum dstack_status
sdk_emit_event(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr data = wr_new(0);
	AUTO_WR struct wr ask = wr_new(0);
	wr_put(&data, app->app_id, 32);
	wr_text(&data, q->event);
	wr_blob(&data, q->data.buf, q->data.len);
	wr_text(&ask, APP_EVENT);
	wr_blob(&ask, data.buf, data.len);
	enum dstack_status st = wr_status(&data);
	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_TEE, TEE_EXTEND, &ask, NULL, 0,
		    NULL, why);
	if (st == DSTACK_OK)
		wr_str(out, "{}");
	return st;
}
