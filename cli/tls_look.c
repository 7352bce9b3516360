/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificate does a node of this machine show? For status, which asks
 * each node at the address that its host.env names.
 *
 * A connection is made, the name is sent, the handshake is done and the
 * certificate is described: key, issuer, end. Nothing is verified, on purpose:
 * a node without a certificate yet shows one that it has signed itself, and
 * that is just what is to be seen. `dstack check` is who verifies. Each step
 * may take three seconds, so that one node that hangs costs no more. The
 * issuer's name is the certificate's word and goes to a terminal: only
 * printable characters of it do.
 */
#include "cli/tls_look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/hex.h"
#include "base/own.h"
#include "host/base/config.h"

#define WAIT_S 3

static enum dstack_status
dial(const char *url, int *out, struct why *why)
{
	static const char scheme[] = "https://";
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct listen_addr at;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 ||
	    listen_parse(url + sizeof(scheme) - 1, &at) != DSTACK_OK ||
	    inet_pton(AF_INET, at.host, &sa.sin_addr) != 1)
		return why_set(why, DSTACK_E_MISSING,
		    "'%.80s' is not https://ADDRESS:PORT", url);
	sa.sin_port = htons(at.port);
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) !=
	        0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) !=
	        0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return why_set(why, DSTACK_E_MISSING, "%.80s: %s", url,
		    strerror(errno));
	*out = take_fd(&fd);
	return DSTACK_OK;
}

static enum dstack_status
describe(X509 *x, struct tls_look *out)
{
	uint8_t h[32];
	unsigned n = sizeof(h);
	struct tm tm;
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	bool ok = len > 0 &&
	    EVP_Digest(spki, (size_t)len, h, &n, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	if (!ok)
		return DSTACK_E_FORMAT;
	hex_encode(h, sizeof(h), out->key);
	if (X509_digest(x, EVP_sha256(), h, &n) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1 ||
	    strftime(out->until, sizeof(out->until), "%Y-%m-%dT%H:%M:%SZ",
	        &tm) == 0)
		return DSTACK_E_FORMAT;
	hex_encode(h, sizeof(h), out->fingerprint);
	if (X509_NAME_get_text_by_NID(X509_get_issuer_name(x),
	        NID_commonName, out->issuer, sizeof(out->issuer)) < 0)
		out->issuer[0] = '\0';
	for (char *c = out->issuer; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?'; /* it goes to a terminal */
	return DSTACK_OK;
}

enum dstack_status
tls_look(const char *url, const char *domain, struct tls_look *out,
    struct why *why)
{
	int raw = -1;
	enum dstack_status st = dial(url, &raw, why);
	AUTO_CLOSE int fd = raw;

	memset(out, 0, sizeof(*out));
	if (st != DSTACK_OK)
		return st;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	X509 *x = NULL;
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 &&
	    (domain[0] == '\0' ||
	        SSL_set_tlsext_host_name(ssl, domain) == 1) &&
	    SSL_connect(ssl) == 1)
		x = SSL_get1_peer_certificate(ssl);
	st = x != NULL ? describe(x, out) : DSTACK_E_MISSING;
	X509_free(x);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return st == DSTACK_OK
	    ? st
	    : why_set(why, DSTACK_E_MISSING, "%.80s: no TLS yet", url);
}
