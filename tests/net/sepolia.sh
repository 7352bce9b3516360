#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sepolia by the steps of docs/operating.md ("On Sepolia") as far as they go
# without a public server: anvil, as chain 11155111, stands for the RPC, and two
# beacon nodes of a made chain for those whose word on the checkpoint is taken.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
bin=$B/bin/dstack
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
make -s contracts
[ -x "$B/test/test_beacon_files" ] || make -s "B=$B" "$B/test/test_beacon_files"
d=$(mktemp -d)
pids=()
cleanup() {
	local p
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || :; done
	rm -rf "$d"
}
trap cleanup EXIT
# up FILE: until it has something in it
up() {
	for _ in $(seq 400); do
		[ -s "$1" ] && return
		sleep 0.1
	done
	echo "not ok: $1 stays empty"
	exit 1
}
# asks URL METHOD PARAMS: the result
asks() { curl -s "$1" -H 'Content-Type: application/json' -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\",\"params\":$3}" | jq -rc .result; }

"$anvil" --port 0 --chain-id 11155111 --hardfork prague --accounts 1 >"$d/anvil.log" 2>&1 &
pids+=($!)
port=
for _ in $(seq 400); do
	port=$(sed -n 's/^Listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$d/anvil.log")
	[ -z "$port" ] || break
	sleep 0.1
done
[ -n "$port" ] || { echo "not ok: anvil does not start"; cat "$d/anvil.log"; exit 1; }
RPC=http://127.0.0.1:$port
block=$(sed -n '/"block"/,/}/s/.*"hash": *"0x\([0-9a-f]*\)".*/\1/p' tests/vectors/chain_view.json | head -1)
"$B/test/test_beacon_files" "$d" 32 "$block"
echo good >"$d/mode"
for n in 1 2; do
	node tests/net/beacon_node.mjs "$d" "$d/mode" tests/vectors/chain_view.json "$d/port$n" 2>"$d/node$n.err" &
	pids+=($!)
	up "$d/port$n"
done
# shellcheck disable=SC2034 # of the page's line below
BEACON_1=http://127.0.0.1:$(cat "$d/port1")
BEACON_2=http://127.0.0.1:$(cat "$d/port2")

# host.env: the example has Sepolia's number, and where the provider's key goes
grep -qx 'CHAIN_ID=11155111' host.env.example
grep -q '^ETH_RPC_URL=https://.*{ETH_API_KEY}' host.env.example
(umask 077 && openssl rand -hex 32 >"$d/owner.key")
(
	umask 077
	sed -e "s|^PRIVKEY=.*|PRIVKEY=$(openssl rand -hex 32)|" \
		-e "s|^ETH_API_KEY=.*|ETH_API_KEY=of-the-provider|" \
		-e "s|^ETH_RPC_URL=.*|ETH_RPC_URL=$RPC/?key={ETH_API_KEY}|" \
		-e "s|^CONTRACT=.*|CONTRACT=0x00000000000000000000000000000000000000aa|" \
		-e "s|^#HOST_VOLUME=.*|HOST_VOLUME=$d/hv|" -e "s|^#STATE_DIR=.*|STATE_DIR=$d/state|" \
		-e "s|^#FLAVOUR=.*|FLAVOUR=sim|" host.env.example >"$d/host.env"
)
mkdir "$d/hv"
NODE_ADDRESS=$("$bin" node address --config "$d/host.env")
owner() { "$bin" contract "$@" --rpc "$RPC" --key-file "$d/owner.key"; }
OWNER_ADDRESS=$(sed "s|^PRIVKEY=.*|PRIVKEY=$(cat "$d/owner.key")|" "$d/host.env" >"$d/owner.env" &&
	chmod 600 "$d/owner.env" && "$bin" node address --config "$d/owner.env")

# no gas, no contract: a line that says so
rc=0
owner deploy --sim --notice 60 2>"$d/err" || rc=$?
if [ $rc -eq 0 ] || [ "$(wc -l <"$d/err")" -ne 1 ] || ! grep -q 'cannot pay the gas' "$d/err"; then
	echo "not ok: no word on gas"
	cat "$d/err"
	exit 1
fi
echo "ok an account without gas is told"
for a in "$OWNER_ADDRESS" "$NODE_ADDRESS"; do
	asks "$RPC" anvil_setBalance "[\"$a\",\"0xde0b6b3a7640000\"]" >/dev/null
done
# gas: of the newest block, which has what was sent last
gas() { printf '%d\n' "$(asks "$RPC" eth_getBlockByNumber '["latest",false]' | jq -r .gasUsed)"; }
owner deploy --sim --notice 60 --json >"$d/deployed"
CONTRACT=$(jq -r .contract "$d/deployed")
[ "$(jq -r .chainId "$d/deployed")" = 11155111 ]
deploy=$(gas)
sed -i "s|^CONTRACT=.*|CONTRACT=$CONTRACT|" "$d/host.env"
echo "ok the contract is on chain 11155111"

# proofs of an old block: the very lines of the page
asks "$RPC" anvil_mine '["0x70"]' >/dev/null
sed -n '/^call() /,/^call eth_getProof/p' docs/operating.md >"$d/try"
[ "$(wc -l <"$d/try")" -eq 3 ]
# shellcheck source=/dev/null
[ "$(. "$d/try")" = ok ]
sed -i 's/ - 100/ + 100/' "$d/try"
# shellcheck source=/dev/null
[ "$(. "$d/try")" != ok ]
echo "ok an RPC is asked whether it proves what is 100 blocks old"

# the checkpoint: of one node, proven onward by another
# shellcheck disable=SC2016
eval "$(grep '^ROOT=\$(curl ' docs/operating.md)"
[[ $ROOT =~ ^0x[0-9a-f]{64}$ ]]
"$bin" beacon follow --network "$d/network" --root "$ROOT" --beacon "$BEACON_2" --once >"$d/out"
grep -q '^slot [0-9]* root 0x' "$d/out"
other=0x$(echo "${ROOT#0x}" | tr 0123456789abcdef 123456789abcdef0)
timeout 5 "$bin" beacon follow --network "$d/network" --root "$other" --beacon "$BEACON_2" --once >"$d/out" 2>"$d/err" && {
	echo "not ok: a root that the second node does not know"
	exit 1
}
[ ! -s "$d/out" ] && grep -q 404 "$d/err"
echo "ok a checkpoint is judged by a second node"

# netcfg, measurement, epoch
netcfg() { "$bin" contract netcfg --domain app.example.org --config "$d/host.env" "$@"; }
rc=0
netcfg --beacon mainnet --checkpoint "$ROOT" 2>"$d/err" || rc=$?
[ $rc -eq 1 ] && grep -q 'mainnet has the blocks of chain 1, but the contract is on chain 11155111' "$d/err"
[ ! -e "$d/hv/netcfg" ]
netcfg --beacon sepolia --checkpoint "$ROOT" --max-age 7200 >/dev/null
[ "$(sed -n '/^view/,/^max-age/p' "$d/hv/netcfg")" = "view=beacon
beacon=sepolia
checkpoint=$ROOT
finality=finalized
max-age=7200" ]
grep -qx chain-id=11155111 "$d/hv/netcfg"
TUPLE=$("$bin" image measure --config "$d/host.env" --no-vm --json | jq -r .tuple)
on=(--contract "$CONTRACT")
owner open-epoch --bootstrapper "$NODE_ADDRESS" --platforms open "${on[@]}" >/dev/null
open=$(gas)
owner allow-tuple "$TUPLE" "${on[@]}" >/dev/null
tuple=$(gas)
owner propose --name app-example --digest "$TUPLE" "${on[@]}" >/dev/null
propose=$(gas)
echo "ok netcfg names Sepolia's beacon chain, and its measurement is on the contract's list"

# the node: not without a beacon node
rc=0
timeout 30 "$bin" node run --no-vm --config "$d/host.env" --auditing "$d/auditing" 2>"$d/err" || rc=$?
if [ $rc -ne 3 ] || [ "$(wc -l <"$d/err")" -ne 1 ] || ! grep -q 'BEACON_URL in host.env must name' "$d/err"; then
	echo "not ok: exit $rc without BEACON_URL"
	cat "$d/err"
	exit 1
fi
echo "ok a node without a beacon node is refused"

# what docs/operating.md says of the cost is not less than it is
says() { # WHAT GAS
	told=$(sed -n "s/^| $1 | *\([0-9,]*\) |.*/\1/p" docs/operating.md | tr -d ,)
	if [ -z "$told" ] || [ "$2" -gt "$told" ] || [ "$2" -lt $((told * 9 / 10)) ]; then
		echo "not ok: $1 takes $2 gas, docs/operating.md says ${told:-nothing}"
		exit 1
	fi
}
says 'deploy' "$deploy"
says 'open-epoch' "$open"
says 'allow-tuple' "$tuple"
says 'propose, the first' "$propose"
echo "ok gas: deploy $deploy, open-epoch $open, allow-tuple $tuple, propose $propose"
