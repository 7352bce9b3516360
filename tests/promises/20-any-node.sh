#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 20: any node can take in a newcomer; raw quotes stay off the chain;
# the bootstrap quote is kept for auditors.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
# node 0 made the secret; it is paused, so node 1 has to do it
key=$(openssl rand -hex 32)
dir=$DSTACK_NET/node2
mkdir -p "$dir/host_volume"
cp "$DSTACK_NET"/node1/host_volume/{netcfg,app-*.tar} "$dir/host_volume/"
(
	umask 077
	sed -e "s,/node1,/node2,; s/^PRIVKEY=.*/PRIVKEY=$key/" \
		-e 's/^NODE_INDEX=.*/NODE_INDEX=2/; s/:8010$/:8020/' \
		-e 's/:4011$/:4021/; s/:4012$/:4022/' \
		"$DSTACK_NET/node1/host.env" >"$dir/host.env"
)
"$cast" rpc anvil_setBalance "$("$cast" wallet address "0x$key")" 0x56bc75e2d63100000 >/dev/null
first=$(of_node 0 pid)
kill -STOP "$first"
resume() {
	kill -CONT "$first"
	leave
}
trap resume EXIT
"$bin" node run --config "$dir/host.env" --auditing "$dir/auditing" \
	--no-vm >"$dir/node.log" 2>&1 &
on_exit="$on_exit $!"
onboarded() { [ "$(of_node 2 at_ms.onboarded)" -gt 0 ]; }
within 60 onboarded || { cat "$dir/node.log"; fail "the newcomer is not in"; }
last=$(events Onboarded | tail -1)
payee=0x$(jq -r '.data[410:450]' <<<"$last")
same "who answered" "$payee" "$(curl -sS "$(of_node 1 service)/node" | jq -r .payee)"
kill -CONT "$first"
trap leave EXIT
same "its secret" "$(curl -sS "$(of_node 2 control)/status" | jq -r .xPub)" \
	"$(curl -sS "$(of_node 1 control)/status" | jq -r .xPub)"
saw "with node 0 paused, node 1, itself a newcomer once, took in node 2"
cmp "$DSTACK_NET/auditing/bootstrap-quote-0.bin" "$dir/auditing/bootstrap-quote-0.bin" ||
	fail "the newcomer has no bootstrap quote of its own"
saw "its auditing folder was empty: node 1's host gave it the bootstrap quote"
# every transaction to the contract is smaller than any quote
longest=0
head=$("$cast" block-number)
for n in $(seq 0 "$head"); do
	"$cast" rpc eth_getBlockByNumber "$(printf '0x%x' "$n")" true
done | jq -r '.transactions[] | select(.to != null) | .input | length' | sort -n >"$d/lengths"
longest=$((($(tail -1 "$d/lengths") - 2) / 2))
[ "$longest" -lt 1024 ] || fail "a transaction has $longest bytes of data"
saw "largest transaction: $longest bytes of data, a quote has $(($(jq -r '.quote | length' \
	"$DSTACK_NET/auditing/bootstrap-quote-0.json") / 2 - 1))"
jq -r .quote "$DSTACK_NET/auditing/bootstrap-quote-0.json" >"$d/quote"
jq .collateral "$DSTACK_NET/auditing/bootstrap-quote-0.json" >"$d/collateral"
"$bin" sim root >"$d/root.pem"
"$bin" quote verify "$d/quote" --collateral "$d/collateral" --root "$d/root.pem" >"$d/out" ||
	fail "the kept bootstrap quote does not verify"
saw "the bootstrap quote in auditing/ verifies with the collateral beside it"
echo "ok 20 any node answers, quotes stay off the chain, the first one is kept"
