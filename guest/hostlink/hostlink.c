/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostlink: owns the stream to the host and passes the roles' requests on,
 * each role only to its own paths. One request at a time for each role,
 * several at a time on the link, told apart by id. Ids begin anywhere: one
 * that starts anew finds on the same port what its predecessor asked for.
 * Holds no key, opens no file; what the host answers is handed on as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/hostlink/hostlink.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"

#define ROLE(r) (1u << (r))
#define ANSWER_SECONDS 120 /* a host that is silent for longer is absent */

/* Path prefixes and who may ask them; a prefix ends at '/' or is the path. */
static const struct {
	const char *path;
	bool exact;
	unsigned roles;
} paths[] = {
    {"/file/netcfg/", false, ROLE(ROLE_INIT)},
    {"/file/certificate.pem/", false, ROLE(ROLE_TLS)},
    {"/file/", false, ROLE(ROLE_KUBERNETHES)},
    {"/files", true, ROLE(ROLE_KUBERNETHES)},
    {"/put/request.csr", true, ROLE(ROLE_TLS)},
    {"/put/tls-attestation.json", true, ROLE(ROLE_TLS)},
    {"/put/", false, ROLE(ROLE_KUBERNETHES)},
    {"/log", true, ROLE(ROLE_KUBERNETHES)},
    {"/rpc", true,
	ROLE(ROLE_REPLICATOOR) | ROLE(ROLE_VERIFIER) | ROLE(ROLE_VOLUME) |
	    ROLE(ROLE_GUEST_SERVICE) | ROLE(ROLE_KUBERNETHES) | ROLE(ROLE_TLS) |
	    ROLE(ROLE_LIGHTCLIENT)},
    {"/beacon/", false, ROLE(ROLE_LIGHTCLIENT)},
    {"/node", true, ROLE(ROLE_REPLICATOOR) | ROLE(ROLE_VOLUME)},
    {"/bootstrap", true, ROLE(ROLE_REPLICATOOR)},
    {"/register", true, ROLE(ROLE_REPLICATOOR)},
    {"/onboarded/", false, ROLE(ROLE_REPLICATOOR)},
    {"/collateral/", false, ROLE(ROLE_REPLICATOOR)},
    {"/bootstrap-quote/", false, ROLE(ROLE_REPLICATOOR)},
    {"/sign", true, ROLE(ROLE_GUEST_SERVICE)},
    {"/signs", true, ROLE(ROLE_GUEST_SERVICE)},
    {"/anchor", true, ROLE(ROLE_VOLUME)},
};

bool
hostlink_may(enum role from, const char *path)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		size_t n = strlen(paths[i].path);
		if ((paths[i].roles & ROLE(from)) == 0)
			continue;
		if (paths[i].exact
			? strcmp(path, paths[i].path) == 0
			: strncmp(path, paths[i].path, n) == 0 &&
			      path[n] != '\0' && strstr(path, "..") == NULL)
			return true;
	}
	return false;
}

static const enum role askers[] = {ROLE_INIT, ROLE_VERIFIER, ROLE_REPLICATOOR,
    ROLE_VOLUME, ROLE_GUEST_SERVICE, ROLE_TLS, ROLE_KUBERNETHES,
    ROLE_LIGHTCLIENT};
#define ASKERS (sizeof(askers) / sizeof(askers[0]))

struct asker {
	int fd; /* -1: gone */
	bool busy;
	uint32_t id;
	time_t since; /* CLOCK_BOOTTIME, seconds */
};

struct hostlink {
	struct asker a[ASKERS];
	uint32_t next_id;
	struct wr out; /* frames on their way to the host */
	size_t sent;
	uint8_t in[LINK_HEAD + LINK_MAX_REST];
	size_t have;
	bool port; /* a character device, not a socket */
};

static time_t
now(void)
{
	struct timespec t = {0};
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

static void
refuse(int fd, enum ipc_status st, const char *text)
{
	if (ipc_answer_no(fd, st, text) != DSTACK_OK)
		(void)shutdown(fd, SHUT_RDWR);
}

/* A role's request: checked, then queued for the host. */
static void
take_request(struct hostlink *h, size_t i)
{
	struct asker *a = &h->a[i];
	struct ipc_request q = {0};
	bool eof = false;
	enum dstack_status st = ipc_receive(a->fd, &q, &eof);
	if (st == DSTACK_E_LIMIT)
		return;
	if (st != DSTACK_OK || eof) {
		a->fd = -1;
		ipc_request_free(&q);
		return;
	}
	char path[LINK_MAX_PATH + 1];
	const uint8_t *body;
	size_t len;
	if (q.op != HOSTLINK_CALL ||
	    rd_text(&q.body, path, sizeof(path)) != DSTACK_OK ||
	    rd_blob(&q.body, LINK_MAX_BODY, &body, &len) != DSTACK_OK ||
	    rd_end(&q.body) != DSTACK_OK) {
		refuse(a->fd, IPC_REFUSED, "malformed call");
	} else if (!hostlink_may(askers[i], path)) {
		refuse(a->fd, IPC_REFUSED, "this role may not ask that path");
	} else {
		a->id = h->next_id++;
		link_put_request(&h->out, a->id, path, body, len);
		a->busy = true;
		a->since = now();
	}
	ipc_request_free(&q);
}

static void
give_answer(struct hostlink *h, const struct link_frame *f)
{
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *a = &h->a[i];
		if (!a->busy || a->id != f->id)
			continue;
		AUTO_WR struct wr w = wr_new(IPC_MAX);
		wr_u16be(&w, f->status);
		wr_blob(&w, f->body, f->len);
		a->busy = false;
		if (a->fd >= 0 && ipc_answer(a->fd, &w) != DSTACK_OK)
			a->fd = -1;
		return;
	}
	/* late or never asked: nobody waits for it */
}

/* Whole frames out of the input buffer. */
static enum dstack_status
frames(struct hostlink *h, struct why *why)
{
	size_t at = 0;
	for (;;) {
		size_t rest;
		if (h->have - at < LINK_HEAD)
			break;
		enum dstack_status st = link_rest(h->in + at, &rest);
		if (st != DSTACK_OK)
			return why_set(why, st,
			    "the host sent a frame of impossible length");
		if (h->have - at - LINK_HEAD < rest)
			break;
		struct link_frame f;
		st = link_decode(h->in + at + LINK_HEAD, rest, &f);
		if (st != DSTACK_OK || !f.answer)
			return why_set(why, DSTACK_E_FORMAT,
			    "the host sent a frame that is no answer");
		give_answer(h, &f);
		at += LINK_HEAD + rest;
	}
	h->have -= at;
	memmove(h->in, h->in + at, h->have);
	return DSTACK_OK;
}

/*
 * The host's end is gone. A virtio port stays and may be opened again, by a
 * host service that starts anew; what was under way is lost. A socket (--no-vm)
 * does not come back.
 */
static enum dstack_status
link_gone(struct hostlink *h, struct why *why)
{
	if (!h->port)
		return why_set(why, DSTACK_E_SYS, "the host closed the link");
	h->have = 0;
	h->sent = 0;
	wr_free(&h->out);
	h->out = wr_new(0);
	for (size_t i = 0; i < ASKERS; i++) {
		if (h->a[i].busy && h->a[i].fd >= 0)
			refuse(h->a[i].fd, IPC_UNDECIDED,
			    "the host is not connected");
		h->a[i].busy = false;
	}
	/* poll reports a hang-up at once: do not spin on it */
	const struct timespec t = {.tv_nsec = 100000000};
	(void)nanosleep(&t, NULL);
	return DSTACK_OK;
}

static enum dstack_status
link_in(struct hostlink *h, struct why *why)
{
	/* frames() leaves less than a whole frame, and the longest one fits */
	if (h->have >= sizeof(h->in))
		return why_set(why, DSTACK_E_LIMIT,
		    "the host sent a frame of impossible length");
	ssize_t k = read(FD_LINK, h->in + h->have, sizeof(h->in) - h->have);
	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return DSTACK_OK;
	if (k < 0 && !h->port)
		return why_set(why, DSTACK_E_SYS, "cannot read the link: %s",
		    strerror(errno));
	if (k <= 0)
		return link_gone(h, why);
	h->have += (size_t)k;
	return frames(h, why);
}

static enum dstack_status
link_out(struct hostlink *h, struct why *why)
{
	ssize_t k = write(FD_LINK, h->out.buf + h->sent, h->out.len - h->sent);
	if (k < 0 && errno != EAGAIN && errno != EINTR)
		return why_set(why, DSTACK_E_SYS,
		    "cannot write to the link: %s", strerror(errno));
	if (k > 0)
		h->sent += (size_t)k;
	if (h->sent == h->out.len) {
		wr_free(&h->out);
		h->out = wr_new(0);
		h->sent = 0;
	}
	return DSTACK_OK;
}

static void
expire(struct hostlink *h)
{
	time_t t = now();
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *a = &h->a[i];
		if (!a->busy || t - a->since < ANSWER_SECONDS)
			continue;
		a->busy = false;
		if (a->fd >= 0)
			refuse(
			    a->fd, IPC_UNDECIDED, "the host does not answer");
	}
}

static bool
anyone(const struct hostlink *h)
{
	for (size_t i = 0; i < ASKERS; i++) {
		if (h->a[i].fd >= 0)
			return true;
	}
	return false;
}

static enum dstack_status
serve(struct hostlink *h, struct why *why)
{
	while (anyone(h)) {
		struct pollfd p[ASKERS + 1];
		for (size_t i = 0; i < ASKERS; i++) {
			/* a busy role's next request waits in its socket */
			p[i].fd = h->a[i].busy ? -1 : h->a[i].fd;
			p[i].events = POLLIN;
			p[i].revents = 0;
		}
		p[ASKERS].fd = FD_LINK;
		p[ASKERS].events = POLLIN;
		if (h->out.len > h->sent)
			p[ASKERS].events |= POLLOUT;
		p[ASKERS].revents = 0;
		if (poll(p, ASKERS + 1, 5000) < 0 && errno != EINTR)
			return why_set(
			    why, DSTACK_E_SYS, "poll: %s", strerror(errno));
		for (size_t i = 0; i < ASKERS; i++) {
			if (p[i].fd >= 0 && p[i].revents != 0)
				take_request(h, i);
		}
		enum dstack_status st = DSTACK_OK;
		if (wr_status(&h->out) != DSTACK_OK)
			return why_set(why, h->out.st, "out of memory");
		if (h->out.len > h->sent)
			st = link_out(h, why);
		if (st == DSTACK_OK && (p[ASKERS].revents & ~POLLOUT) != 0)
			st = link_in(h, why);
		if (st != DSTACK_OK)
			return st;
		expire(h);
	}
	return DSTACK_OK;
}

int
hostlink_main(void)
{
	static struct hostlink h;
	struct why why;
	for (size_t i = 0; i < ASKERS; i++)
		h.a[i].fd = FD_EDGE + (int)askers[i];
	/* without randomness it is 1, which is right at a machine's start */
	if (getrandom(&h.next_id, sizeof(h.next_id), 0) !=
	    (ssize_t)sizeof(h.next_id))
		h.next_id = 1;
	h.out = wr_new(0);
	int fl = fcntl(FD_LINK, F_GETFL);
	struct stat sb;
	h.port = fstat(FD_LINK, &sb) == 0 && S_ISCHR(sb.st_mode);
	enum dstack_status st = sandbox_enter(ROLE_HOSTLINK, &why);
	if (st == DSTACK_OK &&
	    (fl < 0 || fcntl(FD_LINK, F_SETFL, fl | O_NONBLOCK) != 0))
		st = why_set(&why, DSTACK_E_SYS, "there is no link port: %s",
		    strerror(errno));
	if (st == DSTACK_OK) {
		ipc_ready();
		st = serve(&h, &why);
	}
	wr_free(&h.out);
	if (st == DSTACK_OK)
		return 0;
	log_line("%s", why.text);
	ipc_give_up(&why);
	return 1;
}
