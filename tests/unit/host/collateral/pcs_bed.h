/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCS of the simulator's making, in a thread: real answers of API version 4
 * (percent-encoded chains in headers, signed JSON, CRLs), and whatever a
 * service does wrong, as struct pcs_bed says.
 */
#ifndef TESTS_PCS_BED_H
#define TESTS_PCS_BED_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "tests/unit/lib/dcap/dcap_sim.h"

enum bed_form { BED_DER, BED_HEX, BED_PEM };
enum bed_fault {
	BED_GOOD,
	BED_NO_HEADER,
	BED_CUT_CHAIN,   /* the header ends in the middle */
	BED_NOT_ENCODED, /* "%" and no digits */
	BED_ERROR,
	BED_GARBAGE,
	BED_HUGE,
	BED_FLIPPED,     /* one bit of the signed text */
	BED_SILENT,      /* takes the request, says nothing */
	BED_OTHER_PCK_ROOT, /* one chain of three ends in another */
	BED_OTHER_TCB_ROOT,
	BED_OTHER_QE_ROOT,
	BED_OTHER_TCB_TEE,
	BED_OTHER_QE_TEE,
	BED_OTHER_MODEL,
	BED_OTHER_CA,
};

struct pcs_bed {
	int listener;
	char url[64];
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	enum bed_fault fault;
	enum bed_form form;
	bool pccs;       /* old header name */
	bool etags;
	bool dates; /* Last-Modified alone */
	unsigned version; /* of the ETags */
	int64_t made;    /* time the documents are of */
	unsigned eval, qe_eval;
	uint64_t crl, root_crl;
	unsigned requests, unchanged; /* answers 200 or worse, 304 */
	char last[256];
	int held[16]; /* connections of BED_SILENT */
	unsigned nheld;
};

static inline void
bed_world(const struct pcs_bed *b, const char *q, struct sim_world *w)
{
	const char *fmspc = strstr(q, "fmspc=");
	bool platform = strstr(q, "ca=processor") == NULL;
	if (b->fault == BED_OTHER_CA)
		platform = !platform;
	sim_world_init(w, "", platform ? SIM_CA_PLATFORM : SIM_CA_PROCESSOR,
	    b->made);
	bool tcb = strstr(q, "/certification/v4/tcb") != NULL;
	bool qe = strstr(q, "/certification/v4/qe") != NULL;
	bool sgx = (tcb || qe) && strstr(q, "/sgx/") != NULL;
	if ((tcb && b->fault == BED_OTHER_TCB_TEE) ||
	    (qe && b->fault == BED_OTHER_QE_TEE))
		sgx = !sgx;
	if (sgx)
		sim_world_sgx(w);
	w->tcb.issued = w->qe_identity.issued = b->made;
	w->tcb.eval = b->eval;
	w->qe_identity.eval = b->qe_eval;
	w->pck_crl.number = b->crl;
	w->root_crl.number = b->root_crl;
	if (fmspc != NULL)
		(void)!hex_decode(fmspc + 6, 12, w->tcb.fmspc, 6);
	if (b->fault == BED_OTHER_MODEL)
		w->tcb.fmspc[5] ^= 1;
	if (b->fault == (tcb ? BED_OTHER_TCB_ROOT
	                     : qe ? BED_OTHER_QE_ROOT
	                          : BED_OTHER_PCK_ROOT)) {
		w->root.key = w->root.signer = w->crl_ca.signer = "other";
		w->tcb_signer.signer = w->qe_signer.signer = "other";
		w->root_crl.signer = "other";
	}
}

static inline void
bed_put_encoded(struct wr *w, const struct wr *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = text->buf[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9'))
			wr_u8(w, c);
		else
			wr_fmt(w, "%%%02X", c);
	}
}

static inline void
bed_put_crl(struct wr *w, const struct wr *der, enum bed_form form)
{
	if (form == BED_DER) {
		wr_put(w, der->buf, der->len);
	} else if (form == BED_HEX) {
		wr_hex(w, der->buf, der->len);
		wr_str(w, "\n");
	} else {
		uint8_t *b64 = calloc(2, der->len + 8);
		int n = EVP_EncodeBlock(b64, der->buf, (int)der->len);
		wr_str(w, "-----BEGIN X509 CRL-----\n");
		for (int i = 0; i < n; i += 64)
			wr_fmt(w, "%.*s\n", n - i < 64 ? n - i : 64, b64 + i);
		wr_str(w, "-----END X509 CRL-----\n");
		free(b64);
	}
}

static inline void
bed_put_signed(struct wr *w, const char *name, const struct wr *text,
    const uint8_t sig[64], enum bed_fault fault)
{
	wr_fmt(w, "{\"%s\":", name);
	wr_put(w, text->buf, text->len);
	if (fault == BED_FLIPPED)
		w->buf[w->len - 40] ^= 1;
	wr_str(w, ",\"signature\":\"");
	wr_hex(w, sig, 64);
	wr_str(w, "\"}");
}

static inline void
bed_answer(struct pcs_bed *b, int fd, const char *q)
{
	struct sim_world *w = calloc(1, sizeof(*w));
	struct sim_collateral c;
	AUTO_WR struct wr out = wr_new(0);
	AUTO_WR struct wr body = wr_new(0);
	const char *name = "X-Chain";
	const struct wr *chain = &c.pck_crl_issuer_chain;
	char tag[32];

	(void)snprintf(tag, sizeof(tag), "\"v%u\"", b->version);
	if (b->dates)
		(void)snprintf(tag, sizeof(tag), "Mon, %02u Jan 2024", b->version);
	if ((b->etags || b->dates) && strstr(q, tag) != NULL) {
		b->unchanged++;
		wr_str(&out, "HTTP/1.1 304 Not Modified\r\n\r\n");
		(void)!send(fd, out.buf, out.len, MSG_NOSIGNAL);
		free(w);
		return;
	}
	b->requests++;
	bed_world(b, q, w);
	assert_int_equal(sim_collateral_make(w, &c), DSTACK_OK);
	free(w);
	if (b->fault == BED_GARBAGE) {
		wr_str(&body, "<html>not found</html>");
		name = "TCB-Info-Issuer-Chain";
	} else if (strstr(q, "/certification/v4/tcb?") != NULL) {
		name = b->pccs ? "SGX-TCB-Info-Issuer-Chain"
		               : "TCB-Info-Issuer-Chain";
		chain = &c.tcb_info_issuer_chain;
		bed_put_signed(&body, "tcbInfo", &c.tcb_info,
		    c.tcb_info_signature, b->fault);
	} else if (strstr(q, "/certification/v4/qe/identity") != NULL) {
		name = "sgx-enclave-identity-issuer-chain";
		chain = &c.qe_identity_issuer_chain;
		bed_put_signed(&body, "enclaveIdentity", &c.qe_identity,
		    c.qe_identity_signature, BED_GOOD);
	} else if (strstr(q, "/sgx/certification/v4/pckcrl?ca=") != NULL) {
		name = "SGX-PCK-CRL-Issuer-Chain";
		bed_put_crl(&body, &c.pck_crl, b->form);
	} else if (strstr(q, "/sgx/certification/v4/rootcacrl") != NULL) {
		bed_put_crl(&body, &c.root_ca_crl, b->form);
	}
	if (b->fault == BED_HUGE)
		wr_zero(&body, 100000);
	wr_fmt(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n",
	    body.len == 0 ? 404 : b->fault == BED_ERROR ? 500 : 200, body.len);
	if (b->etags || b->dates)
		wr_fmt(&out, "%s: %s\r\n",
		    b->dates ? "Last-Modified" : "ETag", tag);
	wr_fmt(&out, "%s: ", b->fault == BED_NO_HEADER ? "X-Chain" : name);
	bed_put_encoded(&out, chain,
	    b->fault == BED_CUT_CHAIN ? chain->len / 3 : chain->len);
	if (b->fault == BED_NOT_ENCODED)
		wr_str(&out, "%4");
	wr_str(&out, "\r\nConnection: close\r\n\r\n");
	wr_put(&out, body.buf, body.len);
	sim_collateral_free(&c);
	(void)!send(fd, out.buf, out.len, MSG_NOSIGNAL);
}

static inline void *
bed_main(void *arg)
{
	struct pcs_bed *b = arg;
	for (;;) {
		char q[4096];
		int fd = accept(b->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		ssize_t n = recv(fd, q, sizeof(q) - 1, 0);
		q[n > 0 ? n : 0] = '\0';
		(void)pthread_mutex_lock(&b->lock);
		(void)snprintf(b->last, sizeof(b->last), "%.*s",
		    (int)strcspn(q, "\r\n"), q);
		if (b->fault == BED_SILENT && b->nheld < 16) {
			b->requests++;
			b->held[b->nheld++] = fd;
			fd = -1;
		} else {
			bed_answer(b, fd, q);
		}
		(void)pthread_mutex_unlock(&b->lock);
		if (fd >= 0)
			(void)close(fd);
	}
}

static inline void
bed_start(struct pcs_bed *b)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	memset(b, 0, sizeof(*b));
	b->made = NOW;
	b->eval = b->qe_eval = 20;
	b->crl = b->root_crl = 7;
	b->version = 1;
	(void)pthread_mutex_init(&b->lock, NULL);
	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->listener, (const struct sockaddr *)&sin,
	                     sizeof(sin)),
	    0);
	assert_int_equal(listen(b->listener, 8), 0);
	assert_int_equal(
	    getsockname(b->listener, (struct sockaddr *)&sin, &len), 0);
	(void)snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u",
	    ntohs(sin.sin_port));
	assert_int_equal(pthread_create(&b->thread, NULL, bed_main, b), 0);
}

/* Nobody listens at its address afterwards. */
static inline void
bed_stop(struct pcs_bed *b)
{
	if (b->listener < 0)
		return;
	(void)shutdown(b->listener, SHUT_RDWR);
	(void)pthread_join(b->thread, NULL);
	(void)close(b->listener);
	b->listener = -1;
	for (unsigned i = 0; i < b->nheld; i++)
		(void)close(b->held[i]);
}

#endif
