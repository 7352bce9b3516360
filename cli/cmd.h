/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs of the dstack command (DESIGN section 6). One file a verb; a file
 * that is there is linked, one that is not leaves its verb saying so.
 *
 * A verb gets argv with its own name first and returns the exit status of
 * the program: 0 yes, 1 no, 2 usage (cli/usage.h), 3 could not decide.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <jansson.h>

#include "base/secret.h"
#include "base/status.h"

#define DSTACK_VERSION "0.2.0-dev"

enum exit_code {
	EXIT_YES = 0,
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_UNDECIDED = 3,
};

int cmd_app(int argc, char **argv);
int cmd_beacon(int argc, char **argv);
int cmd_contract(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_node(int argc, char **argv);
int cmd_pubsub(int argc, char **argv);
int cmd_quote(int argc, char **argv);
int cmd_secret(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_vm(int argc, char **argv);
int cmd_volume(int argc, char **argv);
int cmd_cert(int argc, char **argv);
int cmd_check(int argc, char **argv);

/* The exit code that a status calls for: REJECTED 1, anything else not OK 3. */
int cmd_exit(enum dstack_status st);
/* "dstack VERB: reason" on standard error; returns cmd_exit(st). */
int cmd_fail(const char *verb, enum dstack_status st, const struct why *why);
/*
 * What the guest behind a node's control plane (its URL) says of itself on
 * GET /status; JSON null where it does not. The caller's to free.
 */
json_t *cmd_guest_status(const char *control);
/* A key file: 64 hex digits, "0x" before them or not, one line. */
DSTACK_CHECKED enum dstack_status cmd_read_key(
    const char *path, struct secret32 *key, struct why *why);

#endif
