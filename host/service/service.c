/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two fronts of the router: the guest's link (a Unix socket that QEMU turns
 * into the guest's port) and HTTP on loopback. One event loop reads and writes;
 * handlers may wait for chain and disk, so each request goes to a pool of
 * threads and its answer comes back to the loop. A link has at most
 * LINK_OPEN_MAX requests under way; more stay unread in its buffer, which is
 * bounded, so a guest that floods its link only waits itself. A frame that is
 * none closes the link: there is no way to find the next one.
 */
#include "host/service/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/log.h"
#include "host/http/server.h"
#include "host/service/work.h"
#include "protocol/link.h"

#define WORKERS 8u
#define QUEUE_MAX 64u
#define LINK_OPEN_MAX 16u /* requests of one link under way */
#define LINKS_MAX 4u

struct link {
	LIST_ENTRY(link) next;
	struct service *s;
	struct bufferevent *bev; /* NULL: gone, requests still under way */
	unsigned open;
};

struct service {
	struct router *router;
	struct work_pool *pool;
	struct http_server *http;
	struct evconnlistener *listener;
	struct event_base *base;
	LIST_HEAD(link_list, link) links;
	unsigned nlinks;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* One request on its way through a worker. */
struct request {
	struct service *s;
	struct link *link;      /* one of these two */
	struct http_conn *conn;
	uint32_t id;
	char path[LINK_MAX_PATH + 1];
	uint8_t *body;
	size_t len;
	struct route_answer answer;
};

static void pump(struct link *l);

/*
 * The connection goes at once, the struct when the last request has come back.
 */
static void
link_drop(struct link *l)
{
	if (l->bev != NULL)
		bufferevent_free(l->bev);
	l->bev = NULL;
	/* Answers still under way hold it; the last one frees it. */
	if (l->open == 0) {
		LIST_REMOVE(l, next);
		l->s->nlinks--;
		free(l);
	}
}

static void
request_run(void *arg)
{
	struct request *q = arg;

	route_handle(q->s->router, q->path, q->body, q->len, &q->answer);
}

static void
link_send(struct link *l, uint32_t id, unsigned status, const void *body,
    size_t len)
{
	AUTO_WR struct wr w = wr_new(0);

	link_put_answer(&w, id, (uint16_t)status, body, len);
	if (wr_status(&w) == DSTACK_OK)
		(void)bufferevent_write(l->bev, w.buf, w.len);
}

/* In the loop again: both fronts may be written to, if they are still there. */
static void
request_done(void *arg)
{
	struct request *q = arg;
	static const char late[] = "the host service is ending";

	if (q->answer.status == 0) { /* it never ran */
		q->answer.status = 502;
		q->answer.type = "text/plain";
		wr_put(&q->answer.body, late, sizeof(late) - 1);
	}
	if (q->conn != NULL)
		http_answer(q->conn, q->answer.status, q->answer.type,
		    q->answer.body.buf, q->answer.body.len);
	if (q->link != NULL) {
		struct link *l = q->link;
		l->open--;
		if (l->bev != NULL) {
			link_send(l, q->id, q->answer.status,
			    q->answer.body.buf, q->answer.body.len);
			pump(l);
		} else {
			link_drop(l);
		}
	}
	wr_free(&q->answer.body);
	free(q->body);
	free(q);
}

/* Copies body. NULL: no memory or the queue is full. */
static struct request *
request_new(struct service *s, const char *path, const void *body, size_t len)
{
	struct request *q = calloc(1, sizeof(*q));
	size_t n = strlen(path);

	if (q == NULL)
		return NULL;
	q->body = malloc(len > 0 ? len : 1);
	if (q->body == NULL || n >= sizeof(q->path)) {
		free(q->body);
		free(q);
		return NULL;
	}
	q->s = s;
	memcpy(q->path, path, n + 1);
	if (len > 0)
		memcpy(q->body, body, len);
	q->len = len;
	return q;
}

static bool
request_submit(struct request *q)
{
	if (work_submit(q->s->pool, request_run, request_done, q))
		return true;
	free(q->body);
	free(q);
	return false;
}

static void
on_http(void *arg, struct http_conn *c, const struct http_in *in)
{
	struct service *s = arg;
	struct request *q = request_new(s, in->path, in->body, in->len);

	if (q != NULL) {
		q->conn = c;
		if (request_submit(q))
			return;
	}
	http_answer_text(c, 503, "the host service is busy; try again");
}

/* One frame is whole in the input; false: the peer is no guest of ours. */
static bool
take_frame(struct link *l, struct evbuffer *in, size_t rest)
{
	struct link_frame f;
	struct request *q = NULL;
	AUTO_FREE uint8_t *buf = malloc(rest + 1);

	if (buf == NULL)
		return false;
	(void)evbuffer_drain(in, LINK_HEAD);
	(void)evbuffer_remove(in, buf, rest);
	/* The host asks nothing over the link, so nothing can be answered. */
	if (link_decode(buf, rest, &f) != DSTACK_OK || f.answer)
		return false;
	q = request_new(l->s, f.path, f.body, f.len);
	if (q != NULL) {
		q->link = l;
		q->id = f.id;
		l->open++;
		if (request_submit(q))
			return true;
		l->open--;
	}
	static const char busy[] = "the host service is busy; try again";
	link_send(l, f.id, 503, busy, sizeof(busy) - 1);
	return true;
}

/* Take the frames that are there, as many as may be under way. */
static void
pump(struct link *l)
{
	struct evbuffer *in = bufferevent_get_input(l->bev);
	uint8_t head[LINK_HEAD];
	size_t rest = 0;

	while (l->open < LINK_OPEN_MAX &&
	    evbuffer_copyout(in, head, sizeof(head)) == (ssize_t)LINK_HEAD) {
		if (link_rest(head, &rest) != DSTACK_OK) {
			log_line("link: a frame is no frame; closed");
			link_drop(l);
			return;
		}
		if (evbuffer_get_length(in) < LINK_HEAD + rest)
			return;
		if (!take_frame(l, in, rest)) {
			log_line("link: a frame is malformed; closed");
			link_drop(l);
			return;
		}
	}
}

static void
on_link_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	pump(arg);
}

static void
on_link_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	link_drop(arg);
}

static void
on_link(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	struct service *s = arg;
	struct link *l = NULL;

	(void)listener;
	(void)sa;
	(void)len;
	/*
	 * QEMU makes one; a few more are a VM that starts while the last one
	 * ends.
	 */
	if (s->nlinks < LINKS_MAX)
		l = calloc(1, sizeof(*l));
	if (l != NULL)
		l->bev = bufferevent_socket_new(
		    s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (l == NULL || l->bev == NULL) {
		free(l);
		(void)close(fd);
		return;
	}
	l->s = s;
	LIST_INSERT_HEAD(&s->links, l, next);
	s->nlinks++;
	bufferevent_setcb(l->bev, on_link_read, NULL, on_link_event, l);
	/* A whole frame of the largest kind fits, and no more is read. */
	bufferevent_setwatermark(
	    l->bev, EV_READ, 0, LINK_HEAD + LINK_MAX_REST);
	(void)bufferevent_enable(l->bev, EV_READ | EV_WRITE);
}

static enum dstack_status
link_listen(struct service *s, const char *path, struct why *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat sb;

	if (strlen(path) >= sizeof(sun.sun_path))
		return why_set(why, DSTACK_E_LIMIT,
		    "link socket: the path is too long for a socket; use a "
		    "shorter folder");
	memcpy(sun.sun_path, path, strlen(path) + 1);
	memcpy(s->path, path, strlen(path) + 1);
	/*
	 * Left by a run that was killed; STATE_DIR is locked, so it is nobody's
	 * now.
	 */
	if (lstat(path, &sb) == 0 && S_ISSOCK(sb.st_mode))
		(void)unlink(path);
	mode_t old = umask(0177);
	s->listener = evconnlistener_new_bind(s->base, on_link, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 4,
	    (const struct sockaddr *)&sun, sizeof(sun));
	int e = errno;
	(void)umask(old);
	if (s->listener == NULL) {
		s->path[0] = '\0';
		return why_set(why, DSTACK_E_SYS, "link socket %s: %s", path,
		    strerror(e));
	}
	return DSTACK_OK;
}

enum dstack_status
service_new(struct event_base *base, struct router *router, const char *link,
    const struct listen_addr *http, struct service **out, struct why *why)
{
	struct http_limits limits = { .body_max = LINK_MAX_BODY,
		.conns = 64,
		.conns_per_ip = 64,
		.request_ms = 10000,
		.stall_ms = 10000 };
	struct service *s = calloc(1, sizeof(*s));
	enum dstack_status st;

	if (s == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	s->router = router;
	s->base = base;
	LIST_INIT(&s->links);
	st = work_new(base, WORKERS, QUEUE_MAX, &s->pool);
	if (st != DSTACK_OK)
		(void)why_set(why, st, "worker threads do not start");
	if (st == DSTACK_OK)
		st = link_listen(s, link, why);
	if (st == DSTACK_OK && http != NULL) {
		st = http_server_new(
		    base, http, &limits, on_http, s, &s->http, why);
		if (st != DSTACK_OK)
			(void)why_wrap(why, st, "HOST_SERVICE");
	}
	if (st != DSTACK_OK) {
		service_free(s);
		return st;
	}
	*out = s;
	return DSTACK_OK;
}

void
service_free(struct service *s)
{
	struct link *l;

	if (s == NULL)
		return;
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	/* Before links and connections go: their answers still need them. */
	work_free(s->pool); /* answers what was under way */
	while ((l = LIST_FIRST(&s->links)) != NULL)
		link_drop(l);
	http_server_free(s->http);
	if (s->path[0] != '\0')
		(void)unlink(s->path);
	free(s);
}

uint16_t
service_http_port(const struct service *s)
{
	return s->http != NULL ? http_server_port(s->http) : 0;
}
