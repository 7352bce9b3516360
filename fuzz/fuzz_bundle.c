/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest with its images in one archive. Bytes that begin with "{" are a
 * manifest in whose text # and @ stand for two images that are made here, as
 * no guess would meet their digests: it is built into an archive and opened.
 * All else is an archive as it comes from a host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/wr.h"
#include "oci/bundle.h"

static enum dstack_status
take(void *ctx, const void *p, size_t n, struct why *why)
{
	(void)why;
	wr_put(ctx, p, n);
	return wr_status((struct wr *)ctx);
}

static void
look(const void *p, size_t n)
{
	AUTO_BUNDLE struct bundle b = { .image = { NULL } };
	struct oci_tree each[MANIFEST_SERVICES], all;
	uint64_t bytes = 0;
	struct why why = { "" };
	if (bundle_open(p, n, NULL, 1u << 20, &b, &why) != DSTACK_OK)
		return;
	if (!bundle_there(p, n, b.digest) ||
	    bundle_walk(&b, each, &all, &why) != DSTACK_OK)
		return;
	for (unsigned i = 0; i < b.m.nservices; i++) {
		const struct oci_config *c = oci_config(b.image[i]);
		if (c->ncmd + c->nentrypoint == 0) /* nothing to run */
			__builtin_trap();
		bytes += each[i].bytes;
	}
	if (all.bytes + all.on_volume != bytes || all.most > n + all.bytes ||
	    (all.on_volume != 0 && !bundle_on_volume(&b)))
		__builtin_trap();
}

static struct oci_image *
make(const char *config, const char *file, struct wr *ar)
{
	const struct oci_file f = { .path = file, .mode = 0644, .data = "1234",
		.size = 4 };
	struct oci_image *img = NULL;
	struct oci_config c;
	struct why why;
	uint8_t d[32];
	if (oci_config_parse(config, strlen(config), &c, &why) != DSTACK_OK ||
	    oci_build(&f, 1, &c, NULL, ar, d, &why) != DSTACK_OK ||
	    oci_open(ar->buf, ar->len, d, 1u << 20, &img, &why) != DSTACK_OK)
		__builtin_trap();
	oci_config_free(&c);
	return img;
}

static void
put_digest(struct wr *w, const struct oci_image *img)
{
	char hex[65];
	hex_encode(oci_digest(img), 32, hex);
	wr_fmt(w, "\"sha256:%s\"", hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	AUTO_WR struct wr one = wr_new(0), two = wr_new(0);
	AUTO_WR struct wr text = wr_new(0), out = wr_new(1u << 20);
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	struct oci_image *image[MANIFEST_SERVICES];
	struct why why = { "" };
	uint8_t d[32];
	if (n == 0 || p[0] != '{' || n > 8192) {
		look(p, n);
		return 0;
	}
	AUTO_OCI struct oci_image *a = make("{\"Cmd\":[\"x\"],\"Healthcheck\":"
	    "{\"Test\":[\"CMD\",\"y\"]}}", "same", &one);
	AUTO_OCI struct oci_image *b = make("{\"Entrypoint\":[\"x\"],\"Volumes\""
	    ":{\"/data\":{}},\"Labels\":{\"dstack.port\":\"9\"}}", "same", &two);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '#' || p[i] == '@')
			put_digest(&text, p[i] == '#' ? a : b);
		else
			wr_u8(&text, p[i]);
	}
	if (wr_status(&text) != DSTACK_OK ||
	    manifest_parse(text.buf, text.len, &m, &why) != DSTACK_OK)
		return 0;
	for (unsigned i = 0; i < m.nservices; i++)
		image[i] = memcmp(m.service[i].image, oci_digest(a), 32) == 0
		    ? a : b;
	wr_u8(&text, 0);
	if (bundle_build((const char *)text.buf, image, take, &out, d, &why) ==
	    DSTACK_OK)
		look(out.buf, out.len);
	return 0;
}
