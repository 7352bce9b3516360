/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people have as a quote, a root and a time, as bytes that the verifier
 * takes. A quote comes raw from a device, as hex or base64 in a mail or from
 * a cloud's metadata service, with line ends, a NUL behind it or "0x" before
 * it. Text is tried as hex first: a text that is both, being of hex digits
 * alone, is never a quote in base64, whose first bytes have a small number in
 * them. What is text and neither is handed on as it is and marked, so that the
 * one line of refusal can say so instead of speaking of a version.
 *
 * Everything is read to a bound and no further, also from standard input.
 */
#include "cli/quote/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "base/own.h"
#include "dcap/json.h"
#include "dcap/when.h"

enum dstack_status
quote_read_file(const char *path, size_t max, uint8_t **out, size_t *len,
    struct why *why)
{
	bool in = strcmp(path, "-") == 0;
	AUTO_CLOSE int fd =
	    in ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", path,
		    strerror(errno));
	AUTO_FREE uint8_t *buf = malloc(max + 1);
	if (buf == NULL)
		return why_set(why, DSTACK_E_NOMEM, "out of memory");
	size_t have = 0;
	while (have <= max) {
		ssize_t n = read(fd, buf + have, max + 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(why, DSTACK_E_SYS, "%s: %s", path,
			    strerror(errno));
		if (n == 0)
			break;
		have += (size_t)n;
	}
	if (have > max)
		return why_set(why, DSTACK_E_LIMIT, "%s: over %zu bytes", path,
		    max);
	*len = have;
	*out = take_ptr(&buf);
	return DSTACK_OK;
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Base64 without blanks, of either alphabet (RFC 4648, 4 and 5), padded or
 * not; n <= INT_MAX. p has room for two bytes more, out for n + 2.
 */
static bool
base64(uint8_t *p, size_t n, uint8_t *out, size_t *len)
{
	size_t pad = 0;
	while (pad < 2 && pad < n && p[n - 1 - pad] == '=')
		pad++;
	if (pad != 0 && n % 4 != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		p[i] = p[i] == '-' ? '+' : p[i] == '_' ? '/' : p[i];
	for (; n % 4 != 0 && pad < 2; pad++)
		p[n++] = '=';
	int got = EVP_DecodeBlock(out, p, (int)n);
	if (n == 0 || n % 4 != 0 || got < 3)
		return false;
	*len = (size_t)got - pad;
	return true;
}

/* Nothing but printable bytes and blanks: no raw quote is. */
static bool
is_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 || p[i] > 0x7e) && !blank(p[i]))
			return false;
	return n > 0;
}

enum dstack_status
quote_read_quote(const char *path, uint8_t **out, size_t *len, bool *garbled,
    struct why *why)
{
	AUTO_FREE uint8_t *p = NULL;
	size_t n = 0, digits = 0;
	enum dstack_status st =
	    quote_read_file(path, 3 * DCAP_MAX_QUOTE, &p, &n, why);
	*garbled = false;
	if (st != DSTACK_OK)
		return st;
	/* a text file may end with a NUL, as a C program writes its strings */
	if (is_text(p, n) || (n > 1 && p[n - 1] == 0 && is_text(p, n - 1))) {
		n -= p[n - 1] == 0;
		AUTO_FREE uint8_t *t = malloc(n + 4);
		if (t == NULL)
			return why_set(why, DSTACK_E_NOMEM, "out of memory");
		for (size_t i = 0; i < n; i++)
			if (!blank(p[i]))
				t[digits++] = p[i];
		/* hex with the usual mark before it */
		size_t at = digits > 2 && t[0] == '0' &&
		        (t[1] == 'x' || t[1] == 'X')
		    ? 2
		    : 0;
		AUTO_FREE uint8_t *raw = malloc(digits + 4);
		if (raw == NULL)
			return why_set(why, DSTACK_E_NOMEM, "out of memory");
		if (hex_decode_var((char *)t + at, digits - at, raw,
		        digits + 1, len) == DSTACK_OK ||
		    base64(t, digits, raw, len)) {
			*out = take_ptr(&raw);
			return DSTACK_OK;
		}
		*garbled = true;
	}
	*len = n;
	*out = take_ptr(&p);
	return DSTACK_OK;
}

enum dstack_status
quote_read_root(const char *path, uint8_t key[64], struct why *why)
{
	AUTO_FREE uint8_t *p = NULL;
	size_t n = 0;
	if (path == NULL) {
		memcpy(key, dcap_intel_root, 64);
		return DSTACK_OK;
	}
	enum dstack_status st = quote_read_file(path, 16384, &p, &n, why);
	if (st == DSTACK_OK)
		st = dcap_root_from_cert(p, n, key, why);
	return st;
}

/* ".123" and "Z" or "+02:00" behind the seconds. */
static bool
zone(const char *s, int64_t *shift)
{
	if (*s == '.') {
		size_t digits = strspn(s + 1, "0123456789");
		if (digits == 0)
			return false;
		s += 1 + digits;
	}
	*shift = 0;
	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	static const char digit[] = "0123456789";
	if ((s[0] != '+' && s[0] != '-') || strlen(s) != 6 || s[3] != ':' ||
	    strspn(s + 1, digit) != 2 || strspn(s + 4, digit) != 2)
		return false;
	int h = (s[1] - '0') * 10 + s[2] - '0';
	int m = (s[4] - '0') * 10 + s[5] - '0';
	if (h > 23 || m > 59)
		return false;
	*shift = (int64_t)(h * 60 + m) * (s[0] == '+' ? 60 : -60);
	return true;
}

enum dstack_status
quote_read_time(const char *text, int64_t *out, struct why *why)
{
	if (text == NULL) {
		*out = time(NULL);
		return DSTACK_OK;
	}
	if (text[0] != '\0' && strlen(text) <= 12 &&
	    text[strspn(text, "0123456789")] == '\0') {
		*out = strtoll(text, NULL, 10);
		return DSTACK_OK;
	}
	char utc[21];
	int64_t shift;
	if (strlen(text) > 19 && zone(text + 19, &shift)) {
		memcpy(utc, text, 19);
		utc[10] = utc[10] == 't' ? 'T' : utc[10];
		utc[19] = 'Z';
		utc[20] = '\0';
		if (when_parse(utc, out) == DSTACK_OK) {
			*out -= shift;
			return DSTACK_OK;
		}
	}
	return why_set(why, DSTACK_E_FORMAT,
	    "'%s' is neither Unix seconds nor RFC 3339", text);
}

/* Each text of the array name, by number(text); 0 there: not known. */
static enum dstack_status
bits(const json_t *j, const char *name, unsigned (*number)(const char *),
    uint32_t *out, struct why *why)
{
	const json_t *list = NULL;
	size_t i;
	json_t *v;
	enum dstack_status st = jget_array(j, name, 32, &list, why);
	if (st != DSTACK_OK)
		return st;
	*out = 0;
	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);
		unsigned bit = s != NULL ? number(s) : 0;
		if (bit == 0)
			return why_set(why, DSTACK_E_FORMAT,
			    "'%s' in %s is not known", s != NULL ? s : "?",
			    name);
		*out |= bit;
	}
	return DSTACK_OK;
}

static unsigned
tee_bit(const char *s)
{
	return strcmp(s, "tdx") == 0 ? 1u << DCAP_TEE_TDX
	    : strcmp(s, "sgx") == 0  ? 1u << DCAP_TEE_SGX
				     : 0;
}

static unsigned
status_bit(const char *s)
{
	enum dcap_tcb_status t = dcap_tcb_status_from(s);
	return t == DCAP_TCB_NONE || t == DCAP_TCB_REVOKED_STATUS
	    ? 0
	    : DCAP_ACCEPT(t);
}

static unsigned
flag_bit(const char *s)
{
	for (unsigned i = 0; i < DCAP_FLAGS; i++)
		if (strcmp(dcap_flag_text(i), s) == 0)
			return 1u << i;
	return 0;
}

static enum dstack_status
xfam(const json_t *j, uint64_t *out, struct why *why)
{
	const char *s = "";
	uint8_t b[8];
	size_t n = 0;
	enum dstack_status st = jget_text(j, "xfam_allow", &s, why);
	if (st != DSTACK_OK)
		return st;
	if (hex_decode_var(s, strlen(s), b, sizeof(b), &n) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'xfam_allow' is no number in hex (whole bytes)");
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out << 8 | b[i];
	return DSTACK_OK;
}

static enum dstack_status
denied(const json_t *j, struct quote_policy *q, struct why *why)
{
	const json_t *list = NULL;
	size_t i;
	json_t *v;
	enum dstack_status st = jget_array(
	    j, "deny_advisories", DCAP_MAX_ADVISORIES, &list, why);
	if (st != DSTACK_OK)
		return st;
	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);
		q->advisory[i] = s != NULL ? strdup(s) : NULL;
		if (q->advisory[i] == NULL)
			return why_set(why, DSTACK_E_FORMAT,
			    "deny_advisories[%zu] is no text", i);
		q->p.deny_count = i + 1;
	}
	q->p.deny_advisories = (const char *const *)q->advisory;
	return DSTACK_OK;
}

enum dstack_status
quote_read_policy(const char *path, struct quote_policy *q, struct why *why)
{
	AUTO_FREE uint8_t *text = NULL;
	size_t n = 0;
	uint64_t eval = 0;
	memset(q, 0, sizeof(*q));
	enum dstack_status st = quote_read_file(path, 65536, &text, &n, why);
	if (st != DSTACK_OK)
		return st;
	AUTO_JSON json_t *j = jget_parse(text, n, why);
	if (j == NULL)
		return why_wrap(why, DSTACK_E_FORMAT, "%s", path);
	st = bits(j, "accept_tee", tee_bit, &q->p.accept_tee, why);
	if (st == DSTACK_OK)
		st = bits(j, "accept_status", status_bit, &q->p.accept_status,
		    why);
	if (st == DSTACK_OK)
		st = bits(j, "allow_flags", flag_bit, &q->p.allow_flags, why);
	if (st == DSTACK_OK)
		st = xfam(j, &q->p.xfam_allow, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "min_tcb_evaluation_data_number", UINT32_MAX,
		    &eval, why);
	if (st == DSTACK_OK)
		st = jget_date(
		    j, "min_tcb_date", &q->p.min_tcb_date, NULL, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "min_root_crl_number", INT64_MAX,
		    &q->p.min_root_crl, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "min_pck_crl_number", INT64_MAX,
		    &q->p.min_pck_crl, why);
	if (st == DSTACK_OK)
		st = denied(j, q, why);
	if (st == DSTACK_OK && json_object_size(j) != 9)
		st = why_set(why, DSTACK_E_FORMAT, "a member is not known");
	if (st != DSTACK_OK) {
		quote_policy_free(q);
		return why_wrap(why, DSTACK_E_FORMAT, "%s", path);
	}
	q->p.min_tcb_eval = (uint32_t)eval;
	return DSTACK_OK;
}

void
quote_policy_free(struct quote_policy *q)
{
	for (size_t i = 0; i < DCAP_MAX_ADVISORIES; i++)
		free(q->advisory[i]);
	memset(q, 0, sizeof(*q));
}
