#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node that the policy does not know, and a contract without an epoch: a
# clear line for both operators, and a way back.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_policy.sh"
base bad-policy

make_node other
sed -i 's/^max-age=.*/max-age=3601/' "$d/hv/netcfg"
start_node
says "$net/node0/node.log" "the guest answers 403: MRCONFIGID is not the hash of this network's netcfg"
says "$d/console.log" "no answer to our request: this node is not what the epoch's policy allows: the measurements are not on the contract's list"
sleep 1
once "$d/console.log" 'no answer to our request'
once "$net/node0/node.log" 'MRCONFIGID is not'
once "$net/node0/console.log" 'verifier: refused'
if grep -q 'phase onboarded' "$d/console.log"; then fail "onboarded"; fi
gone "$node_pid"
cp "$net/node0/host_volume/netcfg" "$d/hv/netcfg"
start_node
reaches serving
echo "ok netcfg changed after the policy: a line on both sides, and right again it joins"
gone "$node_pid"

# a contract that its owner has not finished
make_node early
umask 077
sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$d/key"
made=$("$bin" contract deploy --sim --notice 0 --json --rpc "$rpc" --key-file "$d/key")
new=$(echo "$made" | jq -r .contract)
set_env CONTRACT "$new"
sed -i -e "s/^contract=.*/contract=$(echo "$new" | tr A-F a-f)/" \
	-e "s/^code-hash=.*/code-hash=$(echo "$made" | jq -r .codeHash)/" "$d/hv/netcfg"
# its auditing folder has another network's quote, and then no room
auditing=$d/auditing
mkdir "$auditing"
mount -t tmpfs -o size=200k none "$auditing"
cp "$net/auditing/bootstrap-quote-0.json" "$auditing"
dd if=/dev/zero of="$auditing/filler" bs=4k status=none 2>/dev/null || true
start_node
says "$d/console.log" 'replicatoor: the contract has no epoch yet'
sleep 1
once "$d/console.log" 'the contract has no epoch yet'
once "$d/console.log" 'replicatoor: '
"$bin" contract open-epoch --bootstrapper "$address" --platforms open --rpc "$rpc" \
	--contract "$new" --key-file "$d/key" >/dev/null
says "$d/node.log" 'no bootstrap before its quote is in the auditing folder: bootstrap-quote-0.json not written: No space left on device'
sleep 1
once "$d/node.log" 'No space left'
rm "$auditing/filler"
reaches onboarded
echo "ok no epoch is open: one line, and the node bootstraps it when it is"
once "$d/node.log" 'bootstrap-quote-0.json was another network'
cmp "$net/auditing/bootstrap-quote-0.json" "$auditing"/other-*-bootstrap-quote-0.json
jq -e .quote "$auditing/bootstrap-quote-0.json" >/dev/null
echo "ok a full auditing folder: no secret is made whose quote would be lost; another network's stays"
gone "$node_pid"
umount "$auditing"
auditing=

make_node waiting
cp "$net/early/hv/netcfg" "$d/hv/netcfg"
made=$("$bin" contract deploy --sim --notice 0 --json --rpc "$rpc" --key-file "$net/early/key")
new=$(echo "$made" | jq -r .contract)
set_env CONTRACT "$new"
sed -i "s/^contract=.*/contract=$(echo "$new" | tr A-F a-f)/" "$d/hv/netcfg"
sed -i "s/^code-hash=.*/code-hash=$(echo "$made" | jq -r .codeHash)/" "$d/hv/netcfg"
"$bin" contract open-epoch --bootstrapper "$owner" --platforms open --rpc "$rpc" \
	--contract "$new" --key-file "$net/early/key" >/dev/null
start_node
says "$d/console.log" 'epoch 0 waits for its bootstrapper, which is another account'
sleep 1
once "$d/console.log" 'replicatoor: '
echo "ok an epoch that another account must bootstrap: one line"
gone "$node_pid"
