/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The greeting app: shows that it runs inside an attested VM. Its greeting is
 * signed by the network's key through http://dstack-guest/, its files live in
 * the encrypted volume. A static program and nothing else in its image.
 *
 *   GET /               the greeting, its appdata and signature
 *   GET /status.json    the same for programs
 *   GET,PUT /data/NAME  a file in /mnt/encrypted_data
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http.h"

#ifndef GREETING
#define GREETING "Welcome to Dstack with unstoppable TLS!"
#endif
#define TAG "s"
#define VOLUME "/mnt/encrypted_data"
#define SHARED "/mnt/host_volume"
#define MAX_CHILDREN 32
#define MAX_LISTED 256

static unsigned long boots;
static int children;

struct signature {
	char appdata[65], sig[131]; /* hex */
	char error[256];
};

static void
hex(const char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(
		    out + 2 * i, 3, "%02x", (unsigned)(unsigned char)p[i]);
	out[2 * n] = '\0';
}

/* The two answers the network gives about the greeting. */
static void
sign(struct signature *s)
{
	char data[2 * sizeof(GREETING)];
	char path[256];
	char out[512];
	*s = (struct signature){ "", "", "" };
	/*
	 * Asked for each page, not once at the start: the network's key may not
	 * be there yet, and the page then says so.
	 */
	hex(GREETING, strlen(GREETING), data);
	(void)snprintf(path, sizeof(path), "/appdata/" TAG "/%s", data);
	long n = ask_guest(path, out, sizeof(out));
	if (n == 32) {
		hex(out, 32, s->appdata);
		(void)snprintf(path, sizeof(path), "/attest/" TAG "/%s", data);
		n = ask_guest(path, out, sizeof(out));
		if (n == 65)
			hex(out, 65, s->sig);
	}
	if (n < 0)
		(void)snprintf(s->error, sizeof(s->error), "%.250s", out);
	else if (s->sig[0] == '\0')
		(void)snprintf(s->error, sizeof(s->error),
		    "dstack-guest gave %ld bytes", n);
}

/*
 * No slash and no leading dot: the name cannot leave the volume or meet store's
 * own files.
 */
static int
plain_name(const char *s)
{
	return s[0] != '\0' && s[0] != '.' && strlen(s) <= 64 &&
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789._-") == strlen(s);
}

/* Names in a folder, sorted by nothing; put gets each. */
static void
list(struct reply *r, const char *dir,
    void (*put)(struct reply *, const char *, int first))
{
	DIR *d = opendir(dir);
	int n = 0;
	struct dirent *e;
	while (d != NULL && n < MAX_LISTED && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.')
			put(r, e->d_name, n++ == 0);
	}
	if (d != NULL)
		(void)closedir(d);
}

static void
as_json(struct reply *r, const char *name, int first)
{
	say(r, "%s", first ? "" : ",");
	say_json(r, name);
}

static void
as_html(struct reply *r, const char *name, int first)
{
	(void)first;
	say(r, "<li>");
	say_html(r, name);
	say(r, "</li>\n");
}

static void
status_json(struct reply *r)
{
	struct signature s;
	sign(&s);
	say(r, "{\"greeting\":");
	say_json(r, GREETING);
	say(r, ",\"tag\":\"" TAG "\",\"appdata\":\"%s\",\"signature\":\"%s\"",
	    s.appdata, s.sig);
	say(r, ",\"error\":");
	say_json(r, s.error);
	say(r, ",\"boots\":%lu,\"data\":[", boots);
	list(r, VOLUME, as_json);
	say(r, "],\"host_volume\":[");
	list(r, SHARED, as_json);
	say(r, "]}\n");
}

static void
page(struct reply *r)
{
	struct signature s;
	sign(&s);
	say(r,
	    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\">"
	    "<title>dstack</title><style>body{font:16px/1.5 sans-serif;"
	    "max-width:50em;margin:3em auto;padding:0 1em}code{word-break:"
	    "break-all}</style>\n<h1>" GREETING "</h1>\n");
	if (s.error[0] == '\0') {
		say(r, "<p>appdata<br><code>%s</code></p>\n"
		       "<p>signature<br><code>%s</code></p>\n"
		       "<p>The contract's <code>verify(appdata, signature)"
		       "</code> says whether this network signed it.</p>\n",
		    s.appdata, s.sig);
	} else {
		say(r, "<p>Not signed: ");
		say_html(r, s.error);
		say(r, "</p>\n");
	}
	say(r, "<p>This app has started %lu times on this volume.</p>\n"
	       "<p>On the host volume:</p><ul>\n", boots);
	list(r, SHARED, as_html);
	say(r, "</ul></html>\n");
}

/* All of it or nothing: a new file takes the old one's name when on disk. */
static int
store(const char *name, const char *p, size_t n)
{
	int dir = open(VOLUME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char tmp[80];
	(void)snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid());
	int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	int ok = fd >= 0;
	while (ok && n != 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		ok = w > 0;
		p += w;
		n -= ok ? (size_t)w : 0;
	}
	/*
	 * The file, then the name, then the folder: after a power cut it is the
	 * old content or the new one.
	 */
	ok = ok && fsync(fd) == 0 && renameat(dir, tmp, dir, name) == 0 &&
	    fsync(dir) == 0;
	if (!ok && dir >= 0)
		(void)unlinkat(dir, tmp, 0);
	if (fd >= 0)
		(void)close(fd);
	if (dir >= 0)
		(void)close(dir);
	return ok ? 0 : -1;
}

static int
load(const char *name, struct reply *r)
{
	char path[128];
	char buf[4096];
	ssize_t n;
	(void)snprintf(path, sizeof(path), VOLUME "/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		add(r, buf, (size_t)n);
	(void)close(fd);
	return n == 0 ? 0 : -1;
}

static int
data(const struct request *q, struct reply *r)
{
	const char *name = q->path + strlen("/data/");
	if (!plain_name(name)) {
		say(r, "a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins "
		       "with no dot\n");
		return 400;
	}
	if (strcmp(q->method, "PUT") == 0) {
		if (store(name, q->body, q->length) == 0)
			return 201;
		say(r, "not written: %s\n", strerror(errno));
		return 507;
	}
	if (strcmp(q->method, "GET") != 0)
		return 405;
	return load(name, r) == 0 ? 200 : 404;
}

static void
serve(int fd)
{
	struct request q = { .body = NULL };
	struct reply r = { 0 };
	const char *type = "text/plain; charset=utf-8";
	int status = read_request(fd, &q);
	if (status != 0) {
		say(&r, "the request is not understood\n");
	/* Files first: they are the only path that takes a PUT. */
	} else if (strncmp(q.path, "/data/", 6) == 0) {
		status = data(&q, &r);
		type = "application/octet-stream";
	} else if (strcmp(q.method, "GET") != 0) {
		status = 405;
	} else if (strcmp(q.path, "/") == 0) {
		status = 200;
		type = "text/html; charset=utf-8";
		page(&r);
	} else if (strcmp(q.path, "/status.json") == 0) {
		status = 200;
		type = "application/json";
		status_json(&r);
	} else {
		status = 404;
		say(&r, "no such page\n");
	}
	send_reply(fd, status, type, &r);
	free(q.body);
	free(r.data);
}

/* One more start on this volume; 0 where there is none to count on. */
static void
count_boot(void)
{
	struct reply r = { 0 };
	char text[32];
	if (load("boots", &r) == 0 && r.data != NULL)
		boots = strtoul(r.data, NULL, 10);
	free(r.data);
	boots++;
	(void)snprintf(text, sizeof(text), "%lu\n", boots);
	if (store("boots", text, strlen(text)) != 0) {
		(void)fprintf(stderr, "greeting: " VOLUME ": %s\n",
		    strerror(errno));
		boots = 0;
	}
}

/* Nothing to save: every write was on disk before it was answered. */
static void
on_stop(int sig)
{
	(void)sig;
	_exit(0);
}

static void
reap(int wait_for_one)
{
	int flags = wait_for_one ? 0 : WNOHANG;
	while (children > 0 && waitpid(-1, NULL, flags) > 0) {
		children--;
		flags = WNOHANG;
	}
}

int
main(void)
{
	const char *port = getenv("PORT");
	/*
	 * Port 80 as the image says (EXPOSE), or PORT where somebody runs it
	 * outside of a node.
	 */
	struct sockaddr_in me = { .sin_family = AF_INET };
	int one = 1;
	me.sin_port = htons(
	    (uint16_t)(port != NULL ? strtoul(port, NULL, 10) : 80));
	/* The first process of a container ignores signals it does not take. */
	(void)signal(SIGTERM, on_stop);
	(void)signal(SIGINT, on_stop);
	/* A browser that went away ends its own answer only. */
	(void)signal(SIGPIPE, SIG_IGN);
	count_boot();
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 ||
	    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(l, (struct sockaddr *)&me, sizeof(me)) != 0 ||
	    listen(l, 64) != 0) {
		(void)fprintf(stderr, "greeting: port %u: %s\n",
		    ntohs(me.sin_port), strerror(errno));
		return 1;
	}
	(void)fprintf(stderr, "greeting: start %lu, port %u\n", boots,
	    ntohs(me.sin_port));
	for (;;) {
		/*
		 * One child a connection, so that a slow reader holds up
		 * nobody; at the bound the next waits in the backlog.
		 */
		reap(children >= MAX_CHILDREN);
		int fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		pid_t pid = fork();
		if (pid == 0) {
			serve(fd);
			_exit(0);
		}
		if (pid > 0)
			children++;
		(void)close(fd);
	}
}
