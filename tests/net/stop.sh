#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A node that is told to stop stops in order: the app gets its image's stop
# signal and has time to write, its last files reach volume and host; one that
# does not listen is ended after its grace; a second signal ends it at once.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/stop.sh"
base stop-net

mkdir -p "$net/words"
${CC:-gcc} -O2 -static -o "$net/words/words" tests/vm/last_words.c
echo '{"Entrypoint":["/words"],"ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGUSR1"}' \
	>"$net/words.json"
digest=$("$bin" app build "$net/words" -o "$net/words.tar" \
	--config "$net/words.json" --tag words:latest | grep -oE '[0-9a-f]{64}' | head -1)
give() { # FOLDER
	cp "$net/words.tar" "$1/app-${digest:0:16}.tar"
}
give "$net/node0/host_volume"
"$bin" contract propose --name app-example --digest "$digest" --rpc "$rpc" \
	--contract "$contract" --key-file "$net/owner.key" >/dev/null
get() { # PORT PATH
	curl -sS --max-time 10 --cacert "$ca" --connect-to "::127.0.0.1:$1" \
		"https://$domain$2"
}
says_words() { get "$1" / | grep -q 'last words'; }

spare() { # NAME: a second node that serves
	make_node "$1"
	give "$d/hv"
	start_node
	reaches serving 120
	until_true 60 says_words "$https" || fail "$1 does not serve" "$d/console.log"
}
# ends SECONDS: how many the node takes to end is in $took
ends() {
	local from=$SECONDS
	until_true "$1" bash -c "! kill -0 $node_pid" || fail "it does not end" "$d/node.log" "$d/console.log"
	took=$((SECONDS - from))
	rc=0
	wait "$node_pid" || rc=$?
}

spare one
get "$https" /keep/hello1 >/dev/null
# both nodes' first signs of life have come over the relay
signs=http://$(sed -n 's/^HOST_SERVICE=//p' "$d/host.env")/signs
until_true 60 sh -c "[ \"\$(curl -s $signs | wc -l)\" -ge 2 ]" ||
	fail "signs of life do not come" "$d/node.log"
kill "$node_pid"
ends 60
[ "$rc" -eq 0 ] || fail "a stopped node ends with status $rc" "$d/node.log"
[ "$(cat "$d/volume/data/app/last")" = hello1 ] ||
	fail "what the app wrote at its stop signal is lost" "$d/console.log"
echo "ok the app got the image's stop signal and its last words are on the volume ($took s)"
[ "$(cat "$d/hv/last")" = hello1 ] || fail "its last file did not reach the host" "$d/console.log"
echo "ok and its last file is in host_volume"
grep -q 'init: stopped' "$d/console.log" || fail "the guest does not say that it stopped" "$d/console.log"
[ "$took" -lt 15 ] || fail "an app that obeys took $took s"
echo "ok the guest says that it stopped"
grep -q '1 other node gave a sign of life in the last' "$d/node.log" ||
	fail "no word on the other node" "$d/node.log"
echo "ok a stop that leaves another node says so"

start_node
reaches serving 120
until_true 60 says_words "$https" || fail "it does not come back" "$d/console.log"
get "$https" / | grep -q 'last words: hello1' || fail "the app does not find its file"
echo "ok the app finds its file when the node is back"

get "$https" /deaf >/dev/null
kill "$node_pid"
ends 60
[ "$took" -ge 8 ] && [ "$took" -le 30 ] || fail "a deaf app was given $took s"
grep -q 'app does not stop' "$d/console.log" || fail "no word on the deaf app" "$d/console.log"
echo "ok an app that ignores the signal is ended after its grace ($took s)"

start_node
reaches serving 120
until_true 60 says_words "$https" || fail "it does not come back" "$d/console.log"
get "$https" /deaf >/dev/null
kill -HUP "$node_pid"
says "$d/node.log" "stopping"
kill -HUP "$node_pid"
ends 60
[ "$took" -ge 8 ] || fail "a terminal's second hang-up is a power cut ($took s)"
echo "ok a terminal that goes away stops it in order, however often it says so ($took s)"

start_node
reaches serving 120
until_true 60 says_words "$https" || fail "it does not come back" "$d/console.log"
get "$https" /deaf >/dev/null
kill -INT "$node_pid"
says "$d/node.log" "stopping"
kill -INT "$node_pid"
ends 20
[ "$took" -lt 8 ] || fail "a second signal took $took s"
echo "ok a second signal ends it at once ($took s)"

# the network's own end: every node of the demo in order, and together
get "$(jq -r .https "$net/node0/node.json" | sed 's/.*://')" /keep/hello0 >/dev/null
kill "${pids[0]}"
until_true 60 bash -c "! kill -0 ${pids[0]}" || fail "the demo does not end" "$net.err"
[ "$(cat "$net/node0/volume/data/app/last")" = hello0 ] ||
	fail "the demo's end is a power cut" "$net/node0/console.log"
echo "ok the end of a demo stops its nodes in order"
