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

struct volume_record {
	uint8_t uuid[16];
	uint8_t volume_id[32];
	uint64_t generation;   /* 1 at format, one more at each opening */
	uint64_t device_bytes; /* of the disk when it was formatted */
	uint64_t data_sectors; /* 512 bytes each, that dm-integrity provides */
	uint8_t integrity_sb[VOLUME_INTEGRITY_SB];
};

/* keccak256("dstack2/volume/v1" || appId || submitter || index u64). */
void volume_id(const uint8_t app_id[static 32],
    const uint8_t submitter[static 20], uint64_t index,
    uint8_t out[static 32]);

/*
 * What the contract anchors as root: keccak256 over the fields that never
 * change (all but the generation). Another disk has another root.
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
