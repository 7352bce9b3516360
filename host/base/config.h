/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.env: what one node's host needs to know (host.env.example explains
 * each key). Lines KEY=VALUE, '#' comments, blank lines; no quotes, no
 * "export", no expansion but {ETH_API_KEY} in ETH_RPC_URL. Unknown and
 * repeated keys are refused, so a misspelt one is never silently ignored.
 */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

#define CONFIG_TEXT 512
#define CONFIG_MAX (64u * 1024) /* bytes of host.env */

struct listen_addr {
	char host[64];
	uint16_t port;
};

struct host_config {
	struct secret32 privkey;  /* PRIVKEY: pays gas, signs transactions */
	uint8_t submitter[20];    /* its address */
	struct secret32 node_key; /* NODE_KEY: names the node's volume; PRIVKEY
	                           * by default */
	uint8_t owner[20];        /* its address */
	uint8_t payee[20];        /* PAYEE; the submitter by default */
	uint8_t contract[20];     /* CONTRACT */
	uint64_t chain_id;        /* CHAIN_ID */
	char api_key[CONFIG_TEXT];
	char rpc_url[CONFIG_TEXT]; /* ETH_RPC_URL with the API key in it */
	char pubsub_url[CONFIG_TEXT];
	char guest_service[CONFIG_TEXT]; /* http://127.0.0.1:PORT */
	uint16_t control_port;           /* PORT of it */
	struct listen_addr host_service; /* HOST_SERVICE, loopback alone */
	struct listen_addr https;        /* HTTPS_LISTEN */
	char beacon_url[CONFIG_TEXT];    /* BEACON_URL, several; "": none */
	char pccs_url[CONFIG_TEXT];      /* PCCS_URL; "": none */
	char pccs_ca[CONFIG_TEXT];       /* PCCS_CA; "": none */
	bool pccs_early;                 /* PCCS_UPDATE=early (or standard) */
	char host_volume[CONFIG_TEXT];   /* HOST_VOLUME */
	char state[CONFIG_TEXT];         /* STATE_DIR */
	char image[CONFIG_TEXT];         /* IMAGE_DIR */
	bool sim;                        /* FLAVOUR=sim (or tdx) */
	char firmware[CONFIG_TEXT];      /* FIRMWARE; tdx only */
	char quote_service[CONFIG_TEXT]; /* QUOTE_SERVICE; tdx only */
	uint32_t max_fee_gwei;           /* MAX_FEE_GWEI, a unit of gas */
	uint32_t max_gas;                /* MAX_GAS, a transaction */
	uint32_t index;                  /* NODE_INDEX */
	uint32_t memory_mb;              /* VM_MEMORY_MB */
	uint32_t cpus;                   /* VM_CPUS */
	uint32_t volume_mb;              /* VOLUME_MB, of a new volume */
	bool egress;                     /* EGRESS: a way out for apps */
};

void config_wipe(struct host_config *c);
#define AUTO_CONFIG OWN_CLEANUP(config_wipe)

/*
 * Parse text of len bytes; name is for messages. out is written only on
 * DSTACK_OK. Relative paths stay as they are. DSTACK_E_FORMAT: why names the
 * line or the key, and what it should be.
 */
DSTACK_CHECKED enum dstack_status config_parse(const char *name,
    const char *text, size_t len, struct host_config *out, struct why *why);

/*
 * Read and parse a file: regular, at most CONFIG_MAX. Others able to read it
 * is worth a line on standard error, as it holds a key.
 */
DSTACK_CHECKED enum dstack_status config_load(
    const char *path, struct host_config *out, struct why *why);

/* "HOST:PORT" with an IPv4 address or localhost; port 1..65535. */
DSTACK_CHECKED enum dstack_status listen_parse(
    const char *text, struct listen_addr *out);
bool listen_is_loopback(const struct listen_addr *a);

#endif
