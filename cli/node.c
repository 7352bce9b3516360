/* SPDX-License-Identifier: Apache-2.0 */
/* dstack node run: one node, as host.env says, until Ctrl-C. */
#include "cli/cmd.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "crypto/secp.h"
#include "host/node/node.h"

static const char usage[] =
    "usage: dstack node run [--config FILE] [--no-vm] [--auditing DIR]\n"
    "       dstack node address [--config FILE]   of PRIVKEY: give it gas\n"
    "  --config FILE   what host.env.example explains (default host.env)\n"
    "  --no-vm         the guest's roles as processes, for development\n"
    "  --auditing DIR  bootstrap quotes (default auditing)";

int
cmd_node(int argc, char **argv)
{
	static const struct option lopt[] = { { "config", 1, NULL, 'c' },
		{ "no-vm", 0, NULL, 'n' }, { "auditing", 1, NULL, 'a' },
		{ NULL, 0, NULL, 0 } };
	const char *path = "host.env";
	AUTO_CONFIG struct host_config cfg = { .chain_id = 0 };
	struct node_options o = { .cfg = &cfg, .auditing = "auditing" };
	struct why why = { "" };
	int c;

	bool run = argc > 1 && strcmp(argv[1], "run") == 0;
	if (argc < 2 || (!run && strcmp(argv[1], "address") != 0))
		return cmd_usage(usage);
	argc--;
	argv++;
	while ((c = getopt_long(argc, argv, "", lopt, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			o.no_vm = true;
			break;
		case 'a':
			o.auditing = optarg;
			break;
		default:
			return cmd_usage(usage);
		}
	}
	if (optind != argc)
		return cmd_usage(usage);
	enum dstack_status st = config_load(path, &cfg, &why);
	if (st == DSTACK_OK && !run) {
		char text[43];
		eip55(cfg.submitter, text);
		printf("%s\n", text);
		return EXIT_YES;
	}
	if (st == DSTACK_OK && o.no_vm && !cfg.sim)
		return cmd_usage(
		    "dstack node: --no-vm needs FLAVOUR=sim in host.env");
	if (st == DSTACK_OK)
		st = node_run(&o, &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("node", st, &why);
}
