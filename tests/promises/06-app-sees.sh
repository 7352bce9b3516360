#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 6: what an app sees: two folders and http://dstack-guest/, of which
# the original gave it neither folder.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
printf 'kept' | get 0 /data/promise6 -X PUT --data-binary @- >/dev/null
same "the file again" "$(get 0 /data/promise6)" kept
p=$(app_pid 0)
root=/proc/$p/root
[ -f "$root/mnt/encrypted_data/promise6" ] || fail "not in /mnt/encrypted_data"
printf 'from the host' >"$DSTACK_NET/promise6"
saw "/mnt/encrypted_data keeps a file that came over HTTPS"
for m in /mnt/encrypted_data /mnt/host_volume; do
	grep -q " $m " "/proc/$p/mountinfo" || fail "$m is no mount"
done
get 0 /status.json | jq -e '.host_volume | index("netcfg") == null' >/dev/null ||
	fail "a system's file in the app's host_volume"
saw "/mnt/host_volume is a mount, without the system's files"
same "getkey" "$(as_app 0 /getkey/s | wc -c)" 64
same "attest" "$(as_app 0 /attest/s/00 | wc -c)" 65
same "getkey by the socket" "$(nsenter -t "$p" -n curl -sS \
	--unix-socket "$root/var/run/dstack.sock" http://dstack-guest/getkey/s)" \
	"$(as_app 0 /getkey/s)"
saw "http://dstack-guest/ and /var/run/dstack.sock answer alike"
get 0 /status.json | jq -e '.error == "" and (.signature | length) == 130' >/dev/null ||
	fail "the app has no signature"
echo "ok 06 both folders, getkey and attest, from inside the container"
