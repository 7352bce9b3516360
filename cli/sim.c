/* SPDX-License-Identifier: Apache-2.0 */
/* dstack sim: the simulated TEE's three programs. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "cli/cmd.h"
#include "sim/pki.h"
#include "sim/service.h"
#include "sim/teed.h"

static const char usage[] =
    "usage: dstack sim tee --kernel FILE [--initrd FILE] --cmdline-file FILE\n"
    "           --netcfg FILE --vcpus N --memory MB --platform-id ID\n"
    "           --listen SOCKET [--set FIELD=HEX]...\n"
    "       dstack sim collateral [--at SECONDS] [--ca platform|processor]\n"
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
	struct why why = { "no memory" };
	if (st != DSTACK_OK)
		return cmd_fail("sim collateral", st, &why);
	wr_str(&out, "\n");
	if (wr_status(&out) != DSTACK_OK ||
	    fwrite(out.buf, 1, out.len, stdout) != out.len ||
	    fflush(stdout) != 0) {
		(void)why_set(&why, DSTACK_E_SYS, "output: %s",
		    strerror(errno));
		return cmd_fail("sim collateral", DSTACK_E_SYS, &why);
	}
	return EXIT_YES;
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
	if (strcmp(argv[1], "quote-service") == 0)
		return sim_quote_service(argc - 1, argv + 1);
	return cmd_usage(usage);
}
