#!/bin/sh
# An update needs memory for what runs, its archive and its tree at once.
# 165 MB of bytes that do not compress, replaced by as many in a VM of 512 MB:
# there is room, as the archive's memory goes where the tree comes. 260 MB
# more are refused with one line, and the version before serves on, in the
# same boot.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/update.sh"
start_network --nodes 1 --memory 512 || exit 1
hv=$net/node0/host_volume
console=$net/node0/console.log
control=$(sed -n 's/^GUEST_SERVICE=//p' "$net/node0/host.env")

# make_version NAME MB: the greeting app with bytes of its own beside it
make_version() {
	rm -rf "$net/tree"
	mkdir -p "$net/tree"
	make -s -C app-example "OUT=$(realpath "$net/tree")" \
		"APP_CFLAGS=-DGREETING='\"Large version $1\"'" >&2
	head -c $(($2 << 20)) /dev/urandom >"$net/tree/bulk"
	"$bin" app build "$net/tree" -o "$net/v.tar" \
		--config app-example/config.json | grep -oE '[0-9a-f]{64}' | head -1
}
give() { # DIGEST
	mv "$net/v.tar" "$hv/app-$(echo "$1" | cut -c1-16).tar"
	contract propose --name app-example --digest "$1" >/dev/null
}
status() { # JQ-FILTER
	curl -s --max-time 30 "$control/status" | jq -e "$1"
}
give "$(make_version one 165)"
wait_for 300 has 0 / 'Large version one'
check "a version of 165 MB serves in 512 MB" "$(yes_if has 0 / 'Large version one')"
echo "# $(status '.memory.free / 1048576 | floor') MB are free for a new version"
check "status says what is free" \
	"$(yes_if status '.memory.free > 0 and .memory.free < .memory.total')"
give "$(make_version two 165)"
wait_for 300 has 0 / 'Large version two'
check "and turns to one of the same size" "$(yes_if has 0 / 'Large version two')"
wait_for 60 status '.memory.free > 150 * 1048576'
three=$(make_version three 260)
rc=0
"$bin" app push "$net/v.tar" --dir "$net" >/dev/null 2>"$net/no" || rc=$?
sed 's/^/# /' "$net/no"
check "push refuses 260 MB before they are copied" "$(yes_if test \
	"$rc $(grep -c 'beside what runs; refused before it is copied' "$net/no")" = '1 1')"
give "$three"
refused() {
	grep -q 'has 261 MB, this VM has .* MB of memory free beside what runs' \
		"$console"
}
wait_for 120 refused
grep 'free beside what runs' "$console" | head -1 | sed 's/^/# /'
check "copied all the same, the node refuses them with one line" "$(yes_if refused)"
check "the version before serves on" "$(yes_if has 0 / 'Large version two')"
give "$(./build_app.sh -o "$net/v.tar" --greeting 'A small one' 2>/dev/null |
	grep -oE '[0-9a-f]{64}' | head -1)"
wait_for 200 has 0 / 'A small one'
check "and a version that has room takes over, in the same boot" \
	"$(yes_if has 0 / 'A small one')"
check_no_end
exit $bad
