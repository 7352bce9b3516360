/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of an app's ports answers HTTP?
 *
 * Asked is only where the image leaves it open. All ports get the same short
 * request at once, and the first bytes of what each one answers are judged; no
 * port is waited for longer than the whole may take. The app is foreign: what
 * it sends is compared with the start of a status line (RFC 9112, section 4)
 * and thrown away, and one that sends without end is closed after those bytes.
 */
#include "guest/kubernethes/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/kubernethes/kubernethes.h"

#define HEAD 12 /* "HTTP/1.1 200" */

struct asked {
	int fd;
	bool sent;
	char head[HEAD];
	size_t n;
};

enum answers
ask_judge(const char *text, size_t n)
{
	if (n < HEAD || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
		return ANSWERS_ELSE;
	return memcmp(text + 9, "400", 3) == 0 ? ANSWERS_BAD : ANSWERS_HTTP;
}

bool
ask_before(uint16_t a, uint16_t b)
{
	static const uint16_t known[] = { 80, 8080, 8000, 3000, 5000, 8888 };
	const size_t n = sizeof(known) / sizeof(known[0]);

	for (size_t i = 0; i < n; i++)
		if (a == known[i] || b == known[i])
			return a == known[i] && b != known[i];
	return a < b;
}

static int
begin(uint32_t address, uint16_t port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port), .sin_addr = { address } };
	int fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 &&
	    errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* It can be written to, or read, or is broken. False: it is done with. */
static bool
step(struct asked *a, enum answers *out)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
				  "User-Agent: dstack\r\n"
				  "Connection: close\r\n\r\n";
	if (!a->sent) {
		/* small, and the first: it goes out whole or not at all */
		if (send(a->fd, get, sizeof(get) - 1, MSG_NOSIGNAL) !=
		    (ssize_t)(sizeof(get) - 1))
			return false;
		a->sent = true;
		*out = ANSWERS_ELSE;
		return true;
	}
	ssize_t n = read(a->fd, a->head + a->n, HEAD - a->n);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	a->n += (size_t)n;
	*out = ask_judge(a->head, a->n);
	return a->n < HEAD;
}

void
ask_ports(uint32_t address, const uint16_t *ports, size_t n, int ms,
    enum answers *out)
{
	struct asked a[LISTENS_MAX];
	struct pollfd p[LISTENS_MAX];
	const int64_t end = kube_now() + ms;
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		out[i] = ANSWERS_NOT;
		a[i] = (struct asked){ .fd = begin(address, ports[i]) };
		left += a[i].fd >= 0;
	}
	while (left != 0 && kube_now() < end) {
		for (size_t i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = a[i].fd,
				.events = a[i].sent ? POLLIN : POLLOUT };
		if (poll(p, (nfds_t)n, (int)(end - kube_now())) <= 0)
			break;
		for (size_t i = 0; i < n; i++) {
			if (a[i].fd < 0 || p[i].revents == 0 ||
			    step(&a[i], &out[i]))
				continue;
			(void)close(a[i].fd);
			a[i].fd = -1;
			left--;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (a[i].fd >= 0)
			(void)close(a[i].fd);
}
