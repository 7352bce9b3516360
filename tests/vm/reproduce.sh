#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The image is the same bytes when it is built by another user, in another
# path, with another umask, locale, time zone, clock and order of directories;
# and when it is built from an exported store, without a network. The kernel,
# if it is one's own, is that of the first build: "dstack image audit" and
# image/kernel --fresh build it again.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
B=${B:-build}
case $B in /*) ;; *) B=$top/$B ;; esac
. image/lib.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
bad=0
. tests/vm/today.sh
./build_vm.sh "$B/image" >/dev/null || exit 1
lock_of_today "$tmp"

tree() { # WHERE: the sources, with new times
	mkdir -p "$1"
	# shellcheck disable=SC2046 # none or one word
	tar -c Makefile Makefile.beacon Makefile.dev tools/blst tools/fetch-blst \
	    build_vm.sh lib guest image \
	    $([ ! -d include ] || echo include) | tar -x -C "$1" -m
}
same() { # WHERE HOW
	for f in sim tdx; do
		for p in vmlinuz initramfs.cpio.zst cmdline kernel.config \
		    manifest.json; do
			if cmp "$B/image/$f/$p" "$1/$f/$p"; then
				echo "ok $f/$p is the same $2"
			else
				echo "not ok $f/$p $2"
				bad=1
			fi
		done
	done
}
inroot() { # COMMAND...: in the build root of the second build
	# shellcheck disable=SC2046 # none or one word
	unshare $([ "$(id -u)" = 0 ] || echo -Ur) chroot "$root" /usr/bin/env -i \
	    PATH=/usr/bin "$@"
}

# --- another user, path, umask, locale, zone, clock, order -----------------
other="$tmp/another place"
tree "$other"
lockhash=$(rows image/lock.json | sha256sum | cut -c1-16)
mkdir -p "$tmp/store/root" "$tmp/home"
ln -s "$store/sha256" "$tmp/store/sha256"
[ ! -d "$store/chain" ] || cp -r "$store/chain" "$tmp/store/chain"
[ ! -d "$store/kernel" ] || cp -al "$store/kernel" "$tmp/store/" 2>/dev/null ||
	cp -r "$store/kernel" "$tmp/store/"
root=$tmp/store/root/$lockhash
cp -al "$store/root/$lockhash" "$root" 2>/dev/null ||
	cp -a "$store/root/$lockhash" "$root"
cp tests/vm/shuffle.c "$root/tmp/"
inroot ls -U /usr/include >"$tmp/order"
inroot gcc -O1 -D_GNU_SOURCE -shared -fPIC -o /usr/lib/shuffle.so \
    /tmp/shuffle.c || exit 1
echo /usr/lib/shuffle.so >"$root/etc/ld.so.preload"
inroot ls -U /usr/include >"$tmp/order2"
year=$(inroot date +%Y)
if ! cmp -s "$tmp/order" "$tmp/order2" && [ "$year" -gt "$(date +%Y)" ] &&
    [ "$(sort "$tmp/order")" = "$(sort "$tmp/order2")" ]; then
	echo "ok the second build has its directories and clock out of order"
else
	echo "not ok the second build has its directories and clock out of order"
	bad=1
fi

as=
if [ "$(id -u)" = 0 ]; then
	as="setpriv --reuid=65534 --regid=65534 --clear-groups"
	if ! $as test -r "$store/sha256/."; then
		rm "$tmp/store/sha256"
		cp -rl "$store/sha256" "$tmp/store/sha256" 2>/dev/null ||
			cp -r "$store/sha256" "$tmp/store/sha256"
	fi
	if $as unshare -Ur -m -n true 2>/dev/null; then
		chown -R 65534:65534 "$other" "$tmp/home"
		chown 65534:65534 "$tmp/store" "$tmp/store/root"
	else
		echo "# this machine gives users no namespaces: built as root"
		as=
	fi
fi
(
	cd "$other" || exit 1
	umask 077
	# shellcheck disable=SC2086 # words on purpose
	HOME=$tmp/home DSTACK_STORE=$tmp/store DSTACK_MIRROR=http://0 \
	    TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 \
	    $as ./build_vm.sh "$tmp/home/out"
) >"$tmp/log" 2>&1 || {
	tail -20 "$tmp/log"
	exit 1
}
[ -z "$as" ] || echo "ok a user without rights can build it"
same "$tmp/home/out" "of another user, path, clock and order"
rm -rf "$tmp/store" "$other"

# --- from an exported store, without a network -------------------------------
kernel=
! grep -q '"kernel":".*-dstack"' "$B/image/sim/manifest.json" ||
	kernel=--with-kernel
[ -x "$B/bin/dstack" ] || make B="$B" "$B/bin/dstack" >"$tmp/log" || exit 1
"$B/bin/dstack" image export $kernel "$tmp/store.tar" >"$tmp/log" || exit 1
"$B/bin/dstack" image export $kernel "$tmp/again.tar" >>"$tmp/log" || exit 1
if cmp "$tmp/store.tar" "$tmp/again.tar"; then
	echo "ok an exported store is the same bytes each time"
else
	echo "not ok an exported store is the same bytes each time"
	bad=1
fi
rm "$tmp/again.tar"
tree "$tmp/third"
(
	cd "$tmp/third" || exit 1
	# a network namespace with nothing in it, and a store with nothing in it
	# shellcheck disable=SC2046 # none or one word
	DSTACK_STORE=$tmp/empty unshare $([ "$(id -u)" = 0 ] || echo -Ur) -n \
	    "$B/bin/dstack" image build --from "$tmp/store.tar" "$tmp/out3"
) >"$tmp/log" 2>&1 || {
	tail -20 "$tmp/log"
	exit 1
}
same "$tmp/out3" "from an exported store, offline"
if [ -n "$(ls "$tmp/empty/chain" 2>/dev/null)" ]; then
	echo "ok and its signatures were followed offline"
else
	echo "not ok and its signatures were followed offline"
	bad=1
fi
exit $bad
