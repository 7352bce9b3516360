/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of one's own, from text. Lines are taken one by one; a key that
 * is not known, stands twice or is missing at the end is refused with its
 * line. Forks stand in their order, from altair on, none left out between; a
 * name that is not known may only be the last and ends the table there.
 * Written, a network has one text, which parses to itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/status.h"
#include "beacon/fork.h"

#define MAX_TEXT 4096u

/* What the file may say, each once but fork; each must be there. */
enum key { NAME, ROOT, TIME, SLOT, EPOCH, PERIOD, COMMITTEE, FORK, KEYS };
static const char *const keys[KEYS] = { "name", "genesis-root",
	"genesis-time", "seconds-per-slot", "slots-per-epoch",
	"epochs-per-period", "committee", "fork" };

/* The table as it grows; epochs of forks not yet named are BEACON_NEVER. */
struct parse {
	struct beacon_network n;
	unsigned seen;	/* bit of each key */
	unsigned forks; /* so far */
};

/* Digits alone, least to most; 19 of them cannot overflow 64 bits. */
static bool
number(const char *s, uint64_t least, uint64_t most, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = strlen(s);
	if (n == 0 || n > 19 || strspn(s, "0123456789") != n)
		return false;
	for (size_t i = 0; i < n; i++)
		v = 10 * v + (uint64_t)(s[i] - '0');
	*out = v;
	return v >= least && v <= most;
}

static bool
number32(const char *s, uint32_t least, uint32_t most, uint32_t *out)
{
	uint64_t v;
	if (!number(s, least, most, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* A name goes into messages and JSON: letters that need no quoting there. */
static bool
word(const char *s, char out[static 32])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strlen(s);
	if (n == 0 || n > 31 || strspn(s, letters) != n)
		return false;
	memcpy(out, s, n + 1);
	return true;
}

/*
 * "NAME VERSION EPOCH"; s is cut at its blanks. The known ones come in their
 * order, which is what makes "the fork at a slot" one question; the first
 * unknown name ends the table, since where things are from there on nobody
 * here can say.
 */
static bool
fork_line(struct parse *p, char *s)
{
	uint8_t version[4];
	uint64_t epoch;
	char *v = strchr(s, ' ');
	char *e = v != NULL ? strchr(v + 1, ' ') : NULL;
	if (e == NULL)
		return false;
	*v++ = '\0';
	*e++ = '\0';
	if (hex_decode(v, strlen(v), version, 4) != DSTACK_OK ||
	    !number(e, 0, INT64_MAX, &epoch))
		return false;
	/* nothing may follow one that is not known, and dates never fall */
	if (p->n.end_epoch != BEACON_NEVER ||
	    (p->forks > 0 && epoch < p->n.fork[p->forks - 1].epoch))
		return false;
	if (p->forks < BEACON_FORKS &&
	    strcmp(s, fork_name((enum beacon_fork)p->forks)) == 0) {
		memcpy(p->n.fork[p->forks].version, version, 4);
		p->n.fork[p->forks++].epoch = epoch;
		return true;
	}
	for (unsigned i = 0; i < BEACON_FORKS; i++)
		if (strcmp(s, fork_name((enum beacon_fork)i)) == 0)
			return false; /* out of its order */
	p->n.end_epoch = epoch;
	return p->forks > 0 && word(s, p->n.end_name);
}

/* The value of a key, judged by what the arithmetic on slots can bear. */
static bool
value(struct parse *p, enum key k, char *s)
{
	struct beacon_network *n = &p->n;
	switch (k) {
	case NAME:
		return word(s, n->name);
	case ROOT:
		return hex_decode(s, strlen(s), n->genesis_root, 32) ==
		    DSTACK_OK;
	case TIME:
		return number(s, 0, INT64_MAX, &n->genesis_time);
	case SLOT:
		return number32(s, 1, 3600, &n->seconds_per_slot);
	case EPOCH:
		/* from 2 on no slot reaches the epoch BEACON_NEVER */
		return number32(s, 2, 4096, &n->slots_per_epoch);
	case PERIOD:
		return number32(s, 1, 65536, &n->epochs_per_period);
	case COMMITTEE:
		/* a tree's leaves, and its bits are whole bytes */
		return number32(s, 8, BEACON_MAX_COMMITTEE, &n->committee) &&
		    (n->committee & (n->committee - 1)) == 0;
	case FORK:
		return fork_line(p, s);
	case KEYS:
	default:
		return false;
	}
}

/* One line without its end; empty ones and comments say nothing. */
static enum dstack_status
line(struct parse *p, char *s, unsigned number_of, struct why *why)
{
	char *eq = strchr(s, '=');
	if (s[0] == '\0' || s[0] == '#')
		return DSTACK_OK;
	if (eq == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "line %u: not KEY=VALUE", number_of);
	*eq = '\0';
	for (unsigned k = 0; k < KEYS; k++) {
		if (strcmp(s, keys[k]) != 0)
			continue;
		if (k != FORK && (p->seen & 1u << k) != 0)
			return why_set(why, DSTACK_E_FORMAT,
			    "line %u: %s stands twice", number_of, s);
		p->seen |= 1u << k;
		if (value(p, (enum key)k, eq + 1))
			return DSTACK_OK;
		return why_set(why, DSTACK_E_FORMAT,
		    "line %u: %s has a value that cannot be", number_of, s);
	}
	return why_set(why, DSTACK_E_FORMAT, "line %u: '%.40s' is not a key",
	    number_of, s);
}

enum dstack_status
beacon_network_parse(const void *text, size_t len, struct beacon_network *out,
    struct why *why)
{
	struct parse p = { .seen = 0 };
	char buf[MAX_TEXT + 1];
	if (len > MAX_TEXT)
		return why_set(why, DSTACK_E_LIMIT, "over %u bytes", MAX_TEXT);
	if (len > 0) /* else text may be NULL, which memcpy must not see */
		memcpy(buf, text, len);
	buf[len] = '\0';
	/* a NUL inside would hide what stands behind it */
	if (strlen(buf) != len)
		return why_set(why, DSTACK_E_FORMAT, "not text");
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		p.n.fork[f].epoch = BEACON_NEVER;
	p.n.end_epoch = BEACON_NEVER;
	unsigned number_of = 1;
	for (char *s = buf, *next; s != NULL; s = next, number_of++) {
		next = strchr(s, '\n');
		if (next != NULL)
			*next++ = '\0';
		enum dstack_status st = line(&p, s, number_of, why);
		if (st != DSTACK_OK)
			return st;
	}
	/* nothing has a default: a network is named whole or not at all */
	for (unsigned k = 0; k < KEYS; k++)
		if ((p.seen & 1u << k) == 0)
			return why_set(why, DSTACK_E_FORMAT, "%s is missing",
			    keys[k]);
	*out = p.n;
	return DSTACK_OK;
}

/* snprintf at the end of what is there; n may pass cap, as its does. */
__attribute__((format(printf, 4, 5))) static void
add(char *out, size_t cap, size_t *n, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int k = vsnprintf(*n < cap ? out + *n : NULL, *n < cap ? cap - *n : 0,
	    fmt, ap);
	va_end(ap);
	*n += k > 0 ? (size_t)k : 0;
}

/* "fork=NAME VERSION EPOCH", as fork_line reads it. */
static void
add_fork(char *out, size_t cap, size_t *n, const char *name,
    const uint8_t version[static 4], uint64_t epoch)
{
	char hex[2 * 4 + 1];
	hex_encode(version, 4, hex);
	add(out, cap, n, "fork=%s 0x%s %llu\n", name, hex,
	    (unsigned long long)epoch);
}

size_t
beacon_network_text(const struct beacon_network *net, char *out, size_t cap)
{
	static const uint8_t none[4];
	size_t n = 0;
	char root[2 * 32 + 1];
	hex_encode(net->genesis_root, 32, root);
	add(out, cap, &n,
	    "name=%.31s\ngenesis-root=0x%s\ngenesis-time=%llu\n"
	    "seconds-per-slot=%lu\nslots-per-epoch=%lu\n"
	    "epochs-per-period=%lu\ncommittee=%lu\n",
	    net->name, root, (unsigned long long)net->genesis_time,
	    (unsigned long)net->seconds_per_slot,
	    (unsigned long)net->slots_per_epoch,
	    (unsigned long)net->epochs_per_period,
	    (unsigned long)net->committee);
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		if (net->fork[f].epoch != BEACON_NEVER)
			add_fork(out, cap, &n, fork_name((enum beacon_fork)f),
			    net->fork[f].version, net->fork[f].epoch);
	/* its version is not kept, since nothing of it is judged */
	if (net->end_epoch != BEACON_NEVER)
		add_fork(out, cap, &n, net->end_name, none, net->end_epoch);
	return n;
}
