/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role fails: it crashed, the kernel ended it for its memory, or it gave up
 * over what the host, a disk or an app had it read. Before the guest holds the
 * secret that ends it, which costs nothing and says the reason plainly. After,
 * it must not: whoever can end one role could end the network. Which it is
 * watch.c judges; what is done about it is done here.
 *
 * Roles know each other by descriptors they were born with, so a new process
 * needs new edges, and its peers the other ends. To keep that simple the
 * roles in front (hostlink, verifier, guest-service, TLS, kubernethes) start
 * together: what is between them is made anew as at boot, and the two that
 * stay and serve them, tee and keyd, are given their new ends over init's
 * edge. When tee itself fails it starts with them, and init tells it that it
 * goes on where another was. replicatoor, until the secret is in use, asks the
 * front and starts with it: keyd tells the new one what it holds. kubernethes is asked to end first, so that the
 * app has its stop signal; whatever it leaves is killed. The volume stays
 * mounted. The roles find out again what they knew: the app, the certificate,
 * the chain.
 *
 * volume starts anew as long as it has not opened the disk: a disk that it does
 * not like it looks at again by itself, so if it ends it has crashed, and takes
 * down what the one before it has left half made. A role that fails again at
 * once is tried again, ever more slowly; so is a start that fails for a want of
 * init's own. Only keyd's end is the end.
 */
#include "guest/init/revive.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/base/ipc.h"
#include "guest/init/stop.h"
#include "guest/tee/tee.h"

#define BIT(r) (1u << (r))

/* Parent of a process, by /proc/PID/stat: "PID (NAME) STATE PARENT ...". */
static pid_t
parent_of(const char *pid)
{
	char path[300], text[512];
	int parent = 0;

	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[n > 0 ? n : 0] = '\0';
	/* the name may have any byte in it: what counts is behind its end */
	const char *end = strrchr(text, ')');
	if (end == NULL || sscanf(end, ") %*c %d", &parent) != 1)
		return 0;
	return (pid_t)parent;
}

/* What a role has left: children that became ours, and theirs with them. */
static void
kill_strays(const struct watch *w)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		bool known = false;
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    parent_of(e->d_name) != getpid())
			continue;
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		for (int r = 1; r < ROLE_COUNT; r++)
			known = known || w->child[r].pid == pid;
		if (!known)
			(void)kill(pid, SIGKILL);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* tee and keyd learn whom they speak to from now on. */
static void
tell_servers(struct watch *w, unsigned roles)
{
	static const enum role servers[] = { ROLE_TEE, ROLE_KEYD };

	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		enum role s = servers[i];
		for (int r = 1; r < ROLE_COUNT; r++) {
			int fd = w->plan->edge[s][r];
			/* one that starts now is born with its edges */
			if ((roles & BIT(r)) == 0 || fd < 0 ||
			    (roles & BIT(s)) != 0 || w->child[s].pid <= 0)
				continue;
			if (ipc_new_edge(w->plan->edge[ROLE_INIT][s],
				(enum role)r, fd) != DSTACK_OK)
				log_line("%s takes no new edge: %s",
				    role_name(s), strerror(errno));
		}
	}
}

/*
 * The new tee's first packet, there before any other role of it runs: only a
 * guest that holds the secret starts one anew, and it is the first event's
 * absence that tells this one from a boot. Whether the guest has joined, that
 * is, whether the secret is in use, decides which quotes it gives.
 */
static enum dstack_status
tell_tee(struct watch *w, struct why *why)
{
	const uint8_t packet[2] = { TEE_RESUME, w->joined };

	if (send(w->plan->edge[ROLE_INIT][ROLE_TEE], packet, sizeof(packet),
		MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(packet))
		return why_set(why, DSTACK_E_SYS, "tee: %s", strerror(errno));
	return DSTACK_OK;
}

/* Edges, then those that they are for, in order; tee and keyd last. */
static enum dstack_status
start(struct watch *w, unsigned roles, struct why *why)
{
	enum dstack_status st = plan_edges(w->plan, roles, why);

	if (st == DSTACK_OK && (roles & BIT(ROLE_TEE)) != 0)
		st = tell_tee(w, why);
	for (int r = 1; r < ROLE_COUNT && st == DSTACK_OK; r++) {
		if ((roles & BIT(r)) == 0)
			continue;
		w->child[r].ready = false;
		st = watch_start(w, (enum role)r, why);
	}
	if (st == DSTACK_OK)
		tell_servers(w, roles);
	plan_close(w->plan);
	return st;
}

enum dstack_status
revive(struct watch *w, int sigfd, struct why *why)
{
	/* with what failed, and what did not start the last time */
	unsigned roles = WATCH_FRONT | (w->down & ~BIT(ROLE_REPLICATOOR));

	/* those that have not done their duty yet have edges to the front */
	if (!w->child[ROLE_VOLUME].ready && w->child[ROLE_VOLUME].pid > 0)
		roles |= BIT(ROLE_VOLUME);
	if (!w->joined)
		roles |= BIT(ROLE_REPLICATOOR);
	w->revive_at = 0;
	w->ending = true; /* those that still run are to end */
	if (!watch_end(w, sigfd, ROLE_KUBERNETHES, STOP_KUBE_MS))
		log_line("kubernethes does not stop; it is ended");
	for (int r = 1; r < ROLE_COUNT; r++) {
		pid_t pid = w->child[r].pid;
		if ((roles & BIT(r)) == 0 || pid <= 0)
			continue;
		(void)kill(pid, SIGKILL);
		(void)watch_end(w, sigfd, (enum role)r, STOP_KEYD_MS);
	}
	kill_strays(w);
	w->ending = false;
	/* not to be missed while all others may end */
	if (w->child[ROLE_KEYD].pid <= 0)
		return why_set(why, DSTACK_E_SYS, "keyd has ended");
	w->told &= ~roles;
	w->down = 0;
	w->revived = watch_now();
	w->all_ready = false;
	/* what is lacking now (memory, descriptors) may be there later */
	if (start(w, roles, why) != DSTACK_OK)
		log_line("%s; tried again in %d s", why->text,
		    watch_later(w, roles));
	return DSTACK_OK;
}
