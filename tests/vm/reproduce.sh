#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The image is the same bytes from another path, with another umask, locale,
# time zone, file times and without the network.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
./build_vm.sh "$PWD/$B/image" >/dev/null || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
other="$tmp/another place"
mkdir -p "$other"
# shellcheck disable=SC2046 # none or one word
tar -c Makefile Makefile.dev build_vm.sh lib guest image \
	$([ ! -d include ] || echo include) | tar -x -C "$other" -m
cd "$other" || exit 1
umask 077
# -n: a network namespace with nothing in it; everything is in the store
# shellcheck disable=SC2046 # none or one word
TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 DSTACK_MIRROR=http://0 \
	unshare $([ "$(id -u)" = 0 ] || echo -Ur) -n \
	./build_vm.sh "$tmp/out" >"$tmp/log" 2>&1 || {
	cat "$tmp/log"
	exit 1
}
cd - >/dev/null || exit 1
bad=0
for f in sim tdx; do
	for p in vmlinuz initramfs.cpio.zst cmdline manifest.json; do
		if cmp "$B/image/$f/$p" "$tmp/out/$f/$p"; then
			echo "ok $f/$p is the same from another tree, offline"
		else
			echo "not ok $f/$p"
			bad=1
		fi
	done
done
exit $bad
