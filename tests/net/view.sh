#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check, status and contract show by the RPC's word and by a light client's,
# and that each says which it was: an RPC that serves a chain with another
# state is believed without --beacon, and not with it.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/view.sh"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
fork=http://127.0.0.1:30011
base view --view beacon
beacon=$(jq -r .beacon "$net/network.json")
netcfg=$net/node0/host_volume/netcfg
https=$(sed -n 's/^HTTPS_LISTEN=.*://p' "$net/node0/host.env")
seen=(--beacon "$beacon" --netcfg "$netcfg")
checks() { # RPC OPTION...
	local at=$1
	shift
	"$bin" check "https://$domain" --connect "127.0.0.1:$https" --ca "$ca" \
		--contract "$contract" --rpc "$at" "$@"
}
show() { # RPC OPTION...
	local at=$1
	shift
	"$bin" contract show --json --rpc "$at" --contract "$contract" "$@"
}

checks "$rpc" | grep -q "^view  *the RPC's word" || fail "check says whose word"
checks "$rpc" "${seen[@]}" | grep -Eq '^view  *beacon: finalized slot [0-9]+, block [0-9]+, proven' ||
	fail "check is proven"
[ "$(show "$rpc" | jq -r .view.kind)" = rpc ] || fail "show says whose word"
show "$rpc" --tuples "${seen[@]}" >"$net/show" || fail "show is proven" "$net/show"
[ "$(jq -r .view.kind "$net/show")" = beacon ]
# but for the view the two say the same
[ "$(jq -cS 'del(.view)' "$net/show")" = "$(show "$rpc" --tuples | jq -cS 'del(.view)')" ] ||
	fail "the two views differ" "$net/show"
"$bin" status --dir "$net" --beacon "$beacon" | grep -q '^view  *beacon: finalized slot' || fail "status is proven"
"$bin" status --dir "$net" | grep -q "^view  *the RPC's word" || fail "status says whose word"
echo "ok check, status and contract show by either view, and each says which"

# another chain with our contract, where the app is a later version
"$anvil" --port 30011 --silent &
pids+=($!)
until_true 20 "$cast" block-number --rpc-url $fork
state=$("$cast" rpc anvil_dumpState --rpc-url "$rpc" | jq -r .)
printf '{"jsonrpc":"2.0","id":1,"method":"anvil_loadState","params":["%s"]}' "$state" >"$net/state"
curl -sS -H 'content-type: application/json' -d @"$net/state" $fork >"$net/loaded"
"$cast" rpc anvil_setStorageAt "$contract" 0x1 "0x$(printf '%064x' 57005)" --rpc-url $fork >/dev/null
"$cast" rpc anvil_mine 0x2 --rpc-url $fork >/dev/null
[ "$(show $fork | jq -r .pauser)" = 0x000000000000000000000000000000000000dEaD ] ||
	fail "the attack itself does not work"
rc=0
show $fork "${seen[@]}" >"$net/out" 2>"$net/err" || rc=$?
[ $rc -ne 0 ] && [ "$(wc -l <"$net/err")" -eq 1 ] && [ ! -s "$net/out" ] ||
	fail "an invented pauser is shown as proven" "$net/out" "$net/err"
rc=0
checks $fork "${seen[@]}" >"$net/out" 2>"$net/err" || rc=$?
[ $rc -ne 0 ] || fail "a check on a lying RPC" "$net/out"
echo "ok an RPC with a state of its own is believed without --beacon alone"

# netcfg of another contract, and a beacon node that has nothing
sed 's/^contract=0x./contract=0xf/' "$netcfg" >"$net/other"
rc=0
show "$rpc" --beacon "$beacon" --netcfg "$net/other" >"$net/out" 2>"$net/err" || rc=$?
[ $rc -eq 1 ] && grep -q 'another chain or contract' "$net/err" || fail "another network's netcfg" "$net/err"
rc=0
show "$rpc" --beacon "$beacon" >"$net/out" 2>"$net/err" || rc=$?
[ $rc -ne 0 ] && grep -q -- '--netcfg FILE' "$net/err" || fail "no netcfg" "$net/err"
# a view that is held back grows old by this machine's clock
sed 's/^max-age=.*/max-age=8/' "$netcfg" >"$net/strict"
show "$rpc" --beacon "$beacon" --netcfg "$net/strict" >"$net/out" 2>"$net/err" || fail "a young view" "$net/err"
curl -sSf -d '{"name":"freeze","on":true}' "$beacon/sim/lie" >/dev/null
sleep 12
rc=0
show "$rpc" --beacon "$beacon" --netcfg "$net/strict" >"$net/out" 2>"$net/err" || rc=$?
[ $rc -eq 3 ] && grep -q 'is the view held back' "$net/err" && [ ! -s "$net/out" ] ||
	fail "a frozen beacon node is believed" "$net/out" "$net/err"
echo "ok a frozen view is refused once it is older than max-age"
echo "ok another contract's netcfg, or none, is refused with a line"
