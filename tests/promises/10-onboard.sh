#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 10: a running node answers a register request with the secret,
# sealed and signed. JSON and HPKE in place of a form and a sealed box.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
grep '^{"data":{"requestId"' "$DSTACK_GOSSIP" | head -1 | jq -c .data >"$d/request"
[ -s "$d/request" ] || fail "the relay carried no request"
id=$(jq -r .requestId "$d/request")
mapfile -t r < <(jq -r '.register | .epoch, .node, .encKeyHash, .policyHash,
	.anchorHash, .anchorNumber, .submitter, .nonce' "$d/request")
same "digest of Register" "$(typed_digest 'Register(uint64 epoch,address node,bytes32 encKeyHash,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter,bytes32 nonce)' \
	uint64,address,bytes32,bytes32,bytes32,uint64,address,bytes32 "${r[@]}")" "$id"
same "hash of the encryption key" \
	"$(keccak "0x01$(jq -r .encPub "$d/request" | sed s/^0x//)")" "${r[2]}"
# the answer, as the host of the newcomer found it on the chain
curl -sS "$(of_node 1 service)/onboarded/${id#0x}" >"$d/answer"
[ -s "$d/answer" ] || curl -sS "$(of_node 1 service)/onboarded/$id" >"$d/answer"
ct=$(jq -r .ct "$d/answer")
same "length of the sealed secret" $(((${#ct} - 2) / 2)) 161
mapfile -t o < <(jq -r '.onboard | .requestId, .epoch, .seedCommit, .ctHash,
	.platformHash, .tcbStatus, .payee' "$d/answer")
same "ctHash" "$(keccak "$ct")" "${o[3]}"
dig=$(typed_digest 'Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit,bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)' \
	bytes32,uint64,bytes32,bytes32,bytes32,uint8,address "${o[@]}")
xpub=$(call 'xPub()(address)')
same "signer of Onboard" "$(signer "$dig" "$(jq -r .sig "$d/answer")")" "${xpub,,}"
saw "ct: 161 bytes = 32 (HPKE key) + 1 + 8 (epoch) + 32 (secret) + 72 (the onboarder's view: slot, root, committee) + 16 (tag)"
# asked again, and with one thing changed: no second answer
url=$(of_node 0 control)/onboard
refused() { # NAME FILE
	code=$(curl -sS -o "$d/out" -w '%{http_code}' --data-binary "@$2" "$url")
	[ "$code" -ge 400 ] || fail "$1: $code"
	same "lines of the refusal" "$(wc -l <"$d/out")" 1
	saw "$1: $code $(head -c 90 "$d/out")"
}
refused "the same request again" "$d/request"
jq -c '.encPub = "0x" + ("11" * 32)' "$d/request" >"$d/r"
refused "another encryption key" "$d/r"
jq -c '.quote |= .[0:1200] + "ff" + .[1202:]' "$d/request" >"$d/r"
refused "one byte of the quote" "$d/r"
printf 'addr=0x1&pubk=00&quote=00' >"$d/r"
refused "the original's form" "$d/r"
echo "ok 10 a request is answered once, sealed to it, signed by xPub"
