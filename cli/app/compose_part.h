/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read one service of a Compose file. */
#ifndef CLI_COMPOSE_PART_H
#define CLI_COMPOSE_PART_H

#include "cli/app/compose.h"

/* A member: its value, and whose it is. */
struct compose_part {
	struct compose_reading *r;
	struct manifest_service *s;
	unsigned i;
	const yaml_node_t *n;
	const char *key;
};

#define NO(p, n, ...) yaml_no(&(p)->r->y, n, __VA_ARGS__)

/* --- compose_text.c --- */

/* A scalar with its variables put in, for the caller to free. */
DSTACK_CHECKED enum dstack_status compose_text(
    struct compose_part *p, const yaml_node_t *n, char **out);
/* A text, or a list of texts, added to t. */
DSTACK_CHECKED enum dstack_status compose_texts(
    struct compose_part *p, struct manifest_texts *t);
/* A list of "NAME=value", or a map; each over one of its name in t. */
DSTACK_CHECKED enum dstack_status compose_pairs(
    struct compose_part *p, struct manifest_texts *t);
/* A list of words, or one text that is split as a shell would split it. */
DSTACK_CHECKED enum dstack_status compose_command(
    struct compose_part *p, struct manifest_texts *t);
/* "1m30s": milliseconds, at most max. */
DSTACK_CHECKED enum dstack_status compose_ms(struct compose_part *p,
    const yaml_node_t *n, uint32_t max, uint32_t *out);
/* The members of these names. */
DSTACK_CHECKED enum dstack_status compose_environment(struct compose_part *p);
DSTACK_CHECKED enum dstack_status compose_env_file(struct compose_part *p);

/* --- compose_need.c: the members of these names --- */
DSTACK_CHECKED enum dstack_status compose_volumes(struct compose_part *p);
DSTACK_CHECKED enum dstack_status compose_depends_on(struct compose_part *p);
DSTACK_CHECKED enum dstack_status compose_healthcheck(struct compose_part *p);

#endif
