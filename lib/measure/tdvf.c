/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TDX firmware (TDVF): which of its parts go where, and the MRTD that this
 * makes.
 *
 * A table of GUIDed entries lies before the file's last 32 bytes and is read
 * backwards; one of its entries says where the metadata is, and the metadata
 * lists the sections (TDVF Design Guide 11). The file is one that an operator
 * downloaded: every offset is held against the file, sections may not overlap,
 * and there must be what a guest needs. MRTD follows from the sections in the
 * order of the metadata, by the rules of the TDX module (Base Architecture
 * Specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND): each page is added, and
 * where the section says so its bytes are hashed 256 at a time.
 *
 * tdvf_blank refuses a variable store with something in it: Secure Boot keys
 * would be measured, and no prediction here knows them.
 */
#include "measure/tdvf.h"

#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "crypto/hash.h"

#define TAIL 32u  /* reset vector code behind the table of GUIDed entries */
#define ENTRY 18u /* u16 length of the whole entry, GUID; data is before */
#define EXTEND_CHUNK 256u

/* 96b582de-1fb2-45f7-baea-a366c55a082d: the table's last entry */
static const uint8_t footer_guid[16] = { 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f,
	0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d };
/* e47a6535-984a-4798-865e-4685a7bf8ec2: where the metadata is, from the end */
static const uint8_t offset_guid[16] = { 0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98,
	0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2 };

static enum dstack_status
broken(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_FORMAT, "firmware: %s", text);
}

/* The entry that ends at byte end of the file; *start is where it begins. */
static enum dstack_status
entry(const uint8_t *file, size_t end, size_t *start, const uint8_t **guid)
{
	struct rd r = rd_over(file, end);
	uint16_t len = 0;
	enum dstack_status st =
	    end < ENTRY ? DSTACK_E_TRUNCATED : rd_skip(&r, end - ENTRY);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &len);
	if (st == DSTACK_OK)
		st = rd_take(&r, 16, guid);
	if (st == DSTACK_OK && (len < ENTRY || len > end))
		st = DSTACK_E_FORMAT;
	*start = end - len;
	return st;
}

/* The table is read from its end; the footer's length is the whole table's. */
static enum dstack_status
find_metadata(const uint8_t *file, size_t len, uint32_t *back)
{
	size_t table = 0, at = 0;
	const uint8_t *guid = NULL;
	if (len < TAIL)
		return DSTACK_E_TRUNCATED;
	enum dstack_status st = entry(file, len - TAIL, &table, &guid);
	if (st == DSTACK_OK && memcmp(guid, footer_guid, 16) != 0)
		st = DSTACK_E_MISSING;
	for (size_t end = len - TAIL - ENTRY; st == DSTACK_OK; end = at) {
		if (end <= table)
			return DSTACK_E_MISSING;
		st = entry(file, end, &at, &guid);
		if (st == DSTACK_OK && at < table)
			st = DSTACK_E_FORMAT;
		if (st != DSTACK_OK || memcmp(guid, offset_guid, 16) != 0)
			continue;
		struct rd r = rd_over(file + at, end - at);
		/* The entry's data is one word. */
		st = end - at == ENTRY + 4 ? rd_u32le(&r, back)
					   : DSTACK_E_FORMAT;
		return st;
	}
	return st;
}

static enum dstack_status
section(struct rd *r, const uint8_t *file, size_t len, struct tdvf_section *s)
{
	struct rd f = rd_over(file, len);
	uint32_t offset = 0, raw = 0, attributes = 0;
	enum dstack_status st = rd_u32le(r, &offset);
	if (st == DSTACK_OK)
		st = rd_u32le(r, &raw);
	if (st == DSTACK_OK)
		st = rd_u64le(r, &s->address);
	if (st == DSTACK_OK)
		st = rd_u64le(r, &s->size);
	if (st == DSTACK_OK)
		st = rd_u32le(r, &s->type);
	if (st == DSTACK_OK)
		st = rd_u32le(r, &attributes);
	if (st != DSTACK_OK)
		return st;
	/*
	 * The other types are memory alone: bytes in the file for them would be
	 * measured by nobody.
	 */
	bool from_file = s->type == TDVF_BFV || s->type == TDVF_CFV;
	if (s->type > TDVF_TEMP_MEM || attributes > 1 || s->size == 0 ||
	    s->size > TDVF_MAX_FILE || s->address % TDVF_PAGE != 0 ||
	    s->size % TDVF_PAGE != 0 || s->address > UINT64_MAX - s->size ||
	    raw != (from_file ? s->size : 0) || (!from_file && attributes != 0))
		return DSTACK_E_FORMAT;
	s->extend = attributes == 1;
	s->data = NULL;
	if (!from_file)
		return DSTACK_OK;
	st = rd_skip(&f, offset);
	return st == DSTACK_OK ? rd_take(&f, raw, &s->data) : st;
}

static enum dstack_status
check(struct tdvf *t, struct why *why)
{
	bool measured = false;
	for (size_t i = 0; i < t->count; i++) {
		const struct tdvf_section *s = &t->s[i];
		/*
		 * Which section is meant must not depend on who reads: one CFV,
		 * one TD_HOB.
		 */
		const struct tdvf_section **one = s->type == TDVF_CFV ? &t->cfv
		    : s->type == TDVF_TD_HOB			      ? &t->hob
								      : NULL;
		if (one != NULL && *one != NULL)
			return broken(why, "two CFV or two TD_HOB sections");
		if (one != NULL)
			*one = s;
		measured = measured || (s->type == TDVF_BFV && s->extend);
		for (size_t k = 0; k < i; k++)
			if (s->address < t->s[k].address + t->s[k].size &&
			    t->s[k].address < s->address + s->size)
				return broken(why, "sections overlap");
	}
	if (t->cfv == NULL || t->hob == NULL || !measured)
		return broken(why,
		    "the metadata lacks a measured BFV, a CFV or a TD_HOB");
	return DSTACK_OK;
}

enum dstack_status
tdvf_parse(const void *file, size_t len, struct tdvf *out, struct why *why)
{
	uint32_t back = 0, length = 0, version = 0, count = 0;
	const uint8_t *sig = NULL;
	memset(out, 0, sizeof(*out));
	if (len > TDVF_MAX_FILE)
		return broken(why, "over 16 MiB");
	enum dstack_status st = find_metadata(file, len, &back);
	if (st == DSTACK_E_MISSING)
		return broken(why,
		    "no TDX metadata: not a TDVF, or its code part alone");
	if (st == DSTACK_OK && back > len)
		st = DSTACK_E_FORMAT;
	struct rd r = rd_over(file, len);
	if (st == DSTACK_OK)
		st = rd_skip(&r, len - back);
	if (st == DSTACK_OK)
		st = rd_take(&r, 4, &sig);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &length);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &version);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &count);
	if (st == DSTACK_OK && (memcmp(sig, "TDVF", 4) != 0 || version != 1 ||
				   count > TDVF_MAX_SECTIONS ||
				   length != 16 + 32 * count))
		st = DSTACK_E_FORMAT;
	for (uint32_t i = 0; i < count && st == DSTACK_OK; i++)
		st = section(&r, file, len, &out->s[i]);
	if (st != DSTACK_OK)
		return broken(why, "its TDX metadata is broken");
	out->count = count;
	return check(out, why);
}

/* The 128 bytes of TDH.MEM.PAGE.ADD and TDH.MR.EXTEND: name, then address. */
static void
block(struct hasher *h, const char *name, uint64_t gpa)
{
	uint8_t b[128] = { 0 };
	memcpy(b, name, strlen(name));
	for (int i = 0; i < 8; i++)
		b[16 + i] = (uint8_t)(gpa >> (8 * i));
	hasher_update(h, b, sizeof(b));
}

void
tdvf_mrtd(const struct tdvf *t, uint8_t out[static 48])
{
	struct hasher *h = hasher_new(HASHER_SHA384);
	if (h == NULL)
		abort();
	for (size_t i = 0; i < t->count; i++) {
		const struct tdvf_section *s = &t->s[i];
		uint64_t step = s->extend ? EXTEND_CHUNK : TDVF_PAGE;
		for (uint64_t o = 0; o < s->size; o += step) {
			/*
			 * By page: add, then extend all its chunks. QEMU does
			 * it in this order, and the order is in the hash.
			 */
			if (o % TDVF_PAGE == 0)
				block(h, "MEM.PAGE.ADD", s->address + o);
			if (!s->extend)
				continue;
			block(h, "MR.EXTEND", s->address + o);
			hasher_update(h, s->data + o, EXTEND_CHUNK);
		}
	}
	hasher_final(h, out);
}

enum dstack_status
tdvf_blank(const struct tdvf *t, struct why *why)
{
	enum { STORE_HEADER = 28, START_ID = 0x55aa };
	struct rd r = rd_over(t->cfv->data, (size_t)t->cfv->size);
	const uint8_t *sig = NULL;
	uint16_t header = 0, first = 0;
	enum dstack_status st = rd_skip(&r, 40);
	if (st == DSTACK_OK)
		st = rd_take(&r, 4, &sig);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 4);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &header);
	r = rd_over(t->cfv->data, (size_t)t->cfv->size);
	if (st == DSTACK_OK)
		st = rd_skip(&r, (size_t)header + STORE_HEADER);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &first);
	if (st != DSTACK_OK || memcmp(sig, "_FVH", 4) != 0)
		return broken(why, "its variable store is broken");
	/* A variable's header begins with this id; erased flash has 0xffff. */
	if (first == START_ID)
		return why_set(why, DSTACK_E_REJECTED,
		    "firmware: its variable store is not blank (Secure Boot "
		    "keys?); only a blank one is predicted");
	return DSTACK_OK;
}
