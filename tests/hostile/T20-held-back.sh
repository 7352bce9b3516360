#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T20: a host that holds the chain back. A build of the VM is found to
# be broken, and the owner denies it; a node of it has asked to be let in just
# before. The host of a node that holds the secret goes on showing the block in
# which that build was allowed: every proof of it holds. A guest that does not
# ask how old its view may be hands the secret over: seen here with a guest
# whose one check, of that age, is off. With the check nobody is onboarded, and
# once the chain is let go the guest sees the denial, and onboards whom it may.
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

hold() { # PORT FILE
	node tests/net/held.mjs "$1" "$rpc" "$2" &
	pids+=($!)
	until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" || fail "no proxy"
}
onboards() { grep -c 'is onboarded' "$one/node.log"; }

# scene NAME: one has the secret and its RPC is held; broken has asked, and is
# denied
scene() {
	base "T20-$1"
	strict "$age"
	one=$net/one
	rm -f "$net/held"
	hold 30001 "$net/held"
	set_env ETH_RPC_URL http://127.0.0.1:30001
	# the broken build, another shape of VM: allowed as yet
	local as=(--rpc "$rpc" --key-file "$net/key" --contract "$strict")
	make_node broken
	set_env CONTRACT "$strict"
	set_env VM_MEMORY_MB 3333
	cp "$one/hv/netcfg" "$one/hv/app-example.tar" "$d/hv/"
	tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)
	"$bin" contract allow-tuple "$tuple" "${as[@]}" >/dev/null
	d=$one
	start_node
	reaches onboarded
	local host=$node_pid
	d=$net/broken
	# the host answers nobody while it sets the stage
	kill -STOP "$host"
	start_node
	asked() { [ "$("$cast" logs --rpc-url "$rpc" --address "$strict" --from-block 0 --json \
		'Requested(bytes32,address)' | jq length)" -gt 0 ]; }
	until_true 60 asked || fail "nobody asks" "$d/node.log" "$d/console.log"
	touch "$net/held"
	curl -sS -o /dev/null http://127.0.0.1:30001 \
		-d '{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}'
	"$bin" contract deny-tuple "$tuple" "${as[@]}" >/dev/null
	sleep $((age + 5)) # of the guest's own clock, which nobody can move
	kill -CONT "$host"
}

without T20 guest/verifier/newcomer.c 's/if (age > max)/if (age > max \&\& max == 0)/'
bin=build/T20-off/build/bin/dstack
scene off
until_true 60 onboards || fail "the attack itself does not work" "$one/node.log" "$one/console.log" "$d/node.log"
echo "ok without the check the attack succeeds: a denied build gets the secret"
for p in "${pids[@]}"; do gone "$p"; done
pids=()

bin=$honest
scene on
says "$one/console.log" 'is it held back?' 60
n=0
while [ $n -lt 10 ]; do # it is asked again and again
	if onboards >/dev/null; then fail "a node whose view is held back onboards" "$one/console.log"; fi
	sleep 1
	n=$((n + 1))
done
echo "ok with it nobody is onboarded on a view that is held back"
rm "$net/held"
another sound
reaches onboarded 120
[ "$(onboards)" = 1 ] || fail "the denied build has the secret" "$one/node.log"
if grep -q 'powering off' "$one/console.log"; then fail "it ended" "$one/console.log"; fi
echo "ok let go, it onboards whom the contract allows and not the denied one, without a restart"
