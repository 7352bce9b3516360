#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine below a node: ports in use, full disks, an image that is not
# whole, no right to KVM. One clear line each, and nothing is lost.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_host.sh"
base bad-host

make_node ports
port=${https%2}
for what in "HOST_SERVICE ${port}0" "GUEST_SERVICE ${port}1" "HTTPS_LISTEN ${port}2"; do
	read -r key used <<<"$what"
	proxy "$used" 1
	refused 3 "$key: "
	grep -q "$used.*Address already in use; stop what uses .* or choose another" "$d/out" ||
		fail "vague" "$d/out"
	gone "$proxy_pid"
	echo "ok the port of $key in use: one line"
done
got=0
"$bin" pubsub --listen "127.0.0.1:${relay##*:}" >"$d/out" 2>&1 || got=$?
[ "$got" -eq 3 ] && [ "$(wc -l <"$d/out")" -eq 1 ] &&
	grep -q "127.0.0.1:${relay##*:}: Address already in use; stop what uses that port" "$d/out" ||
	fail "exit $got" "$d/out"
echo "ok the relay's port in use: one line"
start_node
reaches serving
refused 3 "a node runs in $d already; stop it or set another STATE_DIR"
serves "$https" || fail "the first is gone"
[ "$(jq .pid "$d/node.json")" -eq "$node_pid" ] || fail "the status is the second's" "$d/node.json"
echo "ok two nodes in one folder: the second is refused, the first untouched"
gone "$node_pid"

# the host volume is full: what the guest wants to put waits
make_node full
rm -rf "$net/keep" && mkdir "$net/keep"
cp "$d/hv/"* "$net/keep/"
mount -t tmpfs -o size=1500k none "$d/hv"
cp "$net/keep/"* "$d/hv/"
dd if=/dev/zero of="$d/hv/filler" bs=4k status=none 2>/dev/null || true
start_node
reaches serving
says "$d/console.log" 'the host did not take host_volume/request.csr: request.csr not written: No space left on device; trying on'
curl -sS --max-time 5 --cacert "$ca" --connect-to "::127.0.0.1:$https" "https://$domain/" -o /dev/null
sleep 1
once "$d/console.log" 'request.csr not written'
[ ! -e "$d/hv/request.csr" ] || fail "half a request"
cmp "$net/keep/netcfg" "$d/hv/netcfg"
cmp "$net/keep/app-example.tar" "$d/hv/app-example.tar"
rm "$d/hv/filler"
until_true 20 test -s "$d/hv/tls-attestation.json" || fail "not put later" "$d/console.log"
openssl req -in "$d/hv/request.csr" -noout -verify 2>/dev/null
echo "ok a full host volume: one line, it serves, and puts the rest when there is room"
gone "$node_pid"
umount "$d/hv"

# the state folder is full: not started, or one line while it runs
make_node state
mkdir "$d/s"
mount -t tmpfs -o size=200k none "$d/s"
set_env STATE_DIR "$d/s"
dd if=/dev/zero of="$d/s/filler" bs=4k status=none 2>/dev/null || true
refused 3 'No space left on device'
grep -q "$d/s/" "$d/out" || fail "no path" "$d/out"
rm "$d/s/filler"
start_node
until_true 60 serves "$https" || fail "no page" "$d/node.log" "$d/s/console.log"
until_true 20 jq -e '.phase == "serving"' "$d/s/node.json" || fail "no status" "$d/s/node.json"
dd if=/dev/zero of="$d/s/filler" bs=4k status=none 2>/dev/null || true
serves "$https" || fail "it ended" "$d/node.log"
jq -e '.phase == "serving"' "$d/s/node.json" >/dev/null || fail "status lost" "$d/s/node.json"
echo "ok a full state folder: one line at the start, no harm while it runs"
gone "$node_pid"
umount "$d/s"

# the volume is full: that is the app's affair
make_node volume
mkdir -p "$d/volume"
mount -t tmpfs -o size=200k none "$d/volume"
start_node
reaches serving
put() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' -X PUT --data-binary "@$1" \
	--cacert "$ca" --connect-to "::127.0.0.1:$https" "https://$domain/data/$2"; }
head -c 20000 "$net/node0/host_volume/app-example.tar" >"$d/some"
[ "$(put "$d/some" first)" -lt 300 ] || fail "not stored" "$d/console.log"
code=200 n=0
while [ "$code" -lt 300 ] && [ "$n" -lt 20 ]; do
	n=$((n + 1))
	code=$(put "$d/some" "more$n")
done
[ "$code" -ge 500 ] || fail "the app said $code to a full volume"
serves "$https" || fail "the app is gone"
gone "$node_pid"
start_node
reaches serving
curl -sS --max-time 10 --cacert "$ca" --connect-to "::127.0.0.1:$https" "https://$domain/data/first" |
	cmp - "$d/some" || fail "the first file is lost"
echo "ok a full volume: the app is told, goes on, and starts again with its data"
gone "$node_pid"
umount "$d/volume"

# the image, as a VM would be started from it
make_node image
set_env IMAGE_DIR "$d/image"
in_vm() { # TEXT: refused with this one line
	local got=0
	timeout 60 "$bin" node run --config "$d/host.env" --auditing "$net/auditing" \
		>"$d/out" 2>&1 || got=$?
	[ "$got" -ne 0 ] && grep -qF -- "$1" "$d/out" && [ "$(wc -l <"$d/out")" -eq 1 ] ||
		fail "exit $got, wanted one line with '$1'" "$d/out"
}
in_vm 'vmlinuz is missing: build the image with ./build_vm.sh'
mkdir -p "$d/image/sim"
for f in vmlinuz initramfs.cpio.zst cmdline; do echo "$f" >"$d/image/sim/$f"; done
in_vm 'manifest.json is missing or garbled; build the image again with ./build_vm.sh'
(
	cd "$d/image/sim"
	for f in vmlinuz initramfs.cpio.zst cmdline; do
		jq -n --arg n "$f" --arg h "$(sha256sum <"$f" | cut -c1-64)" '{name: $n, sha256: $h}'
	done | jq -s '{parts: .}' >manifest.json
)
echo other >"$d/image/sim/initramfs.cpio.zst"
in_vm 'initramfs.cpio.zst is not the file that manifest.json names; build the image again with ./build_vm.sh'
: >"$d/image/sim/vmlinuz"
in_vm 'vmlinuz is empty or no file'
echo "ok an image that is missing, cut short or another: one line"

# KVM: absent, and there but not for us; never more than a word
probe() { # SETUP COMMAND-PREFIX
	unshare -m sh -ec "
		mount -t tmpfs none /dev
		mknod -m 666 /dev/null c 1 3
		cp '$PWD/$bin' /dev/dstack
		$1
		exec $2 /dev/dstack vm probe" 2>&1
}
probe : '' >"$net/out"
[ "$(head -1 "$net/out")" = tcg ] && [ "$(wc -l <"$net/out")" -eq 2 ] || fail "absent" "$net/out"
grep -qx 'no KVM: /dev/kvm: No such file or directory' "$net/out" || fail "absent" "$net/out"
probe 'mknod /dev/kvm c 10 232; chmod 600 /dev/kvm' 'setpriv --reuid 65534 --clear-groups' >"$net/out"
[ "$(head -1 "$net/out")" = tcg ] || fail "no rights" "$net/out"
grep -qx 'no KVM: /dev/kvm: Permission denied; join the group kvm' "$net/out" || fail "no rights" "$net/out"
echo "ok no KVM, or no right to it: emulation, with one line why"
