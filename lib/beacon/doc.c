/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document of a beacon node becomes a list of SSZ containers. Which form it
 * has is told from the bytes: JSON begins with a bracket and has no NUL among
 * its first bytes, which SSZ always has; a bare container is one whose length
 * and offsets are right; what is left must be the REST API's list, in which
 * each container stands behind its length (u64, little endian, digest
 * included) and the digest of its fork (Beacon API, getLightClientUpdates
 * ByRange). Each container is read once here, so that a document holds
 * nothing the store would not understand.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/own.h"
#include "base/rd.h"
#include "base/status.h"
#include "beacon/json.h"
#include "beacon/ssz.h"

struct beacon_doc {
	struct beacon_item *item;
	size_t count;
	bool owned; /* the items' bytes are ours */
};

void
beacon_doc_free(struct beacon_doc *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; d->owned && i < d->count; i++)
		free((void *)(uintptr_t)d->item[i].ssz);
	free(d->item);
	free(d);
}

static void
own_json(json_t **j)
{
	json_decref(*j);
}

static void
own_doc(struct beacon_doc **d)
{
	beacon_doc_free(*d);
}

size_t
beacon_doc_count(const struct beacon_doc *d)
{
	return d->count;
}

struct beacon_item
beacon_doc_item(const struct beacon_doc *d, size_t i)
{
	return d->item[i];
}

/* Who reads, and where the verdict goes. */
struct reader {
	const struct beacon_network *net;
	enum beacon_kind kind;
	enum beacon_code *code;
	struct why *why;
};

static enum dstack_status
refuse(const struct reader *r, enum beacon_code code)
{
	*r->code = code;
	return DSTACK_E_REJECTED;
}

/* Its fork, if it is a container of the kind that is read. */
static enum beacon_code
look(const struct reader *r, const uint8_t *p, size_t len,
    enum beacon_fork *fork)
{
	struct lc_bootstrap b;
	struct lc_update u;
	enum beacon_code code;
	if (r->kind == BEACON_KIND_BOOTSTRAP) {
		code = ssz_bootstrap(r->net, p, len, &b, r->why);
		if (code == BEACON_OK)
			*fork = b.fork;
		return code;
	}
	code = ssz_update(
	    r->net, r->kind == BEACON_KIND_FINALITY, p, len, &u, r->why);
	if (code == BEACON_OK)
		*fork = u.fork;
	return code;
}

/* One more container; its bytes are d's if d->owned. */
static enum dstack_status
add(struct beacon_doc *d, const uint8_t *ssz, size_t len)
{
	if (d->item == NULL)
		d->item = calloc(BEACON_MAX_ITEMS, sizeof(*d->item));
	if (d->item == NULL)
		return DSTACK_E_NOMEM;
	if (d->count == BEACON_MAX_ITEMS)
		return DSTACK_E_LIMIT;
	d->item[d->count++] =
	    (struct beacon_item){ .ssz = ssz, .len = len };
	return DSTACK_OK;
}

/*
 * The digest is a hint, which the slots and the signature make good, but one
 * of another fork is a server that mixes forks. From Fulu on it also covers
 * the number of blobs (EIP-7892), which changes without a fork: there only a
 * digest of an older fork is known to be wrong.
 */
static bool
digest_fits(const struct beacon_network *n, enum beacon_fork f,
    const uint8_t digest[static 4])
{
	uint8_t root[32];
	if (f < BEACON_FULU) {
		fork_data_root(n, f, root);
		return memcmp(root, digest, 4) == 0;
	}
	for (int g = 0; g < BEACON_FULU; g++) {
		fork_data_root(n, (enum beacon_fork)g, root);
		if (memcmp(root, digest, 4) == 0)
			return false;
	}
	return true;
}

/* One of the REST API's list. */
static enum dstack_status
frame(const struct reader *r, struct rd *in, struct beacon_doc *d)
{
	uint64_t n = 0;
	const uint8_t *digest, *p;
	enum beacon_fork fork;
	/* the length covers the digest; none is longer than SSZ_MAX */
	if (rd_u64le(in, &n) != DSTACK_OK || n < 4 || n > SSZ_MAX ||
	    rd_take(in, 4, &digest) != DSTACK_OK ||
	    rd_take(in, (size_t)n - 4, &p) != DSTACK_OK) {
		(void)why_set(r->why, DSTACK_E_FORMAT,
		    "neither JSON, nor SSZ of a known fork of %s, nor a list "
		    "of SSZ with lengths",
		    r->net->name);
		return refuse(r, BEACON_FORMAT);
	}
	enum beacon_code code = look(r, p, (size_t)n - 4, &fork);
	if (code == BEACON_OK && !digest_fits(r->net, fork, digest)) {
		(void)why_set(r->why, DSTACK_E_REJECTED,
		    "its fork digest is not that of %s on %s",
		    fork_name(fork), r->net->name);
		code = BEACON_FORK;
	}
	if (code != BEACON_OK) {
		(void)why_wrap(r->why, DSTACK_E_REJECTED, "container %zu",
		    d->count);
		return refuse(r, code);
	}
	return add(d, p, (size_t)n - 4);
}

/* A bare container, or else the list; at least one of which is there. */
static enum dstack_status
read_ssz(const struct reader *r, const uint8_t *p, size_t len,
    struct beacon_doc *d)
{
	enum beacon_fork fork;
	struct rd in = rd_over(p, len);
	enum beacon_code code = look(r, p, len, &fork);
	if (code == BEACON_OK)
		return add(d, p, len);
	/* of a container's length, and of a fork that cannot be */
	if (code == BEACON_FORK)
		return refuse(r, code);
	enum dstack_status st = DSTACK_OK;
	do
		st = frame(r, &in, d);
	while (st == DSTACK_OK && rd_left(&in) != 0);
	return st;
}

/* One {"version","data"}: to SSZ, and read again as that. */
static enum dstack_status
json_item(const struct reader *r, const json_t *j, struct beacon_doc *d)
{
	AUTO_FREE uint8_t *p = NULL;
	size_t len = 0;
	enum beacon_fork fork;
	enum dstack_status st =
	    json_to_ssz(r->net, r->kind, j, &p, &len, r->why);
	if (st == DSTACK_E_NOMEM)
		return st;
	enum beacon_code code = st == DSTACK_OK ? look(r, p, len, &fork)
	    : st == DSTACK_E_REJECTED		? BEACON_FORK
						: BEACON_FORMAT;
	if (code != BEACON_OK) {
		(void)why_wrap(r->why, DSTACK_E_REJECTED, "container %zu",
		    d->count);
		return refuse(r, code);
	}
	st = add(d, p, len);
	if (st == DSTACK_OK)
		(void)take_ptr(&p);
	return st;
}

/* An object, or the list that the updates' path of the API answers with. */
static enum dstack_status
read_json(const struct reader *r, const void *p, size_t len,
    struct beacon_doc *d)
{
	OWN_CLEANUP(own_json)
	json_t *j = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
	enum dstack_status st = DSTACK_OK;
	if (j == NULL) {
		(void)why_set(r->why, DSTACK_E_FORMAT,
		    "it begins like JSON and is none");
		return refuse(r, BEACON_FORMAT);
	}
	d->owned = true;
	if (!json_is_array(j))
		return json_item(r, j, d);
	for (size_t i = 0; st == DSTACK_OK && i < json_array_size(j); i++)
		st = json_item(r, json_array_get(j, i), d);
	if (st == DSTACK_OK && d->count == 0) {
		(void)why_set(r->why, DSTACK_E_FORMAT, "an empty list");
		return refuse(r, BEACON_FORMAT);
	}
	return st;
}

/* The first letter says so, unless what follows can only be SSZ. */
static bool
looks_like_json(const uint8_t *p, size_t len)
{
	size_t i = 0;
	while (i < len && strchr(" \t\r\n", p[i]) != NULL && p[i] != '\0')
		i++;
	if (i == len || (p[i] != '{' && p[i] != '['))
		return false;
	/* the high bytes of a slot or an offset are zero */
	return memchr(p, '\0', len < 16 ? len : 16) == NULL;
}

enum dstack_status
beacon_doc_open(const struct beacon_network *net, enum beacon_kind kind,
    const void *bytes, size_t len, struct beacon_doc **out,
    enum beacon_code *code, struct why *why)
{
	const struct reader r = { net, kind, code, why };
	*out = NULL;
	*code = BEACON_OK;
	if (len > BEACON_MAX_DOC) {
		(void)why_set(why, DSTACK_E_LIMIT, "over %u bytes",
		    BEACON_MAX_DOC);
		return refuse(&r, BEACON_FORMAT);
	}
	OWN_CLEANUP(own_doc)
	struct beacon_doc *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = looks_like_json(bytes, len)
	    ? read_json(&r, bytes, len, d)
	    : read_ssz(&r, bytes, len, d);
	if (st == DSTACK_E_LIMIT) {
		(void)why_set(why, DSTACK_E_LIMIT,
		    "over %u containers in one document", BEACON_MAX_ITEMS);
		return refuse(&r, BEACON_FORMAT);
	}
	if (st == DSTACK_OK)
		*out = take_ptr(&d);
	return st;
}
