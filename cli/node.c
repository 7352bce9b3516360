/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack node run: one node, as host.env says, until Ctrl-C. The command line
 * is judged first, then host.env; only then is anything started.
 */
#include "cli/cmd.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/usage.h"
#include "crypto/secp.h"
#include "host/node/node.h"

static const struct usage uses[] = {
	{ "node run",
	    "dstack node run [--config FILE] [--no-vm] [--auditing DIR]\n"
	    "  --config FILE   what host.env.example explains (default host.env)\n"
	    "  --no-vm         the guest's roles as processes, for development\n"
	    "  --auditing DIR  bootstrap quotes (default auditing)",
	    NULL, NULL },
	{ "node address",
	    "dstack node address [--config FILE]   of PRIVKEY: give it gas",
	    "config", NULL },
	{ NULL, NULL, NULL, NULL },
};

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

	const struct usage *u = usage_sub(uses, NULL, argc, argv);
	bool run = u == uses;
	argc--;
	argv++;
	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			o.no_vm = true;
			break;
		default:
			o.auditing = optarg;
			break;
		}
	}
	usage_words(u, argc, argv, 0, 0, "");
	enum dstack_status st = config_load(path, &cfg, &why);
	if (st == DSTACK_OK && !run) {
		char text[43];
		/* of the key in host.env; nobody is asked */
		eip55(cfg.submitter, text);
		printf("%s\n", text);
		return EXIT_YES;
	}
	/*
	 * A guest as a process shows everything to its host: only where nothing
	 * is secret.
	 */
	if (st == DSTACK_OK && o.no_vm && !cfg.sim)
		usage_wrong(u, "--no-vm needs FLAVOUR=sim in %.200s", path);
	if (st == DSTACK_OK)
		st = node_run(&o, &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("node", st, &why);
}
