#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T19: old but signed collateral, and a clock set to suit it.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
now=$(date +%s)
"$bin" sim quote >"$d/q"
"$bin" sim collateral --at $((now - 60 * 86400)) >"$d/collateral.json"
expect ok two_months_ago "$d/q" --root "$d/root.pem" --at $((now - 60 * 86400))
expect crl_expired now "$d/q" --root "$d/root.pem" --at "$now"
echo "ok T19_collateral_of_two_months_ago_is_refused_today"
"$bin" sim collateral --at "$now" >"$d/collateral.json"
expect crl_expired early "$d/q" --root "$d/root.pem" --at $((now - 90 * 86400))
echo "ok T19_a_clock_before_the_collateral_is_refused"
expect expired_pck_chain y2019 "$d/q" --root "$d/root.pem" --at 1560000000
expect expired_pck_chain y2060 "$d/q" --root "$d/root.pem" --at 2840140800
echo "ok T19_a_clock_outside_the_certificates_is_refused"
sed 's/_number":20/_number":21/' "$d/policy.json" >"$d/raised.json"
expect policy floor "$d/q" --root "$d/root.pem" --policy "$d/raised.json"
sed 's/root_crl_number":1/root_crl_number":2/' "$d/policy.json" >"$d/raised.json"
expect policy floor "$d/q" --root "$d/root.pem" --policy "$d/raised.json"
echo "ok T19_a_raised_floor_refuses_older_evidence"
