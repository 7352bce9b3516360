#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 11: what a quote is about is in its report data. Typed digests and
# a purpose in all 64 bytes, in place of a hash of joined text padded with
# zeros.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
q=$(echo "$DSTACK_NET"/auditing/bootstrap-quote-0.json)
rd() { # QUOTE-HEX: its report_data by offset (header 48, body 520 before it)
	h=${1#0x}
	echo "${h:1136:128}"
}
mapfile -t b < <(jq -r '.bootstrap | .epoch, .xPub, .seedCommit, .policyHash,
	.anchorHash, .anchorNumber, .submitter' "$q")
want=$(typed_digest 'Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter)' \
	uint64,address,bytes32,bytes32,bytes32,uint64,address "${b[@]}")
purpose=$(keccak dstack2/rd/bootstrap/v1)
same "report data of the bootstrap" "$(rd "$(jq -r .quote "$q")")" "${want#0x}${purpose#0x}"
same "hash of the quote on chain" "$(events BootstrapComplete | jq -r '.data[-64:]')" \
	"$(keccak "$(jq -r .quote "$q")" | sed s/^0x//)"
saw "bootstrap: digest of the statement, then H(dstack2/rd/bootstrap/v1)"
grep '^{"data":{"requestId"' "$DSTACK_GOSSIP" | head -1 | jq -c .data >"$d/r"
id=$(jq -r .requestId "$d/r")
purpose=$(keccak dstack2/rd/register/v1)
same "report data of register" "$(rd "$(jq -r .quote "$d/r")")" "${id#0x}${purpose#0x}"
same "quoteHash" "$(keccak "$(jq -r .quote "$d/r")")" "$(jq -r .quoteHash "$d/r")"
saw "register: requestId, then H(dstack2/rd/register/v1)"
echo "ok 11 all 64 bytes of report data are the statement and its purpose"
