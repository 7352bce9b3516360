/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk gives, as text. */
#ifndef TESTS_OCI_PLAN_H
#define TESTS_OCI_PLAN_H

#include "oci/oci.h"

#define BIG (256u << 20)

/* The plan as text, a line an entry, to compare with what is expected. */
struct plan {
	struct wr text;
	size_t data;
};

static inline enum dstack_status
plan_entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	static const char *const kind[] = { "file", "dir", "symlink", "link",
		"fifo", "remove" };
	struct plan *p = ctx;
	(void)why;
	wr_fmt(&p->text, "%zu %s %s", e->layer, kind[e->kind], e->path);
	if (e->kind == OCI_SYMLINK || e->kind == OCI_HARDLINK)
		wr_fmt(&p->text, " > %s", e->target);
	if (e->kind == OCI_FILE || e->kind == OCI_DIR)
		wr_fmt(&p->text, " %o %u", e->mode, e->uid);
	wr_str(&p->text, "\n");
	return DSTACK_OK;
}

static inline enum dstack_status
plan_data(void *ctx, const void *data, size_t n, struct why *why)
{
	struct plan *p = ctx;
	(void)data;
	(void)why;
	p->data += n;
	return DSTACK_OK;
}

static inline enum dstack_status
plan_end(void *ctx, struct why *why)
{
	(void)ctx;
	(void)why;
	return DSTACK_OK;
}

/* Open and walk; the plan's text is to be freed by the caller. */
static inline enum dstack_status
run(const struct wr *ar, const uint8_t *want, uint64_t max, char **text,
    struct why *why)
{
	AUTO_OCI struct oci_image *img = NULL;
	struct plan p = { .text = wr_new(0) };
	const struct oci_sink sink = { &p, plan_entry, plan_data, plan_end,
		NULL, false };
	why->text[0] = '\0';
	enum dstack_status st = oci_open(ar->buf, ar->len, want, max, &img, why);
	if (st == DSTACK_OK)
		st = oci_walk(img, &sink, NULL, why);
	wr_u8(&p.text, 0);
	if (text != NULL)
		*text = strdup((const char *)p.text.buf);
	wr_free(&p.text);
	if (st != DSTACK_OK)
		assert_true(why->text[0] != '\0');
	return st;
}

#endif
