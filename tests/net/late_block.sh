#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A chain that takes no transaction for longer than anybody waits for one: the
# secret of a bootstrap is kept until it is known to be of no use, and a
# request is paid for once.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/late_block.sh"
base late-block
nonce() { "$cast" nonce "$1" --rpc-url "$rpc"; }
blocks() { # false: none; true: one a second
	call_rpc evm_setAutomine "[$1]"
	if [ "$1" = true ]; then call_rpc evm_setIntervalMining "[1]"; else call_rpc evm_setIntervalMining "[0]"; fi
}

make_node first
umask 077
sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$d/key"
made=$("$bin" contract deploy --sim --notice 0 --json --rpc "$rpc" --key-file "$d/key")
new=$(echo "$made" | jq -r .contract)
"$bin" contract open-epoch --bootstrapper "$address" --platforms open --rpc "$rpc" \
	--contract "$new" --key-file "$d/key" >/dev/null
for n in first second; do
	[ "$n" = first ] || make_node second
	set_env CONTRACT "$new"
	sed -i -e "s/^contract=.*/contract=$(echo "$new" | tr A-F a-f)/" \
		-e "s/^code-hash=.*/code-hash=$(echo "$made" | jq -r .codeHash)/" "$d/hv/netcfg"
done
second=$d second_address=$address
d=$net/first
address=$("$cast" wallet address --private-key "$(cat "$d/key")")
tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json 2>/dev/null | jq -r .tuple || true)
[ -z "$tuple" ] || [ "$tuple" = null ] || "$bin" contract allow-tuple "$tuple" --rpc "$rpc" \
	--contract "$new" --key-file "$d/key" >/dev/null

auditing=$d/auditing
mkdir "$auditing"
before=$(nonce "$address")
blocks false
start_node
says "$d/node.log" 'bootstrap: transaction 0x' 60
# past every bound there was: the host's wait, and 15 s of doubt after it
end=$((SECONDS + 18))
until [ $SECONDS -ge $end ]; do
	kill -0 "$node_pid" || fail "the node has ended" "$d/node.log" "$d/console.log"
	sleep 0.5
done
call_rpc anvil_mine '["0x1"]'
blocks true
reaches onboarded
[ "$(nonce "$address")" -eq $((before + 1)) ] || fail "it was paid for more than once" "$d/node.log"
[ "$("$cast" call "$new" 'xPub()(address)' --rpc-url "$rpc")" != 0x0000000000000000000000000000000000000000 ]
echo "ok a bootstrap that is mined late is the network's, and paid for once"

d=$second
before=$(nonce "$second_address")
start_node
says "$d/console.log" 'phase register'
blocks false
if [ "$(nonce "$second_address")" -eq "$before" ]; then
	says "$d/node.log" 'register: transaction 0x' 60
	call_rpc anvil_mine '["0x1"]'
fi
blocks true
reaches onboarded 90
[ "$(nonce "$second_address")" -le $((before + 2)) ] || fail "it was paid for again" "$d/node.log"
echo "ok a request that is mined late is answered"
