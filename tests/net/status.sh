#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What dstack status and the first screen of "node run" tell of a node that
# waits, one that is dead, and one whose chain cannot be read.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/status.sh"
base status-net
status() { "$bin" status --config "$d/host.env" "$@"; }

as_owner 'pause()'
make_node waiter
start_node
says "$d/node.log" 'the contract is paused' 60
until_true 20 sh -c "$bin status --config $d/host.env | grep -q 'waits .*the contract is paused'" ||
	fail "status does not say what it waits for" "$d/node.json"
status | grep -q '^node .* up, ' || fail "it is up" "$d/node.json"
echo "ok a node that waits says why, on its first screen and in status"
[ "$(status --json | jq -r '.nodes[0].payer')" = "$address" ]
[ "$(status --json | jq -r '.nodes[0].balance')" = 0x56bc75e2d63100000 ]
echo "ok status shows the account that pays, and what it has"

as_owner 'unpause()'
reaches serving
until_true 20 sh -c "! $bin status --config $d/host.env | grep -q waits" ||
	fail "it still says that it waits" "$d/node.json"
echo "ok once it serves it waits for nothing"
gone "$node_pid"
status | grep -q '^node .* DOWN, last seen at phase serving' ||
	fail "a dead node is not called DOWN" "$d/node.json"
echo "ok a dead node is not said to serve"

# the chain's endpoint is gone: what this machine knows is told all the same
sed -i 's|^ETH_RPC_URL=.*|ETH_RPC_URL=http://127.0.0.1:1|' "$d/host.env"
got=0
status >"$d/out" || got=$?
[ "$got" -eq 3 ] || fail "exit $got, not 3" "$d/out"
grep -q '^chain     NOT READ: ' "$d/out"
grep -q '^node .* DOWN, last seen at phase serving' "$d/out"
status --json >"$d/out" || true
[ "$(jq -r '.nodes[0].phase' "$d/out")" = serving ]
echo "ok without the RPC the local facts are shown, and exit 3"
