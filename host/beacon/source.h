/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's light client is fed with: bootstrap, updates by period, the
 * newest finality update and the headers below a block, of one network from
 * its checkpoint on. A thread follows the chain and keeps what its own store
 * has taken, so that one node that lies is not in the guest's way; the guest
 * judges all of it anew, and this decides nothing.
 *
 * Safe for several threads.
 */
#ifndef HOST_BEACON_SOURCE_H
#define HOST_BEACON_SOURCE_H

#include <jansson.h>

#include "base/wr.h"
#include "dstack/beacon.h"
#include "protocol/netcfg.h"

#define SOURCE_HEADERS_MAX 256u /* of one answer */
#define SOURCE_HEADER_LEN 112u	/* SSZ of a BeaconBlockHeader */

struct source;
/*
 * urls: as fetch_urls takes them. cache_dir: where documents are kept over a
 * restart; NULL: nowhere. Of cfg the network and the checkpoint count.
 * DSTACK_E_FORMAT: no URL. DSTACK_E_SYS: no folder or no thread.
 */
DSTACK_CHECKED enum dstack_status source_new(const struct netcfg *cfg,
    const char *urls, const char *cache_dir, struct source **out,
    struct why *why);
/* Requests under way give up within a second. */
void source_stop(struct source *s);
void source_free(struct source *s); /* NULL is fine */

/*
 * Append bare SSZ. None of these three waits for anybody. DSTACK_E_REJECTED:
 * a bootstrap of another root than the checkpoint. DSTACK_E_MISSING: not had
 * yet; why says what the beacon nodes last said.
 */
DSTACK_CHECKED enum dstack_status source_bootstrap(struct source *s,
    const uint8_t root[static 32], struct wr *out, struct why *why);
DSTACK_CHECKED enum dstack_status source_update(
    struct source *s, uint64_t period, struct wr *out, struct why *why);
DSTACK_CHECKED enum dstack_status source_finality(
    struct source *s, struct wr *out, struct why *why);
/*
 * The header of the block with that root, its parent's, and so on, count (1
 * to SOURCE_HEADERS_MAX) of them or down to where no node has more: asked for
 * one by one, each held against its root, so this may wait, and takes some
 * only where the rest is slow. DSTACK_E_MISSING: no node has the first.
 */
DSTACK_CHECKED enum dstack_status source_headers(struct source *s,
    const uint8_t root[static 32], unsigned count, struct wr *out,
    struct why *why);

/*
 * When the slot began whose head the guest goes by (finalized, or attested
 * where netcfg says so), Unix seconds: it can know what was in a block then.
 * 0: there is none yet.
 */
uint64_t source_sees(struct source *s);

/* {"finalizedSlot":N|null,"period":N,"asks":ORIGIN,"trouble":TEXT|null,
 * "requests":N,"bytes":N}; NULL: no memory. */
json_t *source_status(struct source *s);

#endif
