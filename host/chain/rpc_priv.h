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
	uint8_t looked[32]; /* the newest block when its receipt was asked for */
	bool over; /* in a block, or its nonce is used: kept for who asks */
};

/* An answer that holds as long as the newest block is the same (newest.c). */
#define RPC_KEPT 32
struct rpc_kept {
	char *ask, *answer; /* owned, NUL-terminated; NULL: none */
};

#define PULSE_GAPS 8
struct pulse {
	pthread_mutex_t lock; /* of what follows */
	bool asking;	 /* a thread is, without the lock */
	bool known;
	uint64_t number;
	uint64_t time; /* as it says, Unix seconds */
	uint8_t hash[32];
	char *header;	   /* the endpoint's answer that it came in; owned */
	uint64_t seen_ms;  /* when it was seen first, monotonic */
	uint64_t next_ms;  /* not asked before */
	uint64_t gap_ms[PULSE_GAPS]; /* from block to block, lately */
	unsigned ngap;
	uint64_t step_ms;  /* how long to wait if it is still the same */
	struct rpc_kept kept[RPC_KEPT];
	size_t nkept;
};
void pulse_init(struct pulse *p);
void pulse_free(struct pulse *p);
/*
 * Locked: the newest block is this one, as was answered at now; header (taken
 * over) is the answer. Sets next_ms.
 */
void pulse_take(struct pulse *p, uint64_t number, uint64_t time,
    const uint8_t hash[static 32], char *header, uint64_t now);
/* A transaction was sent: there may be a block at once. */
void pulse_hasten(struct pulse *p);

struct rpc {
	char *url;
	struct rpc_limits limits;
	pthread_mutex_t send; /* guards open; nonce to eth_sendRawTransaction */
	struct rpc_open open[RPC_OPEN];
	pthread_mutex_t wait; /* guards the next two */
	uint64_t not_before_ms; /* monotonic; the endpoint is not asked before */
	unsigned pause_ms;      /* the last pause without a Retry-After */
	struct pulse pulse;
};

uint64_t rpc_now_ms(void);
void rpc_pause_ms(uint64_t ms);

#endif
