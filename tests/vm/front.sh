#!/bin/sh
# What an app sees of its clients, its bounds and the time, which of its ports
# they reach, and what its health check may do to the node; all in one VM.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/front.sh"
start_network --nodes 1 || exit 1
hv=$net/node0/host_volume
control=$(sed -n 's/^GUEST_SERVICE=//p' "$net/node0/host.env")
health() {
	curl -sf --max-time 30 "$control/status" | jq -r '.app.health // ""'
}
health_is() {
	case $(health) in "$1"*) ;; *) false ;; esac
}
rpc_call() { # METHOD PARAMS
	curl -sS -H 'content-type: application/json' -o /dev/null \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" "$rpc"
}

mkdir -p "$net/app"
${CC:-gcc} -O2 -static -pthread -o "$net/app/app" tests/vm/front_app.c || exit 1
cat >"$net/app.json" <<-END
	{"Entrypoint":["/app"],"ExposedPorts":{"22/tcp":{},"3000/tcp":{}},
	"Labels":{"dstack.proxy":"v2"},"Healthcheck":{"Test":["CMD","/app","check"],
	"Interval":1000000000,"Timeout":5000000000,"StartInterval":500000000,
	"Retries":2}}
END
digest=$("$bin" app build "$net/app" -o "$net/app.tar" --config "$net/app.json" |
	grep -oE '[0-9a-f]{64}' | head -1)
cp "$net/app.tar" "$hv/app-$(echo "$digest" | cut -c1-16).tar"
contract propose --name app-example --digest "$digest" >/dev/null
wait_for 200 has 0 / "the front's app"
check "of 22 and 3000 the one that answers HTTP is reached" \
	"$(yes_if has 0 / "the front's app")"
check "its health check has said yes" "$(yes_if health_is healthy)"

get 0 /client >"$net/client"
echo "# client: $(cat "$net/client")"
check "it hears of its client's address, which is this host's" \
	"$(yes_if grep -qx 'cmd=1 10.0.2.2' "$net/client")"
check "its health check is in a group below its own" \
	"$(yes_if has 0 /file/checked '^0::/check0$')"
for f in memory.max cpu.max pids.max; do
	get 0 "/file/sys/fs/cgroup/$f" >"$net/$f"
	echo "# $f: $(cat "$net/$f")"
done
memory=$(cat "$net/memory.max")
check "it sees its bound of memory" \
	"$(yes_if test "$memory" -gt 16777216 -a "$memory" -lt 536870912)"
check "and of processes" "$(yes_if grep -qx 2048 "$net/pids.max")"
check "and its share of the processor" \
	"$(yes_if grep -qE '^(max|[0-9]+) [0-9]+$' "$net/cpu.max")"

for how in fail hang flood bomb; do
	get 0 "/check/$how" >/dev/null
	wait_for 60 health_is unhealthy
	echo "# $how: $(health)"
	check "a health check that does '$how' is unhealthy" \
		"$(yes_if health_is unhealthy)"
	wait_for 30 has 0 /check/well 'it will well'
	check "and the app serves on" "$(yes_if has 0 / "the front's app")"
	wait_for 60 health_is healthy
	check "and is well again" "$(yes_if health_is healthy)"
done
few() {
	[ "$(get 0 /count)" -le 3 ]
}
wait_for 20 few
check "nothing of those checks is left" "$(yes_if few)"

rpc_call evm_increaseTime '[7200]'
rpc_call evm_mine '[]'
ahead() {
	[ "$(get 0 /time)" -gt $(($(date +%s) + 7100)) ]
}
wait_for 60 ahead
check "its clock follows the chain's, forward" "$(yes_if ahead)"

# A crowd that comes at once; who is one too many is tests/unit/guest/tls.
i=0
while [ $i -lt 300 ]; do
	printf 'url = "https://%s/"\noutput = /dev/null\n' "$domain"
	i=$((i + 1))
done >"$net/crowd"
curl -s --parallel --parallel-immediate --parallel-max 300 --max-time 90 \
	--cacert "$ca" --connect-to "::127.0.0.1:$(port 0)" \
	-w '%{http_code} %{time_total}\n' -K "$net/crowd" >"$net/crowd.out" 2>/dev/null
echo "# $(awk '{n[$1]++; if ($2 > most) most = $2} END {for (c in n) printf "%d times %s, ", n[c], c; print "the longest " most " s"}' "$net/crowd.out")"
# QEMU itself listens for one at a time, so on a busy machine some are late.
check "300 connections at once are answered" \
	"$(yes_if test "$(grep -c '^200 ' "$net/crowd.out")" -ge 270)"
check "and the node serves on" "$(yes_if has 0 / "the front's app")"
exit $bad
