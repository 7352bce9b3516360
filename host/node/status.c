/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.json: written by a node, read by demo and status. A new one takes the
 * old one's place by rename. Where there is no room for it, which is one of
 * the things it has to tell, the old file's blocks are written over: for that
 * it is always as long as two blocks, filled up with spaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/own.h"
#include "host/node/node_priv.h"

#define STATUS_MAX (16u * 1024)
#define FILL 8192u /* more than the texts of a struct node_status need */

const char *const node_phases[NODE_PHASES] = { "boot", "bootstrap",
	"register", "onboarded", "volume", "serving" };

/* One write: a reader sees the old text or the new one. */
static bool
over_old(const char *path, const char *block)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && pwrite(fd, block, FILL, 0) == (ssize_t)FILL;
}

static bool
put(const char *path, const char *block)
{
	AUTO_CLOSE int fd = open(path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	return fd >= 0 && write(fd, block, FILL) == (ssize_t)FILL;
}

enum dstack_status
node_status_write(
    const char *state_dir, const struct node_status *s, struct why *why)
{
	char path[CONFIG_TEXT + 16];
	char temp[CONFIG_TEXT + 16];
	json_t *at = json_object();

	for (size_t i = 0; i < NODE_PHASES; i++)
		if (s->at_ms[i] != 0)
			(void)json_object_set_new(at, node_phases[i],
			    json_integer((json_int_t)s->at_ms[i]));
	json_t *o = json_pack("{s:i,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "pid",
	    s->pid, "phase", s->phase, "at_ms", at, "https", s->https,
	    "control", s->control, "service", s->service, "guest", s->guest,
	    "said", s->said, "failed", s->failed, "trouble", s->trouble,
	    "relocked", s->relocked);
	char *dump = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
	size_t len = dump != NULL ? strlen(dump) : FILL;
	char file[FILL];
	(void)snprintf(path, sizeof(path), "%s/node.json", state_dir);
	(void)snprintf(temp, sizeof(temp), "%s/node.json.new", state_dir);
	errno = ENOMEM;
	bool ok = len < FILL;
	if (ok) {
		memset(file, ' ', sizeof(file));
		memcpy(file, dump, len);
		file[FILL - 1] = '\n';
		/* Readers see a whole file at any time. */
		ok = put(temp, file) && rename(temp, path) == 0;
	}
	int err = errno;
	ok = ok || (len < FILL && over_old(path, file));
	errno = err;
	free(dump);
	json_decref(o);
	if (ok) {
		(void)unlink(temp);
		return DSTACK_OK;
	}
	(void)why_set(why, DSTACK_E_SYS, "%s: %s; make room in STATE_DIR",
	    path, strerror(errno));
	(void)unlink(temp);
	return DSTACK_E_SYS;
}

static void
text(const json_t *o, const char *key, char *out, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, key));

	(void)snprintf(out, cap, "%s", s != NULL ? s : "");
}

/*
 * Written by a program of the same user; a file that is cut or strange is "not
 * there", and a process id that is no more is a node that is down.
 */
enum dstack_status
node_status_read(
    const char *state_dir, struct node_status *out, struct why *why)
{
	char path[CONFIG_TEXT + 16];
	char buf[STATUS_MAX];
	size_t n = 0;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "%s/node.json", state_dir);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_MISSING, "%s: %s", path, strerror(errno));
	while (n < sizeof(buf) &&
	    (got = read(fd, buf + n, sizeof(buf) - n)) > 0)
		n += (size_t)got;
	json_t *o = json_loadb(buf, n, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return why_set(
		    why, DSTACK_E_MISSING, "%s: not JSON; remove it", path);
	}
	memset(out, 0, sizeof(*out));
	out->pid = (int)json_integer_value(json_object_get(o, "pid"));
	out->alive = out->pid > 1 && kill(out->pid, 0) == 0;
	for (size_t i = 0; i < NODE_PHASES; i++)
		out->at_ms[i] = (uint64_t)json_integer_value(json_object_get(
		    json_object_get(o, "at_ms"), node_phases[i]));
	text(o, "phase", out->phase, sizeof(out->phase));
	text(o, "https", out->https, sizeof(out->https));
	text(o, "control", out->control, sizeof(out->control));
	text(o, "service", out->service, sizeof(out->service));
	text(o, "guest", out->guest, sizeof(out->guest));
	text(o, "said", out->said, sizeof(out->said));
	text(o, "failed", out->failed, sizeof(out->failed));
	text(o, "trouble", out->trouble, sizeof(out->trouble));
	text(o, "relocked", out->relocked, sizeof(out->relocked));
	json_decref(o);
	return DSTACK_OK;
}
