#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS T50: a shared RPC that serves another chain of the same id for a
# while. Every guest goes on holding the secret and serving, says once that
# its view is lost, onboards nobody meanwhile, and recovers by itself.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/other_chain.sh"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
base other-chain

# another chain of the same id, far ahead of ours, without the contract
"$anvil" --port 30011 --silent &
pids+=($!)
until_true 20 "$cast" block-number --rpc-url http://127.0.0.1:30011
"$cast" rpc anvil_mine 0x3e8 0x3c --rpc-url http://127.0.0.1:30011 >/dev/null

proxy 30001 "${rpc##*:}"
make_node holder
set_env ETH_RPC_URL http://127.0.0.1:30001
start_node
reaches serving
holder=$node_pid holder_d=$d holder_https=$https
control=$(sed -n 's/^GUEST_SERVICE=//p' "$d/host.env")
xpub() { curl -sS --max-time 5 "$control/status" | jq -r .xPub; }
mine=$(xpub)
# from here on it alone has the secret
first=$(jq .pid "$net/node0/node.json")
kill "$first"
until_true 60 sh -c "! kill -0 $first 2>/dev/null"

# the endpoint turns to the other chain
: >"$d/console.log"
gone "$proxy_pid"
proxy 30001 30011
says "$holder_d/console.log" 'no contract at netcfg' 60
make_node joiner
start_node
joiner=$node_pid joiner_d=$d
says "$joiner_d/console.log" 'phase register'
says "$joiner_d/console.log" 'no answer to our request yet' 60
if grep -q 'phase onboarded' "$joiner_d/console.log"; then
	fail "somebody was onboarded on a lost view" "$joiner_d/console.log"
fi
kill -0 "$holder" || fail "the node has ended" "$holder_d/node.log"
[ "$(xpub)" = "$mine" ] || fail "the guest lost its key" "$holder_d/console.log"
serves "$holder_https" || fail "the app is gone" "$holder_d/console.log"
if grep -q 'powering off\|gave up' "$holder_d/console.log"; then
	fail "a role gave up" "$holder_d/console.log"
fi
once "$holder_d/console.log" 'kubernethes: '
echo "ok another chain of the same id: said once, nobody is onboarded, nothing ends"

# every kind of nonsense, then the truth again
gone "$proxy_pid"
node tests/net/garbage.mjs 30001 "$holder_d/garbage" &
proxy_pid=$!
pids+=("$proxy_pid")
until_true 60 sh -c "[ \"\$(wc -l <'$holder_d/garbage' 2>/dev/null || echo 0)\" -ge 40 ]" ||
	fail "the node does not ask" "$holder_d/garbage" "$holder_d/console.log"
kill -0 "$holder" || fail "the node has ended" "$holder_d/node.log"
[ "$(xpub)" = "$mine" ] || fail "the guest lost its key" "$holder_d/console.log"
serves "$holder_https" || fail "the app is gone" "$holder_d/console.log"
echo "ok forty wrong answers of ten kinds: nothing ends"

gone "$proxy_pid"
proxy 30001 "${rpc##*:}"
d=$joiner_d
reaches serving 120
[ "$(xpub)" = "$mine" ]
echo "ok the truth is back: the one that held the secret onboards the one that waits"
gone "$joiner"
gone "$holder"
