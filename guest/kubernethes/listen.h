/* SPDX-License-Identifier: Apache-2.0 */
/* What is listened to in a container's network, and what answers there. */
#ifndef GUEST_LISTEN_H
#define GUEST_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTENS_MAX 32 /* ports of each kind; those beyond are not seen */

/* TCP ports, each once, in the kernel's order. */
struct listens {
	uint16_t open[LISTENS_MAX];  /* where others get to */
	uint16_t local[LISTENS_MAX]; /* on the loopback alone */
	size_t nopen, nlocal;
};

/* Adds what a table of the form of /proc/net/tcp or tcp6 says. */
void listen_read(const char *table, struct listens *l);
/* In the network that the process is in. */
void listen_look(pid_t pid, struct listens *l);
bool listen_has(const uint16_t *ports, size_t n, uint16_t port);

/* --- ask.c --- */

/* What comes back for a GET, the better the higher. */
enum answers {
	ANSWERS_NOT,  /* it takes no connection */
	ANSWERS_ELSE, /* nothing in time, or no HTTP */
	ANSWERS_BAD,  /* HTTP, with 400: a TLS server that is not asked in TLS */
	ANSWERS_HTTP,
};
enum answers ask_judge(const char *text, size_t n);
/*
 * Ask all n ports (LISTENS_MAX at most) of that address, in network order, at
 * once, ms at most in all. proxy: they want a PROXY header first. out: for
 * each.
 */
void ask_ports(uint32_t address, const uint16_t *ports, size_t n, bool proxy,
    int ms, enum answers *out);
/* Does that port speak HTTP/2 by prior knowledge? Unknown within ms: no. */
bool ask_h2(uint32_t address, uint16_t port, bool proxy, int ms);
/*
 * Of several that answer alike: those that HTTP is known by come first, then
 * the lower number. Is a before b?
 */
bool ask_before(uint16_t a, uint16_t b);

#endif
