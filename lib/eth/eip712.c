/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EIP-712: what a statement looks like when it is signed. A statement is a
 * struct; its hash is keccak256 over the hash of its type, spelled out, and one
 * word for each member. What is signed is that hash together with the hash of
 * the domain, which names this chain and this contract: a signature for one
 * network says nothing in another.
 *
 * The types are constants of the program and the members a handful of words, so
 * there is nothing here that input could make too long; an assertion says so.
 */
#include "eth/eip712.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"

struct eip712
eip712_begin(const char *type)
{
	struct eip712 s;
	memset(&s, 0, sizeof(s));
	/* the first word is the hash of the type's text */
	eip712_bytes(&s, type, strlen(type));
	return s;
}

void
eip712_word(struct eip712 *s, const uint8_t v[static 32])
{
	/*
	 * a type with more members is a mistake in this program, found by its
	 * first test
	 */
	assert(s->n < sizeof(s->word) / sizeof(s->word[0]));
	memcpy(s->word[s->n++], v, 32);
}

void
eip712_u64(struct eip712 *s, uint64_t v)
{
	uint8_t w[32] = { 0 };
	/* as in the ABI: at the right end, most significant byte first */
	for (size_t i = 0; i < 8; i++)
		w[31 - i] = (uint8_t)(v >> (8 * i));
	eip712_word(s, w);
}

void
eip712_addr(struct eip712 *s, const uint8_t v[static 20])
{
	uint8_t w[32] = { 0 };
	memcpy(w + 12, v, 20);
	eip712_word(s, w);
}

void
eip712_bytes(struct eip712 *s, const void *p, size_t n)
{
	uint8_t h[32];
	keccak256(p, n, h);
	eip712_word(s, h);
}

static void
hash_struct(const struct eip712 *s, uint8_t out[static 32])
{
	keccak256(s->word, (size_t)s->n * 32, out);
}

/*
 * The same words as in contracts/KeyManager.sol (_digest); the test vectors
 * hold the two together.
 */
void
eip712_separator(const struct eip712_domain *d, uint8_t out[static 32])
{
	struct eip712 s =
	    eip712_begin("EIP712Domain(string name,string version,"
	                 "uint256 chainId,address verifyingContract)");
	eip712_bytes(&s, "dstack2", 7);
	eip712_bytes(&s, "1", 1);
	eip712_u64(&s, d->chain_id);
	eip712_addr(&s, d->contract);
	hash_struct(&s, out);
}

void
eip712_digest(const struct eip712 *s, const struct eip712_domain *d,
    uint8_t out[static 32])
{
	/*
	 * 0x19 begins no transaction, so no signature is good for one; 1 is the
	 * version of EIP-191 that structs have
	 */
	uint8_t m[2 + 32 + 32] = { 0x19, 0x01 };
	eip712_separator(d, m + 2);
	hash_struct(s, m + 34);
	keccak256(m, sizeof(m), out);
}
