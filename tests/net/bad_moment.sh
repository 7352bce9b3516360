#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Between a bootstrap's transaction and its block there is one copy of what may
# soon be the network's secret. A role that ends then, whichever it is, starts
# anew, and the secret becomes the network's all the same.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_moment.sh"
base bad-moment
blocks() { # false: none; true: one a second
	call_rpc evm_setAutomine "[$1]"
	if [ "$1" = true ]; then call_rpc evm_setIntervalMining "[1]"; else call_rpc evm_setIntervalMining "[0]"; fi
}

# later_than N: the bootstrap was taken up again since it was N times
later_than() { [ "$(grep -c 'dstack: phase bootstrap' "$d/console.log")" -gt "$1" ]; }

make_node first
umask 077
sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$d/key"
made=$("$bin" contract deploy --sim --notice 0 --json --rpc "$rpc" --key-file "$d/key")
new=$(echo "$made" | jq -r .contract)
"$bin" contract open-epoch --bootstrapper "$address" --platforms open --rpc "$rpc" \
	--contract "$new" --key-file "$d/key" >/dev/null
set_env CONTRACT "$new"
sed -i -e "s/^contract=.*/contract=$(echo "$new" | tr A-F a-f)/" \
	-e "s/^code-hash=.*/code-hash=$(echo "$made" | jq -r .codeHash)/" "$d/hv/netcfg"
tuple=$("$bin" image measure --config "$d/host.env" --no-vm --json 2>/dev/null | jq -r .tuple || true)
[ -z "$tuple" ] || [ "$tuple" = null ] || "$bin" contract allow-tuple "$tuple" --rpc "$rpc" \
	--contract "$new" --key-file "$d/key" >/dev/null

auditing=$d/auditing
mkdir "$auditing"
blocks false
start_node
says "$d/node.log" 'bootstrap: transaction 0x' 60
for r in replicatoor hostlink tee volume; do
	times=$(grep -c 'dstack: phase bootstrap' "$d/console.log")
	role $r
	kill -9 "$role"
	until_true 60 later_than "$times" ||
		fail "$r was killed, and the secret waits for nothing" "$d/node.log" "$d/console.log"
	kill -0 "$node_pid" || fail "the node ended with $r, and the secret with it" "$d/node.log"
	echo "ok $r is killed while the secret waits for its block, the node goes on"
done
blocks true
call_rpc anvil_mine '["0x1"]'
reaches onboarded
x=$("$cast" call "$new" 'xPub()(address)' --rpc-url "$rpc")
[ "$x" != 0x0000000000000000000000000000000000000000 ]
echo "ok the secret is the network's: $x"

# wiped is gone: a role's end is the guest's again, as nothing is lost
make_node second
set_env CONTRACT "$new"
cp "$net/first/hv/netcfg" "$d/hv/"
start_node
reaches register
role verifier
kill -9 "$role"
until_true 60 bash -c "! kill -0 $node_pid" || fail "it outlives the verifier" "$d/node.log"
echo "ok a role's death before there is a secret is the guest's"
