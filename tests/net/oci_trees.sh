#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Images of every odd kind (tests/unit/guest/kubernethes/test_trees.c makes
# them): what dstack app inspect refuses a node refuses with the same words,
# and what it takes becomes, file by file, the tree that umoci makes of it.
# What differs on purpose (docs/app-reference.md): no setuid and setgid bits, owners
# above 65535 are nobody's, no device nodes, aufs' own books left out.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
[ "$(id -u)" -eq 0 ] || { echo "needs root (owners)"; exit 77; }
command -v umoci >/dev/null || { echo "no umoci here"; exit 77; }
make -s "$B/test/test_trees"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
bad=0
no() {
	echo "not ok: $1"
	[ -z "${2:-}" ] || head -c 600 "$2"
	bad=1
}
# names, kinds, modes, owners, links, sizes, content; of files also the time
list() { # ROOT
	(cd "$1" && find . -mindepth 1 \( -type b -o -type c \) -prune -o \
		-mindepth 1 -type d -printf '%P %y %m %U %G\n' -o \
		-mindepth 1 -printf '%P %y %m %U %G %n %T@ %l\n' |
		awk '{
			if (length($3) > 3)
				$3 = ($3 % 2000 >= 1000 ? "1" : "") substr($3, length($3) - 2)
			if ($4 > 65535) $4 = 65534
			if ($5 > 65535) $5 = 65534
			sub(/ *$/, "")
			print
		}' | LC_ALL=C sort
	find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}

mkdir "$work/a"
"$B/test/test_trees" make "$work/a" >"$work/all"
trees=0 refused=0
while read -r name want; do
	f=$work/a/$name.tar
	rm -rf "$work/root" "$work/l" "$work/u"
	mkdir "$work/root" "$work/l"
	rc=0
	"$B/bin/dstack" app inspect "$f" >"$work/inspect" 2>&1 || rc=$?
	node=0
	"$B/test/test_trees" unpack "$f" "$work/root" >"$work/node" || node=$?
	[ "$rc" -eq "$node" ] || no "$name: inspect $rc, the node $node" "$work/inspect"
	if [ "$want" = refused ]; then
		refused=$((refused + 1))
		[ "$rc" -eq 1 ] && [ "$(wc -l <"$work/inspect")" -eq 1 ] &&
			grep -qF "$(cat "$work/node")" "$work/inspect" ||
			no "$name is not refused with the node's line" "$work/inspect"
		continue
	fi
	[ "$rc" -eq 0 ] || no "$name is refused" "$work/inspect"
	[ "$want" = tree ] || continue
	trees=$((trees + 1))
	tar -xf "$f" -C "$work/l"
	umoci raw unpack --image "$work/l:latest" "$work/u" >"$work/umoci" 2>&1 || {
		no "umoci makes no tree of $name" "$work/umoci"
		continue
	}
	list "$work/root" >"$work/ours"
	list "$work/u" >"$work/theirs"
	diff "$work/theirs" "$work/ours" >"$work/diff" ||
		no "$name: another tree than umoci's" "$work/diff"
done <"$work/all"
[ "$bad" -eq 0 ] || exit 1
[ "$trees" -gt 40 ] && [ "$refused" -gt 15 ]
echo "ok   oci-trees: $trees trees are umoci's, $refused images are refused by inspect and node alike"
