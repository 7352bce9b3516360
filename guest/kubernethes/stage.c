/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the record's digest to a checked image, in memory or on the volume.
 *
 * First what the host says that the archive has is compared with what is free;
 * only then it is fetched, its digests are checked, and the tree is walked
 * without a file being made. That gives every refusal that unpacking would
 * give, and the memory that it would take, which is judged as well. So what is
 * refused is refused before the slot is touched, and its archive is let go of
 * at once: nothing of it stays in memory while the old version serves.
 *
 * An image with the label dstack.store=volume has its tree on the volume, and
 * what counts is the room there; of several images each that has it. The label is known once the archive is here:
 * one that has gone to the volume for its size and lacks it is refused then.
 */
#include <stdlib.h>
#include <string.h>

#include "guest/base/role.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/store.h"

#define FETCH_MS 600000 /* for an archive */
#define MB (1ull << 20)

void
kube_unstage(struct kube_stage *s)
{
	oci_free(s->image);
	if (s->bundle != NULL)
		bundle_free(s->bundle);
	free(s->bundle);
	s->image = NULL;
	s->bundle = NULL;
	kube_archive_drop(&s->archive);
}

const struct oci_config *
kube_staged(const struct kube_stage *s)
{
	return oci_config(s->bundle != NULL
		? s->bundle->image[s->bundle->m.front]
		: s->image);
}

static enum dstack_status
open_bundle(struct kube_stage *s, const uint8_t *digest, uint64_t max,
    struct why *why)
{
	struct bundle *b = calloc(1, sizeof(*b));
	if (b == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st = bundle_open(
	    s->archive.p, s->archive.len, digest, max, b, why);
	if (st == DSTACK_OK)
		s->bundle = b;
	else
		free(b);
	return st;
}

/* Is any of its trees to be on the volume? */
static bool
stored(const struct kube_stage *s)
{
	return s->bundle != NULL ? bundle_on_volume(s->bundle)
				 : oci_config(s->image)->on_volume;
}

/*
 * Room for the trees: on the volume for those that ask for it, in memory for
 * the others and, where that is in memory, the archive.
 */
static enum dstack_status
room(const struct kube_stage *s, struct kube_memory *m, struct oci_tree *tree,
    struct why *why)
{
	const char *name = s->archive.name;
	const size_t len = s->archive.on_volume ? 0 : s->archive.len;

	if (s->bundle == NULL && stored(s)) {
		tree->on_volume = tree->bytes;
		tree->bytes = tree->most = 0;
	}
	if (s->archive.on_volume)
		tree->most = tree->bytes;
	if (stored(s)) {
		enum dstack_status st = store_room(name, tree->on_volume, why);
		/* no volume yet: this is kept for it, and judged by its tree */
		if (st != DSTACK_OK && st != DSTACK_E_BUSY)
			return st;
	} else if (s->archive.on_volume) {
		return why_set(why, DSTACK_E_LIMIT,
		    "%.24s has %llu MB, more than this VM has memory for: more "
		    "VM_MEMORY_MB, or the label dstack.store=volume", name,
		    (unsigned long long)((s->archive.len + MB - 1) / MB));
	}
	return kube_memory_image(m, name, len, tree, why);
}

/* All that is judged of an archive that is here. */
static enum dstack_status
judge(struct kube_stage *s, struct kube_memory *m, const uint8_t *digest,
    struct why *why)
{
	struct oci_tree tree;
	const uint64_t memory = m->total / 4 * 3;
	const uint64_t volume = store_free();
	const bool several =
	    bundle_there(s->archive.p, s->archive.len, digest);
	enum dstack_status st;
	if (several)
		st = open_bundle(s, digest, memory + volume, why);
	else
		st = oci_open(s->archive.p, s->archive.len, digest,
		    volume > memory ? volume : memory,
		    &s->image, why);
	if (st == DSTACK_OK)
		st = several ? bundle_walk(s->bundle, NULL, &tree, why)
			     : oci_walk(s->image, NULL, &tree, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "host_volume/%s, copy it again",
		    s->archive.name);
	kube_memory_look(m, kube_memory_free());
	return room(s, m, &tree, why);
}

enum dstack_status
kube_stage(struct kube_stage *s, struct kube_memory *m,
    const uint8_t digest[static 32], bool (*go_on)(void *ctx), void *ctx,
    struct why *why)
{
	if ((s->image != NULL || s->bundle != NULL) &&
	    memcmp(s->digest, digest, 32) == 0)
		return DSTACK_OK;
	kube_unstage(s);
	uint64_t free = kube_memory_free();
	if (m->first == 0) /* all roles are up, and no app has run yet */
		m->first = free;
	kube_memory_look(m, free);
	enum dstack_status st = kube_fetch(FD_EDGE + ROLE_HOSTLINK, digest, m,
	    kube_now() + FETCH_MS, go_on, ctx, &s->archive, why);
	if (st == DSTACK_OK)
		st = judge(s, m, digest, why);
	if (st != DSTACK_OK) {
		kube_unstage(s);
		return st;
	}
	memcpy(s->digest, digest, 32);
	return DSTACK_OK;
}
