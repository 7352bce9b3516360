#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 16: the contract, by the names of the original where the meaning
# stayed (docs/contract.md says which did not).
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
abi_file=${B:-build}/contracts/KeyManager.abi.json
has() { # TYPE NAME
	jq -e --arg t "$1" --arg n "$2" \
		'any(.[]; .type == $t and .name == $n)' "$abi_file" >/dev/null ||
		fail "$1 $2 is not in the contract"
}
for f in xPub verify container set_container bootstrap requested \
	register onboard; do
	has function $f
done
for e in ContainerChanged BootstrapComplete Requested Onboarded; do
	has event $e
	[ "$(events $e | wc -l)" -ge 1 ] || fail "no event $e was seen"
done
x=$(call 'xPub()(address)')
same "xPub of node 0" "${x,,}" "$(curl -sS "$(of_node 0 control)/status" | jq -r .xPub)"
id=$(events Onboarded | head -1 | jq -r '.topics[1]')
same "requested() of who was onboarded" \
	"$(call 'requested(bytes32)(uint8,uint64,bytes23)' "$id" | head -1)" 2
same "requested() of nobody" "$(call 'requested(bytes32)(uint8,uint64,bytes23)' \
	"$(keccak nobody)" | head -1)" 0
# D10: one key an epoch, and not from anybody
if call 'bootstrap((uint64,address,bytes32,bytes32,bytes32,uint64,address),bytes,bytes32)' \
	"(0,$x,$(keccak a),$(keccak b),$(keccak c),1,$x)" "0x$(printf '00%.0s' $(seq 65))" \
	"$(keccak q)" >"$d/out" 2>&1; then
	fail "a second bootstrap is taken"
fi
if call 'set_container(string,bytes32)' other "$(keccak other)" --from "$x" >"$d/out" 2>&1; then
	fail "anybody sets the container"
fi
# D10: recover's zero is nobody's signature
same "verify of zeros" "$(call 'verify(bytes32,bytes)(bool)' "$(keccak a)" \
	"0x$(printf '00%.0s' $(seq 65))")" false
saw "eight functions, four events; register_appdata and onboard_appdata are EIP-712"
echo "ok 16 the contract's names and states, read from the chain"
