/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority for a network on one machine: Pebble behind its
 * real ACME interface, with a DNS server that answers 127.0.0.1 to every
 * name. Loopback only. For demo and tests; a real network uses a real CA.
 */
#ifndef HOST_LOCAL_CA_H
#define HOST_LOCAL_CA_H

#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

struct local_ca {
	pid_t pebble; /* 0: not running */
	pid_t dns;
	char directory[64];    /* ACME directory URL */
	char ca_file[512];     /* trust this for the ACME endpoint */
	char root_file[512];   /* trust this for what it issues */
	char http_listen[32];  /* http-01 is looked for here */
};

/*
 * Start both below dir (made if missing, emptied of old keys). port: the
 * first of five free ports in a row. Blocks until the directory answers.
 */
DSTACK_CHECKED enum dstack_status local_ca_start(
    struct local_ca *ca, const char *dir, uint16_t port, struct why *why);
void local_ca_stop(struct local_ca *ca);

#endif
