/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between the files of dstack image; see cli/cmd.h for exit codes. */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

extern const char image_usage[];

/* argv[0] is the verb's own name ("measure"); returns the exit status. */
int image_measure(int argc, char **argv);
int image_diff(int argc, char **argv);

#endif
