/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack sim: the simulated TEE's programs, and its quotes by hand. What a
 * quote carries is taken as it is typed (--set), also what no TEE would say:
 * wrong quotes are what a verifier is tried with.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/usage.h"
#include "base/log.h"
#include "dstack/beacon.h"
#include "host/chain/rpc_client.h"
#include "sim/beacon.h"
#include "sim/der.h"
#include "sim/pki.h"
#include "sim/service.h"
#include "sim/teed.h"

static const struct usage uses[] = {
	{ "sim tee",
	    "dstack sim tee --kernel FILE [--initrd FILE] --cmdline-file FILE\n"
	    "           --netcfg FILE --vcpus N --memory MB --platform-id ID\n"
	    "           --listen SOCKET [--set FIELD=HEX]...",
	    NULL, NULL },
	{ "sim collateral",
	    "dstack sim collateral [--at SECONDS] [--ca platform|processor]",
	    NULL, NULL },
	{ "sim root", "dstack sim root", NULL, NULL },
	{ "sim quote",
	    "dstack sim quote [--report-data HEX] [--platform-id ID]\n"
	    "           [--set FIELD=HEX]...",
	    NULL, NULL },
	{ "sim quote-service",
	    "dstack sim quote-service [--listen 127.0.0.1:8080]", NULL, NULL },
	{ "sim beacon",
	    "dstack sim beacon --rpc URL [--listen 127.0.0.1:5052]\n"
	    "           [--network-out FILE] [--seconds-per-slot N]\n"
	    "           [--fork-at EPOCH] [--slots-before N] [--lie NAME]...",
	    NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* One more --set FIELD=HEX. */
static void
set_more(const struct usage *u, const char **set, size_t *n)
{
	/* which fields there are, and how long, teed_set says */
	if (strchr(optarg, '=') == NULL)
		usage_wrong(u, "--set takes FIELD=HEX, not '%.80s'", optarg);
	/* tried on a machine that is thrown away */
	static struct teed scratch;
	static const struct sim_measurements nothing;
	struct why why = { "" };
	teed_init(&scratch, "", &nothing);
	if (teed_set(&scratch, optarg, &why) != DSTACK_OK)
		usage_wrong(u, "--set: %.200s", why.text);
	if (*n == TEED_MAX_SET)
		usage_wrong(u, "--set: more than %d of them", TEED_MAX_SET);
	set[(*n)++] = optarg;
}

static int
sim_tee(const struct usage *u, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "cmdline-file", required_argument, NULL, 'c' },
		{ "netcfg", required_argument, NULL, 'n' },
		{ "vcpus", required_argument, NULL, 'v' },
		{ "memory", required_argument, NULL, 'm' },
		{ "platform-id", required_argument, NULL, 'p' },
		{ "listen", required_argument, NULL, 'l' },
		{ "set", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct teed_options o = { .kernel = NULL };
	int c;
	while ((c = usage_next(u, argc, argv, opts)) != -1) {
		switch (c) {
		case 'k': o.kernel = optarg; break;
		case 'i': o.initrd = optarg; break;
		case 'c': o.cmdline_file = optarg; break;
		case 'n': o.netcfg = optarg; break;
		case 'v':
			o.vcpus = (uint32_t)usage_number(
			    u, "--vcpus", optarg, 1, 1024);
			break;
		case 'm':
			o.memory_mib = (uint32_t)usage_number(
			    u, "--memory", optarg, 1, 1u << 24);
			break;
		case 'p': o.platform = optarg; break;
		case 'l': o.listen = optarg; break;
		default: set_more(u, o.set, &o.nset); break;
		}
	}
	usage_words(u, argc, argv, 0, 0, "");
	/* all of it is measured, so there is no default for any */
	const char *missing = o.kernel == NULL ? "--kernel FILE"
	    : o.cmdline_file == NULL           ? "--cmdline-file FILE"
	    : o.netcfg == NULL                 ? "--netcfg FILE"
	    : o.vcpus == 0                     ? "--vcpus N"
	    : o.memory_mib == 0                ? "--memory MB"
	    : o.platform == NULL               ? "--platform-id ID"
	    : o.listen == NULL                 ? "--listen SOCKET"
					       : NULL;
	if (missing != NULL)
		usage_wrong(u, "%s is missing", missing);
	struct why why = { "" };
	enum dstack_status st = teed_run(&o, &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("sim tee", st, &why);
}

/* Everything to standard output, or one line of what went wrong. */
static int
put(enum dstack_status st, const struct wr *out, const char *verb)
{
	struct why why = { "no memory" };
	if (st == DSTACK_OK)
		st = wr_status(out);
	if (st != DSTACK_OK)
		return cmd_fail(verb, st, &why);
	/* a quote that a full disk cut must not look like one */
	if (fwrite(out->buf, 1, out->len, stdout) == out->len &&
	    fflush(stdout) == 0)
		return EXIT_YES;
	(void)why_set(&why, DSTACK_E_SYS, "output: %s", strerror(errno));
	return cmd_fail(verb, DSTACK_E_SYS, &why);
}

static int
sim_collateral(const struct usage *u, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "at", required_argument, NULL, 't' },
		{ "ca", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const cas[] = { "platform", "processor", NULL };
	/* collateral that is valid now, unless another day is to be tried */
	uint64_t at = (uint64_t)time(NULL);
	enum sim_ca ca = SIM_CA_PLATFORM;
	int c;
	while ((c = usage_next(u, argc, argv, opts)) != -1) {
		if (c == 't')
			at = usage_number(u, "--at", optarg, 0, UINT32_MAX);
		else
			ca = usage_choice(u, "--ca", optarg, cas) == 0
			    ? SIM_CA_PLATFORM
			    : SIM_CA_PROCESSOR;
	}
	usage_words(u, argc, argv, 0, 0, "");
	AUTO_WR struct wr out = wr_new(0);
	enum dstack_status st = sim_collateral_json((int64_t)at, ca, &out);
	wr_str(&out, "\n");
	return put(st, &out, "sim collateral");
}

/* The simulator's root certificate, for "dstack quote verify --root". */
static int
sim_root(const struct usage *u, int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	(void)usage_next(u, argc, argv, none);
	usage_words(u, argc, argv, 0, 0, "");
	struct sim_world w;
	AUTO_WR struct wr der = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	/* one root for all platforms: its key is in the source */
	sim_world_init(&w, "", SIM_CA_PLATFORM, 0);
	enum dstack_status st = sim_cert_make(&w.root, &der);
	if (st == DSTACK_OK)
		pem_put(&out, "CERTIFICATE", der.buf, der.len);
	return put(st, &out, "sim root");
}

/* One quote of a VM that measures as nothing, but for what --set says. */
static int
sim_quote_once(const struct usage *u, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "report-data", required_argument, NULL, 'd' },
		{ "platform-id", required_argument, NULL, 'p' },
		{ "set", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	const char *set[TEED_MAX_SET];
	size_t nset = 0;
	const char *platform = "";
	uint8_t data[64] = { 0 };
	int c;
	while ((c = usage_next(u, argc, argv, opts)) != -1) {
		if (c == 'd')
			usage_hex(u, "--report-data", optarg, data, 64);
		else if (c == 'p')
			platform = optarg;
		else
			set_more(u, set, &nset);
	}
	usage_words(u, argc, argv, 0, 0, "");
	struct teed t;
	struct why why = { "" };
	/*
	 * attributes and XFAM of an ordinary trust domain, so that only what
	 * was set is wrong
	 */
	struct sim_measurements m = { .td_attributes = { [3] = 0x10 },
		.xfam = { 0xe7, 0x02, 0x06 } };
	AUTO_WR struct wr out = wr_new(0);
	enum dstack_status st = DSTACK_OK;
	teed_init(&t, platform, &m);
	memcpy(t.world.quote.td.reportdata, data, 64);
	for (size_t i = 0; i < nset && st == DSTACK_OK; i++)
		st = teed_set(&t, set[i], &why);
	if (st != DSTACK_OK)
		return cmd_fail("sim quote", st, &why);
	return put(sim_world_quote(&t.world, &out), &out, "sim quote");
}

static int
sim_quote_service(const struct usage *u, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	const char *address = "127.0.0.1:8080";
	while (usage_next(u, argc, argv, opts) != -1)
		address = optarg;
	usage_words(u, argc, argv, 0, 0, "");
	struct why why = { "" };
	enum dstack_status st = service_run(address, &why);
	if (st == DSTACK_E_FORMAT) /* judged first of all there */
		usage_wrong(u, "--listen: %.150s", why.text);
	return st == DSTACK_OK ? EXIT_YES
			       : cmd_fail("sim quote-service", st, &why);
}

/* What the beacon chain wraps, or a forged one. */
static enum dstack_status
newest_block(void *ctx, const char *url, json_t **block, struct why *why)
{
	AUTO_RPC struct rpc *other = url != NULL ? rpc_new(url) : NULL;
	struct rpc *rpc = url != NULL ? other : ctx;
	if (rpc == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	return rpc_call(rpc, "eth_getBlockByNumber",
	    json_pack("[s,b]", "latest", 0), block, why);
}

/* Blocks come over the RPC's client, which is not the simulator's matter. */
static int
sim_beacon(const struct usage *u, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "rpc", required_argument, NULL, 'r' },
		{ "listen", required_argument, NULL, 'l' },
		{ "network-out", required_argument, NULL, 'n' },
		{ "seconds-per-slot", required_argument, NULL, 's' },
		{ "fork-at", required_argument, NULL, 'f' },
		{ "slots-before", required_argument, NULL, 'b' },
		{ "lie", required_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	struct sim_beacon_options o = { .newest = newest_block,
		.listen = "127.0.0.1:5052",
		.seconds_per_slot = 1,
		.gloas = BEACON_NEVER };
	const char *url = NULL;
	int c;
	while ((c = usage_next(u, argc, argv, opts)) != -1) {
		switch (c) {
		case 'r': url = optarg; break;
		case 'l': o.listen = optarg; break;
		case 'n': o.network = optarg; break;
		case 's':
			o.seconds_per_slot = (uint32_t)usage_number(
			    u, "--seconds-per-slot", optarg, 1, 3600);
			break;
		case 'f':
			o.gloas = usage_number(
			    u, "--fork-at", optarg, 1, INT64_MAX);
			break;
		case 'b':
			o.before = usage_number(
			    u, "--slots-before", optarg, 0, 8000);
			break;
		default:
			o.lies |= 1u << usage_choice(
				      u, "--lie", optarg, sim_beacon_lies);
			break;
		}
	}
	usage_words(u, argc, argv, 0, 0, "");
	if (url == NULL)
		usage_wrong(u, "--rpc URL is missing");
	struct why why = { "" };
	AUTO_RPC struct rpc *rpc = rpc_new(url);
	o.ctx = rpc;
	log_name("dstack sim beacon");
	enum dstack_status st = rpc != NULL
	    ? sim_beacon_run(&o, &why)
	    : why_set(&why, DSTACK_E_NOMEM, "no memory");
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("sim beacon", st, &why);
}

int
cmd_sim(int argc, char **argv)
{
	/* in the order of uses */
	static int (*const run[])(
	    const struct usage *u, int argc, char **argv) = { sim_tee,
		sim_collateral, sim_root, sim_quote_once, sim_quote_service,
		sim_beacon };
	const struct usage *u = usage_sub(uses,
	    "A simulation for development: its keys are public, it protects "
	    "nothing.", argc, argv);
	return run[u - uses](u, argc - 1, argv + 1);
}
