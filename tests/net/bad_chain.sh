#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node whose chain, relay, account or contract is not as it should be:
# one clear line, and it joins once that is mended, with nothing lost.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_chain.sh"
base bad-chain

# RPC and relay of the joiner go through forwarders that come and go
make_node late
set_env ETH_RPC_URL http://127.0.0.1:30001
set_env PUBSUB_URL http://127.0.0.1:30002
start_node
says "$d/node.log" 'chain RPC: http://127.0.0.1:30001: '
sleep 1
once "$d/node.log" 'waiting for it (ETH_RPC_URL)'
[ "$(wc -l <"$d/node.log")" -eq 1 ] || fail "more than one line" "$d/node.log"
proxy 30001 "${rpc##*:}"
rpc_proxy=$proxy_pid
reaches register
echo "ok RPC down at start: the node waits with one line"

says "$d/node.log" 'relay: http://127.0.0.1:30002: '
sleep 2
once "$d/node.log" 'relay: '
once "$d/node.log" '(PUBSUB_URL)'
if grep -q 'phase onboarded' "$d/console.log"; then fail "onboarded without a relay"; fi
echo "ok relay down at start: one line while the request waits"

gone "$rpc_proxy"
says "$d/console.log" 'answered 502: chain RPC: http://127.0.0.1:30001'
sleep 2
# what was asked as it went away ends in its own way, then it is gone
[ "$(grep 'replicatoor: host /' "$d/console.log" | sort -u | wc -l)" -eq \
	"$(grep -c 'replicatoor: host /' "$d/console.log")" ] ||
	fail "a guest repeats it" "$d/console.log"
[ "$(grep -c 'chain RPC' "$d/node.log")" -eq 1 ] || fail "the host repeats it" "$d/node.log"
proxy 30002 "${relay##*:}"
relay_proxy=$proxy_pid
proxy 30001 "${rpc##*:}"
rpc_proxy=$proxy_pid
reaches serving
serves "$https" || fail "no page"
if grep -q 'not here yet\|another node was first' "$d/node.log"; then
	fail "the node has taken its own request for another's" "$d/node.log"
fi
echo "ok RPC down in mid-join: one line, and the node joins when it is back"

# serving nodes: RPC and relay away, then back. The relay has to have been
# heard for a while (HEARD_MS), or this counts as the same outage.
sleep 4
: >"$d/console.log"
: >"$d/node.log"
gone "$rpc_proxy"
gone "$relay_proxy"
says "$d/node.log" 'relay: '
says "$d/console.log" 'kubernethes: host /rpc: answered 502'
sleep 2
once "$d/node.log" 'relay: '
once "$d/console.log" 'kubernethes: '
serves "$https" || fail "the app is gone with the RPC" "$d/console.log"
proxy 30001 "${rpc##*:}"
proxy 30002 "${relay##*:}"
echo "ok RPC and relay down while serving: one line each, and it serves on"
gone "$node_pid"

make_node poor
call_rpc anvil_setBalance "[\"$address\",\"0x0\"]"
call_rpc evm_mine '[]'
start_node
says "$d/node.log" 'cannot pay the gas'
once "$d/node.log" "account 0x$(echo "${address#0x}" | tr A-F a-f) cannot pay the gas: send it funds"
sleep 2
once "$d/node.log" 'cannot pay the gas'
once "$d/console.log" 'replicatoor: '
call_rpc anvil_setBalance "[\"$address\",\"0x56bc75e2d63100000\"]"
reaches serving
echo "ok an account without funds: one line, and it joins when it has some"
gone "$node_pid"

make_node paused
as_owner 'pause()'
start_node
says "$d/console.log" 'the contract is paused'
sleep 1
once "$d/console.log" 'replicatoor: the contract is paused'
as_owner 'unpause()'
reaches serving
echo "ok a paused contract: one line, and the node joins when it goes on"
gone "$node_pid"
