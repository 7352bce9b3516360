#!/bin/bash
# A network whose ciphertexts travel by relay (--ct relay): the second node is
# onboarded, and no transaction of the chain has what it was sent.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$0"

net=build/net-relay
rm -f "$net.out" "$net.gossip"
"$bin" demo --no-vm --view rpc --nodes 1 --spare 1 --ct relay --json --keep --timeout 120 \
	--dir "$net" >"$net.out" 2>"$net.err" &
pids+=($!)
until_true 120 grep -q '"ready"' "$net.out" ||
	fail "no network" "$net.out" "$net.err" "$net/node0/node.log"
rpc=$(jq -r 'select(.event=="chain").rpc' "$net.out")
contract=$(jq -r 'select(.event=="chain").contract' "$net.out")
relay=$(sed -n 's/^PUBSUB_URL=//p' "$net/node0/host.env")
[ "$(call 'ctOnChain()(bool)')" = false ]
grep -qx 'ct=relay' "$net/node0/host_volume/netcfg"
echo "ok a network of --ct relay is up"

curl -sN "$relay/subscribe" >"$net.gossip" &
pids+=($!)
d=$net/node1
auditing=$net/auditing
start_node
reaches onboarded 120
until_true 20 grep -q '"onboard"' "$net.gossip"
ct=$(jq -r 'select(.data?.onboard?) | .data.ct' "$net.gossip" | head -1)
[ "${#ct}" -ge 178 ] || fail "no ciphertext went over the relay" "$net.gossip"
echo "ok the second node is onboarded by what came over the relay"

txs=0
head=$("$cast" block-number --rpc-url "$rpc")
for n in $(seq 0 "$head"); do
	"$cast" rpc eth_getBlockByNumber "$(printf '0x%x' "$n")" true --rpc-url "$rpc" >"$net.block"
	txs=$((txs + $(jq '.transactions | length' "$net.block")))
	if grep -qiF "${ct#0x}" "$net.block"; then fail "block $n has the ciphertext"; fi
done
[ "$txs" -ge 5 ] || fail "only $txs transactions were looked at"
"$cast" logs --address "$contract" --from-block 0 --rpc-url "$rpc" >"$net.logs"
if grep -qiF "${ct#0x}" "$net.logs"; then fail "an event has the ciphertext" "$net.logs"; fi
echo "ok of $txs transactions none has the ciphertext, nor has an event"
