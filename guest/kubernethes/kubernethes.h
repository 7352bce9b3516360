/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the kubernethes role: the archive, the shared folder, the loop. */
#ifndef GUEST_KUBE_H
#define GUEST_KUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "oci/oci.h"
#include "protocol/state.h"

/* Milliseconds of a clock that only goes forward. */
int64_t kube_now(void);

/* --- app.c: the role's end --- */

/*
 * Has init asked for it (SIGTERM)? Then every wait ends soon, and the
 * descriptor is readable for good. begin: from now on it is heard.
 */
DSTACK_CHECKED enum dstack_status kube_ending_begin(struct why *why);
bool kube_ending(void);
int kube_ending_fd(void);

/* --- kube_fetch.c --- */

/* An archive in memory that no one can change any more. */
struct kube_archive {
	void *p; /* mapped; NULL: none */
	size_t len;
	char name[32]; /* of the file that it was read from */
};
void kube_archive_drop(struct kube_archive *a);

/*
 * The archive of the image with that digest from the host's folder:
 * app-<first 16 hex digits>.tar, else app-example.tar. It is read once, into
 * a sealed memfd of at most max bytes, before kube_now() is until (a host that
 * is slow on purpose must not keep the role from the chain); idle is called
 * between its pieces.
 * DSTACK_E_MISSING: neither is there; DSTACK_E_LIMIT: larger than max;
 * DSTACK_E_REJECTED: it changed while it was read.
 */
DSTACK_CHECKED enum dstack_status kube_fetch(int edge,
    const uint8_t digest[static 32], size_t max, int64_t until,
    void (*idle)(void *ctx), void *ctx, struct kube_archive *out,
    struct why *why);

/* --- kube_volume.c --- */

bool kube_volume_there(void);

/*
 * The folders of the volume; *highest is raised to the version it has seen.
 * DSTACK_E_BUSY: not open yet. DSTACK_E_REJECTED: its record is unreadable.
 */
DSTACK_CHECKED enum dstack_status kube_volume_use(
    uint64_t *highest, struct why *why);
DSTACK_CHECKED enum dstack_status kube_volume_version(
    uint64_t v, struct why *why);

/* --- kube_view.c: the age of what is known of the chain --- */

struct kube_view {
	bool known;
	uint64_t number; /* the highest block seen */
	int64_t at;      /* when it was first seen, kube_boot_seconds */
	uint64_t told;   /* chain time that the TLS front has; 0: none */
};

int64_t kube_boot_seconds(void);
/* A read was proven at block number. */
void kube_view_block(struct kube_view *v, uint64_t number, int64_t now);
/* No new block for four of netcfg's heartbeats: nothing may be served. */
bool kube_view_old(const struct kube_view *v, uint64_t heartbeat, int64_t now);
/* Tell the TLS front the proven time, if it has moved on. */
void kube_view_time(struct kube_view *v, uint64_t seconds);

/* --- kube_peers.c --- */

/* RTMR3 says which app runs before the app does; once a version. */
DSTACK_CHECKED enum dstack_status kube_extend(
    uint64_t *extended, const struct state_app *r, struct why *why);
/* Turn the TLS front to a slot; -1: to nobody. */
DSTACK_CHECKED enum dstack_status kube_backend(
    int slot, uint16_t port, struct why *why);

/* --- kube_shared.c: /mnt/host_volume --- */

/*
 * Copy the host's files into the folder dir, which is SPEC_ID_BASE's. Files
 * that are too large or not readable are passed over, and those that are not
 * there when kube_now() is until: a host that is slow on purpose must not keep
 * the role from the chain.
 */
void kube_shared_fill(int edge, int dir, int64_t until);
/* Watch for files that the app has closed; -1: no such watch. */
int kube_shared_watch(const char *path);
/*
 * Give the host a bounded part of what the watch reports, so that an app that
 * writes without end does not keep the role from the chain; what is not given
 * when kube_now() is until is passed over. False: none left.
 */
bool kube_shared_events(int watch, int dir, int edge, int64_t until);
/* May the app write the host's file of that name? */
bool kube_shared_name(const char *name);

#endif
