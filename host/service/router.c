/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A router's beginning and end: the two folders, the collateral service, the
 * follower of the beacon chain and the watch for a birth, in the order in which
 * they need each other, and taken down the other way round.
 */
#include "host/service/route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/files.h"

/*
 * The beacon chain, where netcfg has one. Without a netcfg there is no guest
 * that could ask; the node's own checks speak of it.
 */
static enum dstack_status
follow(struct router *r, struct why *why)
{
	AUTO_WR struct wr w = wr_new(NETCFG_MAX + 8);
	struct netcfg n;
	if (files_read(r->volume, "netcfg", 0, NETCFG_MAX, &w, NULL) !=
		DSTACK_OK ||
	    netcfg_parse(w.buf + 8, w.len - 8, &n, NULL) != DSTACK_OK ||
	    n.view != NETCFG_VIEW_BEACON)
		return DSTACK_OK;
	return source_new(
	    &n, r->cfg->beacon_url, r->cfg->state, &r->source, why);
}

enum dstack_status
router_new(const struct host_config *cfg, struct rpc *rpc,
    const char *auditing, struct router **out, struct why *why)
{
	struct router *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	r->cfg = cfg;
	r->rpc = rpc;
	r->volume = -1;
	r->auditing = -1;
	(void)pthread_mutex_init(&r->lock, NULL);
	enum dstack_status st = files_open(cfg->host_volume, &r->volume, why);
	if (st == DSTACK_OK) {
		if (mkdir(auditing, 0755) != 0 && errno != EEXIST)
			st = why_set(why, DSTACK_E_SYS, "%s: %s", auditing,
			    strerror(errno));
		else
			st = files_open(auditing, &r->auditing, why);
	}
	/*
	 * In the background: collateral is fetched before a guest asks, since a
	 * registration waits for it.
	 */
	const struct collateral_options o = { .sim = cfg->sim,
		.url = cfg->pccs_url,
		.ca_file = cfg->pccs_ca,
		.early = cfg->pccs_early,
		.cache_dir = cfg->state,
		.background = true };
	if (st == DSTACK_OK)
		st = collateral_new(&o, &r->collateral, why);
	if (st == DSTACK_OK)
		st = follow(r, why);
	if (st == DSTACK_OK)
		st = birth_new(cfg, rpc, r->auditing, r->collateral,
		    &r->birth, why);
	r->signs = signs_new(cfg, rpc);
	if (st == DSTACK_OK && r->signs == NULL)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	if (st != DSTACK_OK) {
		router_free(r);
		return st;
	}
	*out = r;
	return DSTACK_OK;
}

void
router_stop(struct router *r)
{
	if (r == NULL)
		return;
	collateral_stop(r->collateral);
	source_stop(r->source);
}

/* Threads first (birth, collateral), then what they use. */
void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	birth_free(r->birth);
	collateral_free(r->collateral);
	source_free(r->source);
	signs_free(r->signs);
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		route_pending_clear(&r->pending[i]);
	if (r->volume >= 0)
		(void)close(r->volume);
	if (r->auditing >= 0)
		(void)close(r->auditing);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}
