/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app push: a checked archive goes to the host volumes, then its
 * digest to the contract. In that order: what the contract names is there.
 *
 * Before it is copied, each node that runs is asked what memory it has beside
 * the version that serves, and whether it gives a way out to who asks for one.
 * An update that it would refuse is refused here.
 * A node that does not answer is not waited for: it judges for itself.
 *
 * Then the version is followed until every node that runs serves it (wait.c),
 * unless --no-wait says that the proposal is enough.
 */
#include "cli/app/archive.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/app/wait.h"
#include "cli/app/where.h"
#include "cli/cmd.h"
#include "crypto/hash.h"
#include "host/chain/kmcall.h"
#include "host/node/node.h"
#include "protocol/layout.h"

struct push {
	const char *file;
	const char *name;
	bool json;
	bool no_wait;
	unsigned seconds;      /* to wait at most */
	struct state_app now;  /* what is the newest, once it is proposed */
	bool proposed;         /* by us */
	struct show show;
	struct where at;
};

static void
options(const struct usage *u, int argc, char **argv, struct push *p)
{
	static const struct option lopt[] = { WHERE_OPTIONS,
		{ "name", 1, NULL, 'n' }, { "json", 0, NULL, 'j' },
		{ "no-wait", 0, NULL, 'w' }, { "timeout", 1, NULL, 't' },
		{ NULL, 0, NULL, 0 } };
	int c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		if (c == 'n')
			p->name = optarg;
		else if (c == 'w')
			p->no_wait = true;
		else if (c == 't')
			p->seconds = (unsigned)usage_number(
			    u, "--timeout", optarg, 1, 30u * 86400);
		else if (!where_option(&p->at, u, c))
			p->json = true;
	}
	usage_words(u, argc, argv, 0, strcmp(argv[0], "push") == 0, "FILE");
	if (optind < argc)
		p->file = argv[optind];
	where_options_end(&p->at, u);
}

/* "…/NAME.tar" is a first version's name, where none is given. */
static void
name_of(const char *file, char out[static KM_APP_NAME_MAX + 1])
{
	const char *slash = strrchr(file, '/');
	const char *base = slash != NULL ? slash + 1 : file;
	size_t n = strcspn(base, ".");

	(void)snprintf(out, KM_APP_NAME_MAX + 1, "%.*s",
	    (int)(n > 0 && n <= KM_APP_NAME_MAX ? n : 0), base);
	if (out[0] == '\0')
		(void)snprintf(out, KM_APP_NAME_MAX + 1, "app");
}

/* For people as soon as it is known; JSON is one object, at the end. */
static void
tell(const struct push *p)
{
	char hex[65];

	hex_encode(p->now.digest, 32, hex);
	if (p->json)
		return;
	printf("%s version %llu, 0x%s, %s; nodes run it from %llu on "
	       "(Unix seconds)%s\n",
	    p->now.name, (unsigned long long)p->now.version, hex,
	    p->proposed ? "proposed" : "is the newest already",
	    (unsigned long long)p->now.not_before,
	    p->no_wait ? "; watch it with: dstack app status" : "");
	(void)fflush(stdout);
}

static void
tell_json(const struct push *p, bool served, json_t *nodes)
{
	char hex[65];

	hex_encode(p->now.digest, 32, hex);
	json_t *o = json_pack("{s:s,s:s+,s:I,s:I,s:b,s:i}", "name",
	    p->now.name, "digest", "0x", hex, "version",
	    (json_int_t)p->now.version, "notBefore",
	    (json_int_t)p->now.not_before, "proposed", p->proposed, "volumes",
	    (int)p->at.nodes);
	if (!p->no_wait) {
		(void)json_object_set_new(o, "served", json_boolean(served));
		(void)json_object_set(o, "nodes", nodes);
	}
	(void)json_dumpf(o, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(o);
}

/* The version is named; now the nodes have to run it. */
static enum dstack_status
follow(struct push *p, struct why *why)
{
	json_t *nodes = json_array();
	enum dstack_status st = DSTACK_OK;
	bool served = false;

	tell(p);
	if (!p->no_wait)
		st = wait_served(&p->at, &p->now, p->seconds, &p->show, nodes,
		    &served, why);
	if (p->json)
		tell_json(p, served, nodes);
	else if (served)
		printf("version %llu serves\n",
		    (unsigned long long)p->now.version);
	json_decref(nodes);
	return st;
}

/*
 * The contract takes versions one by one, so it is asked for the one after the
 * latest. What is told then is read from the chain again: the notice period
 * that the contract has set, not what was asked for.
 */
static enum dstack_status
propose(struct push *p, const uint8_t digest[static 32], const char *name,
    const struct state_app *latest, struct why *why)
{
	struct state_app previous;
	uint8_t id[32];

	/* an app keeps its id, and with it its keys, whatever its name becomes */
	if (latest->version != 0)
		memcpy(id, latest->app_id, 32);
	else
		keccak256(name, strlen(name), id);
	enum dstack_status st = gov_propose_app(&p->at.gov, id, digest, name,
	    latest->version + 1, 0, why);
	if (st == DSTACK_OK)
		st = gov_read_apps(&p->at.gov, &previous, &p->now, why);
	p->proposed = true;
	return st == DSTACK_OK ? follow(p, why) : st;
}

/*
 * Has the node the memory to take the archive in? The archive is there whole
 * at first, and then with the tree, which never needs less than that. And may
 * the app go out by it, if its label says so?
 */
static enum dstack_status
room(const struct archive *a, const char *state, struct why *why)
{
	const uint64_t mb = 1u << 20;
	struct node_status s;

	const struct oci_config *c = oci_config(a->bundle != NULL
		? a->bundle->image[a->bundle->m.front]
		: a->img);

	if (node_status_read(state, &s, NULL) != DSTACK_OK || !s.alive ||
	    s.control[0] == '\0')
		return DSTACK_OK;
	json_t *guest = cmd_guest_status(s.control);
	const json_t *said = json_object_get(
	    json_object_get(guest, "memory"), "free");
	json_int_t free = json_is_integer(said) ? json_integer_value(said) : -1;
	uint64_t most = a->tree.most > a->len ? a->tree.most : a->len;
	/* room on the volume is the guest's to judge; the archive goes there,
	   too, where memory has none for it */
	if (a->bundle != NULL ? bundle_on_volume(a->bundle) : c->on_volume)
		most = a->bundle != NULL ? a->tree.bytes : 0;
	const bool no_way_out =
	    json_is_false(json_object_get(guest, "egress"));

	json_decref(guest);
	if (no_way_out &&
	    (a->bundle != NULL ? bundle_egress(a->bundle) : c->egress))
		return why_set(why, DSTACK_E_REJECTED,
		    "its label dstack.egress=open asks for a way out, which "
		    "the node of %.80s does not give; refused before it is "
		    "copied: EGRESS=yes in its host.env", state);
	if (free < 0 || most <= (uint64_t)free)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_LIMIT,
	    "it needs %llu MB to be unpacked, the VM of %.100s has %llu MB of "
	    "memory free beside what runs; refused before it is copied: "
	    "smaller image or more VM_MEMORY_MB",
	    (unsigned long long)((most + mb - 1) / mb), state,
	    (unsigned long long)free >> 20);
}

struct upload {
	struct push *p;
	unsigned node;
};

static void
copied(void *ctx, size_t done, size_t len)
{
	const struct upload *up = ctx;

	show_line(&up->p->show, false, "node %u: %zu of %zu MB copied",
	    up->node, done >> 20, len >> 20);
}

static enum dstack_status
give(struct push *p, const struct archive *a, unsigned i, struct why *why)
{
	struct upload up = { p, i };
	enum dstack_status st =
	    archive_give(a, p->at.volume[i], copied, &up, why);

	if (st == DSTACK_OK)
		show_line(&p->show, !p->show.moving,
		    "node %u: %zu MB copied into its host volume", i,
		    (a->len + (1u << 20) - 1) >> 20);
	return st;
}

static enum dstack_status
push(struct push *p, struct why *why)
{
	struct state_app previous = { 0 };
	struct state_app latest = { 0 };
	char name[KM_APP_NAME_MAX + 1];
	AUTO_ARCHIVE struct archive a = { .map = NULL };
	enum dstack_status st = archive_open(p->file, NULL, &a, why);

	if (st == DSTACK_OK)
		st = where_find(&p->at, why);
	if (st == DSTACK_OK)
		st = gov_read_apps(&p->at.gov, &previous, &latest, why);
	bool serves = st == DSTACK_OK && !latest.stopped &&
	    memcmp(latest.digest, a.digest, 32) == 0;
	for (unsigned i = 0; i < p->at.nodes && st == DSTACK_OK && !serves; i++)
		st = room(&a, p->at.state[i], why);
	for (unsigned i = 0; i < p->at.nodes && st == DSTACK_OK; i++)
		st = give(p, &a, i, why);
	show_end(&p->show);
	if (st != DSTACK_OK)
		return st;
	/* Pushed twice: the copies are good for a node that had none, and the
	   contract is asked for nothing. */
	if (latest.version != 0 && !latest.stopped &&
	    memcmp(latest.digest, a.digest, 32) == 0) {
		p->now = latest;
		return follow(p, why);
	}
	name_of(p->file, name);
	return propose(p, a.digest,
	    p->name != NULL           ? p->name
	        : latest.version != 0 ? latest.name
	                              : name,
	    &latest, why);
}

static enum dstack_status
rollback(struct push *p, struct why *why)
{
	struct state_app previous;
	struct state_app latest;
	enum dstack_status st = where_find(&p->at, why);

	if (st == DSTACK_OK)
		st = gov_read_apps(&p->at.gov, &previous, &latest, why);
	if (st == DSTACK_OK && previous.version == 0)
		st = why_set(why, DSTACK_E_REJECTED,
		    "no version has run before this one");
	/* Without its archive on every host, going back would stop the app. */
	for (unsigned i = 0; i < p->at.nodes && st == DSTACK_OK; i++)
		st = archive_there(p->at.volume[i], previous.digest, why);
	return st == DSTACK_OK
	    ? propose(p, previous.digest, previous.name, &latest, why)
	    : st;
}

int
app_push(const struct usage *u, int argc, char **argv)
{
	struct push p;
	struct why why = { "" };

	memset(&p, 0, sizeof(p));
	p.file = APP_PUSH_FILE;
	p.seconds = WAIT_SECONDS;
	options(u, argc, argv, &p);
	show_begin(&p.show, p.json);
	enum dstack_status st = strcmp(argv[0], "push") == 0
	    ? push(&p, &why)
	    : rollback(&p, &why);
	where_free(&p.at);
	const char *error = st != DSTACK_OK ? km_error_name(why.text) : NULL;
	if (error != NULL)
		st = why_set(&why, DSTACK_E_REJECTED,
		    "the contract refuses: %s (docs/contract.md)", error);
	if (st == DSTACK_OK)
		return EXIT_YES;
	(void)cmd_fail("app", st, &why);
	/* an image that is none, or too large, is a "no"; else: not decided */
	return st == DSTACK_E_FORMAT || st == DSTACK_E_LIMIT ? EXIT_NO
							     : cmd_exit(st);
}
