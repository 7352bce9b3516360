#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 1: nodes that replicate by themselves, a contract that orchestrates
# them, a site with the greeting over unstoppable TLS.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
for i in 0 1; do
	get $i / >"$d/page"
	grep -q 'Welcome to Dstack with unstoppable TLS!' "$d/page" ||
		fail "node $i does not greet"
	! grep -q 'Not signed' "$d/page" || fail "node $i: the greeting is not signed"
done
same "container()" "$(call 'container()(string)')" '"app-example"'
digest=$(call 'app(bool)((bytes32,bytes32,uint64,uint64,bool,string))' true |
	grep -o '0x[0-9a-f]\{64\}' | sed -n 2p)
for i in 0 1; do
	same "digest that node $i runs" "$digest" \
		"$(curl -sS "$(of_node $i control)/status" | jq -r .app.digest)"
done
same "who was onboarded" "$(events Onboarded | wc -l)" 1
grep -q '^CHAIN_ID=11155111$' host.env.example
saw "two nodes greet over verified HTTPS and run what the contract names"
saw "the second was onboarded by the first; for Sepolia: CHAIN_ID=11155111"
echo "ok 01 the greeting, by two nodes, a contract and nobody else"
