#!/bin/bash
# tmuxdemo.sh: one node in tmux, without the demo command for it. A demo
# network of one node gives chain, relay and a peer to be onboarded by.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
command -v tmux >/dev/null || { echo "tmux is not installed"; exit 77; }
if ! [ -x /usr/bin/pebble ] || ! command -v crun >/dev/null; then
	echo "pebble or crun is not installed"
	exit 77
fi
make -s contracts
[ -f host_volume/app-example.tar ] || ./build_app.sh >/dev/null
if [ -z "${TMUX_TEST_NS-}" ]; then # ports of its own
	TMUX_TEST_NS=1 exec unshare -n "$0"
fi
ip link set lo up
d=$(mktemp -d)
export TMUX_TMPDIR=$d
dir=build/demo-tmux
pid=
cleanup() {
	tmux -L dstack kill-server 2>/dev/null || true
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$d"
}
trap cleanup EXIT

rc=0
./tmuxdemo.sh --detach --config "$d/none" 2>"$d/err" || rc=$?
[ $rc -eq 3 ] && grep -q 'copy host.env.example' "$d/err" && [ "$(wc -l <"$d/err")" -eq 1 ]
rc=0
./tmuxdemo.sh --stop 2>"$d/err" || rc=$?
[ $rc -eq 1 ] && grep -q 'nothing runs' "$d/err"
echo "ok what is missing is one clear line"

"$bin" demo --no-vm --view rpc --nodes 1 --json --keep --timeout 240 --dir $dir >"$d/out" 2>"$d/demo.err" &
pid=$!
for _ in $(seq 2400); do
	grep -q '"ready"' "$d/out" && break
	kill -0 "$pid" || { cat "$d/demo.err"; exit 1; }
	sleep 0.1
done
rpc=$(jq -r .rpc $dir/network.json)
mkdir "$d/hv"
cp $dir/node0/host_volume/netcfg $dir/node0/host_volume/app-example.tar "$d/hv"
(
	umask 077
	sed -e "s|^PRIVKEY=.*|PRIVKEY=$(openssl rand -hex 32)|" \
		-e "s|^GUEST_SERVICE=.*|GUEST_SERVICE=http://127.0.0.1:4901|" \
		-e "s|^HOST_SERVICE=.*|HOST_SERVICE=127.0.0.1:8900|" \
		-e "s|^HTTPS_LISTEN=.*|HTTPS_LISTEN=127.0.0.1:4902|" \
		-e "s|^HOST_VOLUME=.*|HOST_VOLUME=$d/hv|" -e "s|^STATE_DIR=.*|STATE_DIR=$d/state|" \
		-e "s|^NODE_INDEX=.*|NODE_INDEX=7|" $dir/node0/host.env >"$d/host.env"
)
address=$("$bin" node address --config "$d/host.env")
curl -s "$rpc" -H 'Content-Type: application/json' \
	-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"anvil_setBalance\",\"params\":[\"$address\",\"0x56bc75e2d63100000\"]}" >/dev/null

./tmuxdemo.sh --detach --config "$d/host.env" -- --no-vm --auditing $dir/auditing 2>"$d/err"
see() { tmux -L dstack capture-pane -p -S - -t "dstack:0.$1"; } # PANE
await() { # PANE WORDS
	for _ in $(seq 1200); do
		if see "$1" | grep -q -- "$2"; then return; fi
		sleep 0.1
	done
	echo "pane $1 does not show '$2':"
	for p in 0 1 2 3; do echo "--- $p"; see $p | grep . || true; done
	exit 1
}
[ "$(tmux -L dstack list-panes -s -t dstack | wc -l)" -eq 4 ]
for phase in boot register onboarded; do
	await 0 "phase $phase"
	await 1 "dstack: phase $phase"
done
echo "ok the node's pane and the guest's console show the phases of a join"
await 3 "address     0x[0-9a-f]*, onboarded"
await 3 'alive       20'
echo "ok the status pane shows the node"
rc=0
./tmuxdemo.sh --detach --config "$d/host.env" 2>"$d/err" || rc=$?
[ $rc -eq 1 ] && grep -q 'runs already' "$d/err"
echo "ok a second one is refused"

node=$(tmux -L dstack list-panes -s -t dstack -F '#{pane_pid}' | head -1)
kill -0 "$node"
./tmuxdemo.sh --stop
if tmux -L dstack has-session -t dstack 2>/dev/null; then exit 1; fi
if kill -0 "$node" 2>/dev/null; then echo "the node is left"; exit 1; fi
if curl -s -o /dev/null --max-time 2 http://127.0.0.1:4901/status; then echo "the guest is left"; exit 1; fi
kill -0 "$pid"
curl -sf -o /dev/null --max-time 5 "$(jq -r 'select(.phase=="serving").control' "$d/out")/status"
echo "ok it ends what it started and nothing else"

# the terminal goes away: the same end, by SIGHUP; with a relay of its own
sed -i 's|^PUBSUB_URL=.*|PUBSUB_URL=http://127.0.0.1:5901|' "$d/host.env"
./tmuxdemo.sh --detach --config "$d/host.env" -- --no-vm --auditing $dir/auditing 2>/dev/null
await 1 'dstack: phase boot'
await 2 '127.0.0.1:5901'
curl -s -o /dev/null http://127.0.0.1:5901/
node=$(tmux -L dstack list-panes -s -t dstack -F '#{pane_pid}' | head -1)
tmux -L dstack kill-session -t dstack
for _ in $(seq 150); do
	kill -0 "$node" 2>/dev/null || break
	sleep 0.1
done
if kill -0 "$node" 2>/dev/null; then echo "the node is left"; exit 1; fi
if pgrep -f "$d/state/tee.sock" >/dev/null; then echo "a child is left"; exit 1; fi
echo "ok a session that is killed leaves nothing running"
