/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables that a TD's firmware gets from QEMU. They depend on where
 * the firmware puts the PCI devices, so the firmware runs: in the same machine
 * but emulated, without TDX or KVM, with a kernel that says that it was
 * reached and halts. Then QEMU is asked for the files through its qtest port
 * (docs/specs/fw_cfg: DMA interface, file directory); QEMU makes them once, at
 * the firmware's first read.
 */
#ifndef HOST_VM_ACPI_H
#define HOST_VM_ACPI_H

#include "base/wr.h"
#include "host/vm/vm.h"

struct vm_acpi {
	struct wr tables, rsdp, loader;
};

void vm_acpi_free(struct vm_acpi *a);
#define AUTO_VM_ACPI OWN_CLEANUP(vm_acpi_free)

/*
 * Of c count vcpus, memory_mib, machine, firmware, phys_bits and whether
 * there is a disk.
 * qemu: the program, NULL for the system's. DSTACK_E_SYS: QEMU did not start
 * (an unknown machine type?) or said something unexpected.
 */
DSTACK_CHECKED enum dstack_status vm_acpi_read(const char *qemu,
    const struct vm_config *c, struct vm_acpi *out, struct why *why);

#endif
