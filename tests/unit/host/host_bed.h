/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's whole path on a real chain (anvil) with the real contract and
 * the real relay; only the guest is played. Not there: router is NULL, and
 * the tests skip. For tests of one file each: all of it is static.
 */
#ifndef TEST_HOST_BED_H
#define TEST_HOST_BED_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "eth/rpc.h"
#include "host/chain/governance.h"
#include "host/http/client.h"
#include "host/http/server.h"
#include "host/chain/kmcall.h"
#include "host/join/onboarder.h"
#include "host/base/proc.h"
#include "host/relay/pubsub.h"
#include "host/service/route.h"
#include "protocol/messages.h"

#define ANVIL "tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
#define CODE "build/contracts/KeyManager.bin"

static struct host_config cfg;
static struct rpc *rpc;
static struct router *router;
static struct gov gov;
static struct eip712_domain domain;
static struct secret32 net_key;
static struct secret32 node_key;
static uint8_t xpub[20];
static uint8_t policy_hash[32];
static uint8_t seed_commit[32];
static pid_t anvil;
static pid_t relay;
static pid_t guest;
static char dir[64];

static inline void
random_key(struct secret32 *k)
{
	uint8_t a[20];
	do
		assert_int_equal(getrandom(k->b, 32, 0), 32);
	while (secp_address(k, a) != DSTACK_OK);
}

static inline uint16_t
free_port(void)
{
	for (unsigned p = 20000 + (unsigned)getpid() % 20000; p < 65000; p++)
		if (proc_port_free("127.0.0.1", (uint16_t)p, NULL) ==
		    DSTACK_OK)
			return (uint16_t)p;
	fail_msg("no free port");
	return 0;
}

static inline void
fund(const struct secret32 *key)
{
	uint8_t a[20];
	json_t *v = NULL;
	assert_int_equal(secp_address(key, a), DSTACK_OK);
	assert_int_equal(rpc_call(rpc, "anvil_setBalance",
	                     json_pack("[o,s]", eth_json_hex(a, 20),
	                         "0x56bc75e2d63100000"),
	                     &v, NULL),
	    DSTACK_OK);
	json_decref(v);
}

static inline void
start_anvil(void)
{
	char port[8];
	char url[64];
	char *argv[] = { (char *)(uintptr_t)ANVIL,
		(char *)(uintptr_t)"--port", port,
		(char *)(uintptr_t)"--accounts", (char *)(uintptr_t)"1",
		(char *)(uintptr_t)"--quiet", NULL };
	uint64_t id = 0;

	uint16_t p = free_port();
	(void)snprintf(port, sizeof(port), "%u", p);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", p);
	assert_int_equal(proc_start(argv, -1, false, &anvil, NULL), DSTACK_OK);
	rpc = rpc_new(url);
	/* the contract is created here */
	rpc_limit(rpc, &(struct rpc_limits){ .max_gas = 1u << 24 });
	for (int i = 0; rpc_chain_id(rpc, &id, NULL) != DSTACK_OK; i++) {
		assert_true(i < 600);
		proc_pause_ms(50);
	}
	assert_int_equal(id, 31337);
}

static inline void
anchor(uint8_t hash[static 32], uint64_t *number)
{
	json_t *v = NULL;
	assert_int_equal(rpc_call(rpc, "eth_getBlockByNumber",
	                     json_pack("[s,b]", "latest", 0), &v, NULL),
	    DSTACK_OK);
	assert_int_equal(
	    eth_json_fixed(json_object_get(v, "hash"), hash, 32), DSTACK_OK);
	assert_int_equal(
	    eth_json_u64(json_object_get(v, "number"), number), DSTACK_OK);
	json_decref(v);
}

/* ---- the guest's part of POST /onboard ---- */

#define REFUSED_ONCE 0x9e /* first byte of a nonce */
static bool refused;

static inline void
play_guest(void *arg, struct http_conn *c, const struct http_in *in)
{
	struct msg_register m;
	struct msg_onboard a;
	uint8_t digest[32];
	static const char ct[] = "sealed for the joiner";
	AUTO_WR struct wr w = wr_new(0);
	unsigned *calls = arg;

	if ((*calls)++ == 0) { /* not up yet: asked again */
		http_answer_text(c, 503, "later");
		return;
	}
	memset(&m, 0, sizeof(m));
	memset(&a, 0, sizeof(a));
	if (strcmp(in->path, "/onboard") != 0 ||
	    msg_register_parse(in->body, in->len, &m, NULL) != DSTACK_OK ||
	    !m.has_payee) {
		http_answer_text(c, 400, "no");
		return;
	}
	if (m.s.nonce[0] == REFUSED_ONCE && !refused) {
		refused = true;
		http_answer_text(c, 403, "not yet");
		msg_register_free(&m);
		return;
	}
	memcpy(a.s.request_id, m.request_id, 32);
	memcpy(a.s.seed_commit, seed_commit, 32);
	memset(a.s.platform_hash, 0x77, 32);
	memcpy(a.s.payee, m.payee, 20);
	a.ct = wr_new(0);
	wr_put(&a.ct, ct, sizeof(ct));
	keccak256(ct, sizeof(ct), a.s.ct_hash);
	stmt_onboard_digest(&a.s, &domain, digest);
	if (secp_sign(&net_key, digest, NULL, a.sig) != DSTACK_OK)
		_exit(1);
	msg_onboard_build(&w, &a);
	http_answer(c, 200, "application/json", w.buf, w.len);
	msg_onboard_free(&a);
	msg_register_free(&m);
}

static inline uint16_t
serve(pid_t *pid, bool is_relay)
{
	struct listen_addr at = { .host = "127.0.0.1", .port = 0 };
	struct http_limits limits = { .body_max = MSG_MAX,
		.conns = 16,
		.conns_per_ip = 16,
		.request_ms = 5000,
		.stall_ms = 5000 };
	uint16_t port = 0;
	unsigned calls = 0;
	int p[2];

	assert_int_equal(pipe(p), 0);
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct event_base *base = event_base_new();
		struct pubsub_limits l = pubsub_defaults();
		struct pubsub *ps = NULL;
		struct http_server *hs = NULL;
		(void)signal(SIGPIPE, SIG_IGN);
		if (is_relay
		        ? pubsub_new(base, &at, &l, &ps, NULL) != DSTACK_OK
		        : http_server_new(base, &at, &limits, play_guest,
		              &calls, &hs, NULL) != DSTACK_OK)
			_exit(1);
		port = is_relay ? pubsub_port(ps) : http_server_port(hs);
		(void)!write(p[1], &port, sizeof(port));
		(void)event_base_dispatch(base);
		_exit(0);
	}
	assert_int_equal(read(p[0], &port, sizeof(port)), sizeof(port));
	(void)close(p[0]);
	(void)close(p[1]);
	return port;
}

/* A contract of its own for the tests that follow, and a guest of it. */
static inline void
network(bool ct_onchain)
{
	struct gov_deploy deploy = { .sim = true, .ct_onchain = ct_onchain };
	struct gov_deployed done;
	struct gov_view view;
	struct state_policy policy = { .tcb_mask = 1,
		.request_expiry = 100,
		.requests_per_block = 4,
		.platform_mode = KM_PLATFORM_OPEN };
	uint8_t tuple[32] = { 5 };
	struct why why = { "" };

	if (gov_deploy(&gov, CODE, &deploy, &done, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	memcpy(cfg.contract, done.contract, 20);
	domain.chain_id = 31337;
	memcpy(domain.contract, done.contract, 20);
	if (guest > 0)
		proc_stop(&guest, 0);
	(void)snprintf(cfg.guest_service, sizeof(cfg.guest_service),
	    "http://127.0.0.1:%u", serve(&guest, false));
	assert_int_equal(gov_open_epoch(&gov, 0, &policy, cfg.submitter, &why),
	    DSTACK_OK);
	assert_int_equal(gov_allow_tuple(&gov, 0, tuple, &why), DSTACK_OK);
	assert_int_equal(gov_read(&gov, &view, &why), DSTACK_OK);
	memcpy(policy_hash, view.latest.policy_hash, 32);
}

static inline int
setup(void **state)
{
	char auditing[80];
	struct why why = { "" };

	(void)state;
	if (access(ANVIL, X_OK) != 0 || access(CODE, R_OK) != 0)
		return 0;
	(void)snprintf(dir, sizeof(dir), "build/test-chain-%d", (int)getpid());
	(void)snprintf(auditing, sizeof(auditing), "%s/auditing", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	start_anvil();
	random_key(&net_key);
	random_key(&node_key);
	random_key(&cfg.privkey);
	fund(&cfg.privkey);
	assert_int_equal(secp_address(&net_key, xpub), DSTACK_OK);
	memset(seed_commit, 0x33, 32);
	gov = (struct gov){ .rpc = rpc, .key = &cfg.privkey, .chain_id = 31337 };
	cfg.chain_id = 31337;
	assert_int_equal(secp_address(&cfg.privkey, cfg.submitter), DSTACK_OK);
	memset(cfg.payee, 0x99, 20);
	cfg.sim = true;
	(void)snprintf(cfg.host_volume, sizeof(cfg.host_volume), "%s", dir);
	(void)snprintf(cfg.state, sizeof(cfg.state), "%s", dir);
	(void)snprintf(cfg.pubsub_url, sizeof(cfg.pubsub_url),
	    "http://127.0.0.1:%u", serve(&relay, true));
	network(true);
	assert_int_equal(
	    router_new(&cfg, rpc, auditing, &router, &why), DSTACK_OK);
	return 0;
}

static inline int
teardown(void **state)
{
	char rm[] = "/bin/rm";
	char opt[] = "-rf";
	char *argv[] = { rm, opt, dir, NULL };
	pid_t pid = 0;

	(void)state;
	router_free(router);
	rpc_free(rpc);
	if (relay > 0)
		proc_stop(&relay, 0);
	if (guest > 0)
		proc_stop(&guest, 0);
	proc_stop(&anvil, 2000);
	if (dir[0] != '\0' &&
	    proc_start(argv, -1, false, &pid, NULL) == DSTACK_OK)
		(void)waitpid(pid, NULL, 0);
	return 0;
}

static inline unsigned
ask(const char *path, const struct wr *body, struct wr *out)
{
	struct route_answer a;

	route_handle(router, path, body != NULL ? body->buf : NULL,
	    body != NULL ? body->len : 0, &a);
	if (out != NULL) {
		wr_put(out, a.body.buf, a.body.len);
		wr_u8(out, 0);
	}
	unsigned status = a.status;
	wr_free(&a.body);
	return status;
}

static inline void
fake_quote(struct msg_evidence *ev, uint8_t fill)
{
	uint8_t q[700];

	memset(q, fill, sizeof(q));
	ev->quote = wr_new(0);
	wr_put(&ev->quote, q, sizeof(q));
	ev->collateral = wr_new(0);
	wr_str(&ev->collateral, "{\"tcb_info\":\"x\"}");
}

static inline void
make_bootstrap(struct msg_bootstrap *m)
{
	uint8_t digest[32];

	memset(m, 0, sizeof(*m));
	memcpy(m->s.xpub, xpub, 20);
	memcpy(m->s.seed_commit, seed_commit, 32);
	memcpy(m->s.policy_hash, policy_hash, 32);
	memcpy(m->s.submitter, cfg.submitter, 20);
	anchor(m->s.anchor_hash, &m->s.anchor_number);
	fake_quote(&m->ev, 1);
	stmt_bootstrap_digest(&m->s, &domain, digest);
	assert_int_equal(
	    secp_sign(&net_key, digest, NULL, m->sig), DSTACK_OK);
}

static inline void
make_register(struct msg_register *m, uint8_t nonce)
{
	uint8_t digest[32];

	memset(m, 0, sizeof(*m));
	m->suite = SUITE_X25519;
	memset(m->enc_pub, 8, 32);
	assert_int_equal(secp_address(&node_key, m->s.node), DSTACK_OK);
	stmt_enc_key_hash(m->suite, m->enc_pub, m->s.enc_key_hash);
	memcpy(m->s.policy_hash, policy_hash, 32);
	memcpy(m->s.submitter, cfg.submitter, 20);
	m->s.nonce[0] = nonce;
	anchor(m->s.anchor_hash, &m->s.anchor_number);
	stmt_register_digest(&m->s, &domain, m->request_id);
	fake_quote(&m->ev, 2);
	keccak256(m->ev.quote.buf, m->ev.quote.len, m->quote_hash);
	stmt_register_tx_digest(
	    m->request_id, m->quote_hash, &domain, digest);
	assert_int_equal(
	    secp_sign(&node_key, digest, NULL, m->sig), DSTACK_OK);
}

/* 200, and the answer parsed, within 20 s. */
static inline void
await_onboarded(const uint8_t id[static 32], struct msg_onboard *got)
{
	char path[80] = "/onboarded/";
	unsigned status = 204;

	hex_encode(id, 32, path + 11);
	for (int i = 0; status == 204 && i < 400; i++) {
		AUTO_WR struct wr out = wr_new(0);
		status = ask(path, NULL, &out);
		if (status == 200)
			assert_int_equal(msg_onboard_parse(out.buf,
			                     out.len - 1, got, NULL),
			    DSTACK_OK);
		else
			proc_pause_ms(50);
	}
	assert_int_equal(status, 200);
}

#endif
