#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# T05, T47: from the host, every way to ask each forwarded port for a key or a
# signature. The control plane has its two paths, the front has the app, and
# the guest listens where it is written here and nowhere else.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
status='{"state":"onboarded"'
# no NAME CURL-ARGUMENT...: an error or no answer, and nothing like a key
no() {
	name=$1
	shift
	: >"$d/out"
	code=$(curl -s -m 10 --path-as-is -o "$d/out" -w '%{http_code}' "$@" || true)
	case $code in
	[45]?? | 000) ;;
	*) fail "$name: $code" ;;
	esac
	if grep -qE "[0-9a-f]{64}|$status" "$d/out"; then fail "$name answered"; fi
}
# no_tunnel PORT PATH: CONNECT, by hand: curl would wait for the tunnel's end
no_tunnel() {
	exec 3<>"/dev/tcp/127.0.0.1/$1"
	printf 'CONNECT %s HTTP/1.1\r\nHost: a\r\n\r\n' "$2" >&3
	IFS= read -r -t 10 line <&3 || fail "CONNECT $2: no answer"
	timeout 0.25 cat <&3 >"$d/out" || true
	exec 3>&-
	[[ $line == 'HTTP/1.1 '[45]* ]] || fail "CONNECT $2: $line"
	if grep -qE "[0-9a-f]{64}|$status" "$d/out"; then fail "CONNECT $2 answered"; fi
}
tried=0
for i in 0 1; do
	c=$(of_node $i control)
	for path in /getkey/x /getkey/unstoppable_tls /attest/s/00 /appdata/s/00 \
		/onboarded /debug / //status /status/ /status/.. /STATUS \
		/status/../getkey/x /%73tatus /status%00 '/status?x' '/status;x' \
		/../getkey/x '/getkey/x?' /getkey//x /metrics /onboard; do
		no "GET $path" "$c$path"
		no "POST $path" -d x "$c${path%onboard}"
		tried=$((tried + 2))
	done
	for m in PUT DELETE OPTIONS TRACE PATCH FOO; do
		no "$m /status" -X $m "$c/status"
		no "$m /getkey/x" -X $m "$c/getkey/x"
		tried=$((tried + 2))
	done
	no_tunnel "${c##*:}" /status
	no_tunnel "${c##*:}" /getkey/x
	tried=$((tried + 2))
	for t in http://dstack-guest/getkey/s http://dstack-guest/status \
		https://dstack-guest/getkey/s http://a@dstack-guest/getkey/s \
		dstack-guest:80 '*' getkey/s; do
		no "target $t" --request-target "$t" "$c/status"
		tried=$((tried + 1))
	done
	no "Host: dstack-guest" -H 'Host: dstack-guest' "$c/getkey/s"
	# two requests on one connection, the second hidden in the first's body
	port=${c##*:}
	printf 'POST /onboard HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\n\r\n' |
		timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; cat >&3; cat <&3" \
			>"$d/out" 2>/dev/null || true
	if grep -qE '^[0-9a-f]{64}$' "$d/out"; then fail "a hidden request answered"; fi
	code=$(curl -s -o "$d/out" -w '%{http_code}' "$c/status")
	same "GET /status" "$code" 200
	grep -q "^$status" "$d/out" || fail "GET /status says something else"
done
saw "$tried requests to port 4001 and 4011 refused; GET /status answers"
echo "ok T05_the_control_plane_has_two_paths_spelt_one_way"

# what an answer of the app looks like, whatever is asked
app_404=$(get 0 /nothing-here)
for path in /getkey/s /attest/s/00 /onboard /status //getkey/s /../getkey/s; do
	for h in dstack-guest dstack-guest:80 10.88.0.1 127.0.0.1 $domain; do
		same "$h$path through the front" \
			"$(get 0 $path --path-as-is -H "Host: $h")" "$app_404"
	done
done
for t in http://dstack-guest/getkey/s http://10.88.0.1/getkey/s; do
	out=$(get 0 / --request-target "$t" || true)
	if grep -qE '^[0-9a-f]{64}$' <<<"$out"; then fail "$t through the front"; fi
done
printf 'GET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /getkey/s HTTP/1.1\r\nHost: dstack-guest\r\n\r\n' |
	timeout 10 openssl s_client -quiet -connect 127.0.0.1:4002 -servername "$domain" \
		>"$d/out" 2>/dev/null || true
if grep -qE '^[0-9a-f]{64}$' "$d/out"; then fail "a hidden request through the front"; fi
echo "ok T47_the_front_reaches_the_app_and_nothing_else"

# sockets of the guest: init is the one child of the node with a child of
# its own name; its roles share one network, the four without links none
for p in $(pgrep -P "$(of_node 0 pid)"); do
	grep -qz '^init$' "/proc/$p/cmdline" || continue
	for init in $(pgrep -P "$p"); do break; done
done
for r in $(pgrep -P "$init"); do
	name=$(tr '\0' '\n' <"/proc/$r/cmdline" | head -1)
	{
		nsenter -t "$r" -n ss -Hltnu | awk '{print $1, $5}'
		nsenter -t "$r" -n ss -Hlxw | awk '{print $1, $5}'
	} | sort -u | sed "s/^/$name /" || true
	if [ "$(readlink "/proc/$r/ns/net")" != "$(readlink "/proc/$init/ns/net")" ]; then
		echo "$name apart"
	fi
done | sort >"$d/sockets"
# what a role listens on itself, inherited from init: by descriptor
for r in $(pgrep -P "$init"); do
	name=$(tr '\0' '\n' <"/proc/$r/cmdline" | head -1)
	for f in /proc/"$r"/fd/*; do
		ino=$(readlink "$f" | sed -n 's/^socket:\[\(.*\)\]$/\1/p')
		[ -n "$ino" ] || continue
		ss -Hltne 2>/dev/null | awk -v i="ino:$ino" -v n="$name" \
			'index($0, i " ") {print n, "holds", $4}'
	done
done | sort -u >>"$d/sockets"
cat >"$d/golden" <<-'GOLDEN'
	guest-service tcp 10.88.0.1%app0:80
	guest-service u_str /run/dstack/app/0/run/dstack.sock
	hostlink apart
	keyd apart
	kubernethes tcp 10.88.0.1%app0:80
	kubernethes u_str /run/dstack/app/0/run/dstack.sock
	lightclient apart
	tee apart
	unstoppable-tls tcp 10.88.0.1%app0:80
	unstoppable-tls u_str /run/dstack/app/0/run/dstack.sock
	verifier apart
	guest-service holds 127.0.0.1:4001
	unstoppable-tls holds 127.0.0.1:4002
GOLDEN
diff "$d/golden" "$d/sockets" || fail "the guest listens elsewhere"
echo "ok T05_the_guests_listening_sockets_are_the_golden_list"
