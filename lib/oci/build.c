/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive from a list of files, the same bytes for the same list.
 *
 * In: files with their bytes, in order, and how to run them. One layer is
 * written as a tar without times and owners, hashed into the config, and the
 * config is hashed for the digest; both go with a manifest into the outer tar
 * (the old layout of `docker save`). What can go wrong is the memory, and a
 * text of the config that is no UTF-8; names of files may be any bytes.
 */
#include "oci/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"

/* Where a tar goes, and the first thing that was wrong there. */
struct out {
	enum dstack_status (*put)(
	    void *ctx, const void *p, size_t n, struct why *why);
	void *ctx;
	enum dstack_status st;
	struct why why; /* libarchive's own word for it would come over it */
};

/*
 * What goes wrong here is not told to libarchive, which does not free all that
 * it has once a write has failed: the rest is dropped, and oci_tar looks.
 */
static la_ssize_t
to_out(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct out *o = ctx;
	(void)a;
	if (o->st == DSTACK_OK)
		o->st = o->put(o->ctx, p, n, &o->why);
	return (la_ssize_t)n;
}

static enum dstack_status
to_wr(void *ctx, const void *p, size_t n, struct why *why)
{
	struct wr *w = ctx;
	wr_put(w, p, n);
	return wr_status(w) == DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, wr_status(w), "out of memory");
}

static enum dstack_status
put(struct archive *a, const struct oci_file *f, struct why *why)
{
	struct archive_entry *e = archive_entry_new();
	if (e == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	archive_entry_set_pathname(e, f->path);
	archive_entry_set_perm(e, (__LA_MODE_T)(f->mode & 01777));
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_size(e, 0);
	if (f->kind == OCI_DIR) {
		archive_entry_set_filetype(e, AE_IFDIR);
	} else if (f->kind == OCI_SYMLINK) {
		archive_entry_set_filetype(e, AE_IFLNK);
		archive_entry_set_symlink(e, f->target);
	} else {
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_size(e, (la_int64_t)f->size);
	}
	enum dstack_status st = DSTACK_OK;
	if (archive_write_header(a, e) != ARCHIVE_OK ||
	    (f->kind == OCI_FILE && f->size != 0 &&
		archive_write_data(a, f->data, f->size) !=
		    (la_ssize_t)f->size))
		st = why_set(why, DSTACK_E_FORMAT, "writing %.120s: %.100s",
		    f->path,
		    archive_error_string(a) != NULL ? archive_error_string(a)
						    : "no memory");
	archive_entry_free(e);
	return st;
}

/*
 * Names are bytes. Where they are not all ASCII they are written as they are,
 * or libarchive would want to know which language they are in.
 */
static bool
odd_names(const struct oci_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *const t[] = { files[i].path, files[i].target };
		for (size_t k = 0; k < 2; k++) {
			for (const char *p = t[k]; p != NULL && *p != '\0'; p++) {
				if ((unsigned char)*p >= 0x80)
					return true;
			}
		}
	}
	return false;
}

enum dstack_status
oci_tar(const struct oci_file *files, size_t n,
    enum dstack_status (*out)(
	void *ctx, const void *p, size_t n, struct why *why),
    void *ctx, struct why *why)
{
	struct archive *a = archive_write_new();
	struct out o = { .put = out, .ctx = ctx };
	enum dstack_status st = DSTACK_OK;
	if (a == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
	    (odd_names(files, n) &&
		archive_write_set_format_option(
		    a, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK) ||
	    archive_write_set_bytes_per_block(a, 512) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
	    archive_write_open(a, &o, NULL, to_out, NULL) != ARCHIVE_OK)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	for (size_t i = 0; st == DSTACK_OK && o.st == DSTACK_OK && i < n; i++)
		st = put(a, &files[i], why);
	if (st == DSTACK_OK && archive_write_close(a) != ARCHIVE_OK)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	/* its last bytes may go out only now */
	if (archive_write_free(a) != ARCHIVE_OK && st == DSTACK_OK)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	return o.st != DSTACK_OK ? why_set(why, o.st, "%s", o.why.text) : st;
}

static json_t *
list(char *const *v, size_t n)
{
	json_t *j = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(j, json_string(v[i]));
	return j;
}

static void
put_text(json_t *j, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		(void)json_object_set_new(j, key, json_string(text));
}

static void
put_list(json_t *j, const char *key, char *const *v, size_t n)
{
	if (n != 0)
		(void)json_object_set_new(j, key, list(v, n));
}

/*
 * The Docker config object. Order and left-out members are those of the OCI
 * config as the usual tools write it, so that their conversions between
 * layouts give the same bytes and with them the same digest.
 */
static json_t *
config_json(const struct oci_config *c)
{
	json_t *j = json_object();
	json_t *ports = json_object();
	for (size_t i = 0; i < c->nexposed; i++) {
		char port[16];
		(void)snprintf(port, sizeof(port), "%u/tcp", c->exposed[i]);
		(void)json_object_set_new(ports, port, json_object());
	}
	put_text(j, "User", c->user);
	if (c->nexposed != 0)
		(void)json_object_set_new(j, "ExposedPorts", ports);
	else
		json_decref(ports);
	put_list(j, "Env", c->env, c->nenv);
	put_list(j, "Entrypoint", c->entrypoint, c->nentrypoint);
	put_list(j, "Cmd", c->cmd, c->ncmd);
	if (c->nvolumes != 0) {
		json_t *v = json_object();
		for (size_t i = 0; i < c->nvolumes; i++)
			(void)json_object_set_new(
			    v, c->volumes[i], json_object());
		(void)json_object_set_new(j, "Volumes", v);
	}
	put_text(j, "WorkingDir", c->workdir);
	if (c->nlabels != 0) {
		json_t *v = json_object();
		for (size_t i = 0; i < c->nlabels; i++)
			(void)json_object_set_new(v, c->labels[i].key,
			    json_string(c->labels[i].value));
		(void)json_object_set_new(j, "Labels", v);
	}
	put_text(j, "StopSignal", c->stopsignal);
	if (c->health.ntest != 0)
		(void)json_object_set_new(
		    j, "Healthcheck", oci_health_json(&c->health));
	put_list(j, "Shell", c->shell, c->nshell);
	return j;
}

enum dstack_status
oci_build(const struct oci_file *files, size_t n, const struct oci_config *c,
    const char *tag, struct wr *out, uint8_t digest[static 32],
    struct why *why)
{
	AUTO_WR struct wr layer = wr_new(0);
	uint8_t diff[32];
	char hex[65];
	char id[72];
	char lname[80];
	char cname[80];
	enum dstack_status st = oci_tar(files, n, to_wr, &layer, why);
	if (st != DSTACK_OK)
		return st;
	sha256(layer.buf, layer.len, diff);
	hex_encode(diff, 32, hex);
	(void)snprintf(id, sizeof(id), "sha256:%s", hex);
	(void)snprintf(lname, sizeof(lname), "%s/layer.tar", hex);

	AUTO_JSON json_t *cfg = json_pack(
	    "{s:s, s:s, s:s, s:o, s:{s:s, s:[s]}, s:[{s:s, s:s}]}",
	    "created", "1970-01-01T00:00:00Z", "architecture", "amd64", "os",
	    "linux", "config", config_json(c), "rootfs", "type",
	    "layers", "diff_ids", id, "history", "created",
	    "1970-01-01T00:00:00Z", "created_by", "dstack app build");
	AUTO_FREE char *text =
	    cfg != NULL ? json_dumps(cfg, JSON_COMPACT) : NULL;
	if (text == NULL)
		return why_set(why, DSTACK_E_NOMEM,
		    "image config: no memory, or a text that is not UTF-8");
	sha256(text, strlen(text), digest);
	hex_encode(digest, 32, hex);
	(void)snprintf(cname, sizeof(cname), "%s.json", hex);

	AUTO_JSON json_t *man =
	    json_pack("[{s:s, s:[s], s:[s]}]", "Config", cname, "Layers", lname,
		"RepoTags", tag != NULL ? tag : "dstack-app:latest");
	AUTO_FREE char *mtext =
	    man != NULL ? json_dumps(man, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (mtext == NULL)
		return why_set(why, DSTACK_E_NOMEM,
		    "manifest: no memory, or a tag that is not UTF-8");
	const struct oci_file v[] = {
		{ .path = cname, .kind = OCI_FILE, .mode = 0644, .data = text,
		    .size = strlen(text) },
		{ .path = lname, .kind = OCI_FILE, .mode = 0644,
		    .data = layer.buf, .size = layer.len },
		{ .path = "manifest.json", .kind = OCI_FILE, .mode = 0644,
		    .data = mtext, .size = strlen(mtext) },
	};
	return oci_tar(v, sizeof(v) / sizeof(v[0]), to_wr, out, why);
}
