/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app of several services (oci/manifest.h) in one slot: the front is the
 * struct app that the role turns clients to, the others hang on it and are
 * tended with it. Each function does nothing where the app is one image.
 */
#ifndef GUEST_SERVICES_H
#define GUEST_SERVICES_H

#include "guest/kubernethes/start.h"

struct services {
	struct manifest m;
	/* By service, as in m; that of the front is not in use. */
	struct app app[MANIFEST_SERVICES];
	const struct kube_memory *memory;
};

/* The pollfds that services_poll fills. */
#define SERVICES_POLL (4 * MANIFEST_SERVICES)

/* Service i of a, or a itself where it is one image (and i is 0). */
struct app *services_at(struct app *a, unsigned i);
/*
 * Trees, folders and wires of a staged manifest in a's slot, as start_lay_out
 * does it for one image; a->more is there from now on. s keeps its archive,
 * which is no use any more.
 */
DSTACK_CHECKED enum dstack_status services_lay_out(struct app *a,
    struct kube_stage *s, const struct kube_memory *m,
    bool (*go_on)(void *ctx), void *ctx, struct why *why);
/* start_plane for each but the front. */
DSTACK_CHECKED enum dstack_status services_planes(
    const struct app *a, struct why *why);
/*
 * All of them, the front too, each when what it needs is there; of one image
 * it is start_run. DSTACK_E_REJECTED: a need that is not met, by an end of its
 * service or in its time; DSTACK_E_BUSY: go_on says no.
 */
DSTACK_CHECKED enum dstack_status services_run(struct app *a,
    const struct kube_memory *m, bool (*go_on)(void *ctx), void *ctx,
    struct why *why);
/* What they write and how they are, as far as it is there; never waits. */
void services_idle(struct app *a);
/* Those that have ended start again, when it is time and if they may. */
void services_tend(struct app *a);
/* What becomes of each, for its author; how many there are. 0: one image. */
unsigned services_told(
    const struct app *a, struct life_service out[static LIFE_SERVICES]);
/*
 * What a wait till until must wake up for; the time by which it must end. p
 * is filled to its end.
 */
int64_t services_poll(const struct app *a,
    struct pollfd p[static SERVICES_POLL], int64_t until);
/*
 * All are stopped, the front too, each before what it needs; with their own
 * grace, of which until (0: none) gives at least a part. Trees and planes stay.
 */
void services_stop(struct app *a, int64_t until, void (*idle)(void *ctx),
    void *ctx);
/* After services_stop: services_tend starts them again. */
void services_resume(struct app *a);
/* All but the front go, with what they had in the guest. */
void services_gone(struct app *a);
/* Has it, or one of its services, what must not be two versions' at once? */
bool services_keep(const struct app *a);

#endif
