/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack check: does this name's TLS session end in the network that the
 * contract is of? The server signs the session's exporter by the network's
 * key (docs/protocol.md section 11). Judged in this order: is there a session
 * and an answer to our nonce; does the contract say that the app runs at all;
 * is the answer of the current epoch and signed by its key; does the
 * certificate name what was asked for. Where there is no session, the contract
 * may know why (a stopped app). Who signed the certificate is told, not
 * judged. What is told of the chain is the RPC endpoint's word, unless
 * --beacon has it proven; and which of the two it was is said.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "cli/beacon/view.h"
#include "cli/cmd.h"
#include "cli/usage.h"
#include "cli/demo/network.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/chain/governance.h"
#include "protocol/statements.h"

#define WAIT_S 10

static const struct usage use = { "check",
	"dstack check https://NAME[:PORT] [--contract ADDR --rpc URL]\n"
	"           [--beacon URL,... [--netcfg FILE]]\n"
	"           [--connect ADDR[:PORT]] [--ca FILE] [--json]\n"
	"  --contract, --rpc  may be left out while a network of dstack demo\n"
	"             runs in " DEMO_DIR ": it is meant then\n"
	"  --beacon   beacon nodes: what the contract says is proven, from the\n"
	"             checkpoint of the network's netcfg on (--netcfg; a demo's own)\n"
	"  --connect  where to go instead of where NAME leads; IPv6 as [ADDR]:PORT\n"
	"  --ca FILE  PEM of the authority to judge the certificate by, too\n"
	"             (default: the system's)",
	NULL, NULL };

struct check {
	const char *rpc;
	struct cli_view view;
	char netcfg[192]; /* a running demo's */
	const char *ca;
	char name[256];
	char host[256]; /* where to connect to */
	char port[8];
	uint8_t contract[20];
	bool has_contract, json;
	/* what the session showed */
	struct stmt_tls_bind bind;
	uint8_t sig[SECP_SIG_LEN];
	bool told; /* it says what its app may do, TLS_SAYS_... */
	uint8_t says;
	char pki[160]; /* "" : the certificate is the name's, by the CA */
	struct why name_why; /* "": the certificate names what was asked for */
};

/*
 * "HOST", "HOST:PORT", "[IPV6]" or "[IPV6]:PORT"; to host (no brackets) and
 * port. An IPv6 address alone has colons of its own: it is no HOST:PORT.
 */
static bool
host_port(const char *text, size_t n, char host[static 256],
    char port[static 8])
{
	struct in6_addr six;
	char whole[256] = "";
	const char *colon = memchr(text, ':', n);
	size_t k = colon != NULL ? (size_t)(colon - text) : n;
	bool brackets = n > 0 && text[0] == '[';

	if (n > 255)
		return false;
	memcpy(whole, text, n);
	if (brackets) {
		const char *end = memchr(text, ']', n);
		if (end == NULL)
			return false;
		k = (size_t)(end - text) - 1;
		memset(whole, 0, sizeof(whole));
		memcpy(whole, text + 1, k);
		colon = end + 1 < text + n ? end + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return false;
	}
	bool literal = inet_pton(AF_INET6, whole, &six) == 1;
	if (brackets && !literal)
		return false;
	if (literal && !brackets) {
		k = n;
		colon = NULL;
	}
	size_t left = colon != NULL ? n - (size_t)(colon - text) - 1 : 0;
	if (k == 0 || left > 5 || (colon != NULL && left == 0))
		return false;
	memcpy(host, whole, k);
	host[k] = '\0';
	if (colon != NULL) {
		memcpy(port, colon + 1, left);
		port[left] = '\0';
	}
	return strspn(port, "0123456789") == strlen(port);
}

static bool
is_address(const char *name)
{
	struct in6_addr six;
	struct in_addr four;

	return inet_pton(AF_INET6, name, &six) == 1 ||
	    inet_pton(AF_INET, name, &four) == 1;
}

/*
 * Is the certificate for the name that was asked for? A browser would not go
 * on where it is not, whoever the session belongs to.
 */
static enum dstack_status
judge_name(const struct check *c, SSL *ssl, struct why *why)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	GENERAL_NAMES *names = x != NULL
	    ? X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL)
	    : NULL;
	char is[128] = "nothing";
	bool ok = x != NULL &&
	    (is_address(c->name)
	            ? X509_check_ip_asc(x, c->name, 0) == 1
	            : X509_check_host(x, c->name, 0,
	                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1);

	/* the first name that it has, for the reason */
	if (names != NULL && sk_GENERAL_NAME_num(names) > 0) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, 0);
		if (g->type == GEN_DNS)
			(void)snprintf(is, sizeof(is), "%.*s",
			    ASN1_STRING_length(g->d.dNSName),
			    (const char *)ASN1_STRING_get0_data(g->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	X509_free(x);
	if (ok)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "the certificate is not for %s: it names %s", c->name, is);
}

/* The first of the name's addresses that takes us; bounded by WAIT_S each. */
static enum dstack_status
dial(const struct check *c, int *out, struct why *why)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	const struct addrinfo hint = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int e = getaddrinfo(c->host, c->port, &hint, &list);

	if (e != 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", c->host,
		    gai_strerror(e));
	int err = 0;
	for (const struct addrinfo *a = list; a != NULL && *out < 0;
	     a = a->ai_next) {
		AUTO_CLOSE int fd =
		    socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait,
		        sizeof(wait)) == 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait,
		        sizeof(wait)) == 0 &&
		    connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			*out = take_fd(&fd);
		else
			err = errno;
	}
	freeaddrinfo(list);
	return *out >= 0 ? DSTACK_OK
			 : why_set(why, DSTACK_E_MISSING, "%s%s%s:%s: %s",
			       strchr(c->host, ':') != NULL ? "[" : "", c->host,
			       strchr(c->host, ':') != NULL ? "]" : "", c->port,
			       strerror(err));
}

/* Hash of the certificate's key: part of what the network signs. */
static enum dstack_status
leaf_key(SSL *ssl, uint8_t out[static 32])
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	unsigned char *der = NULL;
	int n = x != NULL
	    ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der)
	    : -1;

	X509_free(x);
	if (n <= 0)
		return DSTACK_E_FORMAT;
	keccak256(der, (size_t)n, out);
	OPENSSL_free(der);
	return DSTACK_OK;
}

/* Ask the session's other end whom it belongs to. */
static enum dstack_status
converse(struct check *c, SSL *ssl, struct why *why)
{
	uint8_t answer[TLS_BIND_LEN];
	size_t at = 0;
	const unsigned char *alpn = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(ssl, &alpn, &n);
	if (n != strlen(TLS_BIND_ALPN) || memcmp(alpn, TLS_BIND_ALPN, n) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s does not speak " TLS_BIND_ALPN
		    ": it is no dstack node, or an old one", c->name);
	/* fresh, so that an answer to somebody else is none to us */
	if (getrandom(c->bind.nonce, 32, 0) != 32)
		return why_set(why, DSTACK_E_SYS, "getrandom: %s",
		    strerror(errno));
	if (leaf_key(ssl, c->bind.spki_hash) != DSTACK_OK ||
	    SSL_export_keying_material(ssl, c->bind.exporter, 32,
	        TLS_BIND_LABEL, strlen(TLS_BIND_LABEL), c->bind.nonce, 32,
	        1) != 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "the TLS session has no certificate or no exporter");
	if (SSL_write(ssl, c->bind.nonce, 32) != 32)
		return why_set(why, DSTACK_E_MISSING, "%s hung up", c->name);
	/* the answer may come in pieces; its length is fixed */
	while (at < sizeof(answer)) {
		int k = SSL_read(
		    ssl, answer + at, (int)(sizeof(answer) - at));
		if (k <= 0)
			return why_set(why, DSTACK_E_MISSING,
			    "%s gives no answer to the nonce", c->name);
		at += (size_t)k;
	}
	struct rd r = rd_over(answer, sizeof(answer));
	uint8_t version = 0;
	if (rd_u8(&r, &version) != DSTACK_OK || version != 1 ||
	    rd_u64be(&r, &c->bind.epoch) != DSTACK_OK ||
	    rd_copy(&r, c->sig, sizeof(c->sig)) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s answers the nonce with what is no statement", c->name);
	c->bind.role = TLS_BIND_FRONT;
	/* worth as much as the session, which is judged by what came before */
	c->told = SSL_read(ssl, &c->says, 1) == 1;
	return DSTACK_OK;
}

/* TLS 1.3 alone: older exporters do not bind the whole handshake. */
static enum dstack_status
session(struct check *c, struct why *why)
{
	static const unsigned char alpn[] = "\x0f" TLS_BIND_ALPN;
	int raw = -1;
	enum dstack_status st = dial(c, &raw, why);
	AUTO_CLOSE int fd = raw;

	if (st != DSTACK_OK)
		return st;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	bool ok = ctx != NULL &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0 &&
	    (c->ca != NULL
	            ? SSL_CTX_load_verify_file(ctx, c->ca) == 1
	            : SSL_CTX_set_default_verify_paths(ctx) == 1);
	if (!ok)
		st = why_set(why, DSTACK_E_SYS, "%s cannot be read as PEM",
		    c->ca != NULL ? c->ca : "the system's list of authorities");
	else if ((ssl = SSL_new(ctx)) == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    /* an address is no server name (RFC 6066 section 3) */
	    (!is_address(c->name) &&
	        SSL_set_tlsext_host_name(ssl, c->name) != 1))
		st = why_set(why, DSTACK_E_NOMEM, "OpenSSL: no session");
	else if (SSL_connect(ssl) == 1) /* the chain is judged below */
		st = converse(c, ssl, why);
	else if (ERR_GET_REASON(ERR_peek_error()) ==
	    SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%s: the server there does not vouch for this name: a "
		    "network vouches for the tls-domain of its netcfg alone",
		    c->name);
	else
		st = why_set(why, DSTACK_E_MISSING,
		    "%s: no TLS 1.3 session (%s)", c->name,
		    ERR_reason_error_string(ERR_peek_error()) != NULL
		        ? ERR_reason_error_string(ERR_peek_error())
		        : "it hung up");
	if (st == DSTACK_OK)
		(void)judge_name(c, ssl, &c->name_why);
	/* who signed it is told beside, not judged: see the top */
	if (st == DSTACK_OK && SSL_get_verify_result(ssl) != X509_V_OK)
		(void)snprintf(c->pki, sizeof(c->pki), "%s",
		    X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return st;
}

/* May the app that is served reach the Internet? As the guest says. */
static const char *
egress(const struct check *c)
{
	if (!c->told || (c->says & TLS_SAYS_SERVES) == 0)
		return "not told";
	return (c->says & TLS_SAYS_EGRESS) != 0 ? "open" : "none";
}

/* The good answer, for people or as one JSON object. */
static void
tell(const struct check *c, const struct gov_view *v)
{
	char xpub[43];
	char key[65];
	char view[128];

	eip55(v->epoch.xpub, xpub);
	hex_encode(c->bind.spki_hash, 32, key);
	cli_view_text(&c->view, view, sizeof(view));
	if (c->json) {
		json_t *o = json_pack(
		    "{s:b,s:s,s:I,s:s,s:s,s:b,s:s,s:b,s:{s:s,s:o,s:I,s:s}}", "ok",
		    1, "name", c->name, "epoch", (json_int_t)c->bind.epoch,
		    "xPub", xpub, "spkiHash", key, "certificateValid",
		    c->pki[0] == '\0', "certificateTrouble", c->pki,
		    "simulated", v->sim, "app", "name", v->app.name, "digest",
		    eth_json_hex(v->app.digest, 32), "version",
		    (json_int_t)v->app.version, "egress", egress(c));
		(void)json_object_set_new(o, "view", cli_view_json(&c->view));
		(void)json_dumpf(o, stdout, JSON_COMPACT);
		(void)putchar('\n');
		json_decref(o);
		return;
	}
	printf("%s: this session ends in the network of the contract\n"
	       "epoch        %llu, key %s\n"
	       "certificate  %s\n"
	       "app          %s version %llu\n"
	       "egress       %s\n"
	       "view         %s\n",
	    c->name, (unsigned long long)c->bind.epoch, xpub,
	    c->pki[0] == '\0' ? "valid for the name" : c->pki, v->app.name,
	    (unsigned long long)v->app.version, egress(c), view);
	if (v->sim)
		printf("SIMULATED    this network accepts the simulated TEE: "
		       "it protects nothing\n");
}

/* What the contract says now, and the domain that statements are of. */
static enum dstack_status
read_contract(struct check *c, struct gov_view *v,
    struct eip712_domain *d, struct why *why)
{
	AUTO_RPC struct rpc *rpc = rpc_new(c->rpc);
	struct gov g = { .rpc = rpc };

	if (rpc == NULL)
		return DSTACK_E_NOMEM;
	memcpy(g.contract, c->contract, 20);
	memcpy(d->contract, c->contract, 20);
	enum dstack_status st = rpc_chain_id(rpc, &d->chain_id, why);
	g.chain_id = d->chain_id;
	if (st == DSTACK_OK)
		st = cli_view_of(&c->view, &g, why);
	return st != DSTACK_OK ? st : gov_read(&g, v, why);
}

/*
 * Is the app one that no node may serve? Until the latest version's time has
 * come the one before is in force.
 */
static enum dstack_status
judge_app(const struct check *c, const struct gov_view *v, struct why *why)
{
	const struct state_app *a =
	    v->app.not_before <= (uint64_t)time(NULL) ? &v->app : &v->previous;

	if (!a->stopped)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "%s: %s version %llu was stopped by the pauser or the owner "
	    "(stop-app): no node serves it until another version is proposed",
	    c->name, a->name, (unsigned long long)a->version);
}

/* Is the statement signed by the key that the contract has? */
static enum dstack_status
judge(const struct check *c, const struct gov_view *v,
    const struct eip712_domain *d, struct why *why)
{
	uint8_t digest[32];
	uint8_t signer[20];

	if (c->bind.epoch != v->head.current_epoch)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is of epoch %llu, the contract is at %llu", c->name,
		    (unsigned long long)c->bind.epoch,
		    (unsigned long long)v->head.current_epoch);
	if (v->epoch.state != KM_EPOCH_ACTIVE)
		return why_set(why, DSTACK_E_REJECTED,
		    "the contract's epoch has no key");
	stmt_tls_bind_digest(&c->bind, d, digest);
	if (secp_recover(digest, c->sig, signer) != DSTACK_OK ||
	    memcmp(signer, v->epoch.xpub, 20) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s: this session was not signed by the network's key: "
		    "somebody is between, or it is another network's",
		    c->name);
	if (c->name_why.text[0] != '\0')
		return why_set(why, DSTACK_E_REJECTED,
		    "%s: the session ends in the network, but %s", c->name,
		    c->name_why.text);
	return DSTACK_OK;
}

/* A network that runs here needs no flags: its record has them. */
static void
of_demo(struct check *c)
{
	static struct network_info net;

	if (network_running(DEMO_DIR, &net, NULL) != DSTACK_OK)
		return;
	c->rpc = net.rpc;
	memcpy(c->contract, net.contract, sizeof(c->contract));
	c->has_contract = true;
	(void)snprintf(c->netcfg, sizeof(c->netcfg),
	    "%s/node0/host_volume/netcfg", net.dir);
	if (c->view.netcfg == NULL)
		c->view.netcfg = c->netcfg;
	if (c->ca == NULL)
		c->ca = net.ca_file;
}

static void
options(int argc, char **argv, struct check *c)
{
	static const struct option lopt[] = { { "contract", 1, NULL, 'c' },
		{ "rpc", 1, NULL, 'r' }, { "connect", 1, NULL, 't' },
		{ "ca", 1, NULL, 'a' }, { "json", 0, NULL, 'j' },
		{ "beacon", 1, NULL, 'b' }, { "netcfg", 1, NULL, 'n' },
		{ NULL, 0, NULL, 0 } };
	static const char scheme[] = "https://";
	const char *connect_to = NULL;
	int o;

	while ((o = usage_next(&use, argc, argv, lopt)) != -1) {
		if (o == 'c') {
			usage_hex(&use, "--contract", optarg, c->contract, 20);
			c->has_contract = true;
		} else if (o == 'r')
			c->rpc = optarg;
		else if (o == 't')
			connect_to = optarg;
		else if (o == 'a')
			c->ca = optarg;
		else if (o == 'b')
			c->view.beacon = optarg;
		else if (o == 'n')
			c->view.netcfg = optarg;
		else
			c->json = true;
	}
	usage_words(&use, argc, argv, 1, 1, "https://NAME");
	const char *url = argv[optind];
	const char *name = url + sizeof(scheme) - 1;
	(void)snprintf(c->port, sizeof(c->port), "443");
	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 ||
	    !host_port(name, strcspn(name, "/"), c->name, c->port))
		usage_wrong(&use, "takes https://NAME[:PORT], not '%.80s'",
		    url);
	memcpy(c->host, c->name, sizeof(c->host));
	if (connect_to != NULL &&
	    !host_port(connect_to, strlen(connect_to), c->host, c->port))
		usage_wrong(&use, "--connect takes ADDR[:PORT], not '%.80s'",
		    connect_to);
	if (!c->has_contract && c->rpc == NULL)
		of_demo(c);
	if (!c->has_contract || c->rpc == NULL)
		usage_wrong(&use, "%s is missing, and no network of dstack "
		    "demo runs in " DEMO_DIR, c->has_contract ? "--rpc URL"
		    : "--contract ADDR");
}

int
cmd_check(int argc, char **argv)
{
	struct check c = { .port = "" };
	struct gov_view v;
	struct eip712_domain d;
	struct why stopped = { "" };
	struct why why = { "" };

	options(argc, argv, &c);
	enum dstack_status st = session(&c, &why);
	/* no session may be by the contract's own word: that reason is the better */
	enum dstack_status rst = st == DSTACK_E_REJECTED
	    ? st
	    : read_contract(&c, &v, &d, st == DSTACK_OK ? &why : NULL);
	if (st != DSTACK_OK && rst == DSTACK_OK &&
	    judge_app(&c, &v, &stopped) != DSTACK_OK)
		return cmd_fail("check", DSTACK_E_REJECTED, &stopped);
	if (st == DSTACK_OK)
		st = rst;
	if (st == DSTACK_OK)
		st = judge_app(&c, &v, &why);
	if (st == DSTACK_OK)
		st = judge(&c, &v, &d, &why);
	if (st != DSTACK_OK)
		return cmd_fail("check", st, &why);
	tell(&c, &v);
	return EXIT_YES;
}
