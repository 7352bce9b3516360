#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 4: small and quick to build and boot. Sizes are held to ceilings;
# times are told, and measured against a bare kernel by bench/boot.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
[ -x bench/boot ] || fail "bench/boot is missing"
if need_vm; then
	for f in sim tdx; do
		size=$(cat "${B:-build}/image/$f/vmlinuz" \
			"${B:-build}/image/$f/initramfs.cpio.zst" | wc -c)
		[ "$size" -le 32000000 ] || fail "$f image: $size bytes"
		saw "$f image: $((size / 1000)) kB (the original: 2 GB)"
	done
	saw "ready after $(jq 'select(.event == "ready").t_ms' "$vm.events") ms, QEMU's CPU $(cat "$vm.cpu-ms") ms"
	sed -n 's/^dstack: \(phase .* t=[0-9]*\).*/# guest: \1 ms/p' \
		"$vm/node0/console.log"
	# all that a node of the demo keeps on disk, as blocks in use
	kb=$(du -sk "$vm" | cut -f1)
	[ "$kb" -le 512000 ] || fail "a node takes $kb kB of disk"
	saw "the node's folder: $kb kB of disk"
fi
[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
app=$(wc -c <host_volume/app-example.tar)
[ "$app" -le 4000000 ] || fail "app archive: $app bytes"
saw "app archive: $((app / 1000)) kB"
echo "ok 04 sizes far below the promised; times above, bench/boot compares"
