/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSZ's trees: leaves of 32 bytes, paired by SHA-256 up to one root. Nothing
 * here can fail; how many leaves there are is the caller's, who knows it from
 * a type and not from foreign bytes.
 */
#include "beacon/merkle.h"

#include <string.h>

#include "beacon/fork.h"
#include "crypto/hash.h"

void
merkle_pair(const uint8_t a[static 32], const uint8_t b[static 32],
    uint8_t out[static 32])
{
	uint8_t both[64]; /* a copy: out may be one of them */
	memcpy(both, a, 32);
	memcpy(both + 32, b, 32);
	sha256(both, sizeof(both), out);
}

void
merkle_root(uint8_t (*leaf)[32], size_t count, uint8_t out[static 32])
{
	for (; count > 1; count /= 2)
		for (size_t i = 0; i < count / 2; i++)
			merkle_pair(leaf[2 * i], leaf[2 * i + 1], leaf[i]);
	memcpy(out, leaf[0], 32);
}

void
merkle_u64(uint64_t v, uint8_t out[static 32])
{
	memset(out, 0, 32);
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

bool
all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

bool
merkle_branch(const uint8_t leaf[static 32], const uint8_t *branch, size_t n,
    uint32_t gindex, const uint8_t root[static 32])
{
	unsigned depth = gindex_depth(gindex);
	uint8_t node[32];
	/* a branch made longer for a later fork has zeros in front */
	if (n < depth || !all_zero(branch, 32 * (n - depth)))
		return false;
	branch += 32 * (n - depth);
	memcpy(node, leaf, 32);
	/* the bits of gindex below its first say: left or right child */
	for (unsigned i = 0; i < depth; i++) {
		if ((gindex >> i & 1) != 0)
			merkle_pair(branch + 32 * i, node, node);
		else
			merkle_pair(node, branch + 32 * i, node);
	}
	return memcmp(node, root, 32) == 0;
}
