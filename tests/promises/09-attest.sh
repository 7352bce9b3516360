#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 9: GET /attest/<tag>/<hex> gives 65 raw bytes that
# verify(bytes32,bytes) of the contract knows. Order r, s, v (the original: v,
# r, s), which verify takes too.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
data=$(printf 'Welcome to Dstack with unstoppable TLS!' | hexof)
ad=0x$(as_app 0 "/appdata/s/$data" | hexof)
sig=$(as_app 0 "/attest/s/$data" | hexof)
same "length" "${#sig}" 130
v=${sig:128:2}
case $v in
1b | 1c) ;;
*) fail "v is $v" ;;
esac
xpub=$(call 'xPub()(address)')
same "signer by ecrecover" "$(signer "$(attest_digest "$ad")" "$sig")" "${xpub,,}"
same "verify on chain" "$(call 'verify(bytes32,bytes)(bool)' "$ad" "0x$sig")" true
same "verify, order v r s" \
	"$(call 'verify(bytes32,bytes)(bool)' "$ad" "0x$v${sig:0:128}")" true
other=0x$(as_app 0 "/appdata/s/00" | hexof)
same "verify of other data" "$(call 'verify(bytes32,bytes)(bool)' "$other" "0x$sig")" false
sig1=$(as_app 1 "/attest/s/$data" | hexof)
same "verify of node 1's" "$(call 'verify(bytes32,bytes)(bool)' "$ad" "0x$sig1")" true
"$bin" contract verify "$ad" "0x$sig" --contract "$contract" --rpc "$rpc" >/dev/null
get 0 /status.json >"$d/s"
same "verify of what the site shows" "$(call 'verify(bytes32,bytes)(bool)' \
	"0x$(jq -r .appdata "$d/s")" "0x$(jq -r .signature "$d/s")")" true
saw "xPub $xpub signed; verify says true, false for other data"
echo "ok 09 attest is 65 raw bytes, v $((16#$v)), true on chain"
