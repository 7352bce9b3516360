/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the host, by way of hostlink: path and body there, status and body
 * back. Everything in the answer is the host's; link_fetch takes only a 200,
 * and turns all else into "not now" with the host's line, cut, for the
 * operator's console. Nothing that comes this way is believed before the caller
 * has checked it.
 */
#include "guest/base/link.h"

#include "base/rd.h"
#include "guest/base/ipc.h"

enum dstack_status
link_call(int edge, const char *path, const void *body, size_t len,
    uint16_t *status, struct wr *out, struct why *why)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	wr_text(&q, path);
	wr_blob(&q, len > 0 ? body : "", len);
	enum dstack_status st =
	    ipc_call(edge, HOSTLINK_CALL, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "host %s", path);
	struct rd r = rd_over(a.buf, a.len);
	const uint8_t *p;
	size_t n;
	uint16_t s;
	if (rd_u16be(&r, &s) != DSTACK_OK ||
	    rd_blob(&r, LINK_MAX_BODY, &p, &n) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "host %s: answer of hostlink is malformed", path);
	wr_put(out, p, n);
	st = wr_status(out);
	if (st != DSTACK_OK)
		return why_set(why, st, "host %s: answer is too long", path);
	*status = s;
	return DSTACK_OK;
}

enum dstack_status
link_fetch(int edge, const char *path, const void *body, size_t len,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr a = wr_new(IPC_MAX);
	uint16_t status = 0;
	enum dstack_status st =
	    link_call(edge, path, body, len, &status, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (status != 200)
		return why_set(why, DSTACK_E_MISSING,
		    "host %s: answered %u: %.*s", path, status,
		    (int)(a.len < 160 ? a.len : 160),
		    a.len > 0 ? (const char *)a.buf : "");
	wr_put(out, a.buf, a.len);
	return wr_status(out);
}
