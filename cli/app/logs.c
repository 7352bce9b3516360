/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app logs: what the app has written, from the folders where the hosts
 * of its nodes have left it (logread.c says what is judged of it). The lines
 * of a node come in the guest's order; of several nodes, node after node, and
 * with -f as they come. Exit status 0: all is there and in order; 1: something
 * is missing, altered, or sealed to a key that is not given.
 *
 * --new-key makes the pair that an image's label names: the secret half goes
 * to a new file that only its owner reads, the public half is printed as the
 * label.
 */
#include "cli/app/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/app/where.h"
#include "cli/cmd.h"
#include "crypto/hpke.h"
#include "host/base/logs.h"
#include "host/base/proc.h"

#define PAUSE_MS 500

struct of_node {
	unsigned index;
	bool one; /* there is no other: its number need not be said */
};

static void
stamp(const struct of_node *n, uint64_t ms, char out[static 64])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t at = 0;

	/* the year 9999 is enough, and strftime's room is ours */
	if (ms < 253402300800000u && gmtime_r(&t, &tm) != NULL)
		at = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	if (at != 0)
		(void)snprintf(out + at, 64 - at, ".%03uZ",
		    (unsigned)(ms % 1000));
	else
		(void)snprintf(out, 64, "-");
	at = strlen(out);
	if (!n->one)
		(void)snprintf(out + at, 64 - at, " node %u", n->index);
}

static void
on_line(void *ctx, uint64_t ms, uint64_t version, enum applog_from from,
    const char *text)
{
	char head[64];

	stamp(ctx, ms, head);
	(void)printf("%s v%llu %s%s%s\n", head, (unsigned long long)version,
	    from == APPLOG_GUEST ? "-- " : "", text,
	    from == APPLOG_GUEST ? " --" : "");
}

static void
on_fault(void *ctx, const char *text)
{
	const struct of_node *n = ctx;

	(void)fflush(stdout);
	(void)fprintf(stderr, "dstack: app logs: node %u: %s\n", n->index, text);
}

static int
new_key(const char *path)
{
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	struct why why = { "" };
	char text[66];
	uint8_t pub[32];

	if (getrandom(key.b, 32, 0) != 32 ||
	    x25519_public(&key, pub) != DSTACK_OK)
		return cmd_fail("app logs", why_set(&why, DSTACK_E_SYS,
		    "no key: %s", strerror(errno)), &why);
	AUTO_CLOSE int fd = open(path,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	hex_encode(key.b, 32, text);
	text[64] = '\n';
	bool ok = fd >= 0 && write(fd, text, 65) == 65 && fsync(fd) == 0;
	explicit_bzero(text, sizeof(text));
	if (!ok) /* one that is there is not written over: it opens old logs */
		return cmd_fail("app logs", why_set(&why, DSTACK_E_SYS,
		    "%.200s: %s", path, strerror(errno)), &why);
	hex_encode(pub, 32, text);
	(void)printf(APPLOG_LABEL "=%s\n", text);
	return EXIT_YES;
}

static int
follow(struct where *w, const struct secret32 *key, bool on, int node)
{
	struct logs l[DEMO_NODES_MAX];
	struct of_node n[DEMO_NODES_MAX];
	char path[DEMO_NODES_MAX][CONFIG_TEXT + 8];
	struct why why = { "" };
	enum dstack_status st = DSTACK_OK;
	bool wrong = false;

	for (unsigned i = 0; i < w->nodes; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/" LOGS_DIR,
		    w->volume[i]);
		n[i] = (struct of_node){ i, w->nodes == 1 || node >= 0 };
		l[i] = (struct logs){ .dir = -1, .path = path[i], .key = key,
			.line = on_line, .fault = on_fault, .ctx = &n[i] };
	}
	do {
		for (unsigned i = 0; i < w->nodes && st == DSTACK_OK; i++)
			if (node < 0 || (unsigned)node == i)
				st = logs_read(&l[i], &why);
		/* whoever reads may be gone: a pipe's end ends this too */
		if (fflush(stdout) != 0)
			break;
		if (on && st == DSTACK_OK)
			proc_pause_ms(PAUSE_MS);
	} while (on && st == DSTACK_OK);
	for (unsigned i = 0; i < w->nodes; i++) {
		wrong = wrong || l[i].wrong;
		logs_free(&l[i]);
	}
	if (st != DSTACK_OK)
		return cmd_fail("app logs", st, &why);
	return wrong ? EXIT_NO : EXIT_YES;
}

int
app_logs(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { { "config", 1, NULL, 'c' },
		{ "dir", 1, NULL, 'd' }, { "key", 1, NULL, 'K' },
		{ "new-key", 1, NULL, 'N' }, { "follow", 0, NULL, 'f' },
		{ "node", 1, NULL, 'n' }, { NULL, 0, NULL, 0 } };
	struct where w = { .no_key = true };
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	struct why why = { "" };
	const char *file = NULL;
	const char *fresh = NULL;
	bool on = false;
	int node = -1;
	int c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'K': file = optarg; break;
		case 'N': fresh = optarg; break;
		case 'f': on = true; break;
		case 'n':
			node = (int)usage_number(
			    u, "--node", optarg, 0, DEMO_NODES_MAX - 1);
			break;
		default: (void)where_option(&w, u, c); break;
		}
	}
	usage_words(u, argc, argv, 0, 0, "");
	where_options_end(&w, u);
	if (fresh != NULL && (file != NULL || on))
		usage_wrong(u, "--new-key makes a key and reads nothing");
	if (fresh != NULL)
		return new_key(fresh);
	enum dstack_status st = DSTACK_OK;
	if (file != NULL)
		st = cmd_read_key(file, &key, &why);
	if (st == DSTACK_OK)
		st = where_folders(&w, &why);
	if (st == DSTACK_OK && node >= (int)w.nodes)
		st = why_set(&why, DSTACK_E_MISSING, "there are %u nodes, "
		    "counted from 0", w.nodes);
	if (st != DSTACK_OK)
		return cmd_fail("app logs", st, &why);
	int rc = follow(&w, file != NULL ? &key : NULL, on, node);
	where_free(&w);
	return rc;
}
