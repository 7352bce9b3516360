/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between the files of dstack image; see cli/cmd.h for exit codes. */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct usage;

/* argv[0] is the verb's own name ("measure"); returns the exit status. */
int image_measure(const struct usage *u, int argc, char **argv);

/* What image measure was asked for a trust domain; all text is borrowed. */
struct measure_tdx {
	const char *image;    /* directory */
	const char *netcfg, *firmware;
	const char *acpi;     /* directory; NULL: ask this machine's QEMU */
	const char *machine;  /* QEMU's type; NULL: the pinned one */
	const char *ccel;     /* a guest's log to compare; NULL: none */
	const char *quote;    /* its quote to compare; NULL: none */
	uint32_t vcpus, memory_mib;
	uint32_t phys_bits;   /* of the host; 0: the usual */
	bool patched_header;  /* QEMU before 10.2 */
	bool egress;          /* a second network device */
	bool events, json;
};
int image_measure_tdx(const struct measure_tdx *m);
/* The registers and their tuple, a line or a JSON member each. */
void image_measure_rows(const uint8_t mrtd[48], const uint8_t rtmr[4][48],
    const uint8_t mrconfigid[48], const uint8_t tuple[32], bool json);

int image_diff(const struct usage *u, int argc, char **argv);
int image_audit(const struct usage *u, int argc, char **argv);
int image_export(const struct usage *u, int argc, char **argv);
int image_import(const struct usage *u, int argc, char **argv);

/*
 * Take the files of an exported archive into the store and say how many.
 * DSTACK_E_REJECTED: a hash or a name is wrong; what came before it is kept.
 */
DSTACK_CHECKED enum dstack_status image_import_file(
    const char *file, struct why *why);

#endif
