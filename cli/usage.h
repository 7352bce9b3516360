/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a verb reads its command line: getopt_long(3), with words of our own for
 * what is wrong. A wrong call gets one line on standard error that names the
 * word and what it should be, and exit status 2; --help, -h, --version and -V
 * get an answer on standard output and exit status 0. Nobody has to carry
 * either back up: the functions below end the program, so they are for the
 * time before a verb has begun to do anything.
 */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usage {
	const char *verb; /* as it is typed after "dstack": "vm stop" */
	const char *text; /* "dstack vm stop ...": its help, lines without end */
	/* the options it takes of those that usage_next is given, by their long
	 * names with a blank between two; NULL: all of them */
	const char *takes;
	const char *shorts; /* as getopt's optstring; NULL: none */
};

/*
 * The verb of two words: the one of all (up to one without verb) that argv[1]
 * names, where argv[0] is the first word. Without a second word, with a wrong
 * one or with --help it does not return. more: text under all the helps, or
 * NULL.
 */
const struct usage *usage_sub(const struct usage *all, const char *more,
    int argc, char **argv);

/* The val of the next option, its value in optarg; -1: no more of them. */
int usage_next(const struct usage *u, int argc, char **argv,
    const struct option *options);

/* Words that are no options, after usage_next gave -1: at least, at most. */
void usage_words(const struct usage *u, int argc, char **argv, int least,
    int most, const char *names);

/* "dstack: VERB: reason; 'dstack VERB --help' tells more"; exit 2. */
_Noreturn void usage_wrong(const struct usage *u, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Values. what: the option or word, for the line that refuses it. */
uint64_t usage_number(const struct usage *u, const char *what,
    const char *text, uint64_t least, uint64_t most);
/* n bytes as 2n hex digits, "0x" before them or not. */
void usage_hex(const struct usage *u, const char *what, const char *text,
    void *out, size_t n);
/* "http://HOST..." or "https://HOST...": what is asked for over the network. */
void usage_url(const struct usage *u, const char *what, const char *text);
/* The index of text in words, which end with NULL. */
unsigned usage_choice(const struct usage *u, const char *what,
    const char *text, const char *const *words);

/* What "dstack help" and "dstack --version" print, too. */
_Noreturn void usage_help(const struct usage *u, const char *more);
_Noreturn void usage_version(void);

#endif
