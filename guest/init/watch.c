/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes in: packets of the roles on their edges (foreign to init as far
 * as it goes: one byte says what they are, the rest is text, or a time), what they write
 * to their standard error, their exits, SIGTERM of whoever started --no-vm,
 * and in a VM one byte of the host on the port dstack.stop. A turn waits for
 * all of them and looks at each role, a bounded part at a time, so that none
 * can keep init from the others. A role's last packets are read before its
 * exit is judged: they have the reason.
 *
 * The judgement is here, too, as every turn needs it: a role that fails ends
 * the guest before there is a secret to lose, which keyd says, as it says when
 * it has wiped one; while there is one, keyd's own end alone does. Any other is noted down; who waits in turns (supervise.c) has it started
 * anew when its pause is over.
 */
#include "guest/init/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define PACKET_MAX 320
#define LOG_READS 16 /* of one role at a time: the others have a turn */
#define BIT(r) (1u << (r))
/* The pause before failed roles start anew: it doubles up to the most. */
#define FIRST_MS 1000
#define MOST_MS 60000
#define STEADY_MS 300000 /* what ran so long had no bad start */
#define CLOCK_APART 60   /* seconds that blocks may be apart of any clock */
#define CLOCK_LAST 4102444800u /* 2100: no chain's time, but a mistake */

enum { PACKET_READY = 1, PACKET_PHASE = 2, PACKET_GIVE_UP = 3, PACKET_TIME = 4,
	PACKET_HOLDS = 5, PACKET_WIPED = 6 /* of keyd alone */ };

bool
watch_phase_known(const char *name)
{
	static const char *const known[] = { "boot", "bootstrap", "register",
		"onboarded", "volume", "serving" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

int64_t
watch_now(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
watch_phase(const char *name)
{
	(void)dprintf(STDERR_FILENO, "dstack: phase %s t=%lld\n", name,
	    (long long)watch_now());
}

enum dstack_status
watch_start(struct watch *w, enum role r, struct why *why)
{
	struct child *c = &w->child[r];

	return spawn_role(w->plan, r, &c->pid, &c->log, why);
}

static void
put_line(struct child *c)
{
	for (size_t i = 0; i < c->len; i++)
		if ((unsigned char)c->line[i] < 0x20 ||
		    (unsigned char)c->line[i] == 0x7f)
			c->line[i] = '?';
	c->line[c->len++] = '\n';
	(void)!write(STDERR_FILENO, c->line, c->len);
	c->len = 0;
}

/*
 * Pass on a part of what a role wrote, whole lines; false: it closed its end.
 * An app that writes without end does not keep init from anything.
 */
static bool
read_log(struct child *c)
{
	char buf[1024];
	ssize_t n = 1;

	for (int k = 0; k < LOG_READS; k++) {
		n = read(c->log, buf, sizeof(buf));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n' || c->len == LOG_LINE_MAX - 1)
				put_line(c);
			if (buf[i] != '\n')
				c->line[c->len++] = buf[i];
		}
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* What a role that has ended left behind: at most what a pipe holds. */
static void
read_rest(struct child *c)
{
	struct pollfd p = { .fd = c->log, .events = POLLIN };

	for (int k = 0; k < 64 && poll(&p, 1, 0) == 1 && read_log(c); k++)
		;
}

int
watch_later(struct watch *w, unsigned roles)
{
	if (w->down == 0) {
		if (watch_now() - w->revived > STEADY_MS || w->backoff == 0)
			w->backoff = FIRST_MS;
		else if (w->backoff < MOST_MS)
			w->backoff *= 2;
		w->revive_at = watch_now() + w->backoff;
	}
	w->down |= roles;
	return (int)(w->backoff / 1000);
}

bool
watch_failed(struct watch *w, enum role r, const struct why *why)
{
	pid_t pid = w->child[r].pid;

	/* Nothing to lose yet, or the secret itself is gone. */
	if (!w->holds || r == ROLE_KEYD)
		return false;
	/* one that gave up ends by itself; one that talks nonsense may not */
	if (pid > 0)
		(void)kill(pid, SIGKILL);
	/* it has told that the secret is in use, and had only to end */
	if (r == ROLE_REPLICATOOR && w->joined) {
		w->child[r].ready = true;
		return true;
	}
	bool told = (w->told & BIT(r)) != 0;
	w->told |= BIT(r);
	int seconds = watch_later(w, BIT(r));
	if (!told)
		log_line("%s; the node goes on, its front starts anew in %d s",
		    why->text, seconds);
	return true;
}

bool
watch_clock_behind(uint64_t chain, int64_t here)
{
	return here >= 0 && chain < CLOCK_LAST &&
	    (uint64_t)here + CLOCK_APART < chain;
}

/*
 * The chain's time, by the role that reads its proofs. Apps and what they log
 * go by this VM's clock, which is the host's; no role does. Forward only: a
 * host that is ahead is believed, as nobody can tell how late a block is. A
 * machine that is no VM keeps its clock.
 */
static void
set_clock(const struct watch *w, const uint8_t be[static 8])
{
	struct timespec t = { 0 };
	uint64_t chain = 0;

	for (int i = 0; i < 8; i++)
		chain = chain << 8 | be[i];
	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (w->plan->no_vm || !watch_clock_behind(chain, t.tv_sec))
		return;
	log_line("the clock is %llu s behind the chain's; it is set",
	    (unsigned long long)(chain - (uint64_t)t.tv_sec));
	t = (struct timespec){ .tv_sec = (time_t)chain };
	if (clock_settime(CLOCK_REALTIME, &t) != 0)
		log_line("the clock: %s", strerror(errno));
}

/* One lifecycle packet; *gone: the role closed its end. */
static enum dstack_status
read_edge(struct watch *w, enum role r, bool *gone, struct why *why)
{
	char buf[PACKET_MAX + 1];
	ssize_t n = recv(w->plan->edge[ROLE_INIT][r], buf, PACKET_MAX,
	    MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return DSTACK_OK;
	if (n <= 0) {
		*gone = true;
		return DSTACK_OK;
	}
	buf[n] = '\0';
	switch (buf[0]) {
	case PACKET_READY:
		w->child[r].ready = true;
		return DSTACK_OK;
	case PACKET_PHASE:
		/*
		 * An allowlist: what the host may learn is fixed, whatever a
		 * role says.
		 */
		if (watch_phase_known(buf + 1))
			watch_phase(buf + 1);
		if (r == ROLE_REPLICATOOR && strcmp(buf + 1, "onboarded") == 0)
			w->joined = true;
		return DSTACK_OK;
	case PACKET_TIME:
		if (r == ROLE_KUBERNETHES && n == 9) {
			set_clock(w, (const uint8_t *)buf + 1);
			return DSTACK_OK;
		}
		(void)why_set(why, DSTACK_E_FORMAT,
		    "%s sent a time, which is not its matter", role_name(r));
		break;
	case PACKET_HOLDS:
	case PACKET_WIPED:
		if (r == ROLE_KEYD) {
			w->holds = buf[0] == PACKET_HOLDS;
			return DSTACK_OK;
		}
		(void)why_set(why, DSTACK_E_FORMAT,
		    "%s speaks of a secret, which is keyd's", role_name(r));
		break;
	case PACKET_GIVE_UP:
		(void)why_set(why, DSTACK_E_REJECTED, "%s gave up: %s",
		    role_name(r), buf + 1);
		break;
	default:
		(void)why_set(why, DSTACK_E_FORMAT,
		    "%s sent an unknown packet", role_name(r));
		break;
	}
	return watch_failed(w, r, why) ? DSTACK_OK : DSTACK_E_REJECTED;
}

static void
close_child(struct watch *w, enum role r)
{
	struct child *c = &w->child[r];

	if (c->log >= 0) {
		read_rest(c);
		if (c->len > 0)
			put_line(c);
		(void)close(c->log);
		c->log = -1;
	}
	if (w->plan->edge[ROLE_INIT][r] >= 0)
		(void)close(w->plan->edge[ROLE_INIT][r]);
	w->plan->edge[ROLE_INIT][r] = -1;
	c->pid = 0;
}

/* All packets that a role has sent so far. */
static enum dstack_status
read_last(struct watch *w, enum role r, struct why *why)
{
	enum dstack_status st = DSTACK_OK;
	bool gone = w->plan->edge[ROLE_INIT][r] < 0;

	while (!gone && st == DSTACK_OK) {
		struct pollfd p = { .fd = w->plan->edge[ROLE_INIT][r],
			.events = POLLIN };
		if (poll(&p, 1, 0) <= 0)
			break;
		st = read_edge(w, r, &gone, why);
	}
	return st;
}

/* A role has ended: may it? Its last words come first. */
static enum dstack_status
ended(struct watch *w, enum role r, int status, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	/* whether there is something to lose keyd may have said just now */
	if (r != ROLE_KEYD)
		st = read_last(w, ROLE_KEYD, why);
	if (st == DSTACK_OK)
		st = read_last(w, r, why);
	close_child(w, r);
	if (st != DSTACK_OK)
		return st;
	if (w->ending && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return DSTACK_OK;
	if ((r == ROLE_REPLICATOOR || r == ROLE_VOLUME) &&
	    WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		w->child[r].ready = true;
		return DSTACK_OK;
	}
	if (w->ending)
		return DSTACK_OK;
	if (WIFSIGNALED(status))
		(void)why_set(why, DSTACK_E_SYS, "%s was killed by signal %d",
		    role_name(r), WTERMSIG(status));
	else
		(void)why_set(why, DSTACK_E_SYS, "%s ended with status %d",
		    role_name(r), WEXITSTATUS(status));
	return watch_failed(w, r, why) ? DSTACK_OK : DSTACK_E_SYS;
}

static enum dstack_status
reap(struct watch *w, struct why *why)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		enum dstack_status st = DSTACK_OK;
		for (int r = 1; r < ROLE_COUNT && st == DSTACK_OK; r++)
			if (w->child[r].pid == pid)
				st = ended(w, (enum role)r, status, why);
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

enum dstack_status
watch_ready(struct watch *w, enum role r, int wait_ms, struct why *why)
{
	bool gone = false;
	enum dstack_status st = DSTACK_OK;

	while (st == DSTACK_OK && !gone && !w->child[r].ready) {
		struct pollfd p = { .fd = w->plan->edge[ROLE_INIT][r],
			.events = POLLIN };
		int n = poll(&p, 1, wait_ms);
		if (n == 0)
			return why_set(why, DSTACK_E_MISSING,
			    "%s is not ready after %d s", role_name(r),
			    wait_ms / 1000);
		if (n > 0)
			st = read_edge(w, r, &gone, why);
	}
	if (w->child[r].log >= 0)
		(void)read_log(&w->child[r]);
	if (gone)
		return why_set(why, DSTACK_E_SYS, "%s ended at its start",
		    role_name(r));
	return st;
}

void
watch_port(struct watch *w)
{
	char byte;

	if (w->stop >= 0 && read(w->stop, &byte, 1) == 1)
		w->asked = true;
}

enum dstack_status
watch_turn(struct watch *w, int sigfd, int wait_ms, struct why *why)
{
	struct pollfd p[2 * ROLE_COUNT + 1];
	struct signalfd_siginfo s;

	for (int r = 0; r < ROLE_COUNT; r++) {
		p[2 * r].fd = r == 0 ? -1 : w->child[r].log;
		p[2 * r + 1].fd =
		    r == 0 ? -1 : w->plan->edge[ROLE_INIT][r];
		p[2 * r].events = p[2 * r + 1].events = POLLIN;
		p[2 * r].revents = p[2 * r + 1].revents = 0;
	}
	p[2 * ROLE_COUNT] = (struct pollfd){ .fd = sigfd, .events = POLLIN };
	if (poll(p, 2 * ROLE_COUNT + 1, wait_ms) < 0 && errno != EINTR)
		return why_set(
		    why, DSTACK_E_SYS, "poll: %s", strerror(errno));
	for (int r = 1; r < ROLE_COUNT; r++) {
		struct child *c = &w->child[r];
		bool gone = false;
		enum dstack_status st = DSTACK_OK;
		if (p[2 * r].revents != 0 && !read_log(c)) {
			(void)close(c->log);
			c->log = -1;
		}
		if (p[2 * r + 1].revents != 0)
			st = read_edge(w, (enum role)r, &gone, why);
		if (st != DSTACK_OK)
			return st;
		if (gone) { /* the exit status comes with SIGCHLD */
			(void)close(w->plan->edge[ROLE_INIT][r]);
			w->plan->edge[ROLE_INIT][r] = -1;
		}
	}
	if (p[2 * ROLE_COUNT].revents == 0)
		return DSTACK_OK;
	/* signals of one kind are told once: look at all that they stand for */
	while (read(sigfd, &s, sizeof(s)) == (ssize_t)sizeof(s))
		w->asked = w->asked || s.ssi_signo == SIGTERM;
	watch_port(w);
	return reap(w, why);
}

bool
watch_end(struct watch *w, int sigfd, enum role r, int wait_ms)
{
	struct child *c = &w->child[r];
	int64_t end = watch_now() + wait_ms;
	struct why why = { "" };

	if (c->pid <= 0)
		return true;
	(void)kill(c->pid, SIGTERM);
	for (;;) {
		int64_t left = end - watch_now();
		/* whatever happens to the others now, the end goes on */
		if (watch_turn(w, sigfd, left > 0 ? (int)left : 0, &why) !=
			DSTACK_OK ||
		    reap(w, &why) != DSTACK_OK)
			log_line("%s", why.text);
		if (c->pid <= 0)
			return true;
		if (watch_now() >= end)
			break;
	}
	(void)kill(c->pid, SIGKILL);
	return false;
}
