/* SPDX-License-Identifier: Apache-2.0 */
#include "host/acme/acme.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "host/acme/http01.h"
#include "host/http/client.h"
#include "host/acme/jws.h"

#define ANSWER_MAX (256u * 1024)
#define URL_MAX 512
#define POLL_MS 200

struct session {
	const struct acme_config *cfg;
	struct why *why;
	EVP_PKEY *key;
	char new_nonce[URL_MAX];
	char new_account[URL_MAX];
	char new_order[URL_MAX];
	char kid[URL_MAX];
	char nonce[256]; /* "": ask for one */
	int64_t deadline; /* CLOCK_MONOTONIC, ms */
};

struct answer {
	unsigned status;
	json_t *json; /* may be NULL */
	struct wr body;
	char location[URL_MAX];
};

static void
answer_free(struct answer *a)
{
	json_decref(a->json);
	wr_free(&a->body);
	memset(a, 0, sizeof(*a));
}
#define AUTO_ANSWER OWN_CLEANUP(answer_free)

static int64_t
now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Value of header `name` in the answer's header lines; "" where absent. */
static void
header_value(const struct wr *headers, const char *name, char *out, size_t cap)
{
	size_t n = strlen(name);
	const char *p = (const char *)headers->buf;
	size_t left = headers->len;
	out[0] = '\0';
	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t line = nl != NULL ? (size_t)(nl - p) : left;
		if (line > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
			size_t at = n + 1;
			while (at < line && p[at] == ' ')
				at++;
			size_t end = line;
			while (end > at && (p[end - 1] == '\r' || p[end - 1] == ' '))
				end--;
			if (end - at < cap) {
				memcpy(out, p + at, end - at);
				out[end - at] = '\0';
			}
		}
		size_t step = line + (nl != NULL ? 1 : 0);
		p += step;
		left -= step;
	}
}

static enum dstack_status
exchange(struct session *s, const char *url, const char *method,
    const struct wr *body, struct answer *a)
{
	AUTO_WR struct wr headers = wr_new(64 * 1024);
	answer_free(a);
	a->body = wr_new(ANSWER_MAX);
	struct http_request q = { 0 };
	q.url = url;
	q.method = method;
	q.ca_file = s->cfg->ca_file;
	q.max = ANSWER_MAX;
	if (body != NULL) {
		q.body = body->buf;
		q.bodylen = body->len;
		q.content_type = "application/jose+json";
	}
	enum dstack_status st = http_do(&q, &a->status, &a->body, &headers, s->why);
	if (st != DSTACK_OK)
		return st;
	header_value(&headers, "replay-nonce", s->nonce, sizeof(s->nonce));
	header_value(&headers, "location", a->location, sizeof(a->location));
	a->json = json_loadb((const char *)a->body.buf, a->body.len,
	    JSON_REJECT_DUPLICATES, NULL);
	return DSTACK_OK;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));
	return t != NULL ? t : "";
}

static bool
bad_nonce(const struct answer *a)
{
	return a->status == 400 &&
	    strcmp(text_of(a->json, "type"),
		"urn:ietf:params:acme:error:badNonce") == 0;
}

/* Signed POST; a stale nonce is answered by one more try (RFC 8555, 6.5). */
static enum dstack_status
post(struct session *s, const char *url, const char *payload, struct answer *a)
{
	for (int tries = 0; tries < 5; tries++) {
		enum dstack_status st;
		if (s->nonce[0] == '\0' &&
		    ((st = exchange(s, s->new_nonce, "GET", NULL, a)) != DSTACK_OK ||
			s->nonce[0] == '\0'))
			return st != DSTACK_OK
			    ? st
			    : why_set(s->why, DSTACK_E_FORMAT, "ACME: no nonce");
		AUTO_WR struct wr body = wr_new(0);
		st = jws_sign(s->key, s->kid[0] != '\0' ? s->kid : NULL, s->nonce,
		    url, payload, &body);
		s->nonce[0] = '\0';
		if (st == DSTACK_OK)
			st = exchange(s, url, "POST", &body, a);
		if (st != DSTACK_OK)
			return st;
		if (bad_nonce(a))
			continue;
		if (a->status >= 200 && a->status < 300)
			return DSTACK_OK;
		char origin[128];
		http_origin(url, origin, sizeof(origin));
		return why_set(s->why, DSTACK_E_REJECTED,
		    "ACME CA %s answered %u: %s", origin, a->status,
		    text_of(a->json, "detail"));
	}
	return why_set(s->why, DSTACK_E_MISSING, "ACME CA refuses every nonce");
}

static enum dstack_status
copy_url(struct session *s, const json_t *o, const char *key, char out[URL_MAX])
{
	const char *t = text_of(o, key);
	if (strncmp(t, "https://", 8) != 0 || strlen(t) >= URL_MAX)
		return why_set(s->why, DSTACK_E_FORMAT,
		    "ACME: the CA's answer has no https URL \"%s\"", key);
	memcpy(out, t, strlen(t) + 1);
	return DSTACK_OK;
}

static enum dstack_status
open_account(struct session *s)
{
	AUTO_ANSWER struct answer a = { 0 };
	enum dstack_status st = exchange(s, s->cfg->directory, "GET", NULL, &a);
	if (st != DSTACK_OK)
		return st;
	if ((st = copy_url(s, a.json, "newNonce", s->new_nonce)) != DSTACK_OK ||
	    (st = copy_url(s, a.json, "newAccount", s->new_account)) !=
		DSTACK_OK ||
	    (st = copy_url(s, a.json, "newOrder", s->new_order)) != DSTACK_OK)
		return st;
	st = post(s, s->new_account, "{\"termsOfServiceAgreed\":true}", &a);
	if (st != DSTACK_OK)
		return st;
	if (a.location[0] == '\0')
		return why_set(s->why, DSTACK_E_FORMAT, "ACME: no account URL");
	memcpy(s->kid, a.location, sizeof(s->kid));
	return DSTACK_OK;
}

/* POST-as-GET until status leaves pending and processing. */
static enum dstack_status
await(struct session *s, const char *url, const char *want, struct answer *a)
{
	for (;;) {
		enum dstack_status st = post(s, url, "", a);
		if (st != DSTACK_OK)
			return st;
		const char *status = text_of(a->json, "status");
		if (strcmp(status, want) == 0 || strcmp(status, "valid") == 0)
			return DSTACK_OK;
		if (strcmp(status, "pending") != 0 &&
		    strcmp(status, "processing") != 0)
			return why_set(s->why, DSTACK_E_REJECTED,
			    "ACME CA says %s, not %s; is port 80 of the name "
			    "led to --http?",
			    status, want);
		if (now_ms() > s->deadline)
			return why_set(s->why, DSTACK_E_MISSING,
			    "ACME CA is still at %s; try again later", status);
		const struct timespec t = { 0, POLL_MS * 1000000L };
		(void)nanosleep(&t, NULL);
	}
}

static enum dstack_status
prove(struct session *s, const char *authorization, struct http01 *http)
{
	AUTO_ANSWER struct answer a = { 0 };
	char url[URL_MAX];
	enum dstack_status st = post(s, authorization, "", &a);
	if (st != DSTACK_OK)
		return st;
	if (strcmp(text_of(a.json, "status"), "valid") == 0)
		return DSTACK_OK; /* proven for an earlier order */
	const json_t *all = json_object_get(a.json, "challenges");
	const json_t *mine = NULL;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);
		if (strcmp(text_of(c, "type"), "http-01") == 0)
			mine = c;
	}
	const char *token = text_of(mine, "token");
	if (mine == NULL || (st = copy_url(s, mine, "url", url)) != DSTACK_OK)
		return why_set(s->why, DSTACK_E_REJECTED,
		    "ACME CA offers no http-01 challenge");
	AUTO_WR struct wr thumb = wr_new(0);
	st = jws_thumbprint(s->key, &thumb);
	wr_u8(&thumb, 0);
	if (st == DSTACK_OK)
		st = wr_status(&thumb);
	if (st == DSTACK_OK)
		st = http01_offer(http, token, (const char *)thumb.buf, s->why);
	if (st == DSTACK_OK)
		st = post(s, url, "{}", &a);
	if (st == DSTACK_OK)
		st = await(s, authorization, "valid", &a);
	return st;
}

/* DER of the request, and the one name it is for. */
static enum dstack_status
read_request(const char *path, struct wr *der, char *name, size_t cap,
    struct why *why)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL)
		return why_set(why, DSTACK_E_MISSING,
		    "%s: %s; the guest writes it once it has the network's key",
		    path, strerror(errno));
	(void)take_fd(&fd);
	X509_REQ *req = PEM_read_X509_REQ(f, NULL, NULL, NULL);
	(void)fclose(f);
	uint8_t *p = NULL;
	int n = req != NULL ? i2d_X509_REQ(req, &p) : -1;
	STACK_OF(X509_EXTENSION) *exts =
	    req != NULL ? X509_REQ_get_extensions(req) : NULL;
	GENERAL_NAMES *names = exts != NULL
	    ? X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL)
	    : NULL;
	name[0] = '\0';
	if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, 0);
		if (g->type == GEN_DNS) {
			int len = ASN1_STRING_length(g->d.dNSName);
			const unsigned char *t =
			    ASN1_STRING_get0_data(g->d.dNSName);
			if (len > 0 && (size_t)len < cap &&
			    strspn((const char *)t,
				"abcdefghijklmnopqrstuvwxyz0123456789.-") ==
				(size_t)len) {
				memcpy(name, t, (size_t)len);
				name[len] = '\0';
			}
		}
	}
	if (n > 0)
		wr_put(der, p, (size_t)n);
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	OPENSSL_free(p);
	X509_REQ_free(req);
	if (n <= 0 || name[0] == '\0')
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is not a certificate request for one DNS name", path);
	return wr_status(der);
}

static enum dstack_status
write_certificate(const char *path, const struct wr *pem, struct why *why)
{
	AUTO_FREE char *tmp = NULL;
	if (asprintf(&tmp, "%s.new", path) < 0)
		return DSTACK_E_NOMEM;
	AUTO_CLOSE int fd = open(tmp,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, pem->buf, pem->len) != (ssize_t)pem->len ||
	    rename(tmp, path) != 0)
		return why_set(why, DSTACK_E_SYS, "%s cannot be written: %s",
		    path, strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
order(struct session *s, struct http01 *http)
{
	AUTO_ANSWER struct answer a = { 0 };
	AUTO_WR struct wr der = wr_new(64 * 1024);
	AUTO_WR struct wr payload = wr_new(0);
	char name[256], order_url[URL_MAX], finalize[URL_MAX], cert[URL_MAX];
	enum dstack_status st =
	    read_request(s->cfg->csr, &der, name, sizeof(name), s->why);
	if (st != DSTACK_OK)
		return st;
	wr_fmt(&payload, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}",
	    name);
	wr_u8(&payload, 0);
	if ((st = wr_status(&payload)) != DSTACK_OK ||
	    (st = post(s, s->new_order, (char *)payload.buf, &a)) != DSTACK_OK)
		return st;
	memcpy(order_url, a.location, sizeof(order_url));
	const json_t *list = json_object_get(a.json, "authorizations");
	const char *authz = json_string_value(json_array_get(list, 0));
	if (order_url[0] == '\0' || json_array_size(list) != 1 || authz == NULL)
		return why_set(s->why, DSTACK_E_FORMAT,
		    "ACME: the order has not one authorization");
	if ((st = copy_url(s, a.json, "finalize", finalize)) != DSTACK_OK ||
	    (st = prove(s, authz, http)) != DSTACK_OK ||
	    (st = await(s, order_url, "ready", &a)) != DSTACK_OK)
		return st;
	wr_free(&payload);
	wr_str(&payload, "{\"csr\":\"");
	jws_b64(&payload, der.buf, der.len);
	wr_str(&payload, "\"}");
	wr_u8(&payload, 0);
	if ((st = wr_status(&payload)) != DSTACK_OK ||
	    (st = post(s, finalize, (char *)payload.buf, &a)) != DSTACK_OK ||
	    (st = await(s, order_url, "valid", &a)) != DSTACK_OK ||
	    (st = copy_url(s, a.json, "certificate", cert)) != DSTACK_OK ||
	    (st = post(s, cert, "", &a)) != DSTACK_OK)
		return st;
	return write_certificate(s->cfg->certificate, &a.body, s->why);
}

enum dstack_status
acme_issue(const struct acme_config *cfg, struct why *why)
{
	struct session s = { 0 };
	struct http01 *http = NULL;
	s.cfg = cfg;
	s.why = why;
	s.deadline = now_ms() + (cfg->timeout_ms != 0 ? cfg->timeout_ms : 120000);
	if (strncmp(cfg->directory, "https://", 8) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "ACME directory %s is not an https URL", cfg->directory);
	enum dstack_status st = jws_account_key(cfg->account_key, &s.key, why);
	if (st == DSTACK_OK)
		st = http01_start(cfg->http_listen, &http, why);
	if (st == DSTACK_OK)
		st = open_account(&s);
	if (st == DSTACK_OK)
		st = order(&s, http);
	http01_stop(http);
	EVP_PKEY_free(s.key);
	return st;
}
