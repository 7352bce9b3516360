/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between the files of the VM launcher. */
#ifndef HOST_VM_PRIV_H
#define HOST_VM_PRIV_H

#include "host/vm/vm.h"

#define VM_QEMU "/usr/bin/qemu-system-x86_64"
#define VM_SUN_PATH 108u /* sizeof(sun_path) */
#define VM_ARGV_MAX 96

/* An argument vector that grows; each argument is its own allocation. */
struct vm_args {
	char *v[VM_ARGV_MAX + 1];
	size_t n;
	bool full;
};

/* One argument, made like printf. */
void vm_arg(struct vm_args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole of a small file, NUL-terminated. */
DSTACK_CHECKED enum dstack_status vm_read_small(const char *path, char *out,
    size_t cap, size_t *len, struct why *why);
DSTACK_CHECKED enum dstack_status vm_need_file(
    const char *path, const char *what, struct why *why);

/* Set vm->console, vm->qmp, vm->stop and vm->events. DSTACK_E_LIMIT: run_dir is too long. */
DSTACK_CHECKED enum dstack_status vm_paths(
    const char *run_dir, struct vm *vm, struct why *why);

/*
 * Parts of the argument vector that the running VM and the one that is only
 * asked for its ACPI tables have in common: name, options, CPUs and memory;
 * devices at fixed PCI addresses (front ends: netdev "net", chardev "con" and,
 * where there is such a device, drive "disk" and netdev "out" must be there).
 */
void vm_shape(struct vm_args *a, const struct vm_config *c);
void vm_pci_devices(struct vm_args *a, bool disk, bool egress);
/* -machine, -cpu and firmware of a VM that runs. */
DSTACK_CHECKED enum dstack_status vm_machine(
    struct vm_args *a, const struct vm_config *c, struct why *why);
/* -machine and -cpu of a machine that has a TD's ACPI tables. */
void vm_acpi_machine(struct vm_args *a, const struct vm_config *c);
const char *vm_tdx_machine(const struct vm_config *c);

/*
 * vm_probe_kvm without its memory, with any program for QEMU and any file for
 * /dev/kvm. tdx: a file of KVM's that says Y when it can run trust domains.
 */
bool vm_probe_with(const char *qemu, const char *device, const char *kernel,
    struct why *reason);
DSTACK_CHECKED enum dstack_status vm_probe_tdx(
    const char *tdx, struct why *why);
#define VM_TDX_FLAG "/sys/module/kvm_intel/parameters/tdx"

#endif
