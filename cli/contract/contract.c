/* SPDX-License-Identifier: Apache-2.0 */
/* dstack contract: deploy KeyManager, steer it, show it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "cli/cmd.h"
#include "cli/contract/contract.h"
#include "cli/demo/network.h"
#include "host/base/config.h"
#include "host/chain/governance.h"
#include "host/chain/kmcall.h"

static const char usage[] =
    "usage: dstack contract VERB [--config host.env] [--rpc URL]\n"
    "           [--contract ADDR] [--key-file FILE] [--json] ...\n"
    "  show [--tuples]\n"
    "  deploy [--owner A] [--pauser A] [--notice SECONDS] [--sim]\n"
    "         [--ct onchain|relay] [--code KeyManager.bin]\n"
    "  open-epoch --bootstrapper A [--epoch N] [--tcb NAME,...]\n"
    "         [--min-eval N] [--min-root-crl N] [--min-pck-crl N]\n"
    "         [--expiry BLOCKS] [--per-block N] [--platforms allow|deny|open]\n"
    "         [--replace]\n"
    "  allow-tuple|deny-tuple HASH [--epoch N]\n"
    "  accept-advisory|deny-advisory ID [--epoch N]\n"
    "  allow-platform|deny-platform HASH\n"
    "  allow-tuple-again HASH, allow-advisory-again ID [--epoch N],\n"
    "  allow-platform-again HASH: what the pauser denied\n"
    "  close-epoch --epoch N\n"
    "  propose --name NAME --digest HASH [--app-id HASH] [--version N]\n"
    "         [--not-before SECONDS]\n"
    "  stop-app VERSION, pause, unpause, purge REQUESTID\n"
    "  raise-floors [--epoch N] [--tcb NAME,...] [--min-eval N]\n"
    "         [--min-root-crl N] [--min-pck-crl N]\n"
    "  set-pauser A, transfer-ownership A, accept-ownership\n"
    "  verify APPDATA SIGNATURE\n"
    "  netcfg --domain NAME [--out FILE] [--confirmations N]\n"
    "         [--heartbeat SECONDS] [--log-app yes|no]\n"
    "--calldata: print what the verb would send, for a timelock or multisig\n"
    "that owns the contract, and send nothing.\n"
    "--max-fee GWEI: the most that a unit of gas may cost (100).\n"
    "The key is PRIVKEY of the configuration, or 64 hex digits in FILE.\n"
    "With neither --config nor --rpc: the network of " DEMO_DIR " when it\n"
    "runs, with its owner's key; else host.env.";

#define GAS_MAX 16777216u /* of one transaction (EIP-7825) */
#define PATIENCE_MS 30000u

enum option_code {
	O_CONFIG = 256, O_RPC, O_CONTRACT, O_KEY, O_JSON, O_OWNER, O_PAUSER,
	O_NOTICE, O_SIM, O_CT, O_CODE, O_BOOTSTRAPPER, O_EPOCH, O_TCB, O_EVAL,
	O_ROOT, O_PCK, O_EXPIRY, O_CAP, O_PLATFORMS, O_NAME, O_DIGEST, O_APP,
	O_VERSION, O_BEFORE, O_DOMAIN, O_OUT, O_CONFIRMATIONS, O_HEARTBEAT,
	O_LOG_APP, O_CALLDATA, O_MAX_FEE, O_REPLACE, O_TUPLES,
};

static bool
number(const char *text, uint64_t max, uint64_t *out)
{
	char *end = NULL;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    v > max)
		return false;
	*out = v;
	return true;
}

static bool
exact(const char *text, void *out, size_t n)
{
	return hex_decode(text, strlen(text), out, n) == DSTACK_OK;
}

/* Names of TCB statuses, as in Intel's TCB info, at their bit. */
static bool
tcb_mask(const char *list, uint32_t *mask)
{
	static const char *const names[KM_TCB_COUNT] = { "UpToDate",
		"SWHardeningNeeded", "ConfigurationNeeded",
		"ConfigurationAndSWHardeningNeeded", "OutOfDate",
		"OutOfDateConfigurationNeeded" };
	*mask = 0;
	for (;;) {
		size_t n = strcspn(list, ",");
		size_t i = 0;
		while (i < KM_TCB_COUNT && (strlen(names[i]) != n ||
		           strncmp(names[i], list, n) != 0))
			i++;
		if (i == KM_TCB_COUNT)
			return false;
		*mask |= 1u << i;
		if (list[n] == '\0')
			return true;
		list += n + 1;
	}
}

static bool
platforms(const char *text, uint8_t *mode)
{
	if (strcmp(text, "allow") == 0)
		*mode = KM_PLATFORM_ALLOW;
	else if (strcmp(text, "deny") == 0)
		*mode = KM_PLATFORM_DENY;
	else if (strcmp(text, "open") == 0)
		*mode = KM_PLATFORM_OPEN;
	else
		return false;
	return true;
}

static bool
yes_no(const char *text)
{
	return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static bool
u32(const char *text, uint32_t *out)
{
	uint64_t v;
	if (!number(text, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
option(struct contract_args *a, int c)
{
	uint64_t v;
	switch (c) {
	case O_CONFIG: a->config = optarg; return true;
	case O_RPC: a->rpc = optarg; return true;
	case O_CONTRACT:
		a->has_contract = true;
		return exact(optarg, a->contract, 20);
	case O_KEY: a->key_file = optarg; return true;
	case O_JSON: a->json = true; return true;
	case O_OWNER: return exact(optarg, a->deploy.owner, 20);
	case O_PAUSER: return exact(optarg, a->deploy.pauser, 20);
	case O_NOTICE:
		return number(optarg, UINT32_MAX, &a->deploy.notice_period);
	case O_SIM: a->deploy.sim = true; return true;
	case O_CT:
		a->deploy.ct_onchain = strcmp(optarg, "onchain") == 0;
		a->has_ct = true;
		return a->deploy.ct_onchain || strcmp(optarg, "relay") == 0;
	case O_CODE: a->code = optarg; return true;
	case O_BOOTSTRAPPER:
		a->has_bootstrapper = true;
		return exact(optarg, a->bootstrapper, 20);
	case O_EPOCH:
		a->has_epoch = true;
		return number(optarg, UINT64_MAX - 1, &a->epoch);
	case O_CALLDATA: a->calldata = true; return true;
	case O_MAX_FEE: return u32(optarg, &a->max_fee_gwei);
	case O_REPLACE: a->replace = true; return true;
	case O_TUPLES: a->tuples = true; return true;
	case O_TCB:
		a->has_tcb = true;
		return tcb_mask(optarg, &a->policy.tcb_mask);
	case O_EVAL: return u32(optarg, &a->policy.min_tcb_eval);
	case O_ROOT: return u32(optarg, &a->policy.min_root_crl);
	case O_PCK: return u32(optarg, &a->policy.min_pck_crl);
	case O_EXPIRY: return u32(optarg, &a->policy.request_expiry);
	case O_CAP:
		if (!number(optarg, UINT16_MAX, &v))
			return false;
		a->policy.requests_per_block = (uint16_t)v;
		return true;
	case O_PLATFORMS: return platforms(optarg, &a->policy.platform_mode);
	case O_NAME: a->name = optarg; return true;
	case O_DIGEST:
		a->has_digest = true;
		return exact(strncmp(optarg, "sha256:", 7) == 0 ? optarg + 7
								: optarg,
		    a->digest, 32);
	case O_APP: a->has_app = true; return exact(optarg, a->app_id, 32);
	case O_VERSION: return number(optarg, UINT64_MAX, &a->version);
	case O_BEFORE: return number(optarg, UINT64_MAX, &a->not_before);
	case O_DOMAIN: a->domain = optarg; return true;
	case O_OUT: a->out = optarg; return true;
	case O_CONFIRMATIONS:
		a->has_confirmations = true;
		return number(optarg, UINT32_MAX, &a->confirmations);
	case O_HEARTBEAT: return number(optarg, UINT32_MAX, &a->heartbeat);
	case O_LOG_APP: a->log_app = optarg; return yes_no(optarg);
	default: return false;
	}
}

static bool
parse(int argc, char **argv, struct contract_args *a)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, O_CONFIG },
		{ "rpc", required_argument, NULL, O_RPC },
		{ "contract", required_argument, NULL, O_CONTRACT },
		{ "key-file", required_argument, NULL, O_KEY },
		{ "json", no_argument, NULL, O_JSON },
		{ "owner", required_argument, NULL, O_OWNER },
		{ "pauser", required_argument, NULL, O_PAUSER },
		{ "notice", required_argument, NULL, O_NOTICE },
		{ "sim", no_argument, NULL, O_SIM },
		{ "ct", required_argument, NULL, O_CT },
		{ "code", required_argument, NULL, O_CODE },
		{ "bootstrapper", required_argument, NULL, O_BOOTSTRAPPER },
		{ "epoch", required_argument, NULL, O_EPOCH },
		{ "tcb", required_argument, NULL, O_TCB },
		{ "min-eval", required_argument, NULL, O_EVAL },
		{ "min-root-crl", required_argument, NULL, O_ROOT },
		{ "min-pck-crl", required_argument, NULL, O_PCK },
		{ "expiry", required_argument, NULL, O_EXPIRY },
		{ "per-block", required_argument, NULL, O_CAP },
		{ "platforms", required_argument, NULL, O_PLATFORMS },
		{ "name", required_argument, NULL, O_NAME },
		{ "digest", required_argument, NULL, O_DIGEST },
		{ "app-id", required_argument, NULL, O_APP },
		{ "version", required_argument, NULL, O_VERSION },
		{ "not-before", required_argument, NULL, O_BEFORE },
		{ "domain", required_argument, NULL, O_DOMAIN },
		{ "out", required_argument, NULL, O_OUT },
		{ "confirmations", required_argument, NULL, O_CONFIRMATIONS },
		{ "heartbeat", required_argument, NULL, O_HEARTBEAT },
		{ "log-app", required_argument, NULL, O_LOG_APP },
		{ "calldata", no_argument, NULL, O_CALLDATA },
		{ "max-fee", required_argument, NULL, O_MAX_FEE },
		{ "replace", no_argument, NULL, O_REPLACE },
		{ "tuples", no_argument, NULL, O_TUPLES },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1)
		if (!option(a, c))
			return false;
	while (optind < argc && a->words < 2)
		a->word[a->words++] = argv[optind++];
	return optind == argc;
}

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

	if (a->config == NULL && a->rpc == NULL && !creates &&
	    network_running(DEMO_DIR, &net, NULL) == DSTACK_OK) {
		url = net.rpc;
		if (!a->has_contract)
			memcpy(a->contract, net.contract, 20);
		a->has_contract = true;
		network_owner_key(net.dir, owner);
		if (key_file == NULL)
			key_file = owner;
	} else if (a->config == NULL && a->rpc == NULL) {
		a->config = "host.env";
	}
	if (a->config != NULL)
		st = config_load(a->config, &c, why);
	if (st == DSTACK_OK && key_file != NULL)
		st = cmd_read_key(key_file, key, why);
	else if (st == DSTACK_OK && a->config != NULL)
		*key = c.privkey;
	if (st != DSTACK_OK)
		return st;
	if (a->config != NULL)
		memcpy(a->host_volume, c.host_volume, sizeof(c.host_volume));
	if (url == NULL)
		url = c.rpc_url;
	if (a->has_contract)
		memcpy(g->contract, a->contract, 20);
	else if (a->config != NULL)
		memcpy(g->contract, c.contract, 20);
	else if (!creates)
		return why_set(why, DSTACK_E_MISSING,
		    "which contract? --contract ADDR or --config host.env");
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
		.heartbeat = 3600,
		.host_volume = "host_volume",
		.policy = { .tcb_mask = 1u << KM_TCB_UP_TO_DATE,
		    .request_expiry = 300, .requests_per_block = 16,
		    .platform_mode = KM_PLATFORM_DENY },
	};
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	struct gov g = { .key = &key };
	struct why why = { "" };
	AUTO_WR struct wr call = wr_new(0);

	if (argc < 2)
		return cmd_usage(usage);
	const struct contract_verb *v = contract_verb(argv[1]);
	if (v == NULL || !parse(argc - 1, argv + 1, &a) ||
	    a.words != v->words || (a.calldata && (!v->sends || v->creates)))
		return cmd_usage(usage);
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
	const char *error = km_error_name(why.text);
	if (error != NULL)
		st = why_set(&why, DSTACK_E_REJECTED,
		    "%s: the contract refuses: %s (docs/contract.md)",
		    argv[1], error);
	return cmd_fail("contract", st, &why);
}
