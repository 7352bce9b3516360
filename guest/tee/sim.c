/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TEE driver of the sim flavour: asks the simulator on the port at FD_TEE
 * (docs/internals.md section 3). It proves nothing; the image that has it
 * measures otherwise and trusts another root.
 */
#include "guest/base/flavour.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/rd.h"
#include "guest/base/role.h"
#include "protocol/teeport.h"

#define ANSWER_SECONDS 60

static int64_t
now_ms(void)
{
	struct timespec ts = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static enum dstack_status
gone(struct why *why, const char *what)
{
	return why_set(why, DSTACK_E_SYS, "TEE port: %s", what);
}

/* Wait for events on the port until the deadline. */
static enum dstack_status
ready(short events, int64_t deadline, struct why *why)
{
	struct pollfd p = { .fd = FD_TEE, .events = events };
	for (;;) {
		int64_t left = deadline - now_ms();
		if (left <= 0)
			return why_set(why, DSTACK_E_BUSY, "TEE port: no "
			    "answer in %d s; is the simulator running?",
			    ANSWER_SECONDS);
		int n = poll(&p, 1, (int)left);
		if (n < 0 && errno != EINTR)
			return gone(why, strerror(errno));
		if (n > 0 && (p.revents & events) != 0)
			return DSTACK_OK;
		if (n > 0)
			return gone(why, "closed by the host");
	}
}

static enum dstack_status
send_all(const uint8_t *p, size_t n, int64_t deadline, struct why *why)
{
	size_t done = 0;
	while (done < n) {
		enum dstack_status st = ready(POLLOUT, deadline, why);
		if (st != DSTACK_OK)
			return st;
		ssize_t k = write(FD_TEE, p + done, n - done);
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return gone(why, strerror(errno));
		if (k > 0)
			done += (size_t)k;
	}
	return DSTACK_OK;
}

static enum dstack_status
receive_all(uint8_t *p, size_t n, int64_t deadline, struct why *why)
{
	size_t done = 0;
	while (done < n) {
		enum dstack_status st = ready(POLLIN, deadline, why);
		if (st != DSTACK_OK)
			return st;
		ssize_t k = read(FD_TEE, p + done, n - done);
		if (k == 0)
			return gone(why, "closed by the host");
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return gone(why, strerror(errno));
		if (k > 0)
			done += (size_t)k;
	}
	return DSTACK_OK;
}

/* Whole frames out and in. */
static enum dstack_status
exchange(const struct wr *w, struct wr *in, struct why *why)
{
	uint8_t head[TEEPORT_HEAD];
	size_t n = 0;
	int64_t deadline = now_ms() + ANSWER_SECONDS * 1000;
	enum dstack_status st = send_all(w->buf, w->len, deadline, why);
	if (st == DSTACK_OK)
		st = receive_all(head, sizeof(head), deadline, why);
	if (st != DSTACK_OK)
		return st;
	st = teeport_rest(head, TEEPORT_MAX_ANSWER, &n);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "TEE port: answer of a length that cannot be");
	wr_zero(in, n);
	st = wr_status(in);
	if (st != DSTACK_OK)
		return why_set(why, st, "TEE port: no memory");
	return receive_all(in->buf, n, deadline, why);
}

/*
 * What a tee role that ended here has asked for and not read. A host that
 * sends without end is left to what comes after it: a broken frame.
 */
static void
drop_leftovers(void)
{
	struct pollfd p = { .fd = FD_TEE, .events = POLLIN };
	uint8_t buf[4096];

	for (int i = 0; i < 64; i++) {
		if (poll(&p, 1, 0) != 1 || (p.revents & POLLIN) == 0 ||
		    read(FD_TEE, buf, sizeof(buf)) <= 0)
			return;
	}
}

/*
 * One request, its answer's payload into out. Where an answer did not come
 * whole, the next bytes may be what is left of it: the port is of no use then,
 * so that no quote is taken for the answer to another request.
 */
static enum dstack_status
ask(enum teeport_op op, const uint8_t *data, struct wr *out, struct why *why)
{
	static bool begun, out_of_step;
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr in = wr_new(0);
	size_t n = 0;
	const uint8_t *p = NULL;
	if (!begun)
		drop_leftovers();
	begun = true;
	if (out_of_step)
		return gone(why, "an answer did not come whole; boot anew");
	teeport_put_request(&w, op, data);
	enum dstack_status st = wr_status(&w);
	if (st != DSTACK_OK)
		return why_set(why, st, "TEE port: no memory");
	st = exchange(&w, &in, why);
	/* one that was closed begins anew with the next simulator */
	out_of_step = st != DSTACK_OK && st != DSTACK_E_SYS;
	if (st == DSTACK_OK)
		st = teeport_decode_answer(in.buf, in.len, &p, &n, why);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, p, n);
	return wr_status(out);
}

static enum dstack_status
quote(const uint8_t report_data[64], struct wr *out, struct why *why)
{
	return ask(TEEPORT_QUOTE, report_data, out, why);
}

static enum dstack_status
extend(const uint8_t digest[48], uint8_t rtmr3[48], struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);
	enum dstack_status st = ask(TEEPORT_EXTEND, digest, &w, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(w.buf, w.len);
	if (rd_left(&r) != 48 || rd_copy(&r, rtmr3, 48) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "TEE port: a register of %zu bytes", w.len);
	return DSTACK_OK;
}

static enum dstack_status
report(struct tee_report *out, struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);
	struct tee_report t;
	memset(&t, 0, sizeof(t));
	enum dstack_status st = ask(TEEPORT_REPORT, NULL, &w, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(w.buf, w.len);
	st = rd_copy(&r, t.mrtd, 48);
	for (int i = 0; i < 4 && st == DSTACK_OK; i++)
		st = rd_copy(&r, t.rtmr[i], 48);
	if (st == DSTACK_OK)
		st = rd_copy(&r, t.mrconfigid, 48);
	if (st == DSTACK_OK)
		st = rd_end(&r);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "TEE port: a report of %zu bytes", w.len);
	*out = t;
	return DSTACK_OK;
}

const struct tee_driver tee_driver_sim = { "sim", quote, extend, report };
