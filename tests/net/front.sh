#!/bin/sh
# What the HTTPS front does for an app, on a network without VMs: HTTP/2 to a
# real server of Node that speaks it without TLS, found out by asking; and the
# client's address, by a PROXY header, to one that asks for it by a label. The
# images have Node and the libraries that it needs, and nothing else.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
[ -x /usr/bin/pebble ] && command -v crun >/dev/null || { echo "pebble or crun is not installed"; exit 77; }
curl --version | grep -q HTTP2 || { echo "curl without HTTP/2"; exit 77; }
make -s contracts
[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
dir=build/demo-front
d=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; }
	rm -rf "$d"
}
trap cleanup EXIT
fail() {
	echo "not ok: $1"
	tail -5 $dir/node0/node.log $dir/node0/console.log 2>/dev/null || true
	exit 1
}

# image NAME MEMBERS: Node with $d/NAME.mjs, its config with these members
image() {
	mkdir -p "$d/$1/usr/bin"
	cp -L "$(command -v node)" "$d/$1/usr/bin/node"
	ldd "$d/$1/usr/bin/node" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$d/$1$(dirname "$lib")"
		cp -L "$lib" "$d/$1$lib"
	done
	cp "$d/$1.mjs" "$d/$1/app.mjs"
	echo "{\"Cmd\":[\"/usr/bin/node\",\"/app.mjs\"]$2}" >"$d/$1.json"
	"$bin" app build "$d/$1" -o "$d/$1.tar" --config "$d/$1.json" >/dev/null
	rm -rf "${d:?}/$1"
}
cat >"$d/h2.mjs" <<'E'
import http2 from 'node:http2'
http2.createServer((q, a) => a.end(`h2 of ${q.httpVersion}\n`)).listen(8080)
E
cat >"$d/proxy.mjs" <<'E'
import net from 'node:net'
net.createServer(c => {
	let all = Buffer.alloc(0)
	c.on('error', () => {}).on('data', b => {
		all = Buffer.concat([all, b])
		const local = all.length >= 16 && all[15] === 0
		const at = local ? 16 : 28
		if (all.indexOf('\r\n\r\n', at) < 0) return
		const body = local ? 'nobody\n' : `${[...all.subarray(16, 20)].join('.')} ${all.readUInt16BE(24)}\n`
		c.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
	})
}).listen(9000)
net.createServer(c => c.on('error', () => {}).end('220 mail\r\n')).listen(25)
E
image h2 ',"ExposedPorts":{"8080/tcp":{}}'
image proxy ',"Labels":{"dstack.proxy":"v2"}'
echo '{"Cmd":["/x"],"Labels":{"dstack.forwarded":"yes"}}' >"$d/no.json"
mkdir "$d/no"
if "$bin" app build "$d/no" -o "$d/no.tar" --config "$d/no.json" 2>"$d/err"; then
	fail "X-Forwarded-For is not refused"
fi
grep -q 'dstack.proxy=v2 tells' "$d/err" || fail "$(cat "$d/err")"
echo "ok X-Forwarded-For is refused, with the reason"

"$bin" demo --no-vm --view rpc --nodes 1 --json --keep --timeout 240 --dir $dir >"$d/out" 2>"$d/err" &
pid=$!
n=0
until grep -q '"ready"' "$d/out"; do
	n=$((n + 1))
	[ $n -lt 2400 ] || fail "$(cat "$d/out" "$d/err")"
	kill -0 "$pid" || fail "$(cat "$d/err")"
	sleep 0.1
done
port=$(jq -r 'select(.event=="node" and .phase=="serving").https' "$d/out" | sed 's/.*://')
get() { # CURL-ARGUMENTS
	curl -sS --max-time 20 --cacert $dir/ca/ca.pem --connect-to "::127.0.0.1:$port" "$@" https://demo.dstack.test/
}

[ "$(get --http2 -o /dev/null -w '%{http_version}')" = 1.1 ] || fail "HTTP/2 to an app that has none"
echo "ok an app that speaks HTTP/1.1 alone is asked for no more"
"$bin" app push "$d/h2.tar" --dir $dir >/dev/null || fail "push"
[ "$(get --http2 -o "$d/page" -w '%{http_version}')" = 2 ] || fail "no HTTP/2"
[ "$(cat "$d/page")" = 'h2 of 2.0' ] || fail "$(cat "$d/page")"
echo "ok an app that speaks HTTP/2 is offered to clients, and gets their bytes"
i=0
while [ $i -lt 300 ]; do
	printf 'url = "https://demo.dstack.test/"\noutput = /dev/null\n'
	i=$((i + 1))
done >"$d/crowd"
curl -s --http2 --parallel --parallel-immediate --parallel-max 300 --max-time 60 \
	--cacert $dir/ca/ca.pem --connect-to "::127.0.0.1:$port" \
	-w '%{http_code} %{num_connects}\n' -K "$d/crowd" >"$d/crowd.out" 2>/dev/null || true
[ "$(grep -c '^200 ' "$d/crowd.out")" -eq 300 ] || fail "$(sort "$d/crowd.out" | uniq -c)"
[ "$(awk '{n += $2} END {print n}' "$d/crowd.out")" -ge 290 ] || fail "they shared connections"
echo "ok 300 connections at once are all answered"
"$bin" app push "$d/proxy.tar" --dir $dir >/dev/null || fail "push"
get --http2 -w '%{http_version} %{local_port}\n' >"$d/page"
[ "$(cat "$d/page")" = "127.0.0.1 $(sed -n '2s/.* //p' "$d/page")
1.1 $(sed -n '2s/.* //p' "$d/page")" ] || fail "$(cat "$d/page")"
echo "ok an app of no EXPOSEd port is found by its HTTP, and hears who its client is"
