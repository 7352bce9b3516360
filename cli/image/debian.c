/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's control files, Packages and Release, as deb822(5) has them. What is
 * read here was signed (chain.c has gpgv write it out first), but a mirror's
 * mistake is a mistake all the same: a field that counts and comes twice in a
 * paragraph, or a path with two hashes, is refused, not chosen between. Texts
 * are borrowed, never copied or changed.
 */
#include "cli/image/debian.h"

#include <string.h>

bool
debian_is(struct debian_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

/* One line without its end; false at the end of the text. */
static bool
line_next(struct debian_index *in, struct debian_text *out)
{
	if (in->left == 0)
		return false;
	const char *nl = memchr(in->p, '\n', in->left);
	size_t n = nl != NULL ? (size_t)(nl - in->p) : in->left;

	*out = (struct debian_text){ in->p, n };
	n += nl != NULL;
	in->p += n;
	in->left -= n;
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		out->n--;
	return true;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "Name: value" apart; the value without blanks around it. */
static bool
split(struct debian_text line, struct debian_text *name,
    struct debian_text *value)
{
	const char *colon = memchr(line.p, ':', line.n);

	if (colon == NULL || colon == line.p || blank(line.p[0]))
		return false;
	*name = (struct debian_text){ line.p, (size_t)(colon - line.p) };
	const char *end = line.p + line.n;
	const char *p = colon + 1;
	while (p < end && blank(*p))
		p++;
	while (end > p && blank(end[-1]))
		end--;
	*value = (struct debian_text){ p, (size_t)(end - p) };
	return true;
}

static bool
number(struct debian_text t, uint64_t *out)
{
	uint64_t v = 0;

	if (t.n == 0 || t.n > 18)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(t.p[i] - '0');
	}
	*out = v;
	return true;
}

enum dstack_status
debian_next(struct debian_index *in, struct debian_package *out)
{
	struct debian_text line, name, value, size = { NULL, 0 };
	bool any = false;

	memset(out, 0, sizeof(*out));
	const struct {
		const char *name;
		struct debian_text *at;
	} fields[] = { { "Package", &out->name }, { "Version", &out->version },
		{ "Source", &out->source }, { "Filename", &out->filename },
		{ "SHA256", &out->sha256 }, { "Homepage", &out->homepage },
		{ "Size", &size } };

	while (line_next(in, &line)) {
		if (line.n == 0) {
			if (any)
				break;
			continue;
		}
		/* A continuation: of no field that counts here. */
		if (any && blank(line.p[0]))
			continue;
		if (!split(line, &name, &value))
			return DSTACK_E_FORMAT;
		any = true;
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]);
		     i++) {
			if (!debian_is(name, fields[i].name))
				continue;
			if (fields[i].at->n > 0)
				return DSTACK_E_FORMAT;
			*fields[i].at = value;
		}
	}
	if (!any)
		return DSTACK_E_MISSING;
	return size.n == 0 || number(size, &out->size) ? DSTACK_OK
							: DSTACK_E_FORMAT;
}

enum dstack_status
debian_field(
    const char *text, size_t n, const char *name, char *out, size_t cap)
{
	struct debian_index in = { text, n };
	struct debian_text line, key, value;

	while (line_next(&in, &line) && line.n > 0) {
		if (!split(line, &key, &value) || !debian_is(key, name))
			continue;
		if (value.n >= cap)
			return DSTACK_E_LIMIT;
		memcpy(out, value.p, value.n);
		out[value.n] = '\0';
		return DSTACK_OK;
	}
	return DSTACK_E_MISSING;
}

/* The next word of a line; false: none. */
static bool
word(struct debian_text *line, struct debian_text *out)
{
	while (line->n > 0 && blank(line->p[0])) {
		line->p++;
		line->n--;
	}
	*out = (struct debian_text){ line->p, 0 };
	while (line->n > 0 && !blank(line->p[0])) {
		out->n++;
		line->p++;
		line->n--;
	}
	return out->n > 0;
}

enum dstack_status
debian_release_sum(const char *text, size_t n, const char *path,
    char sha256[static 65], uint64_t *size)
{
	struct debian_index in = { text, n };
	struct debian_text line, hash, len, name;
	bool inside = false, found = false;

	while (line_next(&in, &line)) {
		if (line.n == 0 || !blank(line.p[0])) {
			inside = debian_is(line, "SHA256:");
			continue;
		}
		if (!inside || !word(&line, &hash) || !word(&line, &len) ||
		    !word(&line, &name) || !debian_is(name, path))
			continue;
		/*
		 * One path twice: two hashes, of which an enemy would have
		 * chosen one.
		 */
		if (found || hash.n != 64 || !number(len, size))
			return DSTACK_E_FORMAT;
		memcpy(sha256, hash.p, 64);
		sha256[64] = '\0';
		found = true;
	}
	return found ? DSTACK_OK : DSTACK_E_MISSING;
}
