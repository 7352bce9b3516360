/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain view against a host that lies (THREATS T07, T35): a process
 * behind the edge answers from tests/vectors/chain_view.json, bent by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "eth/rpc.h"
#include "guest/chain/chain.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/lightclient/view.h"

static json_t *world; /* as recorded */
static atomic_uint *proofs; /* that the hosts were asked for, with slots */
static struct netcfg cfg;

static int
load(void **state)
{
	(void)state;
	proofs = mmap(NULL, sizeof(*proofs), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (proofs == MAP_FAILED)
		return -1;
	world = json_load_file("tests/vectors/chain_view.json", 0, NULL);
	if (world == NULL)
		return -1;
	const char *a = json_string_value(json_object_get(world, "contract"));
	const char *h = json_string_value(
	    json_object_get(json_object_get(world, "proof"), "codeHash"));
	memset(&cfg, 0, sizeof(cfg));
	cfg.chain_id = 31337;
	cfg.view = NETCFG_VIEW_RPC;
	if (hex_decode(a, strlen(a), cfg.contract, 20) != DSTACK_OK ||
	    hex_decode(h, strlen(h), cfg.code_hash, 32) != DSTACK_OK)
		return -1;
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	json_decref(world);
	return 0;
}

/* What the RPC of w answers; "chain" overrides the chain id. */
static char *
answer_to(const json_t *w, const json_t *q)
{
	const char *method = json_string_value(json_object_get(q, "method"));
	const json_t *params = json_object_get(q, "params");
	json_t *r = NULL;
	if (strcmp(method, "eth_chainId") == 0) {
		r = json_object_get(w, "chain");
		r = r != NULL ? json_incref(r) : json_string("0x7a69");
	} else if (strcmp(method, "eth_getBlockByNumber") == 0) {
		r = json_incref(json_object_get(w, "block"));
	} else if (strcmp(method, "eth_getProof") == 0) {
		r = json_deep_copy(json_object_get(w, "proof"));
		/* of the account alone */
		if (json_array_size(json_array_get(params, 1)) == 0)
			(void)json_object_set_new(
			    r, "storageProof", json_array());
		else
			atomic_fetch_add(proofs, 1);
	}
	json_t *o = r != NULL ?
	    json_pack("{s:s,s:i,s:o}", "jsonrpc", "2.0", "id", 1, "result", r) :
	    json_pack("{s:s,s:i,s:{s:i,s:s}}", "jsonrpc", "2.0", "id", 1,
		"error", "code", -1, "message", "no");
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static void
host(int fd, const json_t *w)
{
	for (;;) {
		struct ipc_request q;
		bool eof;
		char path[256];
		const uint8_t *p;
		size_t n;
		if (ipc_receive(fd, &q, &eof) != DSTACK_OK || eof ||
		    rd_text(&q.body, path, sizeof(path)) != DSTACK_OK ||
		    rd_blob(&q.body, LINK_MAX_BODY, &p, &n) != DSTACK_OK)
			_exit(0);
		json_t *o = json_loadb((const char *)p, n, 0, NULL);
		char *text = answer_to(w, o);
		AUTO_WR struct wr a = wr_new(IPC_MAX);
		wr_u16be(&a, json_object_get(w, "down") != NULL ? 502 : 200);
		wr_blob(&a, text, strlen(text));
		free(text);
		json_decref(o);
		ipc_request_free(&q);
		if (ipc_answer(fd, &a) != DSTACK_OK)
			_exit(0);
	}
}

/* A process that has one end of a new pair; the other is ours. */
static pid_t
beside(int *ours, int *theirs)
{
	int p[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	pid_t pid = fork();
	*ours = p[0];
	*theirs = p[1];
	(void)close(pid == 0 ? p[0] : p[1]);
	return pid;
}

/* lightclient, with a host of its own; what it kept is `before`. */
static void
lightclient(int fd, const json_t *w, const struct chain_head *before)
{
	static struct view v;
	int link, theirs;
	pid_t pid = beside(&link, &theirs);
	if (pid == 0) {
		(void)close(fd);
		host(theirs, w);
	}
	struct why w_ = { "" };
	if (view_open(&v, link, &cfg, -1, &w_) != DSTACK_OK)
		_exit(1);
	if (before != NULL) {
		v.kept.any = true;
		v.kept.head.number = before->number;
		v.kept.head.time = before->timestamp;
	}
	for (;;) {
		struct ipc_request q;
		bool eof;
		if (ipc_receive(fd, &q, &eof) != DSTACK_OK || eof)
			_exit(0);
		view_serve(&v, ROLE_VERIFIER, fd, &q);
		ipc_request_free(&q);
	}
}

/* One read of epoch 0 from the host of w, by a view that saw `before`. */
static enum dstack_status
view(const json_t *w, const struct chain_head *before, struct state_epoch *e,
    struct why *why)
{
	int link, view_edge, theirs;
	struct chain c;
	struct chain_head head;
	pid_t served = beside(&link, &theirs);
	if (served == 0)
		host(theirs, w);
	pid_t seen = beside(&view_edge, &theirs);
	if (seen == 0) {
		(void)close(link);
		lightclient(theirs, w, before);
	}
	chain_open(&c, link, view_edge, &cfg);
	enum dstack_status st = chain_epoch(&c, 0, NULL, e, &head, why);
	if (st == DSTACK_OK) {
		assert_int_equal(head.slot, 0);
		assert_true(head.age == UINT64_MAX); /* nobody has tied it */
	}
	(void)close(link);
	(void)close(view_edge);
	assert_int_equal(waitpid(served, NULL, 0), served);
	assert_int_equal(waitpid(seen, NULL, 0), seen);
	return st;
}

static void
a_record_is_read_through_its_proofs(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why = { "" };
	assert_int_equal(view(world, NULL, &e, &why), DSTACK_OK);
	assert_int_equal(e.state, KM_EPOCH_OPEN);
	assert_int_equal(e.policy.tcb_mask, 1);
	assert_int_equal(e.policy.platform_mode, KM_PLATFORM_OPEN);
}

/*
 * The same block as Amsterdam has it: the hash of an empty block access list
 * (EIP-7928: keccak256 of an empty list's RLP) and a slot number (EIP-7843).
 * The hash is by @ethereumjs/block 10.1.3.
 */
static void
a_record_is_read_on_a_chain_of_amsterdam(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why = { "" };
	json_t *w = json_deep_copy(world);
	json_t *b = json_object_get(w, "block");
	json_object_set_new(b, "blockAccessListHash",
	    json_string("0x1dcc4de8dec75d7aab85b567b6ccd41a"
			"d312451b948a7413f0a142fd40d49347"));
	json_object_set_new(b, "slotNumber", json_string("0x7f"));
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	json_object_set_new(b, "hash",
	    json_string("0x48fd15992a3df9bc5a719d9a07498cf5"
			"9a2432184be3f4cf89f0e47950aa99d7"));
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_OK);
	assert_int_equal(e.state, KM_EPOCH_OPEN);
	json_object_set_new(b, "slotNumber", json_string("0x7e"));
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	json_decref(w);
}

static void
a_host_that_is_down_or_errs_leaves_it_undecided(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why;
	json_t *w = json_deep_copy(world);
	(void)json_object_set_new(w, "down", json_true());
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	(void)json_object_del(w, "down");
	(void)json_object_del(w, "block");
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	(void)json_object_set_new(w, "block", json_null());
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	json_decref(w);
}

static void
another_chain_and_other_code_are_no_view(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why;
	json_t *w = json_deep_copy(world);
	(void)json_object_set_new(w, "chain", json_string("0x1"));
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "chain 1"));
	json_decref(w);
	cfg.code_hash[0] ^= 1;
	assert_int_equal(view(world, NULL, &e, &why), DSTACK_E_MISSING);
	cfg.code_hash[0] ^= 1;
	cfg.contract[0] ^= 1; /* the proof is of another account */
	assert_int_not_equal(view(world, NULL, &e, &why), DSTACK_OK);
	cfg.contract[0] ^= 1;
}

/* Flip the last digit of a hex text. */
static void
flip(json_t *v)
{
	char *s = strdup(json_string_value(v));
	assert_non_null(s);
	size_t n = strlen(s);
	s[n - 1] = s[n - 1] == '0' ? '1' : '0';
	(void)json_string_set(v, s);
	free(s);
}

static void
a_header_with_any_field_bent_is_no_header(void **state)
{
	(void)state;
	static const char *const fields[] = { "hash", "parentHash", "stateRoot",
		"number", "timestamp", "miner", "transactionsRoot",
		"receiptsRoot", "gasUsed", "baseFeePerGas", "mixHash",
		"extraData" };
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct state_epoch e;
		struct why why;
		json_t *w = json_deep_copy(world);
		json_t *v = json_object_get(
		    json_object_get(w, "block"), fields[i]);
		assert_non_null(v);
		flip(v);
		assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_MISSING);
		json_decref(w);
	}
}

static void
a_proof_with_any_node_bent_missing_or_moved_proves_nothing(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why;
	json_t *w = json_deep_copy(world);
	json_t *proof = json_object_get(w, "proof");
	json_t *storage = json_object_get(proof, "storageProof");
	for (size_t i = 0; i <= json_array_size(storage); i++) {
		json_t *nodes = i == 0 ?
		    json_object_get(proof, "accountProof") :
		    json_object_get(
			json_array_get(storage, i - 1), "proof");
		/* without the account lightclient believes no header */
		enum dstack_status no =
		    i == 0 ? DSTACK_E_MISSING : DSTACK_E_FORMAT;
		for (size_t k = 0; k < json_array_size(nodes); k++) {
			json_t *v = json_incref(json_array_get(nodes, k));
			json_t *bent = json_deep_copy(v);
			flip(bent);
			(void)json_array_set_new(nodes, k, bent);
			assert_int_equal(view(w, NULL, &e, &why), no);
			(void)json_array_remove(nodes, k);
			assert_int_equal(view(w, NULL, &e, &why), no);
			(void)json_array_insert_new(nodes, k, v);
		}
	}
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_OK); /* all is back */
	json_decref(w);
	w = json_deep_copy(world);
	storage = json_object_get(json_object_get(w, "proof"), "storageProof");
	json_t *first = json_incref(json_array_get(storage, 0));
	(void)json_array_remove(storage, 0);
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_FORMAT);
	(void)json_array_append_new(storage, first); /* of other slots */
	assert_int_equal(view(w, NULL, &e, &why), DSTACK_E_FORMAT);
	json_decref(w);
}

static void
a_head_that_goes_back_or_changes_is_not_taken(void **state)
{
	(void)state;
	struct state_epoch e;
	struct why why;
	struct chain_head before = { .number = UINT64_MAX, .timestamp = 1 };
	assert_int_equal(view(world, &before, &e, &why), DSTACK_E_MISSING);
	before.number = 1;
	before.timestamp = UINT64_MAX;
	assert_int_equal(view(world, &before, &e, &why), DSTACK_E_MISSING);
	before.timestamp = 1;
	assert_int_equal(view(world, &before, &e, &why), DSTACK_OK);
	/* the same height, another block */
	const char *n = json_string_value(
	    json_object_get(json_object_get(world, "block"), "number"));
	before.number = strtoull(n, NULL, 16);
	assert_int_equal(view(world, &before, &e, &why), DSTACK_E_MISSING);
}

/* What was read at the last block is asked for with the first read of the next. */
static void
a_look_is_one_question_and_the_same_block_none(void **state)
{
	(void)state;
	int link, view_edge, theirs;
	struct chain c;
	struct chain_head head;
	struct state_head s;
	struct state_epoch e;
	struct why why = { "" };
	pid_t served = beside(&link, &theirs);
	if (served == 0)
		host(theirs, world);
	pid_t seen = beside(&view_edge, &theirs);
	if (seen == 0) {
		(void)close(link);
		lightclient(theirs, world, NULL);
	}
	chain_open(&c, link, view_edge, &cfg);
	atomic_store(proofs, 0);
	assert_int_equal(chain_epoch(&c, 0, NULL, &e, &head, &why), DSTACK_OK);
	assert_int_equal(atomic_load(proofs), 1);
	assert_int_equal(chain_epoch(&c, 0, &s, &e, &head, &why), DSTACK_OK);
	assert_int_equal(chain_state(&c, &s, &head, &why), DSTACK_OK);
	assert_int_equal(e.state, KM_EPOCH_OPEN);
	assert_int_equal(atomic_load(proofs), 1);
	/* as if another block had come */
	c.known.hash[0] ^= 1;
	assert_int_equal(chain_state(&c, &s, &head, &why), DSTACK_OK);
	assert_int_equal(atomic_load(proofs), 2);
	assert_int_equal(chain_epoch(&c, 0, NULL, &e, &head, &why), DSTACK_OK);
	assert_int_equal(atomic_load(proofs), 2);
	assert_int_equal(e.policy.platform_mode, KM_PLATFORM_OPEN);
	/* what nobody read in this block is not asked for in the next */
	c.known.hash[0] ^= 1;
	memset(c.known.used, 0, sizeof(c.known.used));
	assert_int_not_equal(chain_state(&c, &s, &head, &why), DSTACK_OK);
	assert_int_equal(atomic_load(proofs), 3); /* for one slot, not nine */
	(void)close(link);
	(void)close(view_edge);
	assert_int_equal(waitpid(served, NULL, 0), served);
	assert_int_equal(waitpid(seen, NULL, 0), seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_through_its_proofs),
		cmocka_unit_test(a_record_is_read_on_a_chain_of_amsterdam),
		cmocka_unit_test(
		    a_host_that_is_down_or_errs_leaves_it_undecided),
		cmocka_unit_test(
		    another_chain_and_other_code_are_no_view),
		cmocka_unit_test(a_header_with_any_field_bent_is_no_header),
		cmocka_unit_test(
		    a_proof_with_any_node_bent_missing_or_moved_proves_nothing),
		cmocka_unit_test(a_head_that_goes_back_or_changes_is_not_taken),
		cmocka_unit_test(
		    a_look_is_one_question_and_the_same_block_none),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
