#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T16: a signed statement used again: a second time, on another chain, another
# contract, another epoch, for another request.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
contracts/run-tests --match-test \
	'testT16|testOnboardOnceByAnyone|testRegisterTwiceIsRefused|testT15' >"$d/forge" 2>&1 || {
	tail -20 "$d/forge"
	exit 1
}
grep '^\[PASS\]' "$d/forge" | sed 's/^.PASS. \([A-Za-z0-9]*\).*/# \1/'
[ "$(grep -c '^\[PASS\]' "$d/forge")" -ge 4 ] || exit 1
unit test_keyd_join
grep -q '^ok [0-9]* - an_onboard_of_another_signer_chain_epoch_or_request_is_refused$' "$d/out" || exit 1
unit test_verifier
grep -q '^ok [0-9]* - a_request_of_another_network_is_refused$' "$d/out" || exit 1
echo "ok T16_a_statement_holds_once_and_for_one_chain_contract_epoch_and_request"
