/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets of the app. The image's label names them; each is a file that its
 * owner has sealed and the host brings (protocol/appsecret.h). An app waits
 * until all are there: one that starts without its password has failed in a
 * way that nobody sees. Of several services each gets what it names itself, in
 * its own container: a web server that was broken into has not the database's
 * password unless its owner gave it both.
 *
 * What is judged, in this order: the file's form; that it is for this app and
 * of that name; that its version is not below one that this node has seen, as
 * the host may keep a password that was changed for a reason; that it opens,
 * which is keyd's to say. keyd seals what it has opened for a key that is drawn
 * here for this one call, so that guest-service, through whom it goes, has
 * nothing to read. Then the value is a file in the slot's memory, of mode 0400
 * and the image's USER, and no longer in this process.
 *
 * The versions that were seen are a file of the volume, written whole beside
 * the old one and renamed, before the app can have read the value: one that
 * cannot be written is an app that does not start.
 */
#include "guest/kubernethes/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "crypto/hpke.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/base/paths.h"
#include "guest/base/role.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/services.h"
#include "protocol/appsecret.h"

#define SEEN PATH_VOLUME "/system/secrets"
/* Names that are remembered, of all versions of the app; one has 128 at most. */
#define SEEN_MAX 256

struct seen {
	char name[APPSECRET_NAME_MAX + 1];
	uint64_t version;
};
struct seen_all {
	struct seen v[SEEN_MAX];
	size_t n;
};

/* Lines "VERSION NAME"; a record that is damaged is a refusal and no zero. */
static enum dstack_status
seen_read(struct seen_all *s, struct why *why)
{
	char line[128];

	*s = (struct seen_all){ .n = 0 };
	int fd = open(SEEN, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return DSTACK_OK;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL && fd >= 0)
		(void)close(fd);
	bool ok = f != NULL;
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		struct seen *x = &s->v[s->n];
		ok = s->n < SEEN_MAX &&
		    sscanf(line, "%20" SCNu64 " %48s", &x->version, x->name) ==
		        2 && appsecret_name_ok(x->name);
		s->n += ok;
	}
	if (f != NULL)
		(void)fclose(f);
	return ok ? DSTACK_OK
		  : why_set(why, DSTACK_E_REJECTED,
			"volume: its record of secrets is unreadable");
}

static uint64_t
seen_version(const struct seen_all *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].name, name) == 0)
			return s->v[i].version;
	return 0;
}

static enum dstack_status
seen_note(struct seen_all *s, const char *name, uint64_t version,
    struct why *why)
{
	size_t i = 0;

	while (i < s->n && strcmp(s->v[i].name, name) != 0)
		i++;
	if (i == SEEN_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "this app has had over %d names of secrets", SEEN_MAX);
	(void)snprintf(s->v[i].name, sizeof(s->v[i].name), "%s", name);
	s->v[i].version = version;
	s->n += i == s->n;
	return DSTACK_OK;
}

static enum dstack_status
seen_write(const struct seen_all *s, struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);

	for (size_t i = 0; i < s->n; i++)
		wr_fmt(&w, "%" PRIu64 " %s\n", s->v[i].version, s->v[i].name);
	AUTO_CLOSE int dir = open(PATH_VOLUME "/system",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int fd = dir < 0 || wr_status(&w) != DSTACK_OK
	    ? -1
	    : openat(dir, "secrets.new",
		  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, w.buf, w.len) != (ssize_t)w.len ||
	    fsync(fd) != 0 ||
	    renameat(dir, "secrets.new", dir, "secrets") != 0 ||
	    fsync(dir) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "volume: its record of secrets: %s", strerror(errno));
	return DSTACK_OK;
}

/* One file of the host's, judged but for what only keyd can say. */
static enum dstack_status
fetch(const char *name, const struct state_app *r, const struct seen_all *seen,
    struct wr *file, struct appsecret *s, struct why *why)
{
	char path[160];
	uint64_t size = 0;
	const uint8_t *p = NULL;

	(void)snprintf(path, sizeof(path), "/file/" APPSECRET_FILE "%s/0/%u",
	    name, APPSECRET_FILE_MAX);
	enum dstack_status st = link_fetch(FD_EDGE + ROLE_HOSTLINK, path, NULL,
	    0, file, NULL);
	struct rd in = rd_over(file->buf, file->len);
	if (st != DSTACK_OK || rd_u64be(&in, &size) != DSTACK_OK)
		return why_set(why, DSTACK_E_BUSY, "waits for the secret %s: "
		    "dstack secret set %s", name, name);
	size_t n = rd_left(&in);
	if (n != size || rd_take(&in, n, &p) != DSTACK_OK ||
	    appsecret_get(p, n, s) != DSTACK_OK)
		return why_set(why, DSTACK_E_BUSY, "host_volume/"
		    APPSECRET_FILE "%s is no sealed secret: set it again",
		    name);
	if (strcmp(s->name, name) != 0 ||
	    memcmp(s->app_id, r->app_id, 32) != 0)
		return why_set(why, DSTACK_E_BUSY, "host_volume/"
		    APPSECRET_FILE "%s is another app's or another secret: set "
		    "it again", name);
	uint64_t had = seen_version(seen, name);
	if (s->version < had)
		return why_set(why, DSTACK_E_BUSY, "the secret %s is version %"
		    PRIu64 ", this node has seen %" PRIu64 ": it is an old one",
		    name, s->version, had);
	return DSTACK_OK;
}

/* None named is DSTACK_OK with n 0; the label was judged with the image. */
static enum dstack_status
named(const struct oci_config *c, struct appsecret_names *out,
    struct why *why)
{
	const char *label = oci_label(c, APPSECRET_LABEL);

	out->n = 0;
	if (label == NULL)
		return DSTACK_OK;
	enum dstack_status st = appsecret_names_parse(label, out);
	return st == DSTACK_OK
	    ? st
	    : why_set(why, st, "label " APPSECRET_LABEL " is no list of names");
}

/* What c names, in a version of r: there, and not old? */
static enum dstack_status
there(const struct oci_config *c, const struct state_app *r,
    const struct seen_all *seen, struct why *why)
{
	struct appsecret_names names;
	enum dstack_status st = named(c, &names, why);

	for (size_t i = 0; st == DSTACK_OK && i < names.n; i++) {
		AUTO_WR struct wr file = wr_new(LINK_MAX_BODY);
		struct appsecret s;
		st = fetch(names.name[i], r, seen, &file, &s, why);
	}
	return st;
}

enum dstack_status
secrets_there(
    const struct kube_stage *s, const struct state_app *r, struct why *why)
{
	const size_t n = s->bundle != NULL ? s->bundle->m.nservices : 1;
	struct seen_all seen;
	bool read = false;
	enum dstack_status st = DSTACK_OK;

	for (unsigned i = 0; st == DSTACK_OK && i < n; i++) {
		const struct oci_config *c = oci_config(
		    s->bundle != NULL ? s->bundle->image[i] : s->image);
		if (oci_label(c, APPSECRET_LABEL) == NULL)
			continue;
		/* an app without secrets does not depend on that record */
		if (!read)
			st = seen_read(&seen, why);
		read = true;
		if (st == DSTACK_OK)
			st = there(c, r, &seen, why);
	}
	return st;
}

static void
wipe_value(uint8_t **p)
{
	if (*p == NULL)
		return;
	explicit_bzero(*p, APPSECRET_VALUE_MAX);
	free(*p);
}

/* Opened by keyd for a key that is this call's own. */
static enum dstack_status
open_value(const struct wr *file, const struct appsecret *s, uint8_t *value,
    struct why *why)
{
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	AUTO_WR struct wr head = wr_new(256);
	uint8_t pub[32];
	const uint8_t *ct = NULL;
	size_t n = 0;

	if (getrandom(key.b, 32, 0) != 32)
		return why_set(why, DSTACK_E_SYS, "no randomness");
	enum dstack_status st = x25519_public(&key, pub);
	wr_put(&q, pub, 32);
	wr_blob(&q, file->buf + 8, file->len - 8); /* behind its size */
	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_GUEST_SERVICE, GS_SECRET, &q, NULL,
		    0, &a, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "secret %s", s->name);
	struct rd r = rd_over(a.buf, a.len);
	appsecret_head_put(&head, s);
	if (rd_blob(&r, IPC_MAX, &ct, &n) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK || n != s->ctlen ||
	    hpke_open(&key, APPSECRET_HOP_INFO, sizeof(APPSECRET_HOP_INFO) - 1,
	        head.buf, head.len, ct, n, value) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "secret %s: keyd's answer does not open", s->name);
	return DSTACK_OK;
}

static enum dstack_status
write_value(int dir, const struct spec_user *user, const struct appsecret *s,
    const uint8_t *value, struct why *why)
{
	size_t n = s->ctlen - HPKE_OVERHEAD;
	AUTO_CLOSE int fd = openat(dir, s->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	if (fd < 0 || write(fd, value, n) != (ssize_t)n ||
	    fchown(fd, SPEC_ID_BASE + user->uid, SPEC_ID_BASE + user->gid) !=
	        0 || fchmod(fd, 0400) != 0)
		return why_set(why, DSTACK_E_SYS, "secret %s: %s", s->name,
		    strerror(errno));
	return DSTACK_OK;
}

/* The folder of a container that becomes its /run/secrets; -1 and errno. */
static int
folder(const struct container *c)
{
	/* the folder is root's inside, as Docker has it: names are no secret */
	if (mkdirat(c->dirfd, SECRETS_DIR, 0755) != 0)
		return -1;
	AUTO_CLOSE int dir = openat(c->dirfd, SECRETS_DIR,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir >= 0 && fchmod(dir, 0755) == 0 ? take_fd(&dir) : -1;
}

/* Into one container what its image, or its service, names. */
static enum dstack_status
give(const struct app *x, struct seen_all *seen, uint8_t *value,
    struct why *why)
{
	const struct oci_config *c = oci_config(x->image);
	struct appsecret_names names;
	struct spec_user user;

	enum dstack_status st = named(c, &names, why);
	if (st != DSTACK_OK || names.n == 0)
		return st;
	AUTO_CLOSE int root = container_root(&x->box);
	st = spec_user(root, c->user, &user, why);
	if (st != DSTACK_OK)
		return st;
	AUTO_CLOSE int dir = folder(&x->box);
	if (dir < 0)
		return why_set(why, DSTACK_E_SYS, "secrets: %s",
		    strerror(errno));
	for (size_t i = 0; i < names.n && st == DSTACK_OK; i++) {
		AUTO_WR struct wr file = wr_new(LINK_MAX_BODY);
		struct appsecret s;
		st = fetch(names.name[i], &x->record, seen, &file, &s, why);
		if (st == DSTACK_OK)
			st = open_value(&file, &s, value, why);
		if (st == DSTACK_OK)
			st = seen_note(seen, s.name, s.version, why);
		if (st == DSTACK_OK)
			st = write_value(dir, &user, &s, value, why);
	}
	return st;
}

enum dstack_status
secrets_give(struct app *a, struct why *why)
{
	const size_t n = a->more != NULL ? a->more->m.nservices : 1;
	struct seen_all seen;
	bool any = false;

	for (unsigned i = 0; i < n; i++)
		any = any || oci_label(oci_config(services_at(a, i)->image),
				 APPSECRET_LABEL) != NULL;
	if (!any)
		return DSTACK_OK;
	OWN_CLEANUP(wipe_value) uint8_t *value = malloc(APPSECRET_VALUE_MAX);
	enum dstack_status st = value == NULL
	    ? why_set(why, DSTACK_E_NOMEM, "no memory")
	    : seen_read(&seen, why);
	for (unsigned i = 0; i < n && st == DSTACK_OK; i++)
		st = give(services_at(a, i), &seen, value, why);
	return st == DSTACK_OK ? seen_write(&seen, why) : st;
}
