/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host service's paths, for both fronts: the guest's link, and HTTP on
 * loopback for programs that speak to the original's. A request is a path and a
 * body of at most LINK_MAX_BODY; the path is cut at its slashes, and number and
 * names of its parts decide who handles it. Answers have HTTP's statuses, and a
 * body that is one line of text where it is not 200. Guests hold what comes
 * from here for a lie until it is proven, so nothing here protects a guest; the
 * bounds protect the host from the guest, whose app may be anybody's.
 */
#include "host/service/route.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "host/base/files.h"
#include "host/base/logs.h"
#include "host/http/form.h"
#include "host/service/route_priv.h"
#include "protocol/volume.h"
#include "protocol/link.h"

static const char type_json[] = "application/json";

bool
route_decimal(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (*s == '\0' || strlen(s) > 18)
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*out = v;
	return true;
}

static void
file_get(struct router *r, char **arg, struct route_answer *a)
{
	uint64_t offset = 0;
	uint64_t len = 0;
	struct why why = { "" };

	if (!route_decimal(arg[1], &offset) || !route_decimal(arg[2], &len) ||
	    /* In front of the bytes stands the file's size, 8 bytes. */
	    len > LINK_MAX_BODY - 8) {
		route_text(a, 400, "/file/NAME/OFFSET/LENGTH: bad number");
		return;
	}
	a->status = 200;
	a->type = "application/octet-stream";
	enum dstack_status st = files_read(
	    r->volume, arg[0], offset, (size_t)len, &a->body, &why);
	if (st == DSTACK_E_MISSING)
		route_text(a, 404, why.text);
	else if (st == DSTACK_E_REJECTED)
		route_text(a, 400, why.text);
	else if (st != DSTACK_OK)
		route_fail(a, st, &why);
}

static void
file_list(struct router *r, struct route_answer *a)
{
	struct why why = { "" };

	a->status = 200;
	a->type = "text/plain";
	enum dstack_status st = files_list(r->volume, &a->body, &why);
	if (st != DSTACK_OK)
		route_fail(a, st, &why);
}

static void
file_put(struct router *r, char **arg, const struct route_body *in,
    struct route_answer *a)
{
	struct why why = { "" };
	enum dstack_status st =
	    files_put(r->volume, arg[0], in->p, in->len, &why);

	if (st == DSTACK_E_REJECTED)
		route_text(a, 400, why.text);
	else if (st != DSTACK_OK)
		route_fail(a, st, &why);
	else
		route_text(a, 200, "");
}

/* A batch of the app's output, for its owner to fetch. */
static void
log_keep(struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct why why = { "" };
	enum dstack_status st = logs_keep(r->volume, in->p, in->len, &why);

	if (st == DSTACK_E_FORMAT || st == DSTACK_E_REJECTED)
		route_text(a, 400, why.text);
	else if (st != DSTACK_OK)
		route_fail(a, st, &why);
	else
		route_text(a, 200, "");
}

/*
 * Guests read the chain with eth_ methods. Others (a development chain has
 * some that rewrite it) are not passed on.
 */
static void
rpc_forward(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct why why = { "" };
	json_t *q = json_loadb(
	    (const char *)in->p, in->len, JSON_REJECT_DUPLICATES, NULL);
	const char *m = json_string_value(json_object_get(q, "method"));
	/* An array (a batch) has no "method" and is refused too. */
	bool ok = m != NULL && strncmp(m, "eth_", 4) == 0;
	/* what every role of the guest asks for, once a block */
	const bool kept = ok && (strcmp(m, "eth_getBlockByNumber") == 0 ||
		strcmp(m, "eth_getProof") == 0);

	json_decref(q);
	if (!ok) {
		route_text(a, 400, "one JSON-RPC call of an eth_ method");
		return;
	}
	a->status = 200;
	a->type = type_json;
	enum dstack_status st = (kept ? rpc_pass_kept : rpc_pass)(
	    r->rpc, in->p, in->len, &a->body, &why);
	if (st == DSTACK_E_LIMIT || wr_status(&a->body) != DSTACK_OK)
		route_text(a, 502, "chain RPC: the answer is too large");
	else if (st != DSTACK_OK)
		route_fail(a, st, &why);
}

/* The key that the volume was made with lets this account run its node. */
static enum dstack_status
owner_says(const struct router *r, struct msg_node *m)
{
	uint8_t digest[32];
	AUTO_WIPE32 struct secret32 extra = { { 0 } };

	if (getrandom(extra.b, sizeof(extra.b), 0) != (ssize_t)sizeof(extra.b))
		return DSTACK_E_SYS;
	volume_owner_digest(r->cfg->chain_id, r->cfg->contract, m->submitter,
	    m->owner, m->index, digest);
	return secp_sign(&r->cfg->node_key, digest, extra.b, m->owner_sig);
}

static void
node_get(struct router *r, struct route_answer *a)
{
	struct msg_node m = { .index = r->cfg->index };

	memcpy(m.submitter, r->cfg->submitter, 20);
	memcpy(m.payee, r->cfg->payee, 20);
	memcpy(m.owner, r->cfg->owner, 20);
	m.has_owner = memcmp(m.owner, m.submitter, 20) != 0;
	if (m.has_owner && owner_says(r, &m) != DSTACK_OK) {
		route_text(a, 500, "NODE_KEY does not sign");
		return;
	}
	a->status = 200;
	a->type = type_json;
	msg_node_build(&a->body, &m);
}

static void
collateral(struct router *r, char **arg, struct route_answer *a)
{
	struct why why = { "" };

	a->status = 200;
	a->type = type_json;
	enum dstack_status st = collateral_get(
	    r->collateral, DCAP_TEE_TDX, arg[0], arg[1], &a->body, &why);
	if (st != DSTACK_OK)
		route_fail(a, st, &why);
}

/* Cut path at its slashes into at most four parts. */
static size_t
parts(char *path, char *part[static 4])
{
	size_t n = 0;
	char *p = path;

	if (*p++ != '/')
		return 0;
	for (;;) {
		if (n == 4)
			return 0;
		part[n++] = p;
		p = strchr(p, '/');
		if (p == NULL)
			return n;
		*p++ = '\0';
	}
}

static void
not_found(struct route_answer *a)
{
	route_text(a, 404, "the host service has no such path");
}

/* The two that the original took as forms; JSON goes on as it is. */
static void
or_form(struct router *r, const char *what, const struct route_body *in,
    struct route_answer *a,
    void (*handle)(struct router *, const struct route_body *,
        struct route_answer *))
{
	struct route_body json = *in;
	struct why why = { "" };
	AUTO_WR struct wr text = wr_new(LINK_MAX_BODY);

	if (form_is(in->p, in->len)) {
		enum dstack_status st =
		    form_json(what, in->p, in->len, &text, &why);
		if (st != DSTACK_OK) {
			route_fail(a, st, &why);
			return;
		}
		json = (struct route_body){ .p = text.buf, .len = text.len };
	}
	handle(r, &json, a);
}

/* A list rather than a table: each has its own arguments. */
static void
one_part(struct router *r, const char *name, const struct route_body *in,
    struct route_answer *a)
{
	if (strcmp(name, "rpc") == 0)
		rpc_forward(r, in, a);
	else if (strcmp(name, "node") == 0)
		node_get(r, a);
	else if (strcmp(name, "files") == 0)
		file_list(r, a);
	else if (strcmp(name, "log") == 0)
		log_keep(r, in, a);
	else if (strcmp(name, "bootstrap") == 0)
		or_form(r, name, in, a, route_bootstrap);
	else if (strcmp(name, "register") == 0)
		or_form(r, name, in, a, route_register);
	else if (strcmp(name, "sign") == 0)
		route_sign(r, in, a);
	else if (strcmp(name, "signs") == 0)
		route_signs(r, a);
	else if (strcmp(name, "anchor") == 0)
		route_anchor(r, in, a);
	else
		not_found(a);
}

void
route_handle(struct router *r, const char *path, const void *body, size_t len,
    struct route_answer *out)
{
	char copy[LINK_MAX_PATH + 1];
	char *part[4];
	struct route_body in = { .p = body, .len = len };
	size_t n = strlen(path);

	memset(out, 0, sizeof(*out));
	out->body = wr_new(LINK_MAX_BODY);
	if (n >= sizeof(copy)) {
		not_found(out);
		return;
	}
	if (len > LINK_MAX_BODY) {
		route_text(out, 413, "body is too large");
		return;
	}
	memcpy(copy, path, n + 1);
	n = parts(copy, part);
	if (n == 1)
		one_part(r, part[0], &in, out);
	else if (n > 1 && strcmp(part[0], "beacon") == 0)
		route_beacon(r, part + 1, n - 1, &in, out);
	else if (n == 4 && strcmp(part[0], "file") == 0)
		file_get(r, part + 1, out);
	else if (n == 2 && strcmp(part[0], "put") == 0)
		file_put(r, part + 1, &in, out);
	else if (n == 2 && strcmp(part[0], "onboarded") == 0)
		route_onboarded(r, part[1], out);
	else if (n == 3 && strcmp(part[0], "collateral") == 0)
		collateral(r, part + 1, out);
	else if (n == 2 && strcmp(part[0], "bootstrap-quote") == 0)
		route_bootstrap_quote(r, part[1], out);
	else
		not_found(out);
}
