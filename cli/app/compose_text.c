/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of a service: alone, in lists, as names with values, as command
 * lines, and those that stand in an env_file. What Compose takes in several
 * forms comes out as one list. Variables are put in by yaml.c, in the Compose
 * file alone: an env_file has its values as they are written, and one that
 * Compose would read in another way than a person is refused with its line.
 */
#include "cli/app/compose_part.h"

#include <stdio.h>
#include <string.h>

/* One NULL more than texts, as C wants its lists. */
enum dstack_status
compose_add(struct compose_reading *r, struct manifest_texts *t, char *text)
{
	char **v = text == NULL
	    ? NULL
	    : reallocarray(t->v, t->n + 2, sizeof(*v));
	if (v == NULL) {
		free(text);
		return why_set(r->why, DSTACK_E_NOMEM, "no memory");
	}
	t->v = v;
	v[t->n++] = text;
	v[t->n] = NULL;
	t->there = true;
	return DSTACK_OK;
}

enum dstack_status
compose_text(struct compose_part *p, const yaml_node_t *n, char **out)
{
	return yaml_text(&p->r->y, n, p->key, out);
}

/* "NAME=value": over one of that name that is there. */
/* Taken over in any case, so that no caller has to look. */
static enum dstack_status
set(struct compose_part *p, struct manifest_texts *t, char *pair)
{
	const size_t n = strcspn(pair, "=") + 1;
	for (size_t i = 0; i < t->n; i++) {
		if (strncmp(t->v[i], pair, n) != 0)
			continue;
		free(t->v[i]);
		t->v[i] = pair;
		return DSTACK_OK;
	}
	return compose_add(p->r, t, pair);
}

/* A list of "NAME=value", or a map. Added to what is there. */
enum dstack_status
compose_pairs(struct compose_part *p, struct manifest_texts *t)
{
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	if (!yaml_is_map(p->n) && !yaml_is_list(p->n))
		return NO(p, p->n, "%s is neither a map nor a list", p->key);
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		const yaml_node_t *v = yaml_at(y, p->n, i);
		AUTO_FREE char *value = NULL;
		char *pair = NULL;
		if (yaml_is_map(p->n) && yaml_is_null(v))
			return NO(p, v, "%s: %.60s has no value, and nothing is "
					"taken from this shell", p->key,
			    yaml_key(y, p->n, i));
		st = compose_text(p, v, &value);
		if (st != DSTACK_OK)
			return st;
		if (yaml_is_list(p->n) && strchr(value, '=') == NULL)
			return NO(p, v, "%s: %.60s has no value, and nothing is "
					"taken from this shell", p->key, value);
		if (yaml_is_list(p->n))
			pair = take_ptr(&value);
		else if (asprintf(&pair, "%s=%s", yaml_key(y, p->n, i),
			     value) < 0)
			pair = NULL;
		st = pair != NULL ? set(p, t, pair)
				  : why_set(p->r->why, DSTACK_E_NOMEM,
					"no memory");
	}
	return st;
}

/* A text, or a list of texts. */
enum dstack_status
compose_texts(struct compose_part *p, struct manifest_texts *t)
{
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	char *v = NULL;
	if (!yaml_is_list(p->n)) {
		st = compose_text(p, p->n, &v);
		return st == DSTACK_OK ? compose_add(p->r, t, v) : st;
	}
	t->there = true;
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		st = compose_text(p, yaml_at(y, p->n, i), &v);
		if (st == DSTACK_OK)
			st = compose_add(p->r, t, v);
	}
	return st;
}

/* A list of words, or one text that is split as a shell would split it. */
enum dstack_status
compose_command(struct compose_part *p, struct manifest_texts *t)
{
	AUTO_FREE char *line = NULL;
	if (yaml_is_list(p->n))
		return compose_texts(p, t);
	if (yaml_is_null(p->n)) /* Compose: the image's */
		return DSTACK_OK;
	enum dstack_status st = compose_text(p, p->n, &line);
	if (st == DSTACK_OK && !compose_words(line, t))
		return NO(p, p->n, "%s: a quote that does not end, or over %d "
				   "words", p->key, MANIFEST_LIST);
	return st;
}

enum dstack_status
compose_ms(struct compose_part *p, const yaml_node_t *n, uint32_t max, uint32_t *out)
{
	AUTO_FREE char *t = NULL;
	enum dstack_status st = compose_text(p, n, &t);
	if (st == DSTACK_OK && (!compose_duration(t, out) || *out > max))
		return NO(p, n, "%s: '%.40s' is no time such as 1m30s, or over "
				"%u s", p->key, t, max / 1000);
	return st;
}

enum dstack_status
compose_environment(struct compose_part *p)
{
	return compose_pairs(p, &p->s->environment);
}

/*
 * One line of an env_file: NAME=value, the value as it is or in quotes. What
 * Compose would replace in it is not: the file is no place for two meanings.
 */
static enum dstack_status
env_line(struct compose_part *p, const char *file, size_t number, char *line)
{
	line += strspn(line, " \t");
	size_t n = strlen(line);
	while (n != 0 && strchr(" \t\r", line[n - 1]) != NULL)
		line[--n] = '\0';
	if (n == 0 || line[0] == '#')
		return DSTACK_OK;
	char *value = strchr(line, '=');
	if (value == NULL || value == line)
		return why_set(p->r->why, DSTACK_E_REJECTED,
		    "%.100s:%zu: no NAME=value", file, number);
	*value++ = '\0';
	n = strlen(value);
	if (n >= 2 && (value[0] == '\'' || value[0] == '"') &&
	    value[n - 1] == value[0]) {
		const char quote = value[0];
		value[n - 1] = '\0';
		value++;
		if (strchr(value, quote) != NULL ||
		    (quote == '"' && strpbrk(value, "\\$") != NULL))
			value = NULL;
	} else if (strpbrk(value, "$'\"") != NULL || strstr(value, " #") != NULL) {
		value = NULL;
	}
	if (value == NULL)
		return why_set(p->r->why, DSTACK_E_REJECTED,
		    "%.100s:%zu: a quote, $, \\ or comment in the value: put "
		    "all of it in single quotes", file, number);
	char *pair = NULL;
	if (asprintf(&pair, "%s=%s", line, value) < 0)
		return why_set(p->r->why, DSTACK_E_NOMEM, "no memory");
	return set(p, &p->s->environment, pair);
}

/* Lines are counted for the reason; the last needs no newline. */
static enum dstack_status
env_file(struct compose_part *p, const char *file)
{
	AUTO_FREE void *data = NULL;
	size_t n = 0;
	size_t number = 0;
	enum dstack_status st =
	    p->r->read(p->r->ctx, file, &data, &n, p->r->why);
	if (st != DSTACK_OK)
		return st;
	AUTO_FREE char *copy = malloc(n + 1);
	if (copy == NULL)
		return why_set(p->r->why, DSTACK_E_NOMEM, "no memory");
	memcpy(copy, data, n);
	copy[n] = '\0';
	if (strlen(copy) != n)
		return why_set(p->r->why, DSTACK_E_REJECTED,
		    "%.100s: a NUL in it", file);
	char *rest = copy;
	while (st == DSTACK_OK && rest != NULL) {
		char *line = strsep(&rest, "\n");
		st = env_line(p, file, ++number, line);
	}
	return st;
}

enum dstack_status
compose_env_file(struct compose_part *p)
{
	struct manifest_texts files = { .n = 0 };
	struct manifest_texts over = p->s->environment;
	enum dstack_status st = compose_texts(p, &files);
	/* environment goes over the files, wherever it stands */
	p->s->environment = (struct manifest_texts){ .n = 0 };
	for (size_t i = 0; i < files.n; i++) {
		if (st == DSTACK_OK)
			st = env_file(p, files.v[i]);
		free(files.v[i]);
	}
	free(files.v);
	for (size_t i = 0; i < over.n; i++) {
		if (st == DSTACK_OK)
			st = set(p, &p->s->environment, over.v[i]);
		else
			free(over.v[i]);
	}
	free(over.v);
	return st;
}
