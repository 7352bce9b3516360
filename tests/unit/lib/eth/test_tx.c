/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rlp.h"
#include "eth/tx.h"
#include "tests/unit/lib/vec.h"

/* The well-known first key of development chains. */
#define KEY0 "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

static struct secret32
key0(void)
{
	struct secret32 k;
	assert_int_equal(hex_decode(KEY0, 64, k.b, 32), DSTACK_OK);
	return k;
}

/* Signer and fields out of the signed bytes, read by their definition. */
static void
a_signed_transaction_reads_back_with_its_signer(void **state)
{
	(void)state;
	struct secret32 k = key0();
	struct eth_tx tx = {
		.chain_id = 31337, .nonce = 200, .max_priority_fee = 5,
		.max_fee = 300000000000, .gas = 21000,
		.data = (const uint8_t *)"hello", .datalen = 5,
	};
	memset(tx.to, 0x11, 20);
	tx.value[24] = 1;
	for (int create = 0; create < 2; create++) {
		AUTO_WR struct wr w = wr_new(0);
		AUTO_WR struct wr un = wr_new(0);
		AUTO_WR struct wr in = wr_new(0);
		uint8_t hash[32];
		uint8_t h[32];
		uint64_t v[5];
		uint64_t parity;
		uint8_t value[32];
		uint8_t sig[65];
		const uint8_t *p;
		size_t n;
		uint8_t type;
		struct rd items;
		struct rd none;
		tx.create = create == 1;
		assert_int_equal(eth_tx_sign(&tx, &k, &w, hash), DSTACK_OK);
		keccak256(w.buf, w.len, h);
		assert_memory_equal(h, hash, 32);
		struct rd r = rd_over(w.buf, w.len);
		assert_int_equal(rd_u8(&r, &type), DSTACK_OK);
		assert_int_equal(type, 2);
		assert_int_equal(rlp_list(&r, &items), DSTACK_OK);
		assert_int_equal(rd_end(&r), DSTACK_OK);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(rlp_u64(&items, &v[i]), DSTACK_OK);
		assert_int_equal(v[0], 31337);
		assert_int_equal(v[1], 200);
		assert_int_equal(v[3], 300000000000);
		assert_int_equal(rlp_bytes(&items, &p, &n), DSTACK_OK);
		assert_int_equal(n, create ? 0 : 20);
		assert_int_equal(rlp_u256(&items, value), DSTACK_OK);
		assert_memory_equal(value, tx.value, 32);
		assert_int_equal(rlp_bytes(&items, &p, &n), DSTACK_OK);
		assert_memory_equal(p, "hello", 5);
		assert_int_equal(rlp_list(&items, &none), DSTACK_OK);
		assert_int_equal(none.len, 0);
		wr_put(&in, items.buf, items.pos);
		assert_int_equal(rlp_u64(&items, &parity), DSTACK_OK);
		assert_int_equal(rlp_u256(&items, sig), DSTACK_OK);
		assert_int_equal(rlp_u256(&items, sig + 32), DSTACK_OK);
		assert_int_equal(rd_end(&items), DSTACK_OK);
		sig[64] = (uint8_t)(27 + parity);
		wr_u8(&un, 2);
		rlp_put_list(&un, &in);
		keccak256(un.buf, un.len, h);
		uint8_t who[20];
		uint8_t want[20];
		assert_int_equal(secp_recover(h, sig, who), DSTACK_OK);
		assert_int_equal(secp_address(&k, want), DSTACK_OK);
		assert_memory_equal(who, want, 20);
	}
}

static void
a_bad_key_signs_nothing(void **state)
{
	(void)state;
	struct secret32 zero = { { 0 } };
	struct eth_tx tx = { .chain_id = 1 };
	AUTO_WR struct wr w = wr_new(0);
	uint8_t h[32];
	assert_int_equal(eth_tx_sign(&tx, &zero, &w, h), DSTACK_E_REJECTED);
	assert_int_equal(w.len, 0);
}

static void
a_contracts_address_follows_sender_and_nonce(void **state)
{
	(void)state;
	struct secret32 k = key0();
	uint8_t from[20];
	uint8_t to[20];
	assert_int_equal(secp_address(&k, from), DSTACK_OK);
	eth_create_address(from, 0, to);
	assert_hex(to, 20, "5fbdb2315678afecb367f032d93f642f64180aa3");
	eth_create_address(from, 1, to);
	assert_hex(to, 20, "e7f1725e7734ce288f8367e1bb143e90bb3f0512");
	/* the longer forms against the RLP writer */
	const uint64_t nonces[] = { 0x7f, 0x80, 0xff, 0x100, 0x123456,
		UINT64_MAX };
	for (size_t i = 0; i < sizeof(nonces) / sizeof(nonces[0]); i++) {
		AUTO_WR struct wr in = wr_new(0);
		AUTO_WR struct wr w = wr_new(0);
		uint8_t h[32];
		rlp_put_bytes(&in, from, 20);
		rlp_put_u64(&in, nonces[i]);
		rlp_put_list(&w, &in);
		keccak256(w.buf, w.len, h);
		eth_create_address(from, nonces[i], to);
		assert_memory_equal(to, h + 12, 20);
	}
}

static uint64_t
num(const json_t *v, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(v, name));
}

static const char *
str(const json_t *v, const char *name)
{
	return json_string_value(json_object_get(v, name));
}

static void
transactions_of_the_public_vectors_match(void **state)
{
	(void)state;
	json_t *all = vec_json("eth/tx/cast_signed.json");
	size_t i;
	size_t done = 0;
	json_t *v;
	json_array_foreach (all, i, v) {
		if (strcmp(str(v, "kind"), "1559") != 0)
			continue;
		struct secret32 k;
		const char *key = str(v, "privkey");
		const char *to = str(v, "to");
		size_t n;
		uint8_t *data = unhex(str(v, "data"), &n);
		struct eth_tx tx = {
			.chain_id = num(v, "chain"), .nonce = num(v, "nonce"),
			.max_priority_fee = num(v, "tip"),
			.max_fee = num(v, "fee"), .gas = num(v, "gas"),
			.data = data, .datalen = n,
		};
		uint64_t value = num(v, "value");
		AUTO_WR struct wr w = wr_new(0);
		uint8_t h[32];
		assert_int_equal(
		    hex_decode(key, strlen(key), k.b, 32), DSTACK_OK);
		assert_int_equal(hex_decode(to, strlen(to), tx.to, 20), DSTACK_OK);
		for (size_t b = 0; b < 8; b++)
			tx.value[31 - b] = (uint8_t)(value >> (8 * b));
		assert_int_equal(eth_tx_sign(&tx, &k, &w, h), DSTACK_OK);
		assert_hex(w.buf, w.len, str(v, "raw"));
		assert_hex(h, 32, str(v, "hash"));
		free(data);
		done++;
	}
	assert_true(all == NULL || done == 3);
	json_decref(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_transaction_reads_back_with_its_signer),
		cmocka_unit_test(a_bad_key_signs_nothing),
		cmocka_unit_test(a_contracts_address_follows_sender_and_nonce),
		cmocka_unit_test(transactions_of_the_public_vectors_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
