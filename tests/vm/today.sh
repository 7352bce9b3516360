# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that hold an image against image/lock.json. Where the
# mirrors have forgotten a file of it, build_vm.sh has gone on with a lock file
# of today, and the tree's own can be held against nothing here any more. Where
# they have all packages and not the signed indexes of that day, which go within
# hours, the image is the tree's and cannot be followed to its keys. The same
# checks then run in a copy of the tree that has today's.

# lock_of_today TMP: with $B/image built; goes to that copy, sets top and B
lock_of_today() {
	if grep -q '^"relocked":' "$B/image/sim/manifest.json"; then
		echo "# the mirrors have forgotten a file of image/lock.json: with today's"
	else
		followed=0
		image/chain image/lock.json >/dev/null 2>&1 || followed=$?
		[ "$followed" -eq 3 ] || return 0
		echo "# the mirrors have forgotten the indexes of image/lock.json: with today's"
		mkdir -p build/relocked
		rm -f build/relocked/lock.json
		image/relock --into build/relocked/lock.json || exit 1
	fi
	mkdir -p "$1/today/build/bin"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1/today" -m
	cp build/relocked/lock.json "$1/today/image/lock.json"
	[ ! -x "$B/bin/dstack" ] || cp "$B/bin/dstack" "$1/today/build/bin/"
	cd "$1/today" || exit 1
	top=$PWD
	B=$top/build
	./build_vm.sh "$B/image" >/dev/null || exit 1
}
