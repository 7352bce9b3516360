/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of Intel's JSON documents. Each getter names the member and what it
 * should have been; there are no defaults, so a document without a member is
 * refused where it is needed. A member that comes twice is refused by the
 * parser: which one counts would depend on the reader.
 */
#include "dcap/json.h"

#include <string.h>

#include "base/hex.h"
#include "base/rd.h"

json_t *
jget_parse(const void *text, size_t len, struct why *why)
{
	json_error_t e;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL) {
		(void)why_set(why, DSTACK_E_FORMAT, "not JSON: line %d: %s",
		    e.line, e.text);
		return NULL;
	}
	if (!json_is_object(j)) {
		json_decref(j);
		(void)why_set(why, DSTACK_E_FORMAT, "not a JSON object");
		return NULL;
	}
	return j;
}

enum dstack_status
jget_uint(const json_t *o, const char *name, uint64_t max, uint64_t *out,
    struct why *why)
{
	const json_t *v = json_object_get(o, name);
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no integer from 0 to %llu", name,
		    (unsigned long long)max);
	*out = (uint64_t)json_integer_value(v);
	return DSTACK_OK;
}

enum dstack_status
jget_text(const json_t *o, const char *name, const char **out, struct why *why)
{
	const char *s = json_string_value(json_object_get(o, name));
	if (s == NULL)
		return why_set(
		    why, DSTACK_E_FORMAT, "'%s' is missing or no text", name);
	*out = s;
	return DSTACK_OK;
}

enum dstack_status
jget_hex(const json_t *o, const char *name, void *out, size_t n,
    struct why *why)
{
	const char *s = "";
	enum dstack_status st = jget_text(o, name, &s, why);
	if (st != DSTACK_OK)
		return st;
	/* Exactly 2n digits: with "0x" in front there are too few. */
	if (strlen(s) != 2 * n || hex_decode(s, 2 * n, out, n) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not %zu bytes in hex", name, n);
	return DSTACK_OK;
}

enum dstack_status
jget_object(const json_t *o, const char *name, const json_t **out,
    struct why *why)
{
	const json_t *v = json_object_get(o, name);
	if (!json_is_object(v))
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is missing or no object", name);
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
jget_array(const json_t *o, const char *name, size_t max, const json_t **out,
    struct why *why)
{
	const json_t *v = json_object_get(o, name);
	if (!json_is_array(v) || json_array_size(v) > max)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no array of at most %zu elements", name, max);
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
jget_date(const json_t *o, const char *name, int64_t *out,
    char text[DCAP_DATE_LEN], struct why *why)
{
	const char *s = "";
	enum dstack_status st = jget_text(o, name, &s, why);
	if (st != DSTACK_OK)
		return st;
	if (when_parse(s, out) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no date like 2024-03-13T00:00:00Z", name);
	if (text != NULL)
		memcpy(text, s, strlen(s) + 1);
	return DSTACK_OK;
}

enum dstack_status
jget_window(const json_t *o, struct window *out, struct why *why)
{
	enum dstack_status st =
	    jget_date(o, "issueDate", &out->from, NULL, why);
	if (st != DSTACK_OK)
		return st;
	return jget_date(o, "nextUpdate", &out->to, NULL, why);
}
