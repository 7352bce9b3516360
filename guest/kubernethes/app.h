/* SPDX-License-Identifier: Apache-2.0 */
/* One version of the app in its slot: what it says, and how it ends. */
#ifndef GUEST_APP_H
#define GUEST_APP_H

#include <poll.h>
#include <stdbool.h>

#include "guest/base/life.h"
#include "guest/kubernethes/container.h"
#include "guest/kubernethes/journal.h"
#include "protocol/state.h"

/* Of guest-service. */
#define GS_APP_LISTEN 1
#define GS_APP_GONE 2
#define APP_LOG_LINE APPLOG_LINE_MAX
#define APP_TAIL_LINES 20
#define APP_TAIL_WIDTH 160
#ifndef APP_STOP_MS
#define APP_STOP_MS 10000   /* between stop signal and SIGKILL */
#endif
#define APP_BACKOFF_FIRST_MS 500
#define APP_BACKOFF_MAX_MS 60000
#define APP_STEADY_MS 60000 /* an app that ran so long had no bad start */
#define APP_SHARED_MS 10000 /* for the host to take what the app wrote */

/* What the image's HEALTHCHECK says of it (health.c). */
struct health {
	enum { HEALTH_NONE, HEALTH_STARTING, HEALTH_GOOD, HEALTH_BAD } is;
	int64_t began;     /* when the app did, kube_now() */
	int64_t next;      /* when the next run begins, or this one is over */
	pid_t pid;         /* of a run; 0: none */
	int pidfd, out;    /* valid where pid is not 0 */
	unsigned failures; /* in a row */
	size_t wrote;      /* bytes of this run */
	char line[200];    /* the first of them, as one line */
	size_t linelen;
	char last[40];     /* how the last one that failed did: "exit 1" */
};

struct services;

struct app {
	struct container box;
	/* of an app of several containers, whose front this is; or NULL */
	struct services *more;
	struct state_app record;
	struct oci_image *image;
	int way_out; /* namespace that its containers may get; -1: none */
	int watch, host; /* /mnt/host_volume */
	int64_t started;
	uint64_t since;    /* the same moment, life_now() */
	uint32_t restarts; /* since it began to serve */
	uint64_t killed;   /* cgroup_killed as it was started */
	struct life_end end; /* the last that was not asked for */
	int64_t restart_at; /* 0: runs */
	int64_t retire_at;  /* it was replaced and stops then; 0: not so */
	int64_t backoff;
	struct journal *journal;
	struct journal_of of; /* what becomes of what it writes */
	char line[APP_LOG_LINE];
	size_t linelen;
	int64_t read_from; /* of a while in which only so much is read */
	size_t read_bytes;
	char tail[APP_TAIL_LINES][APP_TAIL_WIDTH]; /* its last, where the host */
	unsigned tails;                            /* may read them; in all */
	struct health health;
};

/* --- health.c --- */

/* The app has been started, anew or again. */
void health_begin(struct app *a);
/* Begin, read or end a run, as far as it is time for it; never waits. */
void health_step(struct app *a);
/* No run any more. */
void health_end(struct app *a);
/*
 * What a wait till until must wake up for; the time by which it must end.
 */
int64_t health_poll(const struct app *a, struct pollfd p[static 2],
    int64_t until);
/* Is it fit to be turned to? Where there is no check, it is. */
bool health_good(const struct app *a);
/* The same in words, as struct life has it; a may be NULL. */
void health_text(const struct app *a, char out[static LIFE_TEXT]);
/* Milliseconds that an app may take to become so; 0: it has no check. */
int64_t health_grace(const struct app *a);

/* --- app.c --- */

/*
 * Take the app's output as far as it is there, a line each; a bounded part of
 * it, so that one that writes without end waits for its own pipe.
 */
void app_log(struct app *a);
/* Until when a wait may last, and whether its output is worth waking for. */
int64_t app_log_wait(const struct app *a, struct pollfd *p, int64_t until);
/* A line about it beside its own, in printf's form. */
void app_note(struct app *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Its last lines, each with LF; "" where the host may not read them. */
void app_tail(const struct app *a, char *out, size_t cap);

/* Has its first process ended? Then end says how. */
bool app_ended(struct app *a);

/*
 * Its stop signal was sent (app_ask): up to until (kube_now(), so that
 * two that are asked at once have one grace; 0: none) for it to do as asked.
 * idle, which has to read what it writes, is called meanwhile. Then everything
 * of it in the guest goes; its last files are given to the host.
 */
void app_stop(struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx);

/* Its stop signal; services wait for theirs until app_stop or app_wait. */
void app_ask(const struct app *a);
/* Until its first process has ended, or until. idle: as of app_stop. */
void app_await(
    struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx);

/* The same, but it keeps its tree and plane: start_run starts it again. */
void app_wait(struct app *a, int64_t until, void (*idle)(void *ctx), void *ctx);

#endif
