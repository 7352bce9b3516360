#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 19: KubernEthes follows the container that the contract names. By
# digest, not by name, and the old one serves until the new one does.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
text="Promise 19 was kept"
digest=$(./build_app.sh -o "$d/new.tar" --greeting "$text")
for i in 0 1; do
	cp "$d/new.tar" "$DSTACK_NET/node$i/host_volume/app-${digest:2:16}.tar"
done
owner=$(call 'owner()(address)')
key=$(as_app 0 /getkey/s)
"$cast" rpc anvil_impersonateAccount "$owner" >/dev/null
send() { "$cast" send "$contract" "$@" --unlocked --from "$owner" >/dev/null; }
# an archive that the contract does not name is never run, whatever its tag
before=$(curl -sS "$(of_node 0 control)/status" | jq -r .app.digest)
send 'set_container(string,bytes32)' app-example "$digest"
bad=0
asked=0
new=0
for _ in $(seq 600); do
	asked=$((asked + 1))
	get 0 / >"$d/p0" 2>/dev/null && grep -q '<h1>' "$d/p0" || bad=$((bad + 1))
	get 1 / >"$d/p1" 2>/dev/null && grep -q '<h1>' "$d/p1" || bad=$((bad + 1))
	if grep -q "$text" "$d/p0" && grep -q "$text" "$d/p1"; then
		new=1
		break
	fi
	sleep 0.05
done
[ $new -eq 1 ] || fail "the new greeting did not come"
same "requests that failed during the change" "$bad" 0
same "digest that runs" "$(curl -sS "$(of_node 0 control)/status" | jq -r .app.digest)" "$digest"
[ "$before" != "$digest" ] || fail "nothing changed"
within 20 as_app 0 /getkey/s -o /dev/null || fail "no app plane"
same "the app's key in the new version" "$(as_app 0 /getkey/s)" "$key"
saw "asked $asked times on both nodes during the change, never without an answer"
saw "an older version is not taken again: tests/hostile/T21"
echo "ok 19 a new version by set_container, on both nodes, without a gap"
