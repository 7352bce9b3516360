/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A revocation list (RFC 5280, section 5), version 2, whole: no deltas, no
 * indirect lists, no lists for some reasons only. All of these show as critical
 * extensions, so whatever is critical and not known is refused; a list that was
 * read as complete and is not would let revoked certificates pass. Serial
 * numbers are sorted once, since a list may have thousands and each judgement
 * looks several up.
 */
#include "dcap/crl.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t oid_crl_number[] = { 0x55, 0x1d, 0x14 };

/* Shorter numbers first, then by bytes: as integers. */
static int
compare(const void *pa, const void *pb)
{
	const struct der_span *a = pa, *b = pb;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return memcmp(a->p, b->p, a->n);
}

/* Serial and time; the reason is of no account: on the list is on the list. */
static enum dstack_status
take_entry(struct rd *list, struct der_span *serial)
{
	struct rd entry, exts, value;
	int64_t when;
	enum dstack_status st = der_take(list, DER_SEQ, &entry);
	if (st == DSTACK_OK)
		st = der_take_integer(&entry, serial);
	if (st == DSTACK_OK)
		st = der_take_time(&entry, &when);
	if (st != DSTACK_OK || rd_left(&entry) == 0)
		return st;
	st = der_take(&entry, DER_SEQ, &exts);
	if (st == DSTACK_OK)
		st = rd_end(&entry);
	while (st == DSTACK_OK && rd_left(&exts) != 0) {
		struct der_span oid;
		bool critical;
		st = x509_take_extension(&exts, &oid, &critical, &value);
		/* a critical one could name another issuer (5.3.3) */
		if (st == DSTACK_OK && critical)
			st = DSTACK_E_FORMAT;
	}
	return st;
}

static enum dstack_status
take_entries(struct rd *tbs, struct crl *c)
{
	struct rd list;
	enum dstack_status st = der_take(tbs, DER_SEQ, &list);
	/*
	 * Two passes: count first, so that memory is asked for once and by what
	 * is there.
	 */
	struct rd again = list;
	struct der_span serial;
	size_t count = 0;
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		st = take_entry(&list, &serial);
		count++;
	}
	/*
	 * An empty sequence of entries is let pass, though DER leaves it out.
	 */
	if (st != DSTACK_OK || count == 0)
		return st;
	c->serial = calloc(count, sizeof(*c->serial));
	if (c->serial == NULL)
		return DSTACK_E_NOMEM;
	while (st == DSTACK_OK && c->count < count)
		st = take_entry(&again, &c->serial[c->count++]);
	qsort(c->serial, count, sizeof(*c->serial), compare);
	return st;
}

/*
 * The number is needed: policies have a floor for it, so that an older list
 * cannot be shown.
 */
static enum dstack_status
take_extensions(struct rd *tbs, struct crl *c)
{
	struct rd wrap, list;
	unsigned numbers = 0;
	enum dstack_status st = der_take(tbs, DER_CTX0, &wrap);
	if (st == DSTACK_OK)
		st = der_take(&wrap, DER_SEQ, &list);
	if (st == DSTACK_OK)
		st = rd_end(&wrap);
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		struct der_span oid;
		bool critical;
		struct rd value;
		st = x509_take_extension(&list, &oid, &critical, &value);
		if (st != DSTACK_OK)
			break;
		if (oid.n == sizeof(oid_crl_number) &&
		    memcmp(oid.p, oid_crl_number, oid.n) == 0) {
			st = der_take_u64(&value, &c->number);
			if (st == DSTACK_OK)
				st = rd_end(&value);
			numbers++;
		} else if (critical) {
			/* a delta or an indirect CRL, or of one reason */
			return DSTACK_E_FORMAT;
		}
	}
	return st == DSTACK_OK && numbers != 1 ? DSTACK_E_FORMAT : st;
}

static enum dstack_status
parse_tbs(struct rd *tbs, struct crl *c)
{
	uint64_t version;
	struct rd in;
	enum dstack_status st = der_take_u64(tbs, &version);
	if (st == DSTACK_OK && version != 1) /* v2 */
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = x509_take_sig_alg(tbs);
	if (st == DSTACK_OK)
		st = der_take_raw(tbs, DER_SEQ, &in, &c->issuer);
	if (st == DSTACK_OK)
		st = der_take_window(tbs, &c->valid);
	if (st == DSTACK_OK && der_is(tbs, DER_SEQ))
		st = take_entries(tbs, c);
	if (st == DSTACK_OK)
		st = take_extensions(tbs, c);
	return st == DSTACK_OK ? rd_end(tbs) : st;
}

enum dstack_status
crl_parse(struct der_span der, struct crl *out)
{
	struct crl c = { .count = 0 };
	struct rd tbs;
	if (der.n > CRL_MAX_BYTES)
		return DSTACK_E_LIMIT;
	enum dstack_status st = x509_open_signed(der, &c.signed_part, &tbs);
	if (st == DSTACK_OK)
		st = parse_tbs(&tbs, &c);
	if (st != DSTACK_OK) {
		crl_free(&c);
		return st;
	}
	*out = c;
	return DSTACK_OK;
}

void
crl_free(struct crl *c)
{
	free(c->serial);
	c->serial = NULL;
	c->count = 0;
}

bool
crl_lists(const struct crl *c, struct der_span serial)
{
	return c->count != 0 && bsearch(&serial, c->serial, c->count,
	    sizeof(*c->serial), compare) != NULL;
}
