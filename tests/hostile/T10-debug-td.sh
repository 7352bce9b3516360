#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T10: a TD whose attributes or extended features are not the careful ones.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
# field bit: eight little-endian bytes as hex with that bit of the base flipped
mutant() {
	base=$1
	bit=$2
	byte=$((bit / 8))
	old=$(printf '%s' "$base" | cut -c $((2 * byte + 1))-$((2 * byte + 2)))
	new=$(printf '%02x' $((0x$old ^ (1 << (bit % 8)))))
	printf '%s%s%s' "$(printf '%s' "$base" | head -c $((2 * byte)))" "$new" \
		"$(printf '%s' "$base" | cut -c $((2 * byte + 3))-)"
}
"$bin" sim quote >"$d/q"
expect ok genuine "$d/q" --root "$d/root.pem" --policy "$d/policy.json"
bit=0
while [ $bit -lt 64 ]; do
	"$bin" sim quote --set \
		"td-attributes=$(mutant 0000001000000000 $bit)" >"$d/q"
	expect policy "attribute bit $bit" "$d/q" --root "$d/root.pem" \
		--policy "$d/policy.json"
	bit=$((bit + 1))
done
echo "ok T10_each_td_attribute_bit_is_refused"
for bit in 3 4 10 13 14 15 16 19 20 32 62 63; do
	"$bin" sim quote --set "xfam=$(mutant e702060000000000 $bit)" >"$d/q"
	expect policy "xfam bit $bit" "$d/q" --root "$d/root.pem" \
		--policy "$d/policy.json"
done
echo "ok T10_xfam_bits_outside_the_mask_are_refused"
"$bin" sim quote --set seam-attributes=0100000000000000 >"$d/q"
expect tdx_module_mismatch seam "$d/q" --root "$d/root.pem"
echo "ok T10_a_debug_tdx_module_is_refused"
