/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role lightclient: reads headers, which are the host's bytes, so that no
 * other role has to. It asks hostlink and nobody else, holds no key, opens no
 * file, and has one descriptor of its own: memory that init keeps for its next
 * life. Nothing that it is shown ends it; what it cannot use is "not now", with
 * a line.
 */
#include "guest/lightclient/view.h"

#include "base/log.h"
#include "guest/base/role.h"
#include "guest/init/sandbox.h"

static int
idle(void *ctx)
{
	struct view *v = ctx;
	return v->store != NULL ? view_beacon_idle(v) : -1;
}

int
lightclient_main(void)
{
	static const enum role askers[] = { ROLE_REPLICATOOR, ROLE_VERIFIER,
		ROLE_VOLUME, ROLE_GUEST_SERVICE, ROLE_KUBERNETHES };
	static struct view v;
	struct netcfg cfg;
	struct why why = { "" };
	log_name("lightclient");
	enum dstack_status st = role_netcfg(&cfg, NULL, &why);
	if (st == DSTACK_OK)
		st = sandbox_enter(ROLE_LIGHTCLIENT, &why);
	if (st == DSTACK_OK)
		st = view_open(
		    &v, FD_EDGE + ROLE_HOSTLINK, &cfg, FD_VIEW, &why);
	if (st != DSTACK_OK) {
		log_line("%s", why.text);
		ipc_give_up(&why);
		return 1;
	}
	ipc_ready();
	ipc_serve_meanwhile(askers, sizeof(askers) / sizeof(askers[0]),
	    view_serve, view_serve_at_once, idle, &v);
	view_close(&v);
	return 0;
}
