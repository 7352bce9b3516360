#!/bin/sh
# Promise 15: the quote service of the original. GET /attestation/<hex> gives
# a raw quote; POST /verify gives its fields as JSON, 418 when it is not
# genuine, 400 when it is no quote or longer than 12800 bytes.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
vectors=../shared/vectors/dcap/cases
d=$(mktemp -d)
pid=
cleanup() {
	if [ -n "$pid" ]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
	rm -rf "$d"
}
trap cleanup EXIT
"$bin" sim quote-service --listen 127.0.0.1:0 2>"$d/log" &
pid=$!
n=0
until grep -q 'http://' "$d/log"; do
	n=$((n + 1))
	[ $n -lt 600 ] || { cat "$d/log"; exit 1; }
	sleep 0.05
done
url=$(grep -o 'http://.*' "$d/log")

ask() { # expected code, curl arguments: body in $d/out
	want=$1
	shift
	got=$(curl -s -o "$d/out" -w '%{http_code}' "$@")
	[ "$got" = "$want" ] || { echo "$* gave $got, not $want"; cat "$d/out"; exit 1; }
}
flip() { # file, offset: another byte there
	old=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %03o $(((old + 1) % 256)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

data=$(printf 'dstack' | od -An -tx1 | tr -d ' \n')
ask 200 "$url/attestation/$data"
cp "$d/out" "$d/quote"
[ "$(od -An -c -j 568 -N 6 "$d/quote" | tr -d ' ')" = dstack ]
ask 200 "$url/attest/$data"
cmp -n 632 "$d/out" "$d/quote"
echo "# attestation_gives_a_raw_quote_over_the_data"
ask 400 "$url/attestation/xyz"
ask 400 "$url/attestation/abc"
ask 400 "$url/attestation/"
echo "# bad_hex_is_400"
ask 200 --data-binary "@$d/quote" "$url/verify"
for k in header user_data td_quote_body report_data mr_td pck_cert_chain \
	signed_data_size qe_report_certification_data; do
	grep -q "\"$k\":" "$d/out" || { echo "no $k in the JSON"; exit 1; }
done
grep -q '"tee_type":129' "$d/out"
echo "# verify_gives_the_fields_as_json"
for at in 40 184 568 640 800 1160 2000; do
	cp "$d/quote" "$d/bad"
	flip "$d/bad" $at
	ask 418 --data-binary "@$d/bad" "$url/verify"
done
echo "# a_changed_quote_is_418"
head -c 600 "$d/quote" >"$d/bad"
ask 400 --data-binary "@$d/bad" "$url/verify"
head -c 12801 /dev/zero >"$d/bad"
ask 400 --data-binary "@$d/bad" "$url/verify"
head -c 200000 /dev/zero >"$d/bad"
ask 413 --data-binary "@$d/bad" "$url/verify"
{ cat "$d/quote"; head -c 8000 /dev/zero; } >"$d/bad"
ask 200 --data-binary "@$d/bad" "$url/verify"
echo "# no_quote_is_400_and_padding_is_fine"
ask 200 "$url/livez"
ask 200 "$url/readyz"
ask 200 "$url/drain"
ask 503 "$url/readyz"
ask 200 "$url/undrain"
ask 200 "$url/readyz"
ask 404 "$url/metrics"
echo "# health_paths"
for c in "$vectors"/tdx10-v4-*-UpToDate; do
	[ -f "$c/quote.bin" ] || continue
	ask 200 --data-binary "@$c/quote.bin" "$url/verify"
	cp "$c/quote.bin" "$d/bad"
	flip "$d/bad" 184
	ask 418 --data-binary "@$d/bad" "$url/verify"
	echo "# a_quote_of_real_hardware_verifies"
	break
done
echo "ok 15 quotes by GET /attestation/HEX, verdicts by POST /verify, as the original's service"
