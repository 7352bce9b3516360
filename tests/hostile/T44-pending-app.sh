#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T44: a stolen key proposes a malicious app; guests wait out its notice.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_app_record
sed -n "s/^ok [0-9]* - /ok T44_/p" "$d/out"
