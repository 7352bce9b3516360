/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_image in a process that is bound as the app is. */
#ifndef GUEST_UNPACKER_H
#define GUEST_UNPACKER_H

#include "guest/kubernethes/container.h"
#include "guest/kubernethes/kubernethes.h"
#include "oci/oci.h"

/*
 * Unpack into the root of a container that was made and bound
 * (container_make, container_bound). archive, in which img lies, is let go of on
 * the way and must be dropped, also after a refusal. free: as of
 * container_bound; the bound follows what is free while this runs, so it has to
 * be set again after. go_on is called meanwhile.
 * DSTACK_E_LIMIT: the tree does not fit; DSTACK_E_BUSY: go_on says no;
 * else as unpack_image.
 */
DSTACK_CHECKED enum dstack_status unpack_apart(const struct container *c,
    const struct oci_image *img, struct kube_archive *archive, uint64_t free,
    bool (*go_on)(void *ctx), void *ctx, struct why *why);

#endif
