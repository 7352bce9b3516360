/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.env into a struct. One table says for each key what kind of value it
 * has, whether it must be there, its default, and the words that tell an
 * operator what to put there. The file is read line by line; an unknown key, a
 * key that comes twice and a value that is not of its kind are refused with the
 * line's number and the table's words, and never with the value, which may be a
 * private key. Then come defaults, addresses computed from keys, and the two
 * addresses that must be loopback: the control plane answers whoever reaches
 * it, and the host service spends the gas.
 *
 * Values are a small alphabet without quotes and backslashes, so that a
 * host.env that a shell can read means the same to both.
 */
#include "host/base/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "host/beacon/fetch.h"
#include "base/log.h"
#include "crypto/secp.h"
#include "host/vm/vm.h"

enum kind {
	KIND_KEY,    /* 64 hex digits */
	KIND_ADDR,   /* 0x and 40 hex digits */
	KIND_TEXT,   /* printable, no spaces */
	KIND_URL,    /* http:// or https:// */
	KIND_URLS,   /* several, a comma between two */
	KIND_LISTEN, /* HOST:PORT */
	KIND_U64,
	KIND_U32,
	KIND_GAS,
	KIND_VOLUME, /* MiB, as many as a guest takes */
	KIND_FLAVOUR,
	KIND_YES, /* yes or no */
	KIND_UPDATE,
};

struct field {
	const char *key;
	enum kind kind;
	size_t at; /* offset in struct host_config */
	bool required;
	const char *fallback; /* text of the default, or NULL */
	const char *hint;
};

#define AT(m) offsetof(struct host_config, m)

static const struct field fields[] = {
	{ "PRIVKEY", KIND_KEY, AT(privkey), true, NULL,
	    "the 64 hex digits of the account that pays gas" },
	{ "NODE_KEY", KIND_KEY, AT(node_key), false, NULL,
	    "64 hex digits: the PRIVKEY that this node's volume was made "
	    "with" },
	{ "ETH_API_KEY", KIND_TEXT, AT(api_key), false, NULL,
	    "the RPC provider's key" },
	{ "PUBSUB_URL", KIND_URL, AT(pubsub_url), true, NULL,
	    "the relay, as in http://127.0.0.1:5001" },
	{ "GUEST_SERVICE", KIND_URL, AT(guest_service), true, NULL,
	    "the guest's control plane, as in http://127.0.0.1:4001" },
	{ "CONTRACT", KIND_ADDR, AT(contract), true, NULL,
	    "the KeyManager's address, 0x and 40 hex digits" },
	{ "ETH_RPC_URL", KIND_URL, AT(rpc_url), true, NULL,
	    "the chain's RPC endpoint, as in http://127.0.0.1:8545" },
	{ "BEACON_URL", KIND_URLS, AT(beacon_url), false, NULL,
	    "beacon nodes, a comma between two, as in http://127.0.0.1:5052" },
	{ "CHAIN_ID", KIND_U64, AT(chain_id), true, NULL,
	    "the chain's number, as in 11155111" },
	{ "HOST_SERVICE", KIND_LISTEN, AT(host_service), false,
	    "127.0.0.1:8000", "a loopback ADDRESS:PORT" },
	{ "HTTPS_LISTEN", KIND_LISTEN, AT(https), false, "0.0.0.0:4002",
	    "ADDRESS:PORT that is forwarded to the guest's 443" },
	{ "PAYEE", KIND_ADDR, AT(payee), false, NULL,
	    "an address, 0x and 40 hex digits" },
	{ "PCCS_URL", KIND_URL, AT(pccs_url), false, NULL,
	    "a PCS or PCCS of API version 4" },
	{ "PCCS_CA", KIND_TEXT, AT(pccs_ca), false, NULL,
	    "a file of certificates (PEM)" },
	{ "PCCS_UPDATE", KIND_UPDATE, AT(pccs_early), false, "standard",
	    "standard or early" },
	{ "HOST_VOLUME", KIND_TEXT, AT(host_volume), false, "host_volume",
	    "a directory" },
	{ "STATE_DIR", KIND_TEXT, AT(state), false, "build/node",
	    "a directory" },
	{ "IMAGE_DIR", KIND_TEXT, AT(image), false, "build/image",
	    "a directory" },
	{ "FLAVOUR", KIND_FLAVOUR, AT(sim), false, "tdx", "tdx or sim" },
	{ "FIRMWARE", KIND_TEXT, AT(firmware), false,
	    VM_FIRMWARE, "a TDVF file (Debian's package ovmf)" },
	{ "QUOTE_SERVICE", KIND_TEXT, AT(quote_service), false, "2:4050",
	    "CID:PORT of the quote generation service, or its socket" },
	{ "MAX_FEE_GWEI", KIND_U32, AT(max_fee_gwei), false, "100",
	    "the most gwei a unit of gas may cost" },
	{ "MAX_GAS", KIND_GAS, AT(max_gas), false, "1000000",
	    "the most gas of one transaction" },
	{ "NODE_INDEX", KIND_U32, AT(index), false, "0", "a small number" },
	{ "VM_MEMORY_MB", KIND_U32, AT(memory_mb), false, "2048",
	    "mebibytes" },
	{ "VM_CPUS", KIND_U32, AT(cpus), false, "1", "a number of CPUs" },
	{ "VOLUME_MB", KIND_VOLUME, AT(volume_mb), false, "8192",
	    "mebibytes, 16 to 1048576" },
	{ "EGRESS", KIND_YES, AT(egress), false, "no",
	    "yes or no: may apps that ask for it reach the Internet" },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

void
config_wipe(struct host_config *c)
{
	explicit_bzero(c, sizeof(*c));
}

static enum dstack_status
number(const char *s, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	/* 19 digits fit 64 bits; what is over max is refused below. */
	if (n == 0 || n > 19)
		return DSTACK_E_FORMAT;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return DSTACK_E_FORMAT;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	/* 010 is eight to some readers. */
	if (v > max || (n > 1 && s[0] == '0'))
		return DSTACK_E_FORMAT;
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
listen_parse(const char *text, struct listen_addr *out)
{
	const char *colon = strrchr(text, ':');
	struct listen_addr a = { .port = 0 };
	struct in_addr ip;
	uint64_t port = 0;

	if (colon == NULL || colon == text ||
	    (size_t)(colon - text) >= sizeof(a.host))
		return DSTACK_E_FORMAT;
	memcpy(a.host, text, (size_t)(colon - text));
	/*
	 * The one name that is taken; every other would be looked up, by
	 * whoever answers.
	 */
	if (strcmp(a.host, "localhost") == 0)
		memcpy(a.host, "127.0.0.1", sizeof("127.0.0.1"));
	if (inet_pton(AF_INET, a.host, &ip) != 1 ||
	    number(colon + 1, strlen(colon + 1), 65535, &port) != DSTACK_OK ||
	    port == 0)
		return DSTACK_E_FORMAT;
	a.port = (uint16_t)port;
	*out = a;
	return DSTACK_OK;
}

/* All of 127.0.0.0/8 is this machine (RFC 1122, 3.2.1.3). */
bool
listen_is_loopback(const struct listen_addr *a)
{
	return strncmp(a->host, "127.", 4) == 0;
}

/*
 * What may stand in a value: no space and nothing that a shell would take for
 * more than itself.
 */
static bool
printable(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\'' ||
		    s[i] == '`' || s[i] == '\\')
			return false;
	return n > 0 && n < CONFIG_TEXT;
}

/* v is NUL-terminated and n long, without NUL inside. */
static enum dstack_status
set(struct host_config *c, const struct field *f, const char *v, size_t n)
{
	char *at = (char *)c + f->at;
	uint64_t u = 0;
	uint32_t u32;
	enum dstack_status st;
	bool sim;
	bool early;
	bool yes;

	if (!printable(v, n))
		return DSTACK_E_FORMAT;
	switch (f->kind) {
	case KIND_KEY:
		return hex_decode(v, n, at, 32);
	case KIND_ADDR:
		return n == 42 ? hex_decode(v, n, at, 20) : DSTACK_E_FORMAT;
	case KIND_URL:
		if (strncmp(v, "http://", 7) != 0 &&
		    strncmp(v, "https://", 8) != 0)
			return DSTACK_E_FORMAT;
		/* Paths are appended with their slash. */
		while (n > 0 && v[n - 1] == '/')
			n--;
		memcpy(at, v, n);
		at[n] = '\0';
		return DSTACK_OK;
	case KIND_URLS: {
		/* looked at in a copy, since looking cuts it */
		char copy[CONFIG_TEXT];
		struct fetch nodes;
		memcpy(copy, v, n + 1);
		if (fetch_urls(&nodes, copy, NULL) != DSTACK_OK)
			return DSTACK_E_FORMAT;
		memcpy(at, v, n + 1);
		return DSTACK_OK;
	}
	case KIND_TEXT:
		memcpy(at, v, n + 1);
		return DSTACK_OK;
	case KIND_LISTEN: {
		struct listen_addr a;
		st = listen_parse(v, &a);
		if (st == DSTACK_OK)
			memcpy(at, &a, sizeof(a));
		return st;
	}
	case KIND_U64:
		st = number(v, n, INT64_MAX, &u);
		if (st == DSTACK_OK)
			memcpy(at, &u, sizeof(u));
		return st;
	case KIND_U32:
	case KIND_GAS:
		st = number(v, n, f->kind == KIND_U32 ? 1u << 20 : UINT32_MAX,
		    &u);
		u32 = (uint32_t)u;
		if (st == DSTACK_OK)
			memcpy(at, &u32, sizeof(u32));
		return st;
	case KIND_VOLUME:
		st = number(v, n, 1u << 20, &u);
		if (st == DSTACK_OK && u < 16)
			st = DSTACK_E_FORMAT;
		u32 = (uint32_t)u;
		if (st == DSTACK_OK)
			memcpy(at, &u32, sizeof(u32));
		return st;
	case KIND_FLAVOUR:
		sim = strcmp(v, "sim") == 0;
		if (!sim && strcmp(v, "tdx") != 0)
			return DSTACK_E_FORMAT;
		memcpy(at, &sim, sizeof(sim));
		return DSTACK_OK;
	case KIND_YES:
		yes = strcmp(v, "yes") == 0;
		if (!yes && strcmp(v, "no") != 0)
			return DSTACK_E_FORMAT;
		memcpy(at, &yes, sizeof(yes));
		return DSTACK_OK;
	case KIND_UPDATE:
		early = strcmp(v, "early") == 0;
		if (!early && strcmp(v, "standard") != 0)
			return DSTACK_E_FORMAT;
		memcpy(at, &early, sizeof(early));
		return DSTACK_OK;
	}
	return DSTACK_E_FORMAT;
}

/* Put the API key where {ETH_API_KEY} stands. */
static enum dstack_status
expand_rpc_url(struct host_config *c)
{
	static const char mark[] = "{ETH_API_KEY}";
	char url[CONFIG_TEXT];
	const char *m = strstr(c->rpc_url, mark);

	if (m == NULL)
		return DSTACK_OK;
	if (c->api_key[0] == '\0')
		return DSTACK_E_MISSING;
	int n = snprintf(url, sizeof(url), "%.*s%s%s", (int)(m - c->rpc_url),
	    c->rpc_url, c->api_key, m + sizeof(mark) - 1);
	if (n < 0 || (size_t)n >= sizeof(url))
		return DSTACK_E_LIMIT;
	memcpy(c->rpc_url, url, sizeof(url));
	return DSTACK_OK;
}

static enum dstack_status
finish(const char *name, struct host_config *c, const bool *seen,
    struct why *why)
{
	static const char loop[] = "http://127.0.0.1:";
	uint64_t port = 0;
	bool payee = false;

	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		if (seen[i]) {
			payee = payee || f->at == AT(payee);
			continue;
		}
		if (f->required)
			return why_set(why, DSTACK_E_FORMAT,
			    "%s: %s is missing; set it to %s", name, f->key,
			    f->hint);
		if (f->fallback != NULL &&
		    set(c, f, f->fallback, strlen(f->fallback)) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "%s: default of %s", name, f->key);
	}
	if (secp_address(&c->privkey, c->submitter) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: PRIVKEY is out of range for secp256k1", name);
	/* Who pays is paid back, unless another account is named. */
	if (!payee)
		memcpy(c->payee, c->submitter, 20);
	/*
	 * The node is who pays for it, until PRIVKEY changes and NODE_KEY keeps
	 * the old one.
	 */
	if (ct_is_zero(c->node_key.b, sizeof(c->node_key.b)))
		c->node_key = c->privkey;
	if (secp_address(&c->node_key, c->owner) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: NODE_KEY is out of range for secp256k1", name);
	if (expand_rpc_url(c) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: ETH_RPC_URL wants {ETH_API_KEY}; set ETH_API_KEY",
		    name);
	/* anyone who reaches the control plane may ask it (hole D1) */
	if (strncmp(c->guest_service, loop, sizeof(loop) - 1) != 0 ||
	    number(c->guest_service + sizeof(loop) - 1,
	        strlen(c->guest_service) - (sizeof(loop) - 1), 65535, &port) !=
	        DSTACK_OK ||
	    port == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: GUEST_SERVICE must be http://127.0.0.1:PORT: the "
		    "control plane is for this host alone",
		    name);
	c->control_port = (uint16_t)port;
	if (!listen_is_loopback(&c->host_service))
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: HOST_SERVICE must be a loopback address: it spends "
		    "PRIVKEY's gas",
		    name);
	return DSTACK_OK;
}

static enum dstack_status
one_line(const char *name, unsigned number_of, const char *line, size_t n,
    struct host_config *c, bool *seen, struct why *why)
{
	char value[CONFIG_TEXT];
	const char *eq;

	/* Editors leave these behind, and CR comes from other systems. */
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t' ||
	           line[n - 1] == '\r'))
		n--;
	if (n == 0 || line[0] == '#')
		return DSTACK_OK;
	eq = memchr(line, '=', n);
	if (eq == NULL || memchr(line, '\0', n) != NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s line %u is not KEY=VALUE", name, number_of);
	size_t keylen = (size_t)(eq - line);
	size_t vlen = n - keylen - 1;
	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		if (strlen(f->key) != keylen ||
		    memcmp(f->key, line, keylen) != 0)
			continue;
		if (seen[i])
			return why_set(why, DSTACK_E_FORMAT,
			    "%s line %u sets %s again", name, number_of,
			    f->key);
		seen[i] = true;
		if (vlen == 0 && !f->required) {
			seen[i] = false; /* KEY= leaves the default */
			return DSTACK_OK;
		}
		/*
		 * A copy, since the kinds want a terminated text; wiped
		 * whatever it was.
		 */
		bool fits = vlen < sizeof(value);
		if (fits) {
			memcpy(value, eq + 1, vlen);
			value[vlen] = '\0';
		}
		enum dstack_status st = fits ? set(c, f, value, vlen)
					     : DSTACK_E_LIMIT;
		explicit_bzero(value, sizeof(value));
		if (st != DSTACK_OK) /* never the value: it may be a key */
			return why_set(why, DSTACK_E_FORMAT,
			    "%s line %u: %s is garbled; it should be %s",
			    name, number_of, f->key, f->hint);
		return DSTACK_OK;
	}
	return why_set(why, DSTACK_E_FORMAT,
	    "%s line %u: no such key '%.*s'; host.env.example lists them",
	    name, number_of, (int)(keylen < 40 ? keylen : 40), line);
}

enum dstack_status
config_parse(const char *name, const char *text, size_t len,
    struct host_config *out, struct why *why)
{
	/* Wiped on every way out: out is written only when all of it holds. */
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	bool seen[FIELDS] = { false };
	size_t pos = 0;

	if (len > CONFIG_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s is larger than %u bytes", name, CONFIG_MAX);
	for (unsigned line = 1; pos < len; line++) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl != NULL ? (size_t)(nl - (text + pos))
				      : len - pos;
		enum dstack_status st =
		    one_line(name, line, text + pos, n, &c, seen, why);
		if (st != DSTACK_OK)
			return st;
		pos += n + 1;
	}
	enum dstack_status st = finish(name, &c, seen, why);
	if (st == DSTACK_OK)
		*out = c;
	return st;
}

enum dstack_status
config_load(const char *path, struct host_config *out, struct why *why)
{
	/*
	 * O_NONBLOCK: a FIFO of that name is refused below instead of waited
	 * for.
	 */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;

	if (fd < 0)
		return why_set(why, DSTACK_E_SYS,
		    "%s: %s; copy host.env.example and fill it in", path,
		    strerror(errno));
	if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is no regular file", path);
	if (sb.st_size > (off_t)CONFIG_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s is larger than %u bytes", path, CONFIG_MAX);
	if ((sb.st_mode & 077) != 0)
		log_line("%s holds a key and others may read it: chmod 600 it",
		    path);
	size_t cap = (size_t)sb.st_size;
	size_t n = 0;
	char *buf = malloc(cap + 1);
	if (buf == NULL)
		return why_set(why, DSTACK_E_NOMEM, "%s: no memory", path);
	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	enum dstack_status st = config_parse(path, buf, n, out, why);
	explicit_bzero(buf, cap);
	free(buf);
	return st;
}
