/* SPDX-License-Identifier: Apache-2.0 */
/* The steps by which a staged image becomes an app that answers. */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/kubernethes/app.h"
#include "guest/kubernethes/kubernethes.h"

#define READY_MS 180000 /* for a new app to answer, on a slow machine */

/*
 * Tree and folders of a staged image in a's slot. The stage is empty after it,
 * also after a refusal. go_on: as of kube_fetch.
 */
DSTACK_CHECKED enum dstack_status start_lay_out(struct app *a,
    struct kube_stage *s, const struct kube_memory *m,
    bool (*go_on)(void *ctx), void *ctx, struct why *why);
/* guest-service listens for it before it runs, so that it can ask at once. */
DSTACK_CHECKED enum dstack_status start_plane(
    const struct app *a, struct why *why);
/* Its first process; again, where that has ended. */
DSTACK_CHECKED enum dstack_status start_run(struct app *a,
    const struct kube_memory *m, struct why *why);
/*
 * Until the app is healthy, where it can say so, and answers on its port.
 * DSTACK_E_REJECTED: it ended, or does not answer within READY_MS or what its
 * HEALTHCHECK needs, or listens where nobody gets to, which is told as
 * soon as it is seen; DSTACK_E_BUSY: go_on says no.
 */
DSTACK_CHECKED enum dstack_status start_wait(struct app *a,
    bool (*go_on)(void *ctx), void *ctx, struct why *why);

/*
 * What the TLS front is to do for an app that answers: TLS_BACKEND_*
 * (guest/tls/tls.h). Where the image does not say whether it speaks HTTP/2, it
 * is asked.
 */
uint8_t start_front(struct app *a);

#endif
