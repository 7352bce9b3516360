/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack status: what a kept network, or one node, is at. Each fact comes from
 * the place that knows it: the node's own status file (phase, what it waits
 * for, why it failed), its guest's control plane, its HTTPS port, its host
 * volume, and the contract by the RPC. All of it is gathered into one JSON
 * object first, which is printed as it is or for people.
 *
 * What can go wrong is that one of them does not answer: that part is left
 * out, the rest is shown, and only a contract that cannot be read makes the
 * exit status 3.
 */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo/network.h"
#include "cli/status_signs.h"
#include "cli/tls_look.h"
#include "cli/usage.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/chain/governance.h"
#include "cli/beacon/view.h"
#include "host/http/client.h"
#include "protocol/netcfg.h"

static const struct usage use = { "status",
	"dstack status [--json] [--dir DIR | --config FILE]\n"
	"              [--beacon URL,... [--netcfg FILE]]\n"
	"  --dir DIR      of dstack demo (default " DEMO_DIR ")\n"
	"  --config FILE  one node, by its host.env; the default where no\n"
	"                 network runs in " DEMO_DIR " and there is a host.env\n"
	"  --beacon       beacon nodes: what the contract says is proven, from\n"
	"                 the checkpoint of netcfg on (default the host volume's)",
	NULL, NULL };

/* What the node's HTTPS port shows, or null. */
static json_t *
certificate(const char *https, const char *domain)
{
	struct tls_look t;

	if (tls_look(https, domain, &t, NULL) != DSTACK_OK)
		return json_null();
	return json_pack("{s:s,s:s,s:s,s:s}", "fingerprint", t.fingerprint,
	    "key", t.key, "until", t.until, "issuer", t.issuer);
}

/* The disk the guest keeps its encrypted data on. */
static json_t *
volume(const char *host_volume, const struct node_status *s)
{
	char path[CONFIG_TEXT + 32];
	struct stat sb;
	bool open = false;

	for (size_t i = 0; i < NODE_PHASES; i++)
		if (strcmp(node_phases[i], "volume") == 0)
			open = s->at_ms[i] != 0;
	if (strcmp(s->guest, "no-vm") == 0)
		return json_pack("{s:s}", "state", "plain folder (no VM)");
	(void)snprintf(path, sizeof(path), "%s/encrypted_container.img",
	    host_volume);
	if (stat(path, &sb) != 0)
		return json_pack("{s:s}", "state", "none");
	return json_pack("{s:s,s:I,s:I}", "state", open ? "open" : "waiting",
	    "size", (json_int_t)sb.st_size, "onDisk",
	    (json_int_t)sb.st_blocks * 512);
}

/* "2026-01-31T12:00:00Z" of a guest's last sign of life, or null. */
static json_t *
heartbeat(const json_t *guest)
{
	time_t t = (time_t)json_integer_value(
	    json_object_get(guest, "heartbeat"));
	char text[32];
	struct tm tm;

	if (t <= 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

/* tls-domain of the netcfg in a host volume, or "". */
static void
domain_of(const char *host_volume, char out[static NETCFG_DOMAIN_MAX + 1])
{
	char path[CONFIG_TEXT + 16];
	char text[NETCFG_MAX + 1];
	struct netcfg n;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/netcfg", host_volume);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return;
	size_t len = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	if (netcfg_parse(text, len, &n, NULL) == DSTACK_OK)
		memcpy(out, n.tls_domain, sizeof(n.tls_domain));
}

json_t *
cmd_guest_status(const char *control)
{
	char url[120];
	unsigned status = 0;
	AUTO_WR struct wr out = wr_new(65536);
	struct http_request q = { .url = url,
		.max = 65536,
		.timeout_ms = 3000 };

	(void)snprintf(url, sizeof(url), "%s/status", control);
	if (http_do(&q, &status, &out, NULL, NULL) != DSTACK_OK ||
	    status != 200)
		return json_null();
	json_t *v = json_loadb((const char *)out.buf, out.len,
	    JSON_REJECT_DUPLICATES, NULL);
	return v != NULL ? v : json_null();
}

/* The account that pays for the node, and what it has: wei, as text. */
static void
payer(json_t *o, const char *state, const char *config, struct rpc *rpc)
{
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	char path[160];
	char account[43];
	json_t *wei = NULL;

	(void)snprintf(path, sizeof(path), "%s/host.env", state);
	if (config_load(config != NULL ? config : path, &c, NULL) !=
	    DSTACK_OK)
		return;
	eip55(c.submitter, account);
	(void)json_object_set_new(o, "payer", json_string(account));
	if (rpc != NULL &&
	    rpc_call(rpc, "eth_getBalance",
	        json_pack("[s,s]", account, "latest"), &wei, NULL) ==
	        DSTACK_OK &&
	    json_is_string(wei))
		(void)json_object_set_new(o, "balance", json_incref(wei));
	json_decref(wei);
}

/* What the contract's part leaves for the nodes' part. */
struct chain_part {
	struct rpc *rpc; /* NULL: the contract cannot be read */
	struct signs_of signs;
};

/* config: of the node, where it is not STATE/host.env. */
static json_t *
node_json(const char *state, const char *host_volume, const char *config,
    const struct chain_part *chain, unsigned i)
{
	char domain[NETCFG_DOMAIN_MAX + 1];
	struct node_status s;

	if (node_status_read(state, &s, NULL) != DSTACK_OK)
		return json_pack("{s:i,s:b}", "index", (int)i, "alive", 0);
	json_t *o = json_pack("{s:i,s:b,s:s,s:s,s:s,s:s}", "index", (int)i,
	    "alive", s.alive, "phase", s.phase, "guest", s.guest, "https",
	    s.https, "control", s.control);
	if (o == NULL)
		return NULL;
	if (s.said[0] != '\0')
		(void)json_object_set_new(o, "waits", json_string(s.said));
	payer(o, state, config, chain->rpc);
	if (s.relocked[0] != '\0')
		(void)json_object_set_new(
		    o, "relocked", json_string(s.relocked));
	if (s.failed[0] != '\0')
		(void)json_object_set_new(o, "failed", json_string(s.failed));
	/* what is below is asked of a node that runs */
	if (!s.alive)
		return o;
	if (s.trouble[0] != '\0') { /* it stands still: nobody answers */
		(void)json_object_set_new(
		    o, "trouble", json_string(s.trouble));
		return o;
	}
	json_t *guest = cmd_guest_status(s.control);
	domain_of(host_volume, domain);
	(void)json_object_set_new(o, "volume", volume(host_volume, &s));
	(void)json_object_set_new(o, "heartbeat", heartbeat(guest));
	if (chain->rpc != NULL)
		(void)json_object_set_new(o, "hears",
		    status_signs(s.service, &chain->signs, chain->rpc));
	/* before it has the network's key nobody answers there: no wait for it */
	(void)json_object_set_new(o, "certificate",
	    s.at_ms[NODE_ONBOARDED] != 0 ? certificate(s.https, domain)
					 : json_null());
	(void)json_object_set_new(o, "status", guest);
	return o;
}

/* The contract's part. What the machine itself knows is told without it. */
static enum dstack_status
contract_json(struct rpc *rpc, const char *url, const uint8_t at[static 20],
    struct cli_view *seen, json_t *o, struct chain_part *part_out,
    struct why *why)
{
	struct gov gov = { .rpc = rpc };
	struct gov_view v;
	char contract[43];
	char xpub[43];

	if (rpc == NULL)
		return DSTACK_E_NOMEM;
	memset(&v, 0, sizeof(v));
	memcpy(gov.contract, at, 20);
	eip55(at, contract);
	(void)json_object_set_new(o, "contract", json_string(contract));
	(void)json_object_set_new(o, "rpc", json_string(url));
	enum dstack_status st = DSTACK_OK;
	/*
	 * netcfg is held against the chain's number, so it is asked first; a
	 * view that was asked for and is not to be had is told as a contract
	 * that is not read: the RPC's word is no stand-in for it
	 */
	if (seen->beacon != NULL)
		st = rpc_chain_id(rpc, &gov.chain_id, why);
	if (st == DSTACK_OK)
		st = cli_view_of(seen, &gov, why);
	if (st == DSTACK_OK)
		st = gov_read(&gov, &v, why);
	if (st == DSTACK_OK)
		(void)json_object_set_new(o, "view", cli_view_json(seen));
	if (st != DSTACK_OK) {
		(void)json_object_set_new(o, "chain", json_string(why->text));
		return st;
	}
	eip55(v.epoch.xpub, xpub);
	json_t *part = json_pack("{s:s,s:s,s:I,s:s,s:b,s:{s:s,s:o,s:I,s:b}}",
	    "rpc", url, "contract", contract, "epoch",
	    (json_int_t)v.head.current_epoch, "xPub", xpub, "paused",
	    v.head.paused, "app", "name", v.app.name, "digest",
	    eth_json_hex(v.app.digest, 32), "version",
	    (json_int_t)v.app.version, "stopped", v.app.stopped);
	if (part == NULL || json_object_update(o, part) != 0)
		st = DSTACK_E_NOMEM;
	json_decref(part);
	if (st == DSTACK_OK)
		st = rpc_chain_id(
		    rpc, &part_out->signs.domain.chain_id, why);
	memcpy(part_out->signs.domain.contract, at, 20);
	memcpy(part_out->signs.xpub, v.epoch.xpub, 20);
	part_out->signs.epoch = v.head.current_epoch;
	part_out->rpc = st == DSTACK_OK ? rpc : NULL;
	return st;
}

/* Somebody waits for it, but not for ever. */
static struct rpc *
patient(const char *url)
{
	struct rpc *rpc = rpc_new(url);
	if (rpc != NULL)
		rpc_limit(rpc, &(struct rpc_limits){ .patience_ms = 10000 });
	return rpc;
}

static enum dstack_status
of_network(const struct network_info *net, struct cli_view *seen, json_t *o,
    struct why *why)
{
	char netcfg[192];
	AUTO_RPC struct rpc *rpc = patient(net->rpc);
	struct chain_part part = { .rpc = NULL };
	(void)snprintf(netcfg, sizeof(netcfg),
	    "%s/node0/host_volume/netcfg", net->dir);
	if (seen->netcfg == NULL)
		seen->netcfg = netcfg;
	enum dstack_status st =
	    contract_json(rpc, net->rpc, net->contract, seen, o, &part, why);
	json_t *nodes = json_array();

	(void)json_object_set_new(o, "pid", json_integer(net->pid));
	(void)json_object_set_new(o, "ca", json_string(net->ca_file));
	(void)json_object_set_new(o, "nodes", nodes);
	for (unsigned i = 0; i < net->nodes; i++) {
		char state[128];
		char host_volume[160];
		(void)snprintf(state, sizeof(state), "%s/node%u", net->dir, i);
		(void)snprintf(host_volume, sizeof(host_volume),
		    "%s/host_volume", state);
		(void)json_array_append_new(
		    nodes, node_json(state, host_volume, NULL, &part, i));
	}
	return st;
}

static enum dstack_status
of_config(const char *path, struct cli_view *seen, json_t *o,
    struct why *why)
{
	char netcfg[CONFIG_TEXT + 32];
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	enum dstack_status st = config_load(path, &c, why);

	if (st != DSTACK_OK)
		return st;
	AUTO_RPC struct rpc *rpc = patient(c.rpc_url);
	struct chain_part part = { .rpc = NULL };
	(void)snprintf(netcfg, sizeof(netcfg), "%s/netcfg", c.host_volume);
	if (seen->netcfg == NULL)
		seen->netcfg = netcfg;
	st = contract_json(rpc, c.rpc_url, c.contract, seen, o, &part, why);
	/* the provider's key may be in its URL */
	(void)json_object_del(o, "rpc");
	(void)json_object_set_new(o, "nodes",
	    json_pack("[o]", node_json(
	                         c.state, c.host_volume, path, &part, c.index)));
	return st;
}

/* A member as text; "-" where it is none, for people to read. */
static const char *
str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

/* The app's part is the owner's choice, the node's part the operator's. */
static const char *
way_out(const json_t *guest, const json_t *app)
{
	const bool node = json_is_true(json_object_get(guest, "egress"));

	if (strcmp(str(app, "egress"), "open") == 0)
		return "open: the app reaches the Internet";
	return node ? "none asked for; this node gives one (EGRESS=yes)"
		    : "none (EGRESS=no)";
}

/* Several lines a node, the first one enough for who has many. */
static void
print_node(const json_t *n)
{
	const json_t *cert = json_object_get(n, "certificate");
	const json_t *guest = json_object_get(n, "status");
	const json_t *app = json_object_get(guest, "app");
	const json_t *vol = json_object_get(n, "volume");
	const json_t *mem = json_object_get(guest, "memory");
	const json_t *refused = json_object_get(app, "refused");

	bool alive = json_is_true(json_object_get(n, "alive"));
	const json_t *trouble = json_object_get(n, "trouble");

	printf("node %-4" JSON_INTEGER_FORMAT " %s%s, %s, %s\n",
	    json_integer_value(json_object_get(n, "index")),
	    !alive	    ? "DOWN, last seen at phase "
		: trouble != NULL ? "STANDS STILL, "
				  : "up, ",
	    str(n, "phase"), str(n, "guest"), str(n, "https"));
	if (json_string_value(json_object_get(n, "balance")) != NULL)
		/* wei in hex, as the chain says it: for people in ether */
		printf("  payer       %s, %.6Lf ether\n", str(n, "payer"),
		    strtold(str(n, "balance"), NULL) / 1e18L);
	else if (json_object_get(n, "payer") != NULL)
		printf("  payer       %s\n", str(n, "payer"));
	if (json_object_get(n, "relocked") != NULL)
		printf("  image       relocked: packages of %.8s, not the lock "
		       "file's\n", str(n, "relocked"));
	if (trouble != NULL)
		printf("  trouble     %s\n", str(n, "trouble"));
	if (alive && json_object_get(n, "waits") != NULL)
		printf("  waits       %s\n", str(n, "waits"));
	if (json_object_get(n, "failed") != NULL)
		printf("  failed      %s\n", str(n, "failed"));
	if (!alive || trouble != NULL)
		return;
	printf("  address     %s, %s\n", str(guest, "node"),
	    str(guest, "state"));
	printf("  app         %s\n", str(app, "state"));
	if (json_object_get(app, "waits") != NULL)
		printf("  app waits   %s\n", str(app, "waits"));
	if (refused != NULL)
		printf("  refused     version %" JSON_INTEGER_FORMAT ": %s\n",
		    json_integer_value(json_object_get(refused, "version")),
		    str(refused, "reason"));
	if (json_is_object(guest))
		printf("  egress      %s\n", way_out(guest, app));
	if (json_is_object(mem))
		printf("  memory      %" JSON_INTEGER_FORMAT
		       " MB, of which a new version may have %"
		       JSON_INTEGER_FORMAT "\n",
		    json_integer_value(json_object_get(mem, "total")) >> 20,
		    json_integer_value(json_object_get(mem, "free")) >> 20);
	printf("  volume      %s", str(vol, "state"));
	if (json_object_get(vol, "size") != NULL)
		printf(", %" JSON_INTEGER_FORMAT
		       " MiB, of which on disk %" JSON_INTEGER_FORMAT,
		    json_integer_value(json_object_get(vol, "size")) >> 20,
		    json_integer_value(json_object_get(vol, "onDisk")) >> 20);
	printf("\n  alive       %s, by its last sign of life\n",
	    str(n, "heartbeat"));
	if (json_object_get(n, "hears") != NULL)
		status_signs_print(
		    json_object_get(n, "hears"), str(guest, "node"));
	printf("  certificate %s until %s\n", str(cert, "fingerprint"),
	    str(cert, "until"));
}

static void
print_people(const json_t *o)
{
	const json_t *app = json_object_get(o, "app");
	const json_t *nodes = json_object_get(o, "nodes");
	bool paused = json_is_true(json_object_get(o, "paused"));
	bool stopped = json_is_true(json_object_get(app, "stopped"));

	printf("contract  %s on %s%s\n", str(o, "contract"), str(o, "rpc"),
	    paused ? ", PAUSED" : "");
	if (json_object_get(o, "chain") != NULL) {
		printf("chain     NOT READ: %s\n", str(o, "chain"));
		for (size_t i = 0; i < json_array_size(nodes); i++)
			print_node(json_array_get(nodes, i));
		return;
	}
	const json_t *view = json_object_get(o, "view");
	const bool proven = strcmp(str(view, "kind"), "beacon") == 0;
	if (proven)
		printf("view      beacon: finalized slot %" JSON_INTEGER_FORMAT
		       ", block %" JSON_INTEGER_FORMAT ", proven\n",
		    json_integer_value(json_object_get(view, "slot")),
		    json_integer_value(json_object_get(view, "block")));
	else
		printf("view      the RPC's word (--beacon proves it)\n");
	/* zeros are how the contract says that there is none */
	if (strspn(str(o, "xPub"), "0x") == strlen(str(o, "xPub")))
		printf("epoch     none has a key yet\n");
	else
		printf("epoch     %" JSON_INTEGER_FORMAT ", xPub %s\n",
		    json_integer_value(json_object_get(o, "epoch")),
		    str(o, "xPub"));
	if (json_integer_value(json_object_get(app, "version")) == 0)
		printf("app       none is named yet\n");
	else
		printf("app       %s version %" JSON_INTEGER_FORMAT " %s%s\n",
		    str(app, "name"),
		    json_integer_value(json_object_get(app, "version")),
		    str(app, "digest"), stopped ? ", STOPPED" : "");
	for (size_t i = 0; i < json_array_size(nodes); i++)
		print_node(json_array_get(nodes, i));
}

int
cmd_status(int argc, char **argv)
{
	static const struct option lopt[] = { { "json", 0, NULL, 'j' },
		{ "dir", 1, NULL, 'd' }, { "config", 1, NULL, 'c' },
		{ "beacon", 1, NULL, 'b' }, { "netcfg", 1, NULL, 'n' },
		{ NULL, 0, NULL, 0 } };
	struct cli_view seen = { .beacon = NULL };
	const char *dir = NULL;
	const char *config = NULL;
	bool json = false;
	struct network_info net;
	struct why why = { "" };
	int c;

	while ((c = usage_next(&use, argc, argv, lopt)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'd')
			dir = optarg;
		else if (c == 'b')
			seen.beacon = optarg;
		else if (c == 'n')
			seen.netcfg = optarg;
		else
			config = optarg;
	}
	usage_words(&use, argc, argv, 0, 0, "");
	if (dir != NULL && config != NULL)
		usage_wrong(&use, "--dir or --config, not both");
	if (dir != NULL && strlen(dir) >= 64)
		usage_wrong(&use, "--dir: over 63 bytes");
	enum dstack_status st = DSTACK_OK;
	if (config == NULL)
		st = network_running(
		    dir != NULL ? dir : DEMO_DIR, &net, &why);
	if (st != DSTACK_OK && dir == NULL && access("host.env", R_OK) == 0)
		config = "host.env";
	json_t *o = json_object();
	if (config != NULL)
		st = of_config(config, &seen, o, &why);
	else if (st == DSTACK_OK)
		st = of_network(&net, &seen, o, &why);
	/* what is known is shown, and the exit says that it is not all */
	if (st != DSTACK_OK && json_object_size(o) == 0) {
		json_decref(o);
		return cmd_fail("status", st, &why);
	}
	if (json) {
		(void)json_dumpf(o, stdout, JSON_COMPACT);
		(void)putchar('\n');
	} else {
		print_people(o);
	}
	json_decref(o);
	return st == DSTACK_OK ? EXIT_YES : EXIT_UNDECIDED;
}
