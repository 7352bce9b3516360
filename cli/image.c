/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image: build and relock run the scripts of image/ in the source
 * tree; measure and diff read images. Measurements are computed from the
 * files, never taken from a guest.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/network.h"
#include "host/node.h"
#include "host/vm.h"
#include "protocol/statements.h"
#include "sim/measure.h"

#define CMDLINE_MAX 4096
#define NETCFG_MAX 4096
#define PATH_LEN 512

static const char usage[] =
    "usage: dstack image build [OUT]           the image, in build/image\n"
    "       dstack image relock                today's packages\n"
    "       dstack image measure DIR --netcfg FILE [--memory MIB]\n"
    "                            [--vcpus N] [--json]\n"
    "       dstack image measure [--config host.env] [--no-vm] [--json]\n"
    "                    what that node's guest will be; with neither, of\n"
    "                    the network in " DEMO_DIR " when it runs\n"
    "       dstack image diff DIR DIR          what differs, file by file";

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

/* --- measure ------------------------------------------------------------ */

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

static int
run_measure(int argc, char **argv)
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
		return cmd_usage(usage);
	enum dstack_status st = of_node
	    ? measure_node(config, no_vm, &m, &why)
	    : measure(argv[optind], netcfg, &b, &m, &why);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	show(&m, json);
	return EXIT_YES;
}

/* --- diff ---------------------------------------------------------------- */

static json_t *
manifest(const char *dir, struct why *why)
{
	char path[PATH_LEN];
	json_error_t e;

	(void)snprintf(path, sizeof(path), "%s/manifest.json", dir);
	json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		(void)why_set(why, DSTACK_E_MISSING, "%s: %s", path, e.text);
	return j;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static const json_t *
find(const json_t *list, const char *key, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o) {
		if (strcmp(text(o, key), name) == 0)
			return o;
	}
	return NULL;
}

/* Prints what a list of entries gained, lost and changed; how many. */
static unsigned
compare(const json_t *a, const json_t *b, const char *key)
{
	unsigned n = 0;
	size_t i;
	json_t *o;

	json_array_foreach(a, i, o) {
		const json_t *p = find(b, key, text(o, key));
		if (p == NULL)
			printf("- %s\n", text(o, key));
		else if (strcmp(text(o, "sha256"), text(p, "sha256")) != 0)
			printf("~ %s  %lld -> %lld bytes\n", text(o, key),
			    (long long)json_integer_value(
				json_object_get(o, "size")),
			    (long long)json_integer_value(
				json_object_get(p, "size")));
		else if (strcmp(text(o, "mode"), text(p, "mode")) != 0)
			printf("~ %s  mode %s -> %s\n", text(o, key),
			    text(o, "mode"), text(p, "mode"));
		else
			continue;
		n++;
	}
	json_array_foreach(b, i, o) {
		if (find(a, key, text(o, key)) == NULL) {
			printf("+ %s\n", text(o, key));
			n++;
		}
	}
	return n;
}

static int
run_diff(const char *a, const char *b)
{
	struct why why = { "" };
	json_t *ja = manifest(a, &why);
	json_t *jb = ja == NULL ? NULL : manifest(b, &why);
	unsigned n = 0;

	if (jb == NULL) {
		json_decref(ja);
		return cmd_fail("image", DSTACK_E_MISSING, &why);
	}
	if (strcmp(text(ja, "kernel"), text(jb, "kernel")) != 0)
		printf("~ kernel  %s -> %s\n", text(ja, "kernel"),
		    text(jb, "kernel"));
	n += compare(json_object_get(ja, "parts"), json_object_get(jb, "parts"),
	    "name");
	n += compare(json_object_get(ja, "files"), json_object_get(jb, "files"),
	    "path");
	json_decref(ja);
	json_decref(jb);
	if (n == 0)
		printf("the same\n");
	return n == 0 ? EXIT_YES : EXIT_NO;
}

static int
run_script(const char *script, char **argv)
{
	struct why why = { "" };
	char path[] = "image/relock";

	(void)snprintf(path, sizeof(path), "image/%s", script);
	argv[0] = path;
	(void)execv(path, argv);
	return cmd_fail("image",
	    why_set(&why, DSTACK_E_MISSING,
		"%s: %s; run it at the top of the source tree", path,
		strerror(errno)),
	    &why);
}

int
cmd_image(int argc, char **argv)
{
	const char *sub = argc > 1 ? argv[1] : "";

	if (strcmp(sub, "build") == 0 && argc <= 3)
		return run_script("build", argv + 1);
	if (strcmp(sub, "relock") == 0 && argc == 2)
		return run_script("relock", argv + 1);
	if (strcmp(sub, "measure") == 0)
		return run_measure(argc - 1, argv + 1);
	if (strcmp(sub, "diff") == 0 && argc == 4)
		return run_diff(argv[2], argv[3]);
	return cmd_usage(usage);
}
