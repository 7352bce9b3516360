#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The light client as an installed library: what a program outside this tree
# sees, in both kinds of linking, and the manual page's example.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/library.sh
[ -x "$B/test/test_beacon_files" ] || make -s "B=$B" "$B/test/test_beacon_files"
"$B/test/test_beacon_files" "$d"
library beacon
while read -r n; do
	grep -q "^\.Fn $n" "$tree/man/beacon.3" || fail "beacon(3) does not show $n"
done <header
alone beacon.h
echo "ok the header stands alone, in C and C++"

example beacon_update final.c
linked final.c final
# the same program over the made chain, which it has to be told of
sed 's/beacon_network_named("mainnet")/made()/; s/^int$/static struct beacon_network net;\
static const struct beacon_network *made(void) { struct why w; FILE *f = fopen("network", "rb");\
size_t n = f ? fread(bytes, 1, 4096, f) : 0; return f \&\& fclose(f) == 0 \&\&\
beacon_network_parse(bytes, n, \&net, \&w) == DSTACK_OK ? \&net : NULL; }\
int/' final.c >made.c
linked made.c made
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
both final
m=${ETH_VECTORS:-$tree/../shared/vectors/eth}/lc-mainnet/deneb-46-periods
if [ -d "$m" ]; then
	run shared_final 0 '^final: slot 11403328, execution block dcc5' \
		2e522016a5ac7d8d57d758b633a25491a43d12750db8f417fd6cf264b7ec5650 "$(echo "$m"/*bootstrap*.ssz)" "$(echo "$m"/*updates*.ssz)"
	echo "ok the example over 46 periods of mainnet"
fi
