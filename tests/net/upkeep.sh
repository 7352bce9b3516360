#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a running network costs: the transactions in all of the chain's blocks
# are counted over an hour of its time, and over three times max-age of the
# guests' own clocks, which nobody can move. None is allowed; and at the end of
# it the nodes still onboard another, for two transactions.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/upkeep.sh"
base upkeep-net
age=20

number() { "$cast" block-number --rpc-url "$rpc"; }
# transactions FROM TO: how many are in these blocks
transactions() {
	seq "$1" "$2" | jq -sc 'map({jsonrpc: "2.0", id: ., params: ["latest"],
		method: "eth_getBlockTransactionCountByNumber"})' >"$net/ask"
	# the number in hex: jq has no words for it
	printf '%s\n' "$(jq -c '.[]' "$net/ask")" | while read -r q; do
		n=$(jq .id <<<"$q")
		jq -c --arg n "$(printf '0x%x' "$n")" '.params = [$n]' <<<"$q"
	done | jq -sc . >"$net/batch"
	curl -sS -H 'content-type: application/json' -d @"$net/batch" "$rpc" |
		jq -r '.[].result' | while read -r x; do echo $((x)); done |
		awk '{ n += $1 } END { print n + 0, NR }'
}

strict "$age"
one=$net/one
start_node
reaches onboarded
another two
reaches onboarded
echo "ok two nodes whose view may be $age s old"

says "$d/console.log" 'app: greeting: start 1' 60
says "$one/console.log" 'app: greeting: start 1' 60
sleep 4 # what joined them is in blocks: the demo's chain has one in two seconds
from=$(($(number) + 1))
# the guests' clocks run as they run: a heartbeat of before came every age/2
end=$((SECONDS + 3 * age))
hour=$(($(date +%s) + 3600))
while [ $SECONDS -lt $end ]; do
	[ "$(number)" -ge $((from + 300)) ] || call_rpc anvil_mine '["0x3c", "0xc"]'
	sleep 1
done
to=$(number)
[ "$("$cast" block "$to" --field timestamp --rpc-url "$rpc")" -ge "$hour" ] ||
	fail "the chain did not get an hour older"
read -r sum blocks < <(transactions "$from" "$to")
[ "$blocks" -eq $((to - from + 1)) ] || fail "$blocks blocks of $from to $to were counted"
[ "$sum" -eq 0 ] || fail "$sum transactions in an hour of a running network" "$one/console.log"
echo "ok no transaction in $blocks blocks, an hour of the chain's time and $((3 * age)) s of the guests'"

heard() { "$bin" status --config "$one/host.env" --json | jq -e '.nodes[0].hears | length == 2'; }
until_true 20 heard || fail "signs of life are not heard" "$one/node.log" "$one/console.log"
echo "ok and both hear the other's signs of life"

# sent FROM TO: a line for each transaction: block, sender, selector
sent() {
	seq "$1" "$2" | while read -r q; do
		"$cast" block "$q" --full --json --rpc-url "$rpc" |
			jq -r '.number as $n | .transactions[] | "\($n) \(.from) \(.input[0:10])"'
	done
}

from=$((to + 1))
another three
reaches onboarded
to=$(number)
sent "$from" "$to" >"$net/sent"
# a register and an onboard, and maybe its volume's first anchor already: the
# other onboarder waits for its turn.
own=$(grep -ci " $address " "$net/sent") || true
others=$(grep -vci " $address " "$net/sent") || true
if [ "$others" -ne 1 ] || [ "$own" -lt 1 ] || [ "$own" -gt 2 ] ||
	[ "$(sort -u -k 3 "$net/sent" | wc -l)" -ne $((own + others)) ]; then
	cat "$net/sent"
	fail "a node joined by $own transactions of its own and $others of others" \
		"$d/node.log" "$net/node0/node.log" "$net/one/node.log"
fi
echo "ok then another is onboarded, by a view that no transaction has kept fresh"
