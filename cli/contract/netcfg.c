/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack contract netcfg: the measured network configuration, for all nodes
 * of a network the same, from what the chain says of the contract. What is
 * not given has the default of the network's kind (simulated TEE or not).
 */
#include "cli/contract/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/beacon/network.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "host/base/files.h"
#include "protocol/netcfg.h"

static enum dstack_status
save(const char *path, const struct wr *text, struct why *why)
{
	char part[CONFIG_TEXT + 32];

	/* a node that starts now finds the old file or the new one, whole */
	(void)snprintf(part, sizeof(part), "%s.part", path);
	AUTO_CLOSE int fd = open(part,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 ||
	    write(fd, text->buf, text->len) != (ssize_t)text->len ||
	    rename(part, path) != 0)
		return why_set(why, DSTACK_E_SYS, "%.200s: %s", path,
		    strerror(errno));
	return DSTACK_OK;
}

/*
 * A beacon chain known by name has the blocks of one chain, and proves nothing
 * of a contract on another. Of an own one nobody knows.
 */
static enum dstack_status
same_chain(const char *name, uint64_t chain_id, struct why *why)
{
	static const struct { const char *name; uint64_t id; } of[] = {
		{ "mainnet", 1 }, { "sepolia", 11155111 }, { "hoodi", 560048 } };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (strcmp(of[i].name, name) == 0 && of[i].id != chain_id)
			return why_set(why, DSTACK_E_REJECTED,
			    "--beacon %s has the blocks of chain %" PRIu64
			    ", but the contract is on chain %" PRIu64,
			    name, of[i].id, chain_id);
	return DSTACK_OK;
}

/*
 * Where guests learn which block is real. What a host's RPC says of it is
 * enough for play only: whoever invents headers invents the policy.
 */
static enum dstack_status
take_view(const struct contract_args *a, bool sim, struct netcfg *n,
    struct why *why)
{
	const bool beacon = a->view != NULL ? strcmp(a->view, "beacon") == 0
	    : GIVEN(a, O_BEACON) || GIVEN(a, O_CHECKPOINT) || !sim;
	if (!beacon && !sim)
		return why_set(why, DSTACK_E_REJECTED,
		    "this contract takes no simulated TEEs, so its guests "
		    "take no RPC's word for which block is real (view=rpc): "
		    "say --beacon NAME|FILE --checkpoint ROOT");
	if (!beacon &&
	    (GIVEN(a, O_BEACON) || GIVEN(a, O_CHECKPOINT) ||
		GIVEN(a, O_FINALITY)))
		return why_set(why, DSTACK_E_FORMAT,
		    "--beacon, --checkpoint and --finality go with "
		    "--view beacon");
	if (!beacon) {
		n->view = NETCFG_VIEW_RPC;
		/* a simulated network's chain takes nothing back */
		n->confirmations = a->confirmations;
		return DSTACK_OK;
	}
	if (!GIVEN(a, O_BEACON) || !GIVEN(a, O_CHECKPOINT))
		return why_set(why, DSTACK_E_FORMAT,
		    "--beacon NAME|FILE and --checkpoint ROOT are needed: "
		    "which beacon chain, and a finalized block of it to "
		    "begin at");
	if (GIVEN(a, O_CONFIRMATIONS))
		return why_set(why, DSTACK_E_FORMAT,
		    "--confirmations goes with --view rpc; a light client's "
		    "head is final");
	n->view = NETCFG_VIEW_BEACON;
	n->beacon_own = beacon_network_named(a->beacon) == NULL;
	n->finality =
	    a->finality != NULL && strcmp(a->finality, "attested") == 0
	    ? NETCFG_ATTESTED
	    : NETCFG_FINALIZED;
	memcpy(n->checkpoint, a->checkpoint, sizeof(n->checkpoint));
	enum dstack_status st =
	    beacon_network_take("--beacon", a->beacon, &n->beacon, why);
	return st == DSTACK_OK && !n->beacon_own
	    ? same_chain(n->beacon.name, n->chain_id, why)
	    : st;
}

enum dstack_status
contract_netcfg_ok(
    const struct gov *g, const struct contract_args *a, struct why *why)
{
	AUTO_CLOSE int dir = -1;
	AUTO_WR struct wr w = wr_new(NETCFG_MAX + 9);
	struct why none;
	struct netcfg n;
	struct gov_view v = { .sim = false };

	/* the owner may well open an epoch from another machine */
	if (files_open(a->host_volume, &dir, &none) != DSTACK_OK)
		return DSTACK_OK;
	/* a byte more than there may be: that is then no netcfg either */
	enum dstack_status st =
	    files_read(dir, "netcfg", 0, NETCFG_MAX + 1, &w, why);
	if (st == DSTACK_E_MISSING)
		return DSTACK_OK;
	if (st == DSTACK_OK)
		st = gov_read(g, &v, why);
	if (st != DSTACK_OK || v.sim)
		return st;
	st = netcfg_parse(w.buf + 8, w.len - 8, &n, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st,
		    "%s/netcfg (write it anew with dstack contract netcfg)",
		    a->host_volume);
	if (n.chain_id != g->chain_id || memcmp(n.contract, g->contract, 20) != 0)
		return DSTACK_OK; /* of a network that is not meant here */
	if (n.view == NETCFG_VIEW_RPC)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s/netcfg has view=rpc, which no guest of this contract "
		    "starts with: write it anew with --beacon and "
		    "--checkpoint, and measure again",
		    a->host_volume);
	return DSTACK_OK;
}

enum dstack_status
verb_netcfg(struct gov *g, struct contract_args *a, struct why *why)
{
	struct netcfg n = { .chain_id = g->chain_id,
		.max_age = a->max_age };
	struct gov_view v;
	uint8_t digest[48];
	char hex[97];
	char path[CONFIG_TEXT + 16];
	char contract[43];
	AUTO_WR struct wr text = wr_new(NETCFG_MAX);

	(void)snprintf(n.tls_domain, sizeof(n.tls_domain), "%s", a->domain);
	enum dstack_status st = gov_read(g, &v, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * From here on it is what the chain says, not what somebody typed: all
	 * nodes of a network must measure the same bytes.
	 */
	memcpy(n.contract, g->contract, 20);
	memcpy(n.code_hash, v.code_hash, 32);
	n.ct = v.ct_onchain ? NETCFG_CT_ONCHAIN : NETCFG_CT_RELAY;
	st = take_view(a, v.sim, &n, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * an app's output may hold what its users sent: off unless this is play
	 */
	n.log_app = a->log_app != NULL ? strcmp(a->log_app, "yes") == 0
				       : v.sim;
	st = netcfg_write(&n, &text, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(path, sizeof(path), "%s/netcfg", a->host_volume);
	st = save(a->out != NULL ? a->out : path, &text, why);
	if (st != DSTACK_OK)
		return st;
	/* what a guest's quote will show in MRCONFIGID */
	sha384(text.buf, text.len, digest);
	hex_encode(digest, 48, hex);
	eip55(g->contract, contract);
	return contract_print(
	    json_pack("{s:s,s:I,s:s,s:s,s:s+}", "file",
		a->out != NULL ? a->out : path, "chainId",
		(json_int_t)g->chain_id, "contract", contract, "domain",
		a->domain, "mrconfigid", "0x", hex),
	    a);
}
