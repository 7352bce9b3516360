#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T09: simulated evidence shown to a verifier that trusts Intel's root.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
"$bin" sim quote >"$d/q"
expect ok genuine "$d/q" --root "$d/root.pem"
expect untrusted_pck_chain sim_quote "$d/q"
echo "ok T09_a_release_verifier_refuses_a_simulated_quote"
tests/net/flavours.sh >"$d/out" || { cat "$d/out"; exit 1; }
echo "ok T09_the_tdx_guest_holds_nothing_of_the_simulator"
