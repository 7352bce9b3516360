#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T08: forged chains, CRLs, TCB info and QE identities, one wrong thing each.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_dcap_sim
echo "ok T08_each_forgery_is_refused_for_its_own_reason"
