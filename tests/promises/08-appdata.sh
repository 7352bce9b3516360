#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 8: GET /appdata/<tag>/<hex> gives 32 raw bytes. The original hashed
# tag and data without a length between (hole D9); here the hash is over typed
# fields.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
id=$(app_id)
data=$(printf 'Welcome to Dstack with unstoppable TLS!' | hexof)
got=$(as_app 0 "/appdata/s/$data" | hexof)
same "length" "${#got}" 64
same "appdata against another's keccak" "0x$got" "$(app_data "$id" 0 s "$data")"
same "on the other node" "$(as_app 1 "/appdata/s/$data" | hexof)" "$got"
# D9: tag and data can not run into each other
[ "$(as_app 0 /appdata/ab/63 | hexof)" != "$(as_app 0 /appdata/a/6263 | hexof)" ] ||
	fail "tag 'ab' data 'c' is tag 'a' data 'bc'"
same "no data at all" "0x$(as_app 0 /appdata/s/ | hexof)" "$(app_data "$id" 0 s '')"
for bad in /appdata/s/0 /appdata/s/zz /appdata/s; do
	code=$(as_app 0 "$bad" -o /dev/null -w '%{http_code}')
	[ "$code" -ge 400 ] || fail "$bad: $code"
done
saw "keccak256 of chain, contract, app, epoch, H(tag), H(data): as cast has it"
echo "ok 08 appdata is 32 raw bytes, the same on both nodes, no two fields run together"
