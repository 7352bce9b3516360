# SPDX-License-Identifier: Apache-2.0
# A network of real VMs in a network namespace of its own; sourced by the
# tests of tests/vm. What a check needs is waited for, with a generous end.

B=${B:-build}
bin=$B/bin/dstack
domain=demo.dstack.test
bad=0
demo=
runs=
loops=
killed=
net=

# Once more in a namespace where every port is free.
own_network() { # SCRIPT
	[ -z "${DSTACK_TEST_NET:-}" ] || return 0
	[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
	[ -x /usr/bin/qemu-system-x86_64 ] || { echo "no QEMU"; exit 77; }
	[ -x /usr/bin/pebble ] || { echo "pebble is not installed"; exit 77; }
	make -s contracts || exit 1
	[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null || exit 1
	./build_vm.sh "$B/image" >/dev/null || exit 1
	# shellcheck disable=SC2016
	DSTACK_TEST_NET=1 exec unshare -n -m sh -c \
		'ip link set lo up && exec "$0"' "$1"
}

cleanup() {
	for p in $loops $runs $demo; do
		kill "$p" 2>/dev/null
	done
	for p in $loops $runs $demo; do
		wait "$p" 2>/dev/null
	done
}
trap cleanup EXIT
trap 'exit 1' INT TERM

check() { # NAME yes|no
	if [ "$2" = yes ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		bad=1
	fi
}
yes_if() { # command...
	if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi
}
wait_for() { # SECONDS command...
	end=$(($(date +%s) + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le "$end" ] || return 1
		sleep 0.1
	done
}
gone() {
	! kill -0 "$1" 2>/dev/null
}

# start_network ARGUMENTS...: a kept network; returns when it is ready. Its
# folder has the script's name and nothing of an earlier run, so that it does
# not matter which other scripts ran before or run beside.
start_network() {
	net=$B/vm-$(basename "$0" .sh)
	rm -rf "$net"
	mkdir -p "$net"
	"$bin" demo --view rpc --keep --json --dir "$net" --timeout 400 "$@" \
		>"$net/events" 2>"$net/errors" &
	demo=$!
	wait_for 420 ready_or_over
	grep -q '"ready"' "$net/events" || {
		cat "$net/errors"
		for log in "$net"/node*/console.log; do
			echo "$log:"
			tail -n 5 "$log"
		done
		return 1
	}
	ca=$(jq -r .ca "$net/network.json")
	rpc=$(jq -r .rpc "$net/network.json")
	contract=$(jq -r .contract "$net/network.json")
}
ready_or_over() {
	grep -q '"ready"' "$net/events" || gone "$demo"
}
contract() {
	"$bin" contract "$@" --rpc "$rpc" --contract "$contract" \
		--key-file "$net/owner.key"
}

port() { # NODE
	sed -n 's/^HTTPS_LISTEN=.*://p' "$net/node$1/host.env"
}
get() { # NODE PATH CURL-ARGUMENTS...
	n=$1 path=$2
	shift 2
	curl -sSf --max-time 20 --cacert "$ca" \
		--connect-to "::127.0.0.1:$(port "$n")" "$@" \
		"https://$domain$path"
}
has() { # NODE PATH TEXT
	get "$1" "$2" 2>/dev/null | grep -q "$3"
}

# Start node N (again); what it says goes to its node.log. Id in $run.
start_node() {
	"$bin" node run --config "$net/node$1/host.env" \
		--auditing "$net/auditing" >"$net/node$1/node.log" 2>&1 &
	run=$!
	runs="$runs $run"
}
# Pull the plug: no process of node N gets to say or write anything more.
kill_node() {
	p=$(jq .pid "$net/node$1/node.json")
	gone "$p" || killed="$killed index:$1 $p"
	# shellcheck disable=SC2046
	kill -9 "$p" $(pgrep -P "$p") 2>/dev/null
	wait_for 30 gone "$p"
	# the port is free once the VM is gone
	wait_for 30 closed "$(port "$1")"
}
# What ended and was not killed by kill_node, a line each: the demo, a node of
# the demo, or one of start_node. Nothing is said where nothing did.
ended_alone() {
	! gone "$demo" || echo "the demo ended: $(tail -n 1 "$net/errors")"
	grep '"phase":"ended"' "$net/events" | while read -r e; do
		case "$killed " in
		*" index:$(echo "$e" | jq .index) "*) ;;
		*) echo "$e" ;;
		esac
	done
	for p in $runs; do
		case "$killed " in
		*" $p "*) ;;
		*) ! gone "$p" || echo "node run, process $p, ended" ;;
		esac
	done
}
# Nothing of the network ended by itself; if something did, it is told.
no_end() {
	ended_alone >"$net/ended" 2>&1
	sed 's/^/# /' "$net/ended"
	! [ -s "$net/ended" ]
}
check_no_end() {
	if no_end; then
		check "nothing ended that was not killed" yes
	else
		check "nothing ended that was not killed" no
	fi
}
closed() {
	! curl -sk --max-time 2 -o /dev/null "https://127.0.0.1:$1/"
}

# Requests to node N until stop_load: each that failed is a line of its file.
start_load() { # NODE FILE
	: >"$2"
	: >"$2.count"
	(
		trap 'exit 0' TERM
		while :; do
			get "$1" / >"$2.page" 2>"$2.err" ||
				{ date +%T; cat "$2.err"; } >>"$2"
			echo >>"$2.count"
			sleep 0.05
		done
	) &
	loops="$loops $!"
}
stop_load() {
	for p in $loops; do
		kill "$p"
		wait "$p" 2>/dev/null
	done
	loops=
}
# NAME FILE: none failed, and there were some.
no_failure() {
	n=$(wc -l <"$2.count")
	if [ -s "$2" ] || [ "$n" -lt 5 ]; then
		sed 's/^/# /' "$2" >&2
		check "$1 ($n requests)" no
	else
		check "$1 ($n requests)" yes
	fi
}
