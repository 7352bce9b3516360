/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A staged manifest becomes services that can be started.
 *
 * The front's container is made first, with the slot's tmpfs, and the others'
 * in it. Then the images are unpacked one after another, each by a process of
 * its own within the slot's bound; the archive's memory goes layer by layer,
 * one that a later image has as well when that is done. Then they get wires
 * and names, and groups of their own, which may only be there when no
 * unpacker is left in the slot's. guest-service listens for each under its
 * name before any of them runs.
 */
#include "guest/kubernethes/services.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "guest/init/egress.h"
#include "guest/kubernethes/unpacker.h"

_Static_assert(EGRESS_PLACES == CONTAINER_SLOTS * MANIFEST_SERVICES,
    "each container has rules");

/* Everything that services_gone looks at, before anything can go wrong. */
static struct services *
blank(const struct app *a)
{
	struct services *v = calloc(1, sizeof(*v));
	for (unsigned i = 0; v != NULL && i < MANIFEST_SERVICES; i++) {
		struct app *x = &v->app[i];
		container_init(&x->box, a->box.slot);
		/* until it is made: no link that would be the front's */
		x->box.part = i + 1;
		x->watch = x->host = -1;
		x->record = a->record;
		x->of = a->of; /* one log, whose key is the front's */
		x->journal = a->journal;
		x->backoff = APP_BACKOFF_FIRST_MS;
	}
	return v;
}

static enum dstack_status
unpack_all(struct app *a, struct kube_stage *s, const struct kube_memory *m,
    bool (*go_on)(void *ctx), void *ctx, struct why *why)
{
	const struct bundle *b = s->bundle;
	enum dstack_status st = DSTACK_OK;

	s->archive.bundle = b;
	for (unsigned i = 0; st == DSTACK_OK && i < b->m.nservices; i++) {
		struct app *x = i == b->m.front ? a : &a->more->app[i];
		s->archive.service = i;
		st = unpack_apart(&x->box, b->image[i], &s->archive, m->first,
		    go_on, ctx, why);
		if (st != DSTACK_OK)
			st = why_wrap(why, st, "service %s",
			    b->m.service[i].name);
	}
	s->archive.bundle = NULL;
	return st;
}

/* Manifest and configs are kept for restarts, and are the app's now. */
static void
take(struct app *a, struct bundle *b)
{
	struct services *v = a->more;

	v->m = b->m;
	memset(&b->m, 0, sizeof(b->m));
	for (unsigned i = 0; i < v->m.nservices; i++) {
		struct app *x = i == v->m.front ? a : &v->app[i];
		x->image = take_ptr(&b->image[i]);
		x->box.service = &v->m.service[i];
	}
}

enum dstack_status
services_lay_out(struct app *a, struct kube_stage *s,
    const struct kube_memory *m, bool (*go_on)(void *ctx), void *ctx,
    struct why *why)
{
	struct container *box[MANIFEST_SERVICES];
	struct bundle *b = s->bundle;
	const size_t n = b->m.nservices;
	unsigned part = 0;

	a->more = blank(a);
	if (a->more == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st =
	    container_make(&a->box, m->total / 4 * 3, why);
	if (st == DSTACK_OK)
		st = container_bound(&a->box, m->first, why);
	for (unsigned i = 0; i < n; i++) {
		struct app *x = i == b->m.front ? a : &a->more->app[i];
		box[i] = &x->box;
		if (st == DSTACK_OK && x != a)
			st = container_make_part(&x->box, &a->box, ++part,
			    oci_config(b->image[i])->egress ? a->way_out : -1,
			    why);
		if (st == DSTACK_OK && oci_config(b->image[i])->on_volume)
			st = container_store(&x->box, why);
	}
	if (st == DSTACK_OK)
		st = unpack_all(a, s, m, go_on, ctx, why);
	if (st != DSTACK_OK)
		return st;
	take(a, b);
	st = container_wire(box, n, why);
	return st == DSTACK_OK
	    ? container_bound_parts(box, n, m->first, why)
	    : st;
}

enum dstack_status
services_planes(const struct app *a, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	for (unsigned i = 0; st == DSTACK_OK && a->more != NULL &&
	     i < a->more->m.nservices; i++)
		if (i != a->more->m.front)
			st = start_plane(&a->more->app[i], why);
	return st;
}
