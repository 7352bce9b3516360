/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an RPC may do to the account and to those who ask it: a real chain
 * (anvil) for transactions, and a server of canned answers for the rest.
 */
#include "tests/unit/host/host_bed.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

static struct secret32 payer;
static uint8_t from[20];

static json_t *
call(const char *method, json_t *params)
{
	json_t *v = NULL;
	struct why why = { "" };
	if (rpc_call(rpc, method, params, &v, &why) != DSTACK_OK)
		fail_msg("%s: %s", method, why.text);
	return v;
}

static uint64_t
nonce(const char *tag)
{
	uint64_t n = 0;
	json_t *v = call("eth_getTransactionCount",
	    json_pack("[o,s]", eth_json_hex(from, 20), tag));
	assert_int_equal(eth_json_u64(v, &n), DSTACK_OK);
	json_decref(v);
	return n;
}

static int
chain_up(void **state)
{
	(void)state;
	if (access(ANVIL, X_OK) != 0)
		return 0;
	start_anvil();
	random_key(&payer);
	assert_int_equal(secp_address(&payer, from), DSTACK_OK);
	fund(&payer);
	return 0;
}

static int
chain_down(void **state)
{
	(void)state;
	rpc_free(rpc);
	if (anvil > 0)
		proc_stop(&anvil, 2000);
	return 0;
}

/* The transactions of the payer that the chain holds back, by nonce. */
static json_t *
held(void)
{
	json_t *pool = call("txpool_content", NULL);
	const char *account;
	json_t *v = NULL;
	json_t *mine = NULL;
	char hex[43];
	eip55(from, hex);
	json_object_foreach (json_object_get(pool, "pending"), account, v)
		if (strcasecmp(account, hex) == 0)
			mine = json_incref(v);
	json_decref(pool);
	return mine != NULL ? mine : json_object();
}

static uint64_t
fee_of(const json_t *tx)
{
	uint64_t fee = 0;
	assert_int_equal(
	    eth_json_u64(json_object_get(tx, "maxFeePerGas"), &fee),
	    DSTACK_OK);
	return fee;
}

static void
a_stuck_transaction_is_replaced_under_its_nonce(void **state)
{
	static const uint8_t to[20] = { 0x11 };
	struct rpc_receipt r;
	struct why why = { "" };
	(void)state;
	if (rpc == NULL)
		skip();
	uint64_t before = nonce("latest");
	json_decref(call("evm_setAutomine", json_pack("[b]", 0)));
	rpc_limit(rpc, &(struct rpc_limits){ .bump_ms = 200 });
	assert_int_equal(rpc_send(rpc, &payer, 31337, to, "a", 1, 50, &r,
	                     &why),
	    DSTACK_E_BUSY);
	assert_non_null(strstr(why.text, "in no block yet"));
	uint8_t first[32];
	memcpy(first, r.tx_hash, 32);
	json_t *pool = held();
	assert_int_equal(json_object_size(pool), 1);
	uint64_t fee = fee_of(json_object_iter_value(json_object_iter(pool)));
	json_decref(pool);
	/* the same call again waits for the same one, and pays more for it */
	for (int i = 0; i < 100 && memcmp(first, r.tx_hash, 32) == 0; i++)
		assert_int_equal(rpc_send(rpc, &payer, 31337, to, "a", 1, 50,
		                     &r, &why),
		    DSTACK_E_BUSY);
	assert_memory_not_equal(first, r.tx_hash, 32);
	pool = held();
	assert_int_equal(json_object_size(pool), 1);
	assert_true(fee_of(json_object_iter_value(json_object_iter(pool))) >
	    fee + fee / 10);
	json_decref(pool);
	/* another call does not wait behind it, nor take its place */
	assert_int_equal(rpc_send(rpc, &payer, 31337, to, "b", 1, 50, &r,
	                     &why),
	    DSTACK_E_BUSY);
	pool = held();
	assert_int_equal(json_object_size(pool), 2);
	json_decref(pool);
	json_decref(call("anvil_mine", json_pack("[s]", "0x1")));
	assert_int_equal(rpc_send(rpc, &payer, 31337, to, "a", 1, 5000, &r,
	                     &why),
	    DSTACK_OK);
	json_decref(r.logs);
	assert_int_equal(rpc_send(rpc, &payer, 31337, to, "b", 1, 5000, &r,
	                     &why),
	    DSTACK_OK);
	json_decref(r.logs);
	assert_int_equal(nonce("latest"), before + 2); /* each once */
	json_decref(call("evm_setAutomine", json_pack("[b]", 1)));
	/* once seen in a block it is forgotten: the same call is a new one */
	assert_int_equal(rpc_send(rpc, &payer, 31337, to, "a", 1, 5000, &r,
	                     &why),
	    DSTACK_OK);
	json_decref(r.logs);
	assert_int_equal(nonce("latest"), before + 3);
}

static void
nothing_dearer_than_the_limits_is_signed(void **state)
{
	static const uint8_t to[20] = { 0x12 };
	struct rpc_receipt r;
	struct why why = { "" };
	(void)state;
	if (rpc == NULL)
		skip();
	uint64_t before = nonce("pending");
	rpc_limit(rpc, &(struct rpc_limits){ .max_gas = 20999 });
	assert_int_equal(
	    rpc_send(rpc, &payer, 31337, to, "", 0, 50, &r, &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "MAX_GAS allows 20999"));
	rpc_limit(rpc, &(struct rpc_limits){ .max_gas = 1000000,
	    .max_fee = UINT64_C(5000000000) });
	/* a base fee of 6 gwei, as an RPC may also invent */
	json_decref(call("anvil_setNextBlockBaseFeePerGas",
	    json_pack("[s]", "0x165a0bc00")));
	json_decref(call("anvil_mine", json_pack("[s]", "0x1")));
	assert_int_equal(
	    rpc_send(rpc, &payer, 31337, to, "", 0, 50, &r, &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "MAX_FEE_GWEI allows 5"));
	assert_int_equal(nonce("pending"), before);
	/* within the limit, what is signed stays within it */
	json_decref(call("evm_setAutomine", json_pack("[b]", 0)));
	rpc_limit(rpc, &(struct rpc_limits){ .max_fee = UINT64_C(8000000000) });
	assert_int_equal(
	    rpc_send(rpc, &payer, 31337, to, "", 0, 50, &r, &why),
	    DSTACK_E_BUSY);
	json_t *pool = held();
	assert_true(fee_of(json_object_iter_value(json_object_iter(pool))) <=
	    UINT64_C(8000000000));
	json_decref(pool);
	json_decref(call("evm_setAutomine", json_pack("[b]", 1)));
	json_decref(call("anvil_mine", json_pack("[s]", "0x1")));
	rpc_limit(rpc, &(struct rpc_limits){ .max_fee = UINT64_C(100000000000) });
}

/* ------------------------------------------- a server of canned answers */

struct canned {
	const char *const *answer; /* heads and bodies, one a request */
	atomic_int asked;
};

static struct canned *shared;
static pid_t canned_pid;

static void
canned_serve(int s)
{
	for (;;) {
		char buf[8192];
		int c = accept(s, NULL, NULL);
		size_t n = 0;
		if (c < 0)
			_exit(0);
		/* head and body: ours are small and come at once */
		do {
			ssize_t got = read(c, buf + n, sizeof(buf) - 1 - n);
			if (got <= 0)
				break;
			n += (size_t)got;
			buf[n] = '\0';
		} while (strstr(buf, "\r\n\r\n") == NULL ||
		    (strstr(buf, "}\n") == NULL && buf[n - 1] != '}' &&
		        buf[n - 1] != ']'));
		int i = atomic_fetch_add(&shared->asked, 1);
		const char *a = shared->answer[0];
		for (int k = 0; k <= i && shared->answer[k] != NULL; k++)
			a = shared->answer[k]; /* the last for all that follow */
		(void)!write(c, a, strlen(a));
		(void)close(c);
	}
}

static struct rpc *
canned(const char *const *answer)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char url[64];
	int s = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(s >= 0 && bind(s, (struct sockaddr *)&a, len) == 0);
	assert_int_equal(listen(s, 16), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	shared->answer = answer;
	canned_pid = fork();
	if (canned_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		canned_serve(s);
	}
	(void)close(s);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    ntohs(a.sin_port));
	return rpc_new(url);
}

static int
canned_end(struct rpc *r)
{
	int asked = atomic_load(&shared->asked);
	rpc_free(r);
	(void)kill(canned_pid, SIGKILL);
	(void)waitpid(canned_pid, NULL, 0);
	(void)munmap(shared, sizeof(*shared));
	return asked;
}

#define HEAD(status, more) \
	"HTTP/1.1 " status "\r\nConnection: close\r\n" more "\r\n"
#define YES HEAD("200 OK", "") \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x7\"}"

static void
who_asked_to_wait_is_not_asked_meanwhile(void **state)
{
	static const char *const answers[] = {
		HEAD("429 Too Many Requests", "Retry-After: 3600\r\n"), YES,
		NULL };
	struct rpc *r = canned(answers);
	struct why why = { "" };
	uint64_t id = 0;
	(void)state;
	assert_int_equal(rpc_chain_id(r, &id, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "429"));
	assert_non_null(strstr(why.text, "3600 s"));
	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    rpc_chain_id(r, &id, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "asked to wait"));
	assert_int_equal(canned_end(r), 1);
}

static void
a_caller_with_patience_waits_as_long_as_asked(void **state)
{
	static const char *const answers[] = {
		HEAD("503 Service Unavailable", "Retry-After: 1\r\n"), YES,
		NULL };
	struct rpc *r = canned(answers);
	struct why why = { "" };
	uint64_t id = 0;
	(void)state;
	rpc_limit(r, &(struct rpc_limits){ .patience_ms = 20000 });
	assert_int_equal(rpc_chain_id(r, &id, &why), DSTACK_OK);
	assert_int_equal(id, 7);
	assert_int_equal(canned_end(r), 2);
}

static void
an_answer_that_was_cut_short_is_asked_for_again(void **state)
{
	static const char *const cut[] = {
		HEAD("200 OK", "Content-Length: 400\r\n") "{\"jsonrpc\":", YES,
		NULL };
	static const char *const garbled[] = {
		HEAD("200 OK", "") "{\"jsonrpc\":\"2.0\",\"id\":1,\"res",
		YES, NULL };
	static const char *const always[] = {
		HEAD("200 OK", "") "<html>busy</html>", NULL };
	struct why why = { "" };
	uint64_t id = 0;
	(void)state;
	struct rpc *r = canned(cut);
	assert_int_equal(rpc_chain_id(r, &id, &why), DSTACK_OK);
	assert_int_equal(canned_end(r), 2);
	r = canned(garbled);
	assert_int_equal(rpc_chain_id(r, &id, &why), DSTACK_OK);
	assert_int_equal(canned_end(r), 2);
	r = canned(always);
	assert_int_equal(rpc_chain_id(r, &id, &why), DSTACK_E_FORMAT);
	assert_int_equal(canned_end(r), 2); /* not for ever */
}

static struct eth_rpc_ask
plain(const char *method)
{
	return (struct eth_rpc_ask){ .method = method,
		.params = json_array() };
}

static void
a_batch_is_one_request_in_any_order(void **state)
{
	static const char *const answers[] = { HEAD("200 OK", "")
		"[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"0x2\"},"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}]", NULL };
	struct rpc *r = canned(answers);
	struct eth_rpc_ask ask[2] = { plain("a"), plain("b") };
	struct why why = { "" };
	(void)state;
	assert_int_equal(rpc_batch(r, ask, 2, &why), DSTACK_OK);
	assert_string_equal(json_string_value(ask[0].result), "0x1");
	assert_string_equal(json_string_value(ask[1].result), "0x2");
	json_decref(ask[0].result);
	json_decref(ask[1].result);
	assert_int_equal(canned_end(r), 1);
}

static void
a_server_without_batches_is_asked_singly(void **state)
{
	static const char *const answers[] = { HEAD("200 OK", "")
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":"
		"{\"code\":-32600,\"message\":\"no batches\"}}", YES, NULL };
	struct rpc *r = canned(answers);
	struct eth_rpc_ask ask[3] = { plain("a"), plain("b"), plain("c") };
	struct why why = { "" };
	(void)state;
	assert_int_equal(rpc_batch(r, ask, 3, &why), DSTACK_OK);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(json_string_value(ask[i].result), "0x7");
		json_decref(ask[i].result);
	}
	assert_int_equal(canned_end(r), 4);
}

static void
a_batch_with_an_error_or_a_hole_gives_nothing(void **state)
{
	static const char *const error[] = { HEAD("200 OK", "")
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"},"
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":"
		"{\"code\":3,\"message\":\"no such block\"}}]", NULL };
	static const char *const hole[] = { HEAD("200 OK", "")
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}]",
		HEAD("500 Internal", ""), NULL };
	struct eth_rpc_ask ask[2] = { plain("a"), plain("b") };
	struct why why = { "" };
	(void)state;
	struct rpc *r = canned(error);
	assert_int_equal(rpc_batch(r, ask, 2, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "no such block"));
	assert_null(ask[0].result);
	assert_null(ask[1].result);
	(void)canned_end(r);
	ask[0] = plain("a");
	ask[1] = plain("b");
	r = canned(hole);
	assert_int_equal(rpc_batch(r, ask, 2, &why), DSTACK_E_MISSING);
	assert_null(ask[0].result);
	(void)canned_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_stuck_transaction_is_replaced_under_its_nonce),
		cmocka_unit_test(nothing_dearer_than_the_limits_is_signed),
		cmocka_unit_test(who_asked_to_wait_is_not_asked_meanwhile),
		cmocka_unit_test(a_caller_with_patience_waits_as_long_as_asked),
		cmocka_unit_test(
		    an_answer_that_was_cut_short_is_asked_for_again),
		cmocka_unit_test(a_batch_is_one_request_in_any_order),
		cmocka_unit_test(a_server_without_batches_is_asked_singly),
		cmocka_unit_test(a_batch_with_an_error_or_a_hole_gives_nothing),
	};
	return cmocka_run_group_tests(tests, chain_up, chain_down);
}
