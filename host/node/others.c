/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asked in this order: netcfg (how often nodes give a sign of life), the guest
 * (which of them it is itself), the chain's head, the heartbeats' events since
 * two periods ago, and each node's last heartbeat in storage, since only that
 * has epoch and time. All of it is the RPC endpoint's word and a guess at
 * best: a node that has died since its last heartbeat still counts, one that
 * has not sent its first does not. So the line says what was looked at. If
 * something does not answer, the line says that it is not known.
 */
#include "host/node/others.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/log.h"
#include "base/own.h"
#include "base/wr.h"
#include "crypto/hash.h"
#include "eth/rpc.h"
#include "host/base/files.h"
#include "host/http/client.h"
#include "protocol/layout.h"
#include "protocol/netcfg.h"
#include "protocol/state.h"

#define ANSWER_MS 5000
#define LAST_S 1 /* for the word, when the node has ended */
#define NODES_MAX 64
#define BLOCKS_MAX 5000u /* providers refuse longer ranges of events */

struct others {
	const struct host_config *cfg;
	pthread_t thread;
	atomic_bool stop;
};

struct seen {
	uint8_t node[NODES_MAX][20];
	size_t n;
};

/* One call to the endpoint; NULL: no answer, or an error. */
static json_t *
call(struct others *o, const char *method, json_t *params)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(ETH_RPC_MAX);
	unsigned status = 0;
	json_t *result = NULL;

	if (eth_rpc_request(&q, method, params) != DSTACK_OK)
		return NULL;
	const struct http_request h = { .url = o->cfg->rpc_url,
		.body = q.buf,
		.bodylen = q.len,
		.max = ETH_RPC_MAX,
		.timeout_ms = ANSWER_MS,
		.stop = &o->stop };
	if (http_do(&h, &status, &a, NULL, NULL) != DSTACK_OK ||
	    status != 200 ||
	    eth_rpc_result(a.buf, a.len, &result, NULL) != DSTACK_OK)
		return NULL;
	return result;
}

/* Seconds between two heartbeats; 0: no netcfg. */
static uint64_t
period(const struct host_config *c)
{
	AUTO_CLOSE int dir = -1;
	AUTO_WR struct wr w = wr_new(NETCFG_MAX + 8);
	struct netcfg n;

	if (files_open(c->host_volume, &dir, NULL) != DSTACK_OK ||
	    files_read(dir, "netcfg", 0, NETCFG_MAX, &w, NULL) != DSTACK_OK ||
	    netcfg_parse(w.buf + 8, w.len - 8, &n, NULL) != DSTACK_OK)
		return 0;
	return n.heartbeat;
}

/* The guest's own address; false: it does not say. */
static bool
own_address(struct others *o, uint8_t out[static 20])
{
	char url[64];
	unsigned status = 0;
	AUTO_WR struct wr a = wr_new(65536);

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/status",
	    o->cfg->control_port);
	const struct http_request h = { .url = url,
		.max = 65536,
		.timeout_ms = 2000,
		.stop = &o->stop };
	if (http_do(&h, &status, &a, NULL, NULL) != DSTACK_OK || status != 200)
		return false;
	json_t *v = json_loadb(
	    (const char *)a.buf, a.len, JSON_REJECT_DUPLICATES, NULL);
	bool ok = eth_json_fixed(json_object_get(v, "node"), out, 20) == DSTACK_OK;
	json_decref(v);
	return ok;
}

/* Who is named by a heartbeat's event, each once; false: no answer. */
static bool
beaten(struct others *o, uint64_t from, struct seen *s)
{
	static const char event[] = "Beaten(address,uint64)";
	uint8_t topic[32], word[32];
	size_t i;
	json_t *log;

	keccak256(event, sizeof(event) - 1, topic);
	json_t *logs = call(o, "eth_getLogs",
	    json_pack("[{s:o,s:o,s:s,s:[o]}]", "address",
	        eth_json_hex(o->cfg->contract, 20), "fromBlock",
	        eth_json_quantity(from), "toBlock", "latest", "topics",
	        eth_json_hex(topic, 32)));
	bool ok = json_is_array(logs);
	/* topic 1 is the address, in the last 20 bytes of its word */
	json_array_foreach (logs, i, log) {
		bool known = false;
		if (eth_json_fixed(json_array_get(
		        json_object_get(log, "topics"), 1), word, 32) != DSTACK_OK)
			continue;
		for (size_t k = 0; k < s->n; k++)
			known = known || memcmp(s->node[k], word + 12, 20) == 0;
		if (!known && s->n < NODES_MAX)
			memcpy(s->node[s->n++], word + 12, 20);
	}
	json_decref(logs);
	return ok;
}

static bool
last_beat(struct others *o, const uint8_t node[static 20],
    struct state_beat *out)
{
	uint8_t slot[32], word[32];

	state_beat_slot(node, slot);
	json_t *v = call(o, "eth_getStorageAt",
	    json_pack("[o,o,s]", eth_json_hex(o->cfg->contract, 20),
	        eth_json_hex(slot, 32), "latest"));
	bool ok = eth_json_fixed(v, word, 32) == DSTACK_OK;
	json_decref(v);
	if (ok)
		state_beat_decode(word, out);
	return ok;
}

/* How many but us live in the newest epoch; -1: not known. */
static int
count(struct others *o, uint64_t span)
{
	uint8_t own[20] = { 0 };
	struct seen s = { .n = 0 };
	struct eth_header head;
	uint64_t epoch = 0;
	int others = 0;
	bool have_own = own_address(o, own);
	json_t *b = call(
	    o, "eth_getBlockByNumber", json_pack("[s,b]", "latest", 0));
	bool ok = b != NULL && eth_header_from_json(b, &head, NULL) == DSTACK_OK;

	json_decref(b);
	/* a block takes a second at least, so this many hold the span */
	uint64_t back = span < BLOCKS_MAX ? span : BLOCKS_MAX;
	/* without its own address a node might count itself for another */
	if (!ok || !have_own ||
	    !beaten(o, head.number > back ? head.number - back : 0, &s))
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		struct state_beat beat;
		if (!last_beat(o, s.node[i], &beat))
			return -1;
		if (beat.time + span < head.timestamp || beat.epoch < epoch)
			continue;
		/* those of an older epoch have another secret */
		if (beat.epoch > epoch)
			others = 0;
		epoch = beat.epoch;
		others += memcmp(s.node[i], own, 20) != 0;
	}
	return others;
}

static void *
look(void *arg)
{
	struct others *o = arg;
	uint64_t span = 2 * period(o->cfg);
	int n = span != 0 ? count(o, span) : -1;

	if (atomic_load(&o->stop))
		return NULL;
	if (n < 0)
		log_line("stopping: whether another node has the network's "
			 "secret is not known, for the chain was not to be asked");
	else if (n == 0)
		log_line("stopping: no other node gave a sign of life in the "
			 "last %llu minutes: if none runs, the network's secret "
			 "ends with this one, and every volume with it "
			 "(docs/operating.md, If no node is left)",
		    (unsigned long long)(span / 60));
	else
		log_line("stopping: the chain heard of %d other node%s in the "
			 "last %llu minutes",
		    n, n == 1 ? "" : "s", (unsigned long long)(span / 60));
	return NULL;
}

struct others *
others_ask(const struct host_config *cfg)
{
	struct others *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->cfg = cfg;
	if (pthread_create(&o->thread, NULL, look, o) != 0) {
		free(o);
		return NULL;
	}
	return o;
}

void
others_free(struct others *o)
{
	if (o == NULL)
		return;
	struct timespec end;

	/* a guest may end faster than the word about it comes */
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LAST_S;
	if (pthread_timedjoin_np(o->thread, NULL, &end) != 0) {
		atomic_store(&o->stop, true);
		(void)pthread_join(o->thread, NULL);
	}
	free(o);
}
