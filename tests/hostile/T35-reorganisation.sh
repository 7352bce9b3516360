#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T35: a chain that is not final yet. The beacon chain finalizes nothing
# for a while; a node asks to be let in, and then the chain is reorganised and
# has no such request. A guest that acts on the newest block has handed the
# secret over by then, for a request that never was: seen here with a guest
# whose one check, that a head is final, is off. With the check nobody is
# onboarded; and when blocks are final again everything goes on.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
# shellcheck source=tests/hostile/off.sh
. tests/hostile/off.sh
need
own_net "$PWD/tests/hostile/T35-reorganisation.sh"
honest=$bin

final() { curl -sSf -o /dev/null -d "{\"on\":$1}" "$beacon/sim/finality"; }
slot() { # head|finalized
	curl -sSf "$beacon/eth/v1/beacon/headers/$1" | jq -r .data.header.message.slot
}
asks() { # how many requests the chain has
	"$cast" logs --rpc-url "$rpc" --address "$contract" --from-block 0 --json \
		'Requested(bytes32,address)' | jq length
}
asked() { [ "$(asks)" -gt 0 ]; }
onboards() { grep 'is onboarded' "$net/node0/node.log"; }

# scene NAME: node0 has the secret; asker has asked, and no block since is final
scene() {
	base "T35-$1" --view beacon
	beacon=$(jq -r .beacon "$net/network.json")
	make_node asker
	# what lies before is final for all, and has the asker's money
	local now
	now=$(slot head)
	past() { [ "$(slot finalized)" -gt $((now + 1)) ]; }
	until_true 60 past || fail "the chain does not finalize" "$net/beacon.log"
	final false
	sleep 3
	before=$(curl -sS -H 'content-type: application/json' "$rpc" \
		-d '{"jsonrpc":"2.0","id":1,"method":"evm_snapshot","params":[]}' | jq -r .result)
	start_node
	until_true 60 asked || fail "nobody asks" "$d/node.log" "$d/console.log"
}
reorganise() {
	call_rpc evm_revert "[\"$before\"]"
	[ "$(asks)" = 0 ] || fail "the chain still has the request"
}

without T35 guest/lightclient/beacon.c 's/v->cfg.finality == NETCFG_ATTESTED$/v->cfg.finality <= NETCFG_ATTESTED/'
bin=build/T35-off/build/bin/dstack
scene off
until_true 60 onboards || fail "the attack itself does not work" "$net/node0/node.log" "$net/node0/console.log" "$d/node.log"
reorganise
echo "ok without the check the attack succeeds: the secret left for a request that never was"
for p in "${pids[@]}"; do gone "$p"; done
pids=()

bin=$honest
scene on
end=$((SECONDS + 15))
while [ $SECONDS -lt $end ]; do # it is asked again and again
	if onboards >/dev/null; then fail "onboarded on a block that is not final" "$net/node0/node.log"; fi
	sleep 1
done
reorganise
echo "ok with it nobody is onboarded for a request that is not final"
gone "$node_pid"
sleep 5 # slots of the chain that stays
final true
make_node sound
start_node
reaches serving 180
echo "ok once blocks are final again it onboards, without a restart"
