/* SPDX-License-Identifier: Apache-2.0 */
/* What guest-service is told of the app, so that /status can say it. */
#ifndef GUEST_TOLD_H
#define GUEST_TOLD_H

#include "guest/base/life.h"
#include "guest/kubernethes/app.h"
#include "guest/kubernethes/kubernethes.h"

#define GS_STATUS 3

struct kube_told {
	bool egress; /* the host gives a way out; set once */
	struct life life;
	char state[128];  /* as it was told last, with all below */
	struct life last;
	uint64_t spare;
};

/* The reason why a version was refused; f: what is known of its tries. */
void kube_told_refused(struct kube_told *t, const struct kube_refused *f,
    const struct why *why);
/*
 * The app that serves, NULL: none, into t->life; and the services of the one
 * that is tried, where it has got so far.
 */
void kube_told_app(
    struct kube_told *t, const struct app *a, const struct app *tried);
/*
 * Tell, if there is something new; what is free and what is used moves all
 * the time, so of these only what is worth it. what: state in a few words, and
 * r's name and version where it is not NULL. That guest-service may not be up
 * is its matter.
 */
void kube_tell(struct kube_told *t, const char *what,
    const struct state_app *r, const struct kube_memory *m);

#endif
