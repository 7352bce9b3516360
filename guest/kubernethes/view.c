/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How old this node's view of the chain may be. A host that holds new blocks
 * back cannot keep an app running that the contract has stopped or replaced
 * for longer than this (THREATS T20). Time is what this VM's own clock counts
 * since it started, as the host sets the other one; and only a higher block
 * than any before counts as news.
 */
#include "guest/kubernethes/kubernethes.h"

#include <time.h>

#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"

#define AGES 4 /* netcfg's max-age, so many times */
#define TLS_TIME 2
#define CLOCK_APART 60 /* seconds that a clock may be behind */
#define TIME_STEP 600 /* seconds between two notices to the TLS front */
#define ALIVE_STEP 60 /* and at most, where chain time does not move on */

int64_t
kube_boot_seconds(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* counts while suspended */
	return t.tv_sec;
}

void
kube_view_block(struct kube_view *v, uint64_t number, int64_t now)
{
	if (v->known && number <= v->number)
		return;
	v->known = true;
	v->number = number;
	v->at = now;
}

bool
kube_view_old(const struct kube_view *v, uint64_t max_age, int64_t now)
{
	return v->known && now > v->at &&
	    (uint64_t)(now - v->at) / AGES >= max_age;
}

bool
kube_view_late(uint64_t age, uint64_t max_age)
{
	return age != UINT64_MAX && age / AGES >= max_age;
}

void
kube_view_time(struct kube_view *v, uint64_t seconds, int64_t now)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	if (v->told != 0 && seconds < v->told + TIME_STEP &&
	    now - v->told_at < ALIVE_STEP)
		return;
	wr_u64be(&q, seconds);
	if (ipc_call(FD_EDGE + ROLE_TLS, TLS_TIME, &q, NULL, 0, NULL, NULL) ==
	    DSTACK_OK) {
		v->told = seconds;
		v->told_at = now;
	}
}

void
kube_view_clock(struct kube_view *v, uint64_t seconds)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (seconds <= (uint64_t)t.tv_sec + CLOCK_APART ||
	    seconds < v->clock + CLOCK_APART)
		return;
	v->clock = seconds;
	ipc_time(seconds);
}
