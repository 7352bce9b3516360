#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network whose guests follow a beacon chain: it comes up, a node joins when
# another committee signs than the checkpoint's, and whatever the beacon node
# lies about, guests go on serving, believe nothing of it, and go on with the
# chain when it is over.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$0"
dir=build/demo-beacon
"$bin" demo --no-vm --nodes 2 --spare 1 --json --keep --view beacon --timeout 240 --dir $dir >$dir.out 2>$dir.err &
pids+=($!)
until_true 240 grep -q '"ready"' $dir.out || fail "not ready" $dir.out $dir.err $dir/node0/node.log $dir/node1/node.log $dir/beacon.log
grep -q '^view=beacon$' $dir/node0/host_volume/netcfg && grep -q '^beacon=own$' $dir/node0/host_volume/netcfg ||
	fail "netcfg does not say so"
echo "ok two nodes come to ready over a beacon chain"

url=$(jq -r .beacon $dir/network.json)
slot() { curl -sf "$url/eth/v1/beacon/headers/finalized" | jq -r .data.header.message.slot; }
passed() { [ "$(slot)" -gt "$1" ]; }
served() {
	local port
	for i in 0 1; do
		port=$(sed -n 's/^HTTPS_LISTEN=.*://p' "$dir/node$i/host.env")
		curl -sS --max-time 20 --cacert $dir/ca/ca.pem --connect-to "::127.0.0.1:$port" \
			https://demo.dstack.test/ | grep -q 'Welcome to Dstack' || return 1
	done
}
until_true 20 served || fail "not served" $dir/node0/node.log
lie() { curl -sf -d "{\"name\":\"$1\",\"on\":$2}" "$url/sim/lie" || fail "no such lie: $1"; }
for name in old-committee other-network mixed-forks few-signers bad-signature freeze garbage future back \
	wrong-branch wrong-execution 404; do
	lie $name true
	sleep 2
	served || fail "$name: the app is not served" $dir/node0/node.log
	lie $name false
done
for i in 0 1; do
	if grep -E 'gave up|ended|killed' "$dir/node$i/node.log"; then fail "a role ended" "$dir/node$i/node.log"; fi
done
echo "ok no lie ends a role or the app"

# the checkpoint's committee has signed for the last time by slot 64
until_true 120 passed 66 || fail "the chain does not get on" $dir/beacon.log
"$bin" node run --config $dir/node2/host.env --auditing $dir/auditing --no-vm >$dir/node2/node.log 2>&1 &
pids+=($!)
until_true 120 grep -q 'phase serving' $dir/node2/node.log || fail "no node joins after a new committee" $dir/node2/node.log $dir/node0/node.log
served || fail "the others do not serve" $dir/node0/node.log
echo "ok a node joins when another committee signs"
