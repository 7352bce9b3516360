/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's beacon node: dstack sim beacon over the demo's chain, as a
 * process of its own. It is started as soon as there is a chain, and its
 * network is read when netcfg is made, which by then has been waited for by
 * nobody. The nodes' netcfg names that network whole, and its first block as
 * the checkpoint, as a network of one's own would.
 */
#include "cli/demo/demo.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/base/proc.h"

#define START_MS 60000u

/* A path in the demo's folder. */
static void
in_dir(const struct demo *d, const char *name, char out[static 160])
{
	(void)snprintf(out, 160, "%s/%s", d->dir, name);
}

enum dstack_status
demo_beacon_start(struct demo *d, uint16_t port, struct why *why)
{
	char self[512], at[32], file[160], log[160];
	char *argv[] = { self, (char *)(uintptr_t)"sim",
		(char *)(uintptr_t)"beacon", (char *)(uintptr_t)"--rpc",
		d->rpc_url, (char *)(uintptr_t)"--listen", at,
		(char *)(uintptr_t)"--network-out", file, NULL };

	in_dir(d, "beacon", file);
	in_dir(d, "beacon.log", log);
	/* an earlier run's is another chain's */
	(void)unlink(file);
	(void)snprintf(at, sizeof(at), "127.0.0.1:%u", port);
	(void)snprintf(
	    d->beacon_url, sizeof(d->beacon_url), "http://%s", at);
	if (!proc_beside_self("dstack", self, sizeof(self)))
		return why_set(why, DSTACK_E_LIMIT, "path is too long");
	AUTO_CLOSE int fd =
	    open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return proc_start(argv, fd, false, &d->beacon, why);
}

/* The whole file, at most cap bytes. */
static bool
slurp(const char *path, char *out, size_t cap, size_t *n)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, out, cap) : -1;

	*n = got > 0 ? (size_t)got : 0;
	return got > 0 && (size_t)got < cap;
}

enum dstack_status
demo_beacon_netcfg(struct demo *d, struct netcfg *n, struct why *why)
{
	char file[160], root[160], text[4096], hex[128];
	uint64_t end = proc_now_ms() + START_MS;
	size_t len = 0, hex_len = 0;
	int status = 0;

	in_dir(d, "beacon", file);
	in_dir(d, "beacon.root", root);
	while (!slurp(file, text, sizeof(text), &len)) {
		if (proc_ended(&d->beacon, &status) || proc_now_ms() > end)
			return why_set(why, DSTACK_E_SYS,
			    "the beacon node does not start; see %s/beacon.log",
			    d->dir);
		proc_pause_ms(20);
	}
	/* the root's file is there before the network's */
	if (!slurp(root, hex, sizeof(hex), &hex_len) || hex_len != 67 ||
	    hex_decode(hex + 2, 64, n->checkpoint, 32) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "%s has no root", root);
	n->view = NETCFG_VIEW_BEACON;
	n->beacon_own = true;
	n->finality = NETCFG_FINALIZED;
	enum dstack_status st =
	    beacon_network_parse(text, len, &n->beacon, why);
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", file);
}
