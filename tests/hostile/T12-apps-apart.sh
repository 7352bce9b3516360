#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T12: one app asks for another's keys, or for the system's: who asks is the
# listener's to say, and appId 0 and bad tags are nobody's.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_keyd
for c in two_apps_and_two_tags_get_keys_that_all_differ \
	no_role_gets_keys_or_statements_of_the_system_or_of_a_bad_tag \
	every_op_is_refused_from_every_role_that_may_not_ask_it; do
	grep -q "^ok [0-9]* - $c$" "$d/out" || exit 1
	echo "ok T12_$c"
done
