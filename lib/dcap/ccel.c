/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TDX event log (the CC event log of UEFI 2.10, 38.4, in the form of TCG's
 * PFP 1.06, crypto-agile), and its replay into RTMRs. A log is a claim: the
 * bytes come from a host or a file, and only when the replay gives the
 * registers of a genuine quote are its events what happened. The header event
 * says which digests the others carry, and one of them must be SHA-384; each
 * event then has exactly those. Reading ends at the first word of an empty log
 * area (all ones or zeros), at the bounds, or with an error that names the
 * event.
 */
#include "dcap/ccel.h"

#include <string.h>

#include "base/secret.h"
#include "dcap/digest.h"

enum { ALG_SHA384 = 0x000c };

static enum dstack_status
broken(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_FORMAT, "event log: %s", text);
}

/* TCG_EfiSpecIdEvent: which digests the other events carry. */
static enum dstack_status
spec_id(struct rd *r, struct ccel *c)
{
	static const uint8_t signature[16] = "Spec ID Event03";
	const uint8_t *sig = NULL;
	uint32_t count = 0;
	uint8_t vendor = 0;
	bool sha384 = false;
	enum dstack_status st = rd_take(r, 16, &sig);
	if (st == DSTACK_OK)
		st = rd_skip(r, 8); /* platform class, versions, UINTN size */
	if (st == DSTACK_OK)
		st = rd_u32le(r, &count);
	if (st == DSTACK_OK && (memcmp(sig, signature, 16) != 0 ||
	    count > CCEL_MAX_ALGS))
		st = DSTACK_E_FORMAT;
	for (uint32_t i = 0; i < count && st == DSTACK_OK; i++) {
		st = rd_u16le(r, &c->alg[i].id);
		if (st == DSTACK_OK)
			st = rd_u16le(r, &c->alg[i].size);
		if (st == DSTACK_OK && c->alg[i].id == ALG_SHA384) {
			/*
			 * Twice, or of another size: two readers would extend
			 * different bytes.
			 */
			if (sha384 || c->alg[i].size != 48)
				return DSTACK_E_FORMAT;
			sha384 = true;
		}
		c->algs = i + 1;
	}
	if (st == DSTACK_OK)
		st = rd_u8(r, &vendor);
	if (st == DSTACK_OK)
		st = rd_skip(r, vendor);
	if (st == DSTACK_OK)
		st = rd_end(r);
	return st == DSTACK_OK && !sha384 ? DSTACK_E_FORMAT : st;
}

enum dstack_status
ccel_open(const void *log, size_t len, struct ccel *out, struct why *why)
{
	struct ccel c = { .r = rd_over(log, len) };
	uint32_t mr, type = 0, size = 0;
	struct rd event;
	if (len > CCEL_MAX_LOG)
		return broken(why, "over 1 MiB");
	/* TCG_PCR_EVENT: index, type, SHA-1 slot, size, data */
	enum dstack_status st = rd_u32le(&c.r, &mr);
	if (st == DSTACK_OK)
		st = rd_u32le(&c.r, &type);
	if (st == DSTACK_OK)
		st = rd_skip(&c.r, 20);
	if (st == DSTACK_OK)
		st = rd_u32le(&c.r, &size);
	if (st == DSTACK_OK)
		st = rd_sub(&c.r, size, &event);
	if (st == DSTACK_OK && type != CCEL_NO_ACTION)
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = spec_id(&event, &c);
	if (st != DSTACK_OK)
		return broken(why, "no header event that names SHA-384");
	*out = c;
	return DSTACK_OK;
}

/*
 * The area that firmware reserves is longer than the log; what is behind it is
 * 0xff or 0.
 */
static bool
at_end(const struct rd *r)
{
	struct rd t = *r;
	uint32_t mr;
	const uint8_t *rest;
	if (rd_left(&t) == 0)
		return true;
	if (rd_u32le(&t, &mr) == DSTACK_OK && mr == UINT32_MAX)
		return true;
	t = *r;
	size_t n = rd_left(&t);
	return rd_take(&t, n, &rest) == DSTACK_OK && ct_is_zero(rest, n);
}

static size_t
size_of(const struct ccel *c, uint16_t id)
{
	for (size_t i = 0; i < c->algs; i++)
		if (c->alg[i].id == id)
			return c->alg[i].size;
	return 0;
}

/* One digest per algorithm of the header, each once. */
static enum dstack_status
digests(struct ccel *c, struct rd *r, struct ccel_event *e)
{
	uint32_t count;
	enum dstack_status st = rd_u32le(r, &count);
	if (st != DSTACK_OK)
		return st;
	if (count != c->algs)
		return DSTACK_E_FORMAT;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t id;
		const uint8_t *p;
		st = rd_u16le(r, &id);
		if (st != DSTACK_OK)
			return st;
		size_t n = size_of(c, id);
		if (n == 0)
			return DSTACK_E_FORMAT;
		st = rd_take(r, n, &p);
		if (st != DSTACK_OK)
			return st;
		if (id == ALG_SHA384) {
			if (e->digest != NULL)
				return DSTACK_E_FORMAT;
			e->digest = p;
		}
	}
	return e->digest != NULL ? DSTACK_OK : DSTACK_E_FORMAT;
}

enum dstack_status
ccel_next(
    struct ccel *c, struct ccel_event *out, bool *end, struct why *why)
{
	struct rd r = c->r;
	struct ccel_event e = { .digest = NULL };
	uint32_t size = 0;
	*end = at_end(&r);
	if (*end)
		return DSTACK_OK;
	if (c->events == CCEL_MAX_EVENTS)
		return broken(why, "too many events");
	enum dstack_status st = rd_u32le(&r, &e.mr);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &e.type);
	if (st == DSTACK_OK)
		st = digests(c, &r, &e);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &size);
	if (st == DSTACK_OK) {
		e.datalen = size;
		st = rd_take(&r, size, &e.data);
	}
	/* 0 is MRTD, 1 to 4 are RTMR0 to 3. */
	if (st == DSTACK_OK && e.mr > 4)
		st = DSTACK_E_FORMAT;
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: event %u is broken", c->events + 1);
	c->events++;
	c->r = r;
	*out = e;
	return DSTACK_OK;
}

enum dstack_status
dcap_ccel_replay(const void *log, size_t len, uint8_t rtmr[4][48], size_t *used,
    unsigned *events, struct why *why)
{
	struct ccel c;
	bool end = false;
	uint8_t v[4][48] = { { 0 } };
	enum dstack_status st = ccel_open(log, len, &c, why);
	while (st == DSTACK_OK) {
		struct ccel_event e;
		st = ccel_next(&c, &e, &end, why);
		if (st != DSTACK_OK || end)
			break;
		/* Informative events, and those of MRTD, extend nothing. */
		if (e.type == CCEL_NO_ACTION || e.mr == 0)
			continue;
		uint8_t *reg = v[e.mr - 1];
		const struct dcap_bytes in[] = { { reg, 48 }, { e.digest, 48 } };
		if (!digest_sha384(in, 2, reg))
			st = why_set(why, DSTACK_E_NOMEM, "out of memory");
	}
	if (st != DSTACK_OK)
		return st;
	memcpy(rtmr, v, sizeof(v));
	if (used != NULL)
		*used = c.r.pos;
	if (events != NULL)
		*events = c.events;
	return DSTACK_OK;
}

/*
 * The ACPI table that says where the log lies (UEFI 2.10, 38.4.1): its length
 * alone is used, since the kernel maps the log.
 */
enum dstack_status
ccel_table_parse(
    const void *table, size_t len, uint64_t *log_len, struct why *why)
{
	struct rd r = rd_over(table, len);
	const uint8_t *sig = NULL;
	uint32_t size = 0;
	uint8_t type = 0;
	uint64_t n = 0;
	enum dstack_status st = rd_take(&r, 4, &sig);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &size);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 28); /* rest of the ACPI header */
	if (st == DSTACK_OK)
		st = rd_u8(&r, &type);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 3);
	if (st == DSTACK_OK)
		st = rd_u64le(&r, &n);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 8); /* where the log lies */
	if (st == DSTACK_OK)
		st = rd_end(&r);
	if (st != DSTACK_OK || memcmp(sig, "CCEL", 4) != 0 || size != len ||
	    type != 2)
		return why_set(why, DSTACK_E_FORMAT,
		    "CCEL table: not that of a TD (56 bytes, type 2)");
	*log_len = n;
	return DSTACK_OK;
}
