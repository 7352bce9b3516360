/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DIR/network.json is written when the network's chain is there and goes when
 * it ends. A record that is left after a crash is told by its process id: the
 * process is gone, and the network with it.
 */
#include "cli/demo/network.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "eth/rpc.h"

enum dstack_status
network_save(const struct demo *d, struct why *why)
{
	char path[160];
	json_t *o = json_pack("{s:i,s:s,s:o,s:i,s:s,s:s,s:s,s:b}", "pid",
	    (int)getpid(), "rpc", d->rpc_url, "contract",
	    eth_json_hex(d->deployed.contract, 20), "nodes",
	    (int)(d->count + d->spare), "relay", d->relay_url, "beacon", d->beacon_url, "ca",
	    d->ca.root_file,
	    "noVm", d->no_vm);

	(void)snprintf(path, sizeof(path), "%s/network.json", d->dir);
	bool ok = o != NULL && json_dump_file(o, path, JSON_INDENT(1)) == 0;
	json_decref(o);
	if (!ok)
		return why_set(why, DSTACK_E_SYS, "%s not written", path);
	return DSTACK_OK;
}

enum dstack_status
network_load(const char *dir, struct network_info *out, struct why *why)
{
	char path[160];
	const char *s;

	memset(out, 0, sizeof(*out));
	(void)snprintf(path, sizeof(path), "%s/network.json", dir);
	json_t *o = json_load_file(path, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return why_set(why, DSTACK_E_MISSING,
		    "no network in %s; start one with: dstack demo --keep",
		    dir);
	}
	out->pid = (int)json_integer_value(json_object_get(o, "pid"));
	out->alive = out->pid > 1 && kill(out->pid, 0) == 0;
	out->nodes =
	    (unsigned)json_integer_value(json_object_get(o, "nodes"));
	out->no_vm = json_is_true(json_object_get(o, "noVm"));
	if (out->nodes > DEMO_NODES_MAX)
		out->nodes = DEMO_NODES_MAX;
	(void)snprintf(out->dir, sizeof(out->dir), "%s", dir);
	s = json_string_value(json_object_get(o, "rpc"));
	(void)snprintf(out->rpc, sizeof(out->rpc), "%s", s != NULL ? s : "");
	s = json_string_value(json_object_get(o, "ca"));
	(void)snprintf(
	    out->ca_file, sizeof(out->ca_file), "%s", s != NULL ? s : "");
	enum dstack_status st =
	    eth_json_fixed(json_object_get(o, "contract"), out->contract, 20);
	json_decref(o);
	if (st != DSTACK_OK)
		return why_set(
		    why, DSTACK_E_MISSING, "%s is garbled; remove it", path);
	return DSTACK_OK;
}

enum dstack_status
network_running(const char *dir, struct network_info *out, struct why *why)
{
	enum dstack_status st = network_load(dir, out, why);

	if (st == DSTACK_OK && !out->alive)
		st = why_set(why, DSTACK_E_MISSING,
		    "the network in %s is no longer running", dir);
	return st;
}

void
network_owner_key(const char *dir, char out[static 100])
{
	(void)snprintf(out, 100, "%s/owner.key", dir);
}

void
network_forget(const char *dir)
{
	char path[160];
	char owner[100];

	network_owner_key(dir, owner);
	(void)unlink(owner);

	(void)snprintf(path, sizeof(path), "%s/network.json", dir);
	(void)unlink(path);
}
