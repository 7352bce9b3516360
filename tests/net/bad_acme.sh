#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dstack cert against a CA that misbehaves in each way that CAs were seen to:
# the old certificate stays, the CA's words are printed, its waits are kept,
# and an order that is slow is taken up again instead of a second one.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
d=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$d"' EXIT
fail() {
	echo "not ok: $1"
	cat "$d/err" "$d/log"
	exit 1
}
port=$((20000 + $$ % 5000))
echo good >"$d/mode"
: >"$d/log"
node tests/net/acme_ca.mjs "$d" $port >"$d/port" &
pid=$!
for _ in $(seq 200); do [ -s "$d/port" ] && break; sleep 0.1; done
mkdir "$d/hv"
openssl ecparam -name prime256v1 -genkey -noout -out "$d/k.pem"
ask_for() {
	openssl req -new -key "$d/k.pem" -subj "/CN=$1" \
		-addext "subjectAltName=DNS:$1" -out "$d/hv/request.csr"
}
ask_for demo.dstack.test
cert() {
	timeout 60 "$bin" cert request --directory "https://127.0.0.1:$(cat "$d/port")/dir" \
		--ca "$d/tls.pem" --account "$d/${account:-account.key}" --host-volume "$d/hv" \
		--http "127.0.0.1:$port"
}
count() { grep -c "^$1\$" "$d/log" || true; }
# order MODE EXIT [TEXT]: one order; at most one line, with the text
order() {
	local got=0
	echo "$1" >"$d/mode"
	: >"$d/log"
	cert >"$d/out" 2>"$d/err" || got=$?
	[ $got -eq "$2" ] || fail "$1: exit $got, not $2"
	[ $# -lt 3 ] || grep -qF -- "$3" "$d/err" || fail "$1 does not say '$3'"
	[ "$(wc -l <"$d/err")" -le 1 ] || fail "$1 says more than a line"
}

order good 0
openssl verify -CAfile "$d/tls.pem" -untrusted "$d/hv/certificate.pem" "$d/hv/certificate.pem" >/dev/null
head -1 "$d/hv/certificate.pem" | grep -q '^-----BEGIN' || fail "the CA's prose is in the file"
cp "$d/hv/certificate.pem" "$d/before.pem"
echo "ok an order is signed by a CA that checks everything"

forget() { rm -f "$d/account.key.order"; }
# kept MODE EXIT TEXT: as order, and the old certificate stays
kept() {
	order "$@"
	cmp -s "$d/before.pem" "$d/hv/certificate.pem" || fail "$1: the old certificate is gone"
	echo "ok $1: $(sed 's/.*cert: //' "$d/err" | cut -c1-150)"
}
kept empty 1 "0 bytes"
[ "$(count new-order)" -eq 1 ] || fail "no new order"
kept html 1 "is not a list of PEM certificates"
[ "$(count new-order)" -eq 0 ] || fail "an order with a certificate that cannot be read is not fetched again"
kept junk 1 "is not a list of PEM certificates"
kept cut 1 "is not a list of PEM certificates"
forget
kept otherkey 1 "is for another key"
kept othername 1 "does not name demo.dstack.test"
kept expired 1 "is not valid at time"
kept unsigned 1 "is not issued by the next one"
account=new.key kept eab 1 "external account binding"
kept badauthz 1 "DNS problem: NXDOMAIN looking up A for the name"
kept finbad 1 "CAA record for the name forbids it"
kept rate 3 "too many certificates already issued; it asks to wait 720 s"
kept nonjson 3 "no ACME directory"

# renewed MODE: a good end
renewed() {
	order "$1" 0
	cmp -s "$d/before.pem" "$d/hv/certificate.pem" && fail "$1: nothing new"
	cp "$d/hv/certificate.pem" "$d/before.pem"
	echo "ok $1"
}
renewed badnonce
renewed redir
renewed reuse
[ "$(count challenge)" -eq 0 ] || fail "a proven name is proven again"
renewed fin503
[ "$(count finalize)" -eq 1 ] || fail "a request that was taken is handed in again"
renewed slow
[ "$(count authz)" -le 6 ] || fail "Retry-After is not kept: $(count authz) looks"
for a in "-algorithm EC -pkeyopt ec_paramgen_curve:P-384" "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"; do
	rm -f "$d/kind.key"
	# shellcheck disable=SC2086
	openssl genpkey $a -out "$d/kind.key" 2>/dev/null
	account=kind.key renewed good
done

kept slowfin 3 "it asks to wait 600 s"
[ "$(count new-order)" -eq 1 ] || fail "no order"
renewed resumed
[ "$(count new-order)" -eq 0 ] || fail "a slow order is not taken up again"
[ ! -e "$d/account.key.order" ] || fail "an order that is over is kept"
echo "ok an order that is slow is taken up again, not made anew"

kept slowfin 3 "it asks to wait 600 s"
ask_for other.dstack.test
renewed good
[ "$(count new-order)" -eq 1 ] || fail "the order of another name is taken up"
echo "ok another request has an order of its own"
