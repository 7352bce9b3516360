#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 21: real TDX quotes. Verified in the guest, all of it; and asked
# for on real hardware, which the original left out.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
cases=../shared/vectors/dcap/cases
n=0
for c in "$cases"/tdx10-v4-*-UpToDate; do
	[ -f "$c/quote.bin" ] || continue
	"$bin" quote show "$c/quote.bin" --json >"$d/q"
	jq -e '.tee == "tdx" and .signature_valid and .chain_valid' "$d/q" >/dev/null ||
		fail "$c: not genuine"
	cp "$c/quote.bin" "$d/bad"
	printf '\377' | dd of="$d/bad" bs=1 seek=184 conv=notrunc 2>/dev/null
	"$bin" quote show "$d/bad" --json >"$d/q" || true
	jq -e '.signature_valid | not' "$d/q" >/dev/null || fail "$c: changed and genuine"
	n=$((n + 1))
done
if [ "$n" -gt 0 ]; then
	saw "$n quotes of real machines are genuine under Intel's root, changed ones not"
else
	saw "no quotes of real machines here; units have the formats"
fi
unit test_dcap_negative
unit test_tee
saw "the image's driver: $(strings -a "${B:-build}/bin/dstack-guest-tdx" |
	grep -xE '/dev/tdx_guest|/sys/kernel/config/tsm/report' | sort | tr '\n' ' ')"
strings -a "${B:-build}/bin/dstack-guest-tdx" | grep -qx /sys/kernel/config/tsm/report ||
	fail "the tdx guest has no way to a quote"
saw "not shown here: a quote made on hardware (there is none)"
echo "ok 21 quotes are verified whole in the guest, and asked of the hardware"
