/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a VM that runs on as a process but not as a machine: QEMU
 * stops the guest when the host has no room for what it writes to its disk
 * (werror=enospc), and says so on a monitor of its own (QMP,
 * docs/interop/qmp-spec). Seen, told, and ended when there is room again.
 */
#ifndef HOST_VM_WATCH_H
#define HOST_VM_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_WATCH_LINE 8192u

struct vm_watch {
	int fd;            /* to the monitor, non-blocking; -1: none */
	bool stopped;      /* the guest's processors stand still */
	bool io_error;     /* because of the disk: cont may help */
	bool skipping;     /* the rest of a line that was too long */
	uint64_t resumed;  /* when they went on; 0: long ago */
	uint64_t retry;    /* when to try cont without a sign of room */
	char reason[128];  /* QEMU's word for what the disk has */
	char text[256];    /* one line for people; "": all is well */
	char line[VM_WATCH_LINE];
	size_t len;
};

/* fd: a stream socket to a QMP monitor that nobody else uses; now owned. */
void vm_watch_begin(struct vm_watch *w, int fd);
void vm_watch_end(struct vm_watch *w);

/*
 * Take what the monitor has said; have the VM go on when there is room where
 * disk is, or now and then. now: milliseconds of a clock that does not go
 * back. True: w->text has changed.
 */
bool vm_watch_step(struct vm_watch *w, const char *disk, uint64_t now);

#endif
