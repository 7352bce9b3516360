/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated TEE of one VM: a process of the host that measures what the
 * launcher is about to start, then answers on a socket that QEMU gives the
 * guest as its TEE port.
 *
 * First the files are read and measured, once, at start: what changes on disk
 * later is not what runs. Then the socket appears under its final name only
 * when it listens, so that whoever waits for the name can connect. A guest may
 * ask for a quote over 64 bytes, extend RTMR3, or read the registers; all other
 * registers are fixed from outside (--set is for tests). Clients are few and
 * slow ones are dropped: a frame that is not one ends its connection and
 * nothing else. It ends by signal.
 */
#include "sim/teed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "crypto/hash.h"
#include "protocol/teeport.h"

#define TEXT_MAX 4096u
#define MAX_CLIENTS 8
#define SEND_MS 10000

/* The whole of a small file; text gets cap bytes at most. */
static enum dstack_status
read_text(const char *path, char *text, size_t cap, size_t *len,
    struct why *why)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n = 0;
	ssize_t k = fd < 0 ? -1 : 1;
	while (k != 0 && fd >= 0 && n < cap) {
		k = read(fd, text + n, cap - n);
		if (k < 0 && errno != EINTR)
			break;
		n += k > 0 ? (size_t)k : 0;
	}
	if (k < 0)
		return why_set(why,
		    errno == ENOENT ? DSTACK_E_MISSING : DSTACK_E_SYS,
		    "%s: %s", path, strerror(errno));
	/*
	 * The buffer is one larger than what is allowed: full means too long.
	 */
	if (n == cap)
		return why_set(why, DSTACK_E_LIMIT, "%s: longer than %zu bytes",
		    path, cap - 1);
	*len = n;
	return DSTACK_OK;
}

enum dstack_status
teed_measure(const struct teed_options *o, struct sim_measurements *out,
    struct why *why)
{
	char cmdline[TEXT_MAX + 1];
	char netcfg[TEXT_MAX + 1];
	size_t n = 0;
	struct sim_boot b = { .vcpus = o->vcpus, .memory_mib = o->memory_mib,
		.cmdline = cmdline, .netcfg = netcfg };
	enum dstack_status st = sim_hash_file(o->kernel, b.kernel, why);
	if (st != DSTACK_OK)
		return st;
	if (o->initrd == NULL || o->initrd[0] == '\0')
		sha384("", 0, b.initramfs);
	else
		st = sim_hash_file(o->initrd, b.initramfs, why);
	if (st == DSTACK_OK)
		st = read_text(o->cmdline_file, cmdline, sizeof(cmdline), &n,
		    why);
	if (st != DSTACK_OK)
		return st;
	/* The file ends in a newline that the kernel never gets. */
	if (n > 0 && cmdline[n - 1] == '\n')
		n--;
	cmdline[n] = '\0';
	/*
	 * The kernel would stop reading there, and we would measure more than
	 * runs.
	 */
	if (strlen(cmdline) != n)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: a NUL in the command line", o->cmdline_file);
	st = read_text(o->netcfg, netcfg, sizeof(netcfg), &b.netcfglen, why);
	if (st == DSTACK_OK)
		sim_measure(&b, out);
	return st;
}

void
teed_init(struct teed *t, const char *platform,
    const struct sim_measurements *m)
{
	/* the time goes into collateral only, which this does not make */
	sim_world_init(&t->world, platform, SIM_CA_PLATFORM, 0);
	struct sim_td_report *td = &t->world.quote.td;
	memcpy(td->mrtd, m->mrtd, 48);
	memcpy(td->rtmr, m->rtmr, sizeof(td->rtmr));
	memcpy(td->mrconfigid, m->mrconfigid, 48);
	memcpy(td->tdattributes, m->td_attributes, 8);
	memcpy(td->xfam, m->xfam, 8);
}

enum dstack_status
teed_set(struct teed *t, const char *text, struct why *why)
{
	struct sim_td_report *td = &t->world.quote.td;
	const struct {
		const char *name;
		uint8_t *p;
		size_t n;
	/*
	 * Not RTMR3: it is the guest's to extend, and a test that set it would
	 * test nothing.
	 */
	} fields[] = {
		{ "tee-tcb-svn", td->tee_tcb_svn, 16 },
		{ "mrseam", td->mrseam, 48 },
		{ "mrsignerseam", td->mrsignerseam, 48 },
		{ "seam-attributes", td->seamattributes, 8 },
		{ "td-attributes", td->tdattributes, 8 },
		{ "xfam", td->xfam, 8 },
		{ "mrtd", td->mrtd, 48 },
		{ "mrconfigid", td->mrconfigid, 48 },
		{ "mrowner", td->mrowner, 48 },
		{ "mrownerconfig", td->mrownerconfig, 48 },
		{ "rtmr0", td->rtmr[0], 48 },
		{ "rtmr1", td->rtmr[1], 48 },
		{ "rtmr2", td->rtmr[2], 48 },
	};
	const char *eq = strchr(text, '=');
	size_t n = eq != NULL ? (size_t)(eq - text) : 0;
	for (size_t i = 0; n != 0 && i < sizeof(fields) / sizeof(fields[0]);
	     i++)
		if (strlen(fields[i].name) == n &&
		    memcmp(fields[i].name, text, n) == 0 &&
		    hex_decode(eq + 1, strlen(eq + 1), fields[i].p,
			fields[i].n) == DSTACK_OK)
			return DSTACK_OK;
	return why_set(why, DSTACK_E_FORMAT,
	    "'%s': no such field of a quote, or not its length in hex", text);
}

static void
answer_no(struct wr *out, const char *text)
{
	teeport_put_answer(out, TEEPORT_NO, text, strlen(text));
}

static void
answer_quote(struct teed *t, const uint8_t *report_data, struct wr *out)
{
	AUTO_WR struct wr q = wr_new(TEEPORT_MAX_ANSWER - 1);
	memcpy(t->world.quote.td.reportdata, report_data, 64);
	if (sim_world_quote(&t->world, &q) != DSTACK_OK)
		answer_no(out, "the quote could not be made");
	else
		teeport_put_answer(out, TEEPORT_YES, q.buf, q.len);
}

static void
answer_report(const struct sim_td_report *td, struct wr *out)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_put(&w, td->mrtd, 48);
	for (int i = 0; i < 4; i++)
		wr_put(&w, td->rtmr[i], 48);
	wr_put(&w, td->mrconfigid, 48);
	teeport_put_answer(out, TEEPORT_YES, w.buf, w.len);
}

enum dstack_status
teed_answer(struct teed *t, const void *rest, size_t len, struct wr *out)
{
	struct teeport_request q = { .data = NULL };
	struct sim_td_report *td = &t->world.quote.td;
	enum dstack_status st = teeport_decode(rest, len, &q);
	if (st == DSTACK_E_REJECTED) {
		answer_no(out, "only RTMR3 is for the guest to extend");
		return wr_status(out);
	}
	if (st != DSTACK_OK) {
		answer_no(out, "no such request");
		return wr_status(out);
	}
	switch (q.op) {
	case TEEPORT_QUOTE:
		answer_quote(t, q.data, out);
		break;
	case TEEPORT_EXTEND:
		sim_extend(td->rtmr[3], q.data);
		teeport_put_answer(out, TEEPORT_YES, td->rtmr[3], 48);
		break;
	case TEEPORT_REPORT:
		answer_report(td, out);
		break;
	}
	return wr_status(out);
}

struct client {
	int fd; /* owned; -1: free slot */
	size_t have;
	uint8_t buf[TEEPORT_HEAD + TEEPORT_MAX_REQUEST];
};

static void
client_drop(struct client *c)
{
	(void)close(c->fd);
	c->fd = -1;
	c->have = 0;
}

static bool
send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k < 0 && errno == EAGAIN) {
			struct pollfd w = { .fd = fd, .events = POLLOUT };
			/*
			 * A guest that does not read holds up the others for
			 * this long at most.
			 */
			if (poll(&w, 1, SEND_MS) == 0)
				return false;
		} else if (k < 0 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* Answer every whole frame in the buffer. False: the peer talks nonsense. */
static bool
client_frames(struct client *c, struct teed *t)
{
	size_t n;
	while (c->have >= TEEPORT_HEAD) {
		if (teeport_rest(c->buf, TEEPORT_MAX_REQUEST, &n) != DSTACK_OK)
			return false;
		if (c->have < TEEPORT_HEAD + n)
			return true;
		AUTO_WR struct wr out = wr_new(0);
		if (teed_answer(t, c->buf + TEEPORT_HEAD, n, &out) !=
			DSTACK_OK || !send_all(c->fd, out.buf, out.len))
			return false;
		c->have -= TEEPORT_HEAD + n;
		memmove(c->buf, c->buf + TEEPORT_HEAD + n, c->have);
	}
	return true;
}

static void
client_read(struct client *c, struct teed *t)
{
	ssize_t k = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have, 0);
	if (k < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (k <= 0) {
		client_drop(c);
		return;
	}
	/*
	 * A read may bring half a frame or several: whole ones are answered,
	 * the rest waits.
	 */
	c->have += (size_t)k;
	if (!client_frames(c, t)) {
		log_line("TEE port: broken frame; connection closed");
		client_drop(c);
	}
}

/* QEMU connects once; a few more are tests and people looking. */
static void
client_accept(int listener, struct client *clients)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (clients[i].fd < 0) {
			clients[i].fd = fd;
			return;
		}
	}
	log_line("TEE port: more than %d connections", MAX_CLIENTS);
	(void)close(fd);
}

static enum dstack_status
listen_on(const char *path, int *out, struct why *why)
{
	static const char new[] = ".new";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	if (n + sizeof(new) > sizeof(a.sun_path))
		return why_set(why, DSTACK_E_LIMIT,
		    "%s: too long for a socket's name", path);
	memcpy(a.sun_path, path, n);
	memcpy(a.sun_path + n, new, sizeof(new));
	(void)unlink(a.sun_path); /* left by one that was killed */
	AUTO_CLOSE int fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The socket is the launcher's user's alone from its first moment. */
	mode_t old = umask(0177);
	int rc = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&a, sizeof(a));
	(void)umask(old);
	/* a socket that is there is one that listens */
	if (rc != 0 || listen(fd, MAX_CLIENTS) != 0 ||
	    rename(a.sun_path, path) != 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", path,
		    strerror(errno));
	*out = take_fd(&fd);
	return DSTACK_OK;
}

static enum dstack_status
serve(struct teed *t, int listener, int sigfd, struct why *why)
{
	struct client clients[MAX_CLIENTS];
	struct pollfd p[2 + MAX_CLIENTS];
	memset(clients, 0, sizeof(clients));
	for (int i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	for (;;) {
		p[0] = (struct pollfd){ .fd = sigfd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (int i = 0; i < MAX_CLIENTS; i++)
			p[2 + i] = (struct pollfd){ .fd = clients[i].fd,
				.events = POLLIN };
		if (poll(p, 2 + MAX_CLIENTS, -1) < 0 && errno != EINTR)
			return why_set(why, DSTACK_E_SYS, "poll: %s",
			    strerror(errno));
		if (p[0].revents != 0)
			break;
		for (int i = 0; i < MAX_CLIENTS; i++)
			if (clients[i].fd >= 0 && p[2 + i].revents != 0)
				client_read(&clients[i], t);
		if (p[1].revents != 0)
			client_accept(listener, clients);
	}
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0)
			client_drop(&clients[i]);
	return DSTACK_OK;
}

enum dstack_status
teed_run(const struct teed_options *o, struct why *why)
{
	struct sim_measurements m;
	struct teed t;
	sigset_t stop;
	enum dstack_status st = teed_measure(o, &m, why);
	if (st != DSTACK_OK)
		return st;
	teed_init(&t, o->platform, &m);
	for (size_t i = 0; i < o->nset && st == DSTACK_OK; i++)
		st = teed_set(&t, o->set[i], why);
	if (st != DSTACK_OK)
		return st;
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	/*
	 * Signals come as a descriptor, so that the loop sees them between
	 * frames.
	 */
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	AUTO_CLOSE int sigfd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigfd < 0)
		return why_set(why, DSTACK_E_SYS, "signalfd: %s",
		    strerror(errno));
	AUTO_CLOSE int fd = -1;
	st = listen_on(o->listen, &fd, why);
	if (st != DSTACK_OK)
		return st;
	log_line("simulated TEE (no protection at all) on %s", o->listen);
	st = serve(&t, fd, sigfd, why);
	(void)unlink(o->listen);
	return st;
}
