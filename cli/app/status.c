/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app status: what its author asks when the app does not work. First
 * the contract: which version is wanted, which one waits for the end of its
 * notice and how long still. Then each node: what serves and since when, how
 * often it was started again, how its last process ended, why a version was
 * refused and when it is tried next, what is waited for, memory. The exit
 * status is 0 where every node serves the wanted version, 1 where one does
 * not, 3 where the contract cannot be read.
 */
#include "cli/app/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "eth/rpc.h"
#include "host/chain/rpc_client.h"

static json_t *
version_json(const struct state_app *a)
{
	return json_pack("{s:s,s:I,s:o,s:b,s:I}", "name", a->name, "version",
	    (json_int_t)a->version, "digest", eth_json_hex(a->digest, 32),
	    "stopped", a->stopped, "notBefore", (json_int_t)a->not_before);
}

/*
 * The contract's records as what is wanted now and what will be. wanted:
 * version 0 where none is to run.
 */
static enum dstack_status
contract(struct where *w, struct state_app *wanted, json_t *o, struct why *why)
{
	struct state_app previous;
	struct state_app latest;
	uint64_t now = 0;
	enum dstack_status st =
	    gov_read_apps(&w->gov, &previous, &latest, why);

	*wanted = (struct state_app){ .version = 0 };
	if (st != DSTACK_OK)
		return st;
	/* by the chain's clock, as nodes go by it and not by this machine's */
	now = look_time(w->gov.rpc);
	bool pending = latest.version != 0 && latest.not_before > now;
	*wanted = pending ? previous : latest;
	(void)json_object_set_new(o, "wanted",
	    wanted->version != 0 ? version_json(wanted) : json_null());
	if (pending) {
		json_t *next = version_json(&latest);
		(void)json_object_set_new(next, "in",
		    json_integer((json_int_t)(latest.not_before - now)));
		(void)json_object_set_new(o, "next", next);
	}
	return DSTACK_OK;
}

/* The record of one node for --json: the guest's, and our word on it. */
static json_t *
node_json(unsigned i, const struct look *l)
{
	static const char *const states[] = { [LOOK_DOWN] = "down",
		[LOOK_SILENT] = "silent", [LOOK_OTHER] = "other",
		[LOOK_REFUSED] = "refused", [LOOK_SERVES] = "serves" };

	return json_pack("{s:i,s:s,s:s,s:O,s:O}", "index", (int)i, "state",
	    states[l->state], "line", l->line, "app",
	    l->app != NULL ? l->app : json_null(), "memory",
	    json_is_object(json_object_get(l->guest, "memory"))
	        ? json_object_get(l->guest, "memory")
	        : json_null());
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
print_record(const char *head, const json_t *r)
{
	char span[LOOK_SPAN];
	const json_t *in = json_object_get(r, "in");

	look_span((uint64_t)json_integer_value(in), span);
	printf("%-9s %s version %" JSON_INTEGER_FORMAT " %s%s%s%s\n", head,
	    json_string_value(json_object_get(r, "name")), number(r, "version"),
	    json_string_value(json_object_get(r, "digest")),
	    json_is_true(json_object_get(r, "stopped")) ? ", STOPPED" : "",
	    in != NULL ? ", its notice ends in " : "", in != NULL ? span : "");
}

/* "exit 1, 5 s ago" */
static void
print_how(const json_t *e)
{
	const json_t *sig = json_object_get(e, "signal");
	char span[LOOK_SPAN];

	look_span((uint64_t)number(e, "ago"), span);
	printf("%s %" JSON_INTEGER_FORMAT "%s, %s ago",
	    sig != NULL ? "signal" : "exit",
	    number(e, sig != NULL ? "signal" : "exit"),
	    json_is_true(json_object_get(e, "memory"))
	        ? ", killed as its memory was used up" : "", span);
}

static void
print_end(const json_t *e)
{
	printf("  last end  version %" JSON_INTEGER_FORMAT ", ",
	    number(e, "version"));
	print_how(e);
	printf("\n");
}

/* Each service in one line; its name first, as it comes from the guest. */
static void
print_services(const json_t *app)
{
	json_t *all = json_object_get(app, "services");
	const char *name = NULL;
	json_t *s = NULL;

	if (json_object_get(app, "servicesOf") != NULL &&
	    number(app, "servicesOf") != number(app, "serving"))
		printf("  of version %" JSON_INTEGER_FORMAT ", which starts:\n",
		    number(app, "servicesOf"));
	json_object_foreach(all, name, s) {
		const char *health =
		    json_string_value(json_object_get(s, "health"));
		const json_t *end = json_object_get(s, "lastEnd");
		char span[LOOK_SPAN];
		look_span((uint64_t)number(s, "since"), span);
		printf("  %-9.32s ", name);
		if (json_is_true(json_object_get(s, "up")))
			printf("up for %s", span);
		else
			printf("%s", json_is_true(json_object_get(s, "over"))
				? "has ended for good"
				: end != NULL ? "has ended and starts again"
					      : "is not started yet");
		if (health != NULL)
			printf(", %.200s", health);
		if (number(s, "restarts") != 0)
			printf(", restarts %" JSON_INTEGER_FORMAT,
			    number(s, "restarts"));
		if (end != NULL) {
			printf(", last end: ");
			print_how(end);
		}
		printf("\n");
	}
}

static void
print_node(const json_t *n)
{
	const json_t *app = json_object_get(n, "app");
	const json_t *mem = json_object_get(app, "memory");
	const json_t *vm = json_object_get(n, "memory");
	const char *state = json_string_value(json_object_get(n, "state"));

	printf("node %-4" JSON_INTEGER_FORMAT " %s\n", number(n, "index"),
	    json_string_value(json_object_get(n, "line")));
	/* the line above is about the wanted one; this is what clients reach */
	if (json_is_object(app) && strcmp(state, "serves") != 0) {
		if (number(app, "serving") == 0)
			printf("  serves    nothing\n");
		else
			printf("  serves    version %" JSON_INTEGER_FORMAT "%s\n",
			    number(app, "serving"),
			    json_is_true(json_object_get(app, "up"))
			        ? "" : ", which has ended and starts again");
	}
	if (json_object_get(app, "health") != NULL)
		printf("  health    %s\n",
		    json_string_value(json_object_get(app, "health")));
	if (number(app, "restarts") != 0)
		printf("  restarts  %" JSON_INTEGER_FORMAT "\n",
		    number(app, "restarts"));
	if (json_object_get(app, "lastEnd") != NULL)
		print_end(json_object_get(app, "lastEnd"));
	print_services(app);
	if (mem != NULL)
		printf("  memory    %" JSON_INTEGER_FORMAT " MB of the %"
		       JSON_INTEGER_FORMAT " that it may have\n",
		    number(mem, "used") >> 20, number(mem, "bound") >> 20);
	if (json_is_object(vm))
		printf("  VM        %" JSON_INTEGER_FORMAT " MB, of which a new "
		       "version may have %" JSON_INTEGER_FORMAT "\n",
		    number(vm, "total") >> 20, number(vm, "free") >> 20);
}

static void
print(const json_t *o)
{
	const json_t *wanted = json_object_get(o, "wanted");
	const json_t *next = json_object_get(o, "next");
	const json_t *nodes = json_object_get(o, "nodes");

	if (json_is_object(wanted))
		print_record("wanted", wanted);
	else
		printf("wanted    none: no version is named yet\n");
	if (next != NULL)
		print_record("next", next);
	for (size_t i = 0; i < json_array_size(nodes); i++)
		print_node(json_array_get(nodes, i));
}

int
app_status(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { WHERE_OPTIONS,
		{ "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct where w = { .no_key = true };
	struct state_app wanted;
	struct why why = { "" };
	bool json = false;
	bool all = true;
	int c;

	while ((c = usage_next(u, argc, argv, lopt)) != -1)
		if (!where_option(&w, u, c))
			json = true;
	usage_words(u, argc, argv, 0, 0, "");
	where_options_end(&w, u);
	json_t *o = json_object();
	json_t *nodes = json_array();
	enum dstack_status st = where_find(&w, &why);
	if (st == DSTACK_OK)
		st = contract(&w, &wanted, o, &why);
	for (unsigned i = 0; i < w.nodes && st == DSTACK_OK; i++) {
		struct look l;
		look_at(w.state[i], wanted.version, &l);
		all = all && l.state == LOOK_SERVES;
		(void)json_array_append_new(nodes, node_json(i, &l));
		look_free(&l);
	}
	where_free(&w);
	(void)json_object_set_new(o, "nodes", nodes);
	if (st == DSTACK_OK && json) {
		(void)json_dumpf(o, stdout, JSON_COMPACT);
		(void)putchar('\n');
	} else if (st == DSTACK_OK) {
		print(o);
	}
	json_decref(o);
	if (st != DSTACK_OK) {
		(void)cmd_fail("app status", st, &why);
		return EXIT_UNDECIDED;
	}
	return all && wanted.version != 0 && !wanted.stopped ? EXIT_YES
							     : EXIT_NO;
}
