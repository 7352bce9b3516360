# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that hold an image against image/lock.json. Where the
# mirrors have forgotten a file of it, build_vm.sh has gone on with a lock file
# of today, and the tree's own can be held against nothing here any more. The
# same checks then run in a copy of the tree that has today's.

# lock_of_today TMP: with $B/image built; goes to that copy, sets top and B
lock_of_today() {
	grep -q '^"relocked":' "$B/image/sim/manifest.json" || return 0
	echo "# the mirrors have forgotten a file of image/lock.json: with today's"
	mkdir -p "$1/today/build/bin"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1/today" -m
	cp build/relocked/lock.json "$1/today/image/lock.json"
	[ ! -x "$B/bin/dstack" ] || cp "$B/bin/dstack" "$1/today/build/bin/"
	cd "$1/today" || exit 1
	top=$PWD
	B=$top/build
	./build_vm.sh "$B/image" >/dev/null || exit 1
}
