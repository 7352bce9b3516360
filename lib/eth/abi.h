/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the Solidity ABI that KeyManager needs: words, dynamic bytes
 * and strings, arrays of words (Solidity contract ABI specification).
 *
 * Encoding: abi_begin(selector text), heads in order (abi_word, abi_u64,
 * abi_addr, abi_bool, abi_bytes, abi_words), then abi_end, which places
 * tails. At most ABI_MAX_ARGS arguments.
 */
#ifndef ETH_ABI_H
#define ETH_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"

#define ABI_MAX_ARGS 24

struct abi_enc {
	struct wr head;
	struct wr tail;
	size_t at[ABI_MAX_ARGS]; /* head offset of each dynamic argument */
	size_t off[ABI_MAX_ARGS]; /* its tail offset */
	size_t dynamic;
	size_t args;
	uint8_t selector[4];
	bool call;
};

/* First four bytes of keccak256("name(type,...)"). */
void abi_selector(const char *signature, uint8_t out[static 4]);

/* signature NULL: no selector (abi.encode). */
struct abi_enc abi_begin(const char *signature);
void abi_word(struct abi_enc *e, const uint8_t v[static 32]);
void abi_u64(struct abi_enc *e, uint64_t v);
void abi_bool(struct abi_enc *e, bool v);
void abi_addr(struct abi_enc *e, const uint8_t v[static 20]);
void abi_bytes(struct abi_enc *e, const void *p, size_t n); /* also string */
void abi_words(struct abi_enc *e, const uint8_t *words, size_t count);
/* Appends the whole encoding to w and frees e. */
DSTACK_CHECKED enum dstack_status abi_end(struct abi_enc *e, struct wr *w);
void abi_free(struct abi_enc *e);

/* Decoding of return and event data: base is the whole data. */
DSTACK_CHECKED enum dstack_status abi_rd_word(
    struct rd *r, uint8_t out[static 32]);
DSTACK_CHECKED enum dstack_status abi_rd_u64(struct rd *r, uint64_t *out);
DSTACK_CHECKED enum dstack_status abi_rd_addr(
    struct rd *r, uint8_t out[static 20]);
DSTACK_CHECKED enum dstack_status abi_rd_bool(struct rd *r, bool *out);
/* A dynamic argument: reads the offset at r, then the tail in base. */
DSTACK_CHECKED enum dstack_status abi_rd_bytes(struct rd *r,
    const struct rd *base, size_t max, const uint8_t **p, size_t *n);

#endif
