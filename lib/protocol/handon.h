/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an onboarder hands on to a joiner: the epoch's secret, and the block
 * of the beacon chain that its own view had as final when it judged. The
 * joiner uses the secret only where its own view has that block, and for that
 * block's period the same committee (THREATS T43; docs/formal).
 */
#ifndef PROTOCOL_HANDON_H
#define PROTOCOL_HANDON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/secret.h"
#include "base/wr.h"

/* view=rpc: all zero. */
struct handon_view {
	uint64_t slot;
	uint8_t root[32];      /* of the block */
	uint8_t committee[32]; /* of the sync committee of slot's period */
};
#define HANDON_VIEW_LEN (8 + 32 + 32)

void handon_view_put(struct wr *w, const struct handon_view *v);
DSTACK_CHECKED enum dstack_status handon_view_get(
    struct rd *r, struct handon_view *v);
bool handon_view_none(const struct handon_view *v);
bool handon_view_equal(
    const struct handon_view *a, const struct handon_view *b);

/* What HPKE carries: 0x02 || epoch || S_e || slot || root || committee. */
#define HANDON_PT_LEN (1 + 8 + 32 + HANDON_VIEW_LEN)

void handon_pt_put(struct wr *w, uint64_t epoch, const struct secret32 *seed,
    const struct handon_view *v);
/*
 * DSTACK_E_FORMAT: of another version, or no such text. seed and v are written
 * on DSTACK_OK alone.
 */
DSTACK_CHECKED enum dstack_status handon_pt_get(const void *pt, size_t len,
    uint64_t *epoch, struct secret32 *seed, struct handon_view *v);

#endif
