#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# T33: an app that is made to fetch http://dstack-guest/ for somebody else (a
# proxy in it, a browser, a name that was bound anew) gets nothing.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
key=$(as_app 0 /getkey/s)
[ "${#key}" -eq 64 ] || fail "the app itself gets no key"
n=0
no() { # NAME CURL-ARGUMENT...
	name=$1
	shift
	code=$(as_app 0 /getkey/s -o "$d/out" -w '%{http_code}' "$@")
	[ "$code" -ge 400 ] || fail "$name: $code"
	if grep -q "$key" "$d/out"; then fail "$name has the key"; fi
	n=$((n + 1))
}
for h in 'Forwarded: for=1.2.3.4' 'Via: 1.1 proxy' 'Origin: https://a.test' \
	'Referer: https://a.test/' 'X-Forwarded-For: 1.2.3.4' \
	'X-Forwarded-Host: a.test' 'X-Forwarded-Port: 443' 'X-Real-IP: 1.2.3.4' \
	'Sec-Fetch-Site: cross-site' 'sec-fetch-mode: no-cors' 'Cookie: a=b' \
	'Sec-Fetch-Mode: navigate' 'Sec-Fetch-Dest: empty' 'Sec-CH-UA: x' \
	'Proxy-Connection: keep-alive' 'Proxy-Authorization: Basic YTpi' \
	'Host: a.test' 'Host: 10.88.0.1' 'Host: dstack-guest.' \
	'Host: dstack-guest:81' 'Host: dstack-guest.a.test' 'Host:'; do
	no "$h" -H "$h"
done
no "a browser's fetch" -H 'Sec-Fetch-Mode: cors' -H 'Sec-Fetch-Site: cross-site'
no "a browser's fetch, older" -H 'Sec-Fetch-Mode: cors' -H 'Origin: https://a.test'
no "a space in a name" -H 'Host : dstack-guest'
raw() { # BYTES: sent as they are, from the app's network
	printf "$1" | timeout 5 nsenter -t "$(app_pid 0)" -n bash -c \
		"exec 3<>/dev/tcp/10.88.0.1/80; cat >&3; cat <&3" >"$d/out" || true
}
raw 'GET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\nConnection: close\r\n\r\n'
grep -q "$key" "$d/out" || fail "the plain request, sent raw, gets no key"
for bytes in \
	'GET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\nHost: a.test\r\nConnection: close\r\n\r\n' \
	'GET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\nHost: dstack-guest\r\nConnection: close\r\n\r\n' \
	'GET /getkey/s HTTP/1.1\r\nConnection: close\r\n\r\n' \
	'GET /getkey/s HTTP/1.0\r\n\r\n' \
	'GET /getkey/s\r\n\r\n'; do
	raw "$bytes"
	if grep -q "$key" "$d/out"; then fail "got the key by: $bytes"; fi
	n=$((n + 1))
done
no "absolute form" --request-target http://dstack-guest/getkey/s
no "absolute form of another" --request-target http://a.test/getkey/s
no POST -d x
no HEAD -X HEAD -m 5
no PUT -X PUT
# the SDK's calls are the socket's alone, and there not a browser's
for c in GetKey Sign GetTlsKey GetQuote Info Version prpc/Tappd.DeriveKey; do
	no "POST of $c over the network" --request-target "/$c" -d '{}'
	no "GET of $c over the network" --request-target "/$c"
done
saw "$n requests refused that are not the app's own"
echo "ok T33_requests_by_way_of_a_proxy_or_browser_are_refused"
# Node's own fetch says Sec-Fetch-Mode of itself; a library on the socket says
# Host: localhost. Both are the app.
app=$(app_pid 0)
ip=$(awk '$2 == "dstack-guest" {print $1}' "/proc/$app/root/etc/hosts")
echo "$ip dstack-guest" >"$d/hosts"
nsenter -t "$app" -n unshare -m sh -c 'mount --bind "$1" /etc/hosts &&
	exec node -e "fetch(\"http://dstack-guest/getkey/s\").then(async r =>
		process.stdout.write(r.status === 200 ? await r.text() : \"no\"))"' \
	sh "$d/hosts" >"$d/out"
[ "$(cat "$d/out")" = "$key" ] || fail "Node's fetch gets: $(cat "$d/out")"
at=/proc/$app/root/var/run/dstack.sock
for h in localhost dstack-guest a.test; do
	got=$(curl -sS --max-time 20 --unix-socket "$at" -H "Host: $h" http://x/getkey/s)
	[ "$got" = "$key" ] || fail "Host: $h on the socket gets: $got"
done
curl -sS --max-time 20 --unix-socket "$at" -H 'Origin: https://a.test' \
	http://localhost/getkey/s >"$d/out"
if grep -q "$key" "$d/out"; then fail "an Origin on the socket has the key"; fi
sdk() { curl -sS --max-time 20 --unix-socket "$at" -d '{"path":"a"}' "$@" http://localhost/GetKey; }
[ "$(sdk | jq -r .key | wc -c)" -eq 65 ] || fail "the SDK's own call: $(sdk)"
for h in 'Origin: https://a.test' 'Referer: https://a.test/' 'Sec-Fetch-Site: same-origin' \
	'X-Forwarded-For: 1.2.3.4' 'Cookie: a=b' 'Via: 1.1 proxy'; do
	[ "$(sdk -H "$h" | jq -r 'has("key")')" = false ] || fail "$h on the socket has a key of the SDK"
done
echo "ok T33_the_apps_own_libraries_are_answered"
# the other node's and the host's network have no way to the listener
of=root
ip=$(awk '$2 == "dstack-guest" {print $1}' "/proc/$(app_pid 0)/$of/etc/hosts")
if curl -s -m 2 -H 'Host: dstack-guest' "http://$ip/getkey/s" >"$d/out"; then
	fail "the host reaches the app plane"
fi
# nor has the app a way to the host or out
p=$(app_pid 0)
for a in 127.0.0.1:8000 127.0.0.1:8545 192.0.2.1:80 "$ip:443" "$ip:4001"; do
	if nsenter -t "$p" -n curl -s -m 2 -o /dev/null "http://$a/"; then
		fail "the app reaches $a"
	fi
done
echo "ok T33_the_app_plane_has_one_neighbour"
