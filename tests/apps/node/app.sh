# A program on 3000 that EXPOSEs 22 too.
fill() { get "$1" /notes --data-raw 'a note'; }
there() { has "$1" /notes 'a note'; }
version() { get "$1" /version; }
more_of_it() { # NODE
	check "node: its own fetch may ask the guest for a key" \
		"$(yes_if get "$1" /key)"
	n=$(timeout 5 curl -sN --cacert "$ca" --connect-to \
		"::127.0.0.1:$(port "$1")" "https://$domain/events" | grep -c data:)
	check "node: server-sent events come as they happen ($n in 5 s)" \
		"$(yes_if test "$n" -gt 20)"
	check "node: a WebSocket answers for as long as it is asked" \
		"$(yes_if timeout $((WS_SECONDS + 30)) node tests/apps/node/ws.mjs \
			"$(port "$1")" "$domain" "$ca" "$WS_SECONDS")"
	head -c "$BIG_BYTES" /dev/urandom >"$net/big"
	check "node: $((BIG_BYTES >> 20)) MB up" "$(yes_if test \
		"$(get "$1" /sum --max-time 900 -H Expect: -H 'Content-Type: application/octet-stream' \
			--data-binary "@$net/big")" = \
		"$(sha256sum <"$net/big" | cut -d' ' -f1)")"
	check "node: $((BIG_BYTES >> 20)) MB down" "$(yes_if test \
		"$(get "$1" "/bytes/$BIG_BYTES" --max-time 900 | wc -c)" = "$BIG_BYTES")"
	rm -f "$net/big"
	many=
	for _ in $(seq 100); do get "$1" /version >>"$net/many" & many="$many $!"; done
	ok=0
	for p in $many; do ! wait "$p" || ok=$((ok + 1)); done
	check "node: 100 connections at once, $ok served" "$(yes_if test $ok -eq 100)"
}
