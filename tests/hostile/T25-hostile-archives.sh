#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T25: archives made by hand: traversal, symlinks written through, hardlinks
# and whiteouts out, devices, setuid, sparse and PAX sizes, bombs.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_oci
sed -n "s/^ok [0-9]* - /ok T25_/p" "$d/out"
unit test_unpack
sed -n "s/^ok [0-9]* - /ok T25_/p" "$d/out" | grep -v SKIP
