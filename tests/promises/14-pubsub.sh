#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 14: pubsub: POST /push, GET /subscribe as lines of JSON, "" to keep
# alive, 413 for what is too large (96 KiB: quote and collateral). It replays
# what it retains: the original lost it (hole D16).
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
same "address" "$relay" http://127.0.0.1:5001
push() { curl -sS -o "$d/out" -w '%{http_code}' --data-binary "@$1" "$relay/push"; }
printf '{"promise":14,"early":true}' >"$d/m"
same "a push" "$(push "$d/m")" 200
curl -sN "$relay/subscribe" >"$d/late" &
on_exit="$on_exit $!"
within 10 grep -q '^{"data":{"promise":14,"early":true}}$' "$d/late" ||
	fail "a late subscriber did not get what is retained"
printf '{"promise":14,"live":true}' >"$d/m"
push "$d/m" >/dev/null
within 10 grep -q '^{"data":{"promise":14,"live":true}}$' "$d/late" || fail "no live message"
within 10 grep -q '"live":true' "$DSTACK_GOSSIP" || fail "not to the other subscriber"
saw "both subscribers have it; the late one also what came before it"
{ printf '{"x":"'; head -c 98304 /dev/zero | tr '\0' a; printf '"}'; } >"$d/m"
same "too large" "$(push "$d/m")" 413
{ printf '{"x":"'; head -c 30720 /dev/zero | tr '\0' a; printf '"}'; } >"$d/m"
same "the original's 30 KB" "$(push "$d/m")" 200
printf '{"x":' >"$d/m"
same "no JSON" "$(push "$d/m")" 400
within 45 grep -qx '""' "$DSTACK_GOSSIP" || fail 'no "" to keep alive'
saw '413 above 96 KiB, 400 for what is no JSON, "" as keep-alive'
echo "ok 14 push, subscribe, limits, keep-alive and replay"
