/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pinned fingerprint to every locked package, as image/chain does it
 * for the build, but again and in its own words. Only bytes that a signature
 * covers are read: gpgv writes them out, nothing else of InRelease counts.
 *
 * In this order, each step believing only what the one before has shown: the
 * keyring package's hash is the lock's; a signature on the index is by a key
 * whose whole fingerprint the tree pins for that archive; the signed text is
 * of the suite and the date that the lock names, so that an older index of the
 * same suite does not pass; the Packages file has the hash that the text
 * names; and every row of the lock is in it, word for word, which is marked
 * and counted. Last, each file of the store has the bytes of its row.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/image/audit.h"
#include "cli/image/deb.h"
#include "cli/image/debian.h"
#include "host/base/proc.h"

#define GPGV "/usr/bin/gpgv"
#define RING "usr/share/keyrings/debian-archive-keyring.pgp"
#define PINS_MAX 32
#define PACKAGES_MAX (512u << 20)

struct pin {
	char archive[64], key[41];
};

static enum dstack_status
pins_read(struct pin *pins, size_t *n, struct why *why)
{
	char line[256], end;
	FILE *f = fopen(KEYS_PATH, "re");

	*n = 0;
	if (f == NULL)
		return why_set(why, DSTACK_E_MISSING, KEYS_PATH ": %s",
		    strerror(errno));
	enum dstack_status st = DSTACK_OK;
	while (st == DSTACK_OK && fgets(line, sizeof(line), f) != NULL) {
		struct pin *p = &pins[*n];
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (*n == PINS_MAX ||
		    sscanf(line, "%63s %40s %c", p->archive, p->key, &end) !=
			2 ||
		    /* Whole fingerprints: shorter ids can be forged. */
		    strspn(p->key, "0123456789ABCDEF") != 40)
			st = why_set(why, DSTACK_E_REJECTED,
			    KEYS_PATH ": not ARCHIVE FINGERPRINT: %.60s", line);
		else
			++*n;
	}
	(void)fclose(f);
	if (st == DSTACK_OK && *n == 0)
		st = why_set(why, DSTACK_E_REJECTED, KEYS_PATH " pins no key");
	return st;
}

static enum dstack_status
write_file(const char *path, const char *p, size_t n, struct why *why)
{
	FILE *f = fopen(path, "wbe");

	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%.200s: %s", path, strerror(errno));
	return DSTACK_OK;
}

/* The keyring out of the locked package, to work/ring.gpg. */
static enum dstack_status
ring_unpack(struct audit *a, const struct lock_row **row, struct why *why)
{
	char path[PATH_LEN];
	AUTO_MAP struct mapped deb = { NULL, 0 };
	AUTO_FREE char *ring = NULL;
	size_t n = 0;

	*row = NULL;
	for (size_t i = 0; i < a->lock.nrows; i++)
		if (strcmp(a->lock.rows[i].use, "keys") == 0)
			*row = &a->lock.rows[i];
	if (*row == NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "the lock file has no package with the archive's keys");
	enum dstack_status st =
	    store_open((*row)->name, (*row)->sha256, &deb, why);
	if (st == DSTACK_OK)
		st = deb_text(&deb, "data.tar", RING, &ring, &n, why);
	(void)snprintf(path, sizeof(path), "%s/ring.gpg", a->work);
	return st == DSTACK_OK ? write_file(path, ring, n, why) : st;
}

/* gpgv's words on its status descriptor: which pinned key signed this? */
static enum dstack_status
signer(const char *status, const struct lock_index *x, const struct pin *pins,
    size_t npins, const char **by, struct why *why)
{
	char line[512];
	FILE *f = fopen(status, "re");

	*by = NULL;
	if (f == NULL)
		return why_set(
		    why, DSTACK_E_SYS, "%.200s: %s", status, strerror(errno));
	bool bad = false;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		/*
		 * One wrong signature spoils the file, though another may be
		 * right.
		 */
		bad = bad || strncmp(line, "[GNUPG:] BADSIG ", 16) == 0;
		if (strncmp(line, "[GNUPG:] VALIDSIG ", 18) != 0)
			continue;
		/* its last word is the fingerprint of the primary key */
		const char *key = strrchr(line, ' ') + 1;
		for (size_t i = 0; i < npins; i++)
			if (strcmp(pins[i].key, key) == 0 &&
			    strcmp(pins[i].archive, x->archive) == 0)
				*by = pins[i].key;
	}
	(void)fclose(f);
	if (bad)
		return why_set(why, DSTACK_E_REJECTED,
		    "a signature of the index of %s is wrong", x->suite);
	if (*by == NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "no key of " KEYS_PATH " signed the index of %s",
		    x->suite);
	return DSTACK_OK;
}

/* The InRelease of x: verified text to work/release. */
static enum dstack_status
verify(struct audit *a, const struct lock_index *x, const struct pin *pins,
    size_t npins, const char **by, struct why *why)
{
	char ring[PATH_LEN], out[PATH_LEN], status[PATH_LEN], in[PATH_LEN];
	char date[64], suite[64];
	AUTO_MAP struct mapped m = { NULL, 0 };
	enum dstack_status st = store_open(x->suite, x->inrelease, &m, why);
	pid_t pid = 0;
	int fate = 0;

	if (st != DSTACK_OK)
		return st;
	(void)snprintf(ring, sizeof(ring), "%s/ring.gpg", a->work);
	(void)snprintf(out, sizeof(out), "%s/release", a->work);
	(void)snprintf(status, sizeof(status), "%s/status", a->work);
	store_path(x->inrelease, in);
	(void)unlink(out);
	char *argv[] = { (char[]){ GPGV }, (char[]){ "--log-file" },
		(char[]){ "/dev/null" }, (char[]){ "--status-fd" },
		(char[]){ "1" }, (char[]){ "--keyring" }, ring,
		(char[]){ "--output" }, out, in, NULL };
	AUTO_CLOSE int fd =
	    open(status, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%.200s: %s", status, strerror(errno));
	st = proc_start(argv, fd, false, &pid, why);
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_MISSING, "apt-get install gpgv");
	while (waitpid(pid, &fate, 0) < 0 && errno == EINTR)
		;
	/* its exit status also says no when a key it need not know is not in
	 * the ring: what counts is which pinned key did sign */
	st = signer(status, x, pins, npins, by, why);
	map_close(&m);
	if (st == DSTACK_OK)
		st = map_open(out, &m, why);
	if (st != DSTACK_OK)
		return st;
	if (debian_field((const char *)m.p, m.len, "Codename", suite,
		sizeof(suite)) != DSTACK_OK ||
	    debian_field((const char *)m.p, m.len, "Date", date,
		sizeof(date)) != DSTACK_OK ||
	    strcmp(suite, x->suite) != 0 || strcmp(date, x->date) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the index signed is not that of %s, %s", x->suite,
		    x->date);
	return DSTACK_OK;
}

/* Mark the rows that this index has, exactly as they are locked. */
static enum dstack_status
find_rows(struct audit *a, const struct lock_index *x, const char *text,
    size_t n, struct why *why)
{
	struct debian_index in = { text, n };
	struct debian_package p;
	enum dstack_status st;

	while ((st = debian_next(&in, &p)) == DSTACK_OK) {
		for (size_t i = 0; i < a->lock.nrows; i++) {
			struct lock_row *r = &a->lock.rows[i];
			if (debian_is(p.sha256, r->sha256) &&
			    debian_is(p.name, r->name) &&
			    debian_is(p.version, r->version) &&
			    debian_is(p.filename, r->path) &&
			    p.size == r->size &&
			    strcmp(r->suite, x->suite) == 0 &&
			    strcmp(r->archive, x->archive) == 0)
				r->found = true;
		}
	}
	return st == DSTACK_E_MISSING
	    ? DSTACK_OK
	    : why_set(why, st, "the index of %s is garbled", x->suite);
}

static enum dstack_status
follow(struct audit *a, const struct lock_index *x, struct why *why)
{
	char path[PATH_LEN], sum[65];
	AUTO_MAP struct mapped rel = { NULL, 0 };
	AUTO_MAP struct mapped xz = { NULL, 0 };
	AUTO_FREE char *text = NULL;
	uint64_t size = 0;
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/release", a->work);
	enum dstack_status st = map_open(path, &rel, why);
	if (st != DSTACK_OK)
		return st;
	if (debian_release_sum((const char *)rel.p, rel.len, x->index, sum,
		&size) != DSTACK_OK ||
	    strcmp(sum, x->sha256) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s did not sign the %s that is locked", x->suite,
		    x->index);
	st = store_open(x->suite, x->sha256, &xz, why);
	if (st == DSTACK_OK && xz.len != size)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%s of %s: another size than signed", x->index, x->suite);
	if (st == DSTACK_OK)
		st = unpack_bytes(
		    xz.p, xz.len, PACKAGES_MAX, &text, &n, why);
	return st == DSTACK_OK ? find_rows(a, x, text, n, why) : st;
}

static void
check_store(struct audit *a)
{
	struct why why = { "" };
	enum dstack_status st, worst = DSTACK_OK;
	size_t n = 0;

	for (size_t i = 0; i < a->lock.nrows; i++) {
		AUTO_MAP struct mapped m = { NULL, 0 };
		const struct lock_row *r = &a->lock.rows[i];
		n++;
		struct why one = { "" };
		st = store_open(r->name, r->sha256, &m, &one);
		if (st == DSTACK_OK && m.len != r->size)
			st = why_set(&one, DSTACK_E_REJECTED,
			    "%s: another size than locked", r->name);
		if (st != DSTACK_OK && worst != DSTACK_E_REJECTED) {
			worst = st;
			why = one;
		}
	}
	if (worst == DSTACK_OK)
		audit_say(a, "store", worst,
		    "%zu packages have the bytes that are locked", n);
	else
		audit_say(a, "store", worst, "%s", why.text);
}

void
audit_chain(struct audit *a)
{
	struct pin pins[PINS_MAX];
	const struct lock_row *ring = NULL;
	struct why why = { "" };
	size_t npins = 0, missing = 0;
	const char *first = NULL;
	bool whole = true;

	enum dstack_status st = pins_read(pins, &npins, &why);
	if (st == DSTACK_OK)
		st = ring_unpack(a, &ring, &why);
	if (st != DSTACK_OK) {
		audit_say(a, "keys", st, "%s", why.text);
		check_store(a);
		return;
	}
	audit_say(a, "keys", st, "%zu fingerprints pinned; the keys are of %s %s",
	    npins, ring->name, ring->version);
	for (size_t i = 0; i < a->lock.nindexes; i++) {
		const struct lock_index *x = &a->lock.indexes[i];
		const char *by = NULL;
		st = verify(a, x, pins, npins, &by, &why);
		if (st == DSTACK_OK) {
			audit_say(a, "signature", st, "%s, %s, by %s",
			    x->suite, x->date, by);
			st = follow(a, x, &why);
			if (st != DSTACK_OK)
				audit_say(a, "index", st, "%s", why.text);
		} else {
			audit_say(a, "signature", st, "%s", why.text);
		}
		whole = whole && st == DSTACK_OK;
	}
	for (size_t i = 0; i < a->lock.nrows; i++) {
		if (a->lock.rows[i].found)
			continue;
		if (missing++ == 0)
			first = a->lock.rows[i].name;
	}
	if (missing == 0)
		audit_say(a, "lock", DSTACK_OK,
		    "%zu packages are as %zu signed indexes have them",
		    a->lock.nrows, a->lock.nindexes);
	else
		audit_say(a, "lock",
		    whole ? DSTACK_E_REJECTED : DSTACK_E_MISSING,
		    "%zu of %zu packages, the first %s, are in no signed "
		    "index as they are locked", missing, a->lock.nrows, first);
	check_store(a);
}
