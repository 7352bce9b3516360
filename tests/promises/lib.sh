# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of promises share. Sourced from the project's top. A script
# prints lines "# what was seen" and at its end one "ok NUMBER NAME".
set -eu
# shellcheck disable=SC2034 # for the scripts
bin=${B:-build}/bin/dstack
cast=tools/node_modules/@foundry-rs/cast-linux-amd64/bin/cast
d=$(mktemp -d)
on_exit=
leave() {
	rc=$?
	for p in $on_exit; do kill "$p" 2>/dev/null && wait "$p" || true; done
	rm -rf "$d"
	exit "$rc"
}
trap leave EXIT
saw() { echo "# $*"; }
fail() {
	echo "not ok: $*"
	exit 1
}
# same NAME GOT WANTED
same() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }
# within SECONDS COMMAND...: until it succeeds
within() {
	ticks=$(($1 * 10))
	shift
	until "$@" 2>/dev/null; do
		ticks=$((ticks - 1))
		[ "$ticks" -gt 0 ] || return 1
		sleep 0.1
	done
}

# --- the network: every script can also run alone
need_net() {
	if [ -z "${DSTACK_NET:-}" ]; then
		rm -rf "$d"
		exec tests/in-net "$0"
	fi
	rpc=$(jq -r .rpc "$DSTACK_NET/network.json")
	contract=$("$cast" to-check-sum-address "$(jq -r .contract "$DSTACK_NET/network.json")")
	# shellcheck disable=SC2034 # for the scripts
	relay=$(jq -r .relay "$DSTACK_NET/network.json")
	ca=$(jq -r .ca "$DSTACK_NET/network.json")
	domain=demo.dstack.test
	export ETH_RPC_URL=$rpc
}
of_node() { # NODE MEMBER of its node.json
	jq -r ".$2" "$DSTACK_NET/node$1/node.json"
}
get() { # NODE PATH [CURL-ARGUMENT...]: by the verified HTTPS name
	port=$(of_node "$1" https | sed 's/.*://')
	path=$2
	shift 2
	curl -sS --max-time 20 --cacert "$ca" \
		--connect-to "::127.0.0.1:$port" "$@" "https://$domain$path"
}
call() { "$cast" call "$contract" "$@"; }

# --- from inside the app's container of a node
app_pid() { # NODE: the newest first process of a container that lives
	top=$(of_node "$1" pid)
	for p in $(pgrep -x greeting | sort -rn); do
		q=$p
		par=$(awk '/^PPid/{print $2}' "/proc/$p/status" 2>/dev/null) || continue
		[ "$(cat "/proc/$par/comm" 2>/dev/null)" != greeting ] || continue
		while [ "${q:-0}" -gt 1 ] && [ "$q" != "$top" ]; do
			q=$(awk '/^PPid/{print $2}' "/proc/$q/status" 2>/dev/null)
		done
		if [ "$q" = "$top" ]; then
			echo "$p"
			return
		fi
	done
	return 1
}
as_app() { # NODE PATH [CURL-ARGUMENT...]: http://dstack-guest from its network
	p=$(app_pid "$1") || fail "node $1 runs no app"
	ip=$(awk '$2 == "dstack-guest" {print $1}' "/proc/$p/root/etc/hosts")
	path=$2
	shift 2
	nsenter -t "$p" -n curl -sS --max-time 20 --path-as-is \
		--connect-to "::$ip:80" "$@" "http://dstack-guest$path"
}
app_id() { curl -sS "$(of_node 0 control)/status" | jq -r .app.appId; }

# --- hashes and signatures, by other people's code
hexof() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { printf '%b' "$(sed 's/../\\x&/g')"; }
keccak() { "$cast" keccak "$1"; }
abi() { "$cast" abi-encode "$@"; }
# struct_hash TYPE-TEXT ABI-TYPES VALUE...
struct_hash() {
	t=$1 types=$2
	shift 2
	keccak "$(abi "f(bytes32,$types)" "$(keccak "$t")" "$@")"
}
# typed_digest TYPE-TEXT ABI-TYPES VALUE...: EIP-712 in the network's domain
typed_digest() {
	dom=$(keccak "$(abi 'f(bytes32,bytes32,bytes32,uint256,address)' \
		"$(keccak 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')" \
		"$(keccak dstack2)" "$(keccak 1)" 31337 "$contract")")
	h=$(struct_hash "$@")
	keccak "0x1901${dom#0x}${h#0x}"
}
# signer DIGEST SIG: who signed, by the chain's own ecrecover
signer() {
	s=${2#0x}
	out=$("$cast" call 0x0000000000000000000000000000000000000001 \
		--data "0x${1#0x}$(printf %064x "0x${s:128:2}")${s:0:128}")
	echo "0x${out: -40}"
}
app_data() { # APPID EPOCH TAG HEXDATA: what attest signs, by our formula
	struct_hash 'Attest(uint256 chainId,address keyManager,bytes32 appId,uint64 epoch,bytes32 tagHash,bytes32 dataHash)' \
		uint256,address,bytes32,uint64,bytes32,bytes32 \
		31337 "$contract" "$1" "$2" "$(keccak "$3")" "$(keccak "0x$4")"
}
attest_digest() { keccak "0x$(printf attest | hexof)${1#0x}"; }
# events NAME: its logs as JSON
events() {
	"$cast" logs --address "$contract" --from-block 0 --json |
		jq -c --arg t "$(jq -r --arg n "$1" '
		def ty: if .type | startswith("tuple") then "(" + ([.components[] | ty] | join(",")) + ")" + (.type | ltrimstr("tuple")) else .type end;
		.[] | select(.type == "event" and .name == $n) | .name + "(" + ([.inputs[] | ty] | join(",")) + ")"
		' "${B:-build}/contracts/KeyManager.abi.json" | xargs -d '\n' "$cast" keccak)" \
			'.[] | select(.topics[0] == $t)'
}

# --- one boot of the real image, for all scripts that look at a VM
# Leaves in $vm: ready (events), console.log, argv, sockets, page, status.
need_vm() {
	vm=${DSTACK_VM_RUN:-$d/vm}
	[ -z "${PROMISES_NO_VM:-}" ] || return 1
	[ ! -f "$vm.done" ] || return 0
	[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
	[ -n "${DSTACK_VM_RUN:-}" ] || ./build_vm.sh >/dev/null
	make -s contracts
	unshare -n tests/promises/vm-run "$vm" || fail "the VM did not come up"
	: >"$vm.done"
}
# unit PROGRAM CASE...: a unit test's program passes, and has these cases
unit() {
	t=${B:-build}/test/$1
	[ -x "$t" ] || make -s B="${B:-build}" "$t" >/dev/null
	CMOCKA_MESSAGE_OUTPUT=TAP "$t" >"$d/unit" 2>&1 || {
		grep -v '^ok ' "$d/unit"
		fail "unit $1"
	}
	shift
	for c in "$@"; do
		grep -q "^ok [0-9]* - $c$" "$d/unit" || fail "no case $c"
	done
}
