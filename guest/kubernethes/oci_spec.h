/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's config.json for one container (OCI runtime-spec 1.0): all
 * namespaces, for root the capabilities that Docker gives, less two, inside
 * its user namespace, no new privileges, an allowlist of system calls
 * (THREATS T38).
 */
#ifndef GUEST_OCI_SPEC_H
#define GUEST_OCI_SPEC_H

#include <jansson.h>

#include "oci/oci.h"

/* Container ids 0..65535 are these on the outside; they own the volume. */
#define SPEC_ID_BASE 0x100000u
#define SPEC_ID_COUNT 65536u

/* Who runs and where, found out from the image's config and its tree. */
struct spec_user {
	uint32_t uid, gid;
	uint32_t groups[32];
	size_t ngroups;
	char home[256];
};

/*
 * "", "UID", "UID:GID", "name", "name:group": the image's USER. Names are
 * looked up in the tree's /etc/passwd and /etc/group. root: its directory.
 * DSTACK_E_REJECTED: a name that is not there, an id over OCI_MAX_ID.
 */
DSTACK_CHECKED enum dstack_status spec_user(
    int root, const char *user, struct spec_user *out, struct why *why);

/* A folder of the volume, or memory, in the place of one of the image's. */
struct spec_bind {
	char from[160]; /* absolute, in the guest; "": a tmpfs */
	const char *to; /* absolute, in the container */
	bool read_only;
};

struct spec {
	const struct oci_config *config;
	const struct spec_user *user;
	/* bundle: has root, hosts, hostname, resolv.conf, run, host */
	const char *dir;
	const char *data;     /* becomes /mnt/encrypted_data */
	const struct spec_bind *binds; /* parents before what is in them */
	size_t nbinds;
	bool no_host;         /* no /mnt/host_volume */
	uint64_t shm_size;    /* bytes of /dev/shm; 0: the usual */
	bool no_tmp;          /* the image has no /tmp: it gets one */
	bool cgroup;          /* it may see its own bounds */
	int userns_fd;        /* as the runtime will see them in */
	int netns_fd;         /* /proc/self/fd */
};

/* DSTACK_E_REJECTED: the image names nothing to run. *json: caller frees. */
DSTACK_CHECKED enum dstack_status spec_write(
    const struct spec *s, char **json, struct why *why);

/*
 * The process of the image's HEALTHCHECK, of which there is one: user,
 * environment and bounds are those of the app's own. *json: caller frees.
 */
DSTACK_CHECKED enum dstack_status spec_write_check(
    const struct spec *s, char **json, struct why *why);

/* The linux.seccomp object; NULL without memory. */
json_t *spec_seccomp(void);

/* Signal that the image asks to be stopped with ("SIGINT", "INT", "2"). */
int spec_stop_signal(const char *text);

#endif
