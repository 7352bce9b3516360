# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by tests/net/*_library.sh: a library as others see it once it is
# installed. Not executable, so that tests/net/run does not take it for a test.
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
fail() {
	echo "$1"
	exit 1
}
CC=${CC:-gcc}
B=${B:-build}
tree=$PWD

# library NAME: libdstack-NAME below $d/usr, and what it shows: the functions
# of include/dstack/NAME.h, in both kinds, each with a manual page. Sets lib
# and flags; from then on nothing of the tree is in reach.
library() {
	name=$1
	make -s "B=$B" "PREFIX=$d/usr" "install-$name"
	make -s "B=$B" "DESTDIR=$d/stage" PREFIX=/opt/x "install-$name"
	lib=$d/usr/lib
	if find "$d/stage" ! -type d | grep -qv "^$d/stage/opt/x/"; then fail "installed outside PREFIX"; fi
	grep -q '^prefix=/opt/x$' "$d/stage/opt/x/lib/pkgconfig/dstack-$name.pc" || fail "DESTDIR is in the .pc file"
	echo "ok install stages by DESTDIR"

	soname=$(readelf -d "$lib/libdstack-$name.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
	case $soname in "libdstack-$name.so."[0-9]*) ;; *) fail "no soname: $soname" ;; esac
	[ -e "$lib/$soname" ] || fail "no file of the soname"
	nm -D --defined-only "$lib/libdstack-$name.so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort >"$d/shared"
	nm -g --defined-only "$lib/libdstack-$name.a" | awk 'NF == 3 { print $3 }' | sort >"$d/static"
	cmp "$d/shared" "$d/static" || fail "static and shared library differ: $(diff "$d/shared" "$d/static" | head -5)"
	if grep -v "^${name}_" "$d/shared"; then fail "other names than ${name}_*"; fi
	# functions, also where their name begins a line, and data
	sed -n "s/.*[ *]\(${name}_[a-z0-9_]*\)(.*/\1/p; s/^\(${name}_[a-z0-9_]*\)(.*/\1/p
		s/^extern .*[ *]\(${name}_[a-z0-9_]*\)\[.*/\1/p" "include/dstack/$name.h" | sort -u >"$d/header"
	cmp "$d/header" "$d/shared" || fail "header and library differ: $(diff "$d/header" "$d/shared")"
	while read -r n; do
		# data needs no page of its own
		grep -q "^extern .*[ *]$n\[" "include/dstack/$name.h" || [ -e "$d/usr/share/man/man3/$n.3" ] ||
			fail "no manual page of $n"
	done <"$d/header"
	echo "ok the library shows what the header declares and nothing else"
	cd "$d"
	export PKG_CONFIG_PATH="$lib/pkgconfig"
	flags=$(pkg-config --cflags --libs "dstack-$name")
}

# alone HEADER: of include/dstack, in C and C++, with warnings as errors
alone() {
	echo "#include <dstack/$1>" >alone.c
	# shellcheck disable=SC2086
	$CC -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only alone.c $flags
	! command -v g++ >/dev/null ||
		g++ -std=c++11 -x c++ -Wall -Wextra -Werror -fsyntax-only alone.c -I"$d/usr/include"
}

# example MARK FILE: the first program of the library's manual page
example() {
	sed -n '/^\.Bd -literal$/,/^\.Ed$/p' "usr/share/man/man3/$name.3" | sed '/^\./d; s/\\e/\\/g' >"$2"
	grep -q "$1" "$2" || fail "no example in $name(3)"
}

# linked FILE.c PROGRAM [FLAG]: shared_PROGRAM and static_PROGRAM of it
linked() {
	# shellcheck disable=SC2086
	$CC -std=c11 ${3-} -Wall -Wextra -Werror "$1" $flags -o "shared_$2"
	# shellcheck disable=SC2046,SC2086
	$CC -std=c11 ${3-} -static "$1" $(pkg-config --static --cflags --libs "dstack-$name") -o "static_$2" 2>/dev/null
}

# both PROGRAM: they are what their names say
both() {
	ldd "shared_$1" | grep -q "libdstack-$name" || fail "shared_$1 does not use the shared library"
	if ldd "static_$1" >/dev/null 2>&1; then fail "static_$1 is not static"; fi
	echo "ok both kinds of linking are what they say"
}
