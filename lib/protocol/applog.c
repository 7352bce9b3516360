/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an app's log, for the guest that makes them, the host that keeps
 * them and the owner who reads them. The reader believes nothing: the bytes
 * have lain with a host. First the outer form is judged (mode, lengths, no
 * byte behind the end), then a sealed body is opened with the head as
 * additional data, so that a head that was changed does not open; only then
 * are lines read, each within its own bound. Which numbers are there, and
 * whether each names its predecessor, is for the reader of many to compare.
 */
#include "protocol/applog.h"

#include <string.h>

#include "base/hex.h"
#include "crypto/hpke.h"

#define FRAME_VERSION 1
#define HEAD_LEN (1 + 1 + 32 + 8 + 16 + 8)

enum dstack_status
applog_setting_parse(
    const char *value, struct applog_setting *out, struct why *why)
{
	struct secret32 probe = { { 1 } };
	uint8_t sealed[1 + HPKE_OVERHEAD];

	*out = (struct applog_setting){ .mode = APPLOG_NONE };
	if (strcmp(value, "none") == 0)
		return DSTACK_OK;
	if (strcmp(value, "host") == 0) {
		out->mode = APPLOG_PLAIN;
		return DSTACK_OK;
	}
	if (strlen(value) != 64 ||
	    hex_decode(value, 64, out->key, 32) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "label " APPLOG_LABEL ": none, host, or the 64 hex digits "
		    "that dstack app logs --new-key prints; not '%.40s'",
		    value);
	/* a point of small order: found here, not when there are lines */
	if (hpke_seal(out->key, &probe, "", 0, "", 0, "", 1, sealed) !=
	    DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "label " APPLOG_LABEL ": nothing can be sealed to that key");
	out->mode = APPLOG_SEALED;
	return DSTACK_OK;
}

static void
head_put(struct wr *w, const struct applog_head *h)
{
	wr_u8(w, FRAME_VERSION);
	wr_u8(w, (uint8_t)h->mode);
	wr_put(w, h->app_id, 32);
	wr_u64be(w, h->version);
	wr_put(w, h->boot, 16);
	wr_u64be(w, h->number);
}

enum dstack_status
applog_frame_get(const void *p, size_t n, struct applog_frame *out)
{
	struct rd r = rd_over(p, n);
	struct applog_head *h = &out->head;
	uint8_t version = 0;
	uint8_t mode = 0;
	enum dstack_status st;

	memset(out, 0, sizeof(*out));
	if ((st = rd_u8(&r, &version)) != DSTACK_OK ||
	    (st = rd_u8(&r, &mode)) != DSTACK_OK)
		return st;
	if (version != FRAME_VERSION ||
	    (mode != APPLOG_PLAIN && mode != APPLOG_SEALED))
		return DSTACK_E_FORMAT;
	h->mode = mode == APPLOG_PLAIN ? APPLOG_PLAIN : APPLOG_SEALED;
	if ((st = rd_copy(&r, h->app_id, 32)) != DSTACK_OK ||
	    (st = rd_u64be(&r, &h->version)) != DSTACK_OK ||
	    (st = rd_copy(&r, h->boot, 16)) != DSTACK_OK ||
	    (st = rd_u64be(&r, &h->number)) != DSTACK_OK ||
	    (st = rd_blob(&r, APPLOG_FRAME_MAX - HEAD_LEN - 4, &out->body,
	         &out->len)) != DSTACK_OK)
		return st;
	out->aad = p;
	out->aadlen = HEAD_LEN;
	return rd_end(&r);
}

void
applog_line_put(struct wr *text, uint64_t ms, enum applog_from from,
    const void *line, size_t n)
{
	if (n > APPLOG_LINE_MAX)
		n = APPLOG_LINE_MAX;
	wr_u64be(text, ms);
	wr_u8(text, (uint8_t)from);
	wr_u16be(text, (uint16_t)n);
	wr_put(text, line, n);
}

enum dstack_status
applog_frame_put(struct wr *out, const struct applog_head *head,
    const uint8_t *key, const struct secret32 *ephemeral,
    const uint8_t prev[static 32], const void *lines, size_t n)
{
	AUTO_WR struct wr text = wr_new(APPLOG_TEXT_MAX);
	AUTO_WR struct wr aad = wr_new(HEAD_LEN);
	enum dstack_status st;

	wr_put(&text, prev, 32);
	wr_put(&text, lines, n);
	head_put(&aad, head);
	if ((st = wr_status(&text)) != DSTACK_OK ||
	    (st = wr_status(&aad)) != DSTACK_OK)
		return st;
	wr_put(out, aad.buf, aad.len);
	if (head->mode == APPLOG_PLAIN) {
		wr_blob(out, text.buf, text.len);
		return wr_status(out);
	}
	AUTO_FREE uint8_t *ct = malloc(text.len + HPKE_OVERHEAD);
	if (ct == NULL)
		return DSTACK_E_NOMEM;
	st = hpke_seal(key, ephemeral, APPLOG_INFO, sizeof(APPLOG_INFO) - 1,
	    aad.buf, aad.len, text.buf, text.len, ct);
	if (st != DSTACK_OK)
		return st;
	wr_blob(out, ct, text.len + HPKE_OVERHEAD);
	return wr_status(out);
}

enum dstack_status
applog_open(const struct applog_frame *f, const struct secret32 *key,
    uint8_t *text, size_t *n)
{
	if (f->head.mode == APPLOG_PLAIN) {
		if (f->len > APPLOG_TEXT_MAX)
			return DSTACK_E_LIMIT;
		memcpy(text, f->body, f->len);
		*n = f->len;
		return DSTACK_OK;
	}
	if (key == NULL)
		return DSTACK_E_MISSING;
	/* the caller's room is for a text: what opens must fit */
	if (f->len < HPKE_OVERHEAD ||
	    f->len - HPKE_OVERHEAD > APPLOG_TEXT_MAX)
		return DSTACK_E_REJECTED;
	enum dstack_status st = hpke_open(key, APPLOG_INFO,
	    sizeof(APPLOG_INFO) - 1, f->aad, f->aadlen, f->body, f->len, text);
	*n = st == DSTACK_OK ? f->len - HPKE_OVERHEAD : 0;
	return st;
}

enum dstack_status
applog_prev_get(struct rd *text, uint8_t prev[static 32])
{
	return rd_copy(text, prev, 32);
}

enum dstack_status
applog_line_get(struct rd *text, struct applog_line *out)
{
	uint8_t from = 0;
	uint16_t n = 0;
	enum dstack_status st;

	if ((st = rd_u64be(text, &out->ms)) != DSTACK_OK ||
	    (st = rd_u8(text, &from)) != DSTACK_OK ||
	    (st = rd_u16be(text, &n)) != DSTACK_OK)
		return st;
	if (n > APPLOG_LINE_MAX)
		return DSTACK_E_LIMIT;
	if (from != APPLOG_APP && from != APPLOG_GUEST)
		return DSTACK_E_FORMAT;
	out->from = from == APPLOG_APP ? APPLOG_APP : APPLOG_GUEST;
	out->n = n;
	return rd_take(text, n, &out->p);
}
