/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd as its own process behind real edges, for test_keyd.c. Include behind
 * cmocka.h.
 */
#ifndef KEYD_BED_H
#define KEYD_BED_H

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/secp.h"
#include "guest/base/ipc.h"
#include "guest/keyd/keyd.h"
#include "protocol/statements.h"

#define DOMAIN "demo.dstack.test"
#define EPOCH 7

static const enum role askers[] = { ROLE_REPLICATOOR, ROLE_VERIFIER,
	ROLE_VOLUME, ROLE_GUEST_SERVICE, ROLE_TLS };
#define ASKERS (sizeof(askers) / sizeof(askers[0]))

static const struct eip712_domain domain = { 31337, { 0x5f, 0xbd } };

struct bed {
	pid_t pid;
	int edge[ROLE_COUNT]; /* our ends, -1 where none */
};

static inline void
bed_start(struct bed *b)
{
	int theirs[ROLE_COUNT];
	for (int r = 0; r < ROLE_COUNT; r++)
		b->edge[r] = theirs[r] = -1;
	for (size_t i = 0; i <= ASKERS; i++) {
		int r = i < ASKERS ? (int)askers[i] : ROLE_INIT;
		int pair[2];
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		b->edge[r] = fcntl(pair[0], F_DUPFD_CLOEXEC, 64);
		theirs[r] = fcntl(pair[1], F_DUPFD_CLOEXEC, 64);
		assert_true(b->edge[r] >= 64 && theirs[r] >= 64);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		for (int r = 0; r < ROLE_COUNT; r++)
			if (theirs[r] >= 0 && dup2(theirs[r], FD_EDGE + r) < 0)
				_exit(9);
		for (int fd = 64; fd < 512; fd++)
			(void)close(fd);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null < 0 || dup2(null, 2) < 0)
			_exit(9);
		_exit(keyd_main());
	}
	for (int r = 0; r < ROLE_COUNT; r++)
		if (theirs[r] >= 0)
			(void)close(theirs[r]);
	uint8_t ready[64];
	assert_int_equal(
	    recv(b->edge[ROLE_INIT], ready, sizeof(ready), 0), 1);
	assert_int_equal(ready[0], 1);
}

/* Every peer leaves: keyd ends well. */
static inline void
bed_stop(struct bed *b)
{
	int status = -1;
	for (int r = 0; r < ROLE_COUNT; r++)
		if (b->edge[r] >= 0)
			(void)close(b->edge[r]);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* One request; a no has a line of text and no payload. */
static inline enum dstack_status
ask(struct bed *b, enum role from, unsigned op, const struct wr *q,
    struct wr *out)
{
	struct why why = { "" };
	if (out != NULL)
		wr_free(out);
	enum dstack_status st = ipc_call(
	    b->edge[from], (uint8_t)op, q, NULL, 0, out, &why);
	assert_true(st == DSTACK_OK || why.text[0] != '\0');
	assert_true(st == DSTACK_OK || out == NULL || out->len == 0);
	assert_true(st != DSTACK_E_SYS); /* it lives */
	return st;
}

static inline void
refused(struct bed *b, enum role from, unsigned op, const struct wr *q)
{
	AUTO_WR struct wr out = wr_new(0);
	assert_int_equal(ask(b, from, op, q, &out), DSTACK_E_REJECTED);
}

/*
 * The request is granted with an answer of n bytes, and it is refused when it
 * is empty, a byte shorter or a byte longer.
 */
static inline void
granted(struct bed *b, enum role from, unsigned op, struct wr *q, size_t n,
    struct wr *out)
{
	if (q->len > 0) {
		AUTO_WR struct wr none = wr_new(0);
		refused(b, from, op, &none);
		q->len--;
		refused(b, from, op, q);
		q->len++;
	}
	wr_u8(q, 0);
	refused(b, from, op, q);
	q->len--;
	assert_int_equal(ask(b, from, op, q, out), DSTACK_OK);
	assert_int_equal(out->len, n);
}

static inline void
signed_by(const uint8_t *sig, const uint8_t digest[32], const uint8_t *who)
{
	uint8_t addr[20];
	assert_int_equal(secp_recover(digest, sig, addr), DSTACK_OK);
	assert_memory_equal(addr, who, 20);
}

/* What a keyd says of itself. */
struct node {
	uint8_t addr[20];
	uint8_t enc_pub[32];
};
struct record {
	uint8_t xpub[20];
	uint8_t commit[32];
};

static inline void
bed_netcfg(struct bed *b)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_u64be(&q, domain.chain_id);
	wr_put(&q, domain.contract, 20);
	wr_text(&q, DOMAIN);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_NETCFG, &q, 0, &a);
	/* once; again is the same, for a replicatoor that starts anew */
	assert_int_equal(
	    ask(b, ROLE_REPLICATOOR, KEYD_OP_NETCFG, &q, NULL), DSTACK_OK);
	q.buf[7] ^= 1;
	refused(b, ROLE_REPLICATOOR, KEYD_OP_NETCFG, &q);
	q.buf[7] ^= 1;
	q.buf[8] ^= 1;
	refused(b, ROLE_REPLICATOOR, KEYD_OP_NETCFG, &q);
	q.buf[8] ^= 1;
	q.buf[q.len - 1] ^= 1;
	refused(b, ROLE_REPLICATOOR, KEYD_OP_NETCFG, &q);
}

static inline void
bed_node(struct bed *b, struct node *n)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_NODE_KEY, &q, 53, &a);
	memcpy(n->addr, a.buf, 20);
	assert_int_equal(a.buf[20], SUITE_X25519);
	memcpy(n->enc_pub, a.buf + 21, 32);
}

static inline void
bed_generate(struct bed *b, struct record *r)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_u64be(&q, EPOCH);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &q, 52, &a);
	memcpy(r->xpub, a.buf, 20);
	memcpy(r->commit, a.buf + 20, 32);
	struct stmt_bootstrap s = { .epoch = EPOCH, .submitter = { 9 } };
	memcpy(s.xpub, r->xpub, 20);
	memcpy(s.seed_commit, r->commit, 32);
	wr_free(&q);
	stmt_bootstrap_put(&q, &s);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q, 65, &a);
}

static inline void
bed_activate_at(
    struct bed *b, const struct record *r, const struct handon_view *v)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&q, r->xpub, 20);
	wr_put(&q, r->commit, 32);
	handon_view_put(&q, v);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q, 0, &a);
}

static const struct handon_view no_view = { 0 };

static inline void
bed_activate(struct bed *b, const struct record *r)
{
	bed_activate_at(b, r, &no_view);
}

/* A keyd that bootstrapped and serves. */
static inline void
bed_active(struct bed *b, struct record *r)
{
	bed_start(b);
	bed_netcfg(b);
	bed_generate(b, r);
	bed_activate(b, r);
}

static inline struct stmt_register
bed_register_fields(const struct node *n, uint8_t nonce)
{
	struct stmt_register s = { .epoch = EPOCH, .anchor_number = 5,
		.submitter = { 9 }, .nonce = { nonce } };
	memcpy(s.node, n->addr, 20);
	stmt_enc_key_hash(SUITE_X25519, n->enc_pub, s.enc_key_hash);
	return s;
}

/* Register; the requestId to id. */
static inline void
bed_register(
    struct bed *b, const struct node *n, uint8_t nonce, uint8_t id[32])
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct stmt_register s = bed_register_fields(n, nonce);
	stmt_register_put(&q, &s);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q, 32 + 65, &a);
	stmt_register_digest(&s, &domain, id);
	assert_memory_equal(a.buf, id, 32);
	signed_by(a.buf + 32, id, n->addr);
}

#endif
