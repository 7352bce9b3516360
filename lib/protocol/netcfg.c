/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netcfg, the text that says which network this is. Its hash is measured
 * (MRCONFIGID), so there must be one text for one meaning: lines in a fixed
 * order, each "key=value", numbers without leading zeros, hex in lower case,
 * nothing behind the last line. A host may hand over any bytes; the parser goes
 * line by line and names the first line that it does not like, and what it then
 * wanted. No default anywhere: a line that is missing is an error, since a
 * default would be a setting that nobody measured.
 *
 * Writing goes through the parser once more, so a tool can never make a netcfg
 * that guests refuse.
 */
#include "protocol/netcfg.h"

#include <string.h>

#include "base/hex.h"
#include "base/rd.h"
#include "base/secret.h"

struct line {
	const char *key;
	const char *value; /* borrowed, not terminated */
	size_t len;
};

/* The next line must be "key=value"; the value goes to l. */
static enum dstack_status
line(struct rd *r, const char *key, struct line *l, struct why *why)
{
	struct rd at = *r;
	size_t n = 0;
	uint8_t c = 0;
	while (rd_u8(&at, &c) == DSTACK_OK && c != '\n')
		n++;
	size_t keylen = strlen(key);
	const uint8_t *p;
	/* At least one byte of value; the last line too ends in a newline. */
	if (c != '\n' || n < keylen + 2 || rd_take(r, n, &p) != DSTACK_OK ||
	    rd_skip(r, 1) != DSTACK_OK || memcmp(p, key, keylen) != 0 ||
	    p[keylen] != '=')
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: expected the line '%s=...'", key);
	struct rd v = rd_over(p, n);
	if (rd_skip(&v, keylen + 1) != DSTACK_OK ||
	    rd_take(&v, n - keylen - 1, &p) != DSTACK_OK)
		return DSTACK_E_FORMAT;
	l->key = key;
	l->value = (const char *)p;
	l->len = n - keylen - 1;
	return DSTACK_OK;
}

static enum dstack_status
bad(const struct line *l, const char *want, struct why *why)
{
	return why_set(
	    why, DSTACK_E_FORMAT, "netcfg: %s must be %s", l->key, want);
}

static bool
is(const struct line *l, const char *text)
{
	return l->len == strlen(text) && memcmp(l->value, text, l->len) == 0;
}

static enum dstack_status
number(struct rd *r, const char *key, uint64_t min, uint64_t max, uint64_t *out,
    struct why *why)
{
	struct line l;
	enum dstack_status st = line(r, key, &l, why);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	/* 16 digits stay below 2^63, so v cannot wrap. */
	bool ok = l.len <= 16 && (l.value[0] != '0' || l.len == 1);
	for (size_t i = 0; ok && i < l.len; i++) {
		ok = l.value[i] >= '0' && l.value[i] <= '9';
		v = v * 10 + (uint64_t)(l.value[i] - '0');
	}
	if (!ok || v < min || v > max)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: %s must be a number from %llu to %llu", key,
		    (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return DSTACK_OK;
}

static enum dstack_status
hex(struct rd *r, const char *key, uint8_t *out, size_t n, struct why *why)
{
	struct line l;
	enum dstack_status st = line(r, key, &l, why);
	if (st != DSTACK_OK)
		return st;
	bool ok = l.len == 2 + 2 * n && memcmp(l.value, "0x", 2) == 0;
	for (size_t i = 0; ok && i < l.len; i++)
		ok = l.value[i] < 'A' || l.value[i] > 'F';
	if (!ok || hex_decode(l.value, l.len, out, n) != DSTACK_OK)
		return bad(&l, "0x and lower case hex digits", why);
	/*
	 * Zero is the empty address and the hash of no code: a template that
	 * was not filled in.
	 */
	if (ct_is_zero(out, n))
		return bad(&l, "other than zero", why);
	return DSTACK_OK;
}

/*
 * A host name by RFC 1123 in lower case: labels of letters, digits and inner
 * hyphens, no empty label, no dot at the end. It goes into certificates and
 * keys, so two spellings would be two networks.
 */
bool
netcfg_domain_ok(const char *p, size_t n)
{
	if (n == 0 || n > NETCFG_DOMAIN_MAX)
		return false;
	char before = '.';
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		bool edge = before == '.' || i + 1 == n || p[i + 1] == '.';
		bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!alnum && (c != '-' || edge) &&
		    (c != '.' || before == '.' || i + 1 == n))
			return false;
		before = c;
	}
	return true;
}

/*
 * A network of one's own: the lines of its text, each with this before it.
 * There is one text for one network, so what was read must be what would be
 * written.
 */
#define OWN "beacon-"

static enum dstack_status
own_network(struct rd *r, struct beacon_network *out, struct why *why)
{
	AUTO_WR struct wr t = wr_new(NETCFG_MAX);
	char text[NETCFG_MAX];
	struct why inner = { "" };
	for (;;) {
		struct rd at = *r;
		const uint8_t *p;
		uint8_t c = 0;
		size_t n = 0;
		if (rd_take(&at, sizeof(OWN) - 1, &p) != DSTACK_OK ||
		    memcmp(p, OWN, sizeof(OWN) - 1) != 0)
			break;
		*r = at;
		while (rd_u8(&at, &c) == DSTACK_OK && c != '\n')
			n++;
		if (c != '\n' || rd_take(r, n + 1, &p) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "netcfg: the last line has no end");
		wr_put(&t, p, n + 1);
	}
	if (wr_status(&t) != DSTACK_OK)
		return why_set(why, wr_status(&t), "netcfg: too long");
	enum dstack_status st =
	    beacon_network_parse(t.buf, t.len, out, &inner);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: the lines " OWN "...: %.150s", inner.text);
	size_t n = beacon_network_text(out, text, sizeof(text));
	if (n != t.len || memcmp(text, t.buf, n) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: the lines " OWN "... are not as dstack writes "
		    "them");
	return DSTACK_OK;
}

/*
 * The lines of view=beacon. A table of forks decides where in a state things
 * are looked for, so a network that this program knows is never told by table:
 * two answers to one question would be one too many. The checkpoint is what
 * all trust begins at.
 */
static enum dstack_status
beacon_view(struct rd *r, struct netcfg *c, struct why *why)
{
	struct line l;
	char name[32] = "";
	enum dstack_status st = line(r, "beacon", &l, why);
	if (st != DSTACK_OK)
		return st;
	if (l.len < sizeof(name))
		memcpy(name, l.value, l.len);
	const struct beacon_network *known = beacon_network_named(name);
	c->beacon_own = is(&l, "own");
	if (c->beacon_own) {
		st = own_network(r, &c->beacon, why);
		if (st != DSTACK_OK)
			return st;
	} else if (known != NULL && is(&l, known->name)) {
		/* is(): a NUL behind the name ended it for the table alone */
		c->beacon = *known;
	} else {
		return bad(&l, "mainnet, sepolia, hoodi or own", why);
	}
	st = hex(r, "checkpoint", c->checkpoint, sizeof(c->checkpoint), why);
	if (st == DSTACK_OK)
		st = line(r, "finality", &l, why);
	if (st != DSTACK_OK)
		return st;
	c->finality = is(&l, "finalized") ? NETCFG_FINALIZED
	    : is(&l, "attested")          ? NETCFG_ATTESTED
					  : NETCFG_FINALITY_NONE;
	return c->finality != NETCFG_FINALITY_NONE
	    ? DSTACK_OK
	    : bad(&l, "finalized or attested", why);
}

/* Where the newest block comes from, and how old it may be. */
static enum dstack_status
view(struct rd *r, struct netcfg *c, struct why *why)
{
	struct line l;
	enum dstack_status st = line(r, "view", &l, why);
	if (st != DSTACK_OK)
		return st;
	if (is(&l, "rpc")) {
		c->view = NETCFG_VIEW_RPC;
		st = number(r, "confirmations", 0, NETCFG_MAX_CONFIRMATIONS,
		    &c->confirmations, why);
	} else if (is(&l, "beacon")) {
		c->view = NETCFG_VIEW_BEACON;
		st = beacon_view(r, c, why);
	} else {
		return bad(&l, "rpc or beacon", why);
	}
	if (st != DSTACK_OK)
		return st;
	return number(r, "max-age", NETCFG_MAX_AGE_MIN, NETCFG_MAX_AGE_MAX,
	    &c->max_age, why);
}

#define MAX_CHAIN_ID ((UINT64_C(1) << 53) - 1) /* a JSON integer */

enum dstack_status
netcfg_parse(const void *text, size_t len, struct netcfg *out, struct why *why)
{
	struct netcfg c;
	struct line l;
	enum dstack_status st;
	memset(&c, 0, sizeof(c));
	if (len > NETCFG_MAX)
		return why_set(
		    why, DSTACK_E_LIMIT, "netcfg is over %d bytes", NETCFG_MAX);
	struct rd r = rd_over(text, len);
	if ((st = line(&r, "dstack-netcfg", &l, why)) != DSTACK_OK)
		return st;
	/*
	 * First of all the version: another one may have other lines, and
	 * guessing is worse than stopping.
	 */
	if (!is(&l, "2"))
		return bad(&l, "2 (another version is not understood)", why);
	st = number(&r, "chain-id", 1, MAX_CHAIN_ID, &c.chain_id, why);
	if (st != DSTACK_OK)
		return st;
	st = hex(&r, "contract", c.contract, sizeof(c.contract), why);
	if (st != DSTACK_OK)
		return st;
	st = hex(&r, "code-hash", c.code_hash, sizeof(c.code_hash), why);
	if (st != DSTACK_OK)
		return st;
	if ((st = view(&r, &c, why)) != DSTACK_OK)
		return st;
	if ((st = line(&r, "tls-domain", &l, why)) != DSTACK_OK)
		return st;
	if (!netcfg_domain_ok(l.value, l.len))
		return bad(&l, "a lower case host name", why);
	memcpy(c.tls_domain, l.value, l.len);
	if ((st = line(&r, "ct", &l, why)) != DSTACK_OK)
		return st;
	if (is(&l, "onchain"))
		c.ct = NETCFG_CT_ONCHAIN;
	else if (is(&l, "relay"))
		c.ct = NETCFG_CT_RELAY;
	else
		return bad(&l, "onchain or relay", why);
	if ((st = line(&r, "log-app", &l, why)) != DSTACK_OK)
		return st;
	if (!is(&l, "0") && !is(&l, "1"))
		return bad(&l, "0 or 1", why);
	c.log_app = l.value[0] == '1';
	if (rd_end(&r) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: text behind the line log-app");
	*out = c;
	return DSTACK_OK;
}

/* What beacon_view reads; the network's own text is cut into its lines. */
static void
write_beacon(struct wr *w, const struct netcfg *cfg)
{
	char text[NETCFG_MAX];
	wr_fmt(w, "\nview=beacon\nbeacon=%.31s\n",
	    cfg->beacon_own ? "own" : cfg->beacon.name);
	size_t n = cfg->beacon_own
	    ? beacon_network_text(&cfg->beacon, text, sizeof(text))
	    : 0;
	for (size_t at = 0; at < n && n < sizeof(text);) {
		size_t k = strcspn(text + at, "\n") + 1;
		wr_str(w, OWN);
		wr_put(w, text + at, k);
		at += k;
	}
	wr_str(w, "checkpoint=0x");
	wr_hex(w, cfg->checkpoint, sizeof(cfg->checkpoint));
	wr_fmt(w, "\nfinality=%s\n",
	    cfg->finality == NETCFG_FINALIZED      ? "finalized"
		: cfg->finality == NETCFG_ATTESTED ? "attested"
						   : "none");
}

enum dstack_status
netcfg_write(const struct netcfg *cfg, struct wr *w, struct why *why)
{
	AUTO_WR struct wr t = wr_new(NETCFG_MAX);
	wr_fmt(&t, "dstack-netcfg=2\nchain-id=%llu\ncontract=0x",
	    (unsigned long long)cfg->chain_id);
	wr_hex(&t, cfg->contract, sizeof(cfg->contract));
	wr_str(&t, "\ncode-hash=0x");
	wr_hex(&t, cfg->code_hash, sizeof(cfg->code_hash));
	if (cfg->view == NETCFG_VIEW_BEACON)
		write_beacon(&t, cfg);
	else
		wr_fmt(&t, "\nview=%s\nconfirmations=%llu\n",
		    cfg->view == NETCFG_VIEW_RPC ? "rpc" : "none",
		    (unsigned long long)cfg->confirmations);
	wr_fmt(&t, "max-age=%llu\ntls-domain=%.*s\nct=%s\nlog-app=%d\n",
	    (unsigned long long)cfg->max_age, NETCFG_DOMAIN_MAX,
	    cfg->tls_domain,
	    cfg->ct == NETCFG_CT_ONCHAIN ? "onchain"
	    : cfg->ct == NETCFG_CT_RELAY ? "relay"
					 : "none",
	    cfg->log_app ? 1 : 0);
	enum dstack_status st = wr_status(&t);
	if (st != DSTACK_OK)
		return why_set(why, st, "netcfg: too long");
	/* What cannot be read back was never a netcfg. */
	struct netcfg back;
	st = netcfg_parse(t.buf, t.len, &back, why);
	if (st != DSTACK_OK)
		return st;
	wr_put(w, t.buf, t.len);
	return wr_status(w);
}
