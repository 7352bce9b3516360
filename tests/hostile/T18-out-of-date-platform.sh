#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T18: a platform whose TCB is old or unknown.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
"$bin" sim quote --set tee-tcb-svn=03010200000000000000000000000000 >"$d/q"
expect ok old_module "$d/q" --root "$d/root.pem"
expect policy old_module "$d/q" --root "$d/root.pem" --policy "$d/policy.json"
echo "ok T18_an_out_of_date_module_fails_the_policy"
"$bin" sim quote --set tee-tcb-svn=01010200000000000000000000000000 >"$d/q"
expect tcb_not_supported ancient_module "$d/q" --root "$d/root.pem"
"$bin" sim quote --set tee-tcb-svn=05020200000000000000000000000000 >"$d/q"
expect tdx_module_mismatch unknown_module "$d/q" --root "$d/root.pem"
echo "ok T18_unknown_levels_are_refused"
unit test_dcap_sweep
echo "ok T18_status_of_each_part_counts"
