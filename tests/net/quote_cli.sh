#!/bin/sh
# dstack quote: exit codes and the JSON form that scripts rely on.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
d=$(mktemp -d)
pcs=
trap '[ -z "$pcs" ] || kill "$pcs" 2>/dev/null; rm -rf "$d"' EXIT
seed=fuzz/corpus
quote=$seed/quote/tdx4 collateral=$seed/collateral/tdx4 root=$seed/x509/root
at=1800000000

# expect NAME EXIT PATTERN ARGS...: the output must hold the pattern
expect() {
	name=$1 want=$2 pattern=$3
	shift 3
	rc=0
	"$bin" quote "$@" >"$d/out" 2>&1 || rc=$?
	if [ "$rc" -ne "$want" ] || ! grep -q -- "$pattern" "$d/out"; then
		echo "$name: exit $rc, expected $want with '$pattern':"
		cat "$d/out"
		exit 1
	fi
	echo "ok $name"
}
verify() { # NAME EXIT PATTERN [MORE...] on the good quote
	n=$1 e=$2 p=$3
	shift 3
	expect "$n" "$e" "$p" verify "$quote" --collateral "$collateral" \
		--root "$root" --at $at --json "$@"
}

verify "genuine quote is yes" 0 '{"ok":true,"code":"ok",.*"tee":"tdx","version":4,.*"tcb_status":"UpToDate"'
verify "policy_flags is a list" 0 '"policy_flags":\[\]'
zeros=$(printf '%0128d' 0)
verify "report_data that fits" 0 '"ok":true' --report-data "$zeros"
verify "report_data that differs" 1 '"code":"report_data_mismatch"' --report-data "1${zeros#0}"
verify "report_data that is short" 2 'takes 128 hex digits' --report-data 00
expect "Intel's root by default" 1 'untrusted_pck_chain' verify "$quote" --collateral "$collateral" --at $at
expect "RFC 3339 time" 0 'ok: yes' verify "$quote" --collateral "$collateral" --root "$root" --at 2027-01-15T10:00:00+02:00
expect "time that is none" 2 'neither Unix seconds' verify "$quote" --collateral "$collateral" --at yesterday
expect "late time" 1 '"code":"crl_expired"' verify "$quote" --collateral "$collateral" --root "$root" --at 1900000000 --json
expect "no collateral" 2 '--collateral FILE|DIR is missing' verify "$quote"
expect "missing collateral file" 3 'No such file' verify "$quote" --collateral "$d/none"
expect "missing quote file" 3 'No such file' verify "$d/none" --collateral "$collateral"
expect "collateral that is no JSON" 1 'malformed_collateral' verify "$quote" --collateral "$quote" --json
expect "unknown option" 2 "no option '--colateral'" verify "$quote" --colateral x
expect "unknown verb" 2 "no verb 'judge'" judge "$quote"

mkdir "$d/parts" "$d/pcs"
member() { # NAME: its text out of the one JSON document
	sed "s/.*\"$1\": *\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/" "$collateral" | sed 's/\\n/\n/g; s/\\"/"/g'
}
for m in pck_crl_issuer_chain root_ca_crl pck_crl tcb_info_issuer_chain tcb_info_signature \
	qe_identity_issuer_chain qe_identity_signature; do
	member $m | sed '/^$/d' >"$d/parts/$m"
done
for m in root_ca_crl pck_crl; do printf %s "$(cat "$d/parts/$m")" >"$d/parts/$m"; done
for m in tcb_info qe_identity; do printf %s "$(member $m)" >"$d/parts/$m.json"; done
expect "collateral as separate files" 0 '"ok":true' verify "$quote" --collateral "$d/parts" --root "$root" --at $at --json
cp "$d/parts"/* "$d/pcs"
for f in "$d/parts"/*; do echo >>"$f"; done
expect "separate files that end in a newline" 0 '"ok":true' verify "$quote" --collateral "$d/parts" --root "$root" --at $at --json
for m in root_ca_crl pck_crl; do
	sed "s/\"$m\"/\"was_$m\"/" "$collateral" >"$d/less"
	expect "a document without $m" 1 '"code":"crl_missing"' verify "$quote" --collateral "$d/less" --root "$root" --at $at --json
done
sed 's/"pck_crl_issuer_chain"/"x"/' "$collateral" >"$d/less"
expect "a document without a chain" 1 '"code":"malformed_collateral"' verify "$quote" --collateral "$d/less" --root "$root" --at $at --json
printf '{"tcbInfo":%s,"signature":"%s"}' "$(cat "$d/parts/tcb_info.json")" "$(cat "$d/parts/tcb_info_signature")" >"$d/pcs/tcb_info.json"
printf '{"enclaveIdentity":%s,"signature":"%s"}' "$(cat "$d/parts/qe_identity.json")" "$(cat "$d/parts/qe_identity_signature")" >"$d/pcs/qe_identity.json"
rm "$d/pcs/tcb_info_signature" "$d/pcs/qe_identity_signature"
expect "documents as the service's answers" 0 '"ok":true' verify "$quote" --collateral "$d/pcs" --root "$root" --at $at --json
rm "$d/pcs/pck_crl"
expect "a list that is not there" 1 'crl_missing' verify "$quote" --collateral "$d/pcs" --root "$root" --at $at --json

od -An -v -tx1 "$quote" >"$d/hex"
expect "quote in hex" 0 '"ok":true' verify "$d/hex" --collateral "$collateral" --root "$root" --at $at --json
openssl base64 -in "$quote" -out "$d/base64"
expect "quote in base64" 0 '"ok":true' verify "$d/base64" --collateral "$collateral" --root "$root" --at $at --json
printf 'AA%s' "$(cat "$d/base64")" >"$d/text"
expect "quote in neither" 1 '"ok":false' verify "$d/text" --collateral "$collateral" --root "$root" --at $at --json
head -c 1000 "$quote" >"$d/cut"
expect "quote cut short" 1 '"code":"malformed_quote"' verify "$d/cut" --collateral "$collateral" --root "$root" --at $at --json
expect "show gives no verdict" 0 'no verdict' show "$quote" --at $at --root "$root"
expect "show says what holds" 0 '"signature_valid":true,"chain_valid":true' show "$quote" --at $at --root "$root" --json
expect "show names a foreign root" 0 '"signature_valid":true,"chain_valid":false' show "$quote" --at $at --json
expect "show of no quote" 1 'malformed_quote' show "$d/cut"

policy() {
	cat >"$d/policy" <<-EOF
		{"accept_tee":["tdx"],"accept_status":["$1"],"allow_flags":[],"xfam_allow":"0x061ae7",
		"min_tcb_evaluation_data_number":1,"min_tcb_date":"2024-01-01T00:00:00Z",
		"min_root_crl_number":1,"min_pck_crl_number":1,"deny_advisories":[]$2}
	EOF
}
policy UpToDate ""
verify "policy that accepts" 0 '"ok":true' --policy "$d/policy"
policy OutOfDate ""
verify "policy that refuses" 1 '"code":"policy"' --policy "$d/policy"
policy Fine ""
verify "policy with an unknown status" 3 "'Fine' in accept_status" --policy "$d/policy"
policy UpToDate ',"more":1'
verify "policy with an unknown member" 3 'not known' --policy "$d/policy"
echo '{}' >"$d/policy"
verify "policy with nothing" 3 'accept_tee' --policy "$d/policy"

# fetched from a service in parts, one document again
"$bin" sim root >"$d/sim"
"$bin" sim quote >"$d/sim.quote"
"$bin" sim collateral >"$d/sim.json"
mkdir "$d/cache"
node tests/net/pcs.mjs "$d/sim.json" >"$d/url" &
pcs=$!
for _ in $(seq 100); do
	if [ -s "$d/url" ]; then break; fi
	sleep 0.05
done
url=$(cat "$d/url")
expect "collateral of a quote is fetched" 0 '"tcb_info_signature"' collateral "$d/sim.quote" --url "$url" --root "$d/sim" --cache "$d/cache"
cp "$d/out" "$d/fetched"
expect "and the quote verifies with it" 0 '"ok":true' verify "$d/sim.quote" --collateral "$d/fetched" --root "$d/sim" --json
expect "a service of another root" 3 'trusted root' collateral "$d/sim.quote" --url "$url"
expect "a model that the service does not give" 3 'of another FMSPC' collateral --fmspc 00806f050000 --url "$url" --root "$d/sim"
expect "SGX from a service without it" 3 'does not know this FMSPC' collateral --fmspc 00806f050000 --tee sgx --url "$url" --root "$d/sim"
kill "$pcs" && wait "$pcs" || true
pcs=
expect "a dead service and a cache" 0 '"tcb_info_signature"' collateral "$d/sim.quote" --url "$url" --root "$d/sim" --cache "$d/cache"
cmp "$d/out" "$d/fetched"
expect "a dead service and no cache" 3 "Couldn't connect" collateral "$d/sim.quote" --url "$url" --root "$d/sim"
expect "collateral of nothing" 2 'QUOTE or --fmspc HEX is missing' collateral --url "$url"
expect "both a quote and a model" 2 'not both' collateral "$d/sim.quote" --fmspc 00806f050000
