#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T13: tag and data of one statement split elsewhere: ("ab","c") for
# ("a","bc"), or a byte moved between two parts of a key's context.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_protocol
grep -q '^ok [0-9]* - no_split_of_tag_and_data_attests_the_same$' "$d/out" || exit 1
unit test_keytree
grep -q '^ok [0-9]* - moving_a_byte_between_parts_changes_the_key$' "$d/out" || exit 1
unit test_contract_vectors
echo "ok T13_no_two_splits_are_one_statement_or_one_key"
