/* SPDX-License-Identifier: Apache-2.0 */
/* dstack VERB: finds the verb and hands over. */
#include "cli/cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* Verbs whose file is not part of this build stay NULL. */
#pragma weak cmd_app
#pragma weak cmd_contract
#pragma weak cmd_demo
#pragma weak cmd_image
#pragma weak cmd_node
#pragma weak cmd_pubsub
#pragma weak cmd_quote
#pragma weak cmd_sim
#pragma weak cmd_status
#pragma weak cmd_vm
#pragma weak cmd_cert
#pragma weak cmd_check

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct verb *
find(const char *name)
{
	static const struct verb verbs[] = {
		{ "demo", cmd_demo, "a whole network on this machine" },
		{ "status", cmd_status, "nodes, epoch, app and certificate" },
		{ "node", cmd_node, "run one node: host service, onboarder, VM" },
		{ "pubsub", cmd_pubsub, "run the gossip relay" },
		{ "quote", cmd_quote, "show or verify an attestation quote" },
		{ "image", cmd_image, "build, measure and audit the VM image" },
		{ "vm", cmd_vm, "start, stop and read the log of a VM" },
		{ "app", cmd_app, "build, inspect and publish an app" },
		{ "contract", cmd_contract, "deploy and steer the contract" },
		{ "cert", cmd_cert, "request and install the TLS certificate" },
		{ "check", cmd_check, "check a served name against its contract" },
		{ "sim", cmd_sim, "the simulated TEE (development only)" },
	};

	if (name == NULL) {
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (verbs[i].run != NULL)
				printf("  %-10s %s\n", verbs[i].name,
				    verbs[i].help);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	log_name("dstack");
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return cmd_usage("usage: dstack VERB ...  (dstack help)");
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
		printf("usage: dstack VERB ...\n");
		(void)find(NULL);
		return EXIT_YES;
	}
	const struct verb *v = find(argv[1]);
	if (v == NULL) {
		log_line("no verb '%s'; 'dstack help' lists them", argv[1]);
		return EXIT_USAGE;
	}
	if (v->run == NULL) {
		log_line("%s is not part of this build", v->name);
		return EXIT_USAGE;
	}
	return v->run(argc - 1, argv + 1);
}
