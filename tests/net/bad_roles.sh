#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A guest that holds the network's secret outlives its roles: whichever of
# those in front is killed starts anew, the app serves again, others are
# onboarded. keyd's death alone is its end, and so is any before the secret.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_roles.sh"
base roles-net

serves_again() { # NAME: the role is a new process, and the app is there
	role "$1" && [ "$role" != "$old" ] && serves "$https"
}

make_node one
start_node
reaches serving
until_true 60 serves "$https" || fail "no page" "$d/console.log"
for r in unstoppable-tls guest-service kubernethes verifier hostlink lightclient tee; do
	role $r
	old=$role
	kill -9 "$old"
	until_true 120 serves_again $r ||
		fail "$r was killed, and the node does not serve" "$d/node.log" "$d/console.log"
	kill -0 "$node_pid" || fail "the node ended with $r" "$d/node.log"
	once "$d/console.log" "init: $r was killed by signal 9; the node goes on"
	echo "ok $r is killed, the node goes on and serves again"
done
# its heads never go back: each life has what the one before it had proven
[ "$(grep -c 'lightclient: goes on from block' "$d/console.log")" -ge 7 ] ||
	fail "lightclient began anew" "$d/console.log"
echo "ok the view of the chain goes on where it was, whatever is killed"
# one container, not one for each time that it was started; what was left behind
# would be a child of the guest's init, and others' apps are none of ours
apps() { # PID: how many apps are among its descendants
	local p n=0
	for p in $(pgrep -P "$1" || true); do
		case $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null || true) in
		/greeting*) n=$((n + 1)) ;;
		esac
		n=$((n + $(apps "$p")))
	done
	echo "$n"
}
n=$(apps "$node_pid")
[ "$n" -eq 1 ] || fail "$n processes of apps, not 1" "$d/console.log"

# the one that made the secret is gone: only this node can onboard another
kill -9 "$(jq .pid "$net/node0/node.json")"
one=$d
one_pid=$node_pid
make_node two
start_node
reaches onboarded 120
echo "ok a node whose front started anew onboards another"

d=$one
two_pid=$node_pid
node_pid=$one_pid
https=$(jq -r .https "$d/node.json" | sed 's/.*://')
role keyd
kill -9 "$role"
until_true 60 bash -c "! kill -0 $node_pid" || fail "it outlives keyd" "$d/node.log"
says "$d/node.log" "keyd was killed by signal 9"
echo "ok keyd's death is the guest's"

# before the secret is there nothing is lost, and the reason is plain
kill "$two_pid"
wait "$two_pid" || true
make_node three
start_node
reaches register
role verifier
kill -9 "$role"
until_true 60 bash -c "! kill -0 $node_pid" || fail "it outlives the verifier" "$d/node.log"
says "$d/node.log" "verifier was killed by signal 9"
echo "ok a role's death before the secret is the guest's"
