#!/bin/sh
# An update that has no room beside what runs is refused with one line, and
# the version before serves on, in the same boot: 165 MB of bytes that do not
# compress in a VM of 512 MB, replaced by as many.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/update.sh"
start_network --nodes 1 --memory 512 || exit 1
hv=$net/node0/host_volume
console=$net/node0/console.log
control=$(sed -n 's/^GUEST_SERVICE=//p' "$net/node0/host.env")

# make_version N: the greeting app with 165 MB of its own beside it
make_version() {
	mkdir -p "$net/tree"
	make -s -C app-example "OUT=$(realpath "$net/tree")" \
		"APP_CFLAGS=-DGREETING='\"Large version $1\"'" >&2
	head -c 173015040 /dev/urandom >"$net/tree/bulk"
	"$bin" app build "$net/tree" -o "$net/v.tar" \
		--config app-example/config.json | grep -oE '[0-9a-f]{64}' | head -1
}
give() { # DIGEST
	mv "$net/v.tar" "$hv/app-$(echo "$1" | cut -c1-16).tar"
	contract propose --name app-example --digest "$1" >/dev/null
}
one=$(make_version one)
give "$one"
wait_for 300 has 0 / 'Large version one'
check "a version of 165 MB serves in 512 MB" "$(yes_if has 0 / 'Large version one')"
free=$(curl -s "$control/status" | jq '.memory.free / 1048576 | floor')
echo "# ${free:-?} MB are free for a new version"
check "status says what is free" "$(yes_if test "${free:-0}" -gt 0 -a "${free:-0}" -lt 512)"
two=$(make_version two)
rc=0
"$bin" app push "$net/v.tar" --dir "$net" 2>"$net/no" || rc=$?
sed 's/^/# /' "$net/no"
check "push refuses the next of that size before it is copied" \
	"$(yes_if grep -q 'refused before it is copied' "$net/no")"
give "$two"
refused() {
	grep -q 'MB, this VM has .* MB of memory free beside what runs' "$console"
}
wait_for 120 refused
grep 'free beside what runs' "$console" | head -1 | sed 's/^/# /'
check "copied all the same, the node refuses it with one line" "$(yes_if refused)"
check "and the version before serves on" "$(yes_if has 0 / 'Large version one')"
check "in the same boot" "$(yes_if test ! "$(grep -c '"ended"' "$net/events")" -gt 0)"
small=$(./build_app.sh -o "$net/v.tar" --greeting 'A small one' 2>/dev/null | grep -oE '[0-9a-f]{64}' | head -1)
give "$small"
wait_for 200 has 0 / 'A small one'
check "a version that has room takes over" "$(yes_if has 0 / 'A small one')"
exit $bad
