#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T21: an older state of the chain that names an older app, in one boot and
# after the next one.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_kubernethes
grep -q "^ok [0-9]* - an_older_version_is_not_taken_again$" "$d/out" || exit 77
echo "ok T21_an_older_version_is_refused_in_this_boot_and_the_next"
