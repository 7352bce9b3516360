/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Compose file (compose-spec) as a manifest (oci/manifest.h): the part of
 * it that has a meaning on a node. What has none is refused with its line.
 */
#ifndef CLI_COMPOSE_H
#define CLI_COMPOSE_H

#include "cli/app/yaml.h"
#include "oci/manifest.h"

/* Reads a file that the Compose file names. path: as it is written there. */
typedef enum dstack_status compose_read(void *ctx, const char *path,
    void **text, size_t *n, struct why *why);

struct compose {
	struct manifest m; /* services by name, without images' digests */
	/* As written, for the caller to find; NULL: it names none. */
	char *image[MANIFEST_SERVICES];
	size_t line[MANIFEST_SERVICES]; /* of image, or of the service */
};

/*
 * text: of the file, n bytes. file: its name in reasons. vars: "NAME=value"
 * each, for ${NAME}. read: for env_file.
 * DSTACK_E_REJECTED: what is not supported, with FILE:LINE.
 */
DSTACK_CHECKED enum dstack_status compose_parse(const char *file,
    const void *text, size_t n, char *const *vars, size_t nvars,
    compose_read *read, void *ctx, struct compose *out, struct why *why);
void compose_free(struct compose *c);
#define AUTO_COMPOSE OWN_CLEANUP(compose_free)

/* --- between compose.c and compose_service.c --- */

/* A port that a service publishes, and where that is written. */
struct compose_port {
	uint16_t port;
	unsigned service;
	const yaml_node_t *at;
	bool label; /* by dstack.front; else by ports */
};

struct compose_reading {
	struct yaml y;
	struct compose *out;
	compose_read *read;
	void *ctx;
	struct why *why;
	const yaml_node_t *secrets; /* those that are declared; or NULL */
	struct compose_port port[64];
	size_t nports;
};

DSTACK_CHECKED enum dstack_status compose_service(
    struct compose_reading *r, unsigned i, const yaml_node_t *n);
/* Add a text (taken over, also on failure). */
DSTACK_CHECKED enum dstack_status compose_add(
    struct compose_reading *r, struct manifest_texts *t, char *text);

/* --- compose_value.c: values with a grammar of their own --- */

/* "1m30s", "500ms": milliseconds. False: no such text, or over a day. */
bool compose_duration(const char *text, uint32_t *ms);
/* "64m", "1gb", "100": bytes. */
bool compose_bytes(const char *text, uint64_t *bytes);
/* "8080:80", "80/tcp": the container's TCP port. */
bool compose_port_of(const char *text, uint16_t *port);
/*
 * Words as a shell would have them, without its expansions; each for the
 * caller to free. False: a quote that does not end, or no memory.
 */
bool compose_words(const char *text, struct manifest_texts *out);

#endif
