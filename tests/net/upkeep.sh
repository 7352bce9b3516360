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

# a contract of its own, whose nodes may have a view that is $age seconds old
make_node one
(umask 077 && sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$net/key")
mine() { "$bin" contract "$@" --rpc "$rpc" --key-file "$net/key"; }
new=$(mine deploy --sim --notice 0 --json | jq -r .contract)
one=$d
set_env CONTRACT "$new"
"$bin" contract netcfg --domain "$domain" --max-age "$age" --config "$d/host.env" >/dev/null
mine open-epoch --bootstrapper "$address" --platforms open --contract "$new" >/dev/null
mine allow-tuple "$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)" \
	--contract "$new" >/dev/null
mine propose --name app-example --contract "$new" \
	--digest "$(./build_app.sh -o "$d/hv/app-example.tar")" >/dev/null
auditing=$net/auditing-new
start_node
reaches onboarded
another() {
	make_node "$1"
	set_env CONTRACT "$new"
	cp "$one/hv/netcfg" "$one/hv/app-example.tar" "$d/hv/"
	start_node
	reaches onboarded
}
another two
echo "ok two nodes whose view may be $age s old"

# no certificate is of this network's key, so the app runs and nobody is served
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

from=$((to + 1))
another three
to=$(number)
read -r sum blocks < <(transactions "$from" "$to")
[ "$sum" -eq 2 ] || fail "a node joined by $sum transactions, not 2" "$d/node.log"
echo "ok then another is onboarded, by a view that no transaction has kept fresh"
