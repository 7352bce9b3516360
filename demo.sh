#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A whole dstack network on this machine, from a fresh clone: installs what is
# missing, builds binaries, contract, app and VM image, and runs the network.
# The arguments go to "dstack demo": [--nodes N] [--no-vm] [--keep] [--json].
# What was built already and has not changed is used again.
set -eu
cd "$(dirname "$0")"

# everything but the events goes to standard error
step() { printf 'demo: %s\n' "$*" >&2; }

vm=1
for a in "$@"; do
	case $a in
	--no-vm) vm=0 ;;
	esac
done

tests/install-deps >&2
step "building the programs"
make -s -j"$(nproc)" all >&2
step "building the contract"
make -s contracts >&2
if [ ! -f host_volume/app-example.tar ] ||
	[ -n "$(find app-example build_app.sh -newer host_volume/app-example.tar)" ]; then
	step "building the app"
	./build_app.sh >&2
fi
if [ "$vm" -eq 1 ]; then
	step "building the VM image"
	./build_vm.sh >&2
fi
step "starting the network"
exec build/bin/dstack demo "$@"
