#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A VM whose host's disk is full stands still. Told to stop meanwhile it cannot
# end in order, and its operator is told so and why; once there is room it ends
# as it was asked to, and a second signal ends it at once. tests/net/qemu.mjs
# stands for QEMU; tests/vm/network.sh fills a true disk.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
qemu=/usr/bin/qemu-system-x86_64
[ -e $qemu ] || { echo "qemu-system-x86 is not installed"; exit 77; }
own_net "$PWD/tests/net/bad_disk.sh"
# the stand-in is seen in a mount namespace of this test's own only
[ "${DSTACK_TEST_MNT:-}" = 1 ] || DSTACK_TEST_MNT=1 exec unshare -m "$PWD/tests/net/bad_disk.sh"
mount --bind tests/net/qemu.mjs $qemu
base bad-disk

make_node one
mkdir -p "$d/image/sim"
for f in vmlinuz initramfs.cpio.zst cmdline; do printf 'quiet' >"$d/image/sim/$f"; done
sum=$(printf 'quiet' | sha256sum | cut -d' ' -f1)
jq -n --arg s "$sum" '{parts: [["vmlinuz", "initramfs.cpio.zst", "cmdline"][] | {name: ., sha256: $s}]}' \
	>"$d/image/sim/manifest.json"
set_env IMAGE_DIR "$d/image"
status() { "$bin" status --config "$d/host.env" "$@"; }
start_vm() {
	rm -f "$d/full"
	: >"$d/node.log"
	"$bin" node run --config "$d/host.env" --auditing "$net/auditing" >>"$d/node.log" 2>&1 &
	node_pid=$!
	pids+=("$node_pid")
	says "$d/node.log" 'phase boot'
}
stands_still() {
	touch "$d/full"
	says "$d/node.log" 'host disk full: '
	until_true 20 sh -c "$bin status --config $d/host.env | grep -q 'trouble .*host disk full'" ||
		fail "status has no trouble" "$d/node.log"
}
ended() { ! kill -0 "$node_pid"; }

start_vm
stands_still
echo "ok a VM that stands still is told, in the log and in status"
kill "$node_pid"
says "$d/node.log" 'stopping: the guest cannot end before it goes on, and is cut off after 60 s: host disk full'
sleep 2
kill -0 "$node_pid" || fail "it did not wait for room" "$d/node.log"
echo "ok a stop that is asked for meanwhile says what it waits for"
rm "$d/full"
until_true 30 ended || fail "there is room, and it does not end" "$d/node.log"
rc=0
wait "$node_pid" || rc=$?
[ $rc -eq 0 ] || fail "it ends with $rc" "$d/node.log"
grep -q 'init: stopped as the host asked' "$d/console.log" || fail "not in order" "$d/node.log"
! grep -q 'it is cut off$' "$d/node.log" || fail "it was cut off" "$d/node.log"
echo "ok with room again it ends in order"

start_vm
stands_still
kill "$node_pid"
says "$d/node.log" 'cannot end before it goes on'
kill "$node_pid"
until_true 10 ended || fail "a second signal does not end it" "$d/node.log"
echo "ok a second signal ends it at once"
