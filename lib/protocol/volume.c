/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record in front of an encrypted volume, and the two judgements on it.
 *
 * Before there is a secret, volume_foresee looks at bytes that nobody vouches
 * for, and may only say no: a disk that would surely be refused later ends the
 * try before a secret is made or asked for. After it, volume_decode checks the
 * MAC under the volume's own header key before it believes a field, and
 * volume_judge compares record, chain and disk: its rows are the table in
 * docs/volume.md, in the order in which a row excludes the next. Formatting
 * happens only where the disk is blank and the chain knows of no volume: a host
 * that shows an empty disk gets a refusal, not a new volume.
 *
 * The root that is anchored leaves out the generation, which moves at every
 * opening, and how far the volume has grown, so that an anchor stays true for
 * the life of the volume. It grows only up: what a record says that is in use
 * must be on the disk.
 */
#include "protocol/volume.h"

#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/hash.h"

#define MAGIC "dstack2/volume/1"
#define MAGIC_LEN 16
#define MAC_AT (VOLUME_BLOCK - 32)
#define SECTOR 512u

static void
u64be(uint64_t v, uint8_t out[static 8])
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Every part has a fixed length, so no frame is needed. */
void
volume_id(const uint8_t app_id[static 32], const uint8_t owner[static 20],
    uint64_t index, uint8_t out[static 32])
{
	uint8_t n[8];
	u64be(index, n);
	const struct piece v[] = { { "dstack2/volume/v1", 17 }, { app_id, 32 },
		{ owner, 20 }, { n, 8 } };
	keccak256v(v, 4, out);
}

/*
 * What an owner signs to let another account's node use its volume: names
 * chain, contract and that account, so it serves nowhere else.
 */
void
volume_owner_digest(uint64_t chain_id, const uint8_t contract[static 20],
    const uint8_t submitter[static 20], const uint8_t owner[static 20],
    uint64_t index, uint8_t out[static 32])
{
	uint8_t c[8];
	uint8_t n[8];
	u64be(chain_id, c);
	u64be(index, n);
	const struct piece v[] = { { "dstack2/volume-owner/v1", 23 },
		{ c, 8 }, { contract, 20 }, { submitter, 20 }, { owner, 20 },
		{ n, 8 } };
	keccak256v(v, 6, out);
}

static uint8_t *
put_u64(uint8_t *p, uint64_t v)
{
	u64be(v, p);
	return p + 8;
}

/* Every field but the MAC, into exactly MAC_AT bytes. */
static void
put_fields(const struct volume_record *r, uint8_t out[static MAC_AT])
{
	uint8_t *p = out;
	memset(out, 0, MAC_AT);
	memcpy(p, MAGIC, MAGIC_LEN);
	memcpy(p += MAGIC_LEN, r->uuid, 16);
	memcpy(p += 16, r->volume_id, 32);
	p = put_u64(p + 32, r->generation);
	p = put_u64(p, r->device_bytes);
	p = put_u64(p, r->data_sectors);
	memcpy(p, r->integrity_sb, VOLUME_INTEGRITY_SB);
	p = put_u64(p + VOLUME_INTEGRITY_SB, r->epoch_plus_1);
	p = put_u64(p, r->grown_bytes);
	(void)put_u64(p, r->grown_sectors);
}

uint64_t
volume_bytes(const struct volume_record *r)
{
	return r->grown_bytes != 0 ? r->grown_bytes : r->device_bytes;
}

uint64_t
volume_sectors(const struct volume_record *r)
{
	return r->grown_bytes != 0 ? r->grown_sectors : r->data_sectors;
}

uint64_t
volume_grows(const struct volume_record *r, uint64_t device_bytes)
{
	uint64_t to = device_bytes < VOLUME_MAX_BYTES ? device_bytes
						      : VOLUME_MAX_BYTES;
	to -= to % VOLUME_BLOCK;
	return to >= VOLUME_GROW_LEAST &&
		to - VOLUME_GROW_LEAST >= volume_bytes(r)
	    ? to
	    : 0;
}

void
volume_root(const struct volume_record *r, uint8_t out[static 32])
{
	uint8_t fields[MAC_AT];
	struct volume_record born = *r;
	born.generation = 0;
	born.grown_bytes = 0;
	born.grown_sectors = 0;
	put_fields(&born, fields);
	keccak256(fields, sizeof(fields), out);
}

void
volume_encode(const struct volume_record *r, const struct secret32 *header_key,
    uint8_t out[static VOLUME_BLOCK])
{
	put_fields(r, out);
	hmac_sha256(header_key->b, sizeof(header_key->b), out, MAC_AT,
	    out + MAC_AT);
}

bool
volume_uuid(const uint8_t block[static VOLUME_BLOCK], uint8_t uuid[static 16])
{
	if (memcmp(block, MAGIC, MAGIC_LEN) != 0)
		return false;
	memcpy(uuid, block + MAGIC_LEN, 16);
	return true;
}

void
volume_peek(const uint8_t block[static VOLUME_BLOCK], struct volume_hint *out)
{
	struct rd r = rd_over(block, MAC_AT);
	struct volume_hint h = { .blank = ct_is_zero(block, VOLUME_BLOCK) };

	h.volume = memcmp(block, MAGIC, MAGIC_LEN) == 0 &&
	    rd_skip(&r, MAGIC_LEN + 16) == DSTACK_OK &&
	    rd_copy(&r, h.volume_id, 32) == DSTACK_OK &&
	    rd_u64be(&r, &h.generation) == DSTACK_OK &&
	    rd_skip(&r, 2 * 8 + VOLUME_INTEGRITY_SB) == DSTACK_OK &&
	    rd_u64be(&r, &h.epoch_plus_1) == DSTACK_OK;
	*out = h;
}

#define MARK "dstack2/restored"
#define LINE_SHIFT 32u

void
volume_mark(uint8_t block[static VOLUME_BLOCK])
{
	memset(block, 0, VOLUME_BLOCK);
	memcpy(block, MARK, sizeof(MARK) - 1);
}

bool
volume_marked(const uint8_t block[static VOLUME_BLOCK])
{
	uint8_t mark[VOLUME_BLOCK];
	volume_mark(mark);
	return memcmp(block, mark, sizeof(mark)) == 0;
}

uint64_t
volume_next(uint64_t generation, uint64_t anchored, bool restored)
{
	const uint64_t top = generation > anchored ? generation : anchored;
	const uint64_t line = top >> LINE_SHIFT;
	/* after four thousand million restores there is no next line */
	if (!restored || line == UINT32_MAX)
		return generation + 1;
	/* odd after even: the copy that is written is never the newest */
	return (line + 1) << LINE_SHIFT | ((generation & 1) ^ 1);
}

#define AWAY "move encrypted_container.img away"

enum dstack_status
volume_foresee(const struct volume_hint copy[static 2], const uint8_t *id,
    uint64_t anchored, uint64_t epoch, uint64_t device_bytes, struct why *why)
{
	const struct volume_hint *h = copy[0].volume ? &copy[0] : &copy[1];

	if (device_bytes < VOLUME_MIN_BYTES)
		return why_set(why, DSTACK_E_REJECTED,
		    "the disk has %llu bytes; give it at least %u",
		    (unsigned long long)device_bytes, VOLUME_MIN_BYTES);
	/* Both copies: one alone is what a torn write leaves. */
	if (copy[0].blank && copy[1].blank) {
		if (anchored == 0)
			return DSTACK_OK;
		return why_set(why, DSTACK_E_REJECTED,
		    "the disk is blank but this node's volume is at generation "
		    "%llu: put the right encrypted_container.img back, or "
		    "begin an empty one under a NODE_INDEX never used before",
		    (unsigned long long)anchored);
	}
	if (!h->volume)
		return why_set(why, DSTACK_E_REJECTED,
		    "the disk holds something that is no volume: it is not "
		    "overwritten; " AWAY);
	/* Zero does not say its epoch: the MAC will. */
	if (h->epoch_plus_1 != 0 && h->epoch_plus_1 != epoch + 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "the volume is of epoch %llu and does not open in epoch "
		    "%llu, which this node is about to join: " AWAY " and "
		    "set a NODE_INDEX never used before",
		    (unsigned long long)h->epoch_plus_1 - 1,
		    (unsigned long long)epoch);
	if (id != NULL && !ct_equal(h->volume_id, id, 32))
		return why_set(why, DSTACK_E_REJECTED,
		    "the volume belongs to another node or app: if PRIVKEY "
		    "was changed, set NODE_KEY to the one before; or " AWAY);
	return DSTACK_OK;
}

enum dstack_status
volume_decode(const uint8_t block[static VOLUME_BLOCK],
    const struct secret32 *header_key, struct volume_record *out)
{
	uint8_t mac[32];
	hmac_sha256(header_key->b, sizeof(header_key->b), block, MAC_AT, mac);
	if (!ct_equal(mac, block + MAC_AT, sizeof(mac)) ||
	    memcmp(block, MAGIC, MAGIC_LEN) != 0)
		return DSTACK_E_REJECTED;
	struct volume_record v;
	struct rd r = rd_over(block, MAC_AT);
	enum dstack_status st = rd_skip(&r, MAGIC_LEN);
	if (st == DSTACK_OK)
		st = rd_copy(&r, v.uuid, sizeof(v.uuid));
	if (st == DSTACK_OK)
		st = rd_copy(&r, v.volume_id, sizeof(v.volume_id));
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.generation);
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.device_bytes);
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.data_sectors);
	if (st == DSTACK_OK)
		st = rd_copy(&r, v.integrity_sb, sizeof(v.integrity_sb));
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.epoch_plus_1);
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.grown_bytes);
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &v.grown_sectors);
	if (st != DSTACK_OK)
		return st;
	/* ours, since the MAC holds; still never trust a size blindly */
	if (v.generation == 0 || v.device_bytes < VOLUME_MIN_BYTES ||
	    v.device_bytes % VOLUME_BLOCK != 0 ||
	    /*
	     * dm-integrity's tags need room: data as large as the disk is no
	     * volume of ours.
	     */
	    v.data_sectors >= v.device_bytes / SECTOR)
		return DSTACK_E_FORMAT;
	/* Grown in both or in neither, and never by getting smaller. */
	if (v.grown_bytes == 0 && v.grown_sectors != 0)
		return DSTACK_E_FORMAT;
	if (v.grown_bytes != 0 &&
	    (v.grown_bytes <= v.device_bytes ||
		v.grown_bytes % VOLUME_BLOCK != 0 ||
		v.grown_sectors < v.data_sectors ||
		v.grown_sectors >= v.grown_bytes / SECTOR))
		return DSTACK_E_FORMAT;
	*out = v;
	return DSTACK_OK;
}

/*
 * Has the chain what we just sent? Not yet is to wait; another root is a second
 * VM of the same name, which must not go on.
 */
enum dstack_status
volume_anchored(const struct volume_record *r, uint64_t generation,
    const uint8_t root[static 32], struct why *why)
{
	uint8_t have[32];

	if (generation < r->generation)
		return why_set(why, DSTACK_E_BUSY,
		    "the chain does not have the volume's anchor yet");
	volume_root(r, have);
	if (!ct_equal(have, root, 32))
		return why_set(why, DSTACK_E_REJECTED,
		    "another volume was anchored for this node meanwhile: "
		    "does a second VM run with the same account and index?");
	return DSTACK_OK;
}

enum volume_verdict
volume_judge(const struct volume_record *record, bool blank,
    const uint8_t id[static 32], uint64_t anchored,
    const uint8_t root[static 32], uint64_t device_bytes, struct why *why)
{
	uint8_t have[32];

	if (device_bytes < VOLUME_MIN_BYTES) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the disk has %llu bytes; give it at least %u",
		    (unsigned long long)device_bytes, VOLUME_MIN_BYTES);
		return VOLUME_REFUSE;
	}
	if (record == NULL && blank && anchored == 0)
		return VOLUME_FORMAT;
	if (record == NULL && blank) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the disk is blank but this node's volume is at generation "
		    "%llu: put the right encrypted_container.img back",
		    (unsigned long long)anchored);
		return VOLUME_REFUSE;
	}
	if (record == NULL) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the disk holds something that is not a volume of this "
		    "network and app: it is neither opened nor overwritten");
		return VOLUME_REFUSE;
	}
	if (!ct_equal(record->volume_id, id, 32)) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the volume belongs to another node or app");
		return VOLUME_REFUSE;
	}
	/* A larger disk is fine: the volume grows to it (volume_grows). */
	if (volume_bytes(record) > device_bytes) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the disk was cut from %llu to %llu bytes: put the whole "
		    "encrypted_container.img back",
		    (unsigned long long)volume_bytes(record),
		    (unsigned long long)device_bytes);
		return VOLUME_REFUSE;
	}
	if (anchored == 0) {
		/*
		 * Formatted, and the node died before its anchor was on the
		 * chain.
		 */
		if (record->generation == 1)
			return VOLUME_ANCHOR;
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the volume was used but the chain has no anchor for it");
		return VOLUME_REFUSE;
	}
	volume_root(record, have);
	if (!ct_equal(have, root, 32)) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the volume is not the one that the chain anchors");
		return VOLUME_REFUSE;
	}
	if (record->generation < anchored) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "the volume is at generation %llu, the chain at %llu: an "
		    "older copy was put back",
		    (unsigned long long)record->generation,
		    (unsigned long long)anchored);
		return VOLUME_REFUSE;
	}
	return VOLUME_OPEN;
}
