/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turn after turn (watch.c): roles are read, their ends are judged, and those
 * that are to start anew are started when their pause is over (revive.c). It
 * ends when the host asks for it, which is in order, or when a role has failed
 * without which the guest is nothing.
 */
#include "guest/init/supervise.h"

#include "base/log.h"
#include "guest/init/revive.h"

static void
say_ready(struct watch *w)
{
	for (int r = 1; r < ROLE_COUNT; r++)
		if (!w->child[r].ready)
			return;
	if (!w->all_ready) {
		w->all_ready = true;
		log_line("all roles are ready");
	}
}

enum dstack_status
supervise(struct watch *w, int sigfd, struct why *why)
{
	watch_port(w); /* while the roles were started */
	while (!w->asked) {
		int64_t left = w->revive_at - watch_now();
		int wait_ms = w->revive_at == 0 ? -1 : left > 0 ? (int)left : 0;
		enum dstack_status st = watch_turn(w, sigfd, wait_ms, why);
		if (st == DSTACK_OK && !w->asked && w->revive_at != 0 &&
		    watch_now() >= w->revive_at)
			st = revive(w, sigfd, why);
		if (st != DSTACK_OK)
			return st;
		say_ready(w);
	}
	return why_set(why, DSTACK_OK, "stopped as the host asked");
}
