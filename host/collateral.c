/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCS API: Intel "SGX and TDX Provisioning Certification Service" version 4;
 * a PCCS serves the same paths and rootcacrl.
 */
#include "host/collateral.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include <jansson.h>

#include "base/hex.h"
#include "host/files.h"
#include "host/http_client.h"
#include "sim/pki.h"

#define PCS_URL "https://api.trustedservices.intel.com"
#define PCS_ROOT_CRL \
	"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define PART_MAX (64u * 1024)
#define WHOLE_MAX (150u * 1024) /* goes through the link */

struct part {
	struct wr body;
	char *chain; /* PEM, owned */
};

static void
part_free(struct part *p)
{
	wr_free(&p->body);
	free(p->chain);
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

/* The value of header name in lines, percent-decoded; NULL: not there. */
static char *
header_value(const struct wr *lines, const char *name)
{
	size_t len = strlen(name);
	const char *p = (const char *)lines->buf;
	const char *end = p + lines->len;

	for (; p != NULL && p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl != NULL ? nl : end) - p);
		if (n > len && strncasecmp(p, name, len) == 0 &&
		    p[len] == ':') {
			char *out = malloc(n + 1);
			size_t o = 0;
			for (size_t i = len + 1; out != NULL && i < n; i++) {
				int hi = p[i] == '%' && i + 2 < n
				    ? hex_digit(p[i + 1])
				    : -1;
				int lo = hi >= 0 ? hex_digit(p[i + 2]) : -1;
				if (lo >= 0) {
					out[o++] = (char)(hi * 16 + lo);
					i += 2;
				} else if (p[i] != '\r' &&
				    (p[i] != ' ' || o > 0)) {
					out[o++] = p[i];
				}
			}
			if (out != NULL)
				out[o] = '\0';
			return out;
		}
		p = nl != NULL ? nl + 1 : NULL;
	}
	return NULL;
}

static enum dstack_status
fetch(const char *url, const char *chain_header, struct part *p,
    struct why *why)
{
	AUTO_WR struct wr headers = wr_new(PART_MAX);
	struct http_request q = { .url = url, .max = PART_MAX };
	unsigned status = 0;
	char origin[160];

	p->body = wr_new(PART_MAX);
	enum dstack_status st = http_do(&q, &status, &p->body, &headers, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "collateral service");
	http_origin(url, origin, sizeof(origin));
	if (status != 200)
		return why_set(why, DSTACK_E_MISSING,
		    "collateral service: %s answered HTTP %u; check PCCS_URL",
		    origin, status);
	if (chain_header == NULL)
		return DSTACK_OK;
	p->chain = header_value(&headers, chain_header);
	if (p->chain == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "collateral service: %s left out header %s", origin,
		    chain_header);
	return DSTACK_OK;
}

/*
 * The bytes of member name's object, exactly as they stand (they are signed),
 * and the signature beside it.
 */
static json_t *
signed_member(const struct part *p, const char *name, char **text)
{
	char key[40];
	json_t *whole = json_loadb((const char *)p->body.buf, p->body.len,
	    JSON_REJECT_DUPLICATES, NULL);
	json_t *sig = json_incref(json_object_get(whole, "signature"));
	bool there = json_is_object(json_object_get(whole, name)) &&
	    json_is_string(sig);
	const char *s = (const char *)p->body.buf;
	size_t n = p->body.len;

	json_decref(whole);
	(void)snprintf(key, sizeof(key), "\"%s\":", name);
	const char *at = there ? memmem(s, n, key, strlen(key)) : NULL;
	if (at == NULL) {
		json_decref(sig);
		return NULL;
	}
	at += strlen(key);
	size_t left = n - (size_t)(at - s);
	unsigned depth = 0;
	bool string = false;
	for (size_t i = 0; i < left; i++) {
		if (string) {
			if (at[i] == '\\')
				i++;
			else if (at[i] == '"')
				string = false;
		} else if (at[i] == '"') {
			string = true;
		} else if (at[i] == '{') {
			depth++;
		} else if (at[i] == '}' && --depth == 0) {
			*text = strndup(at, i + 1);
			return sig;
		}
	}
	json_decref(sig);
	return NULL;
}

/* A CRL as DER (PCS) or as hex text (PCCS): hex of it. */
static json_t *
crl_hex(const struct part *p)
{
	AUTO_FREE char *hex = malloc(2 * p->body.len + 1);
	size_t n = 0;

	if (hex == NULL || p->body.len == 0)
		return NULL;
	AUTO_FREE uint8_t *raw = malloc(p->body.len);
	if (raw != NULL &&
	    hex_decode_var((const char *)p->body.buf, p->body.len, raw,
	        p->body.len, &n) == DSTACK_OK)
		hex_encode(raw, n, hex);
	else
		hex_encode(p->body.buf, p->body.len, hex);
	return json_string(hex);
}

static enum dstack_status
join(struct part part[static 4], struct wr *out, struct why *why)
{
	AUTO_FREE char *tcb = NULL;
	AUTO_FREE char *qe = NULL;
	json_t *tcb_sig = signed_member(&part[0], "tcbInfo", &tcb);
	json_t *qe_sig = signed_member(&part[1], "enclaveIdentity", &qe);
	json_t *o = NULL;
	char *text = NULL;

	if (tcb_sig != NULL && qe_sig != NULL)
		o = json_pack("{s:s,s:o,s:o,s:s,s:s,s:O,s:s,s:s,s:O}",
		    "pck_crl_issuer_chain", part[2].chain, "root_ca_crl",
		    crl_hex(&part[3]), "pck_crl", crl_hex(&part[2]),
		    "tcb_info_issuer_chain", part[0].chain, "tcb_info", tcb,
		    "tcb_info_signature", tcb_sig, "qe_identity_issuer_chain",
		    part[1].chain, "qe_identity", qe, "qe_identity_signature",
		    qe_sig);
	json_decref(tcb_sig);
	json_decref(qe_sig);
	if (o != NULL)
		text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "collateral service: its answer is malformed");
	wr_str(out, text);
	free(text);
	return wr_status(out);
}

static enum dstack_status
from_service(const struct collateral_source *s, const char *fmspc,
    const char *ca, struct wr *out, struct why *why)
{
	const char *base =
	    s->url != NULL && s->url[0] != '\0' ? s->url : PCS_URL;
	bool pcs = strcmp(base, PCS_URL) == 0;
	struct part part[4];
	char url[4][600];

	memset(part, 0, sizeof(part));
	(void)snprintf(url[0], sizeof(url[0]),
	    "%s/tdx/certification/v4/tcb?fmspc=%s", base, fmspc);
	(void)snprintf(url[1], sizeof(url[1]),
	    "%s/tdx/certification/v4/qe/identity", base);
	(void)snprintf(url[2], sizeof(url[2]),
	    "%s/sgx/certification/v4/pckcrl?ca=%s&encoding=der", base, ca);
	(void)snprintf(url[3], sizeof(url[3]), "%s%s",
	    pcs ? PCS_ROOT_CRL : base,
	    pcs ? "" : "/sgx/certification/v4/rootcacrl");
	enum dstack_status st =
	    fetch(url[0], "TCB-Info-Issuer-Chain", &part[0], why);
	if (st == DSTACK_OK)
		st = fetch(url[1], "SGX-Enclave-Identity-Issuer-Chain",
		    &part[1], why);
	if (st == DSTACK_OK)
		st = fetch(url[2], "SGX-PCK-CRL-Issuer-Chain", &part[2], why);
	if (st == DSTACK_OK)
		st = fetch(url[3], NULL, &part[3], why);
	if (st == DSTACK_OK)
		st = join(part, out, why);
	for (size_t i = 0; i < 4; i++)
		part_free(&part[i]);
	return st;
}

/* Append the cached text. *age_s tells how old it is. */
static bool
cached(int dir, const char *name, struct wr *out, int64_t *age_s)
{
	AUTO_WR struct wr w = wr_new(WHOLE_MAX + 8);
	struct stat sb;

	if (fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) != 0 ||
	    files_read(dir, name, 0, WHOLE_MAX, &w, NULL) != DSTACK_OK ||
	    w.len <= 8)
		return false;
	*age_s = (int64_t)time(NULL) - (int64_t)sb.st_mtime;
	wr_put(out, w.buf + 8, w.len - 8); /* behind the file's size */
	return true;
}

static bool
fmspc_ok(const char *s)
{
	return strlen(s) == 12 &&
	    strspn(s, "0123456789abcdefABCDEF") == 12;
}

enum dstack_status
collateral_get(const struct collateral_source *s, const char *fmspc,
    const char *ca, struct wr *out, struct why *why)
{
	AUTO_CLOSE int dir = -1;
	AUTO_WR struct wr old = wr_new(WHOLE_MAX);
	AUTO_WR struct wr now = wr_new(WHOLE_MAX);
	char name[64];
	int64_t age = 0;
	int64_t fresh = s->fresh_s != 0 ? (int64_t)s->fresh_s : 3600;

	bool platform = strcmp(ca, "platform") == 0;
	if (!fmspc_ok(fmspc) || (!platform && strcmp(ca, "processor") != 0))
		return why_set(why, DSTACK_E_FORMAT,
		    "collateral is asked for as /FMSPC/platform or "
		    "/FMSPC/processor");
	if (s->sim)
		return sim_collateral_json((int64_t)time(NULL),
		    platform ? SIM_CA_PLATFORM : SIM_CA_PROCESSOR, out);
	(void)snprintf(name, sizeof(name), "collateral-%.12s-%s.json", fmspc,
	    ca);
	if (s->cache_dir != NULL)
		dir = open(s->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool have = dir >= 0 && cached(dir, name, &old, &age);
	if (have && age >= 0 && age < fresh) {
		wr_put(out, old.buf, old.len);
		return wr_status(out);
	}
	enum dstack_status st = from_service(s, fmspc, ca, &now, why);
	if (st != DSTACK_OK && have) { /* the guest judges its dates */
		wr_put(out, old.buf, old.len);
		return wr_status(out);
	}
	if (st != DSTACK_OK)
		return st;
	if (dir >= 0)
		(void)!files_put(dir, name, now.buf, now.len, NULL);
	wr_put(out, now.buf, now.len);
	return wr_status(out);
}
