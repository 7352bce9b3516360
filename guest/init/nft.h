/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the kernel's packet filter (nf_tables) by netlink, as many of its
 * expressions as guest/init/egress.c has use for: no nft(8), no library. One
 * table of family ip, built in memory and given to the kernel whole: all of
 * it holds or none. The messages are those of <linux/netfilter/nf_tables.h>;
 * numbers in them are big-endian, lengths and types the machine's.
 */
#ifndef GUEST_NFT_H
#define GUEST_NFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

struct nft {
	struct wr w;      /* the batch so far */
	const char *table;
	size_t message;   /* offset of the open message; rules: till nft_end */
	size_t list;      /* offset of the open rule's list of expressions */
	uint32_t count;   /* messages, each of which the kernel confirms */
};

/* table is borrowed until nft_commit; nft_free in any case. */
void nft_begin(struct nft *n, const char *table);
void nft_free(struct nft *n);

/*
 * A chain at a hook of the stack (NF_INET_...) whose policy is to drop
 * (drop), or else to accept. type: "filter" or "nat".
 */
void nft_chain(struct nft *n, const char *name, const char *type,
    unsigned hook, int priority, bool drop);

/* A rule: what it matches, all of it, and then one end. */
void nft_rule(struct nft *n, const char *chain);
void nft_from(struct nft *n, const char *link); /* came in by it */
void nft_to(struct nft *n, const char *link);   /* goes out by it */
void nft_source(struct nft *n, const uint8_t ip[static 4], unsigned bits);
void nft_target(struct nft *n, const uint8_t ip[static 4], unsigned bits);
void nft_protocol(struct nft *n, uint8_t protocol); /* IPPROTO_... */
void nft_port(struct nft *n, uint16_t port); /* to it; after the protocol */
void nft_answers(struct nft *n); /* to what was let through the other way */
void nft_accept(struct nft *n);
void nft_drop(struct nft *n);
void nft_masquerade(struct nft *n); /* source: the outgoing link's address */

/*
 * Give the batch to the kernel, in the namespace of the socket (nft_open).
 * DSTACK_E_SYS: it refuses, and nothing of it holds; errno is its reason.
 */
DSTACK_CHECKED enum dstack_status nft_commit(
    struct nft *n, int socket, struct why *why);
/* A socket to the packet filter of the namespace the caller is in. */
DSTACK_CHECKED enum dstack_status nft_open(int *out, struct why *why);

#endif
