#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The npm package @phala/dstack-sdk, unchanged, against the socket of an app:
# every call with its result checked, here and on another node of the network.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
tests/sdk/install
own_net "$PWD/tests/net/sdk.sh"
base sdk-net
out=$net/sdk
rm -rf "$out"
mkdir -p "$out/a" "$out/b"

# app_of PID-FILE: the first process of the app's container below a node
app_of() {
	local top=$1 p q
	for p in $(pgrep -x greeting); do
		# its own children have its name, and numbers begin anew at times
		q=$(awk '/^PPid/{print $2}' "/proc/$p/status" 2>/dev/null)
		[ "$(cat "/proc/${q:-0}/comm" 2>/dev/null)" != greeting ] || continue
		q=$p
		while [ "${q:-0}" -gt 1 ] && [ "$q" != "$top" ]; do
			q=$(awk '/^PPid/{print $2}' "/proc/$q/status" 2>/dev/null)
		done
		if [ "$q" = "$top" ]; then
			echo "$p"
			return
		fi
	done
	return 1
}
# as_app PID COMMAND...: where the SDK looks for them, the app's sockets
as_app() {
	local at=/proc/$1/root/run
	shift
	# shellcheck disable=SC2016
	unshare -m bash -c 'at=$1; shift
		mount -t tmpfs tmpfs /run &&
		ln -s "$at/dstack.sock" "$at/tappd.sock" /run/ && exec "$@"' - "$at" "$@"
}

until_true 60 app_of "$(jq .pid "$net/node0/node.json")" || fail "no app" "$net/node0/node.log"
app=$(app_of "$(jq .pid "$net/node0/node.json")")
for s in /var/run /run /var/run/dstack /run/dstack; do
	for n in dstack tappd; do
		[ -S "/proc/$app/root$s/$n.sock" ] || fail "no $s/$n.sock"
		got=$(curl -sS --max-time 20 --unix-socket "/proc/$app/root$s/$n.sock" \
			-d '{}' http://localhost/Version)
		[ "$(jq -r .version <<<"$got")" != null ] || fail "$s/$n.sock says $got"
	done
done
[ "$(curl -sS --unix-socket "/proc/$app/root/run/dstack.sock" http://localhost/Info | jq -r .app_name)" = app-example ]
[ "$(curl -sS -o /dev/null -w '%{http_code}' --unix-socket "/proc/$app/root/run/dstack.sock" http://localhost/GetKey)" = 405 ]
echo "ok the sockets are at all eight places"

as_app "$app" node tests/sdk/calls.mjs "$out/a" || fail "the SDK's calls" "$net/node0/console.log"

# what the SDK was given, by our own verifier
"$bin" sim root >"$out/root.pem"
verify() { # ARGUMENT...
	"$bin" quote verify "$@" --collateral "$net/auditing/bootstrap-collateral-0.json" \
		--root "$out/root.pem" --json
}
rd=$(printf 'user:alice' | od -An -tx1 | tr -d ' \n')
padded=$(printf '%-128s' "$rd" | tr ' ' 0)
verify "$out/a/quote.hex" --report-data "$padded" | jq -e .ok >/dev/null
verify "$out/a/attested.hex" --report-data "$padded" | jq -e .ok >/dev/null
verify "$out/a/quote-full.hex" --report-data "$(printf 'a5%.0s' {1..64})" | jq -e .ok >/dev/null
[ "$(verify "$out/a/quote-event.hex" | jq -r '.rtmr[3]')" = "$(cat "$out/a/rtmr3")" ] ||
	fail "RTMR3 of the quote is not what the log gives"
verify "$out/a/tappd.hex" --report-data "$(cat "$out/a/tappd.rd")" | jq -e .ok >/dev/null
verify "$out/a/quote.hex" --app-report-data "$rd" | jq -e .ok >/dev/null
no() { # EXIT TEXT ARGUMENT...: of quote verify
	local want=$1 text=$2 got=0
	shift 2
	"$bin" quote verify "$@" --collateral "$net/auditing/bootstrap-collateral-0.json" \
		--root "$out/root.pem" --json >"$out/no" 2>&1 || got=$?
	if [ "$got" -ne "$want" ] || ! grep -q -- "$text" "$out/no"; then
		fail "exit $got, wanted $want and '$text': $*" "$out/no"
	fi
}
no 1 report_data_mismatch "$out/a/quote.hex" --app-report-data "${rd}00ff"
no 2 '1 to 64 bytes' "$out/a/quote.hex" --app-report-data "$(printf 'a5%.0s' {1..65})"
echo "ok quotes verify with their report_data and their log"

# the log tells which app ran, and any other log than the quote's is refused
ran="1 $(jq -r 'select(.event == "app").digest' "$net.out")"
with_log() { # EXPRESSION: the log is bent by it
	jq -c "$1" "$out/a/event.log" >"$out/bent.log"
	no "${3:-1}" "$2" "$out/a/quote-event.hex" --event-log "$out/bent.log"
}
verify "$out/a/quote-event.hex" --event-log "$out/a/event.log" >"$out/log.json" || fail "the log" "$out/log.json"
jq -e --arg a "$(jq -r .app_id "$out/a/keys.json")" --arg r "$ran" --arg x "$(jq -r .xpub "$out/a/keys.json")" \
	'.ok and .app_id == $a and .app_versions == [$r] and .xpub == $x and .epoch == 0 and .events == 6' \
	"$out/log.json" >/dev/null || fail "the log says another app" "$out/log.json"
with_log '.[:-1]' 'does not replay'
with_log '. + [.[-1]]' 'does not replay'
with_log '[.[1], .[0]] + .[2:]' 'does not replay'
with_log '.[3].event_payload |= "00" + .[2:]' 'another digest'
with_log '.[-1].event = "config_lost"' 'another digest'
with_log '.[-1].event = "app"' 'no guest has'
with_log '.[0].imr = 2' 'not an event'
with_log '{}' 'not a list'
echo "ok the event log tells which app ran, and only as the quote confirms it"

for n in plain ratls; do
	openssl verify -x509_strict -CAfile "$out/a/$n-ca.pem" -purpose sslserver \
		-verify_hostname www.example.com "$out/a/$n.pem" >"$out/no" 2>&1 ||
		fail "openssl does not take the chain of $n" "$out/no"
done
# under the authority that the app got at another call, too
openssl verify -CAfile "$out/a/plain-ca.pem" "$out/a/ratls.pem" >/dev/null
verify --certificate "$out/a/ratls.pem" >"$out/ratls.json"
jq -e --arg a "$(jq -r .app_id "$out/a/keys.json")" \
	'.ok and .certificate_app_id == $a and .app_id == $a and .certificate_issuers == 1' "$out/ratls.json" >/dev/null ||
	fail "the certificate's quote" "$out/ratls.json"
openssl x509 -in "$out/a/ratls.pem" -outform DER -out "$out/ratls.der"
[ "$(openssl x509 -in "$out/a/ratls.pem" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)" = \
	"$(verify --certificate "$out/ratls.der" | jq -r .certificate_key_sha256)" ]
# the same quote in a certificate for another key: its own issuer, and a lie
openssl ecparam -name prime256v1 -genkey -noout -out "$out/thief.key"
openssl x509 -in "$out/a/ratls.pem" -force_pubkey <(openssl pkey -in "$out/thief.key" -pubout) \
	-signkey "$out/thief.key" -out "$out/thief.pem" 2>/dev/null
no 1 report_data_mismatch --certificate "$out/thief.pem"
no 3 'carries no quote' --certificate "$out/a/plain.pem"
no 3 'neither PEM nor' --certificate <(printf '0nonsense')
cat "$out/thief.pem" "$out/a/ratls-ca.pem" >"$out/mixed.pem"
no 1 'not issued by the next' --certificate "$out/mixed.pem"
no 1 'not valid at that time' --certificate "$out/a/ratls.pem" --at 1600000000
no 2 'each say what report_data is' --certificate "$out/a/ratls.pem" --app-report-data 00
echo "ok a certificate's quote is its key's, and no other's"
xpub=$(call 'xPub()(address)')
[ "0x$(jq -r .xpub "$out/a/keys.json")" = "${xpub,,}" ] ||
	fail "the chain of keys does not end in the contract's xPub"
echo "ok the signature chain ends in the contract's xPub"

# another node, and the same app there: the same keys
make_node other
start_node
reaches serving 120
until_true 60 app_of "$(jq .pid "$d/node.json")" || fail "no app on the other node" "$d/console.log"
as_app "$(app_of "$(jq .pid "$d/node.json")")" node tests/sdk/calls.mjs "$out/b" >"$out/log" ||
	fail "the SDK's calls on another node" "$out/log" "$d/console.log"
cmp "$out/a/keys.json" "$out/b/keys.json" || fail "the nodes give other keys"
echo "ok another node gives the same keys and chains"
# what an app finds of the network that it runs in
of=root # what the app of a node sees: its file system
socket_of() { echo "/proc/$(app_of "$(jq .pid "$1/node.json")")/$of/run/dstack.sock"; }
sock=$(socket_of "$net/node0")
guest() { curl -sS --max-time 60 --unix-socket "$sock" "http://dstack-guest$1"; }
other=$(curl -sS "$(jq -r .control "$d/node.json")/status" | jq -r .node)
knows() { guest /peers | jq -e --arg n "$other" '[.peers[].node] == [$n]'; }
until_true 60 knows || fail "$(guest /peers) is not $other" "$net/node0/console.log"
first=$(curl -sS "$(jq -r .control "$net/node0/node.json")/status" | jq -r .node)
sock=$(socket_of "$d")
until_true 60 sh -c "curl -sS --max-time 60 --unix-socket $sock http://dstack-guest/peers | jq -e '[.peers[].node] == [\"$first\"]'" ||
	fail "the other node says $(guest /peers)"
# one that no guest has signed goes over the relay, and into nobody's list
ghost=0x00000000000000000000000000000000deadbeef
curl -sS -d "{\"heartbeat\":{\"node\":\"$ghost\",\"epoch\":0,\"anchorHash\":\"0x$(printf '%064x' 7)\",\"anchorNumber\":999999},\"sig\":\"0x$(printf '%0130x' 1)\"}" \
	"$(sed -n 's/^PUBSUB_URL=//p' "$d/host.env")/push" >/dev/null
sock=$(socket_of "$net/node0")
guest /config | jq -e --arg d "$domain" --arg c "${contract,,}" --arg x "${xpub,,}" \
	--arg a "0x$(jq -r .app_id "$out/a/keys.json")" \
	'.domain == $d and .contract == $c and .xPub == $x and .appId == $a and
	 .epoch == 0 and .version == 1 and .name == "app-example"' >/dev/null ||
	fail "/config says $(guest /config)"
# the front's key is the one that both nodes serve by, and the contract knows it
for p in "$https" "$(jq -r .https "$net/node0/node.json" | sed 's/.*://')"; do
	point=$(openssl s_client -connect "127.0.0.1:$p" -servername "$domain" </dev/null 2>/dev/null |
		openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | tail -c 65 | od -An -v -tx1 | tr -d ' \n')
	[ "0x$point" = "$(guest /peers | jq -r '.peers[0].publicKey')" ] || fail "port $p serves by another key"
done
front=$(guest /config | jq -r '.front | .appData, .signature')
# shellcheck disable=SC2086 # two words
[ "$(call 'verify(bytes32,bytes)(bool)' $front)" = true ] || fail "the contract does not know $front"
echo "ok an app knows its network and the other node by its front's key, and no node that the relay made up"

# a quote that has the app's id in it, by hash
guest "/quote/$rd" >"$out/tagged.bin"
id=$(jq -r .app_id "$out/a/keys.json")
verify "$out/tagged.bin" --app-data "$id:$rd" | jq -e .ok >/dev/null || fail "the app's own purpose"
no 1 report_data_mismatch "$out/tagged.bin" --app-data "$id:00$rd"
no 1 report_data_mismatch "$out/tagged.bin" --app-data "00${id:2}:$rd"
no 1 report_data_mismatch "$out/tagged.bin" --app-report-data "$rd"
no 2 "the app's id" "$out/tagged.bin" --app-data "$rd"
[ "$(curl -sS -o "$out/no" -w '%{http_code}' --unix-socket "$sock" http://dstack-guest/quote/xyz)" = 400 ]
echo "ok a quote under the purpose of apps is of that app and that data"

# what an app asks amiss is told to the app, and its words are not on the
# console, which the host reads
if grep -E 'a,DNS:b|not_after|64 bytes' "$net/node0/console.log"; then
	fail "the console has what an app asked"
fi
echo "ok an app's mistakes are its own"

# and after the app's processes were ended and started anew
kill -9 "$(app_of "$(jq .pid "$net/node0/node.json")")"
until_true 60 app_of "$(jq .pid "$net/node0/node.json")" || fail "the app does not come back"
again() {
	as_app "$(app_of "$(jq .pid "$net/node0/node.json")")" node tests/sdk/calls.mjs "$out/a"
}
until_true 30 again || fail "the SDK's calls after a restart" "$net/node0/console.log"
cmp "$out/a/keys.json" "$out/b/keys.json" || fail "other keys after a restart"
echo "ok keys are the same after a restart"

# the same from inside a container, as an app of Node's: it finds the sockets by
# itself, is no root, and is the next version of the app, so the keys stay
top=$out/image
mkdir -p "$top/app" "$top/usr/bin"
cp "$(readlink -f "$(command -v node)")" "$top/usr/bin/node"
for l in $(ldd "$top/usr/bin/node" | grep -o '/[^ ]*'); do
	mkdir -p "$top$(dirname "$l")"
	cp -L "$l" "$top$l"
done
cp -r tests/sdk/*.mjs tests/sdk/package.json tests/sdk/node_modules "$top/app/"
jq -n '{User: "1000:1000", WorkingDir: "/app", Entrypoint: ["/usr/bin/node", "server.mjs"],
	ExposedPorts: {"8080/tcp": {}}}' >"$out/config.json"
"$bin" app build "$top" --config "$out/config.json" -o "$out/node.tar" >"$out/no" || fail "no image" "$out/no"
gone "$node_pid" # one node is enough, and it has more room
"$bin" app push "$out/node.tar" --dir "$net" >"$out/no" 2>&1 || fail "no push" "$out/no" "$net/node0/console.log"
port=$(jq -r .https "$net/node0/node.json" | sed 's/.*://')
until_true 120 sh -c "curl -sS --max-time 10 --cacert '$ca' --connect-to '::127.0.0.1:$port' \
	'https://$domain/' | jq -e .ok" || { page "$port" | jq -r .out,.err; fail "the app's own calls" "$net/node0/console.log"; }
page "$port" | jq -j .keys | cmp - "$out/b/keys.json" || fail "the next version has other keys"
[ "$(page "$port" | jq -r .out | grep -c '^ok ')" -eq "$(grep -c '^ok ' "$out/log")" ]
echo "ok an app of Node's makes every call from inside its container, and its next version has the same keys"
