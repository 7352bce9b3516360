/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM launcher: one QEMU process from a measured image, an argument
 * vector and never a shell. Everything it passes to the guest is untrusted
 * input there, or measured (kernel, initramfs, command line, netcfg).
 *
 * The far ends of the guest's two serial ports must listen (Unix stream
 * sockets) before vm_start: QEMU connects and does not try again.
 */
#ifndef HOST_VM_H
#define HOST_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

enum vm_accel {
	VM_ACCEL_AUTO = 0, /* KVM when vm_probe_kvm says yes, else TCG */
	VM_ACCEL_KVM,
	VM_ACCEL_TCG,
	VM_ACCEL_TDX, /* a trust domain; not run on hardware so far */
};

/* All strings are borrowed for the time of the call; NULL or 0: default. */
struct vm_config {
	const char *image_dir; /* holds vmlinuz, initramfs.cpio.zst, cmdline */
	const char *run_dir;   /* console.log and qmp.sock go here; 0700 */
	const char *link_socket; /* dstack.link: the host router listens here */
	const char *tee_socket;  /* dstack.tee: the simulator; NULL under TDX */
	const char *disk;        /* encrypted_container.img; NULL: no disk */
	const char *netcfg;      /* file; MRCONFIGID under TDX, else unused */
	const char *firmware;    /* TDVF; TDX only */
	const char *quote_socket; /* quote service, "CID:PORT" or path; TDX */
	const char *machine;      /* versioned q35; TDX; VM_TDX_MACHINE */
	uint16_t control_port;   /* on 127.0.0.1, to the guest's port 80 */
	const char *https_host;  /* IPv4 to listen on; default 127.0.0.1 */
	uint16_t https_port;     /* there, to the guest's port 443 */
	bool egress;             /* a way out for apps: a second network */
	unsigned memory_mib;     /* default 256 */
	unsigned vcpus;          /* default 1 */
	unsigned phys_bits;      /* of a TDX host's CPU, for vm_acpi.h alone */
	enum vm_accel accel;
};

/*
 * A TD's ACPI tables are measured and change with QEMU's machine types, so
 * one is pinned: the first whose QEMU knows tdx-guest.
 */
#define VM_FIRMWARE "/usr/share/ovmf/OVMF.fd" /* Debian 13: ovmf */
#define VM_TDX_MACHINE "pc-q35-10.1"
#define VM_PHYS_BITS 46u /* Xeons with TDX so far */
#define VM_MEMORY_MIB 256u
#define VM_VCPUS 1u

struct vm {
	pid_t pid;  /* 0: none */
	int pidfd;  /* readable once QEMU is gone; -1: none */
	enum vm_accel accel; /* the one that was chosen */
	char console[192];   /* path of the console log */
	char qmp[108];       /* path of the QMP socket */
	char stop[108];      /* of the guest's port dstack.stop */
	char events[108];    /* of the QMP monitor that host/vm/watch.h reads */
};

/*
 * May a guest run under KVM here? Runs five instructions, then, where kernel
 * names one, boots that kernel to its panic, both with a deadline, since a
 * /dev/kvm may open and then hang every guest. *usable tells; reason says
 * why not (one line). Asked once a process, then remembered.
 */
void vm_probe_kvm(const char *kernel, bool *usable, struct why *reason);

/*
 * QEMU's arguments for config, NULL-terminated; free with vm_argv_free.
 * accel must not be VM_ACCEL_AUTO. DSTACK_E_MISSING: a file is absent;
 * DSTACK_E_REJECTED: a path QEMU's option syntax cannot carry.
 */
DSTACK_CHECKED enum dstack_status vm_argv(const struct vm_config *c,
    char ***argv, struct why *why);
void vm_argv_free(char **argv);

/*
 * Start the VM and return at once. The console log is truncated. QEMU dies
 * with this process (parent-death signal) unless detach.
 * DSTACK_E_SYS: QEMU is missing or could not start.
 */
DSTACK_CHECKED enum dstack_status vm_start(const struct vm_config *c,
    bool detach, struct vm *vm, struct why *why);

/* Has QEMU ended? If so, *status is waitpid's (when it is our child). */
bool vm_ended(struct vm *vm, int *status);

/* Connect to vm->events: a descriptor, or -1. One reader at a time. */
int vm_events(const struct vm *vm);

/*
 * Ask the guest to stop in order; it powers off when it has (vm_ended). It
 * may be any program: be ready to wait no longer (VM_STOP_MS) and vm_stop it.
 * False: QEMU does not take it.
 */
bool vm_ask_stop(const struct vm *vm);
/* Longer than a guest takes that does all it may (guest/init/stop.h). */
#define VM_STOP_MS 60000

/*
 * Cut the power: QEMU is told to quit and killed after wait_ms; reaps. Safe on
 * a zero struct.
 */
void vm_stop(struct vm *vm, int wait_ms);

/*
 * The VM that a detached start left in run_dir (its vm.pid file).
 * DSTACK_E_MISSING: none runs there.
 */
DSTACK_CHECKED enum dstack_status vm_find(const char *run_dir,
    struct vm *vm, struct why *why);

/* "kvm", "tcg", "tdx", "auto" */
const char *vm_accel_name(enum vm_accel a);

#endif
