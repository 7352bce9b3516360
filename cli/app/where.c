/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which network is meant, and where its parts are. A demo that is kept has all
 * of it in one folder. Else the first host.env names contract, chain, RPC and
 * key, and every further one has to be of the same network: an archive or a
 * secret that goes to another's nodes has gone astray. Before a key is used the
 * RPC is asked which chain it serves, as a shared endpoint may serve another.
 */
#include "cli/app/where.h"

#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "eth/rpc.h"
#include "host/chain/rpc_client.h"

bool
where_option(struct where *w, const struct usage *u, int c)
{
	switch (c) {
	case 'c':
		if (w->configs == DEMO_NODES_MAX)
			usage_wrong(u, "--config: more than %u of them",
			    DEMO_NODES_MAX);
		w->config[w->configs++] = optarg;
		return true;
	case 'k': w->key_file = optarg; return true;
	case 'd':
		if (strlen(optarg) >= 64)
			usage_wrong(u, "--dir: over 63 bytes");
		w->dir = optarg;
		return true;
	default: return false;
	}
}

void
where_options_end(const struct where *w, const struct usage *u)
{
	if (w->configs > 0 && w->dir != NULL)
		usage_wrong(u, "--config or --dir, not both");
}

/* A kept demo has everything: nodes' folders, contract, and the owner's key. */
static enum dstack_status
from_network(struct where *w, const struct network_info *net, struct why *why)
{
	char owner[100];

	network_owner_key(net->dir, owner);
	memcpy(w->gov.contract, net->contract, 20);
	for (unsigned i = 0; i < net->nodes; i++) {
		(void)snprintf(w->state[i], sizeof(w->state[i]), "%s/node%u",
		    net->dir, i);
		(void)snprintf(w->volume[i], sizeof(w->volume[i]),
		    "%s/node%u/host_volume", net->dir, i);
	}
	w->nodes = net->nodes;
	w->gov.rpc = rpc_new(net->rpc);
	if (w->gov.rpc == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	if (w->no_key)
		return DSTACK_OK;
	return cmd_read_key(
	    w->key_file != NULL ? w->key_file : owner, &w->key, why);
}

static enum dstack_status
from_configs(struct where *w, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	/* The first node's host.env names contract, chain and key; the others'
	   must be of the same network, or the archive would go astray. */
	for (unsigned i = 0; i < w->configs && st == DSTACK_OK; i++) {
		AUTO_CONFIG struct host_config c = { .chain_id = 0 };
		st = config_load(w->config[i], &c, why);
		if (st != DSTACK_OK)
			break;
		memcpy(w->volume[i], c.host_volume, CONFIG_TEXT);
		memcpy(w->state[i], c.state, CONFIG_TEXT);
		if (i == 0) {
			memcpy(w->gov.contract, c.contract, 20);
			w->gov.chain_id = c.chain_id;
			w->gov.rpc = rpc_new(c.rpc_url);
			if (!w->no_key)
				w->key = c.privkey;
		} else if (memcmp(w->gov.contract, c.contract, 20) != 0 ||
		    w->gov.chain_id != c.chain_id) {
			st = why_set(why, DSTACK_E_REJECTED,
			    "%s and %s are of two networks", w->config[0],
			    w->config[i]);
		}
	}
	w->nodes = w->configs;
	if (st == DSTACK_OK && w->gov.rpc == NULL)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	if (st == DSTACK_OK && !w->no_key && w->key_file != NULL)
		st = cmd_read_key(w->key_file, &w->key, why);
	return st;
}

enum dstack_status
where_folders(struct where *w, struct why *why)
{
	const char *dir = w->dir != NULL ? w->dir : DEMO_DIR;
	struct network_info net;
	enum dstack_status st = DSTACK_E_MISSING;

	/* a demo that runs here, unless told otherwise; else the host.env */
	if (w->configs == 0)
		st = network_running(dir, &net, why);
	if (st == DSTACK_OK)
		return from_network(w, &net, why);
	if (w->dir != NULL)
		return st;
	if (w->configs == 0)
		w->config[w->configs++] = "host.env";
	return from_configs(w, why);
}

enum dstack_status
where_find(struct where *w, struct why *why)
{
	uint64_t id = 0;
	enum dstack_status st = where_folders(w, why);

	/* before a key is used: a shared endpoint may serve another chain */
	if (st == DSTACK_OK)
		st = rpc_chain_id(w->gov.rpc, &id, why);
	if (st == DSTACK_OK && w->gov.chain_id != 0 && w->gov.chain_id != id)
		return why_set(why, DSTACK_E_REJECTED,
		    "the RPC serves chain %llu, %s says CHAIN_ID=%llu",
		    (unsigned long long)id, w->config[0],
		    (unsigned long long)w->gov.chain_id);
	w->gov.chain_id = id;
	w->gov.key = w->no_key ? NULL : &w->key;
	return st;
}

void
where_free(struct where *w)
{
	rpc_free(w->gov.rpc);
	w->gov.rpc = NULL;
	secret32_wipe(&w->key);
}
