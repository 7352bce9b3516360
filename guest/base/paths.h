/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in the guest. With --no-vm the same paths are used inside
 * a mount namespace whose /run is a tmpfs of the guest's own.
 */
#ifndef GUEST_PATHS_H
#define GUEST_PATHS_H

#define PATH_DISK "/dev/vda"                /* the host's file, as virtio-blk */
#define PATH_RUN "/run/dstack"
#define PATH_VOLUME "/run/dstack/volume"    /* the opened volume */

#endif
