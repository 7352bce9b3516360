/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the guest-service role: the control plane towards the host, and
 * one app plane for each container. They share an event loop and nothing
 * else: no route leads from one to the other (THREATS T05, T12, T33).
 */
#ifndef GUEST_SERVICE_H
#define GUEST_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <event2/event.h>
#include <event2/http.h>

#include "base/status.h"
#include "base/wr.h"
#include "guest/base/life.h"
#include "protocol/keytree.h"
#include "protocol/layout.h"

/* Containers: of either version of an app, each of its services. */
#define SERVICE_SLOTS 16
#define SERVICE_HEADERS_MAX (8u * 1024)
#define SERVICE_TIMEOUT_S 20
#define SERVICE_CONNECTIONS 64 /* at once, of a listener */

struct service_plane;
struct service;
struct chain;

/* What a container is to the app plane. */
struct service_app {
	bool used;
	uint8_t app_id[32];
	char name[KM_APP_NAME_MAX + 1];
	uint8_t digest[32];
	uint64_t version;
	struct service *service;
	char own[KEYTREE_SERVICE_MAX + 1]; /* its service; "": the app is one */
	bool egress; /* it may go out (guest/init/egress.h) */
	struct service_plane *tcp;
	struct service_plane *local;
};

struct service {
	struct event_base *base;
	struct chain *chain; /* borrowed */
	char *peers;         /* the last answer to /peers; owned; or NULL */
	time_t peers_until;  /* CLOCK_BOOTTIME, seconds */
	struct service_app app[SERVICE_SLOTS];
	char app_state[128]; /* kubernethes' words */
	/* Bytes of this VM, and those that a new version of the app may have
	   beside what runs; 0 and 0: kubernethes has not said. */
	uint64_t memory, spare;
	struct life life;    /* of the app, with them */
	uint64_t chain_time; /* of the newest proven header, seconds; 0: none */
	bool egress; /* the host gives a way out, to who may have it */
	uint64_t last_sign;  /* chain time of the last sign of life; 0: none */
	struct service_plane *control;
	struct evhttp_request *onboarding; /* waits for the verifier; or NULL */
	struct event *verdict;
};

/* --- service_plane.c --- */

/*
 * HTTP on a listener (taken over on success), max connections at once. NULL:
 * no memory, or not a listener.
 */
struct service_plane *service_plane_open(struct event_base *base, int fd,
    unsigned max, void (*on_request)(struct evhttp_request *req, void *arg),
    void *arg);
struct evhttp *service_plane_http(struct service_plane *p); /* borrowed */
void service_plane_close(struct service_plane *p);

/* --- service_control.c --- */
DSTACK_CHECKED enum dstack_status service_control_start(
    struct service *s, int listener, struct why *why);

/* --- life_json.c --- */

/* Into o, the app's part of /status; now: life_now(). */
struct json_t;
void service_life_json(
    struct json_t *o, const struct life *l, uint64_t now);

/* --- service_app.c --- */

/* Serve a container's two listeners (taken over) under its app id. */
DSTACK_CHECKED enum dstack_status service_app_listen(struct service *s,
    int slot, int tcp, int local, struct why *why);
void service_app_gone(struct service *s, int slot);

/* Answer /config, /peers or /quote/HEX (about.c); false: another path. */
bool service_about(struct evhttp_request *req, const struct service_app *app);

/* The slot of a listener bound to 10.88.slot.1, or -1. */
int service_slot_of(int tcp);

/*
 * A tag or path that an app names, as keyd gets it: with the service before
 * it, which the listener tells and no request, so that one service of an app
 * does not get what is another's.
 */
void service_own(
    const struct service_app *app, const char *name, struct wr *ask);

/* Plain text answer of one line. */
void service_text(struct evhttp_request *req, int code, const char *text);

#endif
