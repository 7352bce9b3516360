#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 22: ports and files. 4001 to the control plane, from this host
# alone (hole D1), 4002 to 443; netcfg, measured, in place of guest.env and
# trusted.env.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
same "control" "$(of_node 0 control)" http://127.0.0.1:4001
same "https" "$(of_node 0 https)" https://127.0.0.1:4002
for k in PRIVKEY ETH_API_KEY PUBSUB_URL GUEST_SERVICE CONTRACT; do
	grep -qE "^#?$k=" host.env.example || fail "$k is not in host.env.example"
done
for k in VM_MEMORY_MB=2048 HTTPS_LISTEN=0.0.0.0:4002 HOST_SERVICE=127.0.0.1:8000; do
	grep -qx "#$k" host.env.example || fail "$k is not the default"
done
for k in chain-id contract code-hash tls-domain; do
	grep -q "^$k=" "$DSTACK_NET/node0/host_volume/netcfg" || fail "netcfg without $k"
done
if grep -qi 'verify_url\|mock' "$DSTACK_NET/node0/host_volume/netcfg" host.env.example; then
	fail "somebody else is asked whether a quote is genuine (D2)"
fi
saw "host.env has the original's five keys; netcfg what trusted.env had, measured"
if need_vm; then
	fwd=$(grep -o 'hostfwd=[^,]*' "$vm.argv" | tr '\n' ' ')
	same "forwards of the VM" "$fwd" \
		"hostfwd=tcp:127.0.0.1:4001-10.0.2.15:80 hostfwd=tcp:127.0.0.1:4002-10.0.2.15:443 "
	if awk '{print $4}' "$vm.listen" | grep -v '^127\.0\.0\.1:'; then
		fail "something listens beyond loopback"
	fi
	saw "the VM's forwards: $fwd"
fi
echo "ok 22 ports 4001 and 4002, host.env, and netcfg for the rest"
