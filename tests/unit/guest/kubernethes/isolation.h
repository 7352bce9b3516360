/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/isolation.md lists what the battery tries and what comes of it. The
 * tests take their expectations from there, so that the page cannot say what
 * is not so. Include after cmocka.h.
 */
#ifndef TESTS_ISOLATION_H
#define TESTS_ISOLATION_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct listed {
	char name[48];
	char cell[2][16]; /* the last two columns */
};
#define LISTED_MAX 64

/* The rows below a heading, as "| `name` | text | cell | cell |". */
static size_t
listed(const char *heading, struct listed out[static LISTED_MAX])
{
	char line[512];
	size_t n = 0;
	bool on = false;
	FILE *f = fopen("docs/isolation.md", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#')
			on = strncmp(line, heading, strlen(heading)) == 0;
		if (!on || strncmp(line, "| `", 3) != 0)
			continue;
		assert_true(n < LISTED_MAX);
		assert_int_equal(sscanf(line,
		    "| `%47[^`]` |%*[^|]| %15[^ ] | %15[^ ] |", out[n].name,
		    out[n].cell[0], out[n].cell[1]), 3);
		n++;
	}
	(void)fclose(f);
	assert_true(n > 0);
	return n;
}

/* A line of the battery's, as far as it is there: its errno; -1: it is not. */
static int
result(const char *out, const char *name)
{
	char start[80];
	snprintf(start, sizeof(start), "%s=", name);
	for (const char *at = out; (at = strstr(at, start)) != NULL; at++)
		if (at == out || at[-1] == '\n')
			return (int)strtol(at + strlen(start), NULL, 10);
	return -1;
}

/* Each probe of the first table has come out as it says; who: its column. */
static void
as_listed(const char *out, unsigned who)
{
	static struct listed row[LISTED_MAX];
	const size_t n = listed("## Calls", row);
	for (size_t i = 0; i < n; i++) {
		const int got = result(out, row[i].name);
		const char *name = got == 0 ? "works" : strerrorname_np(got);
		if (got < 0 || name == NULL ||
		    strcmp(name, row[i].cell[who]) != 0)
			fail_msg("%s: %s, docs/isolation.md says %s",
			    row[i].name, name, row[i].cell[who]);
	}
}

#endif
