/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app may know of the network that it runs in: GET /config, /peers
 * and /quote/HEX, on both listeners of its container. All of it is public;
 * it is asked for by the app alone so that nobody makes this node work.
 *
 * /peers is the one answer that the host's RPC has a part in. Who asks it
 * waits for the chain; within half a minute the last answer is given again,
 * so that an app in a loop does not keep the role from its other duties.
 */
#include "guest/service/service.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/chain/chain.h"
#include "guest/keyd/keyd.h"
#include "guest/tee/tee.h"

#define PEERS_SECONDS 30
#define MAX_DATA 2048u /* bytes of /quote's: the request line has to hold it */

/* What keyd says of this node, and the key of all fronts of the epoch. */
struct self {
	uint64_t epoch;
	uint8_t xpub[20];
	uint8_t node[20];
	uint8_t point[65];
	uint8_t app_data[32];
	uint8_t sig[65];
};

static enum dstack_status
ask_keyd(struct self *s, struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr f = wr_new(0);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_PUBLIC, NULL, NULL, 0, &a, why);
	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_KEYD, KEYD_OP_FRONT, NULL, NULL,
		    0, &f, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	struct rd p = rd_over(f.buf, f.len);
	if (rd_u64be(&r, &s->epoch) != DSTACK_OK ||
	    rd_copy(&r, s->xpub, 20) != DSTACK_OK ||
	    rd_skip(&r, 32) != DSTACK_OK ||
	    rd_copy(&r, s->node, 20) != DSTACK_OK ||
	    rd_copy(&p, s->point, 65) != DSTACK_OK ||
	    rd_copy(&p, s->app_data, 32) != DSTACK_OK ||
	    rd_copy(&p, s->sig, 65) != DSTACK_OK ||
	    rd_end(&p) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	return DSTACK_OK;
}

static json_t *
hex_json(const void *p, size_t n)
{
	char text[2 + 2 * 65 + 1] = "0x";
	if (n > 65)
		return NULL;
	hex_encode(p, n, text + 2);
	return json_string(text);
}

/* The key in which HTTPS ends on every node, and the network's word for it. */
static json_t *
front_json(const struct self *s)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "tag", "unstoppable_tls",
	    "publicKey", hex_json(s->point, 65), "appData",
	    hex_json(s->app_data, 32), "signature", hex_json(s->sig, 65));
}

static char *
config(const struct service_app *app, const struct self *s)
{
	const struct netcfg *cfg = &app->service->chain->cfg;
	json_t *o = json_pack(
	    "{s:s, s:o, s:o, s:I, s:I, s:s, s:I, s:o, s:o, s:o, s:o}", "name",
	    app->name, "appId", hex_json(app->app_id, 32), "digest",
	    hex_json(app->digest, 32), "version", (json_int_t)app->version,
	    "epoch", (json_int_t)s->epoch, "domain", cfg->tls_domain,
	    "chainId", (json_int_t)cfg->chain_id, "contract",
	    hex_json(cfg->contract, 20), "xPub", hex_json(s->xpub, 20), "node",
	    hex_json(s->node, 20), "front", front_json(s));
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static enum dstack_status
peers(const struct service_app *app, const struct self *s, char **out,
    struct why *why)
{
	struct chain *c = app->service->chain;
	struct chain_node node[CHAIN_MAX_NODES];
	size_t n = 0;
	enum dstack_status st =
	    chain_nodes(c, s->epoch, s->node, node, &n, why);
	if (st != DSTACK_OK)
		return st;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:o, s:I, s:o}", "node",
			hex_json(node[i].node, 20), "heartbeat",
			(json_int_t)node[i].time, "publicKey",
			hex_json(s->point, 65)));
	json_t *o = json_pack("{s:s, s:I, s:o, s:o}", "domain",
	    c->cfg.tls_domain, "epoch", (json_int_t)s->epoch, "front",
	    front_json(s), "peers", list);
	*out = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return *out != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

/* The cached answer, or a new one that is cached. */
static enum dstack_status
peers_of(const struct service_app *app, const struct self *s, char **out,
    struct why *why)
{
	struct service *v = app->service;
	struct timespec now = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	if (v->peers == NULL || now.tv_sec >= v->peers_until) {
		char *text = NULL;
		enum dstack_status st = peers(app, s, &text, why);
		if (st != DSTACK_OK)
			return st;
		free(v->peers);
		v->peers = text;
		(void)clock_gettime(CLOCK_BOOTTIME, &now);
		v->peers_until = now.tv_sec + PEERS_SECONDS;
	}
	*out = strdup(v->peers);
	return *out != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

static void
reply(struct evhttp_request *req, const char *type, const void *p, size_t n)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *b = evbuffer_new();
	(void)evhttp_add_header(h, "Content-Type", type);
	if (b != NULL)
		(void)evbuffer_add(b, p, n);
	evhttp_send_reply(req, 200, "OK", b);
	if (b != NULL)
		evbuffer_free(b);
}

/*
 * A quote under the purpose of apps: its report_data has the app's id in it,
 * by hash, so that whose it is can be checked without the log of RTMR3.
 */
static enum dstack_status
quote(const struct service_app *app, const char *hex, struct wr *out,
    struct why *why)
{
	uint8_t data[MAX_DATA];
	size_t n = 0;
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	const uint8_t *p;
	if (hex_decode_var(hex, strlen(hex), data, sizeof(data), &n) !=
	    DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "/quote/<hex> takes hex of at most %u bytes", MAX_DATA);
	wr_put(&ask, app->app_id, 32);
	wr_blob(&ask, data, n);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_TEE, TEE_QUOTE_APP, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_blob(&r, IPC_MAX, &p, &n) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "tee: bad answer");
	wr_put(out, p, n);
	return wr_status(out);
}

bool
service_about(struct evhttp_request *req, const struct service_app *app)
{
	const char *uri = evhttp_request_get_uri(req);
	AUTO_WR struct wr bytes = wr_new(0);
	AUTO_FREE char *text = NULL;
	struct self self = { .epoch = 0 };
	struct why why = { "" };
	enum dstack_status st;
	if (strncmp(uri, "/quote/", 7) == 0) {
		st = quote(app, uri + 7, &bytes, &why);
	} else if (strcmp(uri, "/config") == 0 || strcmp(uri, "/peers") == 0) {
		st = ask_keyd(&self, &why);
		if (st == DSTACK_OK && uri[1] == 'p')
			st = peers_of(app, &self, &text, &why);
		else if (st == DSTACK_OK)
			text = config(app, &self);
	} else {
		return false;
	}
	if (st == DSTACK_OK && text != NULL)
		reply(req, "application/json", text, strlen(text));
	else if (st == DSTACK_OK && bytes.len > 0)
		reply(req, "application/octet-stream", bytes.buf, bytes.len);
	else if (st == DSTACK_E_REJECTED)
		service_text(req, 400, why.text);
	else if (st == DSTACK_E_BUSY)
		service_text(req, 503, "this node has not joined yet; ask again");
	else if (uri[1] == 'p')
		service_text(req, 503, "the chain is not seen now; ask again");
	else
		service_text(req, 500, "the guest could not answer; ask again");
	return true;
}
