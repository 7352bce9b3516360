/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form (application/x-www-form-urlencoded) as the JSON message it stands
 * for, so that one parser judges both. The body is cut at its & signs, each
 * field decoded in place and put where the message has it: beside the
 * statement, or into it. What can go wrong: a percent sign that is none, a
 * NUL, a name twice (which one would count?), a number that is none; each
 * refuses the whole.
 */
#include "host/http/form.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/own.h"

#define FIELDS_MAX 32u
#define NAME_MAX_LEN 32u

/* By its bytes, since clients send any content type. */
bool
form_is(const void *body, size_t len)
{
	const char *p = body;

	while (len > 0 && (*p == ' ' || *p == '\t' || *p == '\r' ||
	                      *p == '\n')) {
		p++;
		len--;
	}
	return len > 0 && *p != '{' && *p != '[' && memchr(p, '=', len) != NULL;
}

/* Of either case; -1: none. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place; false: a percent sign that is none, or a NUL. */
static bool
decode(char *text, size_t n, size_t *len)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i] == '+' ? ' ' : text[i];
		if (c == '%') {
			int hi = i + 2 < n ? digit(text[i + 1]) : -1;
			int lo = i + 2 < n ? digit(text[i + 2]) : -1;
			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (c == '\0')
			return false;
		text[at++] = c;
	}
	*len = at;
	return true;
}

/* What the messages have beside the statement. */
static bool
outer(const char *name)
{
	static const char *const names[] = { "requestId", "suite", "encPub",
		"quoteHash", "sig", "quote", "collateral", "payee" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A new reference; NULL: it is no value of that name. */
static json_t *
value(const char *name, const char *v, size_t n)
{
	if (strcmp(name, "collateral") == 0)
		return json_loadb(v, n, JSON_REJECT_DUPLICATES, NULL);
	if (strcmp(name, "epoch") == 0 || strcmp(name, "suite") == 0 ||
	    strcmp(name, "anchorNumber") == 0)
		return n > 0 && n < 19 && strspn(v, "0123456789") == n
		    ? json_integer(strtoll(v, NULL, 10))
		    : NULL;
	/* UTF-8 is looked at by jansson: other bytes are no string */
	return json_stringn(v, n);
}

/* The field at p, which ends at its own NUL. */
static enum dstack_status
field(json_t *all, json_t *statement, char *p, size_t n, struct why *why)
{
	char *eq = memchr(p, '=', n);
	size_t name_len = 0;
	size_t len = 0;

	if (eq == NULL || eq == p || (size_t)(eq - p) > NAME_MAX_LEN ||
	    !decode(p, (size_t)(eq - p), &name_len) ||
	    !decode(eq + 1, n - (size_t)(eq + 1 - p), &len))
		return why_set(why, DSTACK_E_FORMAT,
		    "form: a field is not name=value");
	p[name_len] = '\0';
	char *v = eq + 1;
	v[len] = '\0';
	json_t *to = outer(p) ? all : statement;
	json_t *j = value(p, v, len);
	if (j == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "form: field '%.32s' has no such value", p);
	if (json_object_get(to, p) != NULL) {
		json_decref(j);
		return why_set(
		    why, DSTACK_E_FORMAT, "form: field '%.32s' twice", p);
	}
	return json_object_set_new(to, p, j) == 0
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_FORMAT, "form: a name is not UTF-8");
}

enum dstack_status
form_json(const char *inner, const void *body, size_t len, struct wr *out,
    struct why *why)
{
	/* decoded in place, so it is ours; the NUL ends the last field */
	AUTO_FREE char *copy = malloc(len + 1);
	json_t *all = json_object();
	json_t *statement = json_object();
	enum dstack_status st = DSTACK_OK;
	unsigned fields = 0;

	if (copy == NULL || json_object_set_new(all, inner, statement) != 0) {
		json_decref(all);
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	}
	memcpy(copy, body, len);
	/* curl --data @file leaves the file's last newline on it */
	while (len > 0 && (copy[len - 1] == '\n' || copy[len - 1] == '\r'))
		len--;
	copy[len] = '\0';
	for (char *p = copy; st == DSTACK_OK && p < copy + len;) {
		char *end = memchr(p, '&', (size_t)(copy + len - p));
		size_t n = (size_t)((end != NULL ? end : copy + len) - p);
		if (++fields > FIELDS_MAX)
			st = why_set(why, DSTACK_E_FORMAT,
			    "form: more than %u fields", FIELDS_MAX);
		else
			st = field(all, statement, p, n, why);
		p += n + 1;
	}
	AUTO_FREE char *text =
	    st == DSTACK_OK ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (st != DSTACK_OK)
		return st;
	if (text == NULL)
		return why_set(why, DSTACK_E_FORMAT, "form: not UTF-8");
	wr_str(out, text);
	return wr_status(out);
}
