#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A beacon chain that nobody of this project wrote (tests/lodestar-chain): Lodestar's
# state transition over ethereumjs, over four committees and from Electra into
# Fulu. "dstack beacon follow" goes from its first finalized block to its last,
# the execution header is that of the client's own RPC, and what too few of the
# committee signed moves nothing.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
bin=$B/bin/dstack
here=tests/lodestar-chain
d=$(mktemp -d)
pids=()
cleanup() {
	local p
	for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || :; done
	rm -rf "$d"
}
trap cleanup EXIT
fail() {
	echo "not ok $1"
	tail -n 5 "$d"/*.log "$d/out" "$d/err" 2>/dev/null | sed 's/^/# /'
	exit 1
}
until_is() { # SECONDS COMMAND...
	local end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le "$end" ] || return 1
		sleep 0.3
	done
}
rpc() {
	curl -s -H 'content-type: application/json' http://127.0.0.1:18545 \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":[${2:-}]}"
}
node $here/node_modules/.bin/ethereumjs --gethGenesis $here/genesis.json \
	--dataDir "$d/el" --rpc --rpcPort 18545 --rpcEngine --rpcEnginePort 18551 \
	--rpcEngineAuth false --sync none --isSingleNode --discDns false \
	--discV4 false --maxPeers 0 >"$d/el.log" 2>&1 &
pids+=($!)
until_is 60 rpc eth_chainId || fail "the execution client starts"
LODESTAR_PRESET=minimal node $here/chain.mjs http://127.0.0.1:18551 260 0 19597 \
	"$d/network" >"$d/chain.log" 2>&1 &
pids+=($!)
until_is 240 test -s "$d/network" || fail "the chain is made"
cl=http://127.0.0.1:19597
first=$(curl -s $cl/sim/first)
last=$(curl -s $cl/sim/finalized)

"$bin" beacon follow --network "$d/network" --root "$first" --once --json \
	--beacon $cl --rpc http://127.0.0.1:18545 >"$d/out" 2>"$d/err" || fail "follow ends well"
[ "$(jq -r .root "$d/out")" = "$last" ] || fail "at the block that Lodestar has finalized"
[ "$(jq .period "$d/out")" -ge 3 ] || fail "three committees later"
hash=$(jq -r .execution_hash "$d/out")
rpc eth_getBlockByHash "\"$hash\",false" >"$d/block"
[ "$(jq -r .result.stateRoot "$d/block")" = "$(jq -r .state_root "$d/out")" ] ||
	fail "the execution client's own header"
echo "ok Lodestar's chain over four committees and a fork, to its last finalized block"

# the same documents from files, and as many signers as are asked for
get() { curl -sf "$cl/eth/v1/beacon/light_client/$1" >"$d/$2"; }
get "bootstrap/$first" bootstrap
get "updates?start_period=0&count=16" updates
verify() { # FINALITY
	rc=0
	"$bin" beacon verify --network "$d/network" --bootstrap "$d/bootstrap" \
		--root "$first" --updates "$d/updates" --finality "$d/$1" \
		--json >"$d/out" 2>"$d/err" || rc=$?
}
get "finality_update?signers=22" enough
verify enough
[ $rc -eq 0 ] && [ "$(jq -r .finalized.root "$d/out")" = "$last" ] ||
	fail "22 of 32 are two thirds"
get "finality_update?signers=21" few
verify few
[ $rc -eq 1 ] && [ "$(jq -r .code "$d/out")" = few ] || fail "21 of 32 are not"
echo "ok 22 of its 32 keys move the head, 21 do not"

# every committee but the last one's update: the newest head is out of reach
jq -c '.[:1]' "$d/updates" >"$d/one" && mv "$d/one" "$d/updates"
verify enough
[ $rc -eq 1 ] && [ "$(jq -r .code "$d/out")" = period ] || fail "a committee that was not proven"
echo "ok a committee whose handing over was not shown is not believed"
