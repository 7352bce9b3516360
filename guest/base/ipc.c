/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests between roles: one packet each way on a SOCK_SEQPACKET pair, so that
 * a message is whole or not there. Both ends take the other for turned: packets
 * are bounded, descriptors that nobody asked for are closed, an unknown op is a
 * no and nothing else happens. One request at a time on an edge, hence no ids
 * and no queues; a server reads, answers, and reads again.
 *
 * A role that loses an edge goes on with the others: which end of a role ends
 * the guest is init's to decide (guest/init/watch.c), not the peer's. tee
 * and keyd, which are never started anew, get new edges from init by one packet
 * with a descriptor.
 */
#include "guest/base/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATER_MS 100
#define IPC_NEW_EDGE 255 /* op of init to any server; u8 role, descriptor */

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)];
};

static enum dstack_status
send_packet(int fd, const void *p, size_t n, const int *fds, size_t nfds)
{
	struct iovec iov = {.iov_len = n};
	union control c;
	memset(&c, 0, sizeof(c));
	/* sendmsg only reads; iovec has no const variant */
	memcpy(&iov.iov_base, &p, sizeof(p));
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (nfds > 0) {
		if (nfds > IPC_MAX_FDS)
			return DSTACK_E_LIMIT;
		m.msg_control = c.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(h), fds, sizeof(int) * nfds);
	}
	for (;;) {
		ssize_t k = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (k >= 0)
			return DSTACK_OK;
		/*
		 * Edges are blocking, but a role may have made its end
		 * otherwise.
		 */
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd w = {.fd = fd, .events = POLLOUT};
			(void)poll(&w, 1, -1);
		} else if (errno != EINTR) {
			return DSTACK_E_SYS;
		}
	}
}

static void
close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

/* One packet; *n 0: peer gone. fds: received ones, -1 behind them. */
static enum dstack_status
recv_packet(int fd, uint8_t *buf, size_t cap, size_t *n, int *fds)
{
	struct iovec iov = {.iov_base = buf, .iov_len = cap};
	union control c;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fds != NULL) {
		m.msg_control = c.buf;
		m.msg_controllen = sizeof(c.buf);
		for (size_t i = 0; i < IPC_MAX_FDS; i++)
			fds[i] = -1;
	}
	ssize_t k;
	for (;;) {
		/* Whatever comes in is not for a child. */
		k = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		if (k >= 0)
			break;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd w = {.fd = fd, .events = POLLIN};
			(void)poll(&w, 1, -1);
		} else if (errno != EINTR) {
			return DSTACK_E_SYS;
		}
	}
	size_t got = 0;
	if (fds != NULL) {
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL;
		     h = CMSG_NXTHDR(&m, h)) {
			if (h->cmsg_level != SOL_SOCKET ||
			    h->cmsg_type != SCM_RIGHTS)
				continue;
			size_t have = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			int tmp[IPC_MAX_FDS];
			/*
			 * The kernel has cut what did not fit into c.buf, and
			 * closed it.
			 */
			if (have > IPC_MAX_FDS - got)
				have = IPC_MAX_FDS - got;
			memcpy(tmp, CMSG_DATA(h), have * sizeof(int));
			for (size_t i = 0; i < have; i++)
				fds[got++] = tmp[i];
		}
	}
	/* Half a request is none. */
	if ((m.msg_flags & MSG_TRUNC) != 0) {
		if (fds != NULL) {
			close_fds(fds, got);
			fds[0] = fds[1] = -1;
		}
		return DSTACK_E_LIMIT;
	}
	*n = (size_t)k;
	return DSTACK_OK;
}

static void serve_meanwhile(int fd);

enum dstack_status
ipc_call(int fd, uint8_t op, const struct wr *body, const int *fds, size_t nfds,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr w = wr_new(IPC_MAX);
	wr_u8(&w, op);
	if (body != NULL) {
		if (wr_status(body) != DSTACK_OK)
			return why_set(why, body->st, "request not built: %s",
			    dstack_status_text(body->st));
		wr_put(&w, body->buf, body->len);
	}
	enum dstack_status st = wr_status(&w);
	if (st != DSTACK_OK)
		return why_set(why, st, "request is over %u bytes", IPC_MAX);
	st = send_packet(fd, w.buf, w.len, fds, nfds);
	if (st != DSTACK_OK)
		return why_set(why, st, "cannot ask descriptor %d: %s", fd,
		    strerror(errno));
	AUTO_WR struct wr in = wr_new(0);
	wr_zero(&in, IPC_MAX);
	if (wr_status(&in) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "out of memory");
	size_t n = 0;
	serve_meanwhile(fd);
	st = recv_packet(fd, in.buf, IPC_MAX, &n, NULL);
	if (st == DSTACK_OK && n == 0) {
		errno = EPIPE;
		st = DSTACK_E_SYS;
	}
	if (st != DSTACK_OK)
		return why_set(why, st, "no answer on descriptor %d: %s", fd,
		    st == DSTACK_E_SYS ? strerror(errno) : "too long");
	struct rd r = rd_over(in.buf, n);
	uint8_t status;
	const uint8_t *p;
	size_t left = n - 1;
	if (rd_u8(&r, &status) != DSTACK_OK ||
	    rd_take(&r, left, &p) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT, "empty answer");
	if (status == IPC_YES) {
		if (out != NULL)
			wr_put(out, p, left);
		return out != NULL ? wr_status(out) : DSTACK_OK;
	}
	/* The four words of docs/internals.md, section 1.1, as statuses. */
	if (status == IPC_REFUSED)
		st = DSTACK_E_REJECTED;
	else if (status == IPC_UNDECIDED)
		st = DSTACK_E_MISSING;
	else if (status == IPC_LATER)
		st = DSTACK_E_BUSY;
	else
		return why_set(why, DSTACK_E_FORMAT,
		    "answer status %u is unknown", status);
	return why_set(
	    why, st, "%.*s", (int)(left < 255 ? left : 255), (const char *)p);
}

enum dstack_status
ipc_call_wait(
    int fd, uint8_t op, const struct wr *body, struct wr *out, struct why *why)
{
	for (;;) {
		enum dstack_status st =
		    ipc_call(fd, op, body, NULL, 0, out, why);
		if (st != DSTACK_E_BUSY)
			return st;
		const struct timespec t = {.tv_nsec = LATER_MS * 1000000L};
		(void)nanosleep(&t, NULL);
	}
}

void
ipc_request_free(struct ipc_request *q)
{
	if (q->buf != NULL)
		/*
		 * keyd's requests hold what is signed, its callers' answers
		 * hold keys.
		 */
		explicit_bzero(q->buf, q->body.len + 1);
	free(q->buf);
	q->buf = NULL;
	close_fds(q->fd, IPC_MAX_FDS);
	for (size_t i = 0; i < IPC_MAX_FDS; i++)
		q->fd[i] = -1;
}

enum dstack_status
ipc_receive(int fd, struct ipc_request *q, bool *eof)
{
	*eof = false;
	memset(q, 0, sizeof(*q));
	for (size_t i = 0; i < IPC_MAX_FDS; i++)
		q->fd[i] = -1;
	AUTO_FREE uint8_t *buf = malloc(IPC_MAX);
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	size_t n = 0;
	enum dstack_status st = recv_packet(fd, buf, IPC_MAX, &n, q->fd);
	/* A peer that ended with unread bytes is gone like any other. */
	if (st == DSTACK_E_SYS && errno == ECONNRESET) {
		*eof = true;
		return DSTACK_OK;
	}
	if (st == DSTACK_E_LIMIT) {
		enum dstack_status told =
		    ipc_answer_no(fd, IPC_REFUSED, "request is over 192 KiB");
		return told == DSTACK_OK ? st : told;
	}
	if (st != DSTACK_OK)
		return st;
	if (n == 0) {
		close_fds(q->fd, IPC_MAX_FDS);
		q->fd[0] = q->fd[1] = -1;
		*eof = true;
		return DSTACK_OK;
	}
	struct rd all = rd_over(buf, n);
	if (rd_u8(&all, &q->op) != DSTACK_OK ||
	    rd_sub(&all, n - 1, &q->body) != DSTACK_OK)
		return DSTACK_E_FORMAT;
	q->buf = take_ptr(&buf);
	return DSTACK_OK;
}

static enum dstack_status
answer(int fd, uint8_t status, const void *p, size_t n)
{
	AUTO_WR struct wr w = wr_new(IPC_MAX);
	wr_u8(&w, status);
	wr_put(&w, p, n);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_E_LIMIT)
		return ipc_answer_no(
		    fd, IPC_UNDECIDED, "answer is over 192 KiB");
	if (st != DSTACK_OK)
		return st;
	return send_packet(fd, w.buf, w.len, NULL, 0);
}

enum dstack_status
ipc_answer(int fd, const struct wr *payload)
{
	if (payload == NULL)
		return answer(fd, IPC_YES, "", 0);
	if (wr_status(payload) != DSTACK_OK)
		return ipc_answer_no(fd, IPC_UNDECIDED, "answer not built");
	return answer(fd, IPC_YES,
	    payload->len > 0 ? payload->buf : (const uint8_t *)"",
	    payload->len);
}

enum dstack_status
ipc_answer_no(int fd, enum ipc_status status, const char *text)
{
	return answer(fd, (uint8_t)status, text, strnlen(text, 255));
}

void
ipc_answer_why(int fd, enum dstack_status st, const struct why *why)
{
	enum ipc_status s = IPC_UNDECIDED;
	if (st == DSTACK_E_BUSY)
		s = IPC_LATER;
	else if (st == DSTACK_E_REJECTED || st == DSTACK_E_FORMAT ||
		 st == DSTACK_E_TRUNCATED || st == DSTACK_E_LIMIT)
		s = IPC_REFUSED;
	const char *text = why != NULL && why->text[0] != '\0'
			       ? why->text
			       : dstack_status_text(st);
	if (ipc_answer_no(fd, s, text) != DSTACK_OK)
		(void)shutdown(fd, SHUT_RDWR); /* peer is gone */
}

enum dstack_status
ipc_new_edge(int init_edge, enum role r, int fd)
{
	const uint8_t packet[2] = { IPC_NEW_EDGE, (uint8_t)r };

	return send_packet(init_edge, packet, sizeof(packet), &fd, 1);
}

/* The place in from of the role whose edge was replaced; n: none is. */
static size_t
take_edge(const enum role *from, size_t n, struct ipc_request *q)
{
	uint8_t r;

	if (rd_u8(&q->body, &r) != DSTACK_OK || q->fd[0] < 0)
		return n;
	for (size_t i = 0; i < n; i++)
		if (from[i] == (enum role)r && from[i] != ROLE_INIT &&
		    /*
		     * In the old one's place: descriptors are how roles know
		     * each other.
		     */
		    dup2(q->fd[0], FD_EDGE + (int)r) == FD_EDGE + (int)r &&
		    fcntl(FD_EDGE + (int)r, F_SETFD, FD_CLOEXEC) == 0)
			return i;
	return n;
}

void
ipc_serve(const enum role *from, size_t n, ipc_serve_fn *serve, void *ctx)
{
	ipc_serve_idle(from, n, serve, NULL, ctx);
}

/*
 * What a server has while it serves. One a process: a role is one server, and
 * its asks (ipc_call) come from within its serve or idle function.
 */
struct server {
	const enum role *from;
	size_t n, open; /* edges, and those whose peer is there */
	struct pollfd p[ROLE_COUNT + 1]; /* the last one: an answer waited for */
	ipc_serve_fn *meanwhile;	 /* NULL: nobody is served then */
	void *ctx;
};
static struct server *serving;

/* One request of each edge that poll has found ready. */
static void
serve_ready(struct server *s, ipc_serve_fn *serve)
{
	for (size_t i = 0; i < s->n; i++) {
		struct pollfd *p = &s->p[i];
		if (p->fd < 0 || p->revents == 0)
			continue;
		/* a request served within this one may look at it again */
		p->revents = 0;
		struct ipc_request q = {0};
		bool eof = false;
		enum dstack_status st = ipc_receive(p->fd, &q, &eof);
		if (st == DSTACK_E_LIMIT)
			continue;
		if (st != DSTACK_OK || eof) {
			ipc_request_free(&q);
			p->fd = -1;
			s->open--;
			continue;
		}
		if (s->from[i] == ROLE_INIT && q.op == IPC_NEW_EDGE) {
			size_t k = take_edge(s->from, s->n, &q);
			/* It was counted out when the old end closed. */
			if (k < s->n && s->p[k].fd < 0)
				s->open++;
			if (k < s->n) {
				s->p[k].fd = FD_EDGE + (int)s->from[k];
				s->p[k].revents = 0;
			}
		} else {
			serve(s->ctx, s->from[i], p->fd, &q);
		}
		ipc_request_free(&q);
	}
}

/*
 * Until fd has something to be read, requests are served by meanwhile, which
 * asks nobody; so this is never within itself. An edge that is found ready
 * here has been read when the caller's loop comes to it, as its revents tell.
 */
static void
serve_meanwhile(int fd)
{
	struct server *s = serving;

	if (s == NULL || s->meanwhile == NULL)
		return;
	s->p[s->n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (;;) {
		if (poll(s->p, (nfds_t)s->n + 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		bool here = s->p[s->n].revents != 0;
		serve_ready(s, s->meanwhile);
		if (here)
			return;
	}
}

void
ipc_serve_idle(const enum role *from, size_t n, ipc_serve_fn *serve,
    ipc_idle_fn *idle, void *ctx)
{
	ipc_serve_meanwhile(from, n, serve, NULL, idle, ctx);
}

void
ipc_serve_meanwhile(const enum role *from, size_t n, ipc_serve_fn *serve,
    ipc_serve_fn *meanwhile, ipc_idle_fn *idle, void *ctx)
{
	struct server s = { .from = from, .n = n, .open = n,
		.meanwhile = meanwhile, .ctx = ctx };
	if (n > ROLE_COUNT)
		return;
	for (size_t i = 0; i < n; i++)
		s.p[i] = (struct pollfd){
			.fd = FD_EDGE + (int)from[i], .events = POLLIN };
	serving = &s;
	while (s.open > 0) {
		/* idle may serve, so it is over before poll has the edges */
		const int wait = idle != NULL ? idle(ctx) : -1;
		if (s.open == 0)
			break;
		if (poll(s.p, (nfds_t)n, wait) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		serve_ready(&s, serve);
	}
	serving = NULL;
}

/*
 * No answer is read, and a failure is not told: init is gone then, and with it
 * everything.
 */
static void
lifecycle(uint8_t kind, const char *text)
{
	uint8_t buf[256];
	size_t n = strnlen(text, sizeof(buf) - 1);
	buf[0] = kind;
	memcpy(buf + 1, text, n);
	(void)send(FD_EDGE + ROLE_INIT, buf, n + 1, MSG_NOSIGNAL);
}

void
ipc_ready(void)
{
	lifecycle(1, "");
}

void
ipc_phase(const char *phase)
{
	lifecycle(2, phase);
}

void
ipc_give_up(const struct why *why)
{
	lifecycle(3, why->text);
}

void
ipc_time(uint64_t seconds)
{
	uint8_t buf[9] = { 4 };

	for (int i = 0; i < 8; i++)
		buf[1 + i] = (uint8_t)(seconds >> (56 - 8 * i));
	(void)send(FD_EDGE + ROLE_INIT, buf, sizeof(buf), MSG_NOSIGNAL);
}

void
ipc_holds(bool is)
{
	lifecycle(is ? 5 : 6, "");
}
