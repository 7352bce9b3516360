#!/bin/sh
# dstack cert against a real ACME server (Pebble) on loopback: an order goes
# through, and a request for a name the server cannot reach is refused.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ -x /usr/bin/pebble ] || { echo "pebble is not installed"; exit 77; }
d=$(mktemp -d)
pid=
cleanup() {
	if [ -n "$pid" ]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
	rm -rf "$d"
}
trap cleanup EXIT
"$bin" cert local-ca --dir "$d/ca" --port 24000 >"$d/out" &
pid=$!
n=0
until grep -q '^http ' "$d/out"; do
	n=$((n + 1))
	[ $n -lt 600 ] || { echo "local CA did not start"; cat "$d/ca/pebble.log"; exit 1; }
	kill -0 "$pid" || { echo "local CA ended"; exit 1; }
	sleep 0.1
done
mkdir "$d/hv"
openssl ecparam -name prime256v1 -genkey -noout -out "$d/k.pem"
openssl req -new -key "$d/k.pem" -subj /CN=demo.dstack.test \
	-addext subjectAltName=DNS:demo.dstack.test -out "$d/hv/request.csr"
request() {
	"$bin" cert request --directory https://127.0.0.1:24000/dir --ca "$d/ca/acme.pem" \
		--account "$d/account.key" --host-volume "$d/hv" --http "$1"
}

request 127.0.0.1:24002
openssl verify -CAfile "$d/ca/ca.pem" -untrusted "$d/hv/certificate.pem" "$d/hv/certificate.pem"
[ "$(stat -c %a "$d/account.key")" = 600 ]
echo "ok an order is signed for the name of the request"

request 127.0.0.1:24002
echo "ok the account key is used again"

cp "$d/hv/certificate.pem" "$d/before.pem"
openssl req -new -key "$d/k.pem" -subj /CN=other.test \
	-addext subjectAltName=DNS:other.test -out "$d/hv/request.csr"
if request 127.0.0.1:24909 2>"$d/err"; then echo "unproven name was signed"; exit 1; fi
grep -q 'ACME CA on other.test: ' "$d/err"
cmp "$d/before.pem" "$d/hv/certificate.pem"
echo "ok a name that cannot be proven is refused and the old certificate stays"

echo garbage >"$d/hv/request.csr"
if request 127.0.0.1:24002 2>"$d/err"; then echo "garbage was accepted"; exit 1; fi
[ "$(wc -l <"$d/err")" -eq 1 ]
grep -q 'is not a certificate request' "$d/err"
echo "ok a garbled request is refused with one line"

# a certificate by hand is judged before it replaces one
hv=$d/hv
openssl req -new -key "$d/k.pem" -subj /CN=demo.dstack.test \
	-addext subjectAltName=DNS:demo.dstack.test -out "$hv/request.csr"
refused() { # FILE TEXT
	got=0
	"$bin" cert install "$1" --host-volume "$hv" >"$d/out" 2>"$d/err" || got=$?
	if [ $got -ne 1 ] || ! grep -qF -- "$2" "$d/err" || [ "$(wc -l <"$d/err")" -ne 1 ]; then
		echo "install $1: exit $got"
		cat "$d/err"
		exit 1
	fi
	cmp "$d/before.pem" "$hv/certificate.pem"
}
own() { # KEY NAME OPTION...: a self-signed server's certificate
	k=$1 n=$2
	shift 2
	openssl req -x509 -new -key "$k" -subj "/CN=$n" -addext "subjectAltName=DNS:$n" \
		-addext extendedKeyUsage=serverAuth -addext basicConstraints=critical,CA:FALSE "$@"
}
openssl ecparam -name prime256v1 -genkey -noout -out "$d/other.pem"
own "$d/other.pem" demo.dstack.test -out "$d/foreign.pem"
refused "$d/foreign.pem" 'is for another key'
own "$d/k.pem" elsewhere.test -out "$d/name.pem"
refused "$d/name.pem" 'does not name demo.dstack.test'
echo '<html></html>' >"$d/page"
refused "$d/page" 'is not a list of PEM certificates'
: >"$d/nothing"
refused "$d/nothing" '0 bytes'
rm "$hv/certificate.pem"
"$bin" cert install "$d/before.pem" --host-volume "$hv" >"$d/out"
cmp "$d/before.pem" "$hv/certificate.pem"
echo "ok a certificate by hand is installed if it is the network's, else refused with the reason"

# before the guest has written its request, the name is known by netcfg alone
rm "$hv/request.csr" "$hv/certificate.pem"
cp fuzz/corpus/netcfg/sim "$hv/netcfg"
got=0
"$bin" cert install "$d/name.pem" --host-volume "$hv" 2>"$d/err" || got=$?
[ $got -eq 1 ] && grep -q 'does not name demo.dstack.test' "$d/err"
"$bin" cert install "$d/before.pem" --host-volume "$hv" >"$d/out"
rm "$hv/netcfg" "$hv/certificate.pem"
got=0
"$bin" cert install "$d/before.pem" --host-volume "$hv" 2>"$d/err" || got=$?
[ $got -eq 3 ] && [ "$(wc -l <"$d/err")" -eq 1 ] && grep -q request.csr "$d/err"
echo "ok before there is a request, netcfg's name is what counts"

got=0
timeout 5 "$bin" cert watch --host-volume "$d/nope" 2>"$d/err" || got=$?
if [ $got -ne 3 ] || ! grep -q "host volume $d/nope: No such file" "$d/err"; then
	echo "watch of a host volume that is not there: exit $got"
	exit 1
fi
echo "ok a host volume that is not there is refused, not waited for"
