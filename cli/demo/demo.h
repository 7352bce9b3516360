/* SPDX-License-Identifier: Apache-2.0 */
/* Inside dstack demo: demo.c runs the network, demo_setup.c makes it. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/secret.h"
#include "host/chain/governance.h"
#include "host/acme/local_ca.h"
#include "host/node/node.h"
#include "protocol/netcfg.h"

#define DEMO_NODES_MAX 16u
#define DEMO_CHAIN_ID 31337u
#define DEMO_DOMAIN "demo.dstack.test"
#define DEMO_DIR "build/demo"

struct demo_node {
	struct host_config cfg;
	char dir[128];
	char env[160];
	pid_t pid;
	struct node_status seen; /* what was told so far */
};

struct demo {
	unsigned count;
	unsigned spare;  /* more nodes, made but not started */
	unsigned memory; /* MiB of each VM */
	unsigned volume; /* MiB of each encrypted volume */
	bool no_vm;
	bool keep;
	bool json;
	bool ready;
	bool egress;   /* EGRESS=yes in each host.env */
	bool view_rpc; /* guests take the RPC's word for what is final */
	bool ct_relay; /* ciphertexts travel by relay, not on chain */
	const char *dir;
	const char *image;
	const char *app; /* archive */
	uint64_t start_ms;

	char rpc_url[64];
	char relay_url[64];
	char beacon_url[64]; /* "": none */
	pid_t anvil;
	pid_t relay;
	pid_t beacon;
	struct rpc *rpc;
	struct secret32 owner;
	struct gov gov;
	struct gov_deployed deployed;
	uint8_t app_digest[32];
	struct local_ca ca;
	bool ca_up;
	struct demo_node node[DEMO_NODES_MAX];

	pthread_t certs;
	bool certs_run;
	atomic_bool certs_stop;
};

/* Folders, chain, contract, netcfg, policy, app, relay, CA; nodes' host.env. */
DSTACK_CHECKED enum dstack_status demo_setup(struct demo *d, struct why *why);
DSTACK_CHECKED enum dstack_status demo_start_node(
    struct demo *d, unsigned i, struct why *why);
/* The beacon node over d's chain, and what netcfg says of it, when it is up. */
DSTACK_CHECKED enum dstack_status demo_beacon_start(
    struct demo *d, uint16_t port, struct why *why);
DSTACK_CHECKED enum dstack_status demo_beacon_netcfg(
    struct demo *d, struct netcfg *n, struct why *why);
/* A thread that answers the guests' certificate requests. */
DSTACK_CHECKED enum dstack_status demo_certs(struct demo *d, struct why *why);
/*
 * Ends all that was started, by process id, nodes in order (VM_STOP_MS). Safe
 * at any time. When *signals, a count, goes up meanwhile they end at once.
 */
void demo_teardown(struct demo *d, const volatile sig_atomic_t *signals);

#endif
