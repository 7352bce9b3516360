# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by tests/net/bad_*.sh: a network of "dstack demo --no-vm" in a
# network namespace of its own, and nodes beside it that a script may spoil.
# Not executable, so that tests/net/run does not take it for a test.

bin=${B:-build}/bin/dstack
cast=tools/node_modules/@foundry-rs/cast-linux-amd64/bin/cast
pids=()
next_port=20000

# need: skip where the parts are not there
need() {
	[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
	[ -x /usr/bin/pebble ] && command -v crun >/dev/null || {
		echo "pebble or crun is not installed"
		exit 77
	}
	make -s contracts
	[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
}

# own_net ARGV0: run the script again where no other test has ports
own_net() {
	[ "${DSTACK_TEST_NET:-}" != 1 ] || return 0
	# shellcheck disable=SC2016
	exec env DSTACK_TEST_NET=1 unshare -n -m sh -c 'ip link set lo up && exec "$0"' "$1"
}

cleanup() {
	local p
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
}
trap cleanup EXIT

fail() {
	echo "not ok: $1"
	shift
	for f in "$@"; do
		[ -f "$f" ] && echo "--- $f" && tail -25 "$f"
	done
	exit 1
}

# until_true SECONDS COMMAND...: the command is true in time
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# base NAME [DEMO-OPTION...]: a kept network of one node; sets net, rpc,
# contract, owner, domain
base() {
	net=build/$1
	shift
	rm -f "$net.out"
	"$bin" demo --no-vm --view rpc --nodes 1 --json --keep --timeout 120 --dir "$net" "$@" \
		>"$net.out" 2>"$net.err" &
	pids+=($!)
	until_true 120 grep -q '"ready"' "$net.out" ||
		fail "no network" "$net.out" "$net.err" "$net/node0/node.log"
	rpc=$(jq -r 'select(.event=="chain").rpc' "$net.out")
	contract=$(jq -r 'select(.event=="chain").contract' "$net.out")
	owner=$(call 'owner()(address)')
	# shellcheck disable=SC2034 # for the scripts
	relay=$(sed -n 's/^PUBSUB_URL=//p' "$net/node0/host.env")
	domain=demo.dstack.test
	ca=$net/ca/ca.pem
	call_rpc anvil_impersonateAccount "[\"$owner\"]"
}

call_rpc() { # METHOD PARAMS
	curl -sS -H 'content-type: application/json' -o /dev/null \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" "$rpc"
}
call() { "$cast" call "$contract" "$@" --rpc-url "$rpc"; }
# as_owner SIGNATURE ARGS...: a transaction of the contract's owner
as_owner() {
	"$cast" send "$contract" "$@" --rpc-url "$rpc" --from "$owner" --unlocked >/dev/null
}

# proxy PORT TARGET-PORT: sets proxy_pid
proxy() {
	node tests/net/proxy.mjs "$1" "$2" &
	proxy_pid=$!
	pids+=("$proxy_pid")
	until_true 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" || fail "no proxy"
}

# gone PID: end it and wait for its end
gone() {
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# make_node NAME: a funded node of the network, not started; sets d, https
make_node() {
	d=$net/$1
	rm -rf "$d"
	mkdir -p "$d/hv"
	local key a
	key=$(openssl rand -hex 32)
	next_port=$((next_port + 10))
	https=$((next_port + 2))
	sed -e "s|^PRIVKEY=.*|PRIVKEY=$key|" -e "s|^NODE_INDEX=.*|NODE_INDEX=$next_port|" \
		-e "s|^GUEST_SERVICE=.*|GUEST_SERVICE=http://127.0.0.1:$((next_port + 1))|" \
		-e "s|^HTTPS_LISTEN=.*|HTTPS_LISTEN=127.0.0.1:$https|" \
		-e "s|^HOST_SERVICE=.*|HOST_SERVICE=127.0.0.1:$next_port|" \
		-e "s|^HOST_VOLUME=.*|HOST_VOLUME=$d/hv|" -e "s|^STATE_DIR=.*|STATE_DIR=$d|" \
		"$net/node0/host.env" >"$d/host.env"
	chmod 600 "$d/host.env"
	a=$("$cast" wallet address --private-key "$key")
	# shellcheck disable=SC2034
	address=$a
	call_rpc anvil_setBalance "[\"$a\",\"0x56bc75e2d63100000\"]"
	call_rpc evm_mine "[]" # a balance set is in no block until one is mined
	cp "$net/node0/host_volume/netcfg" "$d/hv/"
	cp --reflink=auto "$net/node0/host_volume/app-example.tar" "$d/hv/"
	cp "$net/node0/host_volume/certificate.pem" "$d/hv/"
}

# set_env KEY VALUE: in host.env of $d
set_env() { sed -i "s|^$1=.*|$1=$2|" "$d/host.env"; }

# start_node: the node in $d; sets node_pid
start_node() {
	: >"$d/node.log"
	: >"$d/console.log"
	"$bin" node run --no-vm --config "$d/host.env" --auditing "${auditing:-$net/auditing}" \
		>>"$d/node.log" 2>&1 &
	node_pid=$!
	pids+=("$node_pid")
}

# role NAME: the process of $d's guest that has that name, in $role
# shellcheck disable=SC2034 # for the scripts
role() {
	local outer init
	outer=$(pgrep -P "$node_pid" -f 'init --no-vm') || return 1
	init=$(pgrep -P "$outer") || return 1
	role=$(pgrep -P "$init" -x "$1") || role=$(pgrep -P "$init" -f "^$1\$")
}

# reaches PHASE [SECONDS]
reaches() {
	until_true "${2:-120}" grep -q "dstack: phase $1" "$d/console.log" ||
		fail "$d does not reach $1" "$d/node.log" "$d/console.log"
}

# says FILE TEXT [SECONDS]: the line comes
says() {
	until_true "${3:-90}" grep -qF -- "$2" "$1" || fail "$1 lacks '$2'" "$1"
}

# once FILE TEXT: it is there in exactly one line. On a slow machine a role may
# say first that its host is slow.
once() {
	local n
	n=$(grep -F -- "$2" "$1" | grep -vcF 'the host has not answered yet') || true
	[ "$n" -eq 1 ] || fail "$1 has $n lines with '$2', not 1" "$1"
}

# refused EXIT TEXT [ENV...]: the node in $d ends with one line that has TEXT
refused() {
	local want=$1 text=$2 got=0
	timeout 60 "$bin" node run --no-vm --config "$d/host.env" \
		--auditing "$net/auditing" >"$d/out" 2>&1 || got=$?
	if [ "$got" -ne "$want" ] || ! grep -qF -- "$text" "$d/out" ||
		[ "$(wc -l <"$d/out")" -ne 1 ]; then
		fail "exit $got, wanted $want and one line with '$text'" "$d/out"
	fi
}

# page PORT: the app's answer over verified TLS
page() {
	curl -sS --max-time 10 --cacert "$ca" --connect-to "::127.0.0.1:$1" "https://$domain/"
}
serves() { page "$1" | grep -q 'Welcome to Dstack'; }

# strict AGE: a contract of its own on base's chain, whose nodes may have a view
# that is AGE seconds old, and its first node, $net/one, not started. Its app
# runs and nobody is served: no certificate is of its key.
strict() {
	make_node one
	(umask 077 && sed -n 's/^PRIVKEY=//p' "$d/host.env" >"$net/key")
	local as_strict=(--rpc "$rpc" --key-file "$net/key")
	strict=$("$bin" contract deploy --sim --notice 0 --json "${as_strict[@]}" | jq -r .contract)
	as_strict+=(--contract "$strict")
	set_env CONTRACT "$strict"
	"$bin" contract netcfg --domain "$domain" --max-age "$1" --config "$d/host.env" >/dev/null
	"$bin" contract open-epoch --bootstrapper "$address" --platforms open "${as_strict[@]}" >/dev/null
	"$bin" contract allow-tuple "$("$bin" image measure --config "$d/host.env" --no-vm --json |
		jq -r .tuple)" "${as_strict[@]}" >/dev/null
	"$bin" contract propose --name app-example "${as_strict[@]}" \
		--digest "$(./build_app.sh -o "$d/hv/app-example.tar")" >/dev/null
	# shellcheck disable=SC2034 # start_node's
	auditing=$net/auditing-strict
}
# another NAME: one more node of it, started
another() {
	make_node "$1"
	set_env CONTRACT "$strict"
	cp "$net/one/hv/netcfg" "$net/one/hv/app-example.tar" "$d/hv/"
	start_node
}
