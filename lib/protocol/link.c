/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on the port between guest and host. Both ends read with these, and
 * each takes the other for hostile: the length word is judged before anything
 * is allocated for it (link_rest), then the rest as a whole (link_decode). A
 * path is of a small alphabet, so that routes are compared and never unescaped;
 * an answer has a status of HTTP's range. What an id means, and whether anybody
 * asked, is the caller's to judge.
 */
#include "protocol/link.h"

#include <string.h>

#include "base/rd.h"

enum { KIND_REQUEST = 1, KIND_ANSWER = 2 };

static bool
path_ok(const char *p, size_t n)
{
	if (n == 0 || p[0] != '/')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-' || c == '/'))
			return false;
	}
	return true;
}

enum dstack_status
link_rest(const uint8_t head[static LINK_HEAD], size_t *len)
{
	struct rd r = rd_over(head, LINK_HEAD);
	uint32_t n;
	enum dstack_status st = rd_u32be(&r, &n);
	if (st != DSTACK_OK)
		return st;
	if (n > LINK_MAX_REST)
		return DSTACK_E_LIMIT;
	/* The shortest frame there is: id, kind, and an empty path's length. */
	if (n < 6)
		return DSTACK_E_FORMAT;
	*len = n;
	return DSTACK_OK;
}

enum dstack_status
link_decode(const void *rest, size_t len, struct link_frame *out)
{
	struct link_frame f;
	memset(&f, 0, sizeof(f));
	struct rd r = rd_over(rest, len);
	uint8_t kind;
	uint8_t n;
	if (rd_u32be(&r, &f.id) != DSTACK_OK || rd_u8(&r, &kind) != DSTACK_OK)
		return DSTACK_E_TRUNCATED;
	if (kind == KIND_REQUEST) {
		if (rd_u8(&r, &n) != DSTACK_OK ||
		    rd_copy(&r, f.path, n) != DSTACK_OK)
			return DSTACK_E_TRUNCATED;
		if (!path_ok(f.path, n))
			return DSTACK_E_FORMAT;
	} else if (kind == KIND_ANSWER) {
		f.answer = true;
		if (rd_u16be(&r, &f.status) != DSTACK_OK)
			return DSTACK_E_TRUNCATED;
		if (f.status < 200 || f.status > 599)
			return DSTACK_E_FORMAT;
	} else {
		return DSTACK_E_FORMAT;
	}
	f.len = rd_left(&r);
	/*
	 * link_rest bounds the whole; path or status could still leave room for
	 * too much body.
	 */
	if (f.len > LINK_MAX_BODY)
		return DSTACK_E_LIMIT;
	enum dstack_status st = rd_take(&r, f.len, &f.body);
	if (st != DSTACK_OK)
		return st;
	*out = f;
	return DSTACK_OK;
}

/*
 * Checked at the sender too: a frame that the other end must refuse ends the
 * link, and with it the guest's way out.
 */
static bool
fits(struct wr *w, size_t pathlen, size_t len)
{
	if (pathlen <= LINK_MAX_PATH && len <= LINK_MAX_BODY)
		return true;
	if (w->st == DSTACK_OK)
		w->st = DSTACK_E_LIMIT;
	return false;
}

void
link_put_request(
    struct wr *w, uint32_t id, const char *path, const void *body, size_t len)
{
	size_t n = strlen(path);
	if (!fits(w, n, len))
		return;
	wr_u32be(w, (uint32_t)(4 + 1 + 1 + n + len));
	wr_u32be(w, id);
	wr_u8(w, KIND_REQUEST);
	wr_u8(w, (uint8_t)n);
	wr_put(w, path, n);
	wr_put(w, body, len);
}

void
link_put_answer(
    struct wr *w, uint32_t id, uint16_t status, const void *body, size_t len)
{
	if (!fits(w, 0, len))
		return;
	wr_u32be(w, (uint32_t)(4 + 1 + 2 + len));
	wr_u32be(w, id);
	wr_u8(w, KIND_ANSWER);
	wr_u16be(w, status);
	wr_put(w, body, len);
}
