#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a PCS or PCCS answers, good or bad: dstack quote collateral takes the
# document, or says in one line what is wrong and what to do.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=$PWD/${B:-build}/bin/dstack
[ "$(id -u)" -eq 0 ] || { echo "needs root (a network namespace)"; exit 77; }
if [ "${DSTACK_NETNS:-}" != own ]; then
	exec unshare -n env DSTACK_NETNS=own "$0" "$@"
fi
ip link set lo up
d=$(mktemp -d)
pids=
finish() {
	for p in $pids; do kill "$p" 2>/dev/null; done
	rm -rf "$d"
}
trap finish EXIT
bad=0
"$bin" sim collateral >"$d/c" && "$bin" sim root >"$d/root" || exit 1
fmspc=$(jq -r .tcb_info "$d/c" | jq -r .fmspc)
echo good >"$d/c.mode"
start() { # [KEY CERT]: base URL in $url, process in $server
	rm -f "$d/url"
	: >"$d/url"
	node tests/net/pccs.mjs "$d/c" "$@" >>"$d/url" 2>"$d/err" &
	server=$!
	pids="$pids $server"
	for _ in $(seq 100); do
		url=$(cat "$d/url")
		[ -z "$url" ] || return 0
		sleep 0.1
	done
	cat "$d/err"
	exit 1
}
ask() { # MODE EXIT WORDS [OPTION...]: exit 0: the document; else one line with the words
	mode=$1 want=$2 words=$3
	shift 3
	echo "$mode" >"$d/c.mode"
	: >"$d/c.log"
	"$bin" quote collateral --fmspc "$fmspc" --root "$d/root" --url "$url${path:-}" "$@" \
		>"$d/out" 2>"$d/log"
	rc=$?
	if [ $rc -eq "$want" ] && { [ $rc -ne 0 ] || jq -e .tcb_info "$d/out" >/dev/null; } &&
		{ [ $rc -eq 0 ] || [ "$(wc -l <"$d/log")" -eq 1 ]; } && grep -qF -- "$words" "$d/log" "$d/out"; then
		echo "ok ${path:-}${path:+: }$mode: $(head -c 150 "$d/log" | head -1)"
	else
		echo "not ok ${path:-} $mode: exit $rc, wanted $want with '$words'"
		sed 's/^/# /' "$d/log"
		bad=1
	fi
}
start
ask good 0 tcb_info
for path in / /sgx/certification/v4 /tdx/certification/v4/; do ask good 0 tcb_info; done
path=/sgx/certification/v3/
ask good 3 'names API version 3, which Intel has retired, and 4 is needed; give its base'
[ ! -s "$d/c.log" ] || { echo "not ok nobody is asked for it"; bad=1; }
path=/sgx/certification/v5
ask good 3 'names API version 5, and 4 is needed'
path=/sgx/certification/v4/tcb
ask good 3 'goes on behind its base'
path='/tcb?fmspc=1'
ask good 3 "is one request's: give its base"
path=/elsewhere
ask good 3 'nothing of API version 4 is there, or its cache is empty'
path=
ask 'wait 429' 3 'it is asked too often and says to wait 120 s'
ask 'wait 503' 3 'it is not to be had for now and says to wait 120 s'
ask 'once 429' 0 tcb_info
kill -HUP "$server"
ask 'once 503' 0 tcb_info
ask 'status 410' 3 'this API is gone there; set PCCS_URL to a service of API version 4'
ask 'status 401' 3 'it wants a login, which a PCS or PCCS does not for this'
ask 'status 404' 3 'it does not know this FMSPC'
ask 'status 500' 3 'HTTP 500; check PCCS_URL'
ask empty 3 'nothing of API version 4 is there, or its cache is empty'
ask noroot 3 'root CRL: '
grep -q 'it does not have it; fill its cache, or check PCCS_URL' "$d/log" || { echo "not ok noroot"; bad=1; }
ask noheader 3 'is it a PCS or PCCS?'
ask html 3 'is it a PCS or PCCS?'
ask redirect 0 tcb_info
ask round 3 'edirect'
ask nul 0 tcb_info

# a PCCS with a certificate that it signed itself
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$d/key" -out "$d/cert" -days 2 -subj /CN=pccs \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null
start "$d/key" "$d/cert"
ask good 3 'PCCS_CA names the certificate of one that signed its own'
ask good 0 tcb_info --pccs-ca "$d/cert"
ask good 3 'PCCS_CA: ' --pccs-ca "$d/nothing"
# never from https to http
ask plain 3 'rotocol' --pccs-ca "$d/cert"
exit $bad
