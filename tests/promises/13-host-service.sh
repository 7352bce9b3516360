#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 13: the host service on 127.0.0.1:8000: /bootstrap and /register
# post the transaction and gossip, and the answer is read from the chain.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
same "address" "$(of_node 0 service)" http://127.0.0.1:8000
ss -Hltn 'sport = :8000' | awk '{print $4}' >"$d/l"
same "listening on" "$(cat "$d/l")" 127.0.0.1:8000
url=$(of_node 1 service)
code() { curl -sS -o "$d/out" -w '%{http_code}' "$@"; }
for path in /bootstrap /register; do
	same "$path without a body" "$(code -X POST "$url$path")" 400
	same "$path with other JSON" "$(code -d '{"addr":"0x1","quote":""}' "$url$path")" 400
	same "lines of the refusal" "$(wc -l <"$d/out" | sed 's/^0$/1/')" 1
done
form() { # of a message's JSON
	jq -r --arg s "$1" '. + .[$s] | del(.[$s]) | to_entries[] |
		"\(.key)=\(.value | if type == "object" then tojson else tostring end | @uri)"' | paste -sd '&'
}
form bootstrap <"$DSTACK_NET/auditing/bootstrap-quote-0.json" >"$d/form"
same "a bootstrap as a form, once more" "$(code --data-binary @"$d/form" "$url/bootstrap")" 409
grep -q BadEpoch "$d/out" || fail "the contract was not asked: $(cat "$d/out")"
same "the original's form" "$(code -d 'addr=0x01&sig=02&pubk=03&quote=04' "$url/register")" 400
id=$(events Requested | head -1 | jq -r '.topics[1]')
same "/onboarded of a known request" "$(code "$url/onboarded/${id#0x}")" 200
jq -e '.onboard and .sig and .ct' "$d/out" >/dev/null || fail "no answer in it"
same "/onboarded of another" "$(code "$url/onboarded/$(printf '11%.0s' $(seq 32))")" 204
same "another path" "$(code "$url/getkey/s")" 404
same "a file above the folder" "$(code --path-as-is "$url/file/../0/10")" 400
same "a method that rewrites a chain" "$(code -d \
	'{"jsonrpc":"2.0","id":1,"method":"anvil_mine","params":[]}' "$url/rpc")" 400
grep -q '^{"data":{"requestId":"'"$id" "$DSTACK_GOSSIP" || fail "not gossiped"
tx=$(events Requested | head -1 | jq -r .transactionHash)
from=$("$cast" tx "$tx" from)
same "who paid for register" "${from,,}" "$(curl -sS "$url/node" | jq -r .submitter)"
saw "request $id: posted by node 1's account, gossiped, answered by the chain"
echo "ok 13 the host service: loopback alone, refuses what is not a request"
