/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between the files of dstack image; see cli/cmd.h for exit codes. */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include "base/status.h"

extern const char image_usage[];

/* argv[0] is the verb's own name ("measure"); returns the exit status. */
int image_measure(int argc, char **argv);
int image_diff(int argc, char **argv);
int image_export(int argc, char **argv);
int image_import(int argc, char **argv);

/*
 * Take the files of an exported archive into the store and say how many.
 * DSTACK_E_REJECTED: a hash or a name is wrong; what came before it is kept.
 */
DSTACK_CHECKED enum dstack_status image_import_file(
    const char *file, struct why *why);

#endif
