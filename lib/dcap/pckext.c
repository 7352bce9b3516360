/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's SGX extension of a PCK certificate (1.2.840.113741.1.13.1): which
 * platform, and at which SVNs it was provisioned. Five members must be there,
 * once each: PPID, TCB with its eighteen numbers, PCE id, FMSPC, type. Others
 * are told if their form is known and skipped if not: Intel has added some and
 * may add more, and none of them decides anything here.
 */
#include "dcap/pckext.h"

#include <string.h>

/* 1.2.840.113741.1.13.1 */
static const uint8_t base[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01,
	0x0d, 0x01 };

/*
 * The byte behind the base OID (and, for TCB components, behind sub); 0:
 * another OID. No number here is above 18, so none takes two bytes.
 */
static unsigned
last_arc(struct der_span oid, unsigned sub)
{
	size_t n = sizeof(base) + (sub != 0 ? 1 : 0);
	if (oid.n != n + 1 || memcmp(oid.p, base, sizeof(base)) != 0 ||
	    (sub != 0 && oid.p[sizeof(base)] != sub))
		return 0;
	return oid.p[n];
}

static enum dstack_status
octets(struct rd *r, uint8_t *out, size_t n)
{
	struct rd in;
	enum dstack_status st = der_take(r, DER_OCTETS, &in);
	if (st == DSTACK_OK)
		st = rd_copy(&in, out, n);
	return st == DSTACK_OK ? rd_end(&in) : st;
}

static enum dstack_status
tcb(struct rd *r, struct pck_ext *out)
{
	struct rd list;
	uint32_t seen = 0;
	enum dstack_status st = der_take(r, DER_SEQ, &list);
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		struct rd pair;
		struct der_span oid;
		uint64_t v = 0;
		st = der_take(&list, DER_SEQ, &pair);
		if (st == DSTACK_OK)
			st = der_take_oid(&pair, &oid);
		if (st != DSTACK_OK)
			break;
		unsigned arc = last_arc(oid, 2);
		/*
		 * Inside the TCB there is nothing else: a stranger there would
		 * be a number that somebody compares and we do not.
		 */
		if (arc == 0 || arc > 18 || (seen & 1u << arc) != 0)
			return DSTACK_E_FORMAT;
		seen |= 1u << arc;
		if (arc == 18)
			st = octets(&pair, out->cpusvn, 16);
		else
			st = der_take_u64(&pair, &v);
		if (st == DSTACK_OK)
			st = rd_end(&pair);
		/*
		 * PCESVN has 16 bits, components 8: cut, a large one would look
		 * old.
		 */
		if (v > (arc == 17 ? 0xffffu : 0xffu))
			return DSTACK_E_FORMAT;
		if (arc <= 16)
			out->svn[arc - 1] = (uint8_t)v;
		else if (arc == 17)
			out->pcesvn = (uint16_t)v;
	}
	if (st == DSTACK_OK && seen != 0x7fffe) /* bits 1 to 18 */
		st = DSTACK_E_FORMAT;
	return st;
}

static enum dstack_status
sgx_type(struct rd *r, uint8_t *out)
{
	struct rd in;
	enum dstack_status st = der_take(r, DER_ENUM, &in);
	if (st == DSTACK_OK)
		st = rd_u8(&in, out);
	if (st == DSTACK_OK)
		st = rd_end(&in);
	return st == DSTACK_OK && *out > 2 ? DSTACK_E_FORMAT : st;
}

static enum dstack_status
boolean(struct rd *r, enum dcap_truth *out)
{
	struct rd in;
	uint8_t b = 0;
	enum dstack_status st = der_take(r, DER_BOOLEAN, &in);
	if (st == DSTACK_OK)
		st = rd_u8(&in, &b);
	if (st == DSTACK_OK)
		st = rd_end(&in);
	if (st == DSTACK_OK && b != 0 && b != 0xff) /* DER has two */
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		*out = b != 0 ? DCAP_TRUE : DCAP_FALSE;
	return st;
}

/* Configuration: dynamicPlatform .7.1, cachedKeys .7.2, smtEnabled .7.3. */
static enum dstack_status
configuration(struct rd *r, struct pck_ext *out)
{
	struct rd list;
	uint32_t seen = 0;
	enum dstack_status st = der_take(r, DER_SEQ, &list);
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		struct rd pair;
		struct der_span oid;
		st = der_take(&list, DER_SEQ, &pair);
		if (st == DSTACK_OK)
			st = der_take_oid(&pair, &oid);
		if (st != DSTACK_OK)
			break;
		unsigned arc = last_arc(oid, 7);
		if (arc == 0 || arc > 3)
			continue;
		if ((seen & 1u << arc) != 0)
			return DSTACK_E_FORMAT;
		seen |= 1u << arc;
		st = boolean(&pair, arc == 1 ? &out->dynamic_platform
		        : arc == 2           ? &out->cached_keys
				             : &out->smt_enabled);
		if (st == DSTACK_OK)
			st = rd_end(&pair);
	}
	return st;
}

/*
 * Platform instance and configuration are told, and decide nothing: a form
 * that this program does not know leaves them absent.
 */
static void
informative(struct rd *pair, unsigned arc, struct pck_ext *e)
{
	/*
	 * Into a copy: a form that breaks in the middle leaves nothing behind.
	 */
	struct pck_ext got = { .sgx_type = 0 };
	enum dstack_status st = arc == 6
	    ? octets(pair, got.instance, sizeof(got.instance))
	    : configuration(pair, &got);
	if (st != DSTACK_OK || rd_end(pair) != DSTACK_OK)
		return;
	if (arc == 6) {
		e->has_instance = true;
		memcpy(e->instance, got.instance, sizeof(e->instance));
	} else {
		e->dynamic_platform = got.dynamic_platform;
		e->cached_keys = got.cached_keys;
		e->smt_enabled = got.smt_enabled;
	}
}

enum dstack_status
pck_ext_parse(struct der_span ext, struct pck_ext *out)
{
	struct rd r = rd_over(ext.p, ext.n), list;
	struct pck_ext e = { .sgx_type = 0 };
	uint32_t seen = 0;
	enum dstack_status st = der_take(&r, DER_SEQ, &list);
	if (st == DSTACK_OK)
		st = rd_end(&r);
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		struct rd pair;
		struct der_span oid;
		st = der_take(&list, DER_SEQ, &pair);
		if (st == DSTACK_OK)
			st = der_take_oid(&pair, &oid);
		if (st != DSTACK_OK)
			break;
		unsigned arc = last_arc(oid, 0);
		if (arc == 6 || arc == 7) {
			informative(&pair, arc, &e);
			continue;
		}
		if (arc == 0 || arc > 7)
			continue;
		if ((seen & 1u << arc) != 0)
			return DSTACK_E_FORMAT;
		seen |= 1u << arc;
		if (arc == 1)
			st = octets(&pair, e.ppid, sizeof(e.ppid));
		else if (arc == 2)
			st = tcb(&pair, &e);
		else if (arc == 3)
			st = octets(&pair, e.pceid, sizeof(e.pceid));
		else if (arc == 4)
			st = octets(&pair, e.fmspc, sizeof(e.fmspc));
		else
			st = sgx_type(&pair, &e.sgx_type);
		if (st == DSTACK_OK)
			st = rd_end(&pair);
	}
	/* Any that is missing would be a zero that somebody compares. */
	if (st == DSTACK_OK && seen != 0x3e) /* bits 1 to 5 */
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		*out = e;
	return st;
}
