/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack VERB: finds the verb and hands over. "help VERB" becomes
 * "VERB --help", so that there is one place that answers it: the verb.
 */
#include "cli/cmd.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/usage.h"

/* Verbs whose file is not part of this build stay NULL. */
#pragma weak cmd_app
#pragma weak cmd_beacon
#pragma weak cmd_contract
#pragma weak cmd_demo
#pragma weak cmd_image
#pragma weak cmd_node
#pragma weak cmd_pubsub
#pragma weak cmd_quote
#pragma weak cmd_secret
#pragma weak cmd_sim
#pragma weak cmd_status
#pragma weak cmd_vm
#pragma weak cmd_volume
#pragma weak cmd_cert
#pragma weak cmd_check

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	bool two; /* a second word says what of it */
	const char *help;
};

static const struct verb verbs[] = {
	{ "demo", cmd_demo, false, "a whole network on this machine" },
	{ "status", cmd_status, false, "nodes, epoch, app and certificate" },
	{ "node", cmd_node, true, "run one node: host service, onboarder, VM" },
	{ "pubsub", cmd_pubsub, false, "run the gossip relay" },
	{ "quote", cmd_quote, true, "show or verify an attestation quote" },
	{ "beacon", cmd_beacon, true, "which block is final, proven" },
	{ "image", cmd_image, true, "build, measure and audit the VM image" },
	{ "vm", cmd_vm, true, "start, stop and read the log of a VM" },
	{ "volume", cmd_volume, true, "the disk of a node" },
	{ "app", cmd_app, true, "build, inspect and publish an app" },
	{ "secret", cmd_secret, true, "give an app a value that only it reads" },
	{ "contract", cmd_contract, true, "deploy and steer the contract" },
	{ "cert", cmd_cert, true, "request and install the TLS certificate" },
	{ "check", cmd_check, false,
	    "check a served name against its contract" },
	{ "sim", cmd_sim, true, "the simulated TEE (development only)" },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct usage use = { "",
	"dstack VERB ...\n"
	"       dstack help [VERB [WORD]], dstack VERB --help, dstack --version",
	NULL, NULL };

static _Noreturn void
overview(void)
{
	char text[1024];
	size_t n = 0;

	/* what is not part of this build is not offered */
	for (size_t i = 0; i < VERBS && n < sizeof(text); i++)
		if (verbs[i].run != NULL)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s  %-10s %s", n > 0 ? "\n" : "", verbs[i].name,
			    verbs[i].help);
	usage_help(&use, text);
}

static const struct verb *
find(const char *name)
{
	const struct verb *v = verbs;

	while (v < verbs + VERBS && strcmp(v->name, name) != 0)
		v++;
	if (v == verbs + VERBS)
		usage_wrong(&use, "no %s '%.80s'",
		    name[0] == '-' ? "option" : "verb", name);
	if (v->run == NULL)
		usage_wrong(&use, "%s is not part of this build", v->name);
	return v;
}

/* dstack help [VERB [WORD]]; argv[0] is "help". */
static int
help(int argc, char **argv)
{
	static char ask[] = "--help";

	if (argc < 2 || strcmp(argv[1], "help") == 0 ||
	    strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		overview();
	const struct verb *v = find(argv[1]);
	/* "help", the verb, and its second word where it has one */
	int words = v->two ? 3 : 2;
	if (argc > words)
		usage_wrong(&use, "'%.80s' is one word too many for help",
		    argv[words]);
	/* where there is no second word, --help stands in its place */
	char *call[] = { argv[1], argc > 2 ? argv[2] : ask, ask, NULL };
	return v->run(argc, call);
}

int
main(int argc, char **argv)
{
	log_name("dstack");
	/* a reader that goes away is an error of write, which is told */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		usage_wrong(&use, "which verb? 'dstack help' lists them");
	const char *first = argv[1];
	if (strcmp(first, "help") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
		overview();
	if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
		usage_version();
	return find(first)->run(argc - 1, argv + 1);
}
