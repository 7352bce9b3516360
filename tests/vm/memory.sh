#!/bin/sh
# The least memory that a VM is said to need is enough: the greeting app
# starts, writes to the encrypted volume, and is replaced by a new version
# (both are in memory then). Its view is the light client's, which has its share.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/memory.sh"
start_network --nodes 1 --memory 256 --view beacon || exit 1
check "a VM of 256 MB serves the greeting" \
	"$(yes_if has 0 / 'Welcome to Dstack')"
yes 'some text' | head -c 1048576 >"$net/x"
get 0 /data/x -T "$net/x" >/dev/null
get 0 /data/x | cmp -s - "$net/x"
check "and keeps a file of 1 MB" "$(yes_if test $? -eq 0)"
two=$(./build_app.sh -o "$net/two.tar" --greeting 'The second version' \
	2>/dev/null | grep -oE '[0-9a-f]{64}' | head -1)
cp "$net/two.tar" \
	"$net/node0/host_volume/app-$(echo "$two" | cut -c1-16).tar"
contract propose --name app-example --digest "$two" >/dev/null
wait_for 200 has 0 / 'The second version'
check "and turns to a new version of the app" \
	"$(yes_if has 0 / 'The second version')"
exit $bad
