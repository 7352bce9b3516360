/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers over each other's links. The input is no tar but a list of entries,
 * three bytes each, with few names, so that files, folders, symlinks,
 * hardlinks and whiteouts of several layers meet all the time. The tree that
 * the sink is told is kept beside: a folder that is not there or is no folder,
 * a link to what is no file, or a removal of nothing would be a file in the
 * wrong place on a node.
 */
#include "oci/oci.h"
#include "tests/unit/lib/oci/tarmake.h"

#define LAYERS 8
#define MODEL 1024

static struct {
	char path[64];
	enum oci_kind kind;
} model[MODEL];
static size_t nmodel;

static size_t
find(const char *path)
{
	size_t i = 0;
	while (i < nmodel && strcmp(model[i].path, path) != 0)
		i++;
	return i;
}

/* path goes, or only what is in it. */
static void
forget(const char *path, bool itself)
{
	size_t n = strlen(path);
	for (size_t i = 0; i < nmodel;) {
		const char *p = model[i].path;
		if (strncmp(p, path, n) == 0 &&
		    ((p[n] == '\0' && itself) || p[n] == '/'))
			model[i] = model[--nmodel];
		else
			i++;
	}
}

static enum dstack_status
entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	char up[64];
	(void)ctx;
	(void)why;
	if (strlen(e->path) >= sizeof(up))
		__builtin_trap();
	if (e->path[0] == '\0')
		return DSTACK_OK;
	memcpy(up, e->path, strlen(e->path) + 1);
	for (char *slash = strrchr(up, '/'); slash != NULL;
	     slash = strrchr(up, '/')) {
		*slash = '\0';
		size_t i = find(up);
		if (i == nmodel || model[i].kind != OCI_DIR)
			__builtin_trap();
	}
	size_t at = find(e->path);
	if (e->kind == OCI_REMOVE && at == nmodel)
		__builtin_trap();
	if (e->kind == OCI_HARDLINK) {
		size_t to = find(e->target);
		if (to == nmodel || to == at || model[to].kind == OCI_DIR)
			__builtin_trap();
	}
	if (e->kind == OCI_DIR && at < nmodel && model[at].kind == OCI_DIR)
		return DSTACK_OK;
	forget(e->path, true);
	if (e->kind == OCI_REMOVE)
		return DSTACK_OK;
	if (nmodel == MODEL)
		__builtin_trap();
	memcpy(model[nmodel].path, e->path, strlen(e->path) + 1);
	model[nmodel++].kind = e->kind;
	return DSTACK_OK;
}

static enum dstack_status
data(void *ctx, const void *p, size_t n, struct why *why)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)why;
	return DSTACK_OK;
}

static enum dstack_status
end(void *ctx, struct why *why)
{
	(void)ctx;
	(void)why;
	return DSTACK_OK;
}

/* One to three of four names; bits 2 and 4: whether there is a next. */
static void
name(uint8_t b, const char *front, const char *before_last, char out[static 64])
{
	const char *a[3] = { &"a\0b\0c\0d"[(b & 3) * 2],
		&"a\0b\0c\0d"[(b >> 3 & 3) * 2],
		&"a\0b\0c\0d"[(b >> 6 & 3) * 2] };
	size_t n = (b & 4) == 0 ? 1 : (b & 32) == 0 ? 2 : 3;
	(void)snprintf(out, 64, "%s%s%s%s%s%s%s", front,
	    n > 1 ? a[0] : "", n > 1 ? "/" : "", n > 2 ? a[1] : "",
	    n > 2 ? "/" : "", before_last, a[n - 1]);
}

static void
put(struct wr *layer, const uint8_t p[static 3])
{
	static const char types[] = "05215065";
	static const char *const fronts[] = { "", "/", "../", "../../" };
	char path[64];
	char to[64];
	unsigned op = p[0] & 7;
	bool hides = op == 4;
	name(p[1], "", hides ? ".wh." : "", path);
	name(p[2], op == 2 ? fronts[p[0] >> 3 & 3] : "", "", to);
	if (op == 5)
		(void)snprintf(path + strlen(path), 16, "/.wh..wh..opq");
	tar_add(layer, (struct tarent){ .name = path,
		.type = p[0] >= 0xf8                 ? '4'
		    : hides || op == 5               ? '0'
		                                     : types[op],
		.link = op == 2 || op == 3 ? to : NULL });
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr ar = wr_new(0);
	struct wr layer[LAYERS];
	size_t layers = 1;
	struct why why = { "" };
	uint8_t d[32];
	const struct oci_sink sink = { NULL, entry, data, end, NULL };
	layer[0] = wr_new(0);
	for (size_t i = 0; i + 3 <= n && i < 3 * 200; i += 3) {
		if (p[i] == 0xf7 && layers < LAYERS) /* the next layer */
			layer[layers++] = wr_new(0);
		else
			put(&layer[layers - 1], p + i);
	}
	for (size_t i = 0; i < layers; i++)
		tar_end(&layer[i]);
	make_image(&ar, LEGACY, layer, layers, (struct wrong){ 0 }, d);
	nmodel = 0;
	if (oci_open(ar.buf, ar.len, d, 16u << 20, &img, &why) == DSTACK_OK)
		(void)!oci_walk(img, &sink, NULL, &why);
	for (size_t i = 0; i < layers; i++)
		wr_free(&layer[i]);
	return 0;
}
