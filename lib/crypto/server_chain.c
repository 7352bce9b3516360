/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM text to a judged chain. It is read first, bounded in bytes and in
 * certificates; then the leaf is judged (key, name, use), then each link by
 * signature and by name, then every window of validity. The first thing that
 * is wrong is the reason. No root is asked for: guest and host cannot know
 * which CA a client trusts, and the client checks that itself. What protects
 * the network is that the leaf's key is the network's own.
 */
#include "crypto/server_chain.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

void
server_chain_free(struct server_chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->cert[i]);
	c->n = 0;
}

static enum dstack_status
read_chain(const char *what, const void *pem, size_t len,
    struct server_chain *out, struct why *why)
{
	if (len == 0 || len > SERVER_CHAIN_PEM_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s has %zu bytes; 1 to %u are allowed", what, len,
		    SERVER_CHAIN_PEM_MAX);
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = DSTACK_OK;
	for (;;) {
		X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (x == NULL)
			break;
		if (out->n == SERVER_CHAIN_MAX) {
			X509_free(x);
			st = why_set(why, DSTACK_E_LIMIT,
			    "%s holds more than %d certificates", what,
			    SERVER_CHAIN_MAX);
			break;
		}
		out->cert[out->n++] = x;
	}
	/* the list has ended well if nothing more begins */
	unsigned long e = ERR_peek_last_error();
	if (st == DSTACK_OK &&
	    (out->n == 0 || ERR_GET_REASON(e) != PEM_R_NO_START_LINE))
		st = why_set(why, DSTACK_E_FORMAT,
		    "%s is not a list of PEM certificates", what);
	ERR_clear_error();
	BIO_free(bio);
	return st;
}

/* Exactly one way to be named: a dNSName equal to domain. */
static bool
names_domain(X509 *leaf, const char *domain)
{
	return X509_check_host(leaf, domain, strlen(domain),
		   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
		       X509_CHECK_FLAG_NO_WILDCARDS,
		   NULL) == 1;
}

/*
 * A guest's proven time is never ahead of the world's, but may be behind it by as much
 * as the chain is quiet: a certificate may be a little newer than that.
 */
static bool
valid_at(X509 *x, uint64_t now)
{
	time_t t = (time_t)now;
	time_t ahead = (time_t)(now + SERVER_CHAIN_LAG);
	/* X509_cmp_time: -1 when the time is before or equal to t */
	return X509_cmp_time(X509_get0_notBefore(x), &ahead) < 0 &&
	    X509_cmp_time(X509_get0_notAfter(x), &t) > 0;
}

static enum dstack_status
judge(const char *what, const struct server_chain *c, const EVP_PKEY *key,
    const char *domain, uint64_t now, struct why *why)
{
	X509 *leaf = c->cert[0];
	EVP_PKEY *got = X509_get0_pubkey(leaf);
	/* a chain for another key would serve nobody but its maker */
	if (got == NULL || EVP_PKEY_eq(got, key) != 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is for another key; have request.csr of this network "
		    "signed",
		    what);
	if (!names_domain(leaf, domain))
		return why_set(why, DSTACK_E_REJECTED,
		    "%s does not name %s", what, domain);
	if (X509_check_ca(leaf) != 0 ||
	    X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is not a TLS server's certificate", what);
	for (size_t i = 0; i + 1 < c->n; i++) {
		EVP_PKEY *issuer = X509_get0_pubkey(c->cert[i + 1]);
		if (X509_check_ca(c->cert[i + 1]) == 0 || issuer == NULL ||
		    X509_check_issued(c->cert[i + 1], c->cert[i]) != X509_V_OK ||
		    X509_verify(c->cert[i], issuer) != 1)
			return why_set(why, DSTACK_E_REJECTED,
			    "certificate %zu of %s is not issued by the next one",
			    i + 1, what);
	}
	for (size_t i = 0; now != 0 && i < c->n; i++) {
		if (!valid_at(c->cert[i], now))
			return why_set(why, DSTACK_E_REJECTED,
			    "certificate %zu of %s is not valid at time %llu",
			    i + 1, what, (unsigned long long)now);
	}
	return DSTACK_OK;
}

enum dstack_status
server_chain_judge(const char *what, const void *pem, size_t len,
    const EVP_PKEY *key, const char *domain, uint64_t now,
    struct server_chain *out, struct why *why)
{
	struct server_chain c = { { NULL }, 0 };
	enum dstack_status st = read_chain(what, pem, len, &c, why);
	if (st == DSTACK_OK)
		st = judge(what, &c, key, domain, now, why);
	ERR_clear_error();
	if (st != DSTACK_OK) {
		server_chain_free(&c);
		return st;
	}
	*out = c;
	return DSTACK_OK;
}
