#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T07: a host that invents headers invents the policy. The chain's state
# is loaded into a second chain, a tuple of the attacker's allowed there, some
# blocks mined on it, and the RPC of a node that holds the secret is turned to
# it. With view=rpc the node onboards a guest that the real contract does not
# allow: the attack is seen to succeed. With view=beacon it does not, whatever
# the host's beacon node says beside; and when the truth is back everything
# goes on without a restart.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/hostile/T07-invented-headers.sh"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
fork=http://127.0.0.1:30011

raw() { # URL METHOD PARAMS
	curl -sS -H 'content-type: application/json' \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\",\"params\":$3}" "$1"
}

# scene VIEW: holder has the secret alone, its RPC is a proxy; thief waits
scene() {
	base "T07-$1" --view "$1"
	proxy 30001 "${rpc##*:}"
	make_node holder
	set_env ETH_RPC_URL http://127.0.0.1:30001
	start_node
	reaches serving 120
	holder=$node_pid holder_d=$d holder_https=$https holder_proxy=$proxy_pid
	first=$(jq .pid "$net/node0/node.json")
	kill "$first"
	until_true 60 sh -c "! kill -0 $first 2>/dev/null"

	# another shape of VM: genuine, and on no list
	proxy 30002 "${rpc##*:}"
	thief_proxy=$proxy_pid
	make_node thief
	set_env ETH_RPC_URL http://127.0.0.1:30002
	set_env VM_MEMORY_MB 3333
	thief_d=$d
	tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)
	# the holder's host reads its gossip once the stage is set
	kill -STOP "$holder"
	start_node
	thief=$node_pid
	says "$d/node.log" 'register' 60
	sleep 3

	"$anvil" --port 30011 --silent &
	anvil_pid=$!
	pids+=("$anvil_pid")
	until_true 20 "$cast" block-number --rpc-url $fork
	state=$(raw "$rpc" anvil_dumpState '[]' | jq -r .result)
	printf '{"jsonrpc":"2.0","id":1,"method":"anvil_loadState","params":["%s"]}' "$state" >"$net/state"
	curl -sS -H 'content-type: application/json' -d @"$net/state" $fork >"$net/loaded"
	# tuples[0][tuple] = ALLOWED, in storage: mapping at slot 3
	slot=$("$cast" index uint64 0 3)
	slot=$("$cast" index bytes32 "0x${tuple#0x}" "$slot")
	raw $fork anvil_setStorageAt "[\"$contract\",\"$slot\",\"0x$(printf '%064x' 1)\"]" >/dev/null
	raw $fork evm_setNextBlockTimestamp "[$(($(date +%s) + 60))]" >/dev/null
	ahead=$(($("$cast" block-number --rpc-url "$rpc") + 20))
	until [ "$("$cast" block-number --rpc-url $fork)" -ge $ahead ]; do
		"$cast" rpc anvil_mine 0x10 0x1 --rpc-url $fork >/dev/null
	done
	gone "$holder_proxy"
	proxy 30001 30011
	holder_proxy=$proxy_pid
	gone "$thief_proxy"
	proxy 30002 30011
	thief_proxy=$proxy_pid
	kill -CONT "$holder"
}
over() {
	local p
	for p in "${pids[@]}"; do gone "$p"; done
	pids=()
}

scene rpc
d=$thief_d
until_true 90 grep -q 'phase onboarded' "$d/console.log" ||
	fail "the attack itself does not work" "$d/console.log" "$holder_d/node.log" "$d/node.log"
echo "ok with view=rpc the attack succeeds: who invents headers gets the secret"
over

scene beacon
control=$(sed -n 's/^GUEST_SERVICE=//p' "$holder_d/host.env")
mine=$(curl -sS --max-time 5 "$control/status" | jq -r .xPub)
beacon=$(jq -r .beacon "$net/network.json")
nothing() { # WHAT
	if grep -q 'phase onboarded' "$thief_d/console.log"; then
		fail "$1: the thief has the secret" "$holder_d/node.log"
	fi
	kill -0 "$holder" || fail "$1: the node has ended" "$holder_d/node.log"
	[ "$(curl -sS --max-time 5 "$control/status" | jq -r .xPub)" = "$mine" ] ||
		fail "$1: the guest lost its key" "$holder_d/console.log"
	serves "$holder_https" || fail "$1: the app is gone" "$holder_d/console.log"
}
says "$holder_d/console.log" 'lightclient: ' 60
sleep 15
nothing "invented headers"
echo "ok with view=beacon nobody is onboarded on headers that no committee signed"
for lie in old-committee other-network mixed-forks few-signers bad-signature \
	freeze garbage future back wrong-branch wrong-execution 404; do
	curl -sS -d "{\"name\":\"$lie\",\"on\":true}" "$beacon/sim/lie" >/dev/null
	sleep 4
	nothing "$lie"
	curl -sS -d "{\"name\":\"$lie\",\"on\":false}" "$beacon/sim/lie" >/dev/null
done
echo "ok nor with a beacon node that tells each lie of twelve beside"

gone "$thief"
gone "$holder_proxy"
proxy 30001 "${rpc##*:}"
make_node joiner
start_node
reaches serving 180
nothing "the truth again"
echo "ok the truth is back: the node onboards whom the contract allows, without a restart"
