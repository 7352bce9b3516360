#!/bin/sh
# An image larger than the VM's memory: with the label dstack.store=volume it
# is unpacked onto the encrypted volume and serves; without it, it is refused
# with a line that names the label. What a boot leaves there the next one
# sweeps away, and two versions of it follow each other.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/store.sh"
start_network --nodes 2 --memory 256 || exit 1
zero=$net/node0
hv=$zero/host_volume
console=$zero/console.log
# more than the memory that is free there, 156 MB; later versions are small, as
# an emulated processor unpacks but 1.5 MB a second
bulk=${BULK_MB:-180}
small=${SMALL_MB:-40}

# make_version NAME MB LABELS: the greeting app with bytes that do not compress
make_version() {
	rm -rf "$net/tree"
	mkdir -p "$net/tree"
	make -s -C app-example "OUT=$(realpath "$net/tree")" \
		"APP_CFLAGS=-DGREETING='\"Stored version $1\"'" >&2
	head -c $(($2 << 20)) /dev/urandom >"$net/tree/bulk"
	sha256sum "$net/tree/bulk" | cut -d' ' -f1 >"$net/bulk.sum"
	jq ". + {Labels:$3}" app-example/config.json >"$net/config.json"
	"$bin" app build "$net/tree" -o "$net/v.tar" \
		--config "$net/config.json" | grep -oE '[0-9a-f]{64}' | head -1
}
give() { # DIGEST
	mv "$net/v.tar" "$hv/app-$(echo "$1" | cut -c1-16).tar"
	contract propose --name app-example --digest "$1" >/dev/null
}
told() {
	grep -q "$1" "$console"
}

# --- the demo's volume has 140 MB: no room, and the line says how to get it
one=$(make_version one "$bulk" '{"dstack.store":"volume"}')
cp "$net/v.tar" "$net/one.tar"
give "$one"
wait_for 200 told 'MB of its volume: VM_MEMORY_MB or dstack volume grow'
check "where neither has room a line says how there is some" \
	"$(yes_if told 'MB of its volume: VM_MEMORY_MB or dstack volume grow')"
"$bin" volume grow $((bulk * 3 + 400)) --config "$zero/host.env" | sed 's/^/# /'
kill_node 0
start_node 0
from=$(date +%s)
wait_for 900 has 0 / 'Stored version one'
check "an image of $bulk MB serves in a VM of 256 MB" \
	"$(yes_if has 0 / 'Stored version one')"
echo "# $(($(date +%s) - from)) s from the node's start to its first answer"
status() { # JQ-FILTER
	curl -s --max-time 30 \
		"$(sed -n 's/^GUEST_SERVICE=//p' "$zero/host.env")/status" |
		jq -r "$1"
}
echo "# $(status '.memory.free / 1048576 | floor') MB of memory are free"
check "memory is not what it takes" \
	"$(yes_if test "$(status '.memory.free')" -gt $((60 << 20)))"
free_at_one=$(du -k "$hv/encrypted_container.img" | cut -f1)

# --- the power fails while it runs: its tree is swept away and made anew
kill_node 0
start_node 0
wait_for 900 has 0 / 'Stored version one'
check "it serves again after a power failure" \
	"$(yes_if has 0 / 'Stored version one')"
echo "# the disk on the host: $((free_at_one / 1024)) MB, then $((\
	$(du -k "$hv/encrypted_container.img" | cut -f1) / 1024)) MB"

# --- a second one beside it, and the first one's tree goes
give "$(make_version two "$small" '{"dstack.store":"volume"}')"
wait_for 900 has 0 / 'Stored version two'
check "a second version takes over" "$(yes_if has 0 / 'Stored version two')"
give "$(make_version three "$small" '{"dstack.store":"volume"}')"
wait_for 900 has 0 / 'Stored version three'
check "and a third, in the first one's slot" \
	"$(yes_if has 0 / 'Stored version three')"

# --- without the label
give "$(make_version four "$bulk" '{}')"
wait_for 300 told 'or the label dstack.store=volume'
check "without the label it is refused, with what would help" \
	"$(yes_if told 'or the label dstack.store=volume')"
check "and the version before serves on" \
	"$(yes_if has 0 / 'Stored version three')"
exit $bad
