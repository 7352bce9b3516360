/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack contract: deploy KeyManager, steer it, show it. In this order: the
 * command line (words.c), which network, contract and key are meant, whether
 * the RPC serves that chain, then the verb (verbs.c, lists.c, owner.c,
 * netcfg.c), which ends with call.c. A refusal of the contract's is said by
 * its error's name.
 */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "cli/cmd.h"
#include "cli/contract/contract.h"
#include "cli/demo/network.h"
#include "host/base/config.h"
#include "host/chain/governance.h"
#include "host/chain/kmcall.h"

#define GAS_MAX 16777216u /* of one transaction (EIP-7825) */
#define PATIENCE_MS 30000u

/* Endpoint, contract and key, from options first, then configuration. */
static enum dstack_status
connect_to(struct contract_args *a, bool creates, struct secret32 *key,
    struct gov *g, struct why *why)
{
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	enum dstack_status st = DSTACK_OK;
	const char *url = a->rpc;
	const char *key_file = a->key_file;

	struct network_info net = { .pid = 0 };
	char owner[100];

	/*
	 * Nothing named: the demo on this machine. Never for deploy, which
	 * would leave a contract there that nobody looks for.
	 */
	if (a->config == NULL && a->rpc == NULL && !creates &&
	    network_running(DEMO_DIR, &net, NULL) == DSTACK_OK) {
		url = net.rpc;
		if (!a->has_contract)
			memcpy(a->contract, net.contract, 20);
		a->has_contract = true;
		(void)snprintf(a->netcfg, sizeof(a->netcfg),
		    "%s/node0/host_volume/netcfg", net.dir);
		network_owner_key(net.dir, owner);
		if (key_file == NULL)
			key_file = owner;
	} else if (a->config == NULL && a->rpc == NULL) {
		a->config = "host.env";
	}
	/* host.env has all three, and each may be named by an option besides */
	if (a->config != NULL)
		st = config_load(a->config, &c, why);
	/* a verb that only asks is not kept from it by a key that is missing */
	if (st == DSTACK_OK && key_file != NULL)
		st = cmd_read_key(key_file, key, why);
	else if (st == DSTACK_OK && a->config != NULL)
		*key = c.privkey;
	if (st != DSTACK_OK)
		return st;
	if (a->config != NULL)
		/* where netcfg is written */
		memcpy(a->host_volume, c.host_volume, sizeof(c.host_volume));
	if (a->config != NULL)
		(void)snprintf(a->netcfg, sizeof(a->netcfg), "%s/netcfg",
		    c.host_volume);
	if (url == NULL)
		url = c.rpc_url;
	if (a->has_contract)
		memcpy(g->contract, a->contract, 20);
	else if (a->config != NULL)
		memcpy(g->contract, c.contract, 20);
	else if (!creates)
		return why_set(why, DSTACK_E_MISSING,
		    "which contract? --contract ADDR or --config host.env");
	/* nothing has been asked so far */
	g->rpc = rpc_new(url);
	if (g->rpc == NULL)
		return DSTACK_E_NOMEM;
	/* a person waits for it; a contract's creation is large */
	struct rpc_limits limits = { .max_gas = GAS_MAX,
		.max_fee = a->max_fee_gwei * UINT64_C(1000000000),
		.patience_ms = PATIENCE_MS };
	if (limits.max_fee == 0)
		limits.max_fee = c.max_fee_gwei * UINT64_C(1000000000);
	rpc_limit(g->rpc, &limits);
	st = rpc_chain_id(g->rpc, &g->chain_id, why);
	/*
	 * a transaction signed for another chain is no use, and its answers
	 * less
	 */
	if (st == DSTACK_OK && a->config != NULL && c.chain_id != g->chain_id)
		return why_set(why, DSTACK_E_REJECTED,
		    "the RPC serves chain %llu, but %s says CHAIN_ID=%llu",
		    (unsigned long long)g->chain_id, a->config,
		    (unsigned long long)c.chain_id);
	return st;
}

/* What a verb would have sent. */
static enum dstack_status
tell_call(const struct gov *g, struct contract_args *a)
{
	AUTO_WR struct wr text = wr_new(0);
	char to[43];

	eip55(g->contract, to);
	wr_str(&text, "0x");
	wr_hex(&text, g->instead->buf, g->instead->len);
	wr_u8(&text, 0);
	if (wr_status(&text) != DSTACK_OK)
		return DSTACK_E_NOMEM;
	/* now there is something to print */
	a->calldata = false;
	return contract_print(
	    json_pack("{s:s,s:s}", "to", to, "data", (char *)text.buf), a);
}

int
cmd_contract(int argc, char **argv)
{
	/* a real network's defaults: strict, and a day of notice */
	struct contract_args a = {
		.deploy = { .notice_period = 86400 },
		.max_age = 3600,
		.host_volume = "host_volume",
		.policy = { .tcb_mask = 1u << KM_TCB_UP_TO_DATE,
		    .request_expiry = 300, .requests_per_block = 16,
		    .platform_mode = KM_PLATFORM_DENY },
	};
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	struct gov g = { .key = &key };
	struct why why = { "" };
	AUTO_WR struct wr call = wr_new(0);

	const struct contract_verb *v = contract_parse(argc, argv, &a);
	if (a.calldata)
		g.instead = &call;
	enum dstack_status st =
	    connect_to(&a, v->creates, &key, &g, &why);
	if (st == DSTACK_OK && v->sends && !a.calldata &&
	    ct_is_zero(key.b, sizeof(key.b)))
		st = why_set(&why, DSTACK_E_MISSING,
		    "no key: --key-file FILE or --config host.env");
	if (st == DSTACK_OK)
		st = v->run(&g, &a, &why);
	if (st == DSTACK_OK && a.calldata)
		st = tell_call(&g, &a);
	rpc_free(g.rpc);
	if (st == DSTACK_OK)
		return EXIT_YES;
	/*
	 * The contract's refusal came as a server's message with a selector in
	 * it.
	 */
	const char *error = km_error_name(why.text);
	if (error != NULL)
		st = why_set(&why, DSTACK_E_REJECTED,
		    "%s: the contract refuses: %s (docs/contract.md)",
		    argv[1], error);
	return cmd_fail("contract", st, &why);
}
