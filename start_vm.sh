#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# start_vm.sh [ARG ...]: one node's host service and VM, as host.env says
# (see host.env.example). The arguments go to "dstack node run".
set -euo pipefail
cd "$(dirname "$0")"
[ -x build/bin/dstack ] || make -s all
[ -f build/image/sim/manifest.json ] || ./build_vm.sh
exec build/bin/dstack node run "$@"
