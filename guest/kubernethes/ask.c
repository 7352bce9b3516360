/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of an app's ports answers HTTP, and does it speak HTTP/2?
 *
 * Asked is only where the image leaves it open. All ports get the same short
 * request at once, and the first bytes of what each one answers are judged; no
 * port is waited for longer than the whole may take. The app is foreign: what
 * it sends is compared with the start of a status line (RFC 9112, section 4)
 * or with the head of a SETTINGS frame (RFC 9113, section 3.4: the first that
 * a server sends) and thrown away, and one that sends without end is closed
 * after those bytes. Where the app wants to hear of its clients, it hears that
 * this is none ("LOCAL" of the PROXY protocol, section 2.2).
 */
#include "guest/kubernethes/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/kubernethes/kubernethes.h"

#define HEAD 12 /* "HTTP/1.1 200" */

static const char get[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
			  "User-Agent: dstack\r\nConnection: close\r\n\r\n";
/* the preface, and SETTINGS without any */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0";
static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

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

/* Small, and the first: it goes out whole or not at all. */
static bool
say(int fd, const char *text, size_t n, bool proxy)
{
	char buf[128];
	size_t head = proxy ? sizeof(local) - 1 : 0;

	memcpy(buf, local, head);
	memcpy(buf + head, text, n);
	n += head;
	return send(fd, buf, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* It can be written to, or read, or is broken. False: it is done with. */
static bool
step(struct asked *a, bool proxy, enum answers *out)
{
	if (!a->sent) {
		a->sent = say(a->fd, get, sizeof(get) - 1, proxy);
		*out = a->sent ? ANSWERS_ELSE : ANSWERS_NOT;
		return a->sent;
	}
	ssize_t n = read(a->fd, a->head + a->n, HEAD - a->n);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	a->n += (size_t)n;
	*out = ask_judge(a->head, a->n);
	return a->n < HEAD;
}

void
ask_ports(uint32_t address, const uint16_t *ports, size_t n, bool proxy,
    int ms, enum answers *out)
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
			    step(&a[i], proxy, &out[i]))
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

/* Type SETTINGS, no flags, stream 0, a whole number of settings. */
static bool
is_settings(const uint8_t h[static 9])
{
	return h[0] == 0 && h[1] == 0 && h[2] % 6 == 0 && h[3] == 4 &&
	    memcmp(h + 4, "\0\0\0\0", 5) == 0;
}

bool
ask_h2(uint32_t address, uint16_t port, bool proxy, int ms)
{
	const int64_t end = kube_now() + ms;
	AUTO_CLOSE int fd = begin(address, port);
	uint8_t head[9];
	size_t n = 0;
	bool sent = false;

	while (fd >= 0 && n < sizeof(head) && kube_now() < end) {
		struct pollfd p = { .fd = fd,
			.events = sent ? POLLIN : POLLOUT };
		if (poll(&p, 1, (int)(end - kube_now())) <= 0)
			return false;
		if (!sent) {
			sent = say(fd, preface, sizeof(preface) - 1, proxy);
			if (!sent)
				return false;
			continue;
		}
		ssize_t k = read(fd, head + n, sizeof(head) - n);
		if (k == 0 || (k < 0 && errno != EAGAIN))
			return false;
		n += k > 0 ? (size_t)k : 0;
	}
	return n == sizeof(head) && is_settings(head);
}
