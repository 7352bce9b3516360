/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which port of the app is the one that clients reach?
 *
 * The label dstack.port says it, or the one port that the image EXPOSEs; then
 * it is only waited for. Where there are several, it is one of those that the
 * app is seen to listen on, and where there is none, one of all: the kernel
 * lists the sockets of the container's network (listen.c). Among those one
 * that answers HTTP comes first (ask.c), and while there is none a little is
 * waited for one, since servers open their ports one after the other.
 *
 * What goes wrong is told as soon as it can be seen, not when the time for a
 * start is over. Who listens on 127.0.0.1 alone is refused after a few looks:
 * nobody outside gets there. Who listens on another port than it was said to
 * may have more to open, so that is told within seconds and refused after a
 * minute (or StartPeriod, where the image has a longer one).
 */
#include "guest/kubernethes/port.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "guest/kubernethes/listen.h"

#define LOOK_MS 1000        /* between looks, while one port is waited for */
#define LOOK_OFTEN_MS 200   /* and while it is not known */
#define LOCAL_LOOKS 3       /* some move on from there when they are ready */
#ifndef TOLD_MS             /* its test has not so long */
#define TOLD_MS 5000        /* of listening elsewhere */
#define ELSEWHERE_MS 60000
#define SETTLE_MS 1000      /* for the next port to be opened */
#define NO_HTTP_MS 10000    /* for one that answers HTTP */
#define ASK_MS 2000         /* for all answers */
#endif

void
port_begin(struct port_look *l, const struct oci_config *c)
{
	*l = (struct port_look){ .port = c->port, .config = c };
	l->next = kube_now() + (c->port != 0 ? LOOK_MS : LOOK_OFTEN_MS);
}

/* The ports that it was said to listen on, for who reads a refusal. */
static const char *
said(const struct oci_config *c, char out[static 96])
{
	const char *label = oci_label(c, "dstack.port");
	size_t n = 0;

	if (label != NULL) {
		(void)snprintf(out, 96, "its label dstack.port says %.5s", label);
		return out;
	}
	n = (size_t)snprintf(out, 96, "its image EXPOSEs");
	for (size_t i = 0; i < c->nexposed && n < 80; i++)
		n += (size_t)snprintf(out + n, 96 - n, "%s %u",
		    i != 0 ? "," : "", c->exposed[i]);
	if (c->nexposed == 0)
		(void)snprintf(out, 96, "no port is EXPOSEd");
	return out;
}

/* Those of ports that may be the one. */
static size_t
candidates(const struct port_look *l, const uint16_t *ports, size_t n,
    uint16_t out[static LISTENS_MAX])
{
	const struct oci_config *c = l->config;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (l->port != 0 ? ports[i] == l->port
		    : c->nexposed == 0 ||
			listen_has(c->exposed, c->nexposed, ports[i]))
			out[k++] = ports[i];
	return k;
}

/* The best of n that are listened on; 0: not decided yet. */
static uint16_t
choose(struct port_look *l, uint32_t address, const uint16_t *ports, size_t n)
{
	const int64_t now = kube_now();
	enum answers a[LISTENS_MAX];
	size_t best = 0;

	if (n != l->seen) { /* more than there were: others may follow */
		l->seen = n;
		l->since = now;
	}
	/* all that there can be: then nothing is waited for */
	const bool all = l->config->nexposed != 0 && n == l->config->nexposed;
	if (!all && now - l->since < SETTLE_MS)
		return 0;
	if (n == 1 && l->config->nexposed == 0)
		return ports[0];
	ask_ports(address, ports, n, l->config->proxy, ASK_MS, a);
	for (size_t i = 1; i < n; i++)
		if (a[i] > a[best] ||
		    (a[i] == a[best] && ask_before(ports[i], ports[best])))
			best = i;
	if (a[best] == ANSWERS_HTTP || (all && a[best] != ANSWERS_NOT) ||
	    now - l->since >= NO_HTTP_MS)
		return ports[best];
	return 0;
}

/* It listens, and not where it was said to. */
static enum dstack_status
elsewhere(struct port_look *l, const struct listens *s, struct why *why)
{
	const int64_t now = kube_now();
	const uint16_t at = s->nopen != 0 ? s->open[0] : s->local[0];
	const int64_t start = l->config->health.start;
	char text[96];

	if (l->elsewhere == 0)
		l->elsewhere = now;
	const int64_t ms = now - l->elsewhere;
	if (!l->told && ms >= TOLD_MS) {
		l->told = true;
		log_line("app listens on %sport %u, %s; it is waited for",
		    s->nopen != 0 ? "" : "127.0.0.1 ", at,
		    said(l->config, text));
	}
	if (ms < ELSEWHERE_MS || ms < start)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "app listens on %sport %u, %s: let it listen on that, or set the "
	    "label dstack.port", s->nopen != 0 ? "" : "127.0.0.1 ", at,
	    said(l->config, text));
}

enum dstack_status
port_judge(struct port_look *l, const struct listens *s, uint32_t address,
    struct why *why)
{
	uint16_t open[LISTENS_MAX];
	uint16_t local[LISTENS_MAX];
	const size_t n = candidates(l, s->open, s->nopen, open);
	const size_t m = candidates(l, s->local, s->nlocal, local);
	/* one of several may be meant for the loopback, and another come */
	const bool lost = n == 0 && m != 0 &&
	    (l->port != 0 || m == l->config->nexposed);

	l->local = lost ? l->local + 1 : 0;
	if (l->local >= LOCAL_LOOKS)
		return why_set(why, DSTACK_E_REJECTED,
		    "app listens on 127.0.0.1 port %u only, where no one gets "
		    "to; let it listen on 0.0.0.0", local[0]);
	if (n == 0 && !lost && s->nopen + s->nlocal != 0)
		return elsewhere(l, s, why);
	l->elsewhere = 0;
	if (l->port == 0 && n != 0)
		l->port = choose(l, address, open, n);
	return DSTACK_OK;
}

enum dstack_status
port_look(struct port_look *l, const struct container *c, struct why *why)
{
	struct listens s;

	if (kube_now() < l->next)
		return DSTACK_OK;
	listen_look(c->pid, &s);
	enum dstack_status st = port_judge(
	    l, &s, container_address(c), why);
	l->next = kube_now() +
	    (l->port != 0 || l->local != 0 ? LOOK_MS : LOOK_OFTEN_MS);
	return st;
}

enum dstack_status
port_too_late(const struct port_look *l, int64_t ms, struct why *why)
{
	char text[96];

	return why_set(why, DSTACK_E_REJECTED,
	    "app does not listen after %lld s; %s", (long long)ms / 1000,
	    said(l->config, text));
}
