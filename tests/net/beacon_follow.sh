#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dstack beacon follow over nodes of the made chain: what it prints, and that no
# node that is down, behind, or lies keeps it from a node that does not.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
bin=$B/bin/dstack
view=tests/vectors/chain_view.json
[ -x "$B/test/test_beacon_files" ] || make -s "B=$B" "$B/test/test_beacon_files"
d=$(mktemp -d)
pids=()
cleanup() {
	local p
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || :; done
	rm -rf "$d"
}
trap cleanup EXIT
hash=$(sed -n '/"block"/,/}/s/.*"hash": *"0x\([0-9a-f]*\)".*/\1/p' $view | head -1)
"$B/test/test_beacon_files" "$d" 32 "$hash"
root=$(cat "$d/root")

node_up() { # NAME: a node whose mode is in $d/NAME.mode
	echo good >"$d/$1.mode"
	node tests/net/beacon_node.mjs "$d" "$d/$1.mode" "$view" "$d/$1.port" 2>"$d/$1.err" &
	pids+=($!)
	for _ in $(seq 100); do
		[ -s "$d/$1.port" ] && break
		sleep 0.1
	done
	url=http://127.0.0.1:$(cat "$d/$1.port")
}
node_up a && a=$url
node_up b && b=$url
mode() { echo "$2" >"$d/$1.mode"; }
fail() {
	echo "$1:"
	cat "$d/out" "$d/err"
	exit 1
}
# follow NAME STDOUT STDERR ARGS...: --once; both patterns must be there
follow() {
	name=$1 out=$2 err=$3
	shift 3
	timeout 60 "$bin" beacon follow --network "$d/network" --root "$root" --once --json \
		"$@" >"$d/out" 2>"$d/err" || fail "$name: exit $?"
	grep -q -- "$out" "$d/out" || fail "$name: no '$out'"
	[ -z "$err" ] || grep -q -- "$err" "$d/err" || fail "$name: nothing of '$err'"
	[ "$(wc -l <"$d/out")" -eq 1 ] || fail "$name: not one line"
	echo "ok $name"
}
head='^{"slot":424,"root":"0x'$(cat "$d/root-end")'","execution_hash":"0x'$hash'","period":6'

follow "from the root to the head" "$head}" '' --beacon "$a"
[ ! -s "$d/err" ] || fail "said something although all is well"
follow "number and time are of the proven hash" "$head"',"number":8,"time":[0-9]*,"state_root":"0x' '' \
	--beacon "$a" --rpc "$a"
mode a one
follow "a node that gives one update at a time" "$head}" '' --beacon "$a"
mode a block
follow "an RPC that gives another block" "$head}" 'header: ' --beacon "$a" --rpc "$a"
for lie in down garbage flip; do
	mode a $lie
	follow "a node that is $lie, and another" "$head}" "$a: .*; asks the next one" --beacon "$a" --beacon "$b"
done
mode a good
timeout 60 "$bin" beacon follow --network "$d/network" --once --beacon "$a" >"$d/out" 2>"$d/err" || fail "without a root"
grep -q "begins at 0x$root, on the word of $a alone" "$d/err" || fail "does not say whom it believes"
grep -q "^slot 424 root 0x$(cat "$d/root-end") execution_hash 0x$hash period 6 $" "$d/out" || fail "a line for people"
echo "ok without a root it says whom it believes"
rc=0
timeout 3 "$bin" beacon follow --root "$root" --once --beacon "$a" >"$d/out" 2>"$d/err" || rc=$?
{ [ $rc -eq 124 ] && grep -q 'say --network FILE' "$d/err"; } || fail "a network without a name"
echo "ok a network without a name is not guessed"

# down at first, then behind, then good: no restart
mode a down
timeout 120 "$bin" beacon follow --network "$d/network" --root "$root" --json --beacon "$a" >"$d/out" 2>"$d/err" &
pids+=($!)
seen() {
	for _ in $(seq 300); do
		grep -q -- "$1" "$d/out" "$d/err" && return
		sleep 0.1
	done
	fail "not seen: $1"
}
seen 'HTTP 503'
mode a behind
seen '"slot":400'
mode a good
seen '"slot":424'
[ "$(wc -l <"$d/out")" -eq 2 ] || fail "a head twice"
echo "ok down, behind and back, without a restart"
