/* SPDX-License-Identifier: Apache-2.0 */
/* What the app's owner has sealed to it: into /run/secrets of the app. */
#ifndef GUEST_SECRETS_H
#define GUEST_SECRETS_H

#include <stdbool.h>

#include "guest/kubernethes/app.h"
#include "guest/kubernethes/kubernethes.h"

#define GS_SECRET 4
#define SECRETS_DIR "secrets" /* of a slot */

/*
 * Are all that the image, or any service of a manifest, names in the host's
 * folder, for that app, and none older than one that was seen? DSTACK_E_BUSY,
 * with a line for the owner: not yet. DSTACK_E_REJECTED, DSTACK_E_SYS: the
 * record of what was seen.
 */
DSTACK_CHECKED enum dstack_status secrets_there(const struct kube_stage *s,
    const struct state_app *r, struct why *why);
/*
 * Open them and put them into the containers, into each what its own service
 * names, as files that only its USER reads; what was seen is noted. After the
 * trees, before the first process.
 */
DSTACK_CHECKED enum dstack_status secrets_give(
    struct app *a, struct why *why);

#endif
