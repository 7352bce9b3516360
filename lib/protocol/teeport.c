/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port between guest and the simulated TEE: a length, then one request (64
 * bytes of report_data to quote, 48 to extend RTMR3 by, or a report of the
 * registers), and one answer. The simulator reads a guest's bytes with it and
 * the guest the simulator's, so both directions are bounded and exact: a byte
 * too many is an error. Only RTMR3 can be extended, since the other registers
 * are the firmware's and kernel's and no guest of ours touches them.
 */
#include "protocol/teeport.h"

#include "base/rd.h"

#define RTMR_INDEX 3

enum dstack_status
teeport_rest(const uint8_t head[static TEEPORT_HEAD], size_t max, size_t *len)
{
	struct rd r = rd_over(head, TEEPORT_HEAD);
	uint32_t n;
	enum dstack_status st = rd_u32be(&r, &n);
	if (st != DSTACK_OK)
		return st;
	/* Not even an op. */
	if (n == 0)
		return DSTACK_E_FORMAT;
	if (n > max)
		return DSTACK_E_LIMIT;
	*len = n;
	return DSTACK_OK;
}

enum dstack_status
teeport_decode(const void *rest, size_t len, struct teeport_request *out)
{
	struct rd r = rd_over(rest, len);
	struct teeport_request q = { .data = NULL };
	uint8_t op;
	uint8_t index = RTMR_INDEX;
	enum dstack_status st = rd_u8(&r, &op);
	if (st != DSTACK_OK)
		return st;
	switch (op) {
	case TEEPORT_QUOTE:
		q.op = TEEPORT_QUOTE;
		st = rd_take(&r, 64, &q.data);
		break;
	case TEEPORT_EXTEND:
		q.op = TEEPORT_EXTEND;
		st = rd_u8(&r, &index);
		if (st == DSTACK_OK)
			st = rd_take(&r, 48, &q.data);
		break;
	case TEEPORT_REPORT:
		q.op = TEEPORT_REPORT;
		break;
	default:
		return DSTACK_E_FORMAT;
	}
	if (st == DSTACK_OK)
		st = rd_end(&r);
	/*
	 * Well formed, and still no: another word than malformed, so that a
	 * test can tell.
	 */
	if (st == DSTACK_OK && index != RTMR_INDEX)
		st = DSTACK_E_REJECTED;
	if (st == DSTACK_OK)
		*out = q;
	return st;
}

enum dstack_status
teeport_decode_answer(const void *rest, size_t len, const uint8_t **payload,
    size_t *n, struct why *why)
{
	struct rd r = rd_over(rest, len);
	uint8_t status;
	const uint8_t *p;
	enum dstack_status st = rd_u8(&r, &status);
	if (st != DSTACK_OK)
		return why_set(why, st, "empty answer on the TEE port");
	size_t left = rd_left(&r);
	st = rd_take(&r, left, &p);
	if (st != DSTACK_OK)
		return why_set(why, st, "short answer on the TEE port");
	if (status == TEEPORT_NO)
		return why_set(why, DSTACK_E_REJECTED, "simulated TEE: %.*s",
		    left < 200 ? (int)left : 200, (const char *)p);
	if (status != TEEPORT_YES)
		return why_set(why, DSTACK_E_FORMAT,
		    "status %u on the TEE port", status);
	*payload = p;
	*n = left;
	return DSTACK_OK;
}

void
teeport_put_request(struct wr *w, enum teeport_op op, const uint8_t *data)
{
	switch (op) {
	case TEEPORT_QUOTE:
		wr_u32be(w, 65);
		wr_u8(w, TEEPORT_QUOTE);
		wr_put(w, data, 64);
		break;
	case TEEPORT_EXTEND:
		wr_u32be(w, 50);
		wr_u8(w, TEEPORT_EXTEND);
		wr_u8(w, RTMR_INDEX);
		wr_put(w, data, 48);
		break;
	case TEEPORT_REPORT:
		wr_u32be(w, 1);
		wr_u8(w, TEEPORT_REPORT);
		break;
	}
}

void
teeport_put_answer(
    struct wr *w, enum teeport_status status, const void *p, size_t n)
{
	if (n >= TEEPORT_MAX_ANSWER) {
		if (w->st == DSTACK_OK)
			w->st = DSTACK_E_LIMIT;
		return;
	}
	wr_u32be(w, (uint32_t)(1 + n));
	wr_u8(w, (uint8_t)status);
	wr_put(w, p, n);
}
