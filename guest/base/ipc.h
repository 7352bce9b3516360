/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, one answer over a SOCK_SEQPACKET edge between two roles
 * (docs/internals.md section 1.1).
 */
#ifndef GUEST_IPC_H
#define GUEST_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/role.h"

#define IPC_MAX (192u * 1024)
#define IPC_MAX_FDS 2

enum ipc_status {
	IPC_YES = 0,
	IPC_REFUSED = 1,
	IPC_UNDECIDED = 2,
	IPC_LATER = 3,
};

/*
 * Send op and body over fd, wait for the answer, append its payload to out
 * (may be NULL). IPC_REFUSED -> DSTACK_E_REJECTED, IPC_UNDECIDED ->
 * DSTACK_E_MISSING, IPC_LATER -> DSTACK_E_BUSY, each with the peer's text in
 * why. Peer gone: DSTACK_E_SYS with errno EPIPE. fds/nfds: passed along.
 */
DSTACK_CHECKED enum dstack_status ipc_call(int fd, uint8_t op,
    const struct wr *body, const int *fds, size_t nfds, struct wr *out,
    struct why *why);

/* As ipc_call, asking again every 100 ms while the answer is IPC_LATER. */
DSTACK_CHECKED enum dstack_status ipc_call_wait(
    int fd, uint8_t op, const struct wr *body, struct wr *out, struct why *why);

struct ipc_request {
	uint8_t *buf; /* owned; freed by ipc_request_free */
	uint8_t op;
	struct rd body;      /* over buf */
	int fd[IPC_MAX_FDS]; /* received descriptors, -1 where none; owned */
};
void ipc_request_free(struct ipc_request *q);

/*
 * Next request on fd. *eof set and DSTACK_OK when the peer is gone.
 * DSTACK_E_LIMIT: the packet was over IPC_MAX; it is already answered no.
 */
DSTACK_CHECKED enum dstack_status ipc_receive(
    int fd, struct ipc_request *q, bool *eof);

/* Answer yes with payload (may be NULL), or no with one line of text. */
DSTACK_CHECKED enum dstack_status ipc_answer(int fd, const struct wr *payload);
DSTACK_CHECKED enum dstack_status ipc_answer_no(
    int fd, enum ipc_status status, const char *text);

/*
 * Serve requests from the edges to the given roles, one after the other,
 * until every peer is gone. serve must answer each request exactly once; the
 * request is freed behind it.
 */
typedef void ipc_serve_fn(
    void *ctx, enum role from, int fd, struct ipc_request *q);
void ipc_serve(const enum role *from, size_t n, ipc_serve_fn *serve, void *ctx);

/*
 * The same with a duty of one's own: idle is called before each wait, and says
 * how many milliseconds this is to last at most (-1: until a request comes).
 */
typedef int ipc_idle_fn(void *ctx);
void ipc_serve_idle(const enum role *from, size_t n, ipc_serve_fn *serve,
    ipc_idle_fn *idle, void *ctx);

/*
 * The same for a server that asks others in turn (ipc_call) and must not let
 * its own askers wait for their answers: meanwhile serves until such an answer
 * is here. It must answer at once, from what there is, and ask nobody; serve or
 * idle is still under way then, so it must not touch what those go by. NULL:
 * requests wait.
 */
void ipc_serve_meanwhile(const enum role *from, size_t n, ipc_serve_fn *serve,
    ipc_serve_fn *meanwhile, ipc_idle_fn *idle, void *ctx);

/*
 * init's way to give a server a new edge to role r, whose process started
 * anew: one packet with the descriptor, no answer. ipc_serve takes it where
 * ROLE_INIT is among the roles it serves; the old edge ends.
 */
DSTACK_CHECKED enum dstack_status ipc_new_edge(
    int init_edge, enum role r, int fd);

/* Answer no with the status that st stands for and the text of why. */
void ipc_answer_why(int fd, enum dstack_status st, const struct why *why);

/* Lifecycle packets to init (section 1.2). Failure is ignored: init is gone. */
void ipc_ready(void);
void ipc_phase(const char *phase);
void ipc_give_up(const struct why *why);
/* kubernethes alone: the time of a proven header is ahead of this VM's. */
void ipc_time(uint64_t seconds);
/* keyd alone: the secret is here, or is wiped. */
void ipc_holds(bool is);

#endif
