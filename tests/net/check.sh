#!/bin/bash
# dstack check (T32): a session with a node is known for the network's by the
# contract, one that somebody relays or ends himself is not.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$0"
base net-check
https=$(sed -n 's/^HTTPS_LISTEN=.*://p' "$net/node0/host.env")
out=$net.check
check() { # PORT ARGS...
	local port=$1
	shift
	"$bin" check "https://$domain" --connect "127.0.0.1:$port" \
		--contract "$contract" --rpc "$rpc" --ca "$ca" "$@" >"$out" 2>&1
}
refused_with() { # EXIT TEXT PORT ARGS...
	local want=$1 text=$2 got=0
	shift 2
	check "$@" || got=$?
	[ "$got" -eq "$want" ] && grep -qF -- "$text" "$out" || fail "exit $got, wanted $want and '$text'" "$out"
}

check "$https" --json || fail "the node's session is not the network's" "$out"
[ "$(jq -c '[.ok, .certificateValid, .simulated, .epoch, .app.name]' "$out")" = '[true,true,true,0,"app-example"]' ] ||
	fail "not what it is" "$out"
check "$https"
grep -q 'protects nothing' "$out"
# again, as each has its own nonce and exporter
check "$https"
echo "ok T32 a session with the node is the network's, and the app is served as ever"
serves "$https" || fail "the app is not served"

# somebody who passes bytes on changes nothing; who ends the session does
proxy 30011 "$https"
check 30011 || fail "bytes passed on are another session" "$out"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$domain" \
	-addext "subjectAltName=DNS:$domain" -keyout "$net.key" -out "$net.pem" 2>/dev/null
openssl s_server -accept 30012 -key "$net.key" -cert "$net.pem" -quiet >/dev/null 2>&1 &
pids+=($!)
until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/30012" || fail "no server"
refused_with 1 'does not speak dstack-attest/1' 30012
node tests/net/mitm.mjs 30013 "$https" "$net.key" "$net.pem" &
pids+=($!)
until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/30013" || fail "no man in the middle"
refused_with 1 "not signed by the network's key" 30013
echo "ok T32 a session that somebody ends in the middle is refused, with the node's own answer in it"

refused_with 3 'onnect' 30099
refused_with 1 'no contract at' "$https" --contract 0x00000000000000000000000000000000000000aa
got=0
"$bin" check "http://$domain" --contract "$contract" --rpc "$rpc" >"$out" 2>&1 || got=$?
[ "$got" -eq 2 ] || fail "exit $got for a wrong URL" "$out"
echo "ok what cannot be decided is told from a no"
