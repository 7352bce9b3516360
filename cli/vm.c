/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack vm: start, stop, log and probe. Nodes use host/vm/vm.h directly.
 * One list of options serves all five words; uses[] says which takes which.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/own.h"
#include "cli/usage.h"
#include "host/vm/vm.h"
#include "host/vm/acpi.h"

#define STOP_MS 3000 /* for QEMU itself */

enum { START, STOP, LOGS, ACPI, PROBE };

static const struct usage uses[] = {
	[START] = { "vm start",
	    "dstack vm start --image DIR --run DIR --link SOCKET --tee SOCKET\n"
	    "           --control PORT --https PORT [--disk FILE] [--memory MIB]\n"
	    "           [--vcpus N] [--accel auto|kvm|tcg|tdx] [--netcfg FILE]\n"
	    "           [--firmware FILE] [--quote-service CID:PORT|PATH]\n"
	    "           [--machine TYPE] [--egress] [--print]",
	    "image run link tee control https disk memory vcpus accel netcfg "
	    "firmware quote-service machine egress print", NULL },
	[STOP] = { "vm stop", "dstack vm stop --run DIR [--now]", "run now",
	    NULL },
	[LOGS] = { "vm logs", "dstack vm logs --run DIR", "run", NULL },
	[ACPI] = { "vm acpi",
	    "dstack vm acpi --out DIR [--memory MIB] [--vcpus N]\n"
	    "           [--firmware FILE] [--machine TYPE] [--phys-bits N]\n"
	    "           [--no-disk] [--egress]",
	    "out memory vcpus firmware machine phys-bits no-disk egress", NULL },
	[PROBE] = { "vm probe", "dstack vm probe [KERNEL]", "", NULL },
	{ NULL, NULL, NULL, NULL },
};

enum opt {
	O_IMAGE = 256, O_RUN, O_LINK, O_TEE, O_CONTROL, O_HTTPS, O_DISK,
	O_MEMORY, O_VCPUS, O_ACCEL, O_NETCFG, O_FIRMWARE, O_QUOTE, O_PRINT,
	O_MACHINE, O_OUT, O_NO_DISK, O_BITS, O_NOW,
	O_EGRESS,
};

/* What is no part of a vm_config. */
struct more {
	bool print, now;
	const char *out;
};

static void
options(const struct usage *u, int argc, char **argv, struct vm_config *c,
    struct more *m)
{
	static const struct option lopt[] = {
		{ "image", 1, NULL, O_IMAGE }, { "run", 1, NULL, O_RUN },
		{ "link", 1, NULL, O_LINK }, { "tee", 1, NULL, O_TEE },
		{ "control", 1, NULL, O_CONTROL },
		{ "https", 1, NULL, O_HTTPS }, { "disk", 1, NULL, O_DISK },
		{ "memory", 1, NULL, O_MEMORY }, { "vcpus", 1, NULL, O_VCPUS },
		{ "accel", 1, NULL, O_ACCEL }, { "netcfg", 1, NULL, O_NETCFG },
		{ "firmware", 1, NULL, O_FIRMWARE },
		{ "quote-service", 1, NULL, O_QUOTE },
		{ "machine", 1, NULL, O_MACHINE }, { "out", 1, NULL, O_OUT },
		{ "no-disk", 0, NULL, O_NO_DISK },
		{ "phys-bits", 1, NULL, O_BITS },
		{ "egress", 0, NULL, O_EGRESS },
		{ "print", 0, NULL, O_PRINT }, { "now", 0, NULL, O_NOW },
		{ NULL, 0, NULL, 0 },
	};
	const char *accel[VM_ACCEL_TDX + 2] = { NULL };
	int o;

	/* the names are host/vm's; the place in the list is the value */
	for (int i = VM_ACCEL_AUTO; i <= VM_ACCEL_TDX; i++)
		accel[i] = vm_accel_name((enum vm_accel)i);
	while ((o = usage_next(u, argc, argv, lopt)) != -1) {
		switch (o) {
		case O_IMAGE: c->image_dir = optarg; break;
		case O_RUN: c->run_dir = optarg; break;
		case O_LINK: c->link_socket = optarg; break;
		case O_TEE: c->tee_socket = optarg; break;
		case O_DISK: c->disk = optarg; break;
		case O_NETCFG: c->netcfg = optarg; break;
		case O_FIRMWARE: c->firmware = optarg; break;
		case O_QUOTE: c->quote_socket = optarg; break;
		case O_PRINT: m->print = true; break;
		case O_NOW: m->now = true; break;
		case O_MACHINE: c->machine = optarg; break;
		case O_OUT: m->out = optarg; break;
		case O_EGRESS: c->egress = true; break;
		case O_NO_DISK: c->disk = NULL; break;
		case O_ACCEL:
			c->accel = (enum vm_accel)usage_choice(
			    u, "--accel", optarg, accel);
			break;
		case O_BITS:
			c->phys_bits = (unsigned)usage_number(
			    u, "--phys-bits", optarg, 1, 57);
			break;
		case O_CONTROL:
			c->control_port = (uint16_t)usage_number(
			    u, "--control", optarg, 1, 65535);
			break;
		case O_HTTPS:
			c->https_port = (uint16_t)usage_number(
			    u, "--https", optarg, 1, 65535);
			break;
		case O_MEMORY:
			c->memory_mib = (unsigned)usage_number(
			    u, "--memory", optarg, 1, 1 << 20);
			break;
		default:
			c->vcpus = (unsigned)usage_number(
			    u, "--vcpus", optarg, 1, 64);
			break;
		}
	}
}

static int
start(const struct vm_config *c, bool print)
{
	struct why why = { "" };
	struct vm vm;
	char **argv = NULL;
	enum dstack_status st;

	if (print) {
		/*
		 * nothing is started, so nothing is tried out: TCG is what runs
		 * anywhere
		 */
		struct vm_config as = *c;
		if (as.accel == VM_ACCEL_AUTO)
			as.accel = VM_ACCEL_TCG;
		st = vm_argv(&as, &argv, &why);
		if (st != DSTACK_OK)
			return cmd_fail("vm", st, &why);
		for (char **p = argv; *p != NULL; p++)
			printf("%s\n", *p);
		vm_argv_free(argv);
		return EXIT_YES;
	}
	/* it goes on when this program has ended */
	st = vm_start(c, true, &vm, &why);
	if (st != DSTACK_OK)
		return cmd_fail("vm", st, &why);
	printf("started: pid %d, %s, console %s\n", (int)vm.pid,
	    vm_accel_name(vm.accel), vm.console);
	return EXIT_YES;
}

static int
logs(const char *run_dir)
{
	char path[512], buf[8192];
	ssize_t n;

	/*
	 * what the guest wrote: foreign text, shown as it is to whoever asked
	 * for it
	 */
	(void)snprintf(path, sizeof(path), "%s/console.log", run_dir);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		struct why why;
		return cmd_fail("vm", why_set(&why, DSTACK_E_MISSING,
		    "%s: no console log there", path), &why);
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)fwrite(buf, 1, (size_t)n, stdout);
	return EXIT_YES;
}

static enum dstack_status
save(const char *dir, const char *name, const struct wr *w, struct why *why)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	AUTO_CLOSE int fd = open(path,
	    /* no link that somebody has put there is followed */
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, w->buf, w->len) != (ssize_t)w->len)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return DSTACK_OK;
}

/* The three files that "dstack image measure --acpi" reads. */
static int
acpi(const struct vm_config *shape, const char *out)
{
	struct vm_config c = *shape;
	AUTO_VM_ACPI struct vm_acpi a = { .tables = { NULL } };
	struct why why = { "" };
	enum dstack_status st = vm_acpi_read(NULL, &c, &a, &why);
	if (st == DSTACK_OK && mkdir(out, 0755) != 0 && errno != EEXIST)
		st = why_set(
		    &why, DSTACK_E_SYS, "%s: %s", out, strerror(errno));
	if (st == DSTACK_OK)
		st = save(out, "tables", &a.tables, &why);
	if (st == DSTACK_OK)
		st = save(out, "rsdp", &a.rsdp, &why);
	if (st == DSTACK_OK)
		st = save(out, "loader", &a.loader, &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("vm", st, &why);
}

/* In order, unless that takes too long or is not wanted. */
static int
stop(const char *run_dir, bool now)
{
	struct why why = { "" };
	struct vm vm;
	enum dstack_status st = vm_find(run_dir, &vm, &why);

	if (st != DSTACK_OK)
		return cmd_fail("vm", st, &why);
	if (!now && vm_ask_stop(&vm)) {
		struct pollfd p = { .fd = vm.pidfd, .events = POLLIN };
		if (poll(&p, 1, VM_STOP_MS) != 1)
			log_line("the guest does not stop in %d s: it is cut "
				 "off", VM_STOP_MS / 1000);
	}
	vm_stop(&vm, STOP_MS);
	return EXIT_YES;
}

int
cmd_vm(int argc, char **argv)
{
	const struct usage *u = usage_sub(uses, NULL, argc, argv);
	/* The ACPI tables have the disk's device, whichever file it is. */
	struct vm_config c = { .disk = u == &uses[ACPI] ? "disk" : NULL };
	struct why why = { "" };
	struct more m = { .out = NULL };
	bool kvm = false;

	argc--;
	argv++;
	options(u, argc, argv, &c, &m);
	usage_words(u, argc, argv, 0, u == &uses[PROBE], "");
	/* asks this machine, so it needs no run directory */
	if (u == &uses[PROBE]) {
		vm_probe_kvm(optind < argc ? argv[optind] : NULL, &kvm, &why);
		printf("%s\n", kvm ? "kvm" : "tcg");
		if (!kvm)
			printf("no KVM: %s\n", why.text);
		return EXIT_YES;
	}
	if (u == &uses[ACPI]) {
		if (m.out == NULL)
			usage_wrong(u, "where to? --out DIR is missing");
		return acpi(&c, m.out);
	}
	if (c.run_dir == NULL)
		usage_wrong(u, "which VM? --run DIR is missing");
	if (u == &uses[LOGS])
		return logs(c.run_dir);
	if (u == &uses[STOP])
		return stop(c.run_dir, m.now);
	if (c.image_dir == NULL || c.link_socket == NULL)
		usage_wrong(u, "%s is missing",
		    c.image_dir == NULL ? "--image DIR" : "--link SOCKET");
	/* a trust domain has a TEE of its own; the others are given one */
	if (c.tee_socket == NULL && c.accel != VM_ACCEL_TDX)
		usage_wrong(u, "--tee SOCKET is missing");
	if (c.control_port == 0 || c.https_port == 0)
		usage_wrong(u, "%s PORT is missing",
		    c.control_port == 0 ? "--control" : "--https");
	return start(&c, m.print);
}
