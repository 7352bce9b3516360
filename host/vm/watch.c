/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In comes QMP, a JSON object a line, from a QEMU that a guest may have taken
 * over: lines are bounded, what is no object or not known is passed over, and
 * all that is believed is whether the VM stands still. STOP has no reason in
 * it, so the state is asked for after it; "io-error" is the one that ends by
 * itself. Room is looked for where the disk's file is. A guess of it can be
 * wrong in both ways (quotas, holes), so cont is also tried every RETRY_MS: if
 * it was too early, QEMU stops the VM again before the guest has lost a
 * write, which is tried anew each time.
 */
#include "host/vm/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <jansson.h>

#define ROOM (16ull << 20) /* bytes that make a try worth it */
#define RETRY_MS 10000u
#define STEP_MS 500u   /* between tries, with room */
#define STEADY_MS 2000u /* a VM that runs so long has got over it */

void
vm_watch_begin(struct vm_watch *w, int fd)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
}

void
vm_watch_end(struct vm_watch *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
}

/* A monitor that does not read has no place for more: it is asked later. */
static void
ask(const struct vm_watch *w, const char *command)
{
	char text[64];
	int n = snprintf(
	    text, sizeof(text), "{\"execute\":\"%s\"}", command);

	(void)!send(w->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static const char *
str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
on_event(struct vm_watch *w, const json_t *o, const char *name, uint64_t now)
{
	if (strcmp(name, "BLOCK_IO_ERROR") == 0) {
		const char *why = str(json_object_get(o, "data"), "reason");
		(void)snprintf(w->reason, sizeof(w->reason), "%s",
		    why[0] != '\0' ? why : "I/O error");
	} else if (strcmp(name, "STOP") == 0) {
		w->stopped = true;
		w->resumed = 0;
		ask(w, "query-status");
	} else if (strcmp(name, "RESUME") == 0) {
		w->stopped = w->io_error = false;
		w->resumed = now;
	}
}

static void
on_state(struct vm_watch *w, const char *state, uint64_t now)
{
	w->io_error = strcmp(state, "io-error") == 0;
	if (w->io_error && w->retry <= now)
		w->retry = now + RETRY_MS;
	if (!w->io_error)
		(void)snprintf(w->text, sizeof(w->text),
		    "the VM stands still: QEMU says %.60s", state);
}

static void
on_line(struct vm_watch *w, uint64_t now)
{
	json_t *o = json_loadb(w->line, w->len, 0, NULL);

	if (json_object_get(o, "QMP") != NULL) {
		/* a VM that had stopped before we came is asked for as well */
		ask(w, "qmp_capabilities");
		ask(w, "query-status");
	} else if (str(o, "event")[0] != '\0') {
		on_event(w, o, str(o, "event"), now);
	} else {
		const json_t *r = json_object_get(o, "return");
		const json_t *running = json_object_get(r, "running");
		if (json_is_false(running)) {
			w->stopped = true;
			on_state(w, str(r, "status"), now);
		}
	}
	json_decref(o);
}

static void
take(struct vm_watch *w, uint64_t now)
{
	char buf[1024];
	ssize_t n = -1;

	/* at most a few kilobytes a step: the node has more to do */
	for (int k = 0; k < 16 && w->fd >= 0; k++) {
		n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n') {
				if (!w->skipping)
					on_line(w, now);
				w->len = 0;
				w->skipping = false;
			} else if (w->len < sizeof(w->line)) {
				w->line[w->len++] = buf[i];
			} else {
				w->skipping = true;
			}
		}
	}
	/* QEMU is gone, which its process id tells better */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		vm_watch_end(w);
}

static uint64_t
room(const char *disk)
{
	struct statvfs v;

	if (statvfs(disk, &v) != 0)
		return 0;
	return (uint64_t)v.f_bavail * (uint64_t)v.f_frsize;
}

bool
vm_watch_step(struct vm_watch *w, const char *disk, uint64_t now)
{
	char had[sizeof(w->text)];

	memcpy(had, w->text, sizeof(had));
	take(w, now);
	if (w->stopped && w->io_error) {
		uint64_t free = room(disk);
		const char *why =
		    w->reason[0] != '\0' ? w->reason : "No space left on device";
		if (w->text[0] == '\0')
			(void)snprintf(w->text, sizeof(w->text),
			    "host disk full: %.120s: %.60s; make room, the VM "
			    "goes on by itself", disk, why);
		if (free >= ROOM && w->retry > now + STEP_MS)
			w->retry = now + STEP_MS;
		if (now >= w->retry) {
			ask(w, "cont");
			w->retry = now + RETRY_MS;
		}
	}
	if (!w->stopped && w->resumed != 0 && now - w->resumed > STEADY_MS) {
		w->resumed = 0;
		w->text[0] = w->reason[0] = '\0';
	}
	return strcmp(had, w->text) != 0;
}
