/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image measure: the registers a guest will have, computed from its
 * files and the shape of its VM, never taken from a guest.
 */
#include "cli/image.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/cmd.h"
#include "cli/network.h"
#include "host/node.h"
#include "host/vm.h"
#include "protocol/statements.h"
#include "sim/measure.h"

#define CMDLINE_MAX 4096
#define NETCFG_MAX 4096
#define PATH_LEN 512

static enum dstack_status
slurp(const char *path, char *out, size_t cap, size_t *len, struct why *why)
{
	FILE *f = fopen(path, "rbe");

	if (f == NULL)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", path,
		    strerror(errno));
	*len = fread(out, 1, cap, f);
	(void)fclose(f);
	if (*len >= cap)
		return why_set(why, DSTACK_E_LIMIT, "%s: over %zu bytes", path,
		    cap - 1);
	out[*len] = '\0';
	return DSTACK_OK;
}

static enum dstack_status
measure(const char *dir, const char *netcfg, struct sim_boot *b,
    struct sim_measurements *m, struct why *why)
{
	char path[PATH_LEN], cmdline[CMDLINE_MAX], text[NETCFG_MAX + 1];
	size_t n = 0;
	enum dstack_status st;

	(void)snprintf(path, sizeof(path), "%s/vmlinuz", dir);
	st = sim_hash_file(path, b->kernel, why);
	(void)snprintf(path, sizeof(path), "%s/initramfs.cpio.zst", dir);
	if (st == DSTACK_OK)
		st = sim_hash_file(path, b->initramfs, why);
	(void)snprintf(path, sizeof(path), "%s/cmdline", dir);
	if (st == DSTACK_OK)
		st = slurp(path, cmdline, sizeof(cmdline), &n, why);
	if (st == DSTACK_OK)
		st = slurp(netcfg, text, sizeof(text), &n, why);
	if (st != DSTACK_OK)
		return st;
	b->cmdline = cmdline;
	b->netcfg = text;
	b->netcfglen = n;
	sim_measure(b, m);
	return DSTACK_OK;
}

static enum dstack_status
measure_node(const char *config, bool no_vm, struct sim_measurements *m,
    struct why *why)
{
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	struct node_options o = { .cfg = &c, .no_vm = no_vm };
	struct network_info net;
	char env[96];

	if (config == NULL &&
	    network_running(DEMO_DIR, &net, NULL) == DSTACK_OK) {
		(void)snprintf(
		    env, sizeof(env), "%s/node0/host.env", net.dir);
		config = env;
		o.no_vm = net.no_vm;
	}
	enum dstack_status st =
	    config_load(config != NULL ? config : "host.env", &c, why);
	return st == DSTACK_OK ? node_measure(&o, m, why) : st;
}

static void
row(const char *name, const uint8_t *p, size_t n, bool json)
{
	char hex[97];

	hex_encode(p, n, hex);
	printf(json ? ",\"%s\":\"%s\"" : "%-10s %s\n", name, hex);
}

static void
show(const struct sim_measurements *m, bool json)
{
	uint8_t tuple[32];

	stmt_tuple_hash(m->mrtd, m->rtmr, m->mrconfigid, tuple);
	if (json)
		printf("{\"tee\":\"simulated\"");
	row("mrtd", m->mrtd, 48, json);
	row("rtmr0", m->rtmr[0], 48, json);
	row("rtmr1", m->rtmr[1], 48, json);
	row("rtmr2", m->rtmr[2], 48, json);
	row("mrconfigid", m->mrconfigid, 48, json);
	row("tuple", tuple, 32, json);
	printf(json ? "}\n"
		    : "These are the simulator's registers; allow the tuple "
		      "with: dstack contract allow-tuple HASH\n");
}

static bool
number(const char *text, unsigned long max, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (uint32_t)v;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && v >= 1 &&
	    v <= max;
}

int
image_measure(int argc, char **argv)
{
	static const struct option lopt[] = { { "netcfg", 1, NULL, 'n' },
		{ "memory", 1, NULL, 'm' }, { "vcpus", 1, NULL, 'c' },
		{ "json", 0, NULL, 'j' }, { "config", 1, NULL, 'C' },
		{ "no-vm", 0, NULL, 'N' }, { NULL, 0, NULL, 0 } };
	struct sim_boot b = { .vcpus = VM_VCPUS, .memory_mib = VM_MEMORY_MIB };
	struct sim_measurements m;
	struct why why = { "" };
	const char *netcfg = NULL;
	const char *config = NULL;
	bool json = false, ok = true, sized = false, no_vm = false;
	int c;

	while ((c = getopt_long(argc, argv, "", lopt, NULL)) != -1) {
		sized = sized || c == 'm' || c == 'c';
		switch (c) {
		case 'C': config = optarg; break;
		case 'N': no_vm = true; break;
		case 'n': netcfg = optarg; break;
		case 'm': ok = ok && number(optarg, 1 << 20, &b.memory_mib); break;
		case 'c': ok = ok && number(optarg, 64, &b.vcpus); break;
		case 'j': json = true; break;
		default: ok = false;
		}
	}
	bool of_node = optind == argc && netcfg == NULL && !sized;
	if (!ok || (!of_node && (optind + 1 != argc || netcfg == NULL ||
				    config != NULL || no_vm)))
		return cmd_usage(image_usage);
	enum dstack_status st = of_node
	    ? measure_node(config, no_vm, &m, &why)
	    : measure(argv[optind], netcfg, &b, &m, &why);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	show(&m, json);
	return EXIT_YES;
}
