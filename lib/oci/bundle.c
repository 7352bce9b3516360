/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an archive to a manifest with its images, and back.
 *
 * Reading: the archive's names are indexed, the manifest is found by its
 * name there and taken for its hash, parsed, and then every image that it
 * names is opened as if it were alone (image.c): by the digest of its config,
 * with every layer hashed. What else lies in the archive is looked at by
 * nobody. At the end the manifest is put over each image.
 *
 * Writing goes the other way: the manifest, then each config and each layer
 * that was not there before, as they are stored in the archives that they
 * come from, then the list that image tools look for.
 */
#include "oci/bundle.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "oci/internal.h"

/* The manifest's text; MISSING where there is none, or another one. */
static enum dstack_status
find(const void *buf, size_t len, const uint8_t *want, uint8_t **text,
    size_t *n, uint8_t digest[static 32], struct why *why)
{
	struct blobs b = { .n = 0 };
	AUTO_FREE uint8_t *p = NULL;
	size_t at = 0;
	enum dstack_status st = blobs_index(buf, len, &b, why);
	if (st == DSTACK_OK && !blobs_find(&b, MANIFEST_FILE, &at))
		st = why_set(why, DSTACK_E_MISSING,
		    "archive: no " MANIFEST_FILE " is in it");
	if (st == DSTACK_OK)
		st = blobs_read(&b, at, MANIFEST_MAX, &p, n, why);
	blobs_free(&b);
	if (st != DSTACK_OK)
		return st;
	sha256(p, *n, digest);
	if (want != NULL && !ct_equal(digest, want, 32))
		return why_set(why, DSTACK_E_MISSING,
		    "archive: its " MANIFEST_FILE " is not the one wanted");
	*text = take_ptr(&p);
	return DSTACK_OK;
}

bool
bundle_there(const void *buf, size_t len, const uint8_t *want)
{
	AUTO_FREE uint8_t *text = NULL;
	uint8_t digest[32];
	size_t n = 0;
	return find(buf, len, want, &text, &n, digest, NULL) == DSTACK_OK;
}

/* Of its layers' tars, which oci_open has counted. */
static uint64_t
unpacked(const struct oci_image *img)
{
	uint64_t n = 0;
	for (size_t i = 0; i < img->nlayers; i++)
		n += img->layer[i].size;
	return n;
}

/* Who is waited for until it is healthy can say that it is. */
static enum dstack_status
checks(const struct bundle *b, struct why *why)
{
	for (unsigned i = 0; i < b->m.nservices; i++) {
		const struct manifest_service *s = &b->m.service[i];
		for (size_t k = 0; k < s->nneeds; k++) {
			const unsigned to = s->needs[k].service;
			if (s->needs[k].condition == MANIFEST_HEALTHY &&
			    oci_config(b->image[to])->health.ntest == 0)
				return why_set(why, DSTACK_E_REJECTED,
				    "service %s waits until %s is healthy, "
				    "which has no healthcheck", s->name,
				    b->m.service[to].name);
		}
	}
	return DSTACK_OK;
}

enum dstack_status
bundle_open(const void *buf, size_t len, const uint8_t *want,
    uint64_t max_unpacked, struct bundle *out, struct why *why)
{
	AUTO_FREE uint8_t *text = NULL;
	AUTO_BUNDLE struct bundle b = { .image = { NULL } };
	size_t n = 0;
	enum dstack_status st = find(buf, len, want, &text, &n, b.digest, why);
	if (st == DSTACK_OK)
		st = manifest_parse(text, n, &b.m, why);
	for (unsigned i = 0; st == DSTACK_OK && i < b.m.nservices; i++) {
		const struct manifest_service *s = &b.m.service[i];
		st = oci_open(
		    buf, len, s->image, max_unpacked, &b.image[i], why);
		if (st != DSTACK_OK)
			return why_wrap(why, st, "service %s", s->name);
		max_unpacked -= unpacked(b.image[i]);
		st = manifest_apply(&b.m, i, b.image[i], why);
	}
	if (st == DSTACK_OK)
		st = checks(&b, why);
	if (st != DSTACK_OK)
		return st;
	*out = b;
	memset(&b, 0, sizeof(b)); /* out has it now */
	return DSTACK_OK;
}

void
bundle_free(struct bundle *b)
{
	for (size_t i = 0; i < MANIFEST_SERVICES; i++)
		oci_free(b->image[i]);
	manifest_free(&b->m);
	memset(b, 0, sizeof(*b));
}

/* Stored bytes of the layer. */
static const struct blob *
stored(const struct oci_image *img, size_t layer)
{
	return &img->blobs.v[img->layer[layer].at];
}

bool
bundle_keeps(const struct bundle *b, unsigned i, size_t from)
{
	for (unsigned k = i + 1; k < b->m.nservices; k++) {
		const struct oci_image *img = b->image[k];
		for (size_t l = 0; img != NULL && l < img->nlayers; l++)
			if (stored(img, l)->off == from)
				return true;
	}
	return false;
}

/* Bytes of the archive that service i shares with later ones, and has alone
   or last; each once. */
static void
split(const struct bundle *b, unsigned i, uint64_t *kept, uint64_t *gone)
{
	const struct oci_image *img = b->image[i];
	*kept = *gone = 0;
	for (size_t l = 0; l < img->nlayers; l++) {
		size_t before = 0;
		while (img->layer[before].at != img->layer[l].at)
			before++;
		if (before < l)
			continue;
		if (bundle_keeps(b, i, stored(img, l)->off))
			*kept += stored(img, l)->size;
		else
			*gone += stored(img, l)->size;
	}
}

bool
bundle_on_volume(const struct bundle *b)
{
	bool any = false;
	for (unsigned i = 0; i < b->m.nservices; i++)
		any = any || oci_config(b->image[i])->on_volume;
	return any;
}

bool
bundle_egress(const struct bundle *b)
{
	bool any = false;
	for (unsigned i = 0; i < b->m.nservices; i++)
		any = any || oci_config(b->image[i])->egress;
	return any;
}

enum dstack_status
bundle_walk(const struct bundle *b, struct oci_tree *each,
    struct oci_tree *all, struct why *why)
{
	struct oci_tree sum = { .entries = 0 };
	uint64_t let_go = 0;
	for (unsigned i = 0; i < b->m.nservices; i++) {
		struct oci_tree t;
		uint64_t kept = 0;
		uint64_t gone = 0;
		enum dstack_status st = oci_walk(b->image[i], NULL, &t, why);
		if (st != DSTACK_OK)
			return why_wrap(
			    why, st, "service %s", b->m.service[i].name);
		if (each != NULL)
			each[i] = t;
		/* the walk takes every layer for its own, and all for there */
		split(b, i, &kept, &gone);
		const uint64_t most = sum.bytes + t.most + kept - let_go;
		let_go += gone;
		if (oci_config(b->image[i])->on_volume) {
			sum.on_volume += t.bytes;
		} else {
			sum.bytes += t.bytes;
			if (most > sum.most)
				sum.most = most;
		}
		sum.entries += t.entries;
		if (sum.entries > OCI_MAX_ENTRIES)
			return why_set(why, DSTACK_E_LIMIT,
			    "manifest: its images have over %d entries",
			    OCI_MAX_ENTRIES);
	}
	*all = sum;
	return DSTACK_OK;
}

/* --- making one --- */

/* The files of the archive; names and texts of our own are in own. */
struct making {
	struct oci_file *file;
	size_t n;
	char **own;
	size_t count;
	json_t *list;
};

/* The bytes of configs and layers are the images' own. */
static void
making_free(struct making *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->own[i]);
	free(k->own);
	free(k->file);
	json_decref(k->list);
}
#define AUTO_MAKING OWN_CLEANUP(making_free)

/* HEX and an ending, kept by k; NULL without memory. */
static const char *
name_of(struct making *k, const uint8_t digest[static 32], const char *end)
{
	char hex[65];
	char *t = NULL;
	hex_encode(digest, 32, hex);
	if (asprintf(&t, "%s%s", hex, end) < 0)
		return NULL;
	k->own[k->count++] = t;
	return t;
}

/* A file is in the archive once, however many images have it. */
static bool
there(const struct making *k, const char *path)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->file[i].path, path) == 0)
			return true;
	return false;
}

static void
put(struct making *k, const char *path, const void *p, size_t n)
{
	if (!there(k, path))
		k->file[k->n++] = (struct oci_file){ .path = path,
			.kind = OCI_FILE, .mode = 0644, .data = p, .size = n };
}

/* One service's image; its tag is "app:NAME". */
static enum dstack_status
add(struct making *k, const struct oci_image *img, const char *service)
{
	char tag[16 + MANIFEST_NAME];
	json_t *layers = json_array();
	const struct blob *c = &img->blobs.v[img->config_at];
	const char *config = name_of(k, img->digest, ".json");
	if (config == NULL) {
		json_decref(layers);
		return DSTACK_E_NOMEM;
	}
	put(k, config, img->blobs.buf + c->off, (size_t)c->size);
	for (size_t i = 0; i < img->nlayers; i++) {
		const struct blob *b = stored(img, i);
		const char *name =
		    name_of(k, img->layer[i].diff_id, "/layer.tar");
		if (name != NULL)
			put(k, name, img->blobs.buf + b->off, (size_t)b->size);
		if (name == NULL ||
		    json_array_append_new(layers, json_string(name)) != 0) {
			json_decref(layers);
			return DSTACK_E_NOMEM;
		}
	}
	(void)snprintf(tag, sizeof(tag), "app:%s", service);
	return json_array_append_new(k->list,
		   json_pack("{s:s, s:o, s:[s]}", "Config", config, "Layers",
		       layers, "RepoTags", tag)) == 0
	    ? DSTACK_OK
	    : DSTACK_E_NOMEM;
}

enum dstack_status
bundle_build(const char *text, struct oci_image *const *image,
    enum dstack_status (*out)(
	void *ctx, const void *p, size_t n, struct why *why),
    void *ctx, uint8_t digest[static 32], struct why *why)
{
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	AUTO_MAKING struct making k = { .list = json_array() };
	AUTO_FREE char *list = NULL;
	size_t most = 2; /* files, and names of them */
	enum dstack_status st = manifest_parse(text, strlen(text), &m, why);
	if (st != DSTACK_OK)
		return st;
	for (size_t i = 0; i < m.nservices; i++)
		most += 1 + image[i]->nlayers;
	k.file = calloc(most, sizeof(*k.file));
	k.own = calloc(most, sizeof(*k.own));
	if (k.list == NULL || k.file == NULL || k.own == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	put(&k, MANIFEST_FILE, text, strlen(text));
	for (size_t i = 0; st == DSTACK_OK && i < m.nservices; i++) {
		if (!ct_equal(m.service[i].image, image[i]->digest, 32))
			return why_set(why, DSTACK_E_REJECTED,
			    "manifest: service %s: this is not its image",
			    m.service[i].name);
		st = add(&k, image[i], m.service[i].name);
	}
	if (st == DSTACK_OK)
		list = json_dumps(k.list, JSON_COMPACT | JSON_SORT_KEYS);
	if (list == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	put(&k, "manifest.json", list, strlen(list));
	sha256(text, strlen(text), digest);
	return oci_tar(k.file, k.n, out, ctx, why);
}
