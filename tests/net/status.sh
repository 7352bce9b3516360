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
status | grep -q "payer *$address, 100.000000 ether$"
from=$(date +%s%N)
status >/dev/null
[ $((($(date +%s%N) - from) / 1000000)) -lt 2000 ] || fail "it waits for a certificate that no node has yet"
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

# what keeps a node out is told again after a trouble that passed
make_node outsider
sed -i 's/^max-age=.*/max-age=3599/' "$d/hv/netcfg"
next_port=$((next_port + 10))
proxy "$next_port" "${rpc##*:}"
set_env ETH_RPC_URL "http://127.0.0.1:$next_port"
start_node
waits_for() { status | grep -q "waits .*$1"; }
until_true 60 waits_for 'measurements are not on' || fail "no reason" "$d/node.log"
gone "$proxy_pid"
until_true 60 waits_for "trying on" && until_true 60 sh -c "! $bin status --config $d/host.env | grep -q 'waits .*measurements'" ||
	fail "the RPC's end is not told" "$d/node.log"
proxy "$next_port" "${rpc##*:}"
until_true 60 waits_for 'measurements are not on' || fail "the RPC is still the reason" "$d/node.log"
gone "$node_pid"
echo "ok the reason that stays is told again after one that passed"

# a contract that has nothing yet
sed -i "s|^ETH_RPC_URL=.*|ETH_RPC_URL=$rpc|" "$d/host.env"
(umask 077 && sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$d/key")
set_env CONTRACT "$("$bin" contract deploy --sim --notice 0 --json --rpc "$rpc" --key-file "$d/key" | jq -r .contract)"
status >"$d/out"
grep -q '^epoch     none has a key yet$' "$d/out" && grep -q '^app       none is named yet$' "$d/out" ||
	fail "zeros are shown for what is not there" "$d/out"
echo "ok status says what a contract has not, in words"

# an endpoint at its limit, which refuses every other question
make_node limited
next_port=$((next_port + 10))
node -e 'let n = 0
require("http").createServer((q, a) => {
	const parts = []
	q.on("data", (d) => parts.push(d)).on("end", async () => {
		if (n++ % 2 === 0) return a.writeHead(429, { "Retry-After": "1" }).end()
		const r = await fetch(process.argv[2], { method: "POST", body: Buffer.concat(parts),
			headers: { "content-type": "application/json" } })
		a.end(await r.text())
	})
}).listen(+process.argv[1], "127.0.0.1")' "$next_port" "$rpc" &
pids+=($!)
until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$next_port" || fail "no proxy"
set_env ETH_RPC_URL "http://127.0.0.1:$next_port"
start_node
says "$d/node.log" 'phase boot' 30
echo "ok a node starts by an endpoint that refuses every other question"
gone "$node_pid"

d=$net/waiter
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
