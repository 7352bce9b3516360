/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables messages, byte by byte. What goes in are rules that this program
 * has in its text, nothing foreign; what comes out is one batch: a begin, the
 * table, its chains, its rules in their order, an end. The kernel judges the
 * batch as a whole and confirms each message, or says what is wrong with one
 * and takes none. A mistake here is thus a refusal at the boot and never half
 * a filter.
 *
 * A rule is a list of small machines that work on registers: load something
 * of the packet into register 1, mask it, compare it; the first that does not
 * match ends the rule, and the last says what becomes of the packet.
 */
#include "guest/init/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/own.h"

#define BATCH_MAX (128u * 1024) /* the rules of 16 containers are 60 KiB */
#define HEAD sizeof(struct nlattr) /* of an attribute, aligned as it is */
#define REG NFT_REG_1
/* in an IPv4 header (RFC 791, 3.1) and a TCP or UDP one (RFC 9293, 768) */
#define IP_SOURCE 12u
#define IP_TARGET 16u
#define PORT_TARGET 2u

/* --- messages and attributes --------------------------------------------- */

static void
align(struct wr *w)
{
	wr_zero(w, (NLA_ALIGNTO - w->len % NLA_ALIGNTO) % NLA_ALIGNTO);
}

static void
message(struct nft *n, uint16_t type, uint16_t flags, uint8_t family,
    uint16_t resource)
{
	const struct nlmsghdr h = { .nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) };
	const struct nfgenmsg g = { .nfgen_family = family,
		.version = NFNETLINK_V0,
		.res_id = __builtin_bswap16(resource) };

	n->message = n->w.len;
	wr_put(&n->w, &h, sizeof(h));
	wr_put(&n->w, &g, sizeof(g));
}

/* The length of what was begun at that offset is known at its end. */
static void
message_end(struct nft *n)
{
	const uint32_t len = (uint32_t)(n->w.len - n->message);

	if (wr_status(&n->w) == DSTACK_OK)
		memcpy(n->w.buf + n->message, &len, sizeof(len));
}

static void
begin(struct nft *n, unsigned what)
{
	message(n, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | what),
	    NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, NFPROTO_IPV4, 0);
	n->count++;
}

static void
attr(struct nft *n, uint16_t type, const void *p, size_t len)
{
	const struct nlattr a = { .nla_len = (uint16_t)(HEAD + len),
		.nla_type = type };

	wr_put(&n->w, &a, sizeof(a));
	wr_put(&n->w, p, len);
	align(&n->w);
}

static void
attr_text(struct nft *n, uint16_t type, const char *text)
{
	attr(n, type, text, strlen(text) + 1);
}

static void
attr_u32(struct nft *n, uint16_t type, uint32_t v)
{
	v = __builtin_bswap32(v);
	attr(n, type, &v, sizeof(v));
}

static size_t
nest(struct nft *n, uint16_t type)
{
	const size_t at = n->w.len;
	const struct nlattr a = { .nla_len = HEAD,
		.nla_type = (uint16_t)(type | NLA_F_NESTED) };

	wr_put(&n->w, &a, sizeof(a));
	return at;
}

static void
nest_end(struct nft *n, size_t at)
{
	const uint16_t len = (uint16_t)(n->w.len - at);

	if (wr_status(&n->w) == DSTACK_OK)
		memcpy(n->w.buf + at, &len, sizeof(len)); /* nla_len is first */
}

/* --- table and chains ---------------------------------------------------- */

void
nft_begin(struct nft *n, const char *table)
{
	*n = (struct nft){ .w = wr_new(BATCH_MAX), .table = table };
	message(n, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(n);
	begin(n, NFT_MSG_NEWTABLE);
	attr_text(n, NFTA_TABLE_NAME, table);
	message_end(n);
}

void
nft_free(struct nft *n)
{
	wr_free(&n->w);
}

void
nft_chain(struct nft *n, const char *name, const char *type, unsigned hook,
    int priority, bool drop)
{
	begin(n, NFT_MSG_NEWCHAIN);
	attr_text(n, NFTA_CHAIN_TABLE, n->table);
	attr_text(n, NFTA_CHAIN_NAME, name);
	size_t at = nest(n, NFTA_CHAIN_HOOK);
	attr_u32(n, NFTA_HOOK_HOOKNUM, hook);
	attr_u32(n, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nest_end(n, at);
	attr_u32(n, NFTA_CHAIN_POLICY, drop ? NF_DROP : NF_ACCEPT);
	attr_text(n, NFTA_CHAIN_TYPE, type);
	message_end(n);
}

/* --- rules --------------------------------------------------------------- */

void
nft_rule(struct nft *n, const char *chain)
{
	begin(n, NFT_MSG_NEWRULE);
	attr_text(n, NFTA_RULE_TABLE, n->table);
	attr_text(n, NFTA_RULE_CHAIN, chain);
	n->list = nest(n, NFTA_RULE_EXPRESSIONS);
}

/* One expression is an element of the list: its name, and what it needs. */
struct expression {
	size_t element, data;
};

static struct expression
expression(struct nft *n, const char *name)
{
	struct expression e;

	e.element = nest(n, NFTA_LIST_ELEM);
	attr_text(n, NFTA_EXPR_NAME, name);
	e.data = nest(n, NFTA_EXPR_DATA);
	return e;
}

static void
expression_end(struct nft *n, struct expression e)
{
	nest_end(n, e.data);
	nest_end(n, e.element);
}

static void
value(struct nft *n, uint16_t type, const void *p, size_t len)
{
	const size_t at = nest(n, type);

	attr(n, NFTA_DATA_VALUE, p, len);
	nest_end(n, at);
}

static void
compare(struct nft *n, unsigned how, const void *p, size_t len)
{
	const struct expression e = expression(n, "cmp");

	attr_u32(n, NFTA_CMP_SREG, REG);
	attr_u32(n, NFTA_CMP_OP, how);
	value(n, NFTA_CMP_DATA, p, len);
	expression_end(n, e);
}

static void
mask(struct nft *n, const uint8_t bits[static 4])
{
	static const uint8_t zero[4] = { 0 };
	const struct expression e = expression(n, "bitwise");

	attr_u32(n, NFTA_BITWISE_SREG, REG);
	attr_u32(n, NFTA_BITWISE_DREG, REG);
	attr_u32(n, NFTA_BITWISE_LEN, 4);
	value(n, NFTA_BITWISE_MASK, bits, 4);
	value(n, NFTA_BITWISE_XOR, zero, 4);
	expression_end(n, e);
}

static void
meta(struct nft *n, unsigned key)
{
	const struct expression e = expression(n, "meta");

	attr_u32(n, NFTA_META_DREG, REG);
	attr_u32(n, NFTA_META_KEY, key);
	expression_end(n, e);
}

/* The kernel compares all 16 bytes of a name's room. */
static void
link_is(struct nft *n, unsigned key, const char *link)
{
	char name[IFNAMSIZ] = { 0 };

	memcpy(name, link, strnlen(link, IFNAMSIZ - 1));
	meta(n, key);
	compare(n, NFT_CMP_EQ, name, sizeof(name));
}

void
nft_from(struct nft *n, const char *link)
{
	link_is(n, NFT_META_IIFNAME, link);
}

void
nft_to(struct nft *n, const char *link)
{
	link_is(n, NFT_META_OIFNAME, link);
}

static void
payload(struct nft *n, unsigned base, unsigned at, unsigned len)
{
	const struct expression e = expression(n, "payload");

	attr_u32(n, NFTA_PAYLOAD_DREG, REG);
	attr_u32(n, NFTA_PAYLOAD_BASE, base);
	attr_u32(n, NFTA_PAYLOAD_OFFSET, at);
	attr_u32(n, NFTA_PAYLOAD_LEN, len);
	expression_end(n, e);
}

static void
address(struct nft *n, unsigned at, const uint8_t ip[static 4], unsigned bits)
{
	const uint32_t m = bits == 0 ? 0 : ~0u << (32 - bits);
	const uint8_t b[4] = { (uint8_t)(m >> 24), (uint8_t)(m >> 16),
		(uint8_t)(m >> 8), (uint8_t)m };

	payload(n, NFT_PAYLOAD_NETWORK_HEADER, at, 4);
	if (bits < 32)
		mask(n, b);
	compare(n, NFT_CMP_EQ, ip, 4);
}

void
nft_source(struct nft *n, const uint8_t ip[static 4], unsigned bits)
{
	address(n, IP_SOURCE, ip, bits);
}

void
nft_target(struct nft *n, const uint8_t ip[static 4], unsigned bits)
{
	address(n, IP_TARGET, ip, bits);
}

void
nft_protocol(struct nft *n, uint8_t protocol)
{
	meta(n, NFT_META_L4PROTO);
	compare(n, NFT_CMP_EQ, &protocol, 1);
}

void
nft_port(struct nft *n, uint16_t port)
{
	const uint8_t b[2] = { (uint8_t)(port >> 8), (uint8_t)port };

	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_TARGET, 2);
	compare(n, NFT_CMP_EQ, b, 2);
}

/* Answers, and the errors that routers send back about a packet. */
void
nft_answers(struct nft *n)
{
	const uint32_t want = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
	    NF_CT_STATE_BIT(IP_CT_RELATED);
	const uint32_t none = 0;
	uint8_t bits[4];
	const struct expression e = expression(n, "ct");

	attr_u32(n, NFTA_CT_DREG, REG);
	attr_u32(n, NFTA_CT_KEY, NFT_CT_STATE);
	expression_end(n, e);
	/* the register holds the machine's own word */
	memcpy(bits, &want, sizeof(bits));
	mask(n, bits);
	compare(n, NFT_CMP_NEQ, &none, sizeof(none));
}

static void
rule_end(struct nft *n)
{
	nest_end(n, n->list);
	message_end(n);
}

static void
verdict(struct nft *n, unsigned code)
{
	const struct expression e = expression(n, "immediate");

	attr_u32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	const size_t data = nest(n, NFTA_IMMEDIATE_DATA);
	const size_t v = nest(n, NFTA_DATA_VERDICT);
	attr_u32(n, NFTA_VERDICT_CODE, code);
	nest_end(n, v);
	nest_end(n, data);
	expression_end(n, e);
	rule_end(n);
}

void
nft_accept(struct nft *n)
{
	verdict(n, NF_ACCEPT);
}

void
nft_drop(struct nft *n)
{
	verdict(n, NF_DROP);
}

void
nft_masquerade(struct nft *n)
{
	expression_end(n, expression(n, "masq"));
	rule_end(n);
}

/* --- the kernel ---------------------------------------------------------- */

enum dstack_status
nft_open(int *out, struct why *why)
{
	const struct timeval tv = { .tv_sec = 5 };
	AUTO_CLOSE int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "packet filter: %s",
		    strerror(errno));
	/* it answers at once; a bound all the same, since init waits here */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*out = take_fd(&fd);
	return DSTACK_OK;
}

/* 0, or the errno of a message that the kernel refuses; *left goes down. */
static int
confirmed(const unsigned char *p, size_t n, uint32_t *left)
{
	struct nlmsghdr h;
	struct nlmsgerr e;

	for (; n >= sizeof(h); p += NLMSG_ALIGN(h.nlmsg_len),
	     n -= NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || NLMSG_ALIGN(h.nlmsg_len) > n)
			return EBADMSG;
		if (h.nlmsg_type != NLMSG_ERROR)
			continue;
		if (h.nlmsg_len < NLMSG_LENGTH(sizeof(e)))
			return EBADMSG;
		memcpy(&e, p + NLMSG_HDRLEN, sizeof(e));
		if (e.error != 0)
			return -e.error;
		if (*left > 0)
			--*left;
	}
	return 0;
}

enum dstack_status
nft_commit(struct nft *n, int socket, struct why *why)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	unsigned char in[8192];
	int err = 0;

	message(n, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(n);
	enum dstack_status st = wr_status(&n->w);
	if (st != DSTACK_OK)
		return why_set(why, st, "packet filter: rules over %u bytes",
		    BATCH_MAX);
	if (sendto(socket, n->w.buf, n->w.len, 0,
		(const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		err = errno;
	for (uint32_t left = n->count; err == 0 && left > 0;) {
		ssize_t got = recv(socket, in, sizeof(in), 0);
		if (got > 0)
			err = confirmed(in, (size_t)got, &left);
		else if (got == 0 || errno != EINTR)
			err = got == 0 ? EBADMSG : errno;
	}
	errno = err;
	return err == 0 ? DSTACK_OK
			: why_set(why, DSTACK_E_SYS,
			      "packet filter: rules of %s: %s", n->table,
			      strerror(err));
}
