/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app plane: http://dstack-guest/ of one container, and the same on its
 * Unix socket. Who asks is known from the listener, never from the request.
 */
#include "guest/service/service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/service/sdk.h"
#include "protocol/keytree.h"

#define KEYD_GETKEY 11
#define KEYD_ATTEST 12
#define DIRECTLY "ask http://dstack-guest/ directly, from the app itself"
#define DATA_MAX 4096u /* bytes of appdata that an app may have attested */

void
service_text(struct evhttp_request *req, int code, const char *text)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", "text/plain");
	if (b != NULL)
		(void)evbuffer_add_printf(b, "%s\n", text);
	evhttp_send_reply(req, code, code < 300 ? "OK" : "No", b);
	if (b != NULL)
		evbuffer_free(b);
}

static void
reply_bytes(struct evhttp_request *req, const void *p, size_t n)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", "application/octet-stream");
	if (b != NULL)
		(void)evbuffer_add(b, p, n);
	evhttp_send_reply(req, 200, "OK", b);
	if (b != NULL)
		evbuffer_free(b);
}

/* The container's Unix socket, which no name leads to. */
static bool
by_socket(struct evhttp_request *req)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);
	const int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(req)));

	return getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
	    a.ss_family == AF_UNIX;
}

static bool
begins(const char *name, const char *start)
{
	return evutil_ascii_strncasecmp(name, start, strlen(start)) == 0;
}

/* A line of the head that only a browser or a proxy would have put there. */
static bool
odd(const struct evkeyval *kv)
{
	static const char *const names[] = { "Forwarded", "Via", "Origin",
		"Referer", "X-Real-IP", "Cookie" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (evutil_ascii_strcasecmp(kv->key, names[i]) == 0)
			return true;
	}
	/*
	 * Node's fetch says this of itself, and nothing else that begins so.
	 * From a browser it would come with an Origin and with its siblings,
	 * which no script can take away (Fetch, 3.2 and Fetch Metadata, 2).
	 */
	if (evutil_ascii_strcasecmp(kv->key, "Sec-Fetch-Mode") == 0)
		return strcmp(kv->value, "cors") != 0;
	return strpbrk(kv->key, " \t") != NULL || /* "Host : a": RFC 9112, 5.1 */
	    begins(kv->key, "Sec-") || begins(kv->key, "X-Forwarded-") ||
	    begins(kv->key, "Proxy-");
}

/*
 * A browser or a proxy between the asker and us means that the app is being
 * used as a stepping stone (SSRF, DNS rebinding): refuse (THREATS T33). On
 * the socket there is no name to bind anew, so Host may be what it likes:
 * libraries write "localhost" there.
 */
static bool
direct(struct evhttp_request *req)
{
	const bool local = by_socket(req);
	const struct evkeyval *kv;
	int hosts = 0;

	TAILQ_FOREACH (kv, evhttp_request_get_input_headers(req), next) {
		if (odd(kv))
			return false;
		/*
		 * Exactly one Host, and it is ours: a name of the attacker's
		 * that was bound to our address shows here.
		 */
		if (evutil_ascii_strcasecmp(kv->key, "Host") != 0)
			continue;
		hosts++;
		if (!local && strcmp(kv->value, "dstack-guest") != 0 &&
		    strcmp(kv->value, "dstack-guest:80") != 0)
			return false;
	}
	return hosts == 1;
}

/* Split "/verb/tag[/hex]" without decoding anything. */
static bool
split(const char *uri, char verb[static 16], char tag[static KEYTREE_TAG_MAX + 1],
    const char **rest)
{
	const char *a = uri[0] == '/' ? uri + 1 : uri;
	const char *b = strchr(a, '/');
	if (b == NULL || (size_t)(b - a) >= 16)
		return false;
	memcpy(verb, a, (size_t)(b - a));
	verb[b - a] = '\0';
	const char *c = strchr(++b, '/');
	size_t n = c != NULL ? (size_t)(c - b) : strlen(b);
	if (n > KEYTREE_TAG_MAX)
		return false;
	memcpy(tag, b, n);
	tag[n] = '\0';
	*rest = c != NULL ? c + 1 : NULL;
	return true;
}

/*
 * What keyd refuses is the asker's mistake and is told; what fails inside is
 * not for the app to read.
 */
static void
refuse(struct evhttp_request *req, enum dstack_status st, const struct why *why)
{
	if (st == DSTACK_E_BUSY)
		service_text(req, 503, "this node has not joined yet; ask again");
	else if (st == DSTACK_E_REJECTED)
		service_text(req, 400, why->text);
	else
		service_text(req, 500, "the key service does not answer");
}

void
service_own(const struct service_app *app, const char *name, struct wr *ask)
{
	AUTO_WR struct wr own = wr_new(0);
	if (app->own[0] != '\0')
		wr_fmt(&own, "%s/", app->own);
	wr_str(&own, name);
	wr_blob(ask, own.buf, own.len);
	/* a part of a name is another's name */
	if (wr_status(&own) != DSTACK_OK)
		ask->st = DSTACK_E_NOMEM;
}

static void
getkey(struct evhttp_request *req, const struct service_app *app, const char *tag)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct why why = { "" };
	char hex[65];
	wr_put(&q, app->app_id, 32);
	service_own(app, tag, &q);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_GETKEY, &q, NULL, 0, &a, &why);
	if (st != DSTACK_OK || a.len != 32) {
		refuse(req, st, &why);
		return;
	}
	hex_encode(a.buf, 32, hex);
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", "text/plain");
	(void)evhttp_add_header(h, "Cache-Control", "no-store");
	if (b != NULL)
		(void)evbuffer_add(b, hex, 64);
	/* The copy in libevent's buffer lives until it is sent. */
	explicit_bzero(hex, sizeof(hex));
	evhttp_send_reply(req, 200, "OK", b);
	if (b != NULL)
		evbuffer_free(b);
}

/* attest answers the signature, appdata the 32 bytes that are signed. */
static void
attest(struct evhttp_request *req, const struct service_app *app,
    const char *tag, const char *hex, bool signature)
{
	uint8_t data[DATA_MAX];
	size_t n;
	struct why why = { "" };
	if (hex_decode_var(hex, strlen(hex), data, sizeof(data), &n) !=
	    DSTACK_OK) {
		service_text(req, 400,
		    "appdata is not hex of at most 4096 bytes: "
		    "/attest/<tag>/<hex>");
		return;
	}
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&q, app->app_id, 32);
	service_own(app, tag, &q);
	wr_blob(&q, data, n);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_ATTEST, &q, NULL, 0, &a, &why);
	if (st != DSTACK_OK || a.len != 32 + 65) {
		refuse(req, st, &why);
		return;
	}
	if (signature)
		reply_bytes(req, a.buf + 32, 65);
	else
		reply_bytes(req, a.buf, 32);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	const struct service_app *app = arg;
	const char *uri = evhttp_request_get_uri(req);
	char verb[16], tag[KEYTREE_TAG_MAX + 1];
	const char *rest = NULL;
	/*
	 * The order: method, who stands between, path, tag; the key service is
	 * asked last. The SDK's calls exist on the socket alone: what can be
	 * made to POST over a network is more than what can be made to open a
	 * file.
	 */
	if (by_socket(req) && sdk_is(req)) {
		if (direct(req))
			sdk_serve(req, app);
		else
			sdk_error(req, 403, DIRECTLY);
		return;
	}
	if (evhttp_request_get_command(req) != EVHTTP_REQ_GET) {
		service_text(req, 405, "only GET");
		return;
	}
	if (!direct(req)) {
		service_text(req, 403, DIRECTLY);
		return;
	}
	if (service_about(req, app))
		return;
	if (!split(uri, verb, tag, &rest)) {
		service_text(req, 404,
		    "there is /getkey/<tag>, /attest/<tag>/<hex>, "
		    "/appdata/<tag>/<hex>, /quote/<hex>, /config, /peers");
		return;
	}
	if (!keytree_tag_ok(tag)) {
		service_text(req, 400,
		    "a tag is 1 to 64 of A-Z a-z 0-9 . _ -, not . or ..");
		return;
	}
	if (strcmp(verb, "getkey") == 0 && rest == NULL)
		getkey(req, app, tag);
	else if (strcmp(verb, "attest") == 0 && rest != NULL)
		attest(req, app, tag, rest, true);
	else if (strcmp(verb, "appdata") == 0 && rest != NULL)
		attest(req, app, tag, rest, false);
	else
		service_text(req, 404,
		    "there is /getkey/<tag>, /attest/<tag>/<hex>, "
		    "/appdata/<tag>/<hex>, /quote/<hex>, /config, /peers");
}

/*
 * The address of the listener says whose it is: 10.88.SLOT.1, which only the
 * guest can bind.
 */
int
service_slot_of(int tcp)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	if (getsockname(tcp, (struct sockaddr *)&a, &n) != 0 ||
	    n != sizeof(a) || a.sin_family != AF_INET)
		return -1;
	uint32_t ip = ntohl(a.sin_addr.s_addr);
	uint32_t slot = ip >> 8 & 0xff;
	if (ip >> 16 != (10u << 8 | 88) || (ip & 0xff) != 1 ||
	    slot >= SERVICE_SLOTS)
		return -1;
	return (int)slot;
}

static struct service_plane *
serve(struct service *s, int fd, bool local, struct service_app *app)
{
	struct service_plane *p = service_plane_open(
	    s->base, fd, SERVICE_CONNECTIONS, on_request, app);
	if (p == NULL)
		return NULL;
	struct evhttp *h = service_plane_http(p);
	evhttp_set_allowed_methods(
	    h, local ? EVHTTP_REQ_GET | EVHTTP_REQ_POST : EVHTTP_REQ_GET);
	evhttp_set_max_body_size(h, local ? SDK_MAX_BODY : 1024);
	evhttp_set_timeout(h, SERVICE_TIMEOUT_S);
	return p;
}

enum dstack_status
service_app_listen(
    struct service *s, int slot, int tcp, int local, struct why *why)
{
	struct service_app *app = &s->app[slot];
	app->tcp = serve(s, tcp, false, app);
	app->local = app->tcp != NULL ? serve(s, local, true, app) : NULL;
	if (app->local == NULL) {
		if (app->tcp != NULL)
			/*
			 * Both or none: an app with half its plane would be
			 * told another reason on each.
			 */
			service_plane_close(app->tcp); /* closes tcp */
		else
			(void)close(tcp);
		(void)close(local);
		app->tcp = NULL;
		return why_set(why, DSTACK_E_NOMEM, "app plane of slot %d", slot);
	}
	app->service = s;
	app->used = true;
	return DSTACK_OK;
}

void
service_app_gone(struct service *s, int slot)
{
	struct service_app *app = &s->app[slot];
	service_plane_close(app->tcp);
	service_plane_close(app->local);
	memset(app, 0, sizeof(*app));
}
