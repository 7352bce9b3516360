/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml reads the file into nodes; then every node is looked at once, before
 * anybody takes a value: a map with a key twice, or with a key that is no
 * text, or a merge ("<<"), or a tag of its own is refused with its line.
 * Anchors and aliases are only nodes that are met again; who walks the nodes
 * here does so to a fixed depth, so a circle of them does no harm, and
 * nothing grows by being named often.
 *
 * Variables come from the caller alone, never from the environment: what is
 * built must not depend on the shell that it is built in.
 */
#include "cli/app/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/wr.h"

/* libyaml counts lines from 0, people from 1. */
static enum dstack_status
no_at(const struct yaml *y, size_t line, const char *fmt, va_list ap)
{
	char text[200];
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return why_set(y->why, DSTACK_E_REJECTED, "%.80s:%zu: %s", y->file,
	    line + 1, text);
}

enum dstack_status
yaml_no(const struct yaml *y, const yaml_node_t *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	enum dstack_status st = no_at(y, at->start_mark.line, fmt, ap);
	va_end(ap);
	return st;
}

static enum dstack_status __attribute__((format(printf, 3, 4)))
no_line(const struct yaml *y, size_t line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	enum dstack_status st = no_at(y, line, fmt, ap);
	va_end(ap);
	return st;
}

bool
yaml_is_map(const yaml_node_t *n)
{
	return n->type == YAML_MAPPING_NODE;
}

bool
yaml_is_list(const yaml_node_t *n)
{
	return n->type == YAML_SEQUENCE_NODE;
}

/* Always there and NUL-terminated; a NUL inside is looked for elsewhere. */
static const char *
scalar(const yaml_node_t *n)
{
	return (const char *)n->data.scalar.value;
}

bool
yaml_is_null(const yaml_node_t *n)
{
	if (n->type != YAML_SCALAR_NODE ||
	    n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	const char *t = scalar(n);
	return t[0] == '\0' || strcmp(t, "~") == 0 || strcmp(t, "null") == 0;
}

size_t
yaml_size(const yaml_node_t *n)
{
	if (yaml_is_map(n))
		return (size_t)(n->data.mapping.pairs.top -
		    n->data.mapping.pairs.start);
	if (yaml_is_list(n))
		return (size_t)(n->data.sequence.items.top -
		    n->data.sequence.items.start);
	return 0;
}

yaml_node_t *
yaml_at(struct yaml *y, const yaml_node_t *n, size_t i)
{
	return yaml_document_get_node(&y->doc,
	    yaml_is_map(n) ? n->data.mapping.pairs.start[i].value
			   : n->data.sequence.items.start[i]);
}

yaml_node_t *
yaml_key_at(struct yaml *y, const yaml_node_t *n, size_t i)
{
	return yaml_document_get_node(
	    &y->doc, n->data.mapping.pairs.start[i].key);
}

const char *
yaml_key(struct yaml *y, const yaml_node_t *n, size_t i)
{
	return scalar(yaml_key_at(y, n, i));
}

/* Linear: a file has few members, and none comes twice. */
yaml_node_t *
yaml_get(struct yaml *y, const yaml_node_t *n, const char *key)
{
	for (size_t i = 0; yaml_is_map(n) && i < yaml_size(n); i++)
		if (strcmp(yaml_key(y, n, i), key) == 0)
			return yaml_at(y, n, i);
	return NULL;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * libyaml keeps every entry of a map, also those of one key; which of them
 * counts is each reader's own choice, so there may be one.
 */
static enum dstack_status
keys(struct yaml *y, const yaml_node_t *n)
{
	const size_t count = yaml_size(n);
	AUTO_FREE const char **v = calloc(count + 1, sizeof(*v));
	if (v == NULL)
		return why_set(y->why, DSTACK_E_NOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		const yaml_node_t *k = yaml_key_at(y, n, i);
		if (k->type != YAML_SCALAR_NODE)
			return yaml_no(y, n, "a key that is no text");
		if (strlen(scalar(k)) != k->data.scalar.length)
			return yaml_no(y, k, "a key with a NUL in it");
		if (strcmp(scalar(k), "<<") == 0)
			return yaml_no(y, k, "merges (<<) are not supported: "
			    "write the members out");
		v[i] = scalar(k);
	}
	qsort(v, count, sizeof(*v), by_text);
	for (size_t i = 1; i < count; i++)
		if (strcmp(v[i - 1], v[i]) == 0)
			return yaml_no(
			    y, n, "%.60s is here twice", v[i]);
	return DSTACK_OK;
}

/* Tags that say what a node is anyway; others would change what it means. */
static bool
tag_ok(const yaml_node_t *n)
{
	static const char *const ok[] = { YAML_STR_TAG, YAML_SEQ_TAG,
		YAML_MAP_TAG, YAML_INT_TAG, YAML_BOOL_TAG, YAML_FLOAT_TAG,
		YAML_NULL_TAG };
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++)
		if (strcmp((const char *)n->tag, ok[i]) == 0)
			return true;
	return false;
}

static enum dstack_status
judge(struct yaml *y)
{
	const yaml_node_t *n = y->doc.nodes.start;
	enum dstack_status st = DSTACK_OK;
	for (; n != y->doc.nodes.top && st == DSTACK_OK; n++) {
		if (n->tag != NULL && !tag_ok(n))
			return yaml_no(y, n, "tag %.60s is not supported",
			    (const char *)n->tag);
		if (yaml_is_map(n))
			st = keys(y, n);
	}
	return st;
}

/* The parser's next document; its own words where it has none. */
static enum dstack_status
load(struct yaml *y, yaml_parser_t *p, yaml_document_t *doc)
{
	if (yaml_parser_load(p, doc) == 1)
		return DSTACK_OK;
	if (p->error == YAML_MEMORY_ERROR)
		return why_set(y->why, DSTACK_E_NOMEM, "no memory");
	return no_line(y, p->problem_mark.line, "%.150s",
	    p->problem != NULL ? p->problem : "no YAML");
}

enum dstack_status
yaml_open(struct yaml *y, const char *file, const void *text, size_t n,
    char *const *vars, size_t nvars, struct why *why)
{
	yaml_parser_t p;
	yaml_document_t more;
	*y = (struct yaml){ .file = file, .vars = vars, .nvars = nvars,
		.why = why };
	if (n > YAML_MAX)
		return why_set(why, DSTACK_E_LIMIT, "%.80s: over %u bytes",
		    file, YAML_MAX);
	if (yaml_parser_initialize(&p) != 1)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	yaml_parser_set_input_string(&p, text, n);
	enum dstack_status st = load(y, &p, &y->doc);
	y->there = st == DSTACK_OK;
	if (st == DSTACK_OK && yaml_root(y) == NULL)
		st = no_line(y, 0, "it is empty");
	else if (st == DSTACK_OK)
		st = load(y, &p, &more);
	if (st == DSTACK_OK) {
		if (yaml_document_get_root_node(&more) != NULL)
			st = no_line(y, more.start_mark.line,
			    "a second document: there may be one");
		yaml_document_delete(&more);
	}
	yaml_parser_delete(&p);
	if (st == DSTACK_OK)
		st = judge(y);
	if (st != DSTACK_OK)
		yaml_close(y);
	return st;
}

void
yaml_close(struct yaml *y)
{
	if (y->there)
		yaml_document_delete(&y->doc);
	y->there = false;
}

yaml_node_t *
yaml_root(struct yaml *y)
{
	return yaml_document_get_root_node(&y->doc);
}

/* --- ${NAME} --- */

/* Names of variables, as in POSIX. */
static bool
name_char(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (!first && c >= '0' && c <= '9');
}

static const char *
value_of(const struct yaml *y, const char *name, size_t n)
{
	for (size_t i = 0; i < y->nvars; i++)
		if (strncmp(y->vars[i], name, n) == 0 && y->vars[i][n] == '=')
			return y->vars[i] + n + 1;
	return NULL;
}

/*
 * What stands after a "$", t; returns what follows it, NULL after a refusal.
 * A default is taken as it is written: no variable inside another.
 */
static const char *
variable(struct yaml *y, const yaml_node_t *at, const char *t, struct wr *w)
{
	const bool braces = *t == '{';
	const char *name = braces ? t + 1 : t;
	size_t n = 0;
	while (name_char(name[n], n == 0))
		n++;
	const char *end = name + n;
	const char *v = n != 0 ? value_of(y, name, n) : NULL;
	if (n != 0 && braces && *end != '}') {
		const bool empty = *end == ':';
		const char *text = end + (empty ? 2 : 1);
		const char *close = strchr(end, '}');
		if (close == NULL || text > close || text[-1] != '-' ||
		    memchr(text, '$', (size_t)(close - text)) != NULL)
			n = 0;
		else if (v == NULL || (empty && v[0] == '\0'))
			wr_put(w, text, (size_t)(close - text));
		else
			wr_str(w, v);
		end = close;
		v = n != 0 ? "" : NULL;
	}
	if (n == 0) {
		(void)yaml_no(y, at, "'$%.40s' is no variable; write $$ for a "
				     "$, ${NAME} or ${NAME:-text}", t);
		return NULL;
	}
	if (v == NULL) {
		(void)yaml_no(y, at, "%.*s has no value here: give it with "
				     "--env %.*s=VALUE", (int)(n > 60 ? 60 : n),
		    name, (int)(n > 60 ? 60 : n), name);
		return NULL;
	}
	wr_str(w, v);
	return end + (braces ? 1 : 0);
}

enum dstack_status
yaml_text(
    struct yaml *y, const yaml_node_t *n, const char *what, char **out)
{
	AUTO_WR struct wr w = wr_new(YAML_MAX);
	if (n->type != YAML_SCALAR_NODE || yaml_is_null(n))
		return yaml_no(y, n, "%.60s is no text", what);
	if (strlen(scalar(n)) != n->data.scalar.length)
		return yaml_no(y, n, "%.60s has a NUL in it", what);
	for (const char *t = scalar(n); *t != '\0';) {
		const size_t plain = strcspn(t, "$");
		wr_put(&w, t, plain);
		t += plain;
		if (*t == '\0')
			break;
		t++;
		if (*t == '$') {
			wr_u8(&w, '$');
			t++;
			continue;
		}
		t = variable(y, n, t, &w);
		if (t == NULL)
			return DSTACK_E_REJECTED;
	}
	wr_u8(&w, 0);
	if (wr_status(&w) != DSTACK_OK)
		return yaml_no(y, n, "%.60s is too long", what);
	size_t len = 0;
	*out = (char *)wr_steal(&w, &len);
	return DSTACK_OK;
}
