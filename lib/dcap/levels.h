/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TCB info and enclave identities have in common: TCB levels with a
 * status, a date and advisories.
 */
#ifndef DCAP_LEVELS_H
#define DCAP_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#include "dcap/json.h"
#include "dstack/dcap.h"

#define LEVELS_MAX_SVN 64       /* ISVSVN levels of one identity */
#define LEVELS_MAX_ADVISORIES 4096 /* names in one document */

/* All advisory names of a document, one after the other. */
struct advisory_pool {
	char (*name)[DCAP_ADVISORY_LEN]; /* owned */
	size_t count;
	size_t cap;
};
void pool_free(struct advisory_pool *p);

struct level_result {
	enum dcap_tcb_status status;
	int64_t date;
	char date_text[DCAP_DATE_LEN];
	size_t first; /* advisories: indices into the pool */
	size_t count;
};

struct svn_level {
	uint16_t isvsvn;
	struct level_result result;
};
struct svn_levels {
	struct svn_level *level; /* owned */
	size_t count;
};

/* tcbDate, tcbStatus, advisoryIDs of one level. */
DSTACK_CHECKED enum dstack_status level_result_parse(const json_t *level,
    struct advisory_pool *pool, struct level_result *out, struct why *why);
/*
 * An object's tcbLevels by isvsvn, in order. Statuses other than UpToDate,
 * OutOfDate and Revoked have no rule of convergence and are refused.
 */
DSTACK_CHECKED enum dstack_status svn_levels_parse(const json_t *owner,
    uint64_t max_svn, struct advisory_pool *pool, struct svn_levels *out,
    struct why *why);
void svn_levels_free(struct svn_levels *l);
/* The first level that svn reaches; NULL: none. */
const struct level_result *svn_levels_find(
    const struct svn_levels *l, unsigned svn);

#endif
