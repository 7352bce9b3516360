/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mounted into a container over its tree: the VOLUMEs of its image,
 * the named volumes and the tmpfs of its service.
 *
 * Each path of the config is looked for in what the manifest says first: then
 * it is the volume of that name, which other services may have as well. Any
 * other VOLUME is the service's alone, or, where the app is one image, known
 * by its path. The keys of the three begin differently, and none can be
 * another's: a path never begins with a slash here. What the guest mounts
 * itself stays as it is.
 */
#include "guest/kubernethes/container_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "guest/kubernethes/image_volume.h"
#include "oci/oci.h"

/* Those that this guest mounts itself stay as they are. */
static bool
ours(const char *path)
{
	static const char *const names[] = { "proc", "sys", "dev",
		"mnt/encrypted_data", "mnt/host_volume" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t n = strlen(names[i]);
		if (strncmp(path, names[i], n) == 0 &&
		    (path[n] == '\0' || path[n] == '/'))
			return true;
	}
	return path[0] == '\0';
}

static int
by_length(const void *a, const void *b)
{
	const struct spec_bind *x = a;
	const struct spec_bind *y = b;
	const size_t n = strlen(x->to);
	const size_t m = strlen(y->to);

	return n < m ? -1 : n > m;
}

/* The manifest's volume at that path (as in the config), or NULL. */
static const struct manifest_mount *
named(const struct container *c, const char *path)
{
	const struct manifest_service *s = c->service;
	for (size_t i = 0; s != NULL && i < s->nmounts; i++)
		if (strcmp(s->mounts[i].path, path) == 0)
			return &s->mounts[i];
	return NULL;
}

/* What the volume's folder is known by; "" without room, which none is. */
static void
key_of(const struct container *c, const struct manifest_mount *m,
    const char *path, char key[static OCI_MAX_PATH + 64])
{
	int n;
	if (m != NULL)
		n = snprintf(key, OCI_MAX_PATH + 64, "/named/%s", m->volume);
	else if (c->service != NULL)
		n = snprintf(key, OCI_MAX_PATH + 64, "/service/%s/%s",
		    c->service->name, path);
	else
		n = snprintf(key, OCI_MAX_PATH + 64, "%s", path);
	if (n < 0 || n >= OCI_MAX_PATH + 64)
		key[0] = '\0';
}

/* VOLUME path (of oci_path's form) to *b. */
static enum dstack_status
volume_at(const struct container *c, const char *base, int root,
    const char *to, const char *path, struct spec_bind *b, struct why *why)
{
	char key[OCI_MAX_PATH + 64];
	const struct manifest_mount *m = named(c, to);
	key_of(c, m, path, key);
	b->to = to;
	b->read_only = m != NULL && m->read_only;
	return image_volume(base, key, root, path, b->from, why);
}

/*
 * A mount inside another comes after it, so the shorter paths come first.
 */
enum dstack_status
container_volumes(const struct container *c, const struct oci_config *cfg,
    const char *volume, struct spec *s, struct spec_bind **out,
    struct why *why)
{
	const size_t memory = c->service != NULL ? c->service->tmpfs.n : 0;
	char base[80];
	AUTO_CLOSE int root = container_root(c);
	struct spec_bind *b = calloc(cfg->nvolumes + memory + 1, sizeof(*b));

	*out = b;
	if (root < 0 || b == NULL)
		return why_set(why, DSTACK_E_SYS, "container %u: VOLUMEs: %s",
		    container_place(c), strerror(errno));
	(void)snprintf(base, sizeof(base), "%s/volumes", volume);
	s->binds = b;
	for (size_t i = 0; i < cfg->nvolumes; i++) {
		char path[OCI_MAX_PATH + 1];
		enum dstack_status st = oci_path(cfg->volumes[i], path, why);
		if (st == DSTACK_OK && ours(path))
			continue;
		if (st == DSTACK_OK)
			st = volume_at(c, base, root, cfg->volumes[i], path,
			    &b[s->nbinds], why);
		if (st != DSTACK_OK)
			return st;
		s->nbinds++;
	}
	for (size_t i = 0; i < memory; i++)
		b[s->nbinds++].to = c->service->tmpfs.v[i];
	qsort(b, s->nbinds, sizeof(*b), by_length);
	return DSTACK_OK;
}
