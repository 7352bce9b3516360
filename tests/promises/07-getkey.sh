#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 7: GET /getkey/<tag> gives 64 hex characters: BLAKE2b of the tag
# under a key of the app (the original: under the master secret).
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
k=$(as_app 0 /getkey/unstoppable_tls)
echo "$k" | grep -qx '[0-9a-f]\{64\}' || fail "not 64 hex characters"
same "on the other node" "$(as_app 1 /getkey/unstoppable_tls)" "$k"
[ "$(as_app 0 /getkey/s)" != "$k" ] || fail "two tags, one key"
old=$(app_pid 0)
kill "$old" # the app ends; kubernethes starts it again
another() { new=$(app_pid 0) && [ "$new" != "$old" ]; }
within 30 another || fail "the app was not started again"
within 30 as_app 0 /getkey/s >/dev/null || fail "no app plane"
same "after a restart of the app" "$(as_app 0 /getkey/unstoppable_tls)" "$k"
within 30 get 0 / >/dev/null || fail "no page after the restart"
saw "64 hex, the same on both nodes and after a restart, another per tag"
for bad in .. . a%2fb 'a b' "$(printf 'a%.0s' $(seq 65))" ''; do
	code=$(as_app 0 "/getkey/${bad// /%20}" -o /dev/null -w '%{http_code}')
	[ "$code" -ge 400 ] || fail "tag '$bad': $code"
done
# no app has the key of TLS by asking for the tag that the original used
tls=$(openssl x509 -in "$DSTACK_NET/node0/host_volume/certificate.pem" -noout -pubkey |
	openssl ec -pubin -outform DER 2>/dev/null | tail -c 65 | hexof)
mine=$(printf '30310201010420%sa00a06082a8648ce3d030107' "$k" | unhex |
	openssl ec -inform DER -outform DER -pubout 2>/dev/null |
	tail -c 65 | hexof)
[ "${#mine}" -eq 130 ] || fail "could not derive a point from the key"
[ "$mine" != "$tls" ] || fail "the app has the TLS key"
saw "getkey(unstoppable_tls) is not the site's TLS key"
unit test_keytree an_apps_keys_match_the_known_answers
echo "ok 07 getkey is the original's formula, under a key of the app"
