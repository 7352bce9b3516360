/* SPDX-License-Identifier: Apache-2.0 */
/* What rpc_client.c (questions) and send.c (transactions) share. */
#ifndef HOST_RPC_PRIV_H
#define HOST_RPC_PRIV_H

#include <pthread.h>

#include "host/chain/rpc_client.h"

#define RPC_OPEN 4   /* transactions under way at once */
#define RPC_TRIES 6  /* times that one is sent under its nonce */

/* A transaction that was sent and is in no block that we know of. */
struct rpc_open {
	bool used;
	uint8_t from[20];
	uint8_t to[20];
	bool create;
	uint8_t *data; /* owned */
	size_t len;
	uint64_t nonce;
	uint64_t gas;
	uint64_t max_fee;
	uint64_t tip;
	uint8_t hash[RPC_TRIES][32]; /* any of them may be the one mined */
	size_t tries;
	uint64_t sent_ms; /* the last of them; monotonic */
	bool over; /* in a block, or its nonce is used: kept for who asks */
};

struct rpc {
	char *url;
	struct rpc_limits limits;
	pthread_mutex_t send; /* guards open; nonce to eth_sendRawTransaction */
	struct rpc_open open[RPC_OPEN];
	pthread_mutex_t wait; /* guards the next two */
	uint64_t not_before_ms; /* monotonic; the endpoint is not asked before */
	unsigned pause_ms;      /* the last pause without a Retry-After */
};

uint64_t rpc_now_ms(void);
void rpc_pause_ms(uint64_t ms);

#endif
