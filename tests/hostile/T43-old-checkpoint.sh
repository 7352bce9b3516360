#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T43: whoever got the keys of the committee that the checkpoint names
# makes a beacon chain of his own from there on. He has a genuine node of his
# ask the true network for the secret, lets the answer through to it, and then
# shows it an execution chain that was the true one up to that block, record
# and all, and has his own app behind it. A guest that judges the secret by its
# own view alone runs that app with the network's keys: seen here with a guest
# whose one check, that its view has the onboarder's final block, is off. With
# the check it wipes the secret, and joins once it is shown the true chain.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
# shellcheck source=tests/hostile/off.sh
. tests/hostile/off.sh
need
own_net "$PWD/tests/hostile/T43-old-checkpoint.sh"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
fork=http://127.0.0.1:30011
honest=$bin

without T43 guest/replicatoor/handed.c 's/is == CHAIN_YES/is != CHAIN_NOT_YET/'
base T43 --view beacon
beacon=$(jq -r .beacon "$net/network.json")
evil=$(./build_app.sh -o "$net/evil.tar" --greeting 'This app is mine' 2>/dev/null |
	grep -oE '[0-9a-f]{64}' | head -1)
forged() { # URL: the execution chain that the forged beacon chain wraps
	curl -sSf -d "{\"rpc\":\"$1\"}" "$beacon/sim/forged"
}
is_mine() { page "$https" | grep -q 'This app is mine'; }

# attack NAME: a genuine node joins, on a host that has all of this
attack() {
	forged "$rpc"
	proxy 30002 "${rpc##*:}"
	make_node "$1"
	set_env ETH_RPC_URL http://127.0.0.1:30002
	set_env BEACON_URL "$beacon/old-committee"
	cp "$net/evil.tar" "$d/hv/app-$(echo "$evil" | cut -c1-16).tar"
	# without the check it is another guest: put on the epoch's list, which
	# takes nobody any more, in storage (mapping at slot 3)
	tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)
	slot=$("$cast" index uint64 0 3)
	slot=$("$cast" index bytes32 "0x${tuple#0x}" "$slot")
	call_rpc anvil_setStorageAt "[\"$contract\",\"$slot\",\"0x$(printf '%064x' 1)\"]"
	local before
	before=$(grep -c 'is onboarded' "$net/node0/node.log") || true
	start_node
	answered() { [ "$(grep -c 'is onboarded' "$net/node0/node.log")" -gt "$before" ]; }
	until_true 120 answered || fail "the true network does not answer" "$net/node0/node.log" "$d/node.log" "$d/console.log"
	# all that the true chain has up to here, and then the attacker's
	"$anvil" --port 30011 --block-time 1 --silent &
	anvil_pid=$!
	pids+=("$anvil_pid")
	until_true 20 "$cast" block-number --rpc-url $fork || fail "no fork"
	curl -sS -H 'content-type: application/json' "$rpc" \
		-d '{"jsonrpc":"2.0","id":1,"method":"anvil_dumpState","params":[]}' |
		jq -c '{jsonrpc, id, method: "anvil_loadState", params: [.result]}' >"$net/state"
	curl -sS -H 'content-type: application/json' -d @"$net/state" $fork >"$net/loaded"
	"$cast" rpc anvil_mine "0x$(printf %x $(($("$cast" block-number --rpc-url "$rpc") + 20)))" 0x1 \
		--rpc-url $fork >/dev/null
	"$cast" rpc anvil_impersonateAccount "$owner" --rpc-url $fork >/dev/null
	"$cast" rpc anvil_setBalance "$owner" 0x56bc75e2d63100000 --rpc-url $fork >/dev/null
	"$cast" send "$contract" 'set_container(string,bytes32)' app-example "0x$evil" \
		--rpc-url $fork --from "$owner" --unlocked >"$net/proposed" 2>&1 ||
		fail "the fork takes no other app" "$net/proposed"
	forged $fork
	gone "$proxy_pid"
	proxy 30002 30011
}

bin=build/T43-off/build/bin/dstack
attack fooled
until_true 120 is_mine || fail "the attack itself does not work" "$d/console.log" "$d/node.log"
echo "ok without the check the attack succeeds: his app has the network's name and keys"
gone "$node_pid"
gone "$proxy_pid"
gone "$anvil_pid"

bin=$honest
attack careful
says "$d/console.log" 'is another than the one that this node is shown; the secret is wiped' 120
end=$((SECONDS + 15))
while [ $SECONDS -lt $end ]; do
	if is_mine; then fail "his app is served" "$d/console.log"; fi
	if grep -q 'phase onboarded' "$d/console.log"; then fail "it uses the secret" "$d/console.log"; fi
	sleep 1
done
echo "ok with it the secret is wiped: it is of another chain than this node is shown"

gone "$node_pid"
gone "$proxy_pid"
set_env ETH_RPC_URL "$rpc"
set_env BEACON_URL "$beacon"
start_node
reaches serving 180
until_true 60 serves "$https" || fail "no page" "$d/console.log"
echo "ok shown the true chain the same node joins"
