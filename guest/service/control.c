/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane: what the host may ask the guest. GET /status and
 * POST /onboard, nothing else (THREATS T05).
 */
#include "guest/service/service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "protocol/messages.h"

#define KEYD_PUBLIC 14
#define KEYD_SECRET_KEY 26
#define VERIFIER_ONBOARD 1

static json_t *
hex_json(const void *p, size_t n)
{
	char text[2 + 64 + 1] = "0x";
	if (n > 32)
		return json_null();
	hex_encode(p, n, text + 2);
	return json_string(text);
}

static json_t *
app_json(const struct service *s)
{
	const struct service_app *app = NULL;
	bool egress = false;
	for (int i = 0; i < SERVICE_SLOTS; i++) {
		if (s->app[i].used &&
		    (app == NULL || s->app[i].version > app->version))
			app = &s->app[i];
	}
	/* the way out of one service is the app's */
	for (int i = 0; app != NULL && i < SERVICE_SLOTS; i++)
		egress = egress ||
		    (s->app[i].used && s->app[i].egress &&
			s->app[i].version == app->version);
	json_t *o = app == NULL
	    ? json_pack("{s:s}", "state", s->app_state)
	    : json_pack("{s:s, s:o, s:o, s:I, s:s, s:s}", "name", app->name,
		  "appId", hex_json(app->app_id, 32), "digest",
		  hex_json(app->digest, 32), "version",
		  (json_int_t)app->version, "egress",
		  egress ? "open" : "none", "state", s->app_state);
	if (o != NULL)
		service_life_json(o, &s->life, life_now());
	return o;
}

/* Bytes; null before they are known. */
static json_t *
memory_json(const struct service *s)
{
	if (s->memory == 0)
		return json_null();
	return json_pack("{s:I, s:I}", "total", (json_int_t)s->memory, "free",
	    (json_int_t)s->spare);
}

/*
 * The key that the app's owner seals to, with the network's word that it is
 * that; null before an app is known. Its reader believes the signature and not
 * this answer, which goes through the host.
 */
static json_t *
secret_key_json(const struct service *s)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	uint8_t pub[32], app_data[32], sig[65];
	char hex[2 * 65 + 3] = "0x";

	if (s->life.wanted == 0)
		return json_null();
	wr_put(&q, s->life.app_id, 32);
	enum dstack_status st = ipc_call(FD_EDGE + ROLE_KEYD, KEYD_SECRET_KEY,
	    &q, NULL, 0, &a, NULL);
	struct rd r = rd_over(a.buf, a.len);
	if (st != DSTACK_OK || rd_copy(&r, pub, 32) != DSTACK_OK ||
	    rd_copy(&r, app_data, 32) != DSTACK_OK ||
	    rd_copy(&r, sig, 65) != DSTACK_OK)
		return json_null();
	hex_encode(sig, 65, hex + 2);
	return json_pack("{s:o, s:o, s:o, s:s}", "appId",
	    hex_json(s->life.app_id, 32), "key", hex_json(pub, 32), "appData",
	    hex_json(app_data, 32), "sig", hex);
}

/* What the world may know anyway: it is all on the chain. */
static json_t *
status_json(const struct service *s)
{
	AUTO_WR struct wr a = wr_new(0);
	uint64_t epoch;
	uint8_t xpub[20], commit[32], node[20];
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_PUBLIC, NULL, NULL, 0, &a, NULL);
	struct rd r = rd_over(a.buf, a.len);
	/* keyd answers only once there is an active secret. */
	if (st != DSTACK_OK || rd_u64be(&r, &epoch) != DSTACK_OK ||
	    rd_copy(&r, xpub, 20) != DSTACK_OK ||
	    rd_copy(&r, commit, 32) != DSTACK_OK ||
	    rd_copy(&r, node, 20) != DSTACK_OK)
		return json_pack(
		    "{s:s, s:o, s:o, s:b}", "state", "joining", "app",
		    app_json(s), "memory", memory_json(s), "egress",
		    (int)s->egress);
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:o}", "state",
	    "onboarded", "epoch", (json_int_t)epoch, "xPub", hex_json(xpub, 20),
	    "seedCommit", hex_json(commit, 32), "node", hex_json(node, 20),
	    "app", app_json(s), "memory", memory_json(s), "egress",
	    (int)s->egress, "heartbeat", (json_int_t)s->last_sign,
	    "secretKey", secret_key_json(s));
}

static void
reply_json(struct evhttp_request *req, int code, const void *p, size_t n)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", "application/json");
	if (b != NULL)
		(void)evbuffer_add(b, p, n);
	evhttp_send_reply(req, code, "OK", b);
	if (b != NULL)
		evbuffer_free(b);
}

static void
on_status(struct evhttp_request *req, void *arg)
{
	if (evhttp_request_get_command(req) != EVHTTP_REQ_GET) {
		service_text(req, 405, "only GET");
		return;
	}
	json_t *j = status_json(arg);
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	if (text != NULL)
		reply_json(req, 200, text, strlen(text));
	else
		service_text(req, 500, "out of memory");
	free(text);
	json_decref(j);
}

/*
 * The verifier's answer. It may take a while (proofs come through the host),
 * so the loop waits for it beside everything else.
 */
static void
on_verdict(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;
	struct evhttp_request *req = s->onboarding;
	AUTO_FREE uint8_t *buf = malloc(IPC_MAX);
	(void)what;
	ssize_t n = buf != NULL ? recv(fd, buf, IPC_MAX, 0) : -1;
	if (n <= 0) { /* the verifier is gone; init will end the VM */
		(void)event_base_loopbreak(s->base);
		return;
	}
	(void)event_del(s->verdict);
	s->onboarding = NULL;
	if (req == NULL)
		return; /* the asker went away meanwhile */
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(req), NULL, NULL);
	struct rd r = rd_over(buf, (size_t)n);
	uint8_t status;
	const uint8_t *p;
	size_t len;
	if (rd_u8(&r, &status) != DSTACK_OK) {
		service_text(req, 500, "verifier: bad answer");
		return;
	}
	if (status == IPC_YES && rd_blob(&r, IPC_MAX, &p, &len) == DSTACK_OK &&
	    rd_end(&r) == DSTACK_OK) {
		reply_json(req, 200, p, len);
		return;
	}
	char text[256];
	size_t k = rd_left(&r) < sizeof(text) - 1 ? rd_left(&r)
						  : sizeof(text) - 1;
	(void)!rd_copy(&r, text, k);
	text[k] = '\0';
	/* The asker may come again after a 503, and need not after a 403. */
	service_text(req, status == IPC_REFUSED ? 403 : 503, text);
}

static void
on_gone(struct evhttp_connection *conn, void *arg)
{
	(void)conn;
	struct service *s = arg;
	s->onboarding = NULL; /* the verdict is still awaited, then dropped */
}

static void
on_onboard(struct evhttp_request *req, void *arg)
{
	struct service *s = arg;
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t n = evbuffer_get_length(in);
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	if (evhttp_request_get_command(req) != EVHTTP_REQ_POST) {
		service_text(req, 405, "only POST");
		return;
	}
	/*
	 * One at a time: the verifier has one edge, and a second host may ask
	 * again in a moment.
	 */
	if (event_pending(s->verdict, EV_READ, NULL)) {
		service_text(req, 503, "busy with another request; ask again");
		return;
	}
	wr_u8(&q, VERIFIER_ONBOARD);
	wr_u32be(&q, (uint32_t)n);
	unsigned char *body = n != 0 ? evbuffer_pullup(in, -1) : NULL;
	/* libevent bounds the body too; here the bound is the message's own. */
	if (body == NULL || n > MSG_MAX) {
		service_text(req, 413, "an onboard request has 1 to 131072 bytes");
		return;
	}
	wr_put(&q, body, n);
	if (wr_status(&q) != DSTACK_OK ||
	    send(FD_EDGE + ROLE_VERIFIER, q.buf, q.len, MSG_NOSIGNAL) !=
		(ssize_t)q.len ||
	    event_add(s->verdict, NULL) != 0) {
		service_text(req, 500, "verifier cannot be asked");
		return;
	}
	s->onboarding = req;
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(req), on_gone, s);
}

/* By the bytes as sent: no decoding, no query, no other spelling. */
static void
on_request(struct evhttp_request *req, void *arg)
{
	const char *uri = evhttp_request_get_uri(req);

	if (strcmp(uri, "/status") == 0)
		on_status(req, arg);
	else if (strcmp(uri, "/onboard") == 0)
		on_onboard(req, arg);
	else
		service_text(req, 404,
		    "the control plane has GET /status and POST /onboard");
}

enum dstack_status
service_control_start(struct service *s, int listener, struct why *why)
{
	s->verdict = event_new(s->base, FD_EDGE + ROLE_VERIFIER,
	    EV_READ | EV_PERSIST, on_verdict, s);
	s->control = service_plane_open(
	    s->base, listener, SERVICE_CONNECTIONS, on_request, s);
	if (s->verdict == NULL || s->control == NULL)
		return why_set(why, DSTACK_E_SYS, "control listener");
	struct evhttp *h = service_plane_http(s->control);
	evhttp_set_allowed_methods(h, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_body_size(h, MSG_MAX);
	evhttp_set_timeout(h, SERVICE_TIMEOUT_S * 6);
	return DSTACK_OK;
}
