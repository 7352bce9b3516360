#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 3: runs on a machine without TDX or SGX. KVM is used
# if it is there; neither a purse nor an RPC key is needed.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_vm || { echo "the VM is left out"; exit 77; }
grep -q 'Welcome to Dstack with unstoppable TLS!' "$vm.page" ||
	fail "the VM does not greet"
grep -q 'phase serving' "$vm/node0/console.log" || fail "no phase serving"
same "the state" "$(jq -r .state "$vm.status")" onboarded
machine=$(grep -A1 -x -e -machine "$vm.argv" | tail -1)
case "$machine $(grep -A1 -x -e -accel "$vm.argv" | tail -1)" in
*confidential*) fail "a TD: $machine" ;;
esac
saw "a VM booted and greets; QEMU's machine: $machine"
saw "TEE simulated: the image says so and other networks refuse it (T09)"
echo "ok 03 a node in a VM without TDX, SGX, a purse or an RPC key (${machine%%,usb*})"
