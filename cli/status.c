/* SPDX-License-Identifier: Apache-2.0 */
/* dstack status: what a kept network, or one node, is at. */
#include "cli/cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "cli/network.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/governance.h"
#include "host/http_client.h"
#include "host/proc.h"

static const char usage[] =
    "usage: dstack status [--json] [--dir DIR]\n"
    "  --dir DIR   of dstack demo (default build/demo)";

/* "not after" of the certificate in a host volume, or NULL. */
static json_t *
certificate(const char *node_dir)
{
	char path[200];
	char text[64] = "";
	int n = 0;

	(void)snprintf(
	    path, sizeof(path), "%s/host_volume/certificate.pem", node_dir);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return json_null();
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	(void)fclose(f);
	BIO *b = BIO_new(BIO_s_mem());
	if (x != NULL && b != NULL &&
	    ASN1_TIME_print(b, X509_get0_notAfter(x)) == 1)
		n = BIO_read(b, text, (int)sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)BIO_free(b);
	X509_free(x);
	return n > 0 ? json_string(text) : json_null();
}

/* What the guest says of itself on the control plane, or null. */
static json_t *
guest_status(const char *control)
{
	char url[120];
	unsigned status = 0;
	AUTO_WR struct wr out = wr_new(65536);
	struct http_request q = { .url = url,
		.max = 65536,
		.timeout_ms = 3000 };

	(void)snprintf(url, sizeof(url), "%s/status", control);
	if (http_do(&q, &status, &out, NULL, NULL) != DSTACK_OK ||
	    status != 200)
		return json_null();
	json_t *v = json_loadb((const char *)out.buf, out.len,
	    JSON_REJECT_DUPLICATES, NULL);
	return v != NULL ? v : json_null();
}

static json_t *
node_json(const struct network_info *net, unsigned i)
{
	char dir[128];
	struct node_status s;

	(void)snprintf(dir, sizeof(dir), "%s/node%u", net->dir, i);
	if (node_status_read(dir, &s, NULL) != DSTACK_OK)
		return json_pack("{s:i,s:b}", "index", (int)i, "alive", 0);
	return json_pack("{s:i,s:b,s:s,s:s,s:s,s:s,s:o,s:o}", "index", (int)i,
	    "alive", s.alive, "phase", s.phase, "guest", s.guest, "https",
	    s.https, "control", s.control, "certificate", certificate(dir),
	    "status", s.alive ? guest_status(s.control) : json_null());
}

static enum dstack_status
collect(const struct network_info *net, json_t **out, struct why *why)
{
	AUTO_RPC struct rpc *rpc = rpc_new(net->rpc);
	struct gov gov = { .rpc = rpc, .chain_id = DEMO_CHAIN_ID };
	struct gov_view v;
	char contract[43];
	char xpub[43];

	if (rpc == NULL)
		return DSTACK_E_NOMEM;
	memset(&v, 0, sizeof(v));
	memcpy(gov.contract, net->contract, 20);
	enum dstack_status st = gov_read(&gov, &v, why);
	if (st != DSTACK_OK)
		return st;
	eip55(net->contract, contract);
	eip55(v.epoch.xpub, xpub);
	json_t *nodes = json_array();
	for (unsigned i = 0; i < net->nodes; i++)
		(void)json_array_append_new(nodes, node_json(net, i));
	*out = json_pack(
	    "{s:i,s:s,s:s,s:s,s:I,s:s,s:{s:s,s:o,s:I,s:b},s:o}", "pid",
	    net->pid, "rpc", net->rpc, "contract", contract, "ca",
	    net->ca_file, "epoch", (json_int_t)v.head.current_epoch, "xPub",
	    xpub, "app", "name", v.app.name, "digest",
	    eth_json_hex(v.app.digest, 32), "version",
	    (json_int_t)v.app.version, "stopped", v.app.stopped, "nodes",
	    nodes);
	return *out != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

static const char *
str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

static void
print_people(const json_t *o)
{
	const json_t *app = json_object_get(o, "app");
	const json_t *nodes = json_object_get(o, "nodes");
	size_t i;
	json_t *n;

	printf("contract  %s on %s\n", str(o, "contract"), str(o, "rpc"));
	printf("epoch     %" JSON_INTEGER_FORMAT ", xPub %s\n",
	    json_integer_value(json_object_get(o, "epoch")), str(o, "xPub"));
	printf("app       %s version %" JSON_INTEGER_FORMAT " %s\n",
	    str(app, "name"),
	    json_integer_value(json_object_get(app, "version")),
	    str(app, "digest"));
	json_array_foreach((json_t *)(uintptr_t)nodes, i, n)
	{
		char *text = json_dumps(json_object_get(n, "status"),
		    JSON_COMPACT | JSON_ENCODE_ANY);
		printf("node %zu    %s, %s, %s, certificate until %s\n"
		       "          guest says %s\n",
		    i,
		    json_is_true(json_object_get(n, "alive")) ? "up" : "DOWN",
		    str(n, "phase"), str(n, "https"), str(n, "certificate"),
		    text != NULL ? text : "-");
		free(text);
	}
}

int
cmd_status(int argc, char **argv)
{
	static const struct option lopt[] = { { "json", 0, NULL, 'j' },
		{ "dir", 1, NULL, 'd' }, { NULL, 0, NULL, 0 } };
	const char *dir = DEMO_DIR;
	bool json = false;
	struct network_info net;
	struct why why = { "" };
	json_t *o = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", lopt, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'd')
			dir = optarg;
		else
			return cmd_usage(usage);
	}
	if (optind != argc || strlen(dir) >= 64)
		return cmd_usage(usage);
	enum dstack_status st = network_running(dir, &net, &why);
	if (st == DSTACK_OK)
		st = collect(&net, &o, &why);
	if (st != DSTACK_OK)
		return cmd_fail("status", st, &why);
	if (json) {
		char *text = json_dumps(o, JSON_COMPACT);
		printf("%s\n", text != NULL ? text : "{}");
		free(text);
	} else {
		print_people(o);
	}
	json_decref(o);
	return EXIT_YES;
}
