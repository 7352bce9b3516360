/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node of the network: host service, onboarder, the simulated TEE if it is
 * one, and the guest; until the guest ends or a signal comes.
 *
 * Start: paths, the lock on STATE_DIR, then everything that can be known to be
 * wrong (node_check), so that a mistake is one line before anything runs. Then
 * the parts in the order in which they need each other, the guest last but the
 * onboarder.
 *
 * Running: ten times a second the console file is read on. Lines "dstack:
 * phase" move the status on, other lines of roles say what the guest waits for.
 * A VM that stands still (its disk is full) is watched by QEMU's events.
 * Whatever ends first, guest or TEE, ends the node with the guest's last words
 * as the reason.
 *
 * Stop: the first signal asks the guest, which ends its app and closes its
 * volume while the host's services go on; a second one, or VM_STOP_MS, cuts it
 * off.
 */
#include "host/node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "host/node/node_priv.h"
#include "host/node/others.h"
#include "host/join/onboarder.h"
#include "host/base/proc.h"
#include "host/service/service.h"
#include "host/vm/watch.h"

#define TICK_MS 100
#define RETRY_TICKS 10u
#define TEE_WAIT_MS 10000u
#define STOP_MS 3000 /* for what has nothing to lose */
#define SIGNALS 3

struct node {
	const struct node_options *o;
	struct node_paths p;
	struct event_base *base;
	struct rpc *rpc;
	struct router *router;
	struct service *service;
	struct onboarder *onboarder;
	struct event *tick;
	struct event *sig[SIGNALS];
	pid_t tee;
	pid_t guest; /* no_vm */
	struct vm vm;
	struct vm_watch watch;
	int lock;     /* on STATE_DIR, while this node has it */
	int console;  /* what the guest says, read from its start */
	char line[512];
	size_t len;
	char last[512]; /* last whole line, or why the guest powers off */
	bool parting;   /* the latter: what the kernel says after is no news */
	struct node_status status;
	uint64_t ending; /* when the guest is cut off at the latest; 0: runs */
	unsigned ticks; /* while it is unwritten */
	bool unwritten; /* status is newer than its file, and that was said */
	enum dstack_status st; /* why the loop ended */
	struct why *why;
};

/* A full disk is no reason to end a node that runs. */
static void
write_status(struct node *n)
{
	struct why why = { "" };

	if (node_status_write(n->o->cfg->state, &n->status, &why) == DSTACK_OK)
		n->unwritten = false;
	else if (!n->unwritten)
		log_line("%s", why.text);
	n->unwritten = n->unwritten || why.text[0] != '\0';
}

/* Is the console's line a role's, as "replicatoor: …"? */
static bool
of_role(const char *line)
{
	static const char *const roles[] = { "init", "keyd", "replicatoor",
		"verifier", "volume", "kubernethes", "unstoppable-tls",
		"guest-service", "hostlink", "tee" };
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		size_t k = strlen(roles[i]);
		if (strncmp(line, roles[i], k) == 0 && line[k] == ':')
			return true;
	}
	return false;
}

/*
 * What a node says before it serves is what it waits for: on the first
 * screen, and in its status until the next phase.
 */
static void
role_said(struct node *n)
{
	static const char serving[] = "serving";
	bool joined = n->status.at_ms[NODE_ONBOARDED] != 0;
	if (strcmp(n->status.phase, serving) == 0 || !of_role(n->line) ||
	    strcmp(n->status.said, n->line) == 0)
		return;
	/* what this host answered it was said here before */
	if (strstr(n->line, ": host /") == NULL)
		log_line("guest: %s", n->line);
	/* until it has joined, the others wait for the one that joins */
	if (!joined && (strncmp(n->line, "kubernethes:", 12) == 0 ||
	                   strncmp(n->line, "volume:", 7) == 0))
		return;
	(void)snprintf(
	    n->status.said, sizeof(n->status.said), "%.255s", n->line);
	write_status(n);
}

static void
on_line(struct node *n)
{
	static const char mark[] = "dstack: phase ";
	const char *at = strstr(n->line, mark);

	if (n->len > 0 && !n->parting)
		memcpy(n->last, n->line, n->len + 1);
	if (strncmp(n->line, "init: ", 6) == 0 &&
	    strstr(n->line, "; powering off") != NULL)
		n->parting = true;
	if (at == NULL) {
		if (!n->parting)
			role_said(n);
		return;
	}
	at += sizeof(mark) - 1;
	/*
	 * A phase counts once: what the console says again later (an app's
	 * words, if log-app is on) moves nothing.
	 */
	for (size_t i = 0; i < NODE_PHASES; i++) {
		size_t k = strlen(node_phases[i]);
		if (strncmp(at, node_phases[i], k) != 0 ||
		    (at[k] != ' ' && at[k] != '\0') ||
		    n->status.at_ms[i] != 0)
			continue;
		n->status.at_ms[i] = proc_now_ms();
		n->status.said[0] = '\0';
		(void)snprintf(n->status.phase, sizeof(n->status.phase), "%s",
		    node_phases[i]);
		log_line("phase %s", node_phases[i]);
		write_status(n);
	}
}

static void
read_console(struct node *n)
{
	char buf[4096];
	ssize_t got;

	if (n->console < 0)
		n->console = open(n->p.console, O_RDONLY | O_CLOEXEC);
	if (n->console < 0)
		return;
	while ((got = read(n->console, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			char c = buf[i];
			if (c == '\r')
				continue;
			/*
			 * The console is the guest's to fill: a line that is
			 * too long is taken in pieces.
			 */
			if (c == '\n' || n->len == sizeof(n->line) - 1) {
				n->line[n->len] = '\0';
				on_line(n);
				n->len = 0;
			}
			if (c != '\n')
				n->line[n->len++] = c;
		}
	}
}

static void
fail(struct node *n, const char *what, int status)
{
	struct why fate = { "" };

	/* Its last words may have come since the last tick. */
	read_console(n);
	proc_fate(status, &fate);
	if (n->last[0] != '\0')
		n->st = why_set(n->why, DSTACK_E_REJECTED,
		    "%s ended; its last line: %.160s", what, n->last);
	else
		n->st = why_set(n->why, DSTACK_E_REJECTED,
		    "%s ended without a word: %s", what, fate.text);
	(void)event_base_loopbreak(n->base);
}

/* All of the node's own work, ten times a second; each step is short. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	int status = 0;

	(void)fd;
	(void)what;
	read_console(n);
	if (n->unwritten && ++n->ticks % RETRY_TICKS == 0)
		write_status(n);
	if (!n->o->no_vm &&
	    vm_watch_step(&n->watch, n->p.disk, proc_now_ms())) {
		log_line("%s", n->watch.text[0] != '\0' ? n->watch.text
						       : "the VM goes on");
		memcpy(n->status.trouble, n->watch.text,
		    sizeof(n->status.trouble));
		write_status(n);
	}
	bool over = n->o->no_vm ? proc_ended(&n->guest, &status)
				: vm_ended(&n->vm, &status);
	/*
	 * Asked to stop: its end is what was wanted, and so is no reason to
	 * report.
	 */
	if (n->ending != 0 && (over || proc_now_ms() > n->ending)) {
		if (!over)
			log_line("the guest does not stop in %d s: it is cut "
				 "off", VM_STOP_MS / 1000);
		(void)event_base_loopbreak(n->base);
	} else if (over) {
		fail(n, n->o->no_vm ? "the guest" : "the VM", status);
	} else if (proc_ended(&n->tee, &status)) {
		fail(n, "the simulated TEE", status);
	}
}

static bool
ask_stop(const struct node *n)
{
	if (n->o->no_vm)
		return n->guest > 0 && kill(n->guest, SIGTERM) == 0;
	return vm_ask_stop(&n->vm);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;

	(void)what;
	/*
	 * A terminal that goes away says so more than once (its kernel and
	 * tmux both do), and nobody there has lost patience.
	 */
	if (n->ending != 0 && fd == SIGHUP)
		return;
	/*
	 * The host's part goes on meanwhile: the guest still reads the chain
	 * and gives the app's last files. One that has not booted has no app.
	 */
	if (n->ending == 0 && n->status.at_ms[0] != 0 && ask_stop(n)) {
		n->ending = proc_now_ms() + VM_STOP_MS;
		if (n->status.at_ms[NODE_ONBOARDED] != 0)
			others_say(n->router);
		log_line("stopping: the app has its time to end, then the "
			 "volume is closed; a second signal ends it at once");
		if (n->watch.text[0] != '\0')
			log_line("stopping: the guest cannot end before it "
				 "goes on, and is cut off after %d s: %s",
			    VM_STOP_MS / 1000, n->watch.text);
		return;
	}
	(void)event_base_loopbreak(n->base);
}

static enum dstack_status
start_tee(struct node *n, struct why *why)
{
	struct teed_options t;
	struct stat sb;
	char self[512];
	char log[CONFIG_TEXT + 16];
	char vcpus[12];
	char memory[12];
	char *argv[24];
	size_t i = 0;

	node_teed_options(n->o, &n->p, &t);
	(void)snprintf(vcpus, sizeof(vcpus), "%u", t.vcpus);
	(void)snprintf(memory, sizeof(memory), "%u", t.memory_mib);
	/* The TEE is a verb of this very program. */
	ssize_t k = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[k > 0 ? k : 0] = '\0';
#define ARG(s) argv[i++] = (char *)(uintptr_t)(s)
	ARG(self);
	ARG("sim");
	ARG("tee");
	ARG("--kernel");
	ARG(t.kernel);
	if (t.initrd[0] != '\0') {
		ARG("--initrd");
		ARG(t.initrd);
	}
	ARG("--cmdline-file");
	ARG(t.cmdline_file);
	ARG("--netcfg");
	ARG(t.netcfg);
	ARG("--vcpus");
	ARG(vcpus);
	ARG("--memory");
	ARG(memory);
	ARG("--platform-id");
	ARG(t.platform);
	ARG("--listen");
	ARG(t.listen);
#undef ARG
	argv[i] = NULL;
	(void)unlink(t.listen);
	(void)snprintf(log, sizeof(log), "%s/tee.log", n->o->cfg->state);
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	enum dstack_status st = proc_start(argv, fd, false, &n->tee, why);
	if (st != DSTACK_OK)
		return st;
	uint64_t end = proc_now_ms() + TEE_WAIT_MS;
	while (stat(t.listen, &sb) != 0) {
		int status = 0;
		if (proc_ended(&n->tee, &status) || proc_now_ms() > end)
			return why_set(why, DSTACK_E_SYS,
			    "the simulated TEE does not start; see %s", log);
		proc_pause_ms(10);
	}
	return DSTACK_OK;
}

static enum dstack_status
start_no_vm(struct node *n, struct why *why)
{
	const struct host_config *c = n->o->cfg;
	char control[32];
	char https[96];
	char *argv[] = { n->p.kernel, (char *)(uintptr_t)"init",
		(char *)(uintptr_t)"--no-vm", (char *)(uintptr_t)"--link",
		n->p.link, (char *)(uintptr_t)"--tee", n->p.tee,
		(char *)(uintptr_t)"--control", control,
		(char *)(uintptr_t)"--https", https,
		(char *)(uintptr_t)"--volume", n->p.volume, NULL };

	(void)snprintf(
	    control, sizeof(control), "127.0.0.1:%u", c->control_port);
	(void)snprintf(
	    https, sizeof(https), "%s:%u", c->https.host, c->https.port);
	AUTO_CLOSE int log = open(n->p.console,
	    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", n->p.console,
		    strerror(errno));
	return proc_start(argv, log, false, &n->guest, why);
}

static enum dstack_status
start_vm(struct node *n, struct why *why)
{
	const struct host_config *c = n->o->cfg;
	struct vm_config v = { .image_dir = n->p.image,
		.run_dir = c->state,
		.link_socket = n->p.link,
		.tee_socket = c->sim ? n->p.tee : NULL,
		.disk = n->p.disk,
		.netcfg = n->p.netcfg,
		.firmware = c->firmware,
		.quote_socket = c->quote_service,
		.control_port = c->control_port,
		.https_host = c->https.host,
		.https_port = c->https.port,
		.memory_mib = c->memory_mb,
		.vcpus = c->cpus,
		.egress = c->egress,
		.accel = c->sim ? VM_ACCEL_AUTO : VM_ACCEL_TDX };

	/* Or the last run's phases would be read as this one's. */
	(void)unlink(n->p.console);
	enum dstack_status st = vm_start(&v, false, &n->vm, why);
	if (st == DSTACK_OK)
		vm_watch_begin(&n->watch, vm_events(&n->vm));
	return st;
}

static enum dstack_status
start_loop(struct node *n, struct why *why)
{
	const struct timeval tick = { .tv_usec = TICK_MS * 1000 };
	static const int sigs[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

	n->tick = event_new(n->base, -1, EV_PERSIST, on_tick, n);
	bool ok = n->tick != NULL && event_add(n->tick, &tick) == 0;
	for (size_t i = 0; i < SIGNALS; i++) {
		n->sig[i] = evsignal_new(n->base, sigs[i], on_signal, n);
		ok = ok && n->sig[i] != NULL &&
		    evsignal_add(n->sig[i], NULL) == 0;
	}
	return ok ? DSTACK_OK : why_set(why, DSTACK_E_NOMEM, "no event");
}

/*
 * Where the node can be reached, for status and demo; 0.0.0.0 is no address to
 * go to.
 */
static void
fill_status(struct node *n)
{
	const struct host_config *c = n->o->cfg;
	struct node_status *s = &n->status;
	const char *host =
	    strcmp(c->https.host, "0.0.0.0") == 0 ? "127.0.0.1"
						  : c->https.host;

	s->pid = (int)getpid();
	(void)snprintf(s->https, sizeof(s->https), "https://%s:%u", host,
	    c->https.port);
	(void)snprintf(s->control, sizeof(s->control), "http://127.0.0.1:%u",
	    c->control_port);
	(void)snprintf(s->service, sizeof(s->service), "http://%s:%u",
	    c->host_service.host, c->host_service.port);
	(void)snprintf(s->guest, sizeof(s->guest), "%s",
	    n->o->no_vm ? "no-vm" : vm_accel_name(n->vm.accel));
}

/* Two nodes in one folder would take each other's sockets and status. */
static enum dstack_status
lock_state(struct node *n, struct why *why)
{
	char path[CONFIG_TEXT + 16];

	(void)snprintf(path, sizeof(path), "%s/lock", n->o->cfg->state);
	AUTO_CLOSE int fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	/*
	 * A lock of the kernel's, which a node that was killed does not leave
	 * behind.
	 */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return why_set(why, DSTACK_E_BUSY,
		    "a node runs in %s already; stop it or set another "
		    "STATE_DIR", n->o->cfg->state);
	n->lock = take_fd(&fd);
	return DSTACK_OK;
}

static enum dstack_status
start(struct node *n, struct why *why)
{
	const struct host_config *c = n->o->cfg;
	enum dstack_status st = node_paths(n->o, &n->p, why);

	if (st == DSTACK_OK)
		st = lock_state(n, why);
	if (st == DSTACK_OK)
		st = node_check(
		    n->o, &n->p, n->rpc, n->status.relocked, why);
	if (st == DSTACK_OK && n->status.relocked[0] != '\0')
		log_line("the image is relocked: of packages of %.8s, not of "
			 "the tree's lock file; its measurements are others",
		    n->status.relocked);
	if (st == DSTACK_OK)
		st = node_status_write(c->state, &n->status, why);
	if (st == DSTACK_OK)
		st = router_new(c, n->rpc, n->o->auditing, &n->router, why);
	if (st == DSTACK_OK)
		st = service_new(n->base, n->router, n->p.link,
		    &c->host_service, &n->service, why);
	if (st == DSTACK_OK && c->sim)
		st = start_tee(n, why);
	if (st == DSTACK_OK)
		st = start_loop(n, why);
	if (st == DSTACK_OK)
		st = n->o->no_vm ? start_no_vm(n, why) : start_vm(n, why);
	if (st == DSTACK_OK) {
		struct onboarder_options opt;
		router_onboarder(n->router, &opt);
		st = onboarder_new(c, n->rpc, &opt, &n->onboarder, why);
	}
	return st;
}

/*
 * Guest before services, since it asks them until it ends; onboarder before
 * router, which it calls.
 */
static void
stop(struct node *n)
{
	router_stop(n->router);
	/* for a guest that was asked before it is the second time: at once */
	proc_stop(&n->guest, STOP_MS);
	vm_stop(&n->vm, STOP_MS);
	vm_watch_end(&n->watch);
	proc_stop(&n->tee, STOP_MS);
	service_free(n->service);
	onboarder_free(n->onboarder);
	router_free(n->router);
	for (size_t i = 0; i < SIGNALS; i++)
		if (n->sig[i] != NULL)
			event_free(n->sig[i]);
	if (n->tick != NULL)
		event_free(n->tick);
	if (n->base != NULL)
		event_base_free(n->base);
	rpc_free(n->rpc);
	if (n->console >= 0)
		(void)close(n->console);
	if (n->lock >= 0) {
		(void)unlink(n->p.tee);
		(void)close(n->lock);
	}
}

enum dstack_status
node_run(const struct node_options *o, struct why *why)
{
	struct node n;

	memset(&n, 0, sizeof(n));
	n.o = o;
	n.lock = n.console = -1;
	n.status.pid = (int)getpid();
	n.vm.pidfd = n.watch.fd = -1;
	n.why = why;
	n.base = event_base_new();
	n.rpc = rpc_new(o->cfg->rpc_url);
	/*
	 * Before any part of the node has the endpoint: fees and gas are
	 * bounded for all of them.
	 */
	if (n.rpc != NULL)
		rpc_limit(n.rpc, &(struct rpc_limits){
		    .max_fee = o->cfg->max_fee_gwei * UINT64_C(1000000000),
		    .max_gas = o->cfg->max_gas });
	enum dstack_status st = n.base == NULL || n.rpc == NULL
	    ? why_set(why, DSTACK_E_NOMEM, "no memory")
	    : start(&n, why);
	fill_status(&n);
	if (st == DSTACK_OK) {
		write_status(&n);
		(void)event_base_dispatch(n.base);
		st = n.st;
	}
	if (st != DSTACK_OK)
		(void)snprintf(n.status.failed, sizeof(n.status.failed), "%s",
		    why->text);
	/* what ended it is said by the caller: one line is enough */
	n.unwritten = true;
	if (n.lock >= 0)
		write_status(&n);
	stop(&n);
	return st;
}
