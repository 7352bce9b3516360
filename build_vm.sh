#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build_vm.sh: the VM image, from the packages of image/lock.json, and what
# it will measure to. Installs nothing; says what is missing.
set -euo pipefail
cd "$(dirname "$0")"
missing=
for c in "make make" "gcc gcc" "curl curl" "dpkg-deb dpkg" "tar tar" \
    "awk gawk" "gpgv gpgv" "xz xz-utils" "unshare util-linux" "sha256sum coreutils"; do
	command -v "${c% *}" >/dev/null || missing="$missing ${c#* }"
done
if [ -n "$missing" ]; then
	echo "build_vm.sh: needs packages:$missing (apt-get install$missing)" >&2
	exit 2
fi
out=${1:-build/image}
image/build "$out"
for f in sim tdx; do
	k=$(stat -c %s "$out/$f/vmlinuz")
	i=$(stat -c %s "$out/$f/initramfs.cpio.zst")
	printf '%s: kernel %d, initramfs %d, together %d.%d MB in %s\n' "$f" \
	    "$k" "$i" $(((k + i) / 1000000)) \
	    $(((k + i) / 100000 % 10)) "$out/$f"
	sed -n 's/^{"name":"\([a-z.]*\)".*"sha384":"\([0-9a-f]*\)".*/  sha384 \2  \1/p' \
	    "$out/$f/manifest.json"
done
