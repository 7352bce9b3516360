/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCB levels: what TCB info says of platforms and modules, and the QE identity
 * of enclaves. A level is refused if its status is none that a document may
 * have; unknown ones are not read as "worse", since a later document could mean
 * anything. The document's order is kept and the first level that is reached
 * counts, as in Intel's library, so two levels for one SVN, of which the second
 * could never count, are refused. Advisories of all levels lie in one pool,
 * bounded as a whole.
 */
#include "dcap/levels.h"

#include <stdlib.h>
#include <string.h>

void
pool_free(struct advisory_pool *p)
{
	free(p->name);
	memset(p, 0, sizeof(*p));
}

static enum dstack_status
pool_add(struct advisory_pool *p, const char *name, struct why *why)
{
	size_t n = strlen(name);
	if (n == 0 || n >= DCAP_ADVISORY_LEN ||
	    p->count == LEVELS_MAX_ADVISORIES)
		return why_set(why, DSTACK_E_LIMIT,
		    "too many advisories, or an id of %zu characters", n);
	if (p->count == p->cap) {
		size_t cap = p->cap != 0 ? 2 * p->cap : 64;
		void *more = realloc(p->name, cap * sizeof(*p->name));
		if (more == NULL)
			return DSTACK_E_NOMEM;
		p->name = more;
		p->cap = cap;
	}
	memcpy(p->name[p->count++], name, n + 1);
	return DSTACK_OK;
}

enum dstack_status
level_result_parse(const json_t *level, struct advisory_pool *pool,
    struct level_result *out, struct why *why)
{
	const char *status;
	enum dstack_status st =
	    jget_date(level, "tcbDate", &out->date, out->date_text, why);
	if (st == DSTACK_OK)
		st = jget_text(level, "tcbStatus", &status, why);
	if (st != DSTACK_OK)
		return st;
	out->status = dcap_tcb_status_from(status);
	switch (out->status) {
	case DCAP_TCB_UP_TO_DATE:
	case DCAP_TCB_SW_HARDENING_NEEDED:
	case DCAP_TCB_CONFIGURATION_NEEDED:
	case DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
	case DCAP_TCB_OUT_OF_DATE:
	case DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
	case DCAP_TCB_REVOKED_STATUS:
		break;
	case DCAP_TCB_NONE: /* the others are results, never in a document */
	case DCAP_TCB_TD_RELAUNCH_ADVISED:
	case DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED:
	case DCAP_TCB_STATUSES:
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no TCB status of a document", status);
	}
	out->first = pool->count;
	const json_t *list = json_object_get(level, "advisoryIDs");
	/* Left out where there are none. */
	if (list != NULL) {
		size_t i;
		json_t *v;
		if (!json_is_array(list))
			return why_set(
			    why, DSTACK_E_FORMAT, "'advisoryIDs' is no array");
		json_array_foreach(list, i, v) {
			const char *name = json_string_value(v);
			if (name == NULL)
				return why_set(why, DSTACK_E_FORMAT,
				    "an advisory id is no text");
			st = pool_add(pool, name, why);
			if (st != DSTACK_OK)
				return st;
		}
	}
	out->count = pool->count - out->first;
	return DSTACK_OK;
}

static enum dstack_status
one_level(const json_t *v, uint64_t max_svn, struct advisory_pool *pool,
    struct svn_level *out, struct why *why)
{
	const json_t *tcb;
	uint64_t svn;
	enum dstack_status st = jget_object(v, "tcb", &tcb, why);
	if (st == DSTACK_OK)
		st = jget_uint(tcb, "isvsvn", max_svn, &svn, why);
	if (st == DSTACK_OK)
		st = level_result_parse(v, pool, &out->result, why);
	if (st != DSTACK_OK)
		return st;
	out->isvsvn = (uint16_t)svn;
	if (out->result.status != DCAP_TCB_UP_TO_DATE &&
	    out->result.status != DCAP_TCB_OUT_OF_DATE &&
	    out->result.status != DCAP_TCB_REVOKED_STATUS)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is no status of an enclave or module",
		    dcap_tcb_status_text(out->result.status));
	return DSTACK_OK;
}

enum dstack_status
svn_levels_parse(const json_t *owner, uint64_t max_svn,
    struct advisory_pool *pool, struct svn_levels *out, struct why *why)
{
	const json_t *list;
	enum dstack_status st =
	    jget_array(owner, "tcbLevels", LEVELS_MAX_SVN, &list, why);
	if (st != DSTACK_OK)
		return st;
	size_t n = json_array_size(list);
	/*
	 * A document that names no level would say nothing about any platform.
	 */
	if (n == 0)
		return why_set(why, DSTACK_E_FORMAT, "'tcbLevels' is empty");
	out->level = calloc(n, sizeof(*out->level));
	if (out->level == NULL)
		return DSTACK_E_NOMEM;
	out->count = n;
	for (size_t i = 0; i < n && st == DSTACK_OK; i++) {
		st = one_level(json_array_get(list, i), max_svn, pool,
		    &out->level[i], why);
		for (size_t k = 0; st == DSTACK_OK && k < i; k++)
			if (out->level[k].isvsvn == out->level[i].isvsvn)
				st = why_set(why, DSTACK_E_FORMAT,
				    "ISVSVN given twice");
		if (st != DSTACK_OK)
			st = why_wrap(why, st, "tcbLevels[%zu]", i);
	}
	return st;
}

void
svn_levels_free(struct svn_levels *l)
{
	free(l->level);
	l->level = NULL;
	l->count = 0;
}

const struct level_result *
svn_levels_find(const struct svn_levels *l, unsigned svn)
{
	for (size_t i = 0; i < l->count; i++)
		if (svn >= l->level[i].isvsvn)
			return &l->level[i].result;
	return NULL;
}
