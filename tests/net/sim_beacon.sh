#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dstack sim beacon over anvil: dstack beacon follow goes along across a new
# committee and a fork, another implementation finds the same in what it
# serves, and whatever it lies about is refused, or brings nothing.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
own_net "$0"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
d=$(mktemp -d)
trap 'cleanup; rm -rf "$d"' EXIT
rpc=http://127.0.0.1:8545
"$anvil" --port 8545 --block-time 1 --quiet &
pids+=($!)
until_true 20 curl -sf -o "$d/out" -H 'content-type: application/json' "$rpc" \
	-d '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}' || fail "no anvil"

# up NAME PORT ARGS...
up() {
	local name=$1 port=$2
	shift 2
	"$bin" sim beacon --rpc $rpc --listen "127.0.0.1:$port" --network-out "$d/$name" "$@" 2>"$d/$name.log" &
	pids+=($!)
	until_true 20 test -s "$d/$name" || fail "no node $name" "$d/$name.log"
}
say() { # PORT PATH BODY
	curl -s -o "$d/said" -w '%{http_code}' -d "$3" "http://127.0.0.1:$1/sim/$2"
}
# follow NAME URL: from its first block on, in the background; $d/NAME.{out,err}
follow() {
	"$bin" beacon follow --network "$d/a" --root "$(cat "$d/a.root")" --json --rpc $rpc \
		--beacon "$2" >"$d/$1.out" 2>"$d/$1.err" &
	pids+=($!)
}
slot() { sed -n 's/^{"slot":\([0-9]*\),.*/\1/p' "$d/$1.out" | tail -1; }
past() { [ "$(slot "$1")" -gt "$2" ]; }

# Slot 116 now; a new committee from 128 on, Gloas from 136 on.
up a 5052 --slots-before 112 --fork-at 17
follow all http://127.0.0.1:5052
until_true 60 past all 138 || fail "the head does not get on" "$d/all.out" "$d/all.err"
[ ! -s "$d/all.err" ] || fail "something was refused" "$d/all.err"
grep -q '"period":1,"number":[0-9]' "$d/all.out" && grep -q '"slot":13[0-9],.*"period":2,"number":[0-9]' "$d/all.out" ||
	fail "not over both periods, each with the execution block" "$d/all.out"
echo "ok follow: a new committee, and Gloas, with the execution block of each head"

if [ -d tests/lodestar/node_modules ] || tests/sdk/install tests/lodestar; then
	LODESTAR_PRESET=minimal node tests/net/sim_beacon.mjs "$PWD/tests/lodestar/node_modules" \
		http://127.0.0.1:5052 "$d/a" "$(cat "$d/a.root")" || fail "another implementation says no"
fi

[ "$(say 5052 finality '{"on":false}')" = 200 ] || fail "finality is not to be switched"
sleep 2
here=$(slot all)
sleep 4
[ "$(slot all)" -le "$((here + 1))" ] || fail "a head without finality" "$d/all.out"
[ "$(say 5052 finality '{"on":true}')" = 200 ] || fail "finality does not come back"
until_true 20 past all "$((here + 6))" || fail "the head stays" "$d/all.err"
echo "ok no finality for some slots, and again"

# Each lie, told to a client that has followed so far.
lie() { # NAME PATTERN: what is said of it; none: nothing is
	local pid n
	: >"$d/l.out"
	: >"$d/l.err"
	"$bin" beacon follow --network "$d/a" --root "$(cat "$d/a.root")" --json \
		--beacon http://127.0.0.1:5052 >"$d/l.out" 2>"$d/l.err" &
	pid=$!
	pids+=("$pid")
	until_true 20 test -s "$d/l.out" || fail "$1: nothing to begin with" "$d/l.err"
	[ "$(say 5052 lie "{\"name\":\"$1\",\"on\":true}")" = 200 ] || fail "no lie $1"
	n=$(slot l)
	if [ -n "$2" ]; then
		until_true 15 grep -q -- "$2" "$d/l.err" || fail "$1: not refused by '$2'" "$d/l.out" "$d/l.err"
	else
		sleep 3
		[ ! -s "$d/l.err" ] || fail "$1: something is said" "$d/l.err"
	fi
	# what was on its way when the lie began may still have come
	[ "$(slot l)" -le $((n + 2)) ] || fail "$1: a head came through" "$d/l.out"
	[ "$(say 5052 lie "{\"name\":\"$1\",\"on\":false}")" = 200 ] || fail "$1 does not end"
	kill $pid
	wait $pid 2>/dev/null || :
	echo "ok refused: $1"
}
lie old-committee 'the signature over slot [0-9]* is not that of the committee of period [0-9]*'
lie other-network 'the signature over slot [0-9]* is not'
lie mixed-forks 'neither JSON, nor SSZ of a known fork'
lie few-signers '21 of 32 signed; two thirds are needed'
lie bad-signature 'the signature over slot [0-9]* is not'
lie freeze ''
lie garbage 'neither JSON, nor SSZ'
lie future 'it is signed in slot [0-9]*, and slot [0-9]* is now'
lie back ''
lie wrong-branch 'is not what the state of slot [0-9]* has as finalized'
lie wrong-execution 'the execution block of slot [0-9]* is not in its beacon block'
lie slow ''
lie 404 'it has no /eth/v1/beacon/light_client/finality_update (HTTP 404)'
[ "$(say 5052 lie '{"name":"no-such","on":true}')" = 400 ] || fail "a lie without a name"
until_true 30 past all "$(slot l)" || fail "who followed all the time does not get on" "$d/all.err"
echo "ok whoever met them all goes on"
