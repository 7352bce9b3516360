/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The made beacon chain, the execution blocks that it names, and the host that
 * serves what it is told, for the tests of the view by light client. For tests
 * of one file each: all of it is static.
 */
#ifndef TEST_VIEW_BED_H
#define TEST_VIEW_BED_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "eth/rlp.h"
#include "eth/rpc.h"
#include "guest/base/link.h"
#include "guest/lightclient/lightclient.h"
#include "guest/lightclient/view.h"
#include "tests/unit/lib/beacon/lcmake.h"

#define KEYS 32u
#define DOCS 64u
#define START (4 * MK_PERIOD + 8) /* the checkpoint: Electra */

/* What the host has; shared with the process that serves it. */
static struct host {
	struct {
		char path[128]; /* "" : free; "/rpc": the block of that hash */
		uint8_t hash[32];
		uint16_t status;
		size_t len;
		uint8_t body[32768];
	} doc[DOCS];
	unsigned asked;	   /* questions so far */
	char path[128];	   /* of the last one */
	char refused[32];  /* what came with it */
	char paths[4096];  /* of all since last cleared */
} *host;

static struct netcfg cfg;
static struct view v;
static struct why why;
static int edge = -1;
static pid_t served;
static json_t *block;

/* --- the host --- */

static inline void
put(const char *path, uint16_t status, const void *p, size_t n)
{
	size_t at = DOCS;
	for (size_t i = DOCS; i-- > 0;)
		if (host->doc[i].path[0] == '\0' ||
		    (strcmp(host->doc[i].path, path) == 0 &&
			strcmp(path, "/rpc") != 0))
			at = i;
	for (size_t i = 0; i < DOCS; i++)
		if (strcmp(host->doc[i].path, path) == 0 &&
		    strcmp(path, "/rpc") != 0)
			at = i;
	assert_true(at < DOCS && n <= sizeof(host->doc[0].body));
	memcpy(host->doc[at].body, p, n);
	host->doc[at].len = n;
	host->doc[at].status = status;
	(void)snprintf(host->doc[at].path, sizeof(host->doc[at].path), "%s",
	    path);
}

static inline size_t
find(const char *path, const uint8_t *hash)
{
	for (size_t i = 0; i < DOCS; i++)
		if (strcmp(host->doc[i].path, path) == 0 &&
		    (hash == NULL || memcmp(host->doc[i].hash, hash, 32) == 0))
			return i;
	return DOCS;
}

static inline void
serve(int fd)
{
	for (;;) {
		struct ipc_request q;
		bool eof;
		const uint8_t *p;
		size_t n;
		uint8_t hash[32] = { 0 };
		char path[128];
		if (ipc_receive(fd, &q, &eof) != DSTACK_OK || eof ||
		    rd_text(&q.body, path, sizeof(path)) != DSTACK_OK ||
		    rd_blob(&q.body, LINK_MAX_BODY, &p, &n) != DSTACK_OK)
			_exit(0);
		bool rpc = strcmp(path, "/rpc") == 0;
		if (rpc) {
			json_t *o = json_loadb((const char *)p, n, 0, NULL);
			(void)!eth_json_fixed(json_array_get(
			    json_object_get(o, "params"), 0), hash, 32);
			json_decref(o);
		} else {
			(void)snprintf(host->refused, sizeof(host->refused),
			    "%.*s", (int)n, (const char *)p);
		}
		(void)snprintf(host->path, sizeof(host->path), "%s", path);
		size_t at = strlen(host->paths);
		(void)snprintf(host->paths + at, sizeof(host->paths) - at,
		    "%.40s ", path);
		host->asked++;
		size_t i = find(path, rpc ? hash : NULL);
		AUTO_WR struct wr a = wr_new(IPC_MAX);
		wr_u16be(&a, i < DOCS ? host->doc[i].status : rpc ? 200 : 404);
		static const char none[] =
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}";
		if (i < DOCS)
			wr_blob(&a, host->doc[i].body, host->doc[i].len);
		else if (rpc)
			wr_blob(&a, none, sizeof(none) - 1);
		else
			wr_blob(&a, "no", 2);
		ipc_request_free(&q);
		if (ipc_answer(fd, &a) != DSTACK_OK)
			_exit(0);
	}
}

/* --- an execution block of that number, served by its hash --- */

static inline void
quantity(struct wr *w, const char *name)
{
	const char *t = json_string_value(json_object_get(block, name));
	rlp_put_u64(w, strtoull(t, NULL, 16));
}

static inline void
bytes(struct wr *w, const char *name)
{
	uint8_t b[256];
	const char *t = json_string_value(json_object_get(block, name));
	size_t n = (strlen(t) - 2) / 2;
	if (n != 0)
		assert_int_equal(hex_decode(t, strlen(t), b, n), DSTACK_OK);
	rlp_put_bytes(w, b, n);
}

static inline void
execution_block(uint64_t number, uint8_t hash[static 32])
{
	static const char *const order[] = { "parentHash", "sha3Uncles",
		"miner", "stateRoot", "transactionsRoot", "receiptsRoot",
		"logsBloom", "#difficulty", "#number", "#gasLimit", "#gasUsed",
		"#timestamp", "extraData", "mixHash", "nonce",
		"#baseFeePerGas", "withdrawalsRoot", "#blobGasUsed",
		"#excessBlobGas", "parentBeaconBlockRoot", "requestsHash" };
	AUTO_WR struct wr items = wr_new(0);
	AUTO_WR struct wr all = wr_new(0);
	char text[32];
	(void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	(void)json_object_set_new(block, "number", json_string(text));
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i][0] == '#')
			quantity(&items, order[i] + 1);
		else
			bytes(&items, order[i]);
	rlp_put_list(&all, &items);
	keccak256(all.buf, all.len, hash);
	(void)json_object_set_new(block, "hash", eth_json_hex(hash, 32));
	json_t *o = json_pack("{s:s,s:i,s:O}", "jsonrpc", "2.0", "id", 1,
	    "result", block);
	char *j = json_dumps(o, JSON_COMPACT);
	size_t i = find("/rpc", hash);
	if (i == DOCS) {
		put("/rpc", 200, j, strlen(j));
		for (i = 0; host->doc[i].path[0] != '\0' && i < DOCS - 1; i++)
			if (strcmp(host->doc[i].path, "/rpc") == 0 &&
			    host->doc[i].len == strlen(j) &&
			    memcmp(host->doc[i].body, j, strlen(j)) == 0)
				break;
		memcpy(host->doc[i].hash, hash, 32);
	}
	free(j);
	json_decref(o);
}

/* --- the beacon chain --- */

static inline void
begin_at(uint64_t slot)
{
	static struct mk m;
	static uint8_t ssz[MK_LEN];
	char path[128] = "/beacon/bootstrap/0x";
	mk_bootstrap(&m, &cfg.beacon, slot, cfg.checkpoint);
	hex_encode(cfg.checkpoint, 32, path + strlen(path));
	put(path, 200, ssz, mk_ssz(&m, BEACON_KIND_BOOTSTRAP, ssz));
}

/* The right update of a period; in it the next committee is finalized. */
static inline void
update_of(uint64_t period)
{
	static struct mk m;
	static uint8_t ssz[MK_LEN];
	char path[64];
	uint64_t s = period * MK_PERIOD;
	mk_update(&m, &cfg.beacon, s + 16, s + 32, s + 33);
	(void)snprintf(path, sizeof(path), "/beacon/updates/%u",
	    (unsigned)period);
	put(path, 200, ssz, mk_ssz(&m, BEACON_KIND_UPDATE, ssz));
}

/* The right finality update for a slot, whose execution block is `number`. */
static inline void
finalized(struct mk *m, uint64_t slot, uint64_t number)
{
	execution_block(number, mk_named_hash);
	mk_named_slot = slot;
	mk_update(m, &cfg.beacon, slot, slot + 16, slot + 17);
	mk_named_slot = 0;
}

static inline void
put_finality(const struct mk *m)
{
	static uint8_t ssz[MK_LEN];
	put("/beacon/finality", 200, ssz,
	    mk_ssz(m, BEACON_KIND_FINALITY, ssz));
}

static inline int
up(void **state)
{
	int p[2];
	(void)state;
	json_t *world = json_load_file("tests/vectors/chain_view.json", 0, NULL);
	block = json_deep_copy(json_object_get(world, "block"));
	json_decref(world);
	host = mmap(NULL, sizeof(*host), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(&cfg, 0, sizeof(cfg));
	cfg.view = NETCFG_VIEW_BEACON;
	cfg.beacon = mk_network(KEYS);
	cfg.finality = NETCFG_FINALIZED;
	begin_at(START);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) != 0)
		return -1;
	served = fork();
	if (served == 0) {
		(void)close(p[0]);
		serve(p[1]);
	}
	(void)close(p[1]);
	edge = p[0];
	return view_open(&v, edge, &cfg, -1, &why) == DSTACK_OK ? 0 : -1;
}

static inline int
down(void **state)
{
	(void)state;
	view_close(&v);
	(void)close(edge);
	(void)waitpid(served, NULL, 0);
	(void)munmap(host, sizeof(*host));
	json_decref(block);
	return 0;
}

/* Steps until the view rests or one fails; its status. */
static inline enum dstack_status
steps(void)
{
	v.rests = false;
	for (int i = 0; i < 20; i++) {
		enum dstack_status st = view_beacon_step(&v, &why);
		if (st != DSTACK_OK)
			return st;
		if (v.rests && !v.wants_update && v.kept.any) {
			/* the head that it may have brought */
			struct beacon_head b;
			if (beacon_finalized(v.store, &b) &&
			    b.slot <= v.kept.head.slot)
				return DSTACK_OK;
		}
	}
	return DSTACK_E_BUSY;
}

/* A view that has come to a head of period 6 (Gloas), by its number. */
static inline void
at_head(uint64_t number)
{
	static struct mk m;
	update_of(4);
	update_of(5);
	finalized(&m, 6 * MK_PERIOD + 8, number);
	put_finality(&m);
	assert_int_equal(steps(), DSTACK_OK);
	assert_int_equal(v.kept.head.number, number);
}

/* The next right head; the view gets there. */
static inline void
goes_on(uint64_t slot, uint64_t number)
{
	static struct mk m;
	finalized(&m, slot, number);
	put_finality(&m);
	for (int i = 0; i < 4 && steps() != DSTACK_OK; i++)
		;
	assert_int_equal(v.kept.head.number, number);
	assert_int_equal(v.kept.head.slot, slot);
}

#endif
