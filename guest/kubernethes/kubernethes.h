/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the kubernethes role: the archive, the shared folder, the loop. */
#ifndef GUEST_KUBE_H
#define GUEST_KUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "oci/bundle.h"
#include "protocol/state.h"

/* --- clock.c --- */

/* Milliseconds of a clock that only goes forward. */
int64_t kube_now(void);

/* --- memory.c --- */

/* Bytes. */
struct kube_memory {
	uint64_t total; /* of this VM */
	uint64_t first; /* free before the first app; 0: not looked at yet */
	uint64_t spare; /* what a new version may have beside what runs */
};

/* What is free now; 0: the kernel does not say. */
uint64_t kube_memory_free(void);
DSTACK_CHECKED enum dstack_status kube_memory_begin(
    struct kube_memory *m, struct why *why);
/* spare, of what is free. */
void kube_memory_look(struct kube_memory *m, uint64_t free);
/*
 * DSTACK_E_LIMIT, in one line, where bytes are more than is to spare. name: of
 * the archive; verb: what it does with them ("has").
 */
DSTACK_CHECKED enum dstack_status kube_memory_takes(
    const struct kube_memory *m, const char *name, const char *verb,
    uint64_t bytes, struct why *why);
/* The same for an archive of len bytes in memory that becomes this tree. */
DSTACK_CHECKED enum dstack_status kube_memory_image(
    const struct kube_memory *m, const char *name, size_t len,
    const struct oci_tree *tree, struct why *why);

/* --- app.c: the role's end --- */

/*
 * Has init asked for it (SIGTERM)? Then every wait ends soon, and the
 * descriptor is readable for good. begin: from now on it is heard.
 */
DSTACK_CHECKED enum dstack_status kube_ending_begin(struct why *why);
bool kube_ending(void);
int kube_ending_fd(void);

/* --- fetch.c --- */

/*
 * An archive in memory, or on the volume. No one else has its descriptor, which is there to let
 * go of it: the unpacker has a copy of that and no other process.
 */
struct kube_archive {
	/* what lies in it, while one of its images is unpacked; or NULL */
	const struct bundle *bundle;
	unsigned service; /* whose image that is */
	void *p; /* mapped, to be read; NULL: none, and no descriptor */
	size_t len;
	int fd;
	size_t from, gone; /* of the layer that is let go of, up to gone */
	bool on_volume; /* a file there without a name: store.c */
	char name[32]; /* of the file that it was read from */
};
void kube_archive_drop(struct kube_archive *a);
/*
 * Those bytes are not read again (ctx is it): their pages are free. As done of
 * struct oci_sink, which names a layer from its start each time.
 */
void kube_archive_let_go(void *ctx, size_t from, size_t to);

/*
 * The archive of the image with that digest from the host's folder:
 * app-<first 16 hex digits>.tar, else app-example.tar. It is read once, into
 * memory if m has enough to spare, else onto the volume, before kube_now() is until (a host
 * that is slow on purpose must not keep the role from the chain). go_on is called
 * between its pieces; what it says no to ends with DSTACK_E_BUSY.
 * DSTACK_E_MISSING: neither is there; DSTACK_E_LIMIT: no memory for it, told
 * before more than one piece is taken; DSTACK_E_REJECTED: it changed while it
 * was read.
 */
DSTACK_CHECKED enum dstack_status kube_fetch(int edge,
    const uint8_t digest[static 32], const struct kube_memory *m, int64_t until,
    bool (*go_on)(void *ctx), void *ctx, struct kube_archive *out,
    struct why *why);

/* --- stage.c --- */

/* What was fetched and found right, with room for its trees. */
struct kube_stage {
	struct oci_image *image; /* NULL: none, or: */
	struct bundle *bundle;   /* a manifest with its images; NULL: none */
	struct kube_archive archive;
	uint8_t digest[32];
};
void kube_unstage(struct kube_stage *s);
/* How what is staged is to be run: the image, or the front of several. */
const struct oci_config *kube_staged(const struct kube_stage *s);
/*
 * Have the image with that digest, unless it is there already. m: looked at
 * anew. Refused is what kube_fetch, oci_open, oci_walk and kube_memory_image,
 * or store_room for a tree on the volume, refuse; then nothing of it is kept.
 */
DSTACK_CHECKED enum dstack_status kube_stage(struct kube_stage *s,
    struct kube_memory *m, const uint8_t digest[static 32],
    bool (*go_on)(void *ctx), void *ctx, struct why *why);

/* --- refused.c --- */

struct kube_refused {
	struct state_app record;
	uint32_t tries;
	int64_t first;     /* when it failed first, kube_now(); 0: not yet */
	int64_t at, after; /* when to try again; the interval before it */
	bool rests;
	uint64_t folder;   /* of kube_shared_look as it began to rest */
	int64_t look_at;
};
/* The same app, version and image? */
bool kube_same(const struct state_app *a, const struct state_app *b);
/*
 * It failed. missing: as its archive is not there. once: it has had its only
 * try, since each takes what serves away for as long.
 */
void kube_refused(struct kube_refused *f, const struct state_app *r,
    bool missing, bool once);
/* May that record be tried now? One that has not failed may. */
bool kube_again(struct kube_refused *f, const struct state_app *r);

/* --- volume.c --- */

bool kube_volume_there(void);

/*
 * The folders of the volume; *highest is raised to the version it has seen.
 * DSTACK_E_BUSY: not open yet. DSTACK_E_REJECTED: its record is unreadable.
 */
DSTACK_CHECKED enum dstack_status kube_volume_use(
    uint64_t *highest, struct why *why);
DSTACK_CHECKED enum dstack_status kube_volume_version(
    uint64_t v, struct why *why);

/* --- view.c: the age of what is known of the chain --- */

struct kube_view {
	bool known;
	uint64_t number; /* the highest block seen */
	int64_t at;      /* when it was first seen, kube_boot_seconds */
	uint64_t told;   /* chain time that the TLS front has; 0: none */
	int64_t told_at; /* when it heard it, kube_boot_seconds */
	uint64_t clock;  /* chain time that init was told last; 0: none */
};

int64_t kube_boot_seconds(void);
/* A read was proven at block number. */
void kube_view_block(struct kube_view *v, uint64_t number, int64_t now);
/* No new block for four times netcfg's max-age: nothing may be served. */
bool kube_view_old(const struct kube_view *v, uint64_t max_age, int64_t now);
/*
 * The block itself is that old: a host that shows new ones, each late, makes
 * no view young. Without a tie (age UINT64_MAX) only kube_view_old tells.
 */
bool kube_view_late(uint64_t age, uint64_t max_age);
/* Tell init the proven time, if this VM's clock is behind it. */
void kube_view_clock(struct kube_view *v, uint64_t seconds);
/*
 * Tell the TLS front the proven time, if it has moved on; and that this role
 * still reads the chain, each minute.
 */
void kube_view_time(struct kube_view *v, uint64_t seconds, int64_t now);

/* --- peers.c --- */

/* RTMR3 says which app runs before the app does; once a version. */
DSTACK_CHECKED enum dstack_status kube_extend(
    uint64_t *extended, const struct state_app *r, struct why *why);
/*
 * Turn the TLS front to a slot; -1: to nobody. flags: TLS_BACKEND_*
 * (guest/tls/tls.h).
 */
DSTACK_CHECKED enum dstack_status kube_backend(
    int slot, uint16_t port, uint8_t flags, struct why *why);

/* --- shared.c: /mnt/host_volume --- */

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
/*
 * A number for what the host has in its folder, names and sizes; another one
 * where that has changed. 0: the host does not say.
 */
uint64_t kube_shared_look(int edge);
/* May the app write the host's file of that name? */
bool kube_shared_name(const char *name);

#endif
