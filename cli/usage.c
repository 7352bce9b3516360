/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line, judged word by word from the left; the first that is wrong
 * ends the program with a line about it, and a help or version that is asked
 * for before any wrong one is answered. getopt_long does the reading, without
 * its own messages: they name no verb and do not say what is to be done.
 *
 * A word is shown cut and between quotes. log_line takes care of what would
 * end the line or move the cursor.
 */
#include "cli/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/cmd.h"

#define OPTIONS_MAX 48
#define WORD "'%.80s'" /* a word of the person's */

/* Above all vals of the verbs, which are letters or begin at 256. */
enum { V_HELP = 0x7001, V_VERSION };

/* Help that did not get out whole is no yes: somebody may read a half. */
static _Noreturn void
printed(void)
{
	exit(fflush(stdout) == 0 && !ferror(stdout) ? EXIT_YES
						    : EXIT_UNDECIDED);
}

_Noreturn void
usage_help(const struct usage *u, const char *more)
{
	printf("usage: %s\n", u->text);
	if (more != NULL)
		printf("%s\n", more);
	printed();
}

_Noreturn void
usage_version(void)
{
	printf("dstack " DSTACK_VERSION "\n");
	printed();
}

_Noreturn void
usage_wrong(const struct usage *u, const char *fmt, ...)
{
	char reason[600];
	va_list ap;

	va_start(ap, fmt);
	/* cut rather than refused: a long word is no reason to say nothing */
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	log_line("%s%s%s; 'dstack %s%s--help' tells more", u->verb,
	    u->verb[0] != '\0' ? ": " : "", reason, u->verb,
	    u->verb[0] != '\0' ? " " : "");
	exit(EXIT_USAGE);
}

static bool
asks_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool
asks_version(const char *word)
{
	return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0;
}

/* "start, stop or logs": the second words of all. */
static void
list(const struct usage *all, size_t skip, char *out, size_t room)
{
	size_t len = 0;

	out[0] = '\0';
	for (const struct usage *u = all; u->verb != NULL && len < room; u++) {
		const char *before = u == all ? ""
		    : u[1].verb == NULL       ? " or "
					      : ", ";
		int n = snprintf(out + len, room - len, "%s%s", before,
		    u->verb + skip);
		len += n > 0 ? (size_t)n : 0;
	}
}

const struct usage *
usage_sub(const struct usage *all, const char *more, int argc, char **argv)
{
	char words[500];
	struct usage whole = { argv[0], all->text, NULL, NULL };
	size_t skip = strlen(argv[0]) + 1; /* "vm " of "vm start" */

	list(all, skip, words, sizeof(words));
	if (argc < 2)
		usage_wrong(&whole, "what? It takes %s", words);
	/* the word alone, never a part of it: verbs do things */
	for (const struct usage *u = all; u->verb != NULL; u++)
		if (strcmp(u->verb + skip, argv[1]) == 0)
			return u;
	if (asks_version(argv[1]))
		usage_version();
	/* An option before the word is a wrong word as well. */
	if (!asks_help(argv[1]))
		usage_wrong(&whole, "no verb " WORD "; it takes %s", argv[1],
		    words);
	for (const struct usage *u = all; u->verb != NULL; u++)
		printf("%s%s\n", u == all ? "usage: " : "       ", u->text);
	if (more != NULL)
		printf("%s\n", more);
	printed();
}

/* Is the name one of those that the verb takes? */
static bool
taken(const struct usage *u, const char *name)
{
	size_t n = strlen(name);

	if (u->takes == NULL)
		return true;
	for (const char *p = u->takes; *p != '\0';) {
		size_t k = strcspn(p, " ");
		if (k == n && memcmp(p, name, n) == 0)
			return true;
		p += k + (p[k] == ' ');
	}
	return false;
}

/* A word with two dashes that getopt_long does not know, or not for sure. */
static _Noreturn void
unknown_long(const struct usage *u, const char *word,
    const struct option *known)
{
	size_t n = strcspn(word, "=");
	const char *first = NULL;

	for (const struct option *o = known; o->name != NULL; o++) {
		if (strncmp(o->name, word + 2, n - 2) != 0)
			continue;
		if (first != NULL)
			usage_wrong(u, "'%.*s' may be --%s or --%s",
			    (int)(n < 80 ? n : 80), word, first, o->name);
		first = o->name;
	}
	usage_wrong(u, "no option '%.*s'", (int)(n < 80 ? n : 80), word);
}

/*
 * The word with a letter after one dash that is no option, or not alone. It is
 * the one before optind where the letter was its last, else getopt has not
 * gone past it.
 */
static _Noreturn void
in_bundle(const struct usage *u, int argc, char **argv, int letter)
{
	const char *word = argv[optind - 1];

	if ((word[0] != '-' || strchr(word, letter) == NULL) && optind < argc)
		word = argv[optind];
	usage_wrong(u, "no option " WORD "%s", word,
	    strlen(word) > 2 ? ": options have two dashes" : "");
}

/* The word that getopt stopped at, and why. */
static _Noreturn void
stopped(const struct usage *u, int c, int argc, char **argv,
    const struct option *known)
{
	const char *word = argv[optind - 1];
	bool two = strncmp(word, "--", 2) == 0;

	if (c == ':')
		usage_wrong(u, WORD " takes a value, and none follows", word);
	/* getopt leaves 0 where it knows no such name, or more than one */
	if (two && optopt == 0)
		unknown_long(u, word, known);
	if (two && strchr(word, '=') != NULL)
		usage_wrong(u, "'%.*s' takes no value, so not " WORD,
		    (int)strcspn(word, "="), word, strchr(word, '=') + 1);
	in_bundle(u, argc, argv, optopt);
}

int
usage_next(const struct usage *u, int argc, char **argv,
    const struct option *options)
{
	static const struct option ours[] = {
		{ "help", no_argument, NULL, V_HELP },
		{ "version", no_argument, NULL, V_VERSION },
	};
	struct option known[OPTIONS_MAX + 3] = { { NULL, 0, NULL, 0 } };
	char shorts[16];
	size_t n = 0;
	bool own_version = false; /* contract propose has one with a value */
	int at = -1;

	/*
	 * What the verb does not take is not known at all: getopt also takes
	 * the beginning of a name, and must not find it in another verb's.
	 */
	for (; options->name != NULL && n < OPTIONS_MAX; options++) {
		if (!taken(u, options->name))
			continue;
		known[n++] = *options;
		own_version = own_version ||
		    strcmp(options->name, ours[1].name) == 0;
	}
	known[n++] = ours[0];
	if (!own_version)
		known[n++] = ours[1];
	(void)snprintf(shorts, sizeof(shorts), ":hV%s",
	    u->shorts != NULL ? u->shorts : "");
	/* its own messages name no verb */
	opterr = 0;
	optopt = 0;
	int c = getopt_long(argc, argv, shorts, known, &at);
	/* at tells a letter of ours from a long option with that val */
	if (at < 0 && (c == 'h' || c == 'V') &&
	    strcmp(argv[optind - 1], c == 'h' ? "-h" : "-V") != 0)
		in_bundle(u, argc, argv, c);
	/*
	 * What stood before it was right, so it is answered; what comes after
	 * is not looked at.
	 */
	if (c == V_HELP || (c == 'h' && at < 0))
		usage_help(u, NULL);
	if (c == V_VERSION || (c == 'V' && at < 0) ||
	    (c == ':' && argc == 2 && asks_version(argv[1])))
		usage_version();
	if (c == '?' || c == ':')
		stopped(u, c, argc, argv, known);
	/* the rest are words */
	if (c == -1 || optarg == NULL)
		return c;
	/*
	 * An empty value is a variable of a script that was not set; no option
	 * of ours means anything by it.
	 */
	if (optarg[0] == '\0')
		usage_wrong(u, WORD " takes a value that is not empty",
		    argv[optind - 1][0] != '\0' ? argv[optind - 1]
						: argv[optind - 2]);
	/* "--out --json": the value was forgotten. "--out=--json" is meant */
	if (optarg == argv[optind - 1] && strncmp(optarg, "--", 2) == 0)
		usage_wrong(u, WORD " takes a value, not the option " WORD,
		    argv[optind - 2], optarg);
	return c;
}

void
usage_words(const struct usage *u, int argc, char **argv, int least,
    int most, const char *names)
{
	int n = argc - optind;

	if (n < least)
		usage_wrong(u, "%s is missing", names);
	/* getopt has put all words behind the options */
	if (n > most)
		usage_wrong(u, WORD " is one word too many", argv[optind + most]);
	/* as of options: a script's variable that was not set */
	for (int i = optind; i < argc; i++)
		if (argv[i][0] == '\0')
			usage_wrong(u, "a word is empty, where %s belongs",
			    names);
}

uint64_t
usage_number(const struct usage *u, const char *what, const char *text,
    uint64_t least, uint64_t most)
{
	char *end = NULL;

	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	/* strtoull takes signs and blanks, of which a number here has none */
	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		usage_wrong(u, "%s takes a number, not " WORD, what, text);
	if (errno != 0 || v < least || v > most)
		usage_wrong(u,
		    "%s takes a number from %" PRIu64 " to %" PRIu64
		    ", not " WORD, what, least, most, text);
	return v;
}

void
usage_hex(const struct usage *u, const char *what, const char *text,
    void *out, size_t n)
{
	if (hex_decode(text, strlen(text), out, n) != DSTACK_OK)
		usage_wrong(u, "%s takes %zu hex digits, not " WORD, what,
		    2 * n, text);
}

void
usage_url(const struct usage *u, const char *what, const char *text)
{
	size_t n = strncmp(text, "http://", 7) == 0 ? 7
	    : strncmp(text, "https://", 8) == 0     ? 8
						    : 0;

	/* curl would take a bare name and guess the rest */
	if (n == 0 || text[n] == '\0' || text[n] == '/' || text[n] == ':')
		usage_wrong(u, "%s takes http://HOST or https://HOST, not "
		    WORD, what, text);
}

unsigned
usage_choice(const struct usage *u, const char *what, const char *text,
    const char *const *words)
{
	/* the longest list, of TCB statuses, has 113 letters */
	char all[200];
	size_t len = 0;

	all[0] = '\0';
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
		int n = len < sizeof(all)
		    ? snprintf(all + len, sizeof(all) - len, "%s%s",
		        i == 0                   ? ""
		        : words[i + 1] == NULL ? " or "
						 : ", ",
		        words[i])
		    : 0;
		len += n > 0 ? (size_t)n : 0;
	}
	usage_wrong(u, "%s takes %s, not " WORD, what, all, text);
}
