/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral as files of one directory, as a PCS or PCCS hands them out, or
 * as Intel's tools keep them. Each part is looked for under the names it goes
 * by; a signed answer may be there whole, with its signature in it, or as text
 * and signature apart. What is missing is named, so that it can be fetched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/quote/input.h"

enum { CHAIN_PCK, ROOT_CRL, PCK_CRL, CHAIN_TCB, TCB, TCB_SIG, CHAIN_QE, QE,
	QE_SIG, CHAIN_OWN, PARTS };

static const char *const part_name[PARTS] = {
	"pck_crl_issuer_chain", "root_ca_crl", "pck_crl",
	"tcb_info_issuer_chain", "tcb_info", "tcb_info_signature",
	"qe_identity_issuer_chain", "qe_identity", "qe_identity_signature",
	"pck_certificate_chain",
};

struct parts {
	uint8_t *buf[PARTS]; /* owned */
	struct dcap_bytes b[PARTS];
	uint8_t sig[PARTS][64]; /* taken out of a document's file */
};

static void
free_parts(struct parts *p)
{
	for (int i = 0; i < PARTS; i++)
		free(p->buf[i]);
}

/* NAME or NAME with a known ending; absent: an empty part. */
static enum dstack_status
read_part(const char *dir, int i, struct parts *p, struct why *why)
{
	static const char *const ending[] = { "", ".pem", ".crt", ".der",
		".crl", ".json", ".hex", ".bin", ".sig" };
	for (size_t e = 0; e < sizeof(ending) / sizeof(ending[0]); e++) {
		char path[1024];
		struct stat st;
		int n = snprintf(path, sizeof(path), "%s/%s%s", dir,
		    part_name[i], ending[e]);
		if (n < 0 || (size_t)n >= sizeof(path))
			return why_set(why, DSTACK_E_LIMIT, "path too long");
		if (stat(path, &st) != 0)
			continue;
		enum dstack_status rc = quote_read_file(path,
		    DCAP_MAX_COLLATERAL, &p->buf[i], &p->b[i].n, why);
		p->b[i].p = p->buf[i];
		return rc;
	}
	return DSTACK_OK;
}

/* A document may come as the service's answer, its signature beside it. */
static void
split(struct parts *p, int document, int sig, const char *member)
{
	struct dcap_bytes text;
	/* A signature in a file of its own is the one that is meant. */
	if (p->b[sig].n != 0 ||
	    dcap_split_signed(p->b[document].p, p->b[document].n, member,
	    &text, p->sig[sig]) != DSTACK_OK)
		return;
	p->b[document] = text;
	p->b[sig].p = p->sig[sig];
	p->b[sig].n = sizeof(p->sig[sig]);
}

/*
 * A document ends with its last brace; editors put a newline behind it, and
 * programs that write what Intel's library gives them one NUL.
 */
static void
trim_text(struct dcap_bytes *b)
{
	const char *s = b->p;
	if (b->n > 0 && s[b->n - 1] == '\0')
		b->n--;
	while (b->n > 0 && (s[b->n - 1] == '\n' || s[b->n - 1] == '\r'))
		b->n--;
}

/* Text of a signature file: hex and a newline, or 64 raw bytes. */
static void
trim(struct dcap_bytes *b)
{
	const char *s = b->p;
	while (b->n > 128 && (s[b->n - 1] == '\n' || s[b->n - 1] == '\r'))
		b->n--;
}

enum dstack_status
quote_load_dir(const char *dir, struct dcap_collateral **out,
    enum dcap_code *code, struct why *why)
{
	OWN_CLEANUP(free_parts) struct parts p = { .buf = { NULL } };
	enum dstack_status st = DSTACK_OK;
	*code = DCAP_REFUSED;
	for (int i = 0; i < PARTS && st == DSTACK_OK; i++)
		st = read_part(dir, i, &p, why);
	if (st != DSTACK_OK)
		return st;
	trim_text(&p.b[TCB]);
	trim_text(&p.b[QE]);
	trim(&p.b[TCB_SIG]);
	trim(&p.b[QE_SIG]);
	split(&p, TCB, TCB_SIG, "tcbInfo");
	split(&p, QE, QE_SIG, "enclaveIdentity");
	const struct dcap_pieces in = { p.b[CHAIN_PCK], p.b[ROOT_CRL],
		p.b[PCK_CRL], p.b[CHAIN_TCB], p.b[TCB], p.b[TCB_SIG],
		p.b[CHAIN_QE], p.b[QE], p.b[QE_SIG], p.b[CHAIN_OWN] };
	return dcap_collateral_from_pieces(&in, out, code, why);
}
