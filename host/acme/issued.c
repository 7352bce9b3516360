/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request is read first: one name, one key. A chain that comes for it is
 * judged as the guest will judge it (crypto/server_chain.h), by this machine's
 * clock. Only then is the file replaced, by rename from a whole copy that is
 * on the disk: a crash, a full disk or a CA's error page leave the old
 * certificate where it is.
 */
#include "host/acme/issued.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "crypto/hash.h"
#include "crypto/server_chain.h"

#define REQUEST_MAX (64u * 1024)

void
wanted_free(struct wanted *w)
{
	EVP_PKEY_free(w->key);
	wr_free(&w->der);
	memset(w, 0, sizeof(*w));
}

/* Up to max bytes of a regular file; O_NONBLOCK since a FIFO would hang. */
static enum dstack_status
read_file(const char *path, size_t max, struct wr *out)
{
	struct stat sb;
	char buf[4096];
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &sb) != 0)
		return DSTACK_E_MISSING;
	if (!S_ISREG(sb.st_mode))
		return DSTACK_E_FORMAT;
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return DSTACK_E_SYS;
		if (n == 0)
			return wr_status(out);
		if (out->len + (size_t)n > max)
			return DSTACK_E_LIMIT;
		wr_put(out, buf, (size_t)n);
	}
}

/* The one dNSName of the request; "" where it has none, or more. */
static void
only_name(const X509_REQ *req, char *out, size_t cap)
{
	STACK_OF(X509_EXTENSION) *exts =
	    X509_REQ_get_extensions((X509_REQ *)(uintptr_t)req);
	GENERAL_NAMES *names = exts != NULL
	    ? X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL)
	    : NULL;

	out[0] = '\0';
	if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, 0);
		int n = g->type == GEN_DNS ? ASN1_STRING_length(g->d.dNSName)
		                           : 0;
		const char *t = n > 0
		    ? (const char *)ASN1_STRING_get0_data(g->d.dNSName)
		    : "";
		/* it goes into JSON and messages: nothing that needs escapes */
		if (n > 0 && (size_t)n < cap &&
		    strspn(t, "abcdefghijklmnopqrstuvwxyz0123456789.-") ==
		        (size_t)n) {
			memcpy(out, t, (size_t)n);
			out[n] = '\0';
		}
	}
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
}

/* All that is known of a request; false: one part of it is not there. */
static bool
fill(struct wanted *w, X509_REQ *req)
{
	uint8_t *der = NULL;
	uint8_t *spki = NULL;
	int n = i2d_X509_REQ(req, &der);

	if (n > 0)
		wr_put(&w->der, der, (size_t)n);
	OPENSSL_free(der);
	only_name(req, w->name, sizeof(w->name));
	w->key = X509_REQ_get_pubkey(req);
	int k = w->key != NULL ? i2d_PUBKEY(w->key, &spki) : -1;
	if (k > 0)
		sha256(spki, (size_t)k, w->spki);
	OPENSSL_free(spki);
	return n > 0 && k > 0 && w->name[0] != '\0' &&
	    wr_status(&w->der) == DSTACK_OK;
}

enum dstack_status
wanted_read(const char *path, struct wanted *out, struct why *why)
{
	AUTO_WR struct wr text = wr_new(0);
	enum dstack_status st = read_file(path, REQUEST_MAX, &text);

	if (st == DSTACK_E_MISSING)
		return why_set(why, st,
		    "%s: %s; the guest writes it once it has the network's key",
		    path, strerror(errno));
	BIO *bio = st == DSTACK_OK && text.len > 0
	    ? BIO_new_mem_buf(text.buf, (int)text.len)
	    : NULL;
	X509_REQ *req =
	    bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	struct wanted w = { .der = wr_new(REQUEST_MAX) };
	/* all parts or none: a request without its name is no use */
	bool whole = req != NULL && fill(&w, req);
	X509_REQ_free(req);
	BIO_free(bio);
	ERR_clear_error();
	if (!whole) {
		wanted_free(&w);
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is not a certificate request for one DNS name", path);
	}
	*out = w;
	return DSTACK_OK;
}

/* Its certificates, written again: what else the text held stays outside. */
static enum dstack_status
rewrite(const struct server_chain *c, struct wr *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio != NULL;
	char *text = NULL;

	for (size_t i = 0; ok && i < c->n; i++)
		ok = PEM_write_bio_X509(bio, c->cert[i]) == 1;
	long n = ok ? BIO_get_mem_data(bio, &text) : 0;
	if (n > 0)
		wr_put(out, text, (size_t)n);
	BIO_free(bio);
	return n > 0 ? wr_status(out) : DSTACK_E_NOMEM;
}

enum dstack_status
issued_judge(const char *what, const void *text, size_t n,
    const struct wanted *w, uint64_t now, struct wr *out, struct why *why)
{
	struct server_chain c = { { NULL }, 0 };
	enum dstack_status st =
	    server_chain_judge(what, text, n, w->key, w->name, now, &c, why);

	/* too long, or empty: no chain either way, and perhaps one later */
	if (st == DSTACK_E_LIMIT)
		st = DSTACK_E_FORMAT;
	if (st != DSTACK_OK)
		return st;
	st = rewrite(&c, out);
	server_chain_free(&c);
	return st;
}

/* Of the leaf, which comes first; whether the rest fits is judged later. */
EVP_PKEY *
issued_key(const void *text, size_t n)
{
	BIO *bio = n <= SERVER_CHAIN_PEM_MAX ? BIO_new_mem_buf(text, (int)n)
	                                     : NULL;
	X509 *x =
	    bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = x != NULL ? X509_get_pubkey(x) : NULL;

	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

enum dstack_status
issued_write(const char *path, const struct wr *pem, struct why *why)
{
	AUTO_FREE char *tmp = NULL;

	if (asprintf(&tmp, "%s.new", path) < 0)
		return DSTACK_E_NOMEM;
	/* on the disk before the name points at it, or a crash leaves nothing */
	AUTO_CLOSE int fd = open(tmp,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, pem->buf, pem->len) != (ssize_t)pem->len ||
	    fsync(fd) != 0 || rename(tmp, path) != 0) {
		int e = errno;
		if (fd >= 0)
			(void)unlink(tmp);
		return why_set(why, DSTACK_E_SYS, "%s cannot be written: %s",
		    path, strerror(e));
	}
	return DSTACK_OK;
}

bool
issued_fresh(const char *path, const struct wanted *w)
{
	AUTO_WR struct wr text = wr_new(0);
	struct server_chain c = { { NULL }, 0 };
	int life_d = 0, life_s = 0, left_d = 0, left_s = 0;
	bool yes = false;

	if (read_file(path, SERVER_CHAIN_PEM_MAX, &text) != DSTACK_OK ||
	    server_chain_judge(path, text.buf, text.len, w->key, w->name,
	        (uint64_t)time(NULL), &c, NULL) != DSTACK_OK)
		return false;
	/* a third left is time for failures and for the CA's limits */
	const ASN1_TIME *from = X509_get0_notBefore(c.cert[0]);
	const ASN1_TIME *to = X509_get0_notAfter(c.cert[0]);
	if (ASN1_TIME_diff(&life_d, &life_s, from, to) == 1 &&
	    ASN1_TIME_diff(&left_d, &left_s, NULL, to) == 1)
		yes = (int64_t)left_d * 86400 + left_s >
		    ((int64_t)life_d * 86400 + life_s) / 3;
	server_chain_free(&c);
	return yes;
}
