#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The light client as an installed library: what a program outside this tree
# sees, in both kinds of linking, and the manual page's example.
set -eu
cd "$(dirname "$0")/../.."
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
fail() {
	echo "$1"
	exit 1
}
CC=${CC:-gcc}
B=${B:-build}
make -s "B=$B" "PREFIX=$d/usr" install-beacon
make -s "B=$B" "DESTDIR=$d/stage" PREFIX=/opt/x install-beacon
lib=$d/usr/lib
find "$d/stage" ! -type d | grep -qv "^$d/stage/opt/x/" && fail "installed outside PREFIX"
grep -q '^prefix=/opt/x$' "$d/stage/opt/x/lib/pkgconfig/dstack-beacon.pc" || fail "DESTDIR is in the .pc file"
echo "ok install stages by DESTDIR"

[ -e "$lib/$(readelf -d "$lib/libdstack-beacon.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" ] || fail "no file of the soname"
nm -D --defined-only "$lib/libdstack-beacon.so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort >"$d/shared"
nm -g --defined-only "$lib/libdstack-beacon.a" | awk 'NF == 3 { print $3 }' | sort >"$d/static"
cmp "$d/shared" "$d/static" || fail "static and shared library differ: $(diff "$d/shared" "$d/static" | head -5)"
sed -n 's/.*[ *]\(beacon_[a-z0-9_]*\)(.*/\1/p' include/dstack/beacon.h | sort -u >"$d/header"
sed -n 's/^\(beacon_[a-z0-9_]*\)(.*/\1/p' include/dstack/beacon.h >>"$d/header"
sort -u -o "$d/header" "$d/header"
cmp "$d/header" "$d/shared" || fail "header and library differ: $(diff "$d/header" "$d/shared")"
while read -r n; do
	[ -e "$d/usr/share/man/man3/$n.3" ] || fail "no manual page of $n"
	grep -q "^\.Fn $n" man/beacon.3 || fail "beacon(3) does not show $n"
done <"$d/header"
echo "ok the library shows what the header declares and nothing else"

[ -x "$B/test/test_beacon_files" ] || make -s "B=$B" "$B/test/test_beacon_files"
"$B/test/test_beacon_files" "$d"
tree=$PWD
cd "$d" # nothing of the tree is in reach from here
export PKG_CONFIG_PATH="$lib/pkgconfig"
flags=$(pkg-config --cflags --libs dstack-beacon)
echo "#include <dstack/beacon.h>" >alone.c
# shellcheck disable=SC2086
$CC -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only alone.c $flags
! command -v g++ >/dev/null || g++ -std=c++11 -x c++ -Wall -Wextra -Werror -fsyntax-only alone.c -I"$d/usr/include"
echo "ok the header stands alone, in C and C++"

sed -n '/^\.Bd -literal$/,/^\.Ed$/p' usr/share/man/man3/beacon.3 | sed '/^\./d; s/\\e/\\/g' >final.c
grep -q beacon_update final.c || fail "no example in beacon(3)"
# shellcheck disable=SC2086
$CC -std=c11 -Wall -Wextra -Werror final.c $flags -o shared_final
# shellcheck disable=SC2046
$CC -std=c11 -static final.c $(pkg-config --static --cflags --libs dstack-beacon) -o static_final 2>/dev/null
# the same program over the made chain, which it has to be told of
sed 's/beacon_network_named("mainnet")/made()/; s/^int$/static struct beacon_network net;\
static const struct beacon_network *made(void) { struct why w; FILE *f = fopen("network", "rb");\
size_t n = f ? fread(bytes, 1, 4096, f) : 0; return f \&\& fclose(f) == 0 \&\&\
beacon_network_parse(bytes, n, \&net, \&w) == DSTACK_OK ? \&net : NULL; }\
int/' final.c >made.c
# shellcheck disable=SC2086
$CC -std=c11 -Wall -Wextra -Werror made.c $flags -o shared_made
# shellcheck disable=SC2046
$CC -std=c11 -static made.c $(pkg-config --static --cflags --libs dstack-beacon) -o static_made 2>/dev/null
run() { # PROGRAM EXIT PATTERN ARGS...
	program=$1 want=$2 pattern=$3
	shift 3
	rc=0
	LD_LIBRARY_PATH=$lib "./$program" "$@" >out 2>&1 || rc=$?
	{ [ $rc -eq "$want" ] && grep -q "$pattern" out; } || fail "$program: exit $rc: $(cat out)"
}
hash=$(head -c 4 hash-6)
for p in shared static; do
	run ${p}_made 0 "^final: slot 400, execution block $hash" "$(cat root)" bootstrap.json updates.frames
	run ${p}_made 1 '(checkpoint)$' "$(cat root-3)" bootstrap.ssz updates.json
	run ${p}_made 1 '(period)$' "$(cat root)" bootstrap.ssz update-5.json
	run ${p}_final 2 'SSZ of a known fork of mainnet' "$(cat root)" bootstrap.ssz updates.json
	echo "ok the example of beacon(3), $p"
done
ldd shared_final | grep -q 'libdstack-beacon' || fail "shared_final does not use the shared library"
if ldd static_final >/dev/null 2>&1; then fail "static_final is not static"; fi
echo "ok both kinds of linking are what they say"
m=${ETH_VECTORS:-$tree/../shared/vectors/eth}/lc-mainnet/deneb-46-periods
if [ -d "$m" ]; then
	run shared_final 0 '^final: slot 11403328, execution block dcc5' \
		2e522016a5ac7d8d57d758b633a25491a43d12750db8f417fd6cf264b7ec5650 "$(echo "$m"/*bootstrap*.ssz)" "$(echo "$m"/*updates*.ssz)"
	echo "ok the example over 46 periods of mainnet"
fi
