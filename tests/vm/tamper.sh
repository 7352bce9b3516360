#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One byte changed in kernel, initramfs, command line or netcfg: the image
# still boots, but has other measurements, and a running network refuses the
# node (THREATS T03, T11). The host repairs its own manifest, as an attacker
# would.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/tamper.sh"
start_network --nodes 1 --spare 1 || exit 1
one=$net/node1
whole=$PWD/$B/image/sim
cp "$one/host_volume/netcfg" "$net/netcfg"
sed 's,^IMAGE_DIR=.*,,' "$one/host.env" >"$net/host.env"
memory=$(sed -n 's/^VM_MEMORY_MB=//p' "$one/host.env")

measure() { # DIR NETCFG
	"$bin" image measure "$1" --netcfg "$2" --memory "$memory" --json
}
flip() { # FILE OFFSET
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
fresh() {
	rm -rf "$net/image"
	mkdir -p "$net/image/sim"
	cp "$whole"/vmlinuz "$whole"/initramfs.cpio.zst "$whole"/cmdline \
		"$whole"/manifest.json "$net/image/sim/"
	cp "$net/netcfg" "$one/host_volume/netcfg"
	i=$net/image/sim
}
# The manifest says of each part what it is now.
repair() {
	for f in vmlinuz initramfs.cpio.zst cmdline; do
		jq -c --arg n $f --arg h "$(sha256sum <"$i/$f" | cut -d' ' -f1)" \
			'(.parts[]|select(.name == $n).sha256) = $h' \
			"$i/manifest.json" >"$i/new" &&
			mv "$i/new" "$i/manifest.json"
	done
	{
		cat "$net/host.env"
		echo "IMAGE_DIR=$net/image"
	} >"$one/host.env"
	chmod 600 "$one/host.env"
}
says() { # FILE TEXT
	grep -q "$2" "$1"
}
stop_node() {
	kill "$run" 2>/dev/null
	wait "$run" 2>/dev/null
}

# NAME REGISTER: what was changed boots, is measured otherwise and is
# refused: a line for the operator of either node, and no secret.
refused() {
	name=$1 register=$2
	repair
	measure "$whole" "$net/netcfg" | jq -S . >"$net/1"
	measure "$i" "$one/host_volume/netcfg" | jq -S . >"$net/2"
	moved=$(diff "$net/1" "$net/2" |
		sed -n 's/^> *"\([a-z0-9]*\)".*/\1/p' | tr '\n' ' ')
	check "$name: measured in $register alone (${moved% })" \
		"$(yes_if test "$moved" = "$register tuple ")"
	start_node 1
	wait_for 120 says "$one/console.log" \
		'this node is not what the epoch.s policy allows'
	check "$name: it boots, and asks to join" \
		"$(yes_if says "$one/console.log" 'phase register')"
	check "$name: and is refused, with a line that says why" \
		"$(yes_if says "$one/console.log" "policy allows: .*list")"
	check "$name: it was given nothing" \
		"$(yes_if test "$(grep -cE 'phase (onboarded|serving)' \
			"$one/console.log")" -eq 0)"
	stop_node
}
fresh
flip "$i/vmlinuz" 72 # the PE header's date: no loader reads it
refused 'a byte of the kernel' rtmr1
fresh
size=$(stat -c %s "$i/initramfs.cpio.zst")
truncate -s $(((size + 3) / 4 * 4)) "$i/initramfs.cpio.zst"
(cd "$net" && echo hello >added && echo added | cpio -o -H newc 2>/dev/null) \
	>>"$i/initramfs.cpio.zst"
refused 'a file added to the initramfs' rtmr2
fresh
printf ' loglevel=4' >>"$i/cmdline"
refused 'a word on the command line' rtmr2
fresh
sed -i 's/^max-age=.*/max-age=3601/' "$one/host_volume/netcfg"
refused 'a member of netcfg' mrconfigid

fresh
repair
start_node 1
wait_for 120 says "$one/console.log" 'phase onboarded'
check "the same node with the image as it was built is onboarded" \
	"$(yes_if says "$one/console.log" 'phase onboarded')"
stop_node
exit $bad
