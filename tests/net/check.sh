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
[ "$(jq -c '[.ok, .certificateValid, .simulated, .epoch, .app.name, .app.egress]' "$out")" = '[true,true,true,0,"app-example","none"]' ] ||
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

# another name than the certificate's, and one that is the certificate's alone
named() { # NAME ARGS...
	local name=$1
	shift
	"$bin" check "https://$name" --contract "$contract" --rpc "$rpc" --ca "$ca" "$@" >"$out" 2>&1
}
no_such() { # TEXT NAME ARGS...
	local text=$1 got=0
	shift
	named "$@" || got=$?
	[ "$got" -eq 1 ] && grep -qF -- "$text" "$out" && [ "$(wc -l <"$out")" -eq 1 ] ||
		fail "exit $got for $1, wanted 1 and '$text'" "$out"
}
no_such 'does not vouch for this name' other.test --connect "127.0.0.1:$https"
no_such 'the certificate is not for 127.0.0.1: it names demo.dstack.test' "127.0.0.1:$https"
hv=$net/node0/host_volume
openssl ecparam -name prime256v1 -genkey -noout -out "$net.ca.key"
openssl req -x509 -new -key "$net.ca.key" -subj /CN=ca -days 9 -out "$net.ca.pem"
# sign NAMES: a certificate with these for the network's key, taken by the node
sign() {
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$1" >"$net.ext"
	openssl x509 -req -in "$hv/request.csr" -CA "$net.ca.pem" -CAkey "$net.ca.key" -days 9 \
		-extfile "$net.ext" -out "$net.leaf" 2>/dev/null
	cp "$net.leaf" "$hv/certificate.pem"
	until_true 30 bash -c "openssl s_client -connect 127.0.0.1:$https -servername $domain </dev/null 2>/dev/null |
		openssl x509 -noout -serial | grep -q $(openssl x509 -in "$net.leaf" -noout -serial)" ||
		fail "the certificate is not taken" "$net/node0/console.log"
}
sign "DNS:$domain,DNS:second.test"
check "$https" || fail "a certificate of two names" "$out"
no_such 'does not vouch for this name' second.test --connect "127.0.0.1:$https"
echo "ok a name that is not the network's is refused, also where the certificate has it"

# IPv6: addresses where to connect to, and as what is asked for
node -e 'const net = require("node:net");
net.createServer((a) => {
	const b = net.connect(process.argv[1], "127.0.0.1");
	for (const [x, y] of [[a, b], [b, a]]) x.on("error", () => y.destroy()).pipe(y);
}).listen(30014, "::1");' "$https" &
pids+=($!)
until_true 20 bash -c "exec 3<>/dev/tcp/::1/30014" || fail "no IPv6"
named "$domain" --connect "[::1]:30014" || fail "IPv6 with a port" "$out"
no_such 'the certificate is not for ::1' "[::1]:30014"
sign "DNS:$domain,IP:0:0:0:0:0:0:0:1"
named "[::1]:30014" || fail "an IPv6 address of the certificate" "$out"
got=0
named "$domain" --connect ::1 || got=$?
[ "$got" -eq 3 ] && grep -qF '[::1]:443: Connection refused' "$out" || fail "IPv6 without a port: $got" "$out"
for bad in '[::1' '[::1]x' '[demo]' '[::1]:' '[::1]:123456'; do
	got=0
	named "$bad" || got=$?
	[ "$got" -eq 2 ] || fail "'$bad' is taken: exit $got" "$out"
done
echo "ok IPv6 literals"

# what the contract stopped is told as that
as_owner 'stopApp(uint64)' 1
call_rpc evm_mine "[]"
until_true 30 bash -c "! curl -sS --max-time 3 --cacert '$net.ca.pem' --connect-to '::127.0.0.1:$https' 'https://$domain/'" ||
	fail "the app is still served"
refused_with 1 'app-example version 1 was stopped by the pauser or the owner' "$https"
[ "$(wc -l <"$out")" -eq 1 ] || fail "more than a line" "$out"
echo "ok a stopped app is told as such"
