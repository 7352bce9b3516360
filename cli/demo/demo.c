/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack demo: a whole network on this machine, of real parts: a chain, its
 * contract, the relay, an ACME CA and N nodes with guests.
 *
 * The parts are set up first (setup.c). Node 0 is started alone, for it makes
 * the secret; the others follow when it has. Their status files are looked at
 * ten times a second and each new phase is told, as an event or a line, until
 * all of them serve. A node that ends before that ends the demo with its last
 * words; after it, the network goes on without that node. Whichever way the
 * demo ends, everything it started ends with it.
 */
#include "cli/demo/demo.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/demo/network.h"
#include "cli/usage.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/base/proc.h"
#include "host/volume/disk.h"

#define POLL_MS 100u
#define DEFAULT_TIMEOUT_S 1800u
#define MEMORY_MB 512u
#define MEMORY_LEAST 256u /* tests/vm/memory.sh */
#define VOLUME_MB 140u    /* promise 17: a 140 MB container */

static const struct usage use = { "demo",
	"dstack demo [--nodes N] [--no-vm] [--keep] [--json]\n"
	"           [--spare N] [--memory MB] [--volume MB] [--dir DIR]\n"
	"           [--image DIR] [--app FILE] [--timeout SECONDS]\n"
	"           [--ct onchain|relay] [--view rpc|beacon] [--egress]\n"
	"  --nodes N    1 to 16 (default 2)\n"
	"  --no-vm      guests as processes instead of VMs\n"
	"  --keep       stay up after ready, also without a terminal\n"
	"  --json       events, one JSON object a line\n"
	"  --spare N    folders for N more nodes, for you to start with:\n"
	"               dstack node run --config DIR/nodeI/host.env\n"
	"                 --auditing DIR/auditing\n"
	"  --memory MB  of each VM, 256 to 65536 (default 512)\n"
	"  --volume MB  of each encrypted volume (default 140); a file that takes\n"
	"               as much room as is written\n"
	"  --egress     apps that ask for it may reach the Internet (EGRESS=yes)\n"
	"  --ct WHERE   ciphertexts of onboarding travel in events of the chain\n"
	"               (onchain, the default) or over the relay\n"
	"  --view WHAT  how guests know what is final: by the signatures of a\n"
	"               simulated beacon chain (the default), or on the RPC's word",
	NULL, NULL };

static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended++;
}

static unsigned
t_ms(const struct demo *d, uint64_t at)
{
	return (unsigned)(at > d->start_ms ? at - d->start_ms : 0);
}

/* One JSON object a line, out at once: somebody reads along. */
static void
event(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL)
		printf("%s\n", text);
	(void)fflush(stdout);
	free(text);
	json_decref(o);
}

static void
tell_chain(const struct demo *d)
{
	char addr[43];

	eip55(d->deployed.contract, addr);
	if (d->json)
		event(json_pack("{s:s,s:s,s:s}", "event", "chain", "rpc",
		    d->rpc_url, "contract", addr));
	else
		printf("%6.1f s  chain %s, KeyManager %s\n",
		    t_ms(d, proc_now_ms()) / 1000.0, d->rpc_url, addr);
	(void)fflush(stdout);
}

/* Tell what node i reached since the last look. */
static void
tell_node(struct demo *d, unsigned i, const struct node_status *s)
{
	struct demo_node *n = &d->node[i];

	for (size_t p = 0; p < NODE_PHASES; p++) {
		if (s->at_ms[p] == 0 || n->seen.at_ms[p] != 0)
			continue;
		unsigned ms = t_ms(d, s->at_ms[p]);
		if (!d->json) {
			printf("%6.1f s  node %u: %s\n", ms / 1000.0, i,
			    node_phases[p]);
		} else if (strcmp(node_phases[p], "volume") != 0) {
			json_t *o = json_pack("{s:s,s:i,s:s,s:i}", "event",
			    "node", "index", (int)i, "phase", node_phases[p],
			    "t_ms", (int)ms);
			if (strcmp(node_phases[p], "serving") == 0) {
				(void)json_object_set_new(
				    o, "https", json_string(s->https));
				(void)json_object_set_new(
				    o, "control", json_string(s->control));
			}
			event(o);
		}
	}
	(void)fflush(stdout);
	n->seen = *s;
}

/* A network that was ready goes on with the nodes it has. */
static void
tell_ended(const struct demo *d, unsigned i)
{
	const struct demo_node *n = &d->node[i];
	const char *reason =
	    n->seen.failed[0] != '\0' ? n->seen.failed : "without a word";

	if (d->json)
		event(json_pack("{s:s,s:i,s:s,s:s}", "event", "node", "index",
		    (int)i, "phase", "ended", "reason", reason));
	else
		printf("%6.1f s  node %u ended: %s\n"
		       "          start it again with: dstack node run "
		       "--config %s --auditing %s/auditing\n",
		    t_ms(d, proc_now_ms()) / 1000.0, i, reason, n->env,
		    d->dir);
	(void)fflush(stdout);
}

static bool
reached(const struct demo_node *n, const char *phase)
{
	for (size_t p = 0; p < NODE_PHASES; p++)
		if (strcmp(node_phases[p], phase) == 0)
			return n->seen.at_ms[p] != 0;
	return false;
}

/* Look at every child once. */
static enum dstack_status
look(struct demo *d, struct why *why)
{
	int status = 0;

	if (proc_ended(&d->anvil, &status))
		return why_set(why, DSTACK_E_SYS,
		    "the chain ended; see %s/anvil.log", d->dir);
	if (proc_ended(&d->relay, &status))
		return why_set(why, DSTACK_E_SYS,
		    "the relay ended; see %s/relay.log", d->dir);
	if (proc_ended(&d->beacon, &status))
		return why_set(why, DSTACK_E_SYS,
		    "the beacon node ended; see %s/beacon.log", d->dir);
	for (unsigned i = 0; i < d->count + d->spare; i++) {
		struct demo_node *n = &d->node[i];
		struct node_status s;
		bool over = n->pid > 0 && proc_ended(&n->pid, &status);
		if (node_status_read(n->dir, &s, NULL) == DSTACK_OK) {
			if (s.pid != n->seen.pid) /* it was started again */
				memset(&n->seen, 0, sizeof(n->seen));
			tell_node(d, i, &s);
		}
		if (over && d->ready)
			tell_ended(d, i);
		else if (over)
			return why_set(why, DSTACK_E_SYS,
			    "node %u ended: %.140s (%s/node.log)", i,
			    n->seen.failed[0] != '\0' ? n->seen.failed
						      : "without a word",
			    n->dir);
	}
	return DSTACK_OK;
}

/*
 * The first node bootstraps; the others need its record to join. They start
 * once it has begun to: until the chain has its record it has nothing to do, and
 * a machine of theirs takes longer to start than that.
 */
static enum dstack_status
bring_up(struct demo *d, unsigned timeout_s, struct why *why)
{
	uint64_t end = proc_now_ms() + (uint64_t)timeout_s * 1000;
	bool others = false;
	enum dstack_status st = demo_start_node(d, 0, why);

	while (st == DSTACK_OK && !ended) {
		st = look(d, why);
		if (st == DSTACK_OK && !others &&
		    (reached(&d->node[0], "bootstrap") ||
		        reached(&d->node[0], "serving"))) {
			others = true;
			for (unsigned i = 1; i < d->count && st == DSTACK_OK;
			     i++)
				st = demo_start_node(d, i, why);
		}
		unsigned up = 0;
		for (unsigned i = 0; i < d->count; i++)
			up += reached(&d->node[i], "serving") ? 1 : 0;
		if (up == d->count)
			return st;
		if (st == DSTACK_OK && proc_now_ms() > end)
			return why_set(why, DSTACK_E_MISSING,
			    "%u of %u nodes serve after %u s; the logs are "
			    "in %s/node*",
			    up, d->count, timeout_s, d->dir);
		proc_pause_ms(POLL_MS);
	}
	return st;
}

static void
tell_ready(const struct demo *d)
{
	char digest[65];
	unsigned ms = t_ms(d, proc_now_ms());

	hex_encode(d->app_digest, 32, digest);
	if (d->json) {
		event(json_pack("{s:s,s:s,s:s}", "event", "app", "name",
		    "app-example", "digest", digest));
		event(json_pack(
		    "{s:s,s:i}", "event", "ready", "t_ms", (int)ms));
		return;
	}
	printf("%6.1f s  app-example sha256:%s\n", ms / 1000.0, digest);
	printf("%6.1f s  ready\n\n", ms / 1000.0);
	for (unsigned i = 0; i < d->count; i++)
		printf("  node %u: %s\n    curl --cacert %s --connect-to "
		       "::127.0.0.1:%u https://%s/\n",
		    i, d->node[i].seen.https, d->ca.root_file,
		    d->node[i].cfg.https.port, DEMO_DOMAIN);
	for (unsigned i = d->count; i < d->count + d->spare; i++)
		printf("  node %u: start it with\n    dstack node run --config "
		       "%s --auditing %s/auditing\n",
		    i, d->node[i].env, d->dir);
	printf(d->keep ? "\nCtrl-C ends it all.\n"
	               : "\nThis is no terminal: the network ends now, and "
	                 "--keep would keep it.\n");
	(void)fflush(stdout);
}

/* Until Ctrl-C; nodes may end and are told of. */
static enum dstack_status
stay(struct demo *d, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	while (!ended && st == DSTACK_OK) {
		st = look(d, why);
		proc_pause_ms(POLL_MS);
	}
	return st;
}

static enum dstack_status
run(struct demo *d, unsigned timeout_s, struct why *why)
{
	enum dstack_status st = demo_setup(d, why);

	if (st == DSTACK_OK) {
		tell_chain(d);
		st = network_save(d, why);
	}
	if (st == DSTACK_OK)
		st = demo_certs(d, why);
	if (st == DSTACK_OK && !ended)
		st = bring_up(d, timeout_s, why);
	if (st != DSTACK_OK)
		return st;
	if (ended)
		return why_set(why, DSTACK_E_MISSING, "interrupted");
	tell_ready(d);
	d->ready = true;
	if (d->keep)
		st = stay(d, why);
	return st;
}

static void
options(int argc, char **argv, struct demo *d, unsigned *timeout_s)
{
	static const struct option lopt[] = { { "nodes", 1, NULL, 'n' },
		{ "no-vm", 0, NULL, 'v' }, { "keep", 0, NULL, 'k' },
		{ "json", 0, NULL, 'j' }, { "dir", 1, NULL, 'd' },
		{ "image", 1, NULL, 'i' }, { "app", 1, NULL, 'a' },
		{ "timeout", 1, NULL, 't' }, { "spare", 1, NULL, 's' },
		{ "memory", 1, NULL, 'm' }, { "ct", 1, NULL, 'c' },
		{ "view", 1, NULL, 'w' }, { "egress", 0, NULL, 'e' }, { "volume", 1, NULL, 'o' },
		{ NULL, 0, NULL, 0 } };
	static const char *const cts[] = { "onchain", "relay", NULL };
	static const char *const views[] = { "rpc", "beacon", NULL };
	int c;

	while ((c = usage_next(&use, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'n':
			d->count = (unsigned)usage_number(
			    &use, "--nodes", optarg, 1, DEMO_NODES_MAX);
			break;
		case 'v': d->no_vm = true; break;
		case 'k': d->keep = true; break;
		case 'j': d->json = true; break;
		case 'e': d->egress = true; break;
		case 'd': d->dir = optarg; break;
		case 'i': d->image = optarg; break;
		case 'a': d->app = optarg; break;
		case 's':
			d->spare = (unsigned)usage_number(
			    &use, "--spare", optarg, 1, DEMO_NODES_MAX);
			break;
		case 'm':
			d->memory = (unsigned)usage_number(
			    &use, "--memory", optarg, MEMORY_LEAST, 65536);
			break;
		case 'o':
			d->volume = (unsigned)usage_number(
			    &use, "--volume", optarg, HOST_DISK_LEAST_MB,
			    HOST_DISK_MOST_MB);
			break;
		case 'w':
			d->view_rpc =
			    usage_choice(&use, "--view", optarg, views) == 0;
			break;
		case 'c':
			d->ct_relay =
			    usage_choice(&use, "--ct", optarg, cts) == 1;
			break;
		default:
			*timeout_s = (unsigned)usage_number(
			    &use, "--timeout", optarg, 1, 1000000);
			break;
		}
	}
	usage_words(&use, argc, argv, 0, 0, "");
	if (strlen(d->dir) >= 64)
		usage_wrong(&use, "--dir: over 63 bytes");
	if (d->egress && d->no_vm)
		usage_wrong(&use, "--egress is a device of a VM: not with "
		    "--no-vm");
	if (d->count + d->spare > DEMO_NODES_MAX)
		usage_wrong(&use, "--nodes %u and --spare %u are more than %d "
		    "together", d->count, d->spare, DEMO_NODES_MAX);
}

int
cmd_demo(int argc, char **argv)
{
	static struct demo d; /* large; wiped by demo_teardown */
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned timeout_s = DEFAULT_TIMEOUT_S;
	struct why why = { "" };
	struct network_info running;

	d.count = 2;
	d.memory = MEMORY_MB;
	d.volume = VOLUME_MB;
	d.dir = DEMO_DIR;
	d.image = "build/image";
	d.app = "host_volume/app-example.tar";
	d.start_ms = proc_now_ms();
	options(argc, argv, &d, &timeout_s);
	if (isatty(STDOUT_FILENO) && !d.json)
		d.keep = true;
	/* two networks in one folder would take each other's files */
	if (network_load(d.dir, &running, NULL) == DSTACK_OK &&
	    running.alive) {
		(void)why_set(&why, DSTACK_E_BUSY,
		    "a network runs in %s already; end it with: kill %d",
		    d.dir, running.pid);
		return cmd_fail("demo", DSTACK_E_BUSY, &why);
	}
	/* from here on a signal ends what was started, in order */
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	enum dstack_status st = run(&d, timeout_s, &why);
	demo_teardown(&d, &ended);
	network_forget(d.dir);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("demo", st, &why);
}
