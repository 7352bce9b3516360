/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image/kernel.policy against the configuration that the kernel was built
 * with. A line is
 *	OPTION y|n|VALUE	# why
 *	cmdline WORD		# why
 * and holds when CONFIG_OPTION has that value (n: is not set), or when the
 * image's command line has that word. Every line is judged, so that one report
 * has them all, and one that does not hold refuses the image. A line that is
 * no rule, or a policy or configuration that is not there, leaves it undecided.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/image/audit.h"

struct rule {
	char option[64], want[64];
	const char *why;
};

/* False: no rule in the line. DSTACK_E_FORMAT: one that cannot be read. */
static bool
rule_read(char *line, struct rule *r, enum dstack_status *st)
{
	char more[2] = "";

	line[strcspn(line, "\n")] = '\0';
	char *hash = strchr(line, '#');
	r->why = "";
	if (hash != NULL) {
		*hash = '\0';
		r->why = hash + 1 + strspn(hash + 1, " ");
	}
	*st = DSTACK_OK;
	if (line[strspn(line, " \t")] == '\0')
		return false;
	if (sscanf(line, "%63s %63s %1s", r->option, r->want, more) != 2)
		*st = DSTACK_E_FORMAT;
	return true;
}

/* The value of CONFIG_name: "n" when it is not set. */
static void
value(const struct mapped *config, const char *name, char out[static 64])
{
	char key[80];
	int n = snprintf(key, sizeof(key), "CONFIG_%s=", name);
	const char *p = (const char *)config->p, *end = p + config->len;

	(void)snprintf(out, 64, "n");
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);
		if (len > (size_t)n && memcmp(p, key, (size_t)n) == 0) {
			(void)snprintf(
			    out, 64, "%.*s", (int)(len - (size_t)n), p + n);
			return;
		}
		p += len + (nl != NULL);
	}
}

static bool
has_word(const struct mapped *cmdline, const char *word)
{
	size_t n = strlen(word);
	const char *p = (const char *)cmdline->p, *end = p + cmdline->len;

	while (p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		size_t len =
		    blank != NULL ? (size_t)(blank - p) : (size_t)(end - p);
		if (len == n && memcmp(p, word, n) == 0)
			return true;
		p += len + (blank != NULL);
	}
	return false;
}

void
audit_kernel(struct audit *a, const char *dir, json_t *about)
{
	char path[PATH_LEN], line[512], is[64];
	struct rule r;
	struct why why = { "" };
	AUTO_MAP struct mapped config = { NULL, 0 };
	AUTO_MAP struct mapped cmdline = { NULL, 0 };
	unsigned rules = 0, bad = 0;
	json_t *out = json_array();

	(void)json_object_set_new(about, "kernel", out);
	(void)snprintf(path, sizeof(path), "%.600s/kernel.config", dir);
	enum dstack_status st = map_open(path, &config, &why);
	(void)snprintf(path, sizeof(path), "%.600s/cmdline", dir);
	if (st == DSTACK_OK)
		st = map_open(path, &cmdline, &why);
	FILE *f = fopen("image/kernel.policy", "re");
	if (st == DSTACK_OK && f == NULL)
		st = why_set(&why, DSTACK_E_MISSING, "image/kernel.policy: %s",
		    strerror(errno));
	while (st == DSTACK_OK && fgets(line, sizeof(line), f) != NULL) {
		if (!rule_read(line, &r, &st))
			continue;
		if (st != DSTACK_OK) {
			(void)why_set(&why, st,
			    "image/kernel.policy: no rule: %.100s", line);
			break;
		}
		rules++;
		const bool word = strcmp(r.option, "cmdline") == 0;
		if (word)
			(void)snprintf(is, sizeof(is), "%s",
			    has_word(&cmdline, r.want) ? r.want : "without");
		else
			value(&config, r.option, is);
		const bool holds = strcmp(is, r.want) == 0;
		if (!holds && bad++ == 0)
			(void)why_set(&why, DSTACK_E_REJECTED,
			    "%s%s is %s, wanted %s: %.100s",
			    word ? "" : "CONFIG_", r.option, is, r.want, r.why);
		(void)json_array_append_new(out,
		    json_pack("{ssssssssss}", "option", r.option, "value", is,
			"want", r.want, "holds",
			holds ? "as wanted" : "refused", "why", r.why));
	}
	if (f != NULL)
		(void)fclose(f);
	if (st == DSTACK_OK && bad > 0)
		audit_say(a, "kernel", DSTACK_E_REJECTED, "%s (%u of %u)",
		    why.text, bad, rules);
	else if (st != DSTACK_OK)
		audit_say(a, "kernel", st, "%s", why.text);
	else
		audit_say(a, "kernel", st, "%u decisions hold", rules);
}
