/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record at the start of an encrypted volume (docs/volume.md): the only
 * bytes of the disk that are read before they are authenticated, and they
 * are authenticated before they mean anything.
 *
 * Two copies, blocks 0 and 1 of 4096 bytes, written in turn, so that a write
 * cut short never costs the volume. Layout, integers big-endian:
 *   "dstack2/volume/1" 16 || uuid 16 || volumeId 32 || generation u64 ||
 *   device bytes u64 || data sectors u64 || integrity superblock 512 ||
 *   epoch + 1 u64 (0: written before there was this field) ||
 *   grown bytes u64 || grown sectors u64 (both 0: as it was formatted) ||
 *   zeros to 4064 || HMAC-SHA-256 (key "vol/hdr") of what comes before
 */
#ifndef PROTOCOL_VOLUME_H
#define PROTOCOL_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

#define VOLUME_BLOCK 4096u           /* bytes of one copy */
#define VOLUME_DATA_AT (1u << 20)    /* byte where dm-integrity's part starts */
#define VOLUME_INTEGRITY_SB 512u     /* bytes of dm-integrity's superblock */
#define VOLUME_MIN_BYTES (16u << 20) /* smaller disks are refused */
/*
 * What is used of a larger disk: what a host says that it has costs the guest
 * memory, and may be a lie.
 */
#define VOLUME_MAX_BYTES ((uint64_t)1 << 40)
#define VOLUME_GROW_LEAST ((uint64_t)1 << 20) /* less room is left alone */

struct volume_record {
	uint8_t uuid[16];
	uint8_t volume_id[32];
	uint64_t generation;   /* 1 at format, one more at each opening */
	uint64_t device_bytes; /* of the disk when it was formatted */
	uint64_t data_sectors; /* 512 bytes each, that dm-integrity provides */
	uint8_t integrity_sb[VOLUME_INTEGRITY_SB];
	uint64_t epoch_plus_1; /* under whose secret it opens; 0: not said */
	uint64_t grown_bytes;  /* of the disk since it grew; 0: it never did */
	uint64_t grown_sectors; /* that dm-integrity provides since then */
};

/* What of the disk is in use, in bytes, and how many sectors that provides. */
uint64_t volume_bytes(const struct volume_record *r);
uint64_t volume_sectors(const struct volume_record *r);

/*
 * To how many bytes the volume grows on a disk of device_bytes; 0: it stays.
 * A disk that is smaller than the volume is volume_judge's to refuse.
 */
uint64_t volume_grows(const struct volume_record *r, uint64_t device_bytes);

/*
 * keccak256("dstack2/volume/v1" || appId || owner || index u64). owner: the
 * address of the node's key, which is its account's unless host.env has a
 * NODE_KEY.
 */
void volume_id(const uint8_t app_id[static 32], const uint8_t owner[static 20],
    uint64_t index, uint8_t out[static 32]);

/*
 * What the owner's key signs so that another account may run its node:
 * keccak256("dstack2/volume-owner/v1" || chainId u64 || contract ||
 * submitter || owner || index u64).
 */
void volume_owner_digest(uint64_t chain_id, const uint8_t contract[static 20],
    const uint8_t submitter[static 20], const uint8_t owner[static 20],
    uint64_t index, uint8_t out[static 32]);

/*
 * What the contract anchors as root: keccak256 over the fields that never
 * change (all but generation and growth). Another disk has another root.
 */
void volume_root(const struct volume_record *r, uint8_t out[static 32]);

void volume_encode(const struct volume_record *r,
    const struct secret32 *header_key, uint8_t out[static VOLUME_BLOCK]);

/*
 * The uuid of a copy, which is needed to derive its key. Nothing else of an
 * unauthenticated copy is looked at. False: not a copy at all.
 */
bool volume_uuid(
    const uint8_t block[static VOLUME_BLOCK], uint8_t uuid[static 16]);

/*
 * A look at a copy that no key has authenticated, as there is none yet. What
 * it says is good for one thing: to refuse a disk before this node takes a
 * secret that the disk would not open under.
 */
struct volume_hint {
	bool blank;  /* all of it is zero */
	bool volume; /* it begins as one of ours */
	uint8_t volume_id[32];
	uint64_t generation;
	uint64_t epoch_plus_1;
};
void volume_peek(
    const uint8_t block[static VOLUME_BLOCK], struct volume_hint *out);

/*
 * Would volume_judge surely refuse this disk in epoch? DSTACK_OK: not surely.
 * id NULL: the volumeId is not known yet, as there is no app. anchored: the
 * contract's generation for it. DSTACK_E_REJECTED: why says what to do.
 */
DSTACK_CHECKED enum dstack_status volume_foresee(
    const struct volume_hint copy[static 2], const uint8_t *id,
    uint64_t anchored, uint64_t epoch, uint64_t device_bytes,
    struct why *why);

/* DSTACK_E_REJECTED: the MAC is wrong. DSTACK_E_FORMAT: impossible sizes. */
DSTACK_CHECKED enum dstack_status volume_decode(
    const uint8_t block[static VOLUME_BLOCK],
    const struct secret32 *header_key, struct volume_record *out);

/*
 * Does the contract's anchor name this volume? DSTACK_E_BUSY: not yet.
 * DSTACK_E_REJECTED: it names another one, made for the same node elsewhere.
 */
DSTACK_CHECKED enum dstack_status volume_anchored(
    const struct volume_record *r, uint64_t generation,
    const uint8_t root[static 32], struct why *why);

/*
 * Block 2 of a disk that a host has restored from a backup. Nothing vouches
 * for it, and it asks for one thing, which makes a host's choice smaller: that
 * this opening is anchored, under a generation that no other copy of the
 * volume has or comes to by being opened. From then on every copy of before is
 * refused.
 */
#define VOLUME_MARK_AT (2u * VOLUME_BLOCK)
void volume_mark(uint8_t block[static VOLUME_BLOCK]);
bool volume_marked(const uint8_t block[static VOLUME_BLOCK]);

/*
 * The generation of the next opening: odd after even, even after odd, as it
 * says which copy of the record is written. restored: one of the next line's
 * first two, above the anchor, too. A line has 2^32 openings.
 */
uint64_t volume_next(uint64_t generation, uint64_t anchored, bool restored);

/*
 * The decision (THREATS T22-T24). record NULL: no copy is authentic. blank:
 * both copies are all zero. anchored: the contract's generation for this
 * volumeId, 0 for none, and root.
 */
enum volume_verdict {
	VOLUME_REFUSE = 0,
	VOLUME_FORMAT, /* never anchored, and blank */
	VOLUME_ANCHOR, /* formatted but not anchored yet: a crash in between */
	VOLUME_OPEN,
};
enum volume_verdict volume_judge(const struct volume_record *record, bool blank,
    const uint8_t id[static 32], uint64_t anchored,
    const uint8_t root[static 32], uint64_t device_bytes, struct why *why);

#endif
