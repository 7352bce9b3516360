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
grep -q 'ACME CA says invalid' "$d/err"
cmp "$d/before.pem" "$d/hv/certificate.pem"
echo "ok a name that cannot be proven is refused and the old certificate stays"

echo garbage >"$d/hv/request.csr"
if request 127.0.0.1:24002 2>"$d/err"; then echo "garbage was accepted"; exit 1; fi
[ "$(wc -l <"$d/err")" -eq 1 ]
grep -q 'is not a certificate request' "$d/err"
echo "ok a garbled request is refused with one line"
