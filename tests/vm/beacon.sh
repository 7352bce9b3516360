#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The network over a beacon chain, in VMs (THREATS T07, T20, T35): the host's
# beacon node tells each of its lies for a while, and then the chain does not
# finalize. No guest ends or stops serving, and with the truth back all goes
# on without a restart: the app's next version is served, and a node joins.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/beacon.sh"
start_network --nodes 2 --spare 1 --memory 320 --view beacon || exit 1
beacon=$(jq -r .beacon "$net/network.json")
post() { # PATH JSON
	curl -sS --max-time 5 -d "$2" "$beacon/sim/$1" >/dev/null
}
key() { # NODE
	curl -s --max-time 10 "$(sed -n 's/^GUEST_SERVICE=//p' \
		"$net/node$1/host.env")/status" | jq -r .xPub
}
mine=$(key 0)
unharmed() {
	[ "$(key 0)" = "$mine" ] && [ "$(key 1)" = "$mine" ] &&
		has 0 / 'Welcome to Dstack' && has 1 / 'Welcome to Dstack'
}
check "two VMs serve over the beacon chain" "$(yes_if unharmed)"
for lie in old-committee other-network mixed-forks few-signers bad-signature \
	garbage future back wrong-branch wrong-execution 404 freeze; do
	post lie "{\"name\":\"$lie\",\"on\":true}"
	sleep 4
	check "unharmed by a beacon node with $lie" "$(yes_if unharmed)"
	post lie "{\"name\":\"$lie\",\"on\":false}"
done
post finality '{"on":false}'
sleep 10
check "and by a chain that does not finalize" "$(yes_if unharmed)"
post finality '{"on":true}'
two=$(./build_app.sh -o "$net/two.tar" --greeting 'The second version' \
	2>/dev/null | grep -oE '[0-9a-f]{64}' | head -1)
for n in 0 1; do
	cp "$net/two.tar" \
		"$net/node$n/host_volume/app-$(echo "$two" | cut -c1-16).tar"
done
all_second() {
	has 0 / 'The second version' && has 1 / 'The second version'
}
contract propose --name app-example --digest "$two" >/dev/null
wait_for 240 has 0 / 'The second version'
wait_for 240 has 1 / 'The second version'
check "with the truth back both turn to the app's next version" \
	"$(yes_if all_second)"
cp "$net/two.tar" \
	"$net/node2/host_volume/app-$(echo "$two" | cut -c1-16).tar"
start_node 2
wait_for 240 has 2 / 'The second version'
check "and a new node joins" "$(yes_if has 2 / 'The second version')"
check_no_end
exit $bad
