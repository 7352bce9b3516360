#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A host that holds its guest's view back: the RPC of one node goes on naming
# the same newest block, and proves what it is asked for in it, while the chain
# goes on. When the view is older than max-age by the guest's own clock, the
# node onboards nobody; when it is let go, it does again, without a restart
# (THREATS T20).
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/held_back.sh"
base held-back-net
age=20

strict "$age"
one=$net/one
next_port=$((next_port + 10))
node tests/net/held.mjs "$next_port" "$rpc" "$net/held" &
pids+=($!)
rm -f "$net/held"
until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$next_port" || fail "no proxy"
set_env ETH_RPC_URL "http://127.0.0.1:$next_port"
start_node
reaches onboarded
another two
reaches onboarded
gone "$node_pid"
echo "ok a node with an RPC that says the truth onboards another"

touch "$net/held"
sleep $((age + 5)) # of the guest's own clock, which nobody can move
another three
says "$one/console.log" 'is it held back?' 60
n=0
while [ $n -lt 10 ]; do # it is asked again and again
	if grep -q 'phase onboarded' "$d/console.log"; then
		fail "a node whose view is held back onboards" "$one/console.log"
	fi
	sleep 1
	n=$((n + 1))
done
echo "ok one whose view is held back onboards nobody, and says so"

rm "$net/held"
reaches onboarded 120
if grep -q 'powering off' "$one/console.log"; then fail "it ended" "$one/console.log"; fi
echo "ok and onboards again when its view is let go"
