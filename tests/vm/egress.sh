#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The way out, in a VM, by QEMU's own second network: an app whose image has
# the label reaches a server on this side that stands for the Internet, and
# nothing that is the operator's or the guest's; the same app without the
# label reaches nothing. One boot; the network that all of it is in has a
# loopback of its own, which is also the one that QEMU's gateway leads to.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/egress.sh"
lan=192.168.77.1
cloud=169.254.169.254
internet=192.0.2.80
for ip in $lan $cloud $internet; do
	ip addr add $ip/32 dev lo || exit 1
done
start_network --nodes 1 --memory 256 --egress || exit 1
hv=$net/node0/host_volume
console=$net/node0/console.log

# one server for every address of this side, and one for names
node tests/vm/internet.mjs 8099 >"$net/internet.log" 2>&1 &
loops="$loops $!"
echo 'nameserver 127.0.0.1' >"$net/resolv.conf"
mount --bind "$net/resolv.conf" /etc/resolv.conf || exit 1
# shellcheck disable=SC2317
hears() {
	curl -s --http0.9 --max-time 2 "http://$1:8099/" | grep -q 'from the Internet'
}
for ip in 127.0.0.1 $lan $cloud $internet; do
	wait_for 20 hears $ip || { echo "# $ip does not answer"; exit 1; }
done

mkdir -p "$net/reach"
${CC:-gcc} -O2 -static -o "$net/reach/reach" tests/vm/reach.c || exit 1
# give NAME LABELS: the app under that name, with these labels
give() {
	printf '{"Entrypoint":["/reach","%s"],"ExposedPorts":{"80/tcp":{}},
		"Labels":{%s}}' "$1" "$2" >"$net/$1.json"
	digest=$("$bin" app build "$net/reach" -o "$net/$1.tar" \
		--config "$net/$1.json" --tag "$1:latest" |
		grep -oE '[0-9a-f]{64}' | head -1)
	cp "$net/$1.tar" "$hv/app-$(echo "$digest" | cut -c1-16).tar"
	contract propose --name app-example --digest "$digest" >/dev/null
	wait_for 200 has 0 / "reach $1"
	check "the app $1 serves" "$(yes_if has 0 / "reach $1")"
}
says() { # PATH PATTERN
	got=$(get 0 "$1" --max-time 60)
	echo "# $1: $got" >&2 # what says prints is a verdict
	echo "$got" | grep -q "$2"
}
# Each of the planes, the links, the machine below and what is around it, for
# an app in slot $1 beside slot $2. The demo's own app has slot 0, so that the
# first one of this test gets slot 1 and the second one slot 0 again.
closed_to() {
	closed="10.0.3.2/8099 10.0.3.3/8099 10.0.3.3/54 10.0.3.9/8099
		10.0.3.15/80 10.0.2.2/8099 10.0.2.15/80 10.0.2.15/443
		10.88.$1.1/443 10.88.$2.1/80 10.88.$2.2/80 10.89.0.1/80
		10.89.1.1/80 192.168.77.1/8099 169.254.169.254/8099
		172.16.0.1/80 100.64.0.1/80 127.0.0.1/8099"
}

closed_to 1 0
give open '"dstack.egress":"open"'
check "inspect says so" \
	"$(yes_if test "$("$bin" app inspect --json "$net/open.tar" |
		jq -r .egress)" = open)"
check "open: it reaches the Internet" \
	"$(says /tcp/$internet/8099 'errno 0 from the Internet' && echo yes || echo no)"
check "open: it looks up a name" \
	"$(says /dns/example.org 'address 192.0.2.80 by 10.0.3.3' && echo yes || echo no)"
for to in $closed; do
	check "open: it does not reach $to" \
		"$(says "/tcp/$to" 'errno [1-9]' && echo yes || echo no)"
done
check "open: it reaches its own plane" \
	"$(says /tcp/10.88.1.1/80 'errno 0' && echo yes || echo no)"
check "open: no socket beside TCP and UDP" \
	"$(says /raw 'raw [1-9][0-9]* packet [1-9][0-9]* vsock [1-9]' && echo yes || echo no)"
control=$(sed -n 's/^GUEST_SERVICE=//p' "$net/node0/host.env")
check "open: the guest says so" \
	"$(yes_if test "$(curl -s --max-time 30 "$control/status" |
		jq -r '.app.egress + " " + (.egress | tostring)')" = 'open true')"
check "open: so does dstack status" \
	"$(yes_if sh -c "'$bin' status --dir '$net' | grep -q 'egress  *open'")"

checked() { # what dstack check is told of the app, by the front itself
	"$bin" check "https://$domain" --connect "127.0.0.1:$(port 0)" --ca "$ca" \
		--rpc "$rpc" --contract "$contract" --json | jq -r .app.egress
}
check "open: dstack check hears it from the guest" \
	"$(yes_if test "$(checked)" = open)"

closed_to 0 1
give none '"dstack.egress":"none"'
check "none: it has no other link" \
	"$(says /links 'lo eth0 ; reach\|eth0 lo ; reach' && echo yes || echo no)"
check "none: it reaches its own plane" \
	"$(says /tcp/10.88.0.1/80 'errno 0' && echo yes || echo no)"
for to in $internet/8099 $closed; do
	check "none: it does not reach $to" \
		"$(says "/tcp/$to" 'errno [1-9]' && echo yes || echo no)"
done
check "none: it has no resolver" \
	"$(says /dns/example.org 'no nameserver' && echo yes || echo no)"
check "none: the guest says so" \
	"$(yes_if test "$(curl -s --max-time 30 "$control/status" |
		jq -r '.app.egress + " " + (.egress | tostring)')" = 'none true')"
check "none: so does dstack check" "$(yes_if test "$(checked)" = none)"
[ "$bad" -eq 0 ] || tail -30 "$console" | sed 's/^/# /'
exit $bad
