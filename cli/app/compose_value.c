/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of a Compose file that have a grammar: durations and sizes with
 * units, ports, command lines. Each is read to its end or not at all; what is
 * too large for a node is no value either.
 */
#include "cli/app/compose.h"

#include <string.h>

#include "base/wr.h"

/* Digits at *t; *t goes behind them. */
static bool
digits(const char **t, uint64_t *out)
{
	const char *p = *t;
	uint64_t v = 0;
	while (*p >= '0' && *p <= '9' && v < UINT64_MAX / 100)
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (p == *t || (*p >= '0' && *p <= '9'))
		return false;
	*t = p;
	*out = v;
	return true;
}

/* Parts in any order, as Go reads them; "m" is looked for after "ms". */
bool
compose_duration(const char *t, uint32_t *ms)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} unit[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 } };
	uint64_t sum = 0;
	while (*t != '\0') {
		uint64_t v = 0;
		size_t i = 0;
		if (!digits(&t, &v) || v > MANIFEST_MAX_MS)
			return false;
		while (i < 4 &&
		    strncmp(t, unit[i].name, strlen(unit[i].name)) != 0)
			i++;
		if (i == 4)
			return false;
		t += strlen(unit[i].name);
		sum += v * unit[i].ms;
		if (sum > MANIFEST_MAX_MS)
			return false;
	}
	*ms = (uint32_t)sum;
	return sum != 0;
}

/* Powers of 1024, whatever the unit is called. */
bool
compose_bytes(const char *t, uint64_t *bytes)
{
	static const char units[] = "bkmg";
	uint64_t v = 0;
	unsigned shift = 0;
	if (!digits(&t, &v) || v == 0 || v > MANIFEST_MAX_BYTES)
		return false;
	if (*t != '\0') {
		/* "m", "mb", "MB": the same, as in Docker */
		const char c = *t >= 'A' && *t <= 'Z' ? (char)(*t + 32) : *t;
		const char *u = strchr(units, c);
		if (u == NULL)
			return false;
		shift = (unsigned)(u - units) * 10;
		t++;
		if (shift != 0 && (*t == 'b' || *t == 'B'))
			t++;
	}
	if (*t != '\0' || v > MANIFEST_MAX_BYTES >> shift)
		return false;
	*bytes = v << shift;
	return true;
}

/* What stands before the last colon is the host's side, which is not here. */
bool
compose_port_of(const char *text, uint16_t *port)
{
	const char *t = strrchr(text, ':');
	uint64_t v = 0;
	t = t != NULL ? t + 1 : text;
	if (!digits(&t, &v) || v == 0 || v > 65535 ||
	    (*t != '\0' && strcmp(t, "/tcp") != 0))
		return false;
	*port = (uint16_t)v;
	return true;
}

/* One word at *t, which goes behind it. */
static bool
word(const char **t, struct wr *w)
{
	char quote = '\0';
	const char *p = *t;
	for (; *p != '\0'; p++) {
		if (quote == '\0' && strchr(" \t\r\n", *p) != NULL)
			break;
		if (*p == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (*p == '\\' && quote != '\'') {
			/* in double quotes it stands before these alone */
			if (p[1] == '\0')
				return false;
			if (quote == '"' && strchr("\"\\$`", p[1]) == NULL)
				wr_u8(w, '\\');
			wr_u8(w, (uint8_t)*++p);
		} else {
			wr_u8(w, (uint8_t)*p);
		}
	}
	*t = p;
	wr_u8(w, 0);
	return quote == '\0' && wr_status(w) == DSTACK_OK;
}

bool
compose_words(const char *text, struct manifest_texts *out)
{
	const char *t = text;
	out->v = calloc(MANIFEST_LIST + 1, sizeof(*out->v));
	out->there = true;
	if (out->v == NULL)
		return false;
	for (;;) {
		AUTO_WR struct wr w = wr_new(0);
		size_t n = 0;
		t += strspn(t, " \t\r\n");
		if (*t == '\0')
			return true;
		if (out->n == MANIFEST_LIST || !word(&t, &w))
			return false;
		out->v[out->n++] = (char *)wr_steal(&w, &n);
	}
}
