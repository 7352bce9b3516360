/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives made by hand for tests, so that every field can be wrong: ustar
 * headers (POSIX.1-1988 tar), pax records, and `docker save` or OCI archives
 * around them.
 */
#ifndef TESTS_TARMAKE_H
#define TESTS_TARMAKE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/wr.h"
#include "crypto/hash.h"

struct tarent {
	const char *name;
	char type; /* '0' file, '5' dir, '2' symlink, '1' hardlink, ... */
	const char *link;
	unsigned mode, uid;
	const char *data;
	size_t size;    /* 0: strlen(data) */
	size_t claimed; /* 0: the true size */
};

static inline void
tar_add(struct wr *w, struct tarent e)
{
	char h[512] = { 0 };
	unsigned sum = 0;
	size_t n = e.size != 0 ? e.size : e.data != NULL ? strlen(e.data) : 0;
	memcpy(h, e.name, strnlen(e.name, 100));
	snprintf(h + 100, 8, "%07o", (e.mode != 0 ? e.mode : 0644) & 07777777);
	snprintf(h + 108, 8, "%07o", e.uid & 07777777);
	snprintf(h + 116, 8, "%07o", e.uid & 07777777);
	snprintf(h + 124, 12, "%011zo", e.claimed != 0 ? e.claimed : n);
	snprintf(h + 136, 12, "%011o", 1000u);
	h[156] = e.type;
	if (e.link != NULL)
		memcpy(h + 157, e.link, strnlen(e.link, 100));
	memcpy(h + 257, "ustar\0" "00", 8);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	wr_put(w, h, sizeof(h));
	if (n != 0)
		wr_put(w, e.data, n);
	wr_zero(w, (512 - n % 512) % 512);
}

static inline void
tar_file(struct wr *w, const char *name, const void *p, size_t n)
{
	tar_add(w, (struct tarent){ .name = name, .type = '0', .data = p,
		.size = n });
}

static inline void
tar_end(struct wr *w)
{
	wr_zero(w, 1024);
}

/* One pax record "LEN key=value\n" as an 'x' entry. */
static inline void
tar_pax(struct wr *w, const char *key, const char *value)
{
	char *rec = NULL;
	size_t body = strlen(key) + strlen(value) + 3;
	size_t len = body + 1;
	while (len != body + (size_t)snprintf(NULL, 0, "%zu", len))
		len++;
	if (asprintf(&rec, "%zu %s=%s\n", len, key, value) < 0)
		return;
	tar_add(w, (struct tarent){ .name = "PaxHeaders/x", .type = 'x',
		.data = rec });
	free(rec);
}

/* gzip or zstd, by libarchive's raw writer. */
static inline la_ssize_t
squeeze_out(struct archive *a, void *ctx, const void *p, size_t n)
{
	(void)a;
	wr_put(ctx, p, n);
	return (la_ssize_t)n;
}

static inline void
squeeze(const struct wr *in, struct wr *out, bool zstd)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	(void)archive_write_set_format_raw(a);
	(void)(zstd ? archive_write_add_filter_zstd(a)
		    : archive_write_add_filter_gzip(a));
	(void)archive_write_set_bytes_in_last_block(a, 1);
	(void)archive_write_open(a, out, NULL, squeeze_out, NULL);
	archive_entry_set_filetype(e, AE_IFREG);
	(void)archive_write_header(a, e);
	(void)archive_write_data(a, in->buf, in->len);
	(void)archive_write_close(a);
	(void)archive_write_free(a);
	archive_entry_free(e);
}

enum layout { LEGACY, OCI, HYBRID };

/* How to get an archive wrong. Zero: right. */
struct wrong {
	const char *arch;      /* instead of amd64 */
	const char *config;    /* instead of the default "config" member */
	bool drop_layer;       /* a layer the manifest does not list */
	bool bad_diff;         /* diff_id of something else */
	bool twice;            /* the config under its name twice */
	bool no_blob;          /* the last layer is not in the archive */
	bool gzip, zstd;
	bool shuffle;          /* manifest lists the layers the other way */
	bool attested;         /* not LEGACY: buildx's second manifest */
	bool foreign;          /* not LEGACY: an image for arm64 beside it */
	bool symlink;          /* LEGACY: last layer's name is a symlink */
};

static inline void
sha_hex(const struct wr *w, char out[65])
{
	uint8_t d[32];
	sha256(w->buf, w->len, d);
	hex_encode(d, 32, out);
}

/* A manifest of the index beside the first, with its blobs. */
static inline void
beside(struct wr *out, struct wr *ix, const char *config, const char *more)
{
	char hex[65];
	char name[128];
	AUTO_WR struct wr cfg = wr_new(0);
	AUTO_WR struct wr m = wr_new(0);
	wr_str(&cfg, config);
	sha_hex(&cfg, hex);
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	tar_file(out, name, cfg.buf, cfg.len);
	wr_fmt(&m, "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
		   "\"application/vnd.oci.image.config.v1+json\",\"size\":%zu,"
		   "\"digest\":\"sha256:%s\"},\"layers\":[{\"mediaType\":"
		   "\"application/vnd.in-toto+json\",\"size\":2,\"digest\":"
		   "\"sha256:%s\"}]}", cfg.len, hex, hex);
	sha_hex(&m, hex);
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	tar_file(out, name, m.buf, m.len);
	wr_fmt(ix, ",{\"mediaType\":\"application/vnd.oci.image.manifest."
		   "v1+json\",\"size\":%zu,\"digest\":\"sha256:%s\"%s}",
	    m.len, hex, more);
}

/* As docker buildx does by default: who has built it, and how. */
static inline void
attest(struct wr *out, struct wr *ix, const char *image)
{
	char more[400];
	snprintf(more, sizeof(more),
	    ",\"annotations\":{\"vnd.docker.reference.type\":"
	    "\"attestation-manifest\",\"vnd.docker.reference.digest\":"
	    "\"sha256:%s\"},\"platform\":{\"os\":\"unknown\","
	    "\"architecture\":\"unknown\"}", image);
	beside(out, ix, "{\"architecture\":\"unknown\",\"os\":\"unknown\","
	    "\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
	    "]}}", more);
}

/* The same program for another machine. */
static inline void
foreign(struct wr *out, struct wr *ix)
{
	beside(out, ix, "{\"architecture\":\"arm64\",\"os\":\"linux\","
	    "\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
	    "]}}", "");
}

/* A blob has one name: the same layer again is in the archive once. */
static inline bool
same_before(const struct wr *l, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (l[k].len == l[i].len &&
		    memcmp(l[k].buf, l[i].buf, l[i].len) == 0)
			return true;
	}
	return false;
}

/* Wrap n layer tars; digest: of the config. */
static inline void
make_image(struct wr *out, enum layout lay, const struct wr *layers, size_t n,
    struct wrong x, uint8_t digest[32])
{
	char hex[65];
	char chex[65];
	char name[128];
	AUTO_WR struct wr cfg = wr_new(0);
	AUTO_WR struct wr names = wr_new(0);
	AUTO_WR struct wr descs = wr_new(0);
	wr_fmt(&cfg, "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":%s,"
		     "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
	    x.arch != NULL ? x.arch : "amd64",
	    x.config != NULL ? x.config : "{\"Cmd\":[\"/app\"]}");
	for (size_t i = 0; i < n; i++) {
		sha_hex(&layers[i], hex);
		if (x.bad_diff && i == n - 1)
			hex[5] = hex[5] == 'a' ? 'b' : 'a';
		wr_fmt(&cfg, "%s\"sha256:%s\"", i != 0 ? "," : "", hex);
	}
	wr_str(&cfg, "]}}");
	sha256(cfg.buf, cfg.len, digest);
	sha_hex(&cfg, chex);

	for (size_t k = 0; k < n; k++) {
		size_t i = x.shuffle ? n - 1 - k : k;
		AUTO_WR struct wr z = wr_new(0);
		const struct wr *l = &layers[i];
		if (x.gzip || x.zstd) {
			squeeze(l, &z, x.zstd);
			l = &z;
		}
		sha_hex(l, hex);
		if (lay == LEGACY)
			snprintf(name, sizeof(name), "%s/layer.tar", hex);
		else
			snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
		if (!(x.no_blob && i == n - 1) &&
		    !same_before(layers, i)) {
			if (x.symlink && i == n - 1) {
				tar_file(out, "real/layer.tar", l->buf, l->len);
				tar_add(out, (struct tarent){ .name = name,
					.type = '2',
					.link = "../real/layer.tar" });
			} else {
				tar_file(out, name, l->buf, l->len);
			}
		}
		if (x.drop_layer && i == n - 1)
			continue;
		wr_fmt(&names, "%s\"%s\"", names.len != 0 ? "," : "", name);
		wr_fmt(&descs, "%s{\"digest\":\"sha256:%s\",\"size\":%zu,"
			       "\"mediaType\":\"application/vnd.oci.image."
			       "layer.v1.tar%s\"}",
		    descs.len != 0 ? "," : "", hex, l->len,
		    x.gzip       ? "+gzip"
		        : x.zstd ? "+zstd"
		                 : "");
	}
	if (lay == LEGACY)
		snprintf(name, sizeof(name), "%s.json", chex);
	else
		snprintf(name, sizeof(name), "blobs/sha256/%s", chex);
	tar_file(out, name, cfg.buf, cfg.len);
	if (x.twice)
		tar_file(out, name, cfg.buf, cfg.len);
	if (lay != OCI) {
		AUTO_WR struct wr m = wr_new(0);
		wr_fmt(&m, "[{\"Config\":\"%s\",\"RepoTags\":[\"a:b\"],"
			   "\"Layers\":[", name);
		wr_put(&m, names.buf, names.len);
		wr_str(&m, "]}]");
		tar_file(out, "manifest.json", m.buf, m.len);
	}
	if (lay != LEGACY) {
		AUTO_WR struct wr m = wr_new(0);
		AUTO_WR struct wr ix = wr_new(0);
		wr_fmt(&m, "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
			   "\"application/vnd.oci.image.config.v1+json\","
			   "\"size\":%zu,\"digest\":\"sha256:%s\"},"
			   "\"layers\":[", cfg.len, chex);
		wr_put(&m, descs.buf, descs.len);
		wr_str(&m, "]}");
		sha_hex(&m, hex);
		snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
		tar_file(out, name, m.buf, m.len);
		wr_fmt(&ix, "{\"schemaVersion\":2,\"manifests\":[{"
			    "\"mediaType\":\"application/vnd.oci.image."
			    "manifest.v1+json\",\"size\":%zu,\"digest\":"
			    "\"sha256:%s\",\"annotations\":{\"org."
			    "opencontainers.image.ref.name\":\"latest\"}}",
		    m.len, hex);
		if (x.attested)
			attest(out, &ix, hex);
		if (x.foreign)
			foreign(out, &ix);
		wr_str(&ix, "]}");
		tar_file(out, "index.json", ix.buf, ix.len);
		tar_file(out, "oci-layout",
		    "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	}
	tar_end(out);
}

#endif
