/* SPDX-License-Identifier: Apache-2.0 */
/* dstack sim: the simulated TEE's programs, and its quotes by hand. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "sim/der.h"
#include "sim/pki.h"
#include "sim/service.h"
#include "sim/teed.h"

static const char usage[] =
    "usage: dstack sim tee --kernel FILE [--initrd FILE] --cmdline-file FILE\n"
    "           --netcfg FILE --vcpus N --memory MB --platform-id ID\n"
    "           --listen SOCKET [--set FIELD=HEX]...\n"
    "       dstack sim collateral [--at SECONDS] [--ca platform|processor]\n"
    "       dstack sim root\n"
    "       dstack sim quote [--report-data HEX] [--platform-id ID]\n"
    "           [--set FIELD=HEX]...\n"
    "       dstack sim quote-service [--listen 127.0.0.1:8080]\n"
    "A simulation for development: its keys are public, it protects nothing.";

static bool
number(const char *text, unsigned long max, unsigned long *out)
{
	char *end = NULL;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    v > max)
		return false;
	*out = v;
	return true;
}

static int
sim_tee(int argc, char **argv)
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
	unsigned long vcpus = 0;
	unsigned long memory = 0;
	bool ok = true;
	int c;
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case 'k': o.kernel = optarg; break;
		case 'i': o.initrd = optarg; break;
		case 'c': o.cmdline_file = optarg; break;
		case 'n': o.netcfg = optarg; break;
		case 'v': ok = ok && number(optarg, 1024, &vcpus); break;
		case 'm': ok = ok && number(optarg, 1u << 24, &memory); break;
		case 'p': o.platform = optarg; break;
		case 'l': o.listen = optarg; break;
		case 's':
			ok = ok && o.nset < TEED_MAX_SET;
			if (ok)
				o.set[o.nset++] = optarg;
			break;
		default: ok = false; break;
		}
	}
	if (!ok || optind != argc || o.kernel == NULL ||
	    o.cmdline_file == NULL || o.netcfg == NULL || o.platform == NULL ||
	    o.listen == NULL || vcpus == 0 || memory == 0)
		return cmd_usage(usage);
	o.vcpus = (uint32_t)vcpus;
	o.memory_mib = (uint32_t)memory;
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
	if (fwrite(out->buf, 1, out->len, stdout) == out->len &&
	    fflush(stdout) == 0)
		return EXIT_YES;
	(void)why_set(&why, DSTACK_E_SYS, "output: %s", strerror(errno));
	return cmd_fail(verb, DSTACK_E_SYS, &why);
}

static int
sim_collateral(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "at", required_argument, NULL, 't' },
		{ "ca", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long at = (unsigned long)time(NULL);
	enum sim_ca ca = SIM_CA_PLATFORM;
	bool ok = true;
	int c;
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 't')
			ok = ok && number(optarg, 0xffffffff, &at);
		else if (c == 'c' && strcmp(optarg, "processor") == 0)
			ca = SIM_CA_PROCESSOR;
		else if (c != 'c' || strcmp(optarg, "platform") != 0)
			ok = false;
	}
	if (!ok || optind != argc)
		return cmd_usage(usage);
	AUTO_WR struct wr out = wr_new(0);
	enum dstack_status st = sim_collateral_json((int64_t)at, ca, &out);
	wr_str(&out, "\n");
	return put(st, &out, "sim collateral");
}

/* The simulator's root certificate, for "dstack quote verify --root". */
static int
sim_root(int argc)
{
	if (argc != 1)
		return cmd_usage(usage);
	struct sim_world w;
	AUTO_WR struct wr der = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	sim_world_init(&w, "", SIM_CA_PLATFORM, 0);
	enum dstack_status st = sim_cert_make(&w.root, &der);
	if (st == DSTACK_OK)
		pem_put(&out, "CERTIFICATE", der.buf, der.len);
	return put(st, &out, "sim root");
}

/* One quote of a VM that measures as nothing, but for what --set says. */
static int
sim_quote_once(int argc, char **argv)
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
	bool ok = true;
	int c;
	while (ok && (c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'd')
			ok = hex_decode(optarg, strlen(optarg), data, 64) ==
			    DSTACK_OK;
		else if (c == 'p')
			platform = optarg;
		else if (c == 's' && nset < TEED_MAX_SET)
			set[nset++] = optarg;
		else
			ok = false;
	}
	if (!ok || optind != argc)
		return cmd_usage(usage);
	struct teed t;
	struct why why = { "" };
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
sim_quote_service(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	const char *address = "127.0.0.1:8080";
	int c;
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c != 'l')
			return cmd_usage(usage);
		address = optarg;
	}
	if (optind != argc)
		return cmd_usage(usage);
	struct why why = { "" };
	enum dstack_status st = service_run(address, &why);
	return st == DSTACK_OK ? EXIT_YES
			       : cmd_fail("sim quote-service", st, &why);
}

int
cmd_sim(int argc, char **argv)
{
	if (argc < 2)
		return cmd_usage(usage);
	if (strcmp(argv[1], "tee") == 0)
		return sim_tee(argc - 1, argv + 1);
	if (strcmp(argv[1], "collateral") == 0)
		return sim_collateral(argc - 1, argv + 1);
	if (strcmp(argv[1], "root") == 0)
		return sim_root(argc - 1);
	if (strcmp(argv[1], "quote") == 0)
		return sim_quote_once(argc - 1, argv + 1);
	if (strcmp(argv[1], "quote-service") == 0)
		return sim_quote_service(argc - 1, argv + 1);
	return cmd_usage(usage);
}
