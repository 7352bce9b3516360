/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file as its nodes, and what is wrong with one as "FILE:LINE: ...".
 * Read by libyaml; this adds the bounds, refuses what has two readings
 * (keys that come twice, merges, tags), and puts in ${NAME} as Compose does.
 */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include <yaml.h>

#include "base/own.h"
#include "base/status.h"

#define YAML_MAX (1u << 20) /* bytes of a file */

struct yaml {
	const char *file; /* its name, for reasons; borrowed */
	yaml_document_t doc;
	bool there;
	char *const *vars; /* "NAME=value" each, for ${NAME}; borrowed */
	size_t nvars;
	struct why *why;
};

/* One document. file and vars are borrowed until yaml_close. */
DSTACK_CHECKED enum dstack_status yaml_open(struct yaml *y, const char *file,
    const void *text, size_t n, char *const *vars, size_t nvars,
    struct why *why);
void yaml_close(struct yaml *y);
#define AUTO_YAML OWN_CLEANUP(yaml_close)

/* "FILE:LINE: ..." of the node; returns DSTACK_E_REJECTED. */
enum dstack_status yaml_no(const struct yaml *y, const yaml_node_t *at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Never NULL after yaml_open, as every document has a root. */
yaml_node_t *yaml_root(struct yaml *y);
bool yaml_is_map(const yaml_node_t *n);
bool yaml_is_list(const yaml_node_t *n);
/* A scalar that is nothing: "", "~" or "null", unquoted. */
bool yaml_is_null(const yaml_node_t *n);
size_t yaml_size(const yaml_node_t *n); /* entries of a map or list */
/* Entry i of a list, or the value of entry i of a map. */
yaml_node_t *yaml_at(struct yaml *y, const yaml_node_t *n, size_t i);
/* Key of entry i of a map: a text, borrowed. */
const char *yaml_key(struct yaml *y, const yaml_node_t *n, size_t i);
/* The key itself, which has its own line. */
yaml_node_t *yaml_key_at(struct yaml *y, const yaml_node_t *n, size_t i);
/* Value of the key; NULL: the map has none, or n is none. */
yaml_node_t *yaml_get(struct yaml *y, const yaml_node_t *n, const char *key);

/*
 * A scalar as it is written, with "$NAME", "${NAME}", "${NAME-text}" and
 * "${NAME:-text}" replaced and "$$" as "$". The caller frees. what: the name
 * for a refusal: no scalar, nothing, a name that has no value.
 */
DSTACK_CHECKED enum dstack_status yaml_text(struct yaml *y,
    const yaml_node_t *n, const char *what, char **out);

#endif
