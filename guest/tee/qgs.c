/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quote of a trust domain, from Intel's quote generation service on the
 * host: a TD report goes out over vsock, a quote comes back (the messages are
 * lib/protocol/qgs.c's). This is a way for kernels without configfs-tsm.
 *
 * Whoever answers is the host. It cannot make a quote that others accept, so
 * what is guarded here is this role's time and memory: each step has a limit,
 * and the length that the answer announces is judged before there is room for
 * it. Nobody at the port, or no answer in time, is "later"; an answer that is
 * none is the host's failure and said as that. What the quote says is checked
 * by those that it is shown to.
 */
#include "guest/tee/qgs.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/own.h"
#include "base/rd.h"

#define TIMEOUT_SECONDS 60

/* Whole buffers only; the socket's own time-outs bound each step. */
static bool
move_all(int fd, uint8_t *p, size_t n, bool out)
{
	while (n > 0) {
		ssize_t k = out ? send(fd, p, n, MSG_NOSIGNAL)
				: recv(fd, p, n, 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k == 0)
			errno = ECONNRESET;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

enum dstack_status
qgs_quote(const uint8_t report[static TDREPORT_LEN], struct wr *out,
    struct why *why)
{
	const struct timeval tv = { .tv_sec = TIMEOUT_SECONDS };
	const struct sockaddr_vm a = { .svm_family = AF_VSOCK,
		.svm_cid = QGS_CID, .svm_port = QGS_PORT };
	uint8_t head[4];
	uint32_t n = 0;
	AUTO_WR struct wr w = wr_new(0);
	qgs_put_request(&w, report);
	AUTO_CLOSE int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0 ||
	    connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "no QGS at vsock port %d of the host: %s", QGS_PORT,
		    strerror(errno));
	if (wr_status(&w) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "QGS: no memory");
	if (!move_all(fd, w.buf, w.len, true) || !move_all(fd, head, 4, false))
		return why_set(why, errno == EAGAIN ? DSTACK_E_BUSY
						    : DSTACK_E_SYS,
		    "QGS: %s", strerror(errno));
	struct rd r = rd_over(head, 4);
	if (rd_u32be(&r, &n) != DSTACK_OK || n > QGS_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "QGS: an answer of %u bytes", n);
	AUTO_WR struct wr in = wr_new(0);
	wr_zero(&in, n);
	if (wr_status(&in) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "QGS: no memory");
	if (!move_all(fd, in.buf, n, false))
		return why_set(why, errno == EAGAIN ? DSTACK_E_BUSY
						    : DSTACK_E_SYS,
		    "QGS: %s", strerror(errno));
	return qgs_answer(in.buf, n, out, why);
}
