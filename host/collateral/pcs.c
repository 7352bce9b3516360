/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of collateral from a PCS or PCCS of API version 4: TCB info, QE
 * identity, PCK CRL, root CRL. Bodies and headers are a stranger's: bounded in
 * length, and taken apart here into text, signature and issuer chain without
 * changing a byte of what is signed; whether they hold the verifier says. The
 * chains come percent-encoded in headers, whose names Intel changed once, so
 * both are known; the root CRL comes as DER, PEM or hex, depending on who
 * serves it. A part that has not changed (304) is taken over from before.
 */
#include "host/collateral/pcs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/hex.h"
#include "base/rd.h"
#include "dcap/pem.h"
#include "host/http/client.h"

#define ROOT_CRL \
	"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define VALIDATOR_MAX 200u /* characters of an ETag that is kept */

const char *
pcs_kind_text(enum pcs_kind k)
{
	static const char *const text[PCS_PARTS] = { "TCB info",
		"QE identity", "PCK CRL", "root CRL" };

	return k < PCS_PARTS ? text[k] : "part";
}

void
pcs_set_free(struct pcs_set *s)
{
	for (size_t i = 0; i < PCS_PARTS; i++) {
		json_decref(s->part[i]);
		s->part[i] = NULL;
	}
}

bool
pcs_set_copy(const struct pcs_set *from, struct pcs_set *to)
{
	for (size_t i = 0; i < PCS_PARTS; i++) {
		to->part[i] = json_deep_copy(from->part[i]);
		if (to->part[i] == NULL) {
			pcs_set_free(to);
			return false;
		}
	}
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The last value of header name (a proxy's own answer may stand before);
 * NULL if there is none. *n: its length, blanks around it left out.
 */
static const char *
header(const char *lines, size_t len, const char *name, size_t *n)
{
	size_t k = strlen(name);
	const char *end = lines + len;
	const char *found = NULL;

	for (const char *p = lines; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *e = nl != NULL ? nl : end;
		if ((size_t)(e - p) > k && strncasecmp(p, name, k) == 0 &&
		    p[k] == ':') {
			const char *v = p + k + 1;
			while (e > v && strchr("\r \t", e[-1]) != NULL &&
			    e[-1] != '\0')
				e--;
			while (v < e && (*v == ' ' || *v == '\t'))
				v++;
			found = v;
			*n = (size_t)(e - v);
		}
		if (nl == NULL)
			break;
		p = nl + 1;
	}
	return found;
}

/* Percent-decoded (RFC 3986); NULL: no such text. */
static json_t *
decoded(const char *v, size_t n)
{
	AUTO_FREE char *out = malloc(n + 1);
	size_t o = 0;

	for (size_t i = 0; out != NULL && i < n; i++) {
		char c = v[i];
		if (c == '%') {
			int hi = i + 2 < n ? hex_digit(v[i + 1]) : -1;
			int lo = hi >= 0 ? hex_digit(v[i + 2]) : -1;
			if (lo < 0)
				return NULL;
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		/* A chain is text. */
		if (c == '\0')
			return NULL;
		out[o++] = c;
	}
	return out != NULL ? json_stringn(out, o) : NULL;
}

/* A CRL as DER, PEM or hex text: its DER in hex. */
static json_t *
crl_text(const void *body, size_t len)
{
	AUTO_FREE uint8_t *der = malloc(len + 1);
	AUTO_WR struct wr hex = wr_new(0);
	const char *s = body;
	struct rd r = rd_over(body, len);
	size_t n = 0;

	if (der == NULL || len == 0)
		return NULL;
	while (len > 0 && strchr("\r\n \t", s[len - 1]) != NULL &&
	    s[0] != 0x30 && s[len - 1] != '\0')
		len--; /* hex with a line's end */
	if (s[0] == '-') {
		if (pem_take(&r, "X509 CRL", der, len, &n) != DSTACK_OK ||
		    !pem_at_end(&r))
			return NULL;
	} else if (hex_decode_var(s, len, der, len, &n) != DSTACK_OK) {
		memcpy(der, s, len);
		n = len;
	}
	wr_hex(&hex, der, n);
	return wr_status(&hex) == DSTACK_OK
	    ? json_stringn((const char *)hex.buf, hex.len)
	    : NULL;
}

static void
keep_header(json_t *part, const char *key, const char *lines, size_t len,
    const char *name)
{
	size_t n = 0;
	const char *v = header(lines, len, name, &n);

	if (v == NULL || n == 0 || n > VALIDATOR_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		/* It goes back out as a header line. */
		if (v[i] < ' ' || v[i] > '~')
			return;
	(void)json_object_set_new(part, key, json_stringn(v, n));
}

static enum dstack_status
take_chain(enum pcs_kind k, const char *lines, size_t len, json_t *part,
    struct why *why)
{
	static const char *const names[PCS_PARTS][2] = {
		{ "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain" },
		{ "SGX-Enclave-Identity-Issuer-Chain" },
		{ "SGX-PCK-CRL-Issuer-Chain" },
	};
	size_t n = 0;
	const char *v = NULL;

	for (size_t i = 0; i < 2 && v == NULL && names[k][i] != NULL; i++)
		v = header(lines, len, names[k][i], &n);
	if (v == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "no header %s; is it a PCS or PCCS?", names[k][0]);
	json_t *chain = decoded(v, n);
	if (chain == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "header %s is not percent-encoded text", names[k][0]);
	return json_object_set_new(part, "chain", chain) == 0
	    ? DSTACK_OK
	    : DSTACK_E_NOMEM;
}

/* The signed JSON and its signature, or the list, into part. */
static enum dstack_status
take_body(enum pcs_kind k, const void *body, size_t len, json_t *part)
{
	struct dcap_bytes text = { NULL, 0 };
	uint8_t sig[64];
	char hex[2 * sizeof(sig) + 1];
	json_t *t = NULL;

	if (k == PCS_PCK_CRL || k == PCS_ROOT_CRL) {
		t = crl_text(body, len);
	} else if (dcap_split_signed(body, len,
	               k == PCS_TCB ? "tcbInfo" : "enclaveIdentity", &text,
	               sig) == DSTACK_OK) {
		hex_encode(sig, sizeof(sig), hex);
		(void)json_object_set_new(part, "sig", json_string(hex));
		t = json_stringn(text.p, text.n);
	}
	return json_object_set_new(part, "text", t) == 0 ? DSTACK_OK
	                                                 : DSTACK_E_FORMAT;
}

enum dstack_status
pcs_part_parse(enum pcs_kind k, const void *body, size_t len,
    const char *lines, size_t lines_len, json_t **out, struct why *why)
{
	json_t *part = json_object();
	enum dstack_status st = DSTACK_OK;

	if (part == NULL)
		return DSTACK_E_NOMEM;
	/* texts as C programs write them, with their end; DER is as it is */
	if (len > 1 && ((const char *)body)[len - 1] == '\0' &&
	    ((const char *)body)[0] != 0x30)
		len--;
	if (k != PCS_ROOT_CRL)
		st = take_chain(k, lines, lines_len, part, why);
	if (st == DSTACK_OK) {
		st = take_body(k, body, len, part);
		if (st != DSTACK_OK)
			(void)why_set(why, st, "the answer is malformed");
	}
	if (st != DSTACK_OK) {
		json_decref(part);
		return st;
	}
	keep_header(part, "etag", lines, lines_len, "ETag");
	keep_header(part, "modified", lines, lines_len, "Last-Modified");
	*out = part;
	return DSTACK_OK;
}

static void
part_url(const char *base, const struct pcs_key *key, enum pcs_kind k,
    char out[static PCS_URL_MAX + 128])
{
	const char *tee = key->tee == DCAP_TEE_SGX ? "sgx" : "tdx";
	char fmspc[13];
	const size_t cap = PCS_URL_MAX + 128;

	hex_encode(key->fmspc, 6, fmspc);
	switch (k) {
	case PCS_TCB:
		(void)snprintf(out, cap,
		    "%s/%s/certification/v4/tcb?fmspc=%s%s", base, tee, fmspc,
		    key->early ? "&update=early" : "");
		break;
	case PCS_QE:
		(void)snprintf(out, cap, "%s/%s/certification/v4/qe/identity%s",
		    base, tee, key->early ? "?update=early" : "");
		break;
	case PCS_PCK_CRL:
		(void)snprintf(out, cap,
		    "%s/sgx/certification/v4/pckcrl?ca=%s&encoding=der", base,
		    key->platform ? "platform" : "processor");
		break;
	default: /* Intel has the root's list at another host */
		(void)snprintf(out, cap, "%s%s",
		    strcmp(base, PCS_INTEL) == 0 ? ROOT_CRL : base,
		    strcmp(base, PCS_INTEL) == 0
		        ? ""
		        : "/sgx/certification/v4/rootcacrl");
	}
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Lines that ask for part only if it is another by now; NULL-ended. */
static void
conditions(const json_t *part, char line[2][VALIDATOR_MAX + 24],
    const char *list[static 3])
{
	static const char *const key[2] = { "etag", "modified" };
	static const char *const name[2] = { "If-None-Match",
		"If-Modified-Since" };
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *v = json_string_value(json_object_get(part, key[i]));
		if (v == NULL)
			continue;
		(void)snprintf(line[i], VALIDATOR_MAX + 24, "%s: %s", name[i], v);
		list[n++] = line[i];
	}
	list[n] = NULL;
}

/* What an answer other than 200 says, and what to do about it. */
static enum dstack_status
refusal(const char *origin, unsigned status, enum pcs_kind k, unsigned wait_s,
    struct why *why)
{
	const char *say = "check PCCS_URL";

	if (status == 429 || status == 503) {
		say = status == 429 ? "it is asked too often"
				    : "it is not to be had for now";
		return wait_s != 0
		    ? why_set(why, DSTACK_E_MISSING,
			  "%s answers HTTP %u; %s and says to wait %u s",
			  origin, status, say, wait_s)
		    : why_set(why, DSTACK_E_MISSING, "%s answers HTTP %u; %s",
			  origin, status, say);
	}
	if (status == 410)
		say = "this API is gone there; set PCCS_URL to a service of "
		      "API version 4";
	else if (status == 401 || status == 403)
		say = "it wants a login, which a PCS or PCCS does not for "
		      "this; check PCCS_URL";
	else if (status == 404 && k == PCS_TCB)
		say = "it does not know this FMSPC";
	else if (status == 404)
		say = "it does not have it; fill its cache, or check PCCS_URL";
	else if (status >= 300 && status < 400)
		say = "it leads round in redirects, or from https to http; "
		      "check PCCS_URL";
	return why_set(why, DSTACK_E_MISSING, "%s answers HTTP %u; %s", origin,
	    status, say);
}

static bool
pause_s(const struct pcs_source *s, unsigned seconds)
{
	const struct timespec step = { .tv_nsec = 100 * 1000 * 1000 };

	for (unsigned i = 0; i < seconds * 10; i++) {
		if (s->stop != NULL && atomic_load(s->stop))
			return false;
		(void)nanosleep(&step, NULL);
	}
	return true;
}

/* *wait_s: how long it asks to be left alone; 0: it does not. */
static enum dstack_status
ask(const struct pcs_source *s, const char *url, const char *const *list,
    uint64_t end, struct wr *body, struct wr *lines, unsigned *status,
    unsigned *wait_s, struct why *why)
{
	const uint64_t now = now_ms();
	bool untrusted = false;
	struct http_request q = { .url = url,
		.headers = list,
		.ca_file = s->ca_file,
		.redirects = 3,
		.max = PCS_PART_MAX,
		.timeout_ms = now < end ? (unsigned)(end - now) : 1,
		.stop = s->stop,
		.retry_after = wait_s,
		.untrusted = &untrusted };
	struct why no = { "" };

	*wait_s = 0;
	enum dstack_status st = http_do(&q, status, body, lines, &no);
	if (st == DSTACK_OK)
		return st;
	return why_set(why, st, "%.150s%s", no.text,
	    untrusted && s->ca_file == NULL
		? "; PCCS_CA names the certificate of one that signed its own"
		: "");
}

static enum dstack_status
fetch_part(const struct pcs_source *s, const char *url, enum pcs_kind k,
    json_t *old, uint64_t end, json_t **out, unsigned *status,
    struct why *why)
{
	AUTO_WR struct wr body = wr_new(PCS_PART_MAX);
	AUTO_WR struct wr lines = wr_new(PCS_PART_MAX);
	char line[2][VALIDATOR_MAX + 24];
	const char *list[3];
	char origin[160];
	unsigned wait_s = 0;

	conditions(old, line, list);
	for (;;) {
		enum dstack_status st = ask(s, url, list, end, &body, &lines,
		    status, &wait_s, why);
		if (st != DSTACK_OK)
			return st;
		/* as it asks, if there is time for it */
		if ((*status != 429 && *status != 503) || wait_s == 0 ||
		    now_ms() + (uint64_t)wait_s * 1000 >= end ||
		    !pause_s(s, wait_s))
			break;
		wr_free(&body);
		wr_free(&lines);
		body = wr_new(PCS_PART_MAX);
		lines = wr_new(PCS_PART_MAX);
	}
	/*
	 * Only where it was asked conditionally: a 304 out of nowhere has no
	 * body to keep.
	 */
	if (*status == 304 && list[0] != NULL) {
		*out = json_incref(old);
		return DSTACK_OK;
	}
	http_origin(url, origin, sizeof(origin));
	if (*status != 200) {
		if (s->wait_s != NULL && wait_s != 0)
			*s->wait_s = wait_s;
		return refusal(origin, *status, k, wait_s, why);
	}
	enum dstack_status st = pcs_part_parse(k, body.buf, body.len,
	    (const char *)lines.buf, lines.len, out, why);
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", origin);
}

/*
 * TCB info of no such FMSPC and a path that leads nowhere are both 404. The
 * QE identity and the PCK CRL are there wherever the API is, whatever the
 * platform; where neither is, it is the path.
 */
static enum dstack_status
unknown_or_nowhere(const struct pcs_source *s, const char *base,
    const struct pcs_key *key, uint64_t end, struct why *why)
{
	static const enum pcs_kind always[] = { PCS_QE, PCS_PCK_CRL };
	char url[PCS_URL_MAX + 128];
	char origin[160];
	const char *none[1] = { NULL };
	unsigned status = 0;
	unsigned wait_s = 0;
	struct why no = { "" };

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		AUTO_WR struct wr body = wr_new(PCS_PART_MAX);
		part_url(base, key, always[i], url);
		if (ask(s, url, none, end, &body, NULL, &status, &wait_s,
			&no) != DSTACK_OK ||
		    status != 404)
			return DSTACK_E_MISSING; /* as it was said */
	}
	http_origin(url, origin, sizeof(origin));
	return why_set(why, DSTACK_E_MISSING,
	    "%s answers HTTP 404; nothing of API version 4 is there, or its "
	    "cache is empty: check PCCS_URL", origin);
}

enum dstack_status
pcs_fetch(const struct pcs_source *s, const struct pcs_key *key,
    const struct pcs_set *old, struct pcs_set *out, struct why *why)
{
	char base[PCS_URL_MAX];
	char url[PCS_URL_MAX + 128];
	/*
	 * One deadline for all four: a slow service costs a caller this long,
	 * not four times.
	 */
	uint64_t end = now_ms() + s->timeout_ms;

	memset(out, 0, sizeof(*out));
	pcs_base(s->url, base);
	for (int i = 0; i < PCS_PARTS; i++) {
		unsigned status = 0;
		part_url(base, key, (enum pcs_kind)i, url);
		enum dstack_status st = fetch_part(s, url, (enum pcs_kind)i,
		    old != NULL ? old->part[i] : NULL, end, &out->part[i],
		    &status, why);
		if (st == DSTACK_OK)
			continue;
		if (i == PCS_TCB && status == 404)
			st = unknown_or_nowhere(s, base, key, end, why);
		pcs_set_free(out);
		return why_wrap(
		    why, st, "%s", pcs_kind_text((enum pcs_kind)i));
	}
	return DSTACK_OK;
}

static const char *
member(const json_t *part, const char *name)
{
	return json_string_value(json_object_get(part, name));
}

enum dstack_status
pcs_document(const struct pcs_set *s, struct wr *out)
{
	static const struct {
		const char *name;
		enum pcs_kind of;
		const char *key;
	} field[] = {
		{ "pck_crl_issuer_chain", PCS_PCK_CRL, "chain" },
		{ "root_ca_crl", PCS_ROOT_CRL, "text" },
		{ "pck_crl", PCS_PCK_CRL, "text" },
		{ "tcb_info_issuer_chain", PCS_TCB, "chain" },
		{ "tcb_info", PCS_TCB, "text" },
		{ "tcb_info_signature", PCS_TCB, "sig" },
		{ "qe_identity_issuer_chain", PCS_QE, "chain" },
		{ "qe_identity", PCS_QE, "text" },
		{ "qe_identity_signature", PCS_QE, "sig" },
	};
	json_t *o = json_object();
	enum dstack_status st = DSTACK_OK;

	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		const char *v = member(s->part[field[i].of], field[i].key);
		if (v == NULL ||
		    json_object_set_new(o, field[i].name, json_string(v)) != 0)
			st = DSTACK_E_FORMAT;
	}
	AUTO_FREE char *text =
	    st == DSTACK_OK ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text == NULL)
		return DSTACK_E_FORMAT;
	wr_str(out, text);
	return wr_status(out);
}
