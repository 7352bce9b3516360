/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role keyd: the one process that holds the network's secret. What comes in
 * are requests of five roles, and new edges from init. First it is judged who
 * asks for what: bytes of a role that may not ask are not read. Then how far
 * the guest is: what needs the secret is answered "later" until the chain has
 * shown that it is the right one. The ops themselves are in join.c (until S_e
 * is active) and ops.c (from then on); here are the memory, the table and the
 * loop.
 *
 * All that is secret lies in one page that is locked, not dumped and not
 * inherited, and is wiped by the handler of the signal that ends the role.
 * What goes wrong with one request is its no; nothing that is asked ends the
 * role, and with it the secret.
 */
#include "guest/keyd/keyd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/hpke.h"
#include "crypto/secp.h"
#include "guest/base/ipc.h"
#include "guest/init/sandbox.h"

#define PAGE 4096u

_Static_assert(sizeof(struct keyd) <= 4096, "one page");

enum dstack_status
keyd_no(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_REJECTED, "keyd: %s", text);
}

enum dstack_status
keyd_random(struct secret32 *out, struct why *why)
{
	/* 32 bytes come whole, and only once the pool is initialized */
	if (getrandom(out->b, sizeof(out->b), 0) != (ssize_t)sizeof(out->b)) {
		secret32_wipe(out);
		return why_set(why, DSTACK_E_SYS, "keyd: no randomness: %s",
		    strerror(errno));
	}
	return DSTACK_OK;
}

enum dstack_status
keyd_sign(const struct secret32 *key, const uint8_t digest[static 32],
    struct wr *out, struct why *why)
{
	AUTO_WIPE32 struct secret32 extra = { { 0 } };
	uint8_t sig[SECP_SIG_LEN];
	enum dstack_status st = keyd_random(&extra, why);
	if (st != DSTACK_OK)
		return st;
	if ((st = secp_sign(key, digest, extra.b, sig)) != DSTACK_OK)
		return why_set(why, st, "keyd: the signature failed");
	wr_put(out, sig, sizeof(sig));
	return DSTACK_OK;
}

void
keyd_forget(struct keyd *k)
{
	secret32_wipe(&k->seed);
	secret32_wipe(&k->net_sign);
	keytree_wipe(&k->tree);
	explicit_bzero(k->xpub, sizeof(k->xpub));
	explicit_bzero(k->seed_commit, sizeof(k->seed_commit));
	k->epoch = 0;
	k->anchor = 0;
	k->generated = false;
	memset(&k->view, 0, sizeof(k->view));
	k->phase = KEYD_EMPTY;
}

enum dstack_status
keyd_new_hpke(struct keyd *k, struct why *why)
{
	enum dstack_status st = keyd_random(&k->hpke_key, why);

	if (st == DSTACK_OK)
		st = x25519_public(&k->hpke_key, k->enc_pub);
	k->hpke = st == DSTACK_OK;
	if (st != DSTACK_OK)
		secret32_wipe(&k->hpke_key);
	return st;
}

enum dstack_status
keyd_begin(struct keyd *k, struct why *why)
{
	explicit_bzero(k, sizeof(*k));
	enum dstack_status st = keyd_new_hpke(k, why);
	/*
	 * A scalar is refused once in 2^128 draws; every other failure ends the
	 * loop.
	 */
	do { /* not below the group's order: 2^-128, so draw again */
		if (st == DSTACK_OK || st == DSTACK_E_REJECTED)
			st = keyd_random(&k->node_key, why);
		if (st == DSTACK_OK)
			st = secp_address(&k->node_key, k->node);
	} while (st == DSTACK_E_REJECTED);
	if (st != DSTACK_OK) {
		explicit_bzero(k, sizeof(*k));
		return why_set(why, st, "keyd: the node's keys were not made");
	}
	return DSTACK_OK;
}

#define BIT(r) (1u << (r))

struct entry {
	unsigned from;    /* the roles that may ask */
	bool when_active; /* status 3 until ACTIVATE */
	keyd_fn *fn;
};

static const struct entry table[] = {
	[KEYD_OP_NETCFG] = { BIT(ROLE_REPLICATOOR), false, keyd_netcfg },
	[KEYD_OP_NODE_KEY] = { BIT(ROLE_REPLICATOOR), false, keyd_node_key },
	[KEYD_OP_SIGN_REGISTER] = { BIT(ROLE_REPLICATOOR), false,
	    keyd_sign_register },
	[KEYD_OP_SIGN_REGISTER_TX] = { BIT(ROLE_REPLICATOOR), false,
	    keyd_sign_register_tx },
	[KEYD_OP_OPEN] = { BIT(ROLE_REPLICATOOR), false, keyd_open },
	[KEYD_OP_GENERATE] = { BIT(ROLE_REPLICATOOR), false, keyd_generate },
	[KEYD_OP_SIGN_BOOTSTRAP] = { BIT(ROLE_REPLICATOOR), false,
	    keyd_sign_bootstrap },
	[KEYD_OP_ACTIVATE] = { BIT(ROLE_REPLICATOOR), false, keyd_activate },
	[KEYD_OP_WIPE] = { BIT(ROLE_REPLICATOOR), false, keyd_wipe },
	[KEYD_OP_PENDING] = { BIT(ROLE_REPLICATOOR), false, keyd_pending },
	[KEYD_OP_ONBOARD] = { BIT(ROLE_VERIFIER), true, keyd_onboard },
	[KEYD_OP_GETKEY] = { BIT(ROLE_GUEST_SERVICE), true, keyd_getkey },
	[KEYD_OP_ATTEST] = { BIT(ROLE_GUEST_SERVICE), true, keyd_attest },
	[KEYD_OP_HEARTBEAT] = { BIT(ROLE_GUEST_SERVICE), true,
	    keyd_heartbeat },
	[KEYD_OP_PUBLIC] = { BIT(ROLE_GUEST_SERVICE) | BIT(ROLE_VERIFIER),
	    true, keyd_public },
	[KEYD_OP_TLS_KEY] = { BIT(ROLE_TLS), true, keyd_tls_key },
	[KEYD_OP_VOLUME_KEYS] = { BIT(ROLE_VOLUME), true, keyd_volume_keys },
	[KEYD_OP_SIGN_ANCHOR] = { BIT(ROLE_VOLUME), true, keyd_sign_anchor },
	[KEYD_OP_TLS_ATTEST] = { BIT(ROLE_TLS), true, keyd_tls_attest },
	[KEYD_OP_TLS_BIND] = { BIT(ROLE_TLS), true, keyd_tls_bind },
	[KEYD_OP_SECRET_KEY] = { BIT(ROLE_GUEST_SERVICE), true,
	    keyd_secret_key },
	[KEYD_OP_SECRET_OPEN] = { BIT(ROLE_GUEST_SERVICE), true,
	    keyd_secret_open },
	[KEYD_OP_SDK_KEY] = { BIT(ROLE_GUEST_SERVICE), true, keyd_sdk_key },
	[KEYD_OP_SDK_SIGN] = { BIT(ROLE_GUEST_SERVICE), true, keyd_sdk_sign },
	[KEYD_OP_SDK_CERT] = { BIT(ROLE_GUEST_SERVICE), true, keyd_sdk_cert },
	[KEYD_OP_SDK_CA] = { BIT(ROLE_GUEST_SERVICE), true, keyd_sdk_ca },
	[KEYD_OP_FRONT] = { BIT(ROLE_GUEST_SERVICE), true, keyd_front },
};

enum dstack_status
keyd_handle(struct keyd *k, enum role from, uint8_t op, struct rd *body,
    struct wr *out, struct why *why)
{
	/*
	 * First who asks and for what: bytes of a role that may not ask are not
	 * even read.
	 */
	if (op >= sizeof(table) / sizeof(table[0]) || table[op].fn == NULL ||
	    (unsigned)from >= ROLE_COUNT || (table[op].from & BIT(from)) == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "keyd: op %u is not for %s", op, role_name(from));
	/*
	 * Before ACTIVATE the answer is "later", so roles that were started
	 * early simply wait.
	 */
	if (table[op].when_active && k->phase != KEYD_ACTIVE)
		return why_set(why, DSTACK_E_BUSY,
		    "keyd: the network's secret is not here yet");
	enum dstack_status st = table[op].fn(k, body, out, why);
	if (st == DSTACK_OK)
		st = wr_status(out);
	if (st != DSTACK_OK && (why == NULL || why->text[0] == '\0'))
		(void)why_set(why, st, "keyd: op %u: %s", op,
		    dstack_status_text(st));
	return st;
}

static void
serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	struct keyd *k = ctx;
	const bool held_one = k->phase != KEYD_EMPTY;
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(IPC_MAX - 1);
	enum dstack_status st =
	    keyd_handle(k, from, q->op, &q->body, &out, &why);
	/*
	 * init learns of it before whoever asked does: what happens to others
	 * from here on must not end the guest, or may again.
	 */
	if ((k->phase != KEYD_EMPTY) != held_one)
		ipc_holds(!held_one);
	if (st != DSTACK_OK) {
		/*
		 * Waiting roles ask several times a second. And what an app
		 * asked amiss is told to it: its words are not for the
		 * console, which the host reads.
		 */
		if (st != DSTACK_E_BUSY && q->op < KEYD_OP_SDK_KEY)
			log_line("%s", why.text);
		ipc_answer_why(fd, st, &why);
	} else if (ipc_answer(fd, &out) != DSTACK_OK) {
		(void)shutdown(fd, SHUT_RDWR); /* the peer is gone */
	}
}

/* May this process lock fewer bytes than it needs? (outside a VM only) */
static bool
lock_limit_is_low(size_t n)
{
	struct rlimit lim;
	return getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur < n;
}

/* Not in a core, not in a child, not in swap. NULL: why says what failed. */
static struct keyd *
secret_page(size_t n, struct why *why)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		(void)why_set(why, DSTACK_E_SYS, "keyd: no page for secrets");
		return NULL;
	}
	if (mlock(p, n) != 0) {
		/*
		 * In a VM the limit is ours, and a failure is one; outside, for
		 * development, it is said and gone on.
		 */
		if (!lock_limit_is_low(n)) {
			(void)why_set(why, DSTACK_E_SYS,
			    "keyd: mlock: %s", strerror(errno));
			(void)munmap(p, n);
			return NULL;
		}
		log_line("secrets are not locked into memory: raise the "
			 "limit (ulimit -l)");
	}
	/*
	 * MADV_DONTFORK besides: keyd never forks, and a child of a mistake
	 * would have no page.
	 */
	if (madvise(p, n, MADV_DONTDUMP) != 0 ||
	    madvise(p, n, MADV_DONTFORK) != 0) {
		(void)why_set(why, DSTACK_E_SYS, "keyd: madvise: %s",
		    strerror(errno));
		(void)munmap(p, n);
		return NULL;
	}
	return p;
}

/* The machine is to end: what is held goes first, whatever is being done. */
static struct keyd *held;

static void
on_end(int sig)
{
	(void)sig;
	explicit_bzero(held, PAGE);
	_exit(0);
}

int
keyd_main(void)
{
	/* init asks nothing; it brings new edges of roles that start anew */
	static const enum role peers[] = { ROLE_INIT, ROLE_REPLICATOOR,
		ROLE_VERIFIER, ROLE_VOLUME, ROLE_GUEST_SERVICE, ROLE_TLS };
	struct why why = { "" };
	struct keyd *k = NULL;
	log_name("keyd");
	/*
	 * The cage first, then the secrets: no system call that the filter
	 * forbids is made while they exist.
	 */
	enum dstack_status st = sandbox_enter(ROLE_KEYD, &why);
	if (st == DSTACK_OK) {
		k = secret_page(PAGE, &why);
		st = k != NULL ? keyd_begin(k, &why) : DSTACK_E_SYS;
	}
	held = k;
	if (st == DSTACK_OK && signal(SIGTERM, on_end) == SIG_ERR)
		st = why_set(&why, DSTACK_E_SYS, "keyd: signal: %s",
		    strerror(errno));
	if (st != DSTACK_OK) {
		if (why.text[0] == '\0')
			(void)why_set(&why, st, "keyd: cannot start");
		ipc_give_up(&why);
	} else {
		ipc_ready();
		ipc_serve(peers, sizeof(peers) / sizeof(peers[0]), serve, k);
	}
	if (k != NULL) {
		explicit_bzero(k, PAGE);
		(void)munmap(k, PAGE);
	}
	return st == DSTACK_OK ? 0 : 1; /* 0: init is gone, the VM with it */
}
