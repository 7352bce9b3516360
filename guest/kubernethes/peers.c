/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kubernethes tells the tee and the TLS front.
 *
 * The tee first: RTMR3 is extended by app and version before a byte of the
 * app runs, so that no quote can hide what ran. That cannot be undone, hence
 * once a version, also when the start fails and is tried again. The TLS front
 * last: when the app answers, requests are turned to its slot, and to nobody
 * when no app may serve.
 */
#include "guest/kubernethes/kubernethes.h"

#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/tee/tee.h"

#define TLS_BACKEND 1

enum dstack_status
kube_extend(uint64_t *extended, const struct state_app *r, struct why *why)
{
	AUTO_WR struct wr data = wr_new(0);
	AUTO_WR struct wr app = wr_new(0);
	AUTO_WR struct wr start = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	if (*extended == r->version)
		return DSTACK_OK;
	wr_put(&data, r->app_id, 32);
	wr_put(&data, r->digest, 32);
	wr_u64be(&data, r->version);
	wr_text(&app, "app");
	wr_blob(&app, data.buf, data.len);
	wr_text(&start, "app-start");
	wr_blob(&start, "", 0);
	enum dstack_status st = ipc_call_wait(
	    FD_EDGE + ROLE_TEE, TEE_EXTEND, &app, &out, why);
	if (st == DSTACK_OK)
		st = ipc_call_wait(
		    FD_EDGE + ROLE_TEE, TEE_EXTEND, &start, &out, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "tee: app event");
	*extended = r->version;
	return DSTACK_OK;
}

enum dstack_status
kube_backend(int slot, uint16_t port, uint8_t flags, struct why *why)
{
	const uint8_t none[4] = { 0, 0, 0, 0 };
	const uint8_t ip[4] = { 10, 88, (uint8_t)slot, 2 };
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	wr_put(&q, slot < 0 ? none : ip, 4);
	wr_u16be(&q, slot < 0 ? 0 : port);
	wr_u8(&q, slot < 0 ? 0 : flags);
	enum dstack_status st = ipc_call_wait(
	    FD_EDGE + ROLE_TLS, TLS_BACKEND, &q, NULL, why);
	return st == DSTACK_OK ? st : why_wrap(why, st, "unstoppable-tls");
}
