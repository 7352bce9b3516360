/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables that QEMU makes for a TD's firmware, read from a QEMU of
 * this machine that makes the same machine and runs nothing: it starts
 * stopped (-S), without TDX or KVM, and is asked through its qtest port
 * (QEMU docs/specs/fw_cfg: DMA interface, file directory). They are those of
 * PCI devices that no firmware has given addresses yet.
 */
#ifndef HOST_VM_ACPI_H
#define HOST_VM_ACPI_H

#include "base/wr.h"
#include "host/vm.h"

struct vm_acpi {
	struct wr tables, rsdp, loader;
};

void vm_acpi_free(struct vm_acpi *a);
#define AUTO_VM_ACPI OWN_CLEANUP(vm_acpi_free)

/*
 * Only vcpus, memory_mib, machine and whether there is a disk count in c.
 * qemu: the program, NULL for the system's. DSTACK_E_SYS: QEMU did not start
 * (an unknown machine type?) or said something unexpected.
 */
DSTACK_CHECKED enum dstack_status vm_acpi_read(const char *qemu,
    const struct vm_config *c, struct vm_acpi *out, struct why *why);

#endif
