/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack secret: a value that only the app reads, from its owner's machine.
 *
 * set asks a node for the app's public key. The answer comes through a host,
 * so it is judged here: app and epoch are the contract's, and the statement
 * that the key is that app's must be signed by the epoch's key xPub, which the
 * contract names. Only then the value is read (standard input or a file, never
 * an argument), sealed under name and version, and put into the host volume of
 * each node; a node of somebody else's gets the same file by hand. list shows
 * what lies in these folders, which is all that anybody but the app can see.
 */
#include "cli/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/app/where.h"
#include "cli/usage.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/base/files.h"
#include "host/node/node.h"
#include "protocol/appsecret.h"
#include "protocol/statements.h"

static const struct usage uses[] = {
	{ "secret set",
	    "dstack secret set NAME [--file FILE] [--config FILE]... [--dir DIR]\n"
	    "           seal a value (standard input, or --file) for the app and\n"
	    "           put it into its nodes' host volumes; the image's label\n"
	    "           dstack.secrets names it, the app finds it at\n"
	    "           /run/secrets/NAME when it starts next",
	    NULL, NULL },
	{ "secret list",
	    "dstack secret list [--config FILE]... [--dir DIR]\n"
	    "           which there are, with their versions",
	    "config dir", NULL },
	{ NULL, NULL, NULL, NULL },
};

struct value {
	uint8_t *p;
	size_t n;
};

static void
value_free(struct value *v)
{
	if (v->p != NULL)
		explicit_bzero(v->p, APPSECRET_VALUE_MAX + 1);
	free(v->p);
}
#define AUTO_VALUE OWN_CLEANUP(value_free)

static enum dstack_status
read_value(const char *path, struct value *v, struct why *why)
{
	AUTO_CLOSE int own =
	    path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int fd = path != NULL ? own : STDIN_FILENO;
	ssize_t got = 0;

	v->p = malloc(APPSECRET_VALUE_MAX + 1);
	if (v->p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	while (fd >= 0 && v->n <= APPSECRET_VALUE_MAX &&
	    (got = read(fd, v->p + v->n, APPSECRET_VALUE_MAX + 1 - v->n)) > 0)
		v->n += (size_t)got;
	if (fd < 0 || got < 0)
		return why_set(why, DSTACK_E_SYS, "%.200s: %s",
		    path != NULL ? path : "standard input", strerror(errno));
	if (v->n > APPSECRET_VALUE_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "a secret has at most %u bytes", APPSECRET_VALUE_MAX);
	return DSTACK_OK;
}

/*
 * The key that a node names, if the network has signed that it is this app's.
 * said: "secretKey" of its /status.
 */
static enum dstack_status
judge(const json_t *said, const struct eip712_domain *domain,
    const struct gov_view *v, uint8_t pub[static 32], struct why *why)
{
	static const uint8_t system_app[32] = { 0 };
	uint8_t data[64];
	uint8_t sig[SECP_SIG_LEN];
	uint8_t app_data[32];
	uint8_t digest[32];
	uint8_t signer[20];

	if (eth_json_fixed(json_object_get(said, "key"), pub, 32) !=
	        DSTACK_OK ||
	    eth_json_fixed(json_object_get(said, "sig"), sig, sizeof(sig)) !=
	        DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "it names no key yet; does it run?");
	memcpy(data, v->app.app_id, 32);
	memcpy(data + 32, pub, 32);
	stmt_app_data(domain, system_app, v->head.current_epoch, APPSECRET_TAG,
	    data, sizeof(data), app_data);
	stmt_attest_digest(app_data, digest);
	if (secp_recover(digest, sig, signer) != DSTACK_OK ||
	    memcmp(signer, v->epoch.xpub, 20) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "its key is not signed by the network: nothing is sealed "
		    "to it");
	return DSTACK_OK;
}

/* From the first node that answers; each could give the same. */
static enum dstack_status
app_key(const struct where *w, const struct gov_view *v,
    uint8_t pub[static 32], struct why *why)
{
	struct eip712_domain domain = { .chain_id = w->gov.chain_id };
	enum dstack_status st = why_set(why, DSTACK_E_MISSING,
	    "no node here runs; one must tell the app's key");

	memcpy(domain.contract, w->gov.contract, 20);
	for (unsigned i = 0; i < w->nodes; i++) {
		struct node_status s;
		if (node_status_read(w->state[i], &s, NULL) != DSTACK_OK ||
		    !s.alive || s.control[0] == '\0')
			continue;
		json_t *guest = cmd_guest_status(s.control);
		struct why no = { "" };
		st = judge(json_object_get(guest, "secretKey"), &domain, v,
		    pub, &no);
		json_decref(guest);
		if (st == DSTACK_OK)
			return st;
		st = why_set(why, st, "node %u: %.200s", i, no.text);
		if (st == DSTACK_E_REJECTED)
			return st;
	}
	return st;
}

/* The file of a name in a folder. False: there is none, or it is no such. */
static bool
look(const char *volume, const char *file, uint8_t *buf, struct appsecret *s)
{
	char path[CONFIG_TEXT + 80];

	(void)snprintf(path, sizeof(path), "%s/%s", volume, file);
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, buf, APPSECRET_FILE_MAX) : -1;
	return n > 0 && appsecret_get(buf, (size_t)n, s) == DSTACK_OK;
}

/*
 * Above every version that is here, and the time in seconds at least: a file
 * that a host has removed does not bring the count back.
 */
static uint64_t
next_version(const struct where *w, const char *file, uint8_t *buf)
{
	uint64_t next = (uint64_t)time(NULL);
	struct appsecret s;

	for (unsigned i = 0; i < w->nodes; i++)
		if (look(w->volume[i], file, buf, &s) && s.version >= next &&
		    s.version < UINT64_MAX)
			next = s.version + 1;
	return next;
}

static enum dstack_status
give(const struct where *w, const char *file, const struct wr *out,
    struct why *why)
{
	for (unsigned i = 0; i < w->nodes; i++) {
		AUTO_CLOSE int dir = -1;
		enum dstack_status st = files_open(w->volume[i], &dir, why);
		if (st == DSTACK_OK)
			st = files_put(dir, file, out->buf, out->len, why);
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

static enum dstack_status
set(struct where *w, const char *name, const char *path, struct why *why)
{
	AUTO_VALUE struct value v = { NULL, 0 };
	AUTO_WIPE32 struct secret32 ephemeral = { { 0 } };
	AUTO_WR struct wr out = wr_new(APPSECRET_FILE_MAX);
	AUTO_FREE uint8_t *buf = malloc(APPSECRET_FILE_MAX);
	struct appsecret s = { .epoch = 0 };
	struct gov_view view;
	char file[64];
	uint8_t pub[32];

	memset(&view, 0, sizeof(view));
	(void)snprintf(file, sizeof(file), APPSECRET_FILE "%s", name);
	enum dstack_status st = buf != NULL ? where_find(w, why)
					    : DSTACK_E_NOMEM;
	if (st == DSTACK_OK)
		st = gov_read(&w->gov, &view, why);
	if (st == DSTACK_OK && view.app.version == 0)
		st = why_set(why, DSTACK_E_MISSING,
		    "the contract names no app yet: push one first; it waits "
		    "for its secrets");
	if (st == DSTACK_OK)
		st = app_key(w, &view, pub, why);
	/* read last: who types it has been told by now if it cannot be */
	if (st == DSTACK_OK)
		st = read_value(path, &v, why);
	if (st != DSTACK_OK)
		return st;
	s.epoch = view.head.current_epoch;
	memcpy(s.app_id, view.app.app_id, 32);
	(void)snprintf(s.name, sizeof(s.name), "%s", name);
	s.version = next_version(w, file, buf);
	if (getrandom(ephemeral.b, 32, 0) != 32)
		return why_set(why, DSTACK_E_SYS, "no randomness");
	st = appsecret_put(&out, &s, pub, &ephemeral, v.p, v.n);
	if (st != DSTACK_OK)
		return why_set(why, st, "it cannot be sealed");
	st = give(w, file, &out, why);
	if (st == DSTACK_OK)
		printf("%s version %" PRIu64 ", %zu bytes, sealed into %u host "
		       "volumes\n", name, s.version, v.n, w->nodes);
	return st;
}

static enum dstack_status
list(struct where *w, struct why *why)
{
	AUTO_FREE uint8_t *buf = malloc(APPSECRET_FILE_MAX);
	enum dstack_status st = buf != NULL ? where_folders(w, why)
					    : DSTACK_E_NOMEM;

	for (unsigned i = 0; i < w->nodes && st == DSTACK_OK; i++) {
		struct dirent **names = NULL;
		int n = scandir(w->volume[i], &names, NULL, alphasort);
		if (n < 0)
			return why_set(why, DSTACK_E_SYS, "%.200s: %s",
			    w->volume[i], strerror(errno));
		for (int k = 0; k < n; k++) {
			const char *file = names[k]->d_name;
			struct appsecret s;
			if (strncmp(file, APPSECRET_FILE,
			        strlen(APPSECRET_FILE)) != 0)
				continue;
			if (look(w->volume[i], file, buf, &s) &&
			    strcmp(s.name, file + strlen(APPSECRET_FILE)) == 0)
				printf("node %-4u %s version %" PRIu64
				       ", epoch %" PRIu64 "\n", i, s.name,
				    s.version, s.epoch);
			else
				printf("node %-4u %.80s: no sealed secret, set "
				       "it again\n", i, file);
		}
		for (int k = 0; k < n; k++)
			free(names[k]);
		free(names);
	}
	return st;
}

int
cmd_secret(int argc, char **argv)
{
	static const struct option lopt[] = { { "config", 1, NULL, 'c' },
		{ "dir", 1, NULL, 'd' }, { "file", 1, NULL, 'f' },
		{ NULL, 0, NULL, 0 } };
	struct where w = { .no_key = true };
	struct why why = { "" };
	const char *file = NULL;
	int c;
	const struct usage *u = usage_sub(uses, NULL, argc, argv);
	bool sets = u == uses;

	argc--;
	argv++;
	while ((c = usage_next(u, argc, argv, lopt)) != -1)
		if (!where_option(&w, u, c))
			file = optarg;
	usage_words(u, argc, argv, sets, sets, sets ? "NAME" : "");
	where_options_end(&w, u);
	if (sets && !appsecret_name_ok(argv[optind]))
		usage_wrong(u, "a name is 1 to %d of [A-Za-z0-9_.-], the first "
		    "no dot", APPSECRET_NAME_MAX);
	enum dstack_status st = sets ? set(&w, argv[optind], file, &why)
				     : list(&w, &why);
	where_free(&w);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("secret", st, &why);
}
