/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an archive to the one image wanted. Manifests only say where bytes
 * are: the config is taken for its hash, the layers for theirs.
 *
 * In: the archive's names (archive.c). First manifest.json or, without one,
 * index.json is followed to all images that it names. Of these the one is
 * taken whose config hashes to what is wanted; where nothing is, the only one
 * for this kind of machine (what buildx adds to an image says "unknown" there,
 * a list for many platforms says theirs). Then its layers are found and each
 * is read whole for its hash. What can go wrong at every step is the file's:
 * it lacks something, says a thing twice, or has other bytes than the config
 * names. After that the tree may be walked (walk.c).
 */
#include "oci/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define MAX_CANDIDATES 64
#define MAX_DOCUMENTS 256 /* indexes and manifests of one archive */

/* An image that a manifest names. */
struct candidate {
	size_t config;
	json_t *layers; /* owned; names (docker) or descriptors (OCI) */
	bool oci;
};

struct search {
	const struct blobs *b;
	const uint8_t *want;
	struct candidate v[MAX_CANDIDATES];
	size_t n;
	size_t documents;
	struct why *why;
};

static void
search_free(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		json_decref(s->v[i].layers);
}
#define AUTO_SEARCH OWN_CLEANUP(search_free)

static enum dstack_status
candidate_add(struct search *s, size_t config, json_t *layers, bool oci)
{
	if (!json_is_array(layers))
		return why_set(s->why, DSTACK_E_FORMAT,
		    "manifest: no list of layers");
	if (s->n == MAX_CANDIDATES)
		return why_set(s->why, DSTACK_E_LIMIT,
		    "archive: over %d images", MAX_CANDIDATES);
	s->v[s->n++] = (struct candidate){ .config = config,
		.layers = json_incref(layers),
		.oci = oci };
	return DSTACK_OK;
}

static enum dstack_status
read_json(const struct blobs *b, size_t at, json_t **out, struct why *why)
{
	AUTO_FREE uint8_t *p = NULL;
	size_t n = 0;
	enum dstack_status st = blobs_read(b, at, OCI_MAX_JSON, &p, &n, why);
	if (st != DSTACK_OK)
		return st;
	return oci_json(p, n, b->v[at].name, out, why);
}

/* manifest.json of `docker save`: [{"Config": NAME, "Layers": [NAME...]}] */
static enum dstack_status
from_docker(struct search *s, size_t at)
{
	AUTO_JSON json_t *root = NULL;
	enum dstack_status st = read_json(s->b, at, &root, s->why);
	if (st != DSTACK_OK)
		return st;
	if (!json_is_array(root))
		return why_set(s->why, DSTACK_E_FORMAT,
		    "manifest.json: no list");
	for (size_t i = 0; i < json_array_size(root); i++) {
		json_t *m = json_array_get(root, i);
		const char *name =
		    json_string_value(json_object_get(m, "Config"));
		size_t config = 0;
		if (name == NULL)
			return why_set(s->why, DSTACK_E_FORMAT,
			    "manifest.json: an image without Config");
		if (!blobs_find(s->b, name, &config))
			return why_set(s->why, DSTACK_E_MISSING,
			    "archive: config %.100s is not in it", name);
		st = candidate_add(
		    s, config, json_object_get(m, "Layers"), false);
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

/* The file of an OCI descriptor, by its digest: its name says no more. */
static bool
find_digest(const struct blobs *b, json_t *descriptor, size_t *at)
{
	uint8_t d[32];
	char name[96];
	const char *t =
	    json_string_value(json_object_get(descriptor, "digest"));
	if (!oci_digest_text(t, d))
		return false;
	(void)snprintf(name, sizeof(name), "blobs/sha256/%s", t + 7);
	return blobs_find(b, name, at);
}

/* An OCI index or manifest: {"manifests": [...]} or {"config", "layers"}. */
static enum dstack_status
from_oci(struct search *s, size_t at, int depth)
{
	AUTO_JSON json_t *root = NULL;
	/* one index may name another a thousand times, and so on down */
	if (++s->documents > MAX_DOCUMENTS)
		return why_set(s->why, DSTACK_E_LIMIT,
		    "archive: over %d indexes and manifests", MAX_DOCUMENTS);
	enum dstack_status st = read_json(s->b, at, &root, s->why);
	if (st != DSTACK_OK)
		return st;
	json_t *list = json_object_get(root, "manifests");
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t next = 0;
		if (depth == 3)
			return why_set(s->why, DSTACK_E_LIMIT,
			    "archive: indexes nested too deep");
		/* Other platforms' manifests may be left out of an archive. */
		if (!find_digest(s->b, json_array_get(list, i), &next))
			continue;
		st = from_oci(s, next, depth + 1);
		if (st != DSTACK_OK)
			return st;
	}
	size_t config = 0;
	if (list != NULL ||
	    !find_digest(s->b, json_object_get(root, "config"), &config))
		return DSTACK_OK;
	return candidate_add(s, config, json_object_get(root, "layers"), true);
}

/*
 * The candidate whose config is the one wanted, or else is for this kind of
 * machine; its config document.
 */
static enum dstack_status
choose(struct search *s, struct oci_image *img, size_t *which, json_t **root)
{
	bool found = false;
	bool ours = false;
	size_t config = 0;
	for (size_t i = 0; i < s->n; i++) {
		AUTO_FREE uint8_t *p = NULL;
		AUTO_JSON json_t *j = NULL;
		uint8_t d[32];
		size_t n = 0;
		if (found && s->v[i].config == config)
			continue; /* one image under two tags */
		/* not readable as a document: then it is not the one wanted */
		struct why skip;
		if (blobs_read(s->b, s->v[i].config, OCI_MAX_JSON, &p, &n,
			&skip) != DSTACK_OK)
			continue;
		sha256(p, n, d);
		if (s->want != NULL && !ct_equal(d, s->want, 32))
			continue;
		enum dstack_status st =
		    oci_json(p, n, "image config", &j, s->why);
		if (st != DSTACK_OK)
			return st;
		bool is = oci_config_ours(j);
		if (found && !is)
			continue;
		if (found && ours)
			return why_set(s->why, DSTACK_E_REJECTED,
			    "archive holds several images: say which");
		json_decref(*root);
		*root = take_ptr(&j);
		found = true;
		ours = is;
		config = s->v[i].config;
		*which = i;
		img->config_at = config;
		memcpy(img->digest, d, 32);
	}
	if (!found)
		return why_set(s->why, DSTACK_E_MISSING,
		    "archive: %zu images in it, none is the one wanted", s->n);
	return DSTACK_OK;
}

/*
 * Which file of the archive each layer of the config is. The manifest's list
 * is in the config's order; a longer or shorter one would leave a layer out
 * without a word. Whether the file has the right bytes comes next.
 */
static enum dstack_status
bind_layers(struct oci_image *img, const struct candidate *c, struct why *why)
{
	if (json_array_size(c->layers) != img->nlayers)
		return why_set(why, DSTACK_E_REJECTED,
		    "archive: %zu layers, its config says %zu",
		    json_array_size(c->layers), img->nlayers);
	for (size_t i = 0; i < img->nlayers; i++) {
		json_t *j = json_array_get(c->layers, i);
		struct oci_layer *l = &img->layer[i];
		const char *name = json_string_value(j);
		bool ok = c->oci
		    ? find_digest(&img->blobs, j, &l->at)
		    : name != NULL && blobs_find(&img->blobs, name, &l->at);
		if (!ok)
			return why_set(why, DSTACK_E_MISSING,
			    "archive: layer %zu is not in it", i);
		l->name = strdup(img->blobs.v[l->at].name);
		if (l->name == NULL)
			return why_set(why, DSTACK_E_NOMEM, "no memory");
	}
	return DSTACK_OK;
}

/*
 * A layer's bytes against its diff_id, which is of the uncompressed tar: how
 * it was packed is the archive's affair. The walk relies on this having been
 * done, and on the size that is learned here.
 */
static enum dstack_status
check_layer(struct oci_image *img, size_t i, uint64_t max, struct why *why)
{
	struct oci_layer *l = &img->layer[i];
	struct stream s;
	uint8_t d[32];
	struct hasher *h = hasher_new(HASHER_SHA256);
	if (h == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st = stream_open(&img->blobs, l->at, max, &s, why);
	for (;;) {
		const void *p = NULL;
		size_t n = 0;
		if (st == DSTACK_OK)
			st = stream_next(&s, &p, &n);
		if (st != DSTACK_OK || n == 0)
			break;
		hasher_update(h, p, n);
	}
	stream_close(&s);
	hasher_final(h, d);
	if (st != DSTACK_OK)
		return st;
	if (!ct_equal(d, l->diff_id, 32))
		return why_set(why, DSTACK_E_REJECTED,
		    "layer %zu (%.80s): its content is not what the image's "
		    "config names", i, l->name);
	l->size = s.out;
	return DSTACK_OK;
}

static enum dstack_status
load(struct oci_image *img, const uint8_t *want, uint64_t max,
    struct why *why)
{
	AUTO_SEARCH struct search s = { .b = &img->blobs,
		.want = want,
		.why = why };
	AUTO_JSON json_t *root = NULL;
	size_t at = 0;
	size_t which = 0;
	enum dstack_status st = DSTACK_OK;
	/* Newer Docker writes both; its manifest.json names what was saved,
	   the index also what only belongs to it. */
	if (blobs_find(s.b, "manifest.json", &at))
		st = from_docker(&s, at);
	else if (blobs_find(s.b, "index.json", &at))
		st = from_oci(&s, at, 0);
	else
		return why_set(why, DSTACK_E_FORMAT,
		    "archive: neither manifest.json (docker save) nor "
		    "index.json (OCI) is in it");
	if (st == DSTACK_OK)
		st = choose(&s, img, &which, &root);
	if (st == DSTACK_OK)
		st = oci_config_rootfs(root, img, why);
	if (st == DSTACK_OK)
		st = bind_layers(img, &s.v[which], why);
	for (size_t i = 0; st == DSTACK_OK && i < img->nlayers; i++) {
		st = check_layer(img, i, max, why);
		if (st == DSTACK_OK) /* the bound is on all of them together */
			max -= img->layer[i].size;
	}
	return st;
}

enum dstack_status
oci_open(const void *buf, size_t len, const uint8_t *want,
    uint64_t max_unpacked, struct oci_image **out, struct why *why)
{
	AUTO_OCI struct oci_image *img = calloc(1, sizeof(*img));
	if (img == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st = blobs_index(buf, len, &img->blobs, why);
	if (st == DSTACK_OK)
		st = load(img, want, max_unpacked, why);
	if (st == DSTACK_OK)
		*out = take_ptr(&img);
	return st;
}

void
oci_free(struct oci_image *img)
{
	if (img == NULL)
		return;
	for (size_t i = 0; i < img->nlayers; i++)
		free(img->layer[i].name);
	oci_config_free(&img->config);
	json_decref(img->run);
	blobs_free(&img->blobs);
	free(img);
}

void
oci_autofree(struct oci_image **img)
{
	oci_free(*img);
}

const uint8_t *
oci_digest(const struct oci_image *img)
{
	return img->digest;
}

const struct oci_config *
oci_config(const struct oci_image *img)
{
	return &img->config;
}

const struct oci_layer *
oci_layers(const struct oci_image *img, size_t *n)
{
	*n = img->nlayers;
	return img->layer;
}
