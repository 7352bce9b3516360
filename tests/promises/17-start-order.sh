#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 17: the order of the guest start. No DHCP, no shared folder, no
# certificate front on its own: each role waits for what it needs.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
order() { # CONSOLE
	sed -n 's/^dstack: phase \([a-z]*\).*/\1/p' "$1" | tr '\n' ' '
}
if [ -n "${DSTACK_NET:-}" ]; then
	need_net
	same "the first node" "$(order "$DSTACK_NET/node0/console.log")" \
		"boot bootstrap onboarded volume serving "
	same "the second node" "$(order "$DSTACK_NET/node1/console.log")" \
		"boot register onboarded volume serving "
	saw "first: boot bootstrap onboarded volume serving; second: register"
fi
if need_vm; then
	same "in a VM" "$(order "$vm/node0/console.log")" \
		"boot bootstrap onboarded volume serving "
	grep -q 'volume.*crypt\|dm-crypt\|volume: ' "$vm/node0/console.log" ||
		saw "the volume says nothing on the console"
	if grep -qiE 'dhclient|9p |login:' "$vm/node0/console.log"; then
		fail "DHCP, 9p or a login in the guest"
	fi
	saw "the same in a VM: secret first, then the disk, then the app"
fi
[ -n "${DSTACK_NET:-}" ] || [ -n "${vm:-}" ] || need_net
echo "ok 17 boot, bootstrap or register, onboarded, volume, serving"
