/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's roles and the descriptors they are born with
 * (docs/internals.md section 1).
 */
#ifndef GUEST_ROLE_H
#define GUEST_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "protocol/netcfg.h"

enum role {
	ROLE_INIT = 0,
	ROLE_HOSTLINK = 1,
	ROLE_TEE = 2,
	ROLE_KEYD = 3,
	ROLE_VERIFIER = 4,
	ROLE_REPLICATOOR = 5,
	ROLE_VOLUME = 6,
	ROLE_GUEST_SERVICE = 7,
	ROLE_TLS = 8,
	ROLE_KUBERNETHES = 9,
	ROLE_LIGHTCLIENT = 10,
	ROLE_COUNT = 11,
};

#define FD_NETCFG 3       /* sealed memfd, the measured text */
#define FD_VIEW 4          /* lightclient: what it keeps of the chain */
#define FD_CONTROL 10     /* guest-service: control plane listener */
#define FD_PUBLIC 11      /* unstoppable-tls: public listener */
#define FD_LINK 12        /* hostlink: stream to the host */
#define FD_TEE 13         /* tee: stream to the simulator (sim flavour) */
#define FD_DISK 14        /* volume: block device, or directory in --no-vm */
#define FD_EGRESS 15      /* kubernethes: network namespace of the way out */
#define ROLE_VIEW_MEMORY (256u * 1024) /* bytes at FD_VIEW */
#define FD_EDGE 16        /* FD_EDGE + role: the edge to that role */

/* argv[0] of the role, e.g. "guest-service". */
const char *role_name(enum role r);
/* May a ask b? Edges exist where either direction may. */
bool role_may_ask(enum role a, enum role b);

/*
 * The netcfg of FD_NETCFG, and unless sha384_out is NULL the 48 bytes of its
 * SHA-384, which is MRCONFIGID.
 */
DSTACK_CHECKED enum dstack_status role_netcfg(
    struct netcfg *cfg, uint8_t *sha384_out, struct why *why);

/*
 * Entry points, one a file: run until done, return the exit status. Each
 * drops what it does not need before it reads a foreign byte.
 */
int init_main(int argc, char **argv);
int hostlink_main(void);
int tee_main(void);
int keyd_main(void);
int verifier_main(void);
int replicatoor_main(void);
int volume_main(void);
int guest_service_main(void);
int tls_main(void);
int kubernethes_main(void);
int lightclient_main(void);

#endif
