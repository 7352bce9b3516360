#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 17: the order of the guest start. No DHCP, no shared folder, no
# certificate front on its own: each role waits for what it needs.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
order() { # CONSOLE: its phases, without those of the image's own start
	sed -n 's/^dstack: phase \([a-z]*\).*/\1/p' "$1" |
		grep -xE 'boot|bootstrap|register|onboarded|volume|serving' | tr '\n' ' '
}
need_net
same "the first node" "$(order "$DSTACK_NET/node0/console.log")" \
	"boot bootstrap onboarded volume serving "
same "the second node" "$(order "$DSTACK_NET/node1/console.log")" \
	"boot register onboarded volume serving "
saw "first: boot bootstrap onboarded volume serving; second: register"
if need_vm; then
	same "in a VM" "$(order "$vm/node0/console.log")" \
		"boot bootstrap onboarded volume serving "
	sed -n 's/^volume: /# volume: /p' "$vm/node0/console.log"
	if grep -qiE 'dhclient|9p |login:' "$vm/node0/console.log"; then
		fail "DHCP, 9p or a login in the guest"
	fi
	saw "the same in a VM: secret first, then the disk, then the app"
fi
echo "ok 17 boot, bootstrap or register, onboarded, volume, serving"
