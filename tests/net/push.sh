#!/bin/sh
# A new version of the app on a running network without VMs: dstack app push
# makes both nodes swap, the old one serves until the new one does, and
# dstack app rollback brings the old one back. A push waits until all serve, and
# says why they do not.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
[ -x /usr/bin/pebble ] && command -v crun >/dev/null || { echo "pebble or crun is not installed"; exit 77; }
make -s contracts
[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
dir=build/demo-push
d=$(mktemp -d)
pid=
loop=
cleanup() {
	for p in $loop $pid; do kill "$p" 2>/dev/null && wait "$p" || true; done
	rm -rf "$d"
}
trap cleanup EXIT
new=$(./build_app.sh -o "$d/new.tar" --greeting "Second version of the greeting")

"$bin" demo --no-vm --view rpc --nodes 2 --json --keep --timeout 240 --dir $dir >"$d/out" 2>"$d/err" &
pid=$!
n=0
until grep -q '"ready"' "$d/out"; do
	n=$((n + 1))
	[ $n -lt 2400 ] || { echo "not ready"; cat "$d/out"; exit 1; }
	kill -0 "$pid" || { cat "$d/err"; exit 1; }
	sleep 0.1
done
port() {
	jq -r "select(.event==\"node\" and .phase==\"serving\" and .index==$1).https" "$d/out" | sed 's/.*://'
}
p0=$(port 0) p1=$(port 1)
get() { # PORT
	curl -sS --max-time 20 --cacert $dir/ca/ca.pem --connect-to "::127.0.0.1:$1" https://demo.dstack.test/
}
# wait_for WORDS: both nodes serve a page with them
wait_for() {
	for p in "$p0" "$p1"; do
		n=0
		until get "$p" 2>/dev/null | grep -q "$1"; do
			n=$((n + 1))
			[ $n -lt 600 ] || {
				echo "port $p does not serve '$1'"
				"$bin" status --dir $dir
				exit 1
			}
			sleep 0.1
		done
	done
}
old='Welcome to Dstack with unstoppable TLS!'
[ "$(stat -c %a $dir/owner.key)" = 600 ]
wait_for "$old"

if "$bin" app rollback --dir $dir 2>"$d/no"; then exit 1; fi
grep -q 'no version has run before' "$d/no"
echo "ok there is nothing to roll back to at first"
head -c 5000 "$d/new.tar" >"$d/cut.tar"
rc=0
"$bin" app push "$d/cut.tar" --dir $dir 2>"$d/no" || rc=$?
[ $rc -eq 1 ] && [ "$(wc -l <"$d/no")" -eq 1 ]
[ "$(find $dir -name 'app-*.tar' | grep -vc app-example.tar)" -eq 0 ]
echo "ok an archive cut short is refused with one line and copied nowhere"

# a node that says that it has little: its record with another control plane
cat >"$d/small.mjs" <<'E'
import http from 'node:http'
const s = http.createServer((q, a) => a.end(JSON.stringify({ memory: { total: 1 << 28, free: 1 << 16 } })))
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
E
node "$d/small.mjs" >"$d/small" &
small=$!
n=0
until [ -s "$d/small" ]; do
	n=$((n + 1))
	[ $n -lt 100 ] || { echo "no small node"; exit 1; }
	sleep 0.1
done
record=$dir/node0/node.json
[ "$(curl -s "$(jq -r .control $record)/status" | jq '.memory.free > 0 and .memory.total > .memory.free')" = true ]
"$bin" status --dir $dir | grep -q '  memory .* MB, of which a new version may have'
cp $record "$d/node.json"
jq --arg c "http://127.0.0.1:$(cat "$d/small")" '.control = $c' "$d/node.json" >$record
rc=0
"$bin" app push "$d/new.tar" --dir $dir 2>"$d/no" || rc=$?
cp "$d/node.json" $record
kill $small && wait $small || true
[ $rc -eq 1 ] && [ "$(wc -l <"$d/no")" -eq 1 ]
grep -q 'has 0 MB of memory free beside what runs; refused before it is copied' "$d/no"
[ "$(find $dir -name 'app-*.tar' | grep -vc app-example.tar)" -eq 0 ]
echo "ok a version that a node has no memory for is refused before it is copied"

mkdir "$d/way"
echo >"$d/way/file"
echo '{"Entrypoint":["/file"],"Labels":{"dstack.egress":"open"}}' >"$d/way.json"
"$bin" app build "$d/way" -o "$d/way.tar" --config "$d/way.json" >"$d/digest"
rc=0
"$bin" app push "$d/way.tar" --dir $dir 2>"$d/no" || rc=$?
[ $rc -eq 1 ] && [ "$(wc -l <"$d/no")" -eq 1 ]
grep -q 'dstack.egress=open asks for a way out, which the node of .* does not give; refused before it is copied' "$d/no"
[ "$(find $dir -name 'app-*.tar' | grep -vc app-example.tar)" -eq 0 ]
echo "ok a version that may go out is refused where a node gives no way"

# every answer from now on is one of the two versions
while :; do
	for p in "$p0" "$p1"; do
		get "$p" >"$d/page" 2>&1 || true
		if grep -q 'Second version' "$d/page"; then echo "$p new"
		elif grep -q "$old" "$d/page"; then echo "$p old"
		else echo "$p bad: $(head -c 300 "$d/page" | tr '\n' ' ')"; fi
	done
done >"$d/seen" &
loop=$!
"$bin" app push "$d/new.tar" --dir $dir --json >"$d/pushed"
[ "$(jq -c '[.name, .digest, .version, .proposed, .volumes, .served]' "$d/pushed")" = \
	"[\"app-example\",\"$new\",2,true,2,true]" ]
# it has waited: both serve, and no page is waited for
for p in "$p0" "$p1"; do get "$p" | grep -q 'Second version of the greeting'; done
jq -r '.nodes[]' "$d/pushed" >"$d/nodes"
[ "$(grep -c '^serves version 2 for [0-9]* s$' "$d/nodes")" -eq 2 ]
echo "ok push ends when every node serves the version"
wait_for 'Second version of the greeting'
n=0
until grep -q "$p0 new" "$d/seen" && grep -q "$p1 new" "$d/seen"; do
	n=$((n + 1))
	[ $n -lt 600 ] || { echo "the loop stands still"; exit 1; }
	sleep 0.1
done
kill "$loop" && wait "$loop" || true
loop=
echo "ok promise 9: both nodes swap to the version that was pushed"
if grep bad "$d/seen"; then exit 1; fi
for p in "$p0" "$p1"; do
	sed -n "s/^$p //p" "$d/seen" | uniq | tr '\n' ' ' >"$d/order"
	[ "$(cat "$d/order")" = "old new " ] || { echo "port $p: $(cat "$d/order")"; exit 1; }
done
echo "ok the old version serves until the new one does"

"$bin" app push "$d/new.tar" --dir $dir --json >"$d/pushed"
[ "$(jq -c '[.version, .proposed]' "$d/pushed")" = "[2,false]" ]
echo "ok the newest version is not proposed again"

"$bin" app rollback --dir $dir --json --no-wait >"$d/pushed"
[ "$(jq -c '[.version, .proposed, .served]' "$d/pushed")" = "[3,true,null]" ]
wait_for "$old"
"$bin" status --dir $dir --json >"$d/status"
[ "$(jq -c '[.app.version, (.nodes[].status.app.version)]' "$d/status")" = "[3,3,3]" ]
echo "ok rollback brings the old version back under a higher number"

# its author is told why a version does not run
mkdir "$d/tree"
printf 'int main(void) { return 5; }' >"$d/ends.c"
${CC:-gcc} -static -o "$d/tree/app" "$d/ends.c"
printf '{"Entrypoint":["/app"],"ExposedPorts":{"80/tcp":{}}}' >"$d/ends.json"
"$bin" app status --dir $dir --json >"$d/status"
[ "$(jq -c '[.wanted.version, .next, (.nodes[] | .state, .app.serving, .app.up)]' "$d/status")" = \
	'[3,null,"serves",3,true,"serves",3,true]' ]
"$bin" app build "$d/tree" -o "$d/ends.tar" --config "$d/ends.json" >/dev/null
reason='refused version 4: app ended before it listened on port 80 (exit 5) (tried [0-9]* times, again in [0-9]* s)'
for try in first second; do
	rc=0
	"$bin" app push "$d/ends.tar" --dir $dir >"$d/progress" 2>"$d/no" || rc=$?
	[ $rc -eq 1 ] && [ "$(wc -l <"$d/no")" -eq 1 ]
	grep -q "^dstack: app: node [01] $reason\$" "$d/no"
	grep -q '^node 1: 1 MB copied into its host volume$' "$d/progress"
	grep -q "^node 1 $reason\$" "$d/progress"
	if grep -q "$(printf '\033')" "$d/progress"; then exit 1; fi
	echo "ok a $try push of a version that ends at once ends 1 with its exit status"
done
"$bin" app status --dir $dir --json >"$d/status" && exit 1
[ "$(jq -c '[.nodes[].app | .serving, .refused.version, .refused.reason, .lastEnd.version, .lastEnd.exit, .lastEnd.memory]' "$d/status")" = \
	'[3,4,"app ended before it listened on port 80 (exit 5)",4,5,false,3,4,"app ended before it listened on port 80 (exit 5)",4,5,false]' ]
"$bin" app status --dir $dir >"$d/status" && exit 1
grep -q '^node 1    refused version 4: app ended before it listened on port 80 (exit 5) (tried [0-9]* times, again in [0-9]* s)$' "$d/status"
"$bin" status --dir $dir | grep -q '^  refused     version 4: app ended'
echo "ok app status says which version was refused, and how it ended"

# one that never listens: neither yes nor no in the time given; and a terminal
printf 'int pause(void); int main(void) { for (;;) pause(); }' >"$d/ends.c"
${CC:-gcc} -static -o "$d/tree/app" "$d/ends.c"
"$bin" app build "$d/tree" -o "$d/never.tar" --config "$d/ends.json" >/dev/null
script -qec "'$bin' app push '$d/never.tar' --dir $dir --timeout 4" /dev/null >"$d/progress" && exit 1
[ "$(grep -c 'dstack: app: not all nodes serve version 5 after 4 s' "$d/progress")" -eq 1 ]
grep -q "$(printf '\r')node 0 .*; node 1 .*$(printf '\033')\[K" "$d/progress"
echo "ok on a terminal a push that takes too long is one moving line, and ends undecided"

# several containers: pushed and served like one
cat >"$d/compose.yaml" <<E
services:
  web:
    image: $d/new.tar
    ports: ["80:80"]
  beside:
    image: $d/new.tar
E
"$bin" app build "$d/compose.yaml" -o "$d/two.tar" >/dev/null
"$bin" app push "$d/two.tar" --dir $dir >"$d/progress" || { cat "$d/progress"; exit 1; }
wait_for "Second version of the greeting"
"$bin" app status --dir $dir >/dev/null
echo "ok a manifest of two services is pushed and served"
kill "$pid" && wait "$pid" || true
pid=
[ ! -e $dir/owner.key ]
echo "ok the owner's key is gone with the network"
