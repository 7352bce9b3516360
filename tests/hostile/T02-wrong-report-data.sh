#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T02: a genuine quote over other data, and a quote with any bit changed.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
data=$(printf '%0128d' 0 | sed 's/0/a/g')
"$bin" sim quote --report-data "$data" >"$d/q"
expect ok genuine "$d/q" --root "$d/root.pem" --report-data "$data"
i=0
while [ $i -lt 128 ]; do
	rest=$(printf '%s' "$data" | cut -c $((i + 2))-)
	other=$(printf '%s' "$data" | head -c $i)b$rest
	expect report_data_mismatch "digit $i" "$d/q" --root "$d/root.pem" \
		--report-data "$other"
	i=$((i + 1))
done
echo "ok T02_each_digit_of_report_data_counts"
unit test_dcap_sweep
echo "ok T02_no_flipped_bit_of_a_quote_passes"
