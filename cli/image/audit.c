/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image audit: is this image what this source tree and its lock file
 * make, and does every input lead back to a key that the tree pins?
 *
 * First the inputs: keys, signatures, indexes, lock file, store (chain.c).
 * Only if none of them is refused is the image built again from the store,
 * with the network cut off, since bytes of an input that is not the locked one
 * would prove nothing. Then each flavour by itself: its parts and entries
 * against its manifest (contents.c), the kernel's options (policy.c), the
 * packages that its bytes come from (sbom.c), and last the rebuilt bytes
 * against its own, which is what decides; the checks before it say where to
 * look when they differ.
 *
 * Every check says how it ended, also after one was refused: an auditor wants
 * the whole list. "Could not decide" is kept apart from "refused" up to the
 * exit code, so that a missing file is never read as a verdict.
 */
#include "cli/image/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/image/image.h"
#include "cli/usage.h"
#include "host/base/proc.h"

static int
unlink_each(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	(void)sb;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

/* The last line of a log, for a reason. */
static void
last_line(const char *path, struct why *out)
{
	char line[200];
	FILE *f = fopen(path, "re");

	out->text[0] = '\0';
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			(void)why_set(out, DSTACK_OK, "%s", line);
	}
	if (f != NULL)
		(void)fclose(f);
}

/* image/build into work/out, with nothing but the store to take from. */
static enum dstack_status
rebuild(struct audit *a, bool kernel, char out[static PATH_LEN],
    struct why *why)
{
	char log[PATH_LEN];
	pid_t pid = 0;
	int fate = -1;

	(void)snprintf(out, PATH_LEN, "%s/out", a->work);
	(void)snprintf(log, sizeof(log), "%s/log", a->work);
	(void)setenv("DSTACK_MIRROR", "http://0", 1);
	if (a->relocked)
		(void)setenv("DSTACK_LOCK", LOCK_TODAY, 1);
	else
		(void)unsetenv("DSTACK_LOCK");
	char *argv[] = { (char[]){ "image/build" },
		kernel ? (char[]){ "--fresh" } : (char[]){ "--fresh-guest" },
		out, NULL };
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%.200s: %s", log, strerror(errno));
	enum dstack_status st = proc_start(argv, fd, false, &pid, why);
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_MISSING, "no source tree here");
	while (waitpid(pid, &fate, 0) < 0 && errno == EINTR)
		;
	if (fate == 0)
		return DSTACK_OK;
	/* its own line says which input was missing: nothing could be fetched */
	last_line(log, why);
	return why_wrap(why, DSTACK_E_MISSING, "image/build failed");
}

static bool
is_image(const char *dir)
{
	char path[PATH_LEN];

	(void)snprintf(path, sizeof(path), "%.600s/manifest.json", dir);
	return access(path, F_OK) == 0;
}

static void
show_list(const json_t *about, const char *key, const char *title)
{
	const json_t *l = json_object_get(about, key);
	size_t i;
	json_t *o;

	printf("\n%s%s\n", title, json_array_size(l) == 0 ? ": none" : "");
	json_array_foreach (l, i, o)
		printf("  %s\n", json_string_value(o));
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* The flavours have their software and decisions in common: said once. */
static void
show(const json_t *about, bool all)
{
	size_t i;
	json_t *o;

	printf("%s", all ? "\nsoftware in it\n" : "");
	json_array_foreach (json_object_get(all ? about : NULL, "software"), i,
	    o)
		printf("  %-8s %-28s %s\n", text(o, "role"), text(o, "name"),
		    text(o, "version"));
	printf("%s", all ? "\ndecisions about the kernel\n" : "");
	json_array_foreach (json_object_get(all ? about : NULL, "kernel"), i, o)
		printf("  %-32s %-6s %s%s%s%s\n", text(o, "option"),
		    text(o, "value"), text(o, "why"),
		    strcmp(text(o, "holds"), "as wanted") == 0 ? "" : " (",
		    strcmp(text(o, "holds"), "as wanted") == 0
			? "" : text(o, "holds"),
		    strcmp(text(o, "holds"), "as wanted") == 0 ? "" : ")");
	show_list(about, "executable", "executable, or code to load");
	show_list(about, "setuid", "setuid or setgid");
	show_list(about, "writable", "writable by others than root");
	show_list(about, "devices", "devices");
}

/* One flavour; rebuilt NULL: not compared. */
static void
audit_image(struct audit *a, const char *dir, const char *rebuilt,
    const char *sbom)
{
	json_t *manifest = NULL;
	json_t *about = json_object();

	(void)json_object_set_new(about, "dir", json_string(dir));
	(void)json_array_append_new(a->images, about);
	audit_contents(a, dir, &manifest, about);
	if (manifest == NULL)
		return;
	audit_kernel(a, dir, about);
	json_t *software = audit_software(a, manifest);
	(void)json_object_set(about, "software", software);
	if (rebuilt != NULL)
		audit_rebuild(a, dir, rebuilt, text(manifest, "flavour"));
	if (sbom != NULL) {
		json_t *j = sbom_make(a, manifest, software);
		if (j == NULL || json_dump_file(j, sbom, JSON_INDENT(1)) != 0)
			audit_say(a, "sbom", DSTACK_E_SYS, "%.200s: %s", sbom,
			    strerror(errno));
		json_decref(j);
	}
	if (!a->json)
		show(about, json_array_size(a->images) == 1);
	json_decref(software);
	json_decref(manifest);
}

struct audit_options {
	bool json, rebuild, kernel, relocked;
	const char *sbom, *dir;
	const char *rebuilt; /* built by the auditor before */
};

static void
audit_run(struct audit *a, const struct audit_options *o, struct why *why)
{
	static const char *const flavours[] = { "sim", "tdx" };
	char out[PATH_LEN], dir[PATH_LEN];
	enum dstack_status st = lock_load(
	    o->relocked ? LOCK_TODAY : LOCK_PATH, &a->lock, why);
	const char *rebuilt = NULL;

	if (st != DSTACK_OK) {
		audit_say(a, "lock", st, "%s", why->text);
		return;
	}
	audit_chain(a);
	/* a store that is not what was locked is nothing to build from */
	if (o->rebuilt != NULL) {
		rebuilt = o->rebuilt;
	} else if (!o->rebuild) {
		audit_say(a, "rebuild", DSTACK_E_MISSING,
		    "not asked for (--no-rebuild)");
	} else if (a->refused) {
		audit_say(a, "rebuild", DSTACK_E_MISSING,
		    "not done: the inputs are refused");
	} else {
		st = rebuild(a, o->kernel, out, why);
		if (st == DSTACK_OK)
			rebuilt = out;
		else
			audit_say(a, "rebuild", st, "%s", why->text);
	}
	if (is_image(o->dir)) {
		audit_image(a, o->dir, rebuilt, o->sbom);
		return;
	}
	unsigned found = 0;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(
		    dir, sizeof(dir), "%.600s/%s", o->dir, flavours[i]);
		if (!is_image(dir))
			continue;
		found++;
		if (!a->json)
			printf("%s%s\n", i > 0 ? "\n" : "", dir);
		/* one list of software for both: the larger flavour's */
		audit_image(a, dir, rebuilt, i == 1 ? o->sbom : NULL);
	}
	if (found == 0)
		audit_say(a, "parts", DSTACK_E_MISSING,
		    "%.200s holds no image: no manifest.json in it", o->dir);
}

static int
verdict(struct audit *a, const char *dir)
{
	const char *word = a->refused ? "refused"
	    : a->undecided	      ? "undecided"
				      : "passed";

	if (a->json) {
		json_t *j = json_pack("{ssssssss?sOsO}", "audit", dir, "verdict",
		    word, "lock", a->lock.hash, "reason",
		    a->first.text[0] != '\0' ? a->first.text : NULL, "checks",
		    a->checks, "images", a->images);
		(void)json_dumpf(j, stdout, JSON_INDENT(1));
		printf("\n");
		json_decref(j);
	} else if (!a->refused && !a->undecided) {
		printf("\npassed: %s is what this tree and its lock file make\n",
		    dir);
	}
	(void)fflush(stdout);
	if (a->refused)
		return cmd_fail("image: refused", DSTACK_E_REJECTED, &a->first);
	if (a->undecided)
		return cmd_fail(
		    "image: undecided", DSTACK_E_MISSING, &a->first);
	return EXIT_YES;
}

int
image_audit(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { { "json", 0, NULL, 'j' },
		{ "sbom", 1, NULL, 's' }, { "no-rebuild", 0, NULL, 'n' },
		{ "kernel-from-store", 0, NULL, 'k' },
		{ "rebuilt", 1, NULL, 'r' }, { "relocked", 0, NULL, 'R' },
		{ NULL, 0, NULL, 0 } };
	struct audit_options o = { .rebuild = true, .kernel = true };
	struct why why = { "" };
	const char *tmp = getenv("TMPDIR");
	int c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'j': o.json = true; break;
		case 's': o.sbom = optarg; break;
		case 'n': o.rebuild = false; break;
		case 'k': o.kernel = false; break;
		case 'R': o.relocked = true; break;
		default: o.rebuilt = optarg; break;
		}
	}
	usage_words(u, argc, argv, 1, 1, "DIR");
	if ((o.rebuilt != NULL) + !o.rebuild + !o.kernel > 1)
		usage_wrong(u, "--rebuilt, --no-rebuild or "
		    "--kernel-from-store, not two of them");
	struct audit *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return cmd_fail("image", DSTACK_E_NOMEM, NULL);
	o.dir = argv[optind];
	a->json = o.json;
	a->relocked = o.relocked;
	a->checks = json_array();
	a->images = json_array();
	int n = snprintf(a->work, sizeof(a->work), "%s/dstack-audit.XXXXXX",
	    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	if (n >= (int)sizeof(a->work) || mkdtemp(a->work) == NULL) {
		audit_say(a, "work", DSTACK_E_SYS, "no temporary directory: %s",
		    strerror(errno));
	} else {
		audit_run(a, &o, &why);
		(void)nftw(a->work, unlink_each, 16, FTW_DEPTH | FTW_PHYS);
	}
	int rc = verdict(a, o.dir);
	json_decref(a->checks);
	json_decref(a->images);
	lock_clear(&a->lock);
	free(a);
	return rc;
}
