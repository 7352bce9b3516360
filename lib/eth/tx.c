/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of type 2 (EIP-1559): the fields as an RLP list behind the
 * type's byte, signed by secp256k1 over keccak256 of that, and once more with
 * the signature behind the fields. The chain's id is among them, so that no
 * other chain takes it. What it costs at most is in the fields too, and that is
 * the caller's to bound (host/chain/send.c).
 */
#include "eth/tx.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rlp.h"

#define TX_TYPE 0x02 /* EIP-1559 */
#define TX_MAX (1u << 20)

/* The fields before the signature. */
static void
fields(const struct eth_tx *tx, struct wr *w)
{
	rlp_put_u64(w, tx->chain_id);
	rlp_put_u64(w, tx->nonce);
	rlp_put_u64(w, tx->max_priority_fee);
	rlp_put_u64(w, tx->max_fee);
	rlp_put_u64(w, tx->gas);
	/* a contract's creation has no address to go to */
	rlp_put_bytes(w, tx->to, tx->create ? 0 : sizeof(tx->to));
	rlp_put_u256(w, tx->value);
	rlp_put_bytes(w, tx->data, tx->datalen);
	wr_u8(w, 0xc0); /* access list: empty */
}

enum dstack_status
eth_tx_sign(const struct eth_tx *tx, const struct secret32 *key, struct wr *w,
    uint8_t hash[static 32])
{
	AUTO_WR struct wr in = wr_new(TX_MAX);
	AUTO_WR struct wr unsigned_tx = wr_new(TX_MAX);
	AUTO_WR struct wr signed_tx = wr_new(TX_MAX);
	uint8_t digest[32];
	uint8_t sig[SECP_SIG_LEN];
	fields(tx, &in);
	wr_u8(&unsigned_tx, TX_TYPE);
	rlp_put_list(&unsigned_tx, &in);
	enum dstack_status st = wr_status(&unsigned_tx);
	if (st != DSTACK_OK)
		return st;
	keccak256(unsigned_tx.buf, unsigned_tx.len, digest);
	st = secp_sign(key, digest, NULL, sig);
	if (st != DSTACK_OK)
		return st;
	/* transactions of this type have the parity alone, not 27 or 28 */
	rlp_put_u64(&in, (uint64_t)(sig[64] - 27));
	rlp_put_u256(&in, sig);
	rlp_put_u256(&in, sig + 32);
	wr_u8(&signed_tx, TX_TYPE);
	rlp_put_list(&signed_tx, &in);
	st = wr_status(&signed_tx);
	if (st != DSTACK_OK)
		return st;
	/*
	 * its hash is known before it is sent: what was not answered can be
	 * looked for
	 */
	wr_put(w, signed_tx.buf, signed_tx.len);
	st = wr_status(w);
	if (st == DSTACK_OK)
		keccak256(signed_tx.buf, signed_tx.len, hash);
	return st;
}

/*
 * keccak256 of the list of sender and nonce, without a wr: it is at most 31
 * bytes, and what cannot fail needs no status.
 */
void
eth_create_address(
    const uint8_t sender[static 20], uint64_t nonce, uint8_t out[static 20])
{
	/* list header, 0x94 and the sender, the nonce: at most 31 bytes */
	uint8_t b[32] = { 0, 0x94 };
	uint8_t h[32];
	size_t n = 22;
	memcpy(b + 2, sender, 20);
	if (nonce == 0) {
		b[n++] = 0x80;
	/*
	 * as rlp_put_u64 does it: nothing for zero, small bytes alone, else the
	 * shortest with its length
	 */
	} else if (nonce < 0x80) {
		b[n++] = (uint8_t)nonce;
	} else {
		size_t len = 8 - (size_t)__builtin_clzll(nonce) / 8;
		b[n++] = (uint8_t)(0x80 + len);
		for (size_t i = len; i > 0; i--)
			b[n++] = (uint8_t)(nonce >> (8 * (i - 1)));
	}
	b[0] = (uint8_t)(0xc0 + n - 1);
	keccak256(b, n, h);
	memcpy(out, h + 12, 20);
}
