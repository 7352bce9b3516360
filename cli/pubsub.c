/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack pubsub: the gossip relay, until SIGINT or SIGTERM. It holds nothing
 * that is worth keeping, so it ends where it stands; nodes come back by
 * themselves when it does.
 */
#include "cli/cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "cli/usage.h"
#include "host/relay/pubsub.h"

static const struct usage use = { "pubsub",
	"dstack pubsub [--listen ADDR:PORT]\n"
	"  the gossip relay, until Ctrl-C; on 127.0.0.1:5001 by default",
	NULL, NULL };

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(arg);
}

int
cmd_pubsub(int argc, char **argv)
{
	static const struct option lopt[] = { { "listen", 1, NULL, 'l' },
		{ NULL, 0, NULL, 0 } };
	const char *text = "127.0.0.1:5001";
	struct listen_addr at;
	struct pubsub_limits limits = pubsub_defaults();
	struct pubsub *p = NULL;
	struct why why = { "" };

	while (usage_next(&use, argc, argv, lopt) != -1)
		text = optarg;
	usage_words(&use, argc, argv, 0, 0, "");
	/*
	 * an address and no name: what it listens on is not for a resolver to
	 * say
	 */
	if (listen_parse(text, &at) != DSTACK_OK)
		usage_wrong(&use,
		    "--listen takes IPV4-ADDRESS:PORT, not '%.80s'", text);
	struct event_base *base = event_base_new();
	if (base == NULL)
		return cmd_fail("pubsub", DSTACK_E_NOMEM, NULL);
	enum dstack_status st = pubsub_new(base, &at, &limits, &p, &why);
	if (st != DSTACK_OK) {
		event_base_free(base);
		return cmd_fail("pubsub", st, &why);
	}
	struct event *i = evsignal_new(base, SIGINT, on_signal, base);
	struct event *t = evsignal_new(base, SIGTERM, on_signal, base);
	if (i != NULL && t != NULL && evsignal_add(i, NULL) == 0 &&
	    evsignal_add(t, NULL) == 0) {
		/* after the port is open, so that whoever reads it may come */
		printf("relay on http://%s:%u\n", at.host, pubsub_port(p));
		(void)fflush(stdout);
		(void)event_base_dispatch(base);
	}
	if (i != NULL)
		event_free(i);
	if (t != NULL)
		event_free(t);
	pubsub_free(p);
	event_base_free(base);
	return EXIT_YES;
}
