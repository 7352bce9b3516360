/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init does before it starts the roles, one file a step. All of it runs
 * as pid 1 with full rights; the only foreign bytes it reads are the kernel
 * command line (measured) and one link answer (netcfg, checked against the
 * measured MRCONFIGID before use).
 */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "protocol/netcfg.h"

/* proc, sys, dev, cgroup2, tmpfs for what is written; the root read-only. */
DSTACK_CHECKED enum dstack_status boot_mounts(struct why *why);
/* Kernel settings that close doors; those a kernel lacks are passed over. */
void boot_sysctls(void);
void boot_net_sysctls(void); /* those of this network namespace */

/*
 * DSTACK_E_REJECTED: a word of the command line starts with "dstack." and
 * is not known, or names another init (THREATS T27).
 */
DSTACK_CHECKED enum dstack_status boot_cmdline_check(
    const char *cmdline, struct why *why);
DSTACK_CHECKED enum dstack_status boot_cmdline(struct why *why);
/*
 * DSTACK_E_REJECTED: the CPU lacks RDRAND, or RDSEED where that is needed
 * (THREATS T29). Emulators of the sim flavour may have RDRAND alone.
 */
DSTACK_CHECKED enum dstack_status boot_cpu(bool rdseed, struct why *why);

/*
 * Which clock CLOCK_BOOTTIME counts by, as the kernel names it in the file.
 * DSTACK_E_REJECTED: not the TSC, and the TEE is no simulated one: the host
 * could slow it, and an old view of the chain would look young (THREATS T20).
 */
#define BOOT_CLOCK \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"
DSTACK_CHECKED enum dstack_status boot_clock(
    const char *file, bool simulated, struct why *why);

/*
 * DSTACK_E_REJECTED: netcfg has the RPC's word for which block is real, and
 * the TEE is no simulated one (THREATS T07). DSTACK_E_FORMAT, DSTACK_E_LIMIT:
 * it is no netcfg.
 */
DSTACK_CHECKED enum dstack_status boot_view(
    const char *netcfg, size_t len, bool simulated, struct why *why);

/*
 * The virtio-serial port of that name, opened for reading and writing;
 * waits up to wait_ms for the device. The caller closes it.
 */
DSTACK_CHECKED enum dstack_status boot_port(
    const char *name, int wait_ms, int *fd, struct why *why);

/* Static address of the QEMU user network; no DHCP client (THREATS T28). */
DSTACK_CHECKED enum dstack_status boot_network(struct why *why);
#define BOOT_NIC "eth0"
/*
 * The way out that the host gives, a namespace of its own (guest/init/egress.h)
 * which the caller closes. -1 where it gives none, or a device that does not
 * work: a line says so, and the boot goes on.
 */
int boot_egress(void);
/*
 * Listening TCP socket on "a.b.c.d:port"; the caller closes it. With nic,
 * only what comes in by that link is heard: not a container (THREATS T05).
 */
DSTACK_CHECKED enum dstack_status boot_listen(
    const char *address, const char *nic, int *fd, struct why *why);

/*
 * One framed exchange on the link: the netcfg text, at most NETCFG_MAX.
 * Foreign until its hash was compared. *memfd: sealed, at offset 0.
 */
DSTACK_CHECKED enum dstack_status boot_netcfg(int link, char *text,
    size_t cap, size_t *len, struct why *why);
DSTACK_CHECKED enum dstack_status boot_seal(
    const void *p, size_t n, int *memfd, struct why *why);

/* Write text to a file of /proc or /sys; false: not there or refused. */
bool boot_write(const char *path, const char *text);

#endif
