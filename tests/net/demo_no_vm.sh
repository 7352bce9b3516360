#!/bin/sh
# A whole network without VMs: two nodes come to ready, both serve the app
# under one name and key, the host reaches nothing it should not, and all of
# it is gone afterwards.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
[ -x /usr/bin/pebble ] && command -v crun >/dev/null || { echo "pebble or crun is not installed"; exit 77; }
make -s contracts
[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
dir=build/demo-net
pid=
cleanup() {
	if [ -n "$pid" ]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
}
trap cleanup EXIT
out=build/demo-net.out

# events, then torn down by itself
"$bin" demo --no-vm --nodes 2 --json --timeout 240 --dir $dir >$out
[ "$(jq -r .event $out | uniq | tr '\n' ' ')" = "chain node app ready " ]
[ "$(jq -c 'select(.event=="node" and .phase=="serving" and .https and .control)' $out | wc -l)" -eq 2 ]
[ "$(jq -r 'select(.index==0).phase' $out | tr '\n' ' ')" = "boot bootstrap onboarded serving " ]
[ "$(jq -r 'select(.index==1).phase' $out | tr '\n' ' ')" = "boot register onboarded serving " ]
echo "ok two nodes come to ready, with the events in order"
[ ! -e $dir/network.json ]
if "$bin" status --dir $dir 2>/dev/null; then exit 1; fi
for f in $dir/node0/node.json $dir/node1/node.json; do
	if kill -0 "$(jq .pid $f)" 2>/dev/null; then echo "a node is left"; exit 1; fi
done
echo "ok everything that was started has ended"

# without a terminal and --keep: nothing is promised that ends with the program
"$bin" demo --no-vm --nodes 1 --timeout 240 --dir $dir >$out
grep -q 'the network ends now, and --keep would keep it' $out
if grep -q 'Ctrl-C' $out; then exit 1; fi
grep -q 'no other node gave a sign of life' $dir/node0/node.log
echo "ok a network that ends says so, and its last node that the secret ends with it"

# again, kept
"$bin" demo --no-vm --nodes 2 --json --keep --timeout 240 --dir $dir >$out 2>build/demo-net.err &
pid=$!
n=0
until grep -q '"ready"' $out; do
	n=$((n + 1))
	[ $n -lt 2400 ] || { echo "not ready"; cat $out; exit 1; }
	kill -0 "$pid" || { cat build/demo-net.err; exit 1; }
	sleep 0.1
done
"$bin" status --dir $dir --json >build/demo-net.status
[ "$(jq '[.nodes[] | select(.alive and .phase == "serving")] | length' build/demo-net.status)" -eq 2 ]
[ "$(jq -r '[.nodes[].status.xPub] | unique | length' build/demo-net.status)" -eq 1 ]
echo "ok status finds the kept network, and both nodes have one secret"
if "$bin" demo --no-vm --json --dir $dir 2>build/demo-net.err; then exit 1; fi
grep -q 'end it with: kill' build/demo-net.err
echo "ok a second one in the same folder is refused with a line"

get() { # PORT PATH
	curl -sS --max-time 20 --cacert $dir/ca/ca.pem --connect-to "::127.0.0.1:$1" "https://demo.dstack.test$2"
}
keys=
for i in 0 1; do
	port=$(jq -r ".nodes[$i].https" build/demo-net.status | sed 's/.*://')
	get "$port" / >build/demo-net.page
	grep -q 'Welcome to Dstack with unstoppable TLS!' build/demo-net.page
	keys="$keys $(openssl s_client -connect "127.0.0.1:$port" -servername demo.dstack.test </dev/null 2>/dev/null |
		openssl x509 -noout -pubkey | sha256sum | cut -c1-64)"
done
echo "ok promise 1: both serve the greeting over verified HTTPS"
# shellcheck disable=SC2086
set -- $keys
[ "$1" = "$2" ]
echo "ok promise 18: both have the same TLS key"
if grep -q 'Not signed' build/demo-net.page; then cat build/demo-net.page; exit 1; fi
echo "ok promise 6: the app has a signature of its data"

control=$(jq -r '.nodes[0].control' build/demo-net.status)
for path in /getkey/unstoppable_tls /attest/s/00 /appdata/s/00 /../getkey/s /; do
	code=$(curl -s -o /dev/null --path-as-is -w '%{http_code}' "$control$path")
	[ "$code" -ge 400 ] || { echo "$path answered $code"; exit 1; }
done
echo "ok hole D1: keys and signatures are not to be had from the host"
kill "$pid" && wait "$pid" || true
pid=
if curl -s -o /dev/null --max-time 2 "$control/status"; then echo "a guest is left"; exit 1; fi
echo "ok Ctrl-C ends it all"
