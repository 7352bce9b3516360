/* SPDX-License-Identifier: Apache-2.0 */
/* init: pid 1 of the image, or "init --no-vm" on a host (for tests). */
#ifndef GUEST_INIT_H
#define GUEST_INIT_H

/*
 * In a VM never returns: the machine is powered off when a role fails.
 * With --no-vm --link SOCK --tee SOCK --control A:P --https A:P --volume DIR
 * the roles run as processes in namespaces of their own; returns 1 when one
 * failed, 2 for wrong usage, 0 after SIGTERM.
 */
int init_main(int argc, char **argv);

#endif
