/* SPDX-License-Identifier: Apache-2.0 */
/* Debian packages, deb(5): an ar archive with two tar archives in it. */
#ifndef CLI_IMAGE_DEB_H
#define CLI_IMAGE_DEB_H

#include "cli/image/lock.h"

struct archive;
struct archive_entry;

/*
 * Calls each for every entry of the member ("control.tar" or "data.tar",
 * however compressed) until it returns other than DSTACK_OK, which is the
 * result. DSTACK_E_FORMAT: no package.
 */
DSTACK_CHECKED enum dstack_status deb_each(const struct mapped *deb,
    const char *member,
    enum dstack_status (*each)(
	void *arg, struct archive *a, struct archive_entry *e),
    void *arg, struct why *why);

/*
 * One file of a member, by its path without leading "./", as a string that
 * the caller frees. DSTACK_E_MISSING: not in it; when it is a symbolic link
 * *out is the link's target then.
 */
DSTACK_CHECKED enum dstack_status deb_text(const struct mapped *deb,
    const char *member, const char *path, char **out, size_t *len,
    struct why *why);

/* Everything a is at, at most max bytes; the caller frees *out. */
DSTACK_CHECKED enum dstack_status archive_slurp(struct archive *a, size_t max,
    char **out, size_t *len, struct why *why);

/* p unpacked, whatever it is compressed with; the caller frees *out. */
DSTACK_CHECKED enum dstack_status unpack_bytes(const void *p, size_t n,
    size_t max, char **out, size_t *len, struct why *why);

#endif
