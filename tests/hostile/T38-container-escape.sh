#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T38: from inside a container: mount, mknod, ptrace, bpf, namespaces, vsock,
# raw sockets, keys, devices, the other slot, the guest'\''s files.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
unit test_container
grep -q "^ok [0-9]* - an_app_gets_what_its_image_says_and_no_more$" "$d/out" || exit 77
sed -n "s/^ok [0-9]* - /ok T38_/p" "$d/out"
