/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables that QEMU gives to the firmware through fw_cfg. The
 * firmware measures the three files as they are ("etc/table-loader",
 * "etc/acpi/rsdp", "etc/acpi/tables"), before it links them. They hold code
 * (AML) and depend on QEMU's version and every device, so they are dumped
 * from a QEMU that is told to make the same machine, never from a guest.
 *
 * Sources: ACPI 6.5 sections 5.2.6 (header) and 5.2.12 (MADT); QEMU
 * docs/specs/fw_cfg and hw/acpi/bios-linker-loader.c.
 */
#ifndef MEASURE_ACPI_H
#define MEASURE_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ACPI_MAX_FILE (2u * 1024 * 1024)

struct acpi_files {
	const uint8_t *tables, *rsdp, *loader; /* borrowed */
	size_t tableslen, rsdplen, loaderlen;
};

/*
 * Are these the files of a machine of so many vCPUs? Walks the tables and
 * counts the MADT's enabled processors; looks at signatures of the other two.
 * DSTACK_E_REJECTED: another number.
 */
DSTACK_CHECKED enum dstack_status acpi_check(
    const struct acpi_files *f, uint32_t vcpus, struct why *why);

#endif
