/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Solidity's call data and answers, as the contract ABI specification has them:
 * words of 32 bytes, integers at the right end of theirs, and for bytes and
 * arrays a word that says where in the encoding their length and content stand.
 *
 * Encoding collects the words of the head and the contents behind them in two
 * buffers, since where a content lies is known only when the head is complete;
 * abi_end puts the offsets in and both together. An error on the way stays in
 * the buffers and is told once, at the end.
 *
 * Decoding is of what somebody else has sent. It takes the one encoding that a
 * compiler would have made, and refuses bits where zeros belong, offsets that
 * are no whole words and contents that end too early. A cursor moves only when
 * the whole value was good.
 */
#include "eth/abi.h"

#include <string.h>

#include "crypto/hash.h"

#define ABI_MAX (1u << 20) /* bytes of one encoding */

/*
 * The first four bytes of the hash of a signature such as "pause()" name the
 * function that is called.
 */
void
abi_selector(const char *signature, uint8_t out[static 4])
{
	uint8_t h[32];
	keccak256(signature, strlen(signature), h);
	memcpy(out, h, 4);
}

struct abi_enc
abi_begin(const char *signature)
{
	struct abi_enc e;
	memset(&e, 0, sizeof(e));
	e.head = wr_new(ABI_MAX);
	e.tail = wr_new(ABI_MAX);
	/*
	 * without a signature: the arguments alone, as a constructor or an
	 * event has them
	 */
	e.call = signature != NULL;
	if (e.call)
		abi_selector(signature, e.selector);
	return e;
}

/* A number is at the right end of its word, most significant byte first. */
static void
word_of(uint64_t v, uint8_t out[static 32])
{
	memset(out, 0, 32);
	for (size_t i = 0; i < 8; i++)
		out[31 - i] = (uint8_t)(v >> (8 * i));
}

void
abi_word(struct abi_enc *e, const uint8_t v[static 32])
{
	/*
	 * a call of more arguments is a mistake of ours: it must not leave this
	 * program
	 */
	if (e->args == ABI_MAX_ARGS) {
		if (e->head.st == DSTACK_OK)
			e->head.st = DSTACK_E_LIMIT;
		return;
	}
	e->args++;
	wr_put(&e->head, v, 32);
}

void
abi_u64(struct abi_enc *e, uint64_t v)
{
	uint8_t w[32];
	word_of(v, w);
	abi_word(e, w);
}

void
abi_bool(struct abi_enc *e, bool v)
{
	abi_u64(e, v ? 1 : 0);
}

void
abi_addr(struct abi_enc *e, const uint8_t v[static 20])
{
	uint8_t w[32] = { 0 };
	/* an address is a number of 160 bits */
	memcpy(w + 12, v, 20);
	abi_word(e, w);
}

/* The head word of a dynamic argument, filled in by abi_end; its length. */
static void
dynamic(struct abi_enc *e, size_t length)
{
	uint8_t w[32];
	if (e->args < ABI_MAX_ARGS) {
		/*
		 * which word of the head, and where in the tail it will point
		 */
		e->at[e->dynamic] = e->head.len;
		e->off[e->dynamic] = e->tail.len;
		e->dynamic++;
	}
	abi_u64(e, 0);
	word_of(length, w);
	wr_put(&e->tail, w, 32);
}

void
abi_bytes(struct abi_enc *e, const void *p, size_t n)
{
	dynamic(e, n);
	wr_put(&e->tail, p, n);
	/* contents end with a whole word, too */
	wr_zero(&e->tail, (32 - n % 32) % 32);
}

void
abi_words(struct abi_enc *e, const uint8_t *words, size_t count)
{
	size_t n;
	dynamic(e, count);
	/* a count that overflows would write less than it says */
	if (__builtin_mul_overflow(count, (size_t)32, &n)) {
		if (e->tail.st == DSTACK_OK)
			e->tail.st = DSTACK_E_LIMIT;
		return;
	}
	wr_put(&e->tail, words, n);
}

enum dstack_status
abi_end(struct abi_enc *e, struct wr *w)
{
	enum dstack_status st = wr_status(&e->head);
	if (st == DSTACK_OK)
		st = wr_status(&e->tail);
	if (st == DSTACK_OK) {
		for (size_t i = 0; i < e->dynamic; i++)
			/*
			 * offsets count from the first word of the head, so the
			 * selector is not in them
			 */
			word_of(e->head.len + e->off[i],
			    e->head.buf + e->at[i]);
		if (e->call)
			wr_put(w, e->selector, 4);
		wr_put(w, e->head.buf, e->head.len);
		wr_put(w, e->tail.buf, e->tail.len);
		st = wr_status(w);
	}
	/* used up in any case: a caller that failed has nothing to free */
	abi_free(e);
	return st;
}

void
abi_free(struct abi_enc *e)
{
	wr_free(&e->head);
	wr_free(&e->tail);
}

/* A word whose first zeros bytes must be zero. */
static enum dstack_status
padded(struct rd *r, size_t zeros, const uint8_t **out)
{
	/* on a copy, so that a refused word is not read past */
	struct rd t = *r;
	const uint8_t *p;
	enum dstack_status st = rd_take(&t, 32, &p);
	if (st != DSTACK_OK)
		return st;
	for (size_t i = 0; i < zeros; i++) {
		if (p[i] != 0)
			return DSTACK_E_FORMAT;
	}
	*r = t;
	*out = p;
	return DSTACK_OK;
}

enum dstack_status
abi_rd_word(struct rd *r, uint8_t out[static 32])
{
	return rd_copy(r, out, 32);
}

enum dstack_status
abi_rd_u64(struct rd *r, uint64_t *out)
{
	const uint8_t *p;
	enum dstack_status st = padded(r, 24, &p);
	if (st != DSTACK_OK)
		return st;
	/* the 24 bytes before it are zero: it fits in 64 bits */
	struct rd low = rd_over(p + 24, 8);
	return rd_u64be(&low, out);
}

enum dstack_status
abi_rd_addr(struct rd *r, uint8_t out[static 20])
{
	const uint8_t *p;
	enum dstack_status st = padded(r, 12, &p);
	if (st == DSTACK_OK)
		memcpy(out, p + 12, 20);
	return st;
}

enum dstack_status
abi_rd_bool(struct rd *r, bool *out)
{
	struct rd t = *r;
	const uint8_t *p;
	enum dstack_status st = padded(&t, 31, &p);
	if (st != DSTACK_OK)
		return st;
	if (p[31] > 1)
		return DSTACK_E_FORMAT;
	*r = t;
	*out = p[31] == 1;
	return DSTACK_OK;
}

enum dstack_status
abi_rd_bytes(struct rd *r, const struct rd *base, size_t max,
    const uint8_t **p, size_t *n)
{
	struct rd t = *r;
	/*
	 * offsets count from the beginning of the arguments, not from this word
	 */
	struct rd tail = rd_over(base->buf, base->len);
	uint64_t off;
	uint64_t len;
	const uint8_t *q;
	const uint8_t *pad;
	enum dstack_status st = abi_rd_u64(&t, &off);
	if (st != DSTACK_OK)
		return st;
	/*
	 * A compiler puts contents at whole words. Another place could let two
	 * values share their bytes.
	 */
	if (off % 32 != 0)
		return DSTACK_E_FORMAT;
	if (off > base->len)
		return DSTACK_E_TRUNCATED;
	st = rd_skip(&tail, (size_t)off);
	if (st == DSTACK_OK)
		st = abi_rd_u64(&tail, &len);
	if (st != DSTACK_OK)
		return st;
	/* before anything is taken: the length is the sender's word */
	if (len > max)
		return DSTACK_E_LIMIT;
	size_t padding = (32 - (size_t)len % 32) % 32;
	st = rd_take(&tail, (size_t)len, &q);
	if (st == DSTACK_OK)
		st = rd_take(&tail, padding, &pad);
	if (st != DSTACK_OK)
		return st;
	for (size_t i = 0; i < padding; i++) {
		/* one value, one encoding */
		if (pad[i] != 0)
			return DSTACK_E_FORMAT;
	}
	*r = t;
	*p = q;
	*n = (size_t)len;
	return DSTACK_OK;
}
