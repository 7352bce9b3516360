/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack beacon: which execution block is final. verify says it from files
 * that a beacon node handed out and one trusted block root; follow (follow.c)
 * asks nodes itself.
 *
 * verify: the network comes first, then each file in the order bootstrap, updates,
 * finality: it is read, unpacked, taken apart into containers, and each of
 * these judged by lib/beacon. What cannot be read ends with exit 3; the first
 * container that is refused ends with exit 1, and what was proven before it is
 * still told, since it holds. Nothing is fetched: whom the files came from
 * does not matter.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/beacon/follow.h"
#include "cli/beacon/network.h"
#include "cli/beacon/unsnappy.h"
#include "cli/cmd.h"
#include "cli/quote/input.h"
#include "cli/usage.h"
#include "dstack/beacon.h"

#define MAX_FILES 64

static const struct usage uses[] = {
	{ "beacon verify",
	    "dstack beacon verify --network NAME|FILE --bootstrap FILE --root ROOT\n"
	    "           [--updates FILE]... [--finality FILE] [--at TIME] [--json]\n"
	    "  NAME: mainnet, sepolia or hoodi. ROOT: the block root that you trust.\n"
	    "  Files as a beacon node gives them: JSON or SSZ, snappy or not. TIME: Unix\n"
	    "  seconds or RFC 3339, by default now.",
	    "network bootstrap root updates finality at json", NULL },
	{ "beacon follow",
	    "dstack beacon follow --beacon URL... [--rpc URL] [--root ROOT]\n"
	    "           [--network NAME|FILE] [--json] [--once]\n"
	    "  Prints each final head that the beacon nodes' answers prove, and number and\n"
	    "  time of its execution block from the RPC. ROOT: the block root that you\n"
	    "  trust; without it the first node's word. --once: ends after the first head.",
	    "beacon rpc root network json once", NULL },
	{ NULL, NULL, NULL, NULL },
};

struct args {
	const char *network, *bootstrap, *finality, *at, *rpc;
	struct fetch nodes;
	const char *updates[MAX_FILES];
	int update_count;
	uint8_t root[32];
	bool has_root, json, once;
};

/* A run: where it stands, and how it ended. */
struct run {
	struct beacon_network net;
	struct beacon_store *store;
	uint64_t now;
	uint8_t root[32];
	enum beacon_code code;
	struct why why;
};

static void
own_json(json_t **j)
{
	json_decref(*j);
}

static void
own_store(struct beacon_store **s)
{
	beacon_store_free(*s);
}

static void
own_doc(struct beacon_doc **d)
{
	beacon_doc_free(*d);
}

/* One more node to ask. */
static void
take_node(const struct usage *u, struct args *a, const char *url)
{
	usage_url(u, "--beacon", url);
	if (a->nodes.count == FETCH_MAX_URLS)
		usage_wrong(u, "over %d times --beacon", FETCH_MAX_URLS);
	a->nodes.url[a->nodes.count++] = url;
}

/* The words of both verbs, and that what has no default is there. */
static void
take_args(const struct usage *u, int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "network", required_argument, NULL, 'n' },
		{ "bootstrap", required_argument, NULL, 'b' },
		{ "root", required_argument, NULL, 'r' },
		{ "updates", required_argument, NULL, 'u' },
		{ "finality", required_argument, NULL, 'f' },
		{ "at", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "beacon", required_argument, NULL, 'B' },
		{ "rpc", required_argument, NULL, 'R' },
		{ "once", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = usage_next(u, argc, argv, options)) != -1) {
		switch (c) {
		case 'n': a->network = optarg; break;
		case 'b': a->bootstrap = optarg; break;
		case 'r':
			usage_hex(u, "--root", optarg, a->root, 32);
			a->has_root = true;
			break;
		case 'u':
			if (a->update_count == MAX_FILES)
				usage_wrong(u, "over %d times --updates",
				    MAX_FILES);
			a->updates[a->update_count++] = optarg;
			break;
		case 'f': a->finality = optarg; break;
		case 'a': a->at = optarg; break;
		case 'B': take_node(u, a, optarg); break;
		case 'R':
			usage_url(u, "--rpc", optarg);
			a->rpc = optarg;
			break;
		case 'o': a->once = true; break;
		default: a->json = true; break;
		}
	}
	usage_words(u, argc, argv, 0, 0, "");
	if (strcmp(u->verb, "beacon follow") == 0) {
		if (a->nodes.count == 0)
			usage_wrong(u, "--beacon URL is missing");
		return;
	}
	if (a->network == NULL)
		usage_wrong(u, "--network NAME|FILE is missing");
	if (a->bootstrap == NULL)
		usage_wrong(u, "--bootstrap FILE is missing");
	if (!a->has_root)
		usage_wrong(u, "--root ROOT is missing");
}

/*
 * Snappy's framing has a mark; a block has none, so it is tried where the
 * bytes as they are say nothing. *buf is replaced by what was inside.
 */
static enum dstack_status
open_doc(const struct run *r, enum beacon_kind kind, uint8_t **buf,
    size_t len, struct beacon_doc **doc, enum beacon_code *code,
    struct why *why)
{
	uint8_t *plain = NULL;
	size_t n = 0;
	enum dstack_status st;
	if (snappy_is_framed(*buf, len)) {
		st = unsnappy_framed(*buf, len, BEACON_MAX_DOC, &plain, &n);
		if (st == DSTACK_E_NOMEM)
			return st;
		if (st != DSTACK_OK) {
			*code = BEACON_FORMAT;
			return why_set(why, DSTACK_E_REJECTED,
			    "snappy frames: %s", dstack_status_text(st));
		}
	} else {
		st = beacon_doc_open(
		    &r->net, kind, *buf, len, doc, code, why);
		if (st != DSTACK_E_REJECTED || *code != BEACON_FORMAT)
			return st;
		if (unsnappy_block(*buf, len, BEACON_MAX_DOC, &plain, &n) !=
		    DSTACK_OK)
			return st;
	}
	free(*buf);
	*buf = plain;
	return beacon_doc_open(&r->net, kind, *buf, n, doc, code, why);
}

/* A line has 150 bytes or so: a path's last part tells files apart. */
static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* One container, by its kind. */
static enum beacon_code
judge(struct run *r, enum beacon_kind kind, struct beacon_item it)
{
	switch (kind) {
	case BEACON_KIND_BOOTSTRAP:
		return beacon_bootstrap(
		    r->store, r->root, it.ssz, it.len, &r->why);
	case BEACON_KIND_UPDATE:
		return beacon_update(
		    r->store, it.ssz, it.len, r->now, &r->why);
	case BEACON_KIND_FINALITY:
	default:
		return beacon_finality(
		    r->store, it.ssz, it.len, r->now, &r->why);
	}
}

/*
 * One file: read, taken apart, judged. DSTACK_OK also when something was
 * refused: r->code says so, and r->why which file and container of it. What
 * came before the refused one stays in the store.
 */
static enum dstack_status
feed(struct run *r, enum beacon_kind kind, const char *path)
{
	AUTO_FREE uint8_t *buf = NULL;
	OWN_CLEANUP(own_doc) struct beacon_doc *doc = NULL;
	size_t len = 0;
	enum dstack_status st =
	    quote_read_file(path, BEACON_MAX_DOC, &buf, &len, &r->why);
	if (st != DSTACK_OK)
		return st;
	st = open_doc(r, kind, &buf, len, &doc, &r->code, &r->why);
	if (st == DSTACK_E_REJECTED)
		(void)why_wrap(&r->why, st, "%.100s", last_part(path));
	if (st != DSTACK_OK)
		return st == DSTACK_E_REJECTED ? DSTACK_OK : st;
	/* one bootstrap, one finality update: the second would undo the first */
	if (kind != BEACON_KIND_UPDATE && beacon_doc_count(doc) != 1) {
		r->code = BEACON_FORMAT;
		(void)why_set(&r->why, DSTACK_E_REJECTED,
		    "%.100s: %zu containers, where one belongs",
		    last_part(path),
		    beacon_doc_count(doc));
		return DSTACK_OK;
	}
	for (size_t i = 0; i < beacon_doc_count(doc); i++) {
		r->code = judge(r, kind, beacon_doc_item(doc, i));
		if (r->code == BEACON_NO_MEMORY)
			return DSTACK_E_NOMEM;
		if (r->code != BEACON_OK) {
			(void)why_wrap(&r->why, DSTACK_E_REJECTED,
			    "%.100s: container %zu", last_part(path), i);
			return DSTACK_OK;
		}
	}
	return DSTACK_OK;
}

static json_t *
hex_json(const uint8_t p[static 32])
{
	char text[2 + 64 + 1] = "0x";
	hex_encode(p, 32, text + 2);
	return json_string(text);
}

/* A line of each member; those of null are left out. */
static bool
print_lines(const json_t *o, const json_t *final)
{
	static const char *const members[] = { "slot", "root",
		"execution_hash" };
	const json_t *period = json_object_get(o, "period");
	bool good = printf("%s: %s\n",
			json_string_value(json_object_get(o, "code")),
			json_string_value(json_object_get(o, "message"))) >= 0;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *v = json_object_get(final, members[i]);
		if (json_is_integer(v))
			good = good && printf("%s: %lld\n", members[i],
			    (long long)json_integer_value(v)) >= 0;
		else if (json_is_string(v))
			good = good && printf("%s: %s\n", members[i],
			    json_string_value(v)) >= 0;
	}
	if (json_is_integer(period))
		good = good && printf("period: %lld\n",
		    (long long)json_integer_value(period)) >= 0;
	return good;
}

/*
 * The verdict, as one JSON object or a line of each of its members. What is
 * finalized is told after a refusal too: it was proven before.
 */
static int
report(const struct run *r, bool json)
{
	OWN_CLEANUP(own_json) json_t *o = json_object();
	struct beacon_head h;
	bool some = beacon_finalized(r->store, &h);
	json_t *final = some ? json_object() : json_null();
	const char *message = r->code == BEACON_OK
	    ? "finalized, by signatures from the trusted root on"
	    : r->why.text;
	if (some) {
		(void)json_object_set_new(
		    final, "slot", json_integer((json_int_t)h.slot));
		(void)json_object_set_new(final, "root", hex_json(h.root));
		(void)json_object_set_new(final, "execution_hash",
		    h.has_execution ? hex_json(h.execution_hash)
				    : json_null());
	}
	(void)json_object_set_new(
	    o, "ok", json_boolean(r->code == BEACON_OK));
	(void)json_object_set_new(
	    o, "code", json_string(beacon_code_text(r->code)));
	/* a file's name need not be UTF-8, which JSON must be */
	json_t *text = json_string(message);
	(void)json_object_set_new(o, "message",
	    text != NULL ? text : json_string("refused; a name in the reason "
					      "cannot be printed"));
	(void)json_object_set_new(o, "finalized", json_incref(final));
	(void)json_object_set_new(o, "period",
	    some ? json_integer((json_int_t)beacon_period(r->store))
		 : json_null());
	bool good = json ? json_dumpf(o, stdout, JSON_COMPACT) == 0 &&
		putchar('\n') != EOF
			 : print_lines(o, final);
	json_decref(final);
	if (!good || fflush(stdout) != 0)
		return EXIT_UNDECIDED;
	return r->code == BEACON_OK ? EXIT_YES : EXIT_NO;
}

/* From arguments to exit status; the first refusal ends the reading. */
static int
verify(const struct usage *u, const struct args *a)
{
	struct run r = { .code = BEACON_OK };
	int64_t now = 0;
	if (quote_read_time(a->at, &now, &r.why) != DSTACK_OK)
		usage_wrong(u, "--at: %.150s", r.why.text);
	if (now < 0)
		usage_wrong(u, "--at: before 1970");
	r.now = (uint64_t)now;
	memcpy(r.root, a->root, 32);
	enum dstack_status st = beacon_network_take("--network", a->network, &r.net, &r.why);
	if (st != DSTACK_OK) {
		(void)cmd_fail("beacon", st, &r.why);
		return EXIT_UNDECIDED;
	}
	OWN_CLEANUP(own_store)
	struct beacon_store *store = beacon_store_new(&r.net);
	r.store = store;
	if (store == NULL)
		st = why_set(&r.why, DSTACK_E_NOMEM, "out of memory");
	if (st == DSTACK_OK)
		st = feed(&r, BEACON_KIND_BOOTSTRAP, a->bootstrap);
	for (int i = 0; i < a->update_count; i++)
		if (st == DSTACK_OK && r.code == BEACON_OK)
			st = feed(&r, BEACON_KIND_UPDATE, a->updates[i]);
	if (st == DSTACK_OK && r.code == BEACON_OK && a->finality != NULL)
		st = feed(&r, BEACON_KIND_FINALITY, a->finality);
	if (st != DSTACK_OK) {
		(void)cmd_fail("beacon", st, &r.why);
		return EXIT_UNDECIDED;
	}
	return report(&r, a->json);
}

/* To follow.c, with the network if one was said. */
static int
follow(const struct args *a)
{
	struct beacon_network net;
	struct why why = { "" };
	struct follow_args f = { .nodes = a->nodes,
		.has_root = a->has_root,
		.rpc = a->rpc,
		.json = a->json,
		.once = a->once };
	memcpy(f.root, a->root, 32);
	if (a->network != NULL) {
		enum dstack_status st = beacon_network_take("--network", a->network, &net, &why);
		if (st != DSTACK_OK) {
			(void)cmd_fail("beacon", st, &why);
			return EXIT_UNDECIDED;
		}
		f.net = &net;
	}
	return beacon_follow(&f);
}

int
cmd_beacon(int argc, char **argv)
{
	struct args a = { .network = NULL };
	const struct usage *u = usage_sub(uses, NULL, argc, argv);
	take_args(u, argc - 1, argv + 1, &a);
	return strcmp(u->verb, "beacon follow") == 0 ? follow(&a)
						     : verify(u, &a);
}
