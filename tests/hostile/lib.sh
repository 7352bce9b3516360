# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the attacks on quotes share: a simulated platform whose quote is
# genuine but for what the attack changes. Sourced from the project's top.
set -eu
bin=${B:-build}/bin/dstack
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
"$bin" sim root >"$d/root.pem"
"$bin" sim collateral >"$d/collateral.json"
cat >"$d/policy.json" <<POLICY
{"accept_tee":["tdx"],"accept_status":["UpToDate"],"allow_flags":[],
"xfam_allow":"0x061be7","min_tcb_evaluation_data_number":20,
"min_tcb_date":"2025-01-01T00:00:00Z","min_root_crl_number":1,
"min_pck_crl_number":1,"deny_advisories":[]}
POLICY

# verdict QUOTE [OPTION...]: prints the code of the verdict
verdict() {
	q=$1
	shift
	"$bin" quote verify "$q" --collateral "$d/collateral.json" "$@" --json |
		sed -n 's/.*"code":"\([a-z_]*\)".*/\1/p'
}
# expect CODE NAME QUOTE [OPTION...]
expect() {
	want=$1
	name=$2
	shift 2
	got=$(verdict "$@" || true)
	if [ "$got" = "$want" ]; then return 0; fi
	echo "not ok $name: $got, expected $want"
	exit 1
}
# The verdict's suites of tests/unit, by name: every case must hold.
unit() {
	t=${B:-build}/test/$1
	[ -x "$t" ] || make -s B="${B:-build}" "$t" >/dev/null
	CMOCKA_MESSAGE_OUTPUT=TAP "$t" >"$d/out" 2>&1 || {
		grep -v '^ok ' "$d/out"
		exit 1
	}
	echo "# $1: $(grep -c '^ok ' "$d/out") cases"
}
