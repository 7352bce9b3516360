/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image measure: the registers a guest will have, computed from its
 * files and the shape of its VM, never taken from a guest.
 *
 * An owner puts the tuple that this prints into the contract before any node
 * runs, so it must come from what he has read and built: kernel, initramfs and
 * command line of the image, netcfg, memory and processors. The simulator's
 * registers are hashes of those; a trust domain's depend on firmware and ACPI
 * tables as well, and measure_tdx.c has that. Without a directory the figures
 * are of a node's host.env, or of the demo's network where one runs.
 */
#include "cli/image/image.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/demo/network.h"
#include "cli/usage.h"
#include "host/node/node.h"
#include "host/vm/vm.h"
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

/* host.env of the node: the one named, the running demo's, or ./host.env. */
static enum dstack_status
node_config(
    const char *config, struct host_config *c, bool *no_vm, struct why *why)
{
	struct network_info net;
	char env[96];

	if (config == NULL &&
	    network_running(DEMO_DIR, &net, NULL) == DSTACK_OK) {
		(void)snprintf(
		    env, sizeof(env), "%s/node0/host.env", net.dir);
		config = env;
		*no_vm = net.no_vm;
	}
	return config_load(config != NULL ? config : "host.env", c, why);
}

static void
show(const struct sim_measurements *m, bool json)
{
	uint8_t tuple[32];

	stmt_tuple_hash(m->mrtd, m->rtmr, m->mrconfigid, tuple);
	if (json)
		printf("{\"tee\":\"simulated\"");
	image_measure_rows(m->mrtd, m->rtmr, m->mrconfigid, tuple, json);
	printf(json ? "}\n"
		    : "These are the simulator's registers; allow the tuple "
		      "with: dstack contract allow-tuple HASH\n");
}

/* Did QEMU X.Y still write into the kernel's setup header? */
static bool
qemu_version(const char *text, bool *patched)
{
	unsigned major = 0, minor = 0;
	char end = 0;

	if (sscanf(text, "%3u.%3u%c", &major, &minor, &end) != 2)
		return false;
	*patched = major < 10 || (major == 10 && minor < 2);
	return true;
}

struct request {
	struct measure_tdx t;
	const char *config;
	bool tdx, sim, no_vm, sized;
};

static void
options(const struct usage *u, int argc, char **argv, struct request *r)
{
	static const struct option lopt[] = { { "netcfg", 1, NULL, 'n' },
		{ "memory", 1, NULL, 'm' }, { "vcpus", 1, NULL, 'c' },
		{ "json", 0, NULL, 'j' }, { "config", 1, NULL, 'C' },
		{ "no-vm", 0, NULL, 'N' }, { "tee", 1, NULL, 't' },
		{ "firmware", 1, NULL, 'f' }, { "acpi", 1, NULL, 'a' },
		{ "machine", 1, NULL, 'M' }, { "qemu", 1, NULL, 'q' },
		{ "phys-bits", 1, NULL, 'b' }, { "egress", 0, NULL, 'g' }, { "events", 0, NULL, 'e' }, 
		{ "ccel", 1, NULL, 'l' }, { "quote", 1, NULL, 'Q' }, { NULL, 0, NULL, 0 } };
	static const char *const tees[] = { "sim", "tdx", NULL };
	struct measure_tdx *t = &r->t;
	int c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		r->sized = r->sized || c == 'm' || c == 'c';
		r->tdx = r->tdx || strchr("faMqelbQg", c) != NULL;
		switch (c) {
		case 'C': r->config = optarg; break;
		case 'N': r->no_vm = true; break;
		case 'n': t->netcfg = optarg; break;
		case 'm':
			t->memory_mib = (uint32_t)usage_number(
			    u, "--memory", optarg, 1, 1 << 20);
			break;
		case 'c':
			t->vcpus = (uint32_t)usage_number(
			    u, "--vcpus", optarg, 1, 64);
			break;
		case 'j': t->json = true; break;
		case 't':
			r->sim = usage_choice(u, "--tee", optarg, tees) == 0;
			r->tdx = r->tdx || !r->sim;
			break;
		case 'f': t->firmware = optarg; break;
		case 'a': t->acpi = optarg; break;
		case 'M': t->machine = optarg; break;
		case 'q':
			if (!qemu_version(optarg, &t->patched_header))
				usage_wrong(u, "--qemu takes a version as "
				    "10.1, not '%.80s'", optarg);
			break;
		case 'b':
			t->phys_bits = (uint32_t)usage_number(
			    u, "--phys-bits", optarg, 1, 57);
			break;
		case 'g': t->egress = true; break;
		case 'e': t->events = true; break;
		case 'l': t->ccel = optarg; break;
		default: t->quote = optarg; break;
		}
	}
	if (r->sim && r->tdx)
		usage_wrong(u, "--tee sim takes none of a trust domain's "
		    "options (--firmware, --acpi, ...)");
	usage_words(u, argc, argv, 0, 1, "DIR");
	bool dir = optind < argc;
	if (dir && t->netcfg == NULL)
		usage_wrong(u, "--netcfg FILE is missing");
	if (!dir && (t->netcfg != NULL || r->sized))
		usage_wrong(u, "which image? DIR is missing");
	if (dir && (r->config != NULL || r->no_vm))
		usage_wrong(u, "%s is of a node, '%.80s' an image: not both",
		    r->no_vm ? "--no-vm" : "--config", argv[optind]);
}

/*
 * A node of FLAVOUR=tdx is measured as what it will be; one of FLAVOUR=sim as
 * what it is, or, where --tee tdx asks for it, as the trust domain that the
 * same settings with the other image would make.
 */
static int
of_node(struct request *r)
{
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	struct node_options o = { .cfg = &c, .no_vm = r->no_vm };
	struct sim_measurements m;
	struct why why = { "" };
	char image[CONFIG_TEXT + 8], netcfg[CONFIG_TEXT + 8];
	enum dstack_status st = node_config(r->config, &c, &o.no_vm, &why);

	if (st == DSTACK_OK && (r->tdx || (!c.sim && !r->sim && !o.no_vm))) {
		(void)snprintf(image, sizeof(image), "%s/tdx", c.image);
		(void)snprintf(
		    netcfg, sizeof(netcfg), "%s/netcfg", c.host_volume);
		r->t.image = image;
		r->t.netcfg = netcfg;
		r->t.vcpus = c.cpus;
		r->t.memory_mib = c.memory_mb;
		r->t.egress = c.egress;
		if (r->t.firmware == NULL)
			r->t.firmware =
			    c.firmware[0] != '\0' ? c.firmware : VM_FIRMWARE;
		/* a machine for simulated nodes need not have the pinned QEMU */
		if (c.sim && r->t.acpi == NULL && r->t.machine == NULL) {
			r->t.machine = "q35";
			log_line("image: that node has FLAVOUR=sim: as a trust "
				 "domain it would have these, with the ACPI "
				 "tables of this machine's QEMU");
		}
		return image_measure_tdx(&r->t);
	}
	if (st == DSTACK_OK)
		st = node_measure(&o, &m, &why);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	show(&m, r->t.json);
	return EXIT_YES;
}

/* Does the image's manifest say that it is for trust domains? */
static bool
of_flavour_tdx(const char *dir)
{
	char path[PATH_LEN];

	(void)snprintf(path, sizeof(path), "%s/manifest.json", dir);
	json_t *m = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	const char *f = json_string_value(json_object_get(m, "flavour"));
	bool tdx = f != NULL && strcmp(f, "tdx") == 0;
	json_decref(m);
	return tdx;
}

int
image_measure(const struct usage *u, int argc, char **argv)
{
	struct request r = {
		.t = { .vcpus = VM_VCPUS, .memory_mib = VM_MEMORY_MIB } };
	struct measure_tdx *t = &r.t;
	struct sim_measurements m;
	struct why why = { "" };

	options(u, argc, argv, &r);
	if (optind == argc)
		return of_node(&r);
	t->image = argv[optind];
	if (t->firmware == NULL)
		t->firmware = VM_FIRMWARE;
	if (r.tdx || (!r.sim && of_flavour_tdx(t->image)))
		return image_measure_tdx(t);
	struct sim_boot b = { .vcpus = t->vcpus, .memory_mib = t->memory_mib };
	enum dstack_status st = measure(t->image, t->netcfg, &b, &m, &why);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	show(&m, t->json);
	return EXIT_YES;
}
