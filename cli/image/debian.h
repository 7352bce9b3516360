/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's indexes: the text of an InRelease file (after its signature was
 * checked) and the Packages file it names. Stanzas of "Name: value" lines,
 * deb-control(5); what is not needed is passed over.
 */
#ifndef HOST_DEBIAN_H
#define HOST_DEBIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct debian_text { /* borrowed from the index, no NUL */
	const char *p;
	size_t n;
};

bool debian_is(struct debian_text t, const char *s);

/* One stanza; a field that is not there has n 0. */
struct debian_package {
	struct debian_text name, version, source, filename, sha256, homepage;
	uint64_t size;
};

/* The text of one Packages index. */
struct debian_index {
	const char *p;
	size_t left;
};

/*
 * The next stanza. DSTACK_E_MISSING at the end; DSTACK_E_FORMAT: a line that
 * is neither a field nor goes on with one, or one field twice.
 */
DSTACK_CHECKED enum dstack_status debian_next(
    struct debian_index *in, struct debian_package *out);

/* The value of a field of the text's first stanza, on one line. */
DSTACK_CHECKED enum dstack_status debian_field(const char *text, size_t n,
    const char *name, char *out, size_t cap);

/*
 * SHA-256 and size that a Release file has for the file at path.
 * DSTACK_E_MISSING: it names no such file. DSTACK_E_FORMAT: names it twice.
 */
DSTACK_CHECKED enum dstack_status debian_release_sum(const char *text,
    size_t n, const char *path, char sha256[static 65], uint64_t *size);

#endif
