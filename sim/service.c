/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The original's quote service, for programs that speak to one: GET
 * /attestation/HEX gives a quote over those bytes, POST /verify takes a quote
 * and answers with its fields as JSON or 418. It is the simulator in a box by
 * itself: its guest measures as nothing, and a request chooses its report data,
 * which is exactly what made such a service no proof of anything (D13 in
 * docs/promises.md). It listens on an address that the caller names; one
 * thread, small bounds, nothing kept between requests but whether it is
 * drained.
 *
 * /verify accepts quotes under the simulator's root and under Intel's:
 * signatures and chain, not TCB or revocation, as the original did.
 */
#include "sim/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "dstack/dcap.h"
#include "sim/key.h"
#include "sim/teed.h"

#define BODY_MAX (64 * 1024)
#define HEADERS_MAX 8192
#define TEAPOT 418 /* RFC 2324, as the original answers */

struct service {
	struct teed tee;
	uint8_t sim_root[64];
	bool drained;
};

static void
reply(struct evhttp_request *req, int code, const char *type, const void *p,
    size_t n)
{
	struct evbuffer *body = evbuffer_new();
	if (body == NULL || evbuffer_add(body, p, n) != 0) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	} else {
		(void)evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Content-Type", type);
		evhttp_send_reply(req, code, NULL, body);
	}
	if (body != NULL)
		evbuffer_free(body);
}

static void
reply_text(struct evhttp_request *req, int code, const char *text)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_fmt(&w, "%s\n", text);
	reply(req, code, "text/plain; charset=utf-8", w.buf, w.len);
}

/* Bytes past the 64th are dropped, missing ones are zero, as ever. */
static void
attest(struct service *s, struct evhttp_request *req, const char *hex)
{
	uint8_t data[HEADERS_MAX / 2];
	size_t n = 0;
	/*
	 * The original took no 0x, and a program that sends one means something
	 * else.
	 */
	if (strlen(hex) == 0 || strncmp(hex, "0x", 2) == 0 ||
	    hex_decode_var(hex, strlen(hex), data, sizeof(data), &n) !=
		DSTACK_OK) {
		reply_text(req, HTTP_BADREQUEST,
		    "the path ends in the data as hex, two digits a byte");
		return;
	}
	struct sim_td_report *td = &s->tee.world.quote.td;
	memset(td->reportdata, 0, 64);
	memcpy(td->reportdata, data, n < 64 ? n : 64);
	AUTO_WR struct wr q = wr_new(0);
	if (sim_world_quote(&s->tee.world, &q) != DSTACK_OK)
		reply_text(req, HTTP_INTERNAL, "the quote could not be made");
	else
		reply(req, HTTP_OK, "application/octet-stream", q.buf, q.len);
}

static bool
genuine(const struct service *s, const uint8_t *p, size_t n, struct why *why)
{
	const uint8_t *const roots[] = { s->sim_root, dcap_intel_root };
	/*
	 * What is told on a no is the last root's reason: of Intel's, the
	 * likelier one to be meant.
	 */
	for (size_t i = 0; i < 2; i++) {
		struct dcap_verdict v;
		enum dcap_code code = DCAP_REFUSED;
		bool signatures = false;
		bool chain = false;
		if (dcap_inspect(p, n, (int64_t)time(NULL), roots[i],
			&signatures, &chain, &code, &v) == DSTACK_OK &&
		    signatures && chain)
			return true;
		*why = v.why;
	}
	return false;
}

static void
verify(struct service *s, struct evhttp_request *req)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t n = evbuffer_get_length(in);
	AUTO_WR struct wr json = wr_new(0);
	struct why why = { "" };
	if (n == 0 || n > SERVICE_MAX_QUOTE) {
		reply_text(req, HTTP_BADREQUEST,
		    "the body is a raw quote of 1 to 12800 bytes");
		return;
	}
	const uint8_t *p = evbuffer_pullup(in, -1);
	enum dstack_status st =
	    p == NULL ? DSTACK_E_NOMEM : service_quote_json(p, n, &json, &why);
	/*
	 * What is no quote is the sender's mistake (400), what does not hold is
	 * a verdict (418).
	 */
	if (st == DSTACK_E_FORMAT)
		reply_text(req, HTTP_BADREQUEST, why.text);
	else if (st != DSTACK_OK)
		reply_text(req, HTTP_INTERNAL, "no memory");
	else if (!genuine(s, p, n, &why))
		reply_text(req, TEAPOT, why.text);
	else
		reply(req, HTTP_OK, "application/json", json.buf, json.len);
}

static const char *
after(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static void
get(struct service *s, struct evhttp_request *req, const char *path)
{
	const char *hex = after(path, "/attest/");
	if (hex == NULL)
		hex = after(path, "/attestation/");
	if (hex != NULL) {
		attest(s, req, hex);
	} else if (strcmp(path, "/livez") == 0) {
		reply_text(req, HTTP_OK, "alive");
	} else if (strcmp(path, "/readyz") == 0) {
		reply_text(req, s->drained ? HTTP_SERVUNAVAIL : HTTP_OK,
		    s->drained ? "draining" : "ready");
	} else if (strcmp(path, "/drain") == 0 ||
	    strcmp(path, "/undrain") == 0) {
		s->drained = path[1] == 'd';
		reply_text(req, HTTP_OK, s->drained ? "draining" : "ready");
	} else {
		reply_text(req, HTTP_NOTFOUND, "no such path");
	}
}

static void
on_request(struct evhttp_request *req, void *ctx)
{
	struct service *s = ctx;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type cmd = evhttp_request_get_command(req);
	if (path == NULL)
		reply_text(req, HTTP_BADREQUEST, "no path");
	else if (cmd == EVHTTP_REQ_GET)
		get(s, req, path);
	else if (cmd == EVHTTP_REQ_POST && strcmp(path, "/verify") == 0)
		verify(s, req);
	else
		reply_text(req, HTTP_NOTFOUND, "no such path");
}

static void
on_stop(evutil_socket_t sig, short events, void *base)
{
	(void)sig;
	(void)events;
	(void)event_base_loopbreak(base);
}

/* "127.0.0.1:8080" into its two parts. */
static bool
split(const char *address, char host[INET_ADDRSTRLEN], uint16_t *port)
{
	const char *colon = strrchr(address, ':');
	struct in_addr any;
	char *end = NULL;
	if (colon == NULL || colon == address || colon[1] < '0' ||
	    colon[1] > '9' || (size_t)(colon - address) >= INET_ADDRSTRLEN)
		return false;
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	errno = 0;
	unsigned long v = strtoul(colon + 1, &end, 10);
	*port = (uint16_t)v;
	return errno == 0 && *end == '\0' && v <= 65535 &&
	    inet_pton(AF_INET, host, &any) == 1;
}

static enum dstack_status
serve(struct event_base *base, struct evhttp *http, const char *host,
    uint16_t port, struct why *why)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof(a);
	struct evhttp_bound_socket *bound =
	    evhttp_bind_socket_with_handle(http, host, port);
	if (bound == NULL)
		return why_set(why, DSTACK_E_SYS,
		    "%s:%u: %s; is the port taken?", host, port,
		    strerror(errno));
	(void)getsockname(evhttp_bound_socket_get_fd(bound),
	    (struct sockaddr *)&a, &len);
	log_line("quote service (simulated TEE) on http://%s:%u", host,
	    ntohs(a.sin_port));
	struct event *term = evsignal_new(base, SIGTERM, on_stop, base);
	struct event *intr = evsignal_new(base, SIGINT, on_stop, base);
	enum dstack_status st = DSTACK_OK;
	if (term == NULL || intr == NULL || event_add(term, NULL) != 0 ||
	    event_add(intr, NULL) != 0 || event_base_dispatch(base) < 0)
		st = why_set(why, DSTACK_E_SYS, "event loop: %s",
		    strerror(errno));
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	return st;
}

enum dstack_status
service_run(const char *address, struct why *why)
{
	char host[INET_ADDRSTRLEN];
	uint16_t port = 0;
	struct sim_measurements m;
	struct sim_boot boot = { .cmdline = "", .netcfg = "", .vcpus = 1,
		.memory_mib = 256 };
	AUTO_FREE struct service *s = calloc(1, sizeof(*s));
	AUTO_KEY EVP_PKEY *root = sim_key(SIM_KEY_ROOT);
	if (!split(address, host, &port))
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not ADDRESS:PORT", address);
	sha384("", 0, boot.kernel);
	sha384("", 0, boot.initramfs);
	sim_measure(&boot, &m);
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
	enum dstack_status st = DSTACK_E_NOMEM;
	if (s != NULL && root != NULL && http != NULL &&
	    sim_key_public(root, s->sim_root)) {
		teed_init(&s->tee, "quote-service", &m);
		evhttp_set_max_body_size(http, BODY_MAX);
		evhttp_set_max_headers_size(http, HEADERS_MAX);
		evhttp_set_timeout(http, 30);
		evhttp_set_allowed_methods(http,
		    EVHTTP_REQ_GET | EVHTTP_REQ_POST);
		evhttp_set_gencb(http, on_request, s);
		st = serve(base, http, host, port, why);
	} else {
		(void)why_set(why, st, "quote service: no memory");
	}
	if (http != NULL)
		evhttp_free(http);
	if (base != NULL)
		event_base_free(base);
	return st;
}
