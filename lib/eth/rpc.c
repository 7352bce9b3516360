/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC 2.0 as Ethereum's nodes speak it: requests are written, answers are
 * read, nothing is sent. The answers are a stranger's. In this order: how long,
 * how deep and how many values (before a parser allocates for them), whether it
 * is JSON, whether it is the answer to this request, whether it is an error;
 * then each value is read for what it must be, and no other form of it is
 * taken.
 *
 * An error of the server's is DSTACK_E_REJECTED with its message, cut;
 * everything else that is wrong is the answer's form. What the values say is
 * believed by nobody here: header.c and proof.c hold them against hashes.
 */
#include "eth/rpc.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"

#define DEPTH_MAX 16      /* nested arrays and objects of one answer */
#define VALUES_MAX 65536  /* elements and members of one answer */
#define JSONRPC_ID 1

static void
drop(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(drop)

enum dstack_status
eth_rpc_request(struct wr *w, const char *method, json_t *params)
{
	/* params is taken over, also where this fails */
	AUTO_JSON json_t *p = params != NULL ? params : json_array();
	AUTO_JSON json_t *req = json_pack("{s:s, s:i, s:s, s:O}", "jsonrpc",
	    "2.0", "id", JSONRPC_ID, "method", method, "params", p);
	if (p == NULL || req == NULL)
		return DSTACK_E_NOMEM;
	AUTO_FREE char *text = json_dumps(req, JSON_COMPACT);
	if (text == NULL)
		return DSTACK_E_NOMEM;
	wr_str(w, text);
	return wr_status(w);
}

/* Depth and number of values, before a parser allocates for them. */
static enum dstack_status
scan(const char *p, size_t n, struct why *why)
{
	size_t depth = 0;
	size_t values = 0;
	bool in_string = false;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (in_string) {
			/* what is escaped ends no string */
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > DEPTH_MAX)
				return why_set(why, DSTACK_E_LIMIT,
				    "JSON-RPC answer nests deeper than %d",
				    DEPTH_MAX);
			values++;
		} else if (c == ']' || c == '}') {
			/*
			 * too many of them are no JSON, which the parser says
			 * better
			 */
			depth -= depth != 0;
		} else if (c == ',') {
			values++;
		}
		if (values > VALUES_MAX)
			return why_set(why, DSTACK_E_LIMIT,
			    "JSON-RPC answer holds more than %d values",
			    VALUES_MAX);
	}
	return DSTACK_OK;
}

/* Text to JSON, within its bounds. */
static enum dstack_status
parse(const void *text, size_t len, json_t **out, struct why *why)
{
	json_error_t err;
	if (len > ETH_RPC_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "JSON-RPC answer is over %u bytes", ETH_RPC_MAX);
	if (len == 0)
		return why_set(why, DSTACK_E_TRUNCATED,
		    "JSON-RPC answer is empty; is the chain's node up?");
	enum dstack_status st = scan(text, len, why);
	if (st != DSTACK_OK)
		return st;
	/* a name twice in an object would let two readers see two values */
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);
	if (*out == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "JSON-RPC answer is no JSON: %.100s at byte %d", err.text,
		    err.position);
	return DSTACK_OK;
}

/*
 * A node that is no archive forgets states, and a finalized block may be older
 * than what it keeps. What geth, reth, erigon and Nethermind say then.
 */
static bool
says_forgotten(const char *message)
{
	static const char *const words[] = { "missing trie node",
		"historical state", "maximum proof window",
		"requested block is too old", "due to pruning",
		"No state available for block" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(message, words[i]) != NULL)
			return true;
	return false;
}

/* The result of one answer object; a new reference. */
static enum dstack_status
result_of(const json_t *all, json_int_t want, json_t **result, struct why *why)
{
	const char *version =
	    json_string_value(json_object_get(all, "jsonrpc"));
	const json_t *id = json_object_get(all, "id");
	json_t *error = json_object_get(all, "error");
	if (version == NULL || strcmp(version, "2.0") != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "answer is not JSON-RPC 2.0");
	/*
	 * Before the id: servers that could not read a request answer with the
	 * error and the id null.
	 */
	if (error != NULL && !json_is_null(error)) {
		const char *m =
		    json_string_value(json_object_get(error, "message"));
		if (m != NULL && says_forgotten(m))
			return why_set(why, DSTACK_E_REJECTED,
			    "the chain's node keeps no state of a block that "
			    "old (%.60s): take one that does, as an archive "
			    "node",
			    m);
		return why_set(why, DSTACK_E_REJECTED,
		    "the chain's node answers: %.160s",
		    m != NULL ? m : "an error without a message");
	}
	/* a late answer to something else, or one out of a cache */
	if (!json_is_integer(id) || json_integer_value(id) != want)
		return why_set(why, DSTACK_E_FORMAT,
		    "JSON-RPC answer is for another request");
	/*
	 * null is a result, as of a block that is not there; none at all is no
	 * answer
	 */
	json_t *r = json_object_get(all, "result");
	if (r == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "JSON-RPC answer has neither result nor error");
	*result = json_incref(r);
	return DSTACK_OK;
}

enum dstack_status
eth_rpc_result(
    const void *text, size_t len, json_t **result, struct why *why)
{
	AUTO_JSON json_t *all = NULL;
	enum dstack_status st = parse(text, len, &all, why);
	return st != DSTACK_OK ? st : result_of(all, JSONRPC_ID, result, why);
}

enum dstack_status
eth_rpc_batch_request(struct wr *w, const struct eth_rpc_ask *ask, size_t n)
{
	wr_str(w, "[");
	/* each has an id of its own: servers answer in any order */
	for (size_t i = 0; i < n; i++) {
		AUTO_JSON json_t *req = json_pack("{s:s, s:I, s:s, s:O}",
		    "jsonrpc", "2.0", "id", (json_int_t)i + JSONRPC_ID,
		    "method", ask[i].method, "params", ask[i].params);
		AUTO_FREE char *text =
		    req != NULL ? json_dumps(req, JSON_COMPACT) : NULL;
		if (text == NULL)
			return DSTACK_E_NOMEM;
		wr_fmt(w, "%s", i == 0 ? "" : ",");
		wr_str(w, text);
	}
	wr_str(w, "]");
	return wr_status(w);
}

/* The answer with this id, wherever the server put it; NULL: none. */
static const json_t *
with_id(const json_t *all, json_int_t id)
{
	size_t i = 0;
	json_t *o = NULL;
	json_array_foreach (all, i, o) {
		const json_t *v = json_object_get(o, "id");
		if (json_is_integer(v) && json_integer_value(v) == id)
			return o;
	}
	return NULL;
}

enum dstack_status
eth_rpc_batch_results(const void *text, size_t len, struct eth_rpc_ask *ask,
    size_t n, struct why *why)
{
	AUTO_JSON json_t *all = NULL;
	enum dstack_status st = parse(text, len, &all, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * one object for all of them is how servers without batches say so; the
	 * caller asks one by one then
	 */
	if (!json_is_array(all))
		return why_set(why, DSTACK_E_MISSING,
		    "the chain's node does not answer batches");
	for (size_t i = 0; i < n && st == DSTACK_OK; i++) {
		json_int_t id = (json_int_t)i + JSONRPC_ID;
		const json_t *o = with_id(all, id);
		if (o == NULL)
			st = why_set(why, DSTACK_E_FORMAT,
			    "the chain's node left part of a batch out");
		else
			st = result_of(o, id, &ask[i].result, why);
		if (st != DSTACK_OK)
			(void)why_wrap(why, st, "%s", ask[i].method);
	}
	return st;
}

/* The digits behind "0x", and nothing but digits; or NULL. */
static const char *
digits(const json_t *v, size_t *n)
{
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);
	/*
	 * a string with a zero byte inside is longer than strspn sees, and so
	 * refused
	 */
	if (s == NULL || len < 2 || s[0] != '0' || s[1] != 'x')
		return NULL;
	if (strspn(s + 2, "0123456789abcdefABCDEF") != len - 2)
		return NULL;
	*n = len - 2;
	return s + 2;
}

/* A quantity of at most cap bytes, right-aligned into out. */
static enum dstack_status
quantity(const json_t *v, uint8_t *out, size_t cap)
{
	char even[65];
	uint8_t b[32] = { 0 };
	size_t n;
	const char *d = digits(v, &n);
	/*
	 * Quantities have no leading zeros: "0x0" is the only zero. Data has an
	 * even number of digits and may have none.
	 */
	if (d == NULL || n == 0 || (d[0] == '0' && n > 1))
		return DSTACK_E_FORMAT;
	if (n > cap * 2)
		return DSTACK_E_LIMIT;
	/* hex_decode reads whole bytes: an odd quantity gets a zero in front */
	size_t odd = n % 2;
	size_t len = (n + odd) / 2;
	even[0] = '0';
	memcpy(even + odd, d, n);
	enum dstack_status st = hex_decode(even, n + odd, b, len);
	if (st != DSTACK_OK)
		return st;
	memset(out, 0, cap);
	memcpy(out + cap - len, b, len);
	return DSTACK_OK;
}

enum dstack_status
eth_json_u64(const json_t *v, uint64_t *out)
{
	uint8_t b[8];
	enum dstack_status st = quantity(v, b, sizeof(b));
	if (st != DSTACK_OK)
		return st;
	uint64_t n = 0;
	for (size_t i = 0; i < sizeof(b); i++)
		n = n << 8 | b[i];
	*out = n;
	return DSTACK_OK;
}

enum dstack_status
eth_json_u256(const json_t *v, uint8_t out[static 32])
{
	return quantity(v, out, 32);
}

enum dstack_status
eth_json_fixed(const json_t *v, void *out, size_t n)
{
	size_t len;
	const char *d = digits(v, &len);
	if (d == NULL || len != n * 2)
		return DSTACK_E_FORMAT;
	/* nothing is written where nothing was asked for */
	return n == 0 ? DSTACK_OK : hex_decode(d, len, out, n);
}

enum dstack_status
eth_json_data(const json_t *v, size_t max, struct wr *out)
{
	size_t len;
	size_t n;
	const char *d = digits(v, &len);
	if (d == NULL || len % 2 != 0)
		return DSTACK_E_FORMAT;
	if (len / 2 > max)
		return DSTACK_E_LIMIT;
	if (len == 0)
		return wr_status(out);
	/* at most max bytes, which the caller knows to be little */
	AUTO_FREE uint8_t *b = malloc(len / 2);
	if (b == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = hex_decode_var(d, len, b, len / 2, &n);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, b, n);
	return wr_status(out);
}

json_t *
eth_json_hex(const void *p, size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_str(&w, "0x");
	wr_hex(&w, p, n);
	if (wr_status(&w) != DSTACK_OK)
		return NULL;
	return json_stringn((const char *)w.buf, w.len);
}

json_t *
eth_json_quantity(uint64_t v)
{
	char text[19];
	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_string(text);
}
