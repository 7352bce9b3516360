#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T20: a host that holds its guest's view back has it onboard by a
# policy that the chain has left behind. A guest asks to join, its kind is
# denied, and the host of the one that has the secret goes on showing the block
# before that. With the age check off the denied guest is onboarded; with it
# nobody is, and the node says why.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
# shellcheck source=tests/hostile/off.sh
. tests/hostile/off.sh
need
own_net "$PWD/tests/hostile/T20-held-back.sh"
honest=$bin
age=20
without T20 guest/verifier/newcomer.c 's/if (age > max)/if (age > max \&\& max == 0)/'
base T20
net0=$net

# word TUPLE VALUE: tuples[0][TUPLE] of the contract, in storage (slot 3)
word() {
	local slot
	slot=$("$cast" index uint64 0 3)
	slot=$("$cast" index bytes32 "0x${1#0x}" "$slot")
	call_rpc anvil_setStorageAt "[\"$strict\",\"$slot\",\"0x$(printf '%064x' "$2")\"]"
	call_rpc evm_mine '[]'
}
requested() { grep -q 'phase register' "$d/console.log" &&
	[ "$("$cast" logs --rpc-url "$rpc" --address "$strict" --from-block "$from" --json | jq length)" -gt 0 ]; }

# play NAME: the node that has the secret is of the binary in $bin
play() {
	net=$net0/$1
	mkdir -p "$net"
	ln -sfn "../node0" "$net/node0"
	strict "$age"
	local one=$net/one port=$((next_port + 9))
	node tests/net/held.mjs "$port" "$rpc" "$net/held" &
	pids+=($!)
	until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" || fail "no proxy"
	set_env ETH_RPC_URL "http://127.0.0.1:$port"
	auditing=$net/auditing
	start_node
	reaches onboarded
	local holder=$node_pid
	sleep 5 # its view is tied to this boot
	kill -STOP "$holder"

	# another shape of VM: allowed, and then denied
	bin=$honest
	make_node thief
	set_env CONTRACT "$strict"
	set_env VM_MEMORY_MB 3333
	cp "$one/hv/netcfg" "$one/hv/app-example.tar" "$d/hv/"
	local tuple
	tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)
	word "$tuple" 1
	from=$("$cast" block-number --rpc-url "$rpc")
	start_node
	until_true 60 requested || fail "the thief does not ask" "$d/node.log" "$d/console.log"
	# the newest block that will be shown has the request in it
	curl -sS -d '{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}' \
		"http://127.0.0.1:$port" >/dev/null
	touch "$net/held"
	word "$tuple" 2
	sleep $((age + 5)) # of the guest's own clock, which nobody can move
	kill -CONT "$holder"
}

bin=build/T20-off/build/bin/dstack
play off
until_true 90 grep -q 'phase onboarded' "$d/console.log" ||
	fail "the attack itself does not work" "$net/one/console.log" "$net/one/node.log" "$d/console.log"
echo "ok without the check a denied guest is onboarded by a view that is held back"
gone "$node_pid"

bin=$honest
play on
says "$net/one/console.log" 'is it held back?' 90
sleep 5
if grep -q 'phase onboarded' "$d/console.log"; then fail "a denied guest is onboarded" "$net/one/console.log"; fi
echo "ok with it nobody is, and the node says that its view may be held back"
