#!/bin/bash
# A network by hand, without the demo command: every step a node operator and
# the contract's owner take, in their order (docs/operating.md). anvil stands
# for the chain and Pebble for the certificate authority.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
[ "$(id -u)" -eq 0 ] || { echo "needs root (namespaces)"; exit 77; }
if ! [ -x /usr/bin/pebble ] || ! command -v crun >/dev/null; then
	echo "pebble or crun is not installed"
	exit 77
fi
make -s contracts
d=$(mktemp -d)
pids=
cleanup() {
	for p in $pids; do
		kill "$p" 2>/dev/null || true
		wait "$p" 2>/dev/null || true
	done
	rm -rf "$d"
}
trap cleanup EXIT
# start NAME COMMAND...: in the background, its output in $d/NAME.log
start() {
	name=$1
	shift
	"$@" >"$d/$name.log" 2>&1 &
	pids="$! $pids"
	last=$!
}
# await NAME COMMAND...: until the command says yes, or NAME's process ended
await() {
	name=$1
	shift
	for _ in $(seq 1200); do
		if "$@" >/dev/null 2>&1; then return; fi
		kill -0 "$last" 2>/dev/null || break
		sleep 0.1
	done
	echo "not ok: waiting for $name:"
	cat "$d/$name.log"
	exit 1
}

# 0. a chain
port=18645
rpc=http://127.0.0.1:$port
start anvil "$anvil" --port $port --accounts 1 --mixed-mining --block-time 1 --quiet
await anvil curl -s "$rpc"

# 1. the owner: contract, with a key of its own
(umask 077 && echo ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80 >"$d/owner.key")
owner() { "$bin" contract "$@" --rpc $rpc --key-file "$d/owner.key"; }
contract=$(owner deploy --sim --notice 0 --json | jq -r .contract)
echo "ok the owner deploys the contract"

# 2. the operator: host.env from its example, with a new key that has gas
mkdir "$d/hv"
key=$(openssl rand -hex 32)
(
	umask 077
	sed -e "s|^PRIVKEY=.*|PRIVKEY=$key|" -e "s|^ETH_RPC_URL=.*|ETH_RPC_URL=$rpc|" \
		-e "s|^CHAIN_ID=.*|CHAIN_ID=31337|" -e "s|^CONTRACT=.*|CONTRACT=$contract|" \
		-e "s|^PUBSUB_URL=.*|PUBSUB_URL=http://127.0.0.1:15101|" \
		-e "s|^GUEST_SERVICE=.*|GUEST_SERVICE=http://127.0.0.1:14101|" \
		-e "s|^#HOST_SERVICE=.*|HOST_SERVICE=127.0.0.1:18100|" \
		-e "s|^#HTTPS_LISTEN=.*|HTTPS_LISTEN=127.0.0.1:14102|" \
		-e "s|^#HOST_VOLUME=.*|HOST_VOLUME=$d/hv|" \
		-e "s|^#STATE_DIR=.*|STATE_DIR=$d/state|" \
		-e "s|^#FLAVOUR=.*|FLAVOUR=sim|" host.env.example >"$d/host.env"
)
address=$("$bin" node address --config "$d/host.env")
[[ $address =~ ^0x[0-9a-fA-F]{40}$ ]]
curl -s "$rpc" -H 'Content-Type: application/json' \
	-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"anvil_setBalance\",\"params\":[\"$address\",\"0x56bc75e2d63100000\"]}" >/dev/null
echo "ok host.env is its example filled in, and names the node's account"

# 3. what guests are measured with
"$bin" contract netcfg --domain demo.dstack.test --config "$d/host.env" --json >"$d/netcfg.json"
[ "$(jq -r .file "$d/netcfg.json")" = "$d/hv/netcfg" ]
[ "$(jq -r .mrconfigid "$d/netcfg.json")" = "0x$(sha384sum <"$d/hv/netcfg" | cut -d' ' -f1)" ]
grep -qix "contract=$contract" "$d/hv/netcfg"
grep -qx "code-hash=$(owner show --contract "$contract" --json | jq -r .codeHash)" "$d/hv/netcfg"
grep -qx chain-id=31337 "$d/hv/netcfg"
grep -qx ct=onchain "$d/hv/netcfg"
rc=0
"$bin" contract netcfg --config "$d/host.env" 2>"$d/err" || rc=$?
[ $rc -eq 2 ] && grep -q -- '--domain is missing' "$d/err"
rc=0
"$bin" contract netcfg --domain 'a b' --config "$d/host.env" 2>"$d/err" || rc=$?
[ $rc -ne 0 ] && [ "$(wc -l <"$d/err")" -eq 1 ]
grep -qx tls-domain=demo.dstack.test "$d/hv/netcfg"
echo "ok netcfg is written from what the chain says"
"$bin" image measure --config "$d/host.env" --no-vm --json >"$d/measure.json"
[ "0x$(jq -r .mrconfigid "$d/measure.json")" = "$(jq -r .mrconfigid "$d/netcfg.json")" ]
tuple=$(jq -r .tuple "$d/measure.json")
echo "ok the guest's measurement is predicted"

# 4. the owner: epoch, measurement, app
on=(--contract "$contract")
owner open-epoch --bootstrapper "$address" --platforms open "${on[@]}" >/dev/null
owner allow-tuple "$tuple" "${on[@]}" >/dev/null
digest=$(./build_app.sh -o "$d/hv/app-example.tar")
owner propose --name app-example --digest "$digest" "${on[@]}" >/dev/null
[ "$(owner show --json "${on[@]}" | jq -r '.app.digest')" = "$digest" ]
echo "ok epoch, measurement and app are on the chain"

# 5. the relay and the node
start relay "$bin" pubsub --listen 127.0.0.1:15101
await relay curl -s http://127.0.0.1:15101/
start node "$bin" node run --config "$d/host.env" --no-vm --auditing "$d/auditing"
node=$last
await node test -s "$d/hv/request.csr"
echo "ok the node bootstraps and asks for a certificate"
[ -s "$d/auditing/bootstrap-quote-0.json" ]
"$bin" sim root >"$d/root"
"$bin" quote verify "$d/auditing/bootstrap-quote-0.bin" --root "$d/root" --json \
	--collateral "$d/auditing/bootstrap-collateral-0.json" >"$d/verdict"
[ "$(jq -c '[.ok, .tcb_status]' "$d/verdict")" = '[true,"UpToDate"]' ]
for r in mrtd:.mr_td rtmr0:.rtmr[0] rtmr1:.rtmr[1] rtmr2:.rtmr[2] mrconfigid:.mr_config_id; do
	got=$(jq -r "${r#*:}" "$d/verdict")
	[ "${got#0x}" = "$(jq -r ".${r%%:*}" "$d/measure.json")" ]
done
echo "ok promise 20: the bootstrap quote in auditing/ verifies, and is of what was predicted"
[ "$(owner show --json "${on[@]}" | jq -r .epoch.state)" = active ]
echo "ok the epoch is active on the chain"

# 6. the certificate
start ca "$bin" cert local-ca --dir "$d/ca" --port 14200
await ca grep -q '^http ' "$d/ca.log"
"$bin" cert request --directory "$(sed -n 's/^directory //p' "$d/ca.log")" \
	--ca "$(sed -n 's/^ca //p' "$d/ca.log")" --http "$(sed -n 's/^http //p' "$d/ca.log")" \
	--account "$d/account.key" --host-volume "$d/hv"
echo "ok the certificate is ordered by hand"
last=$node
get() {
	curl -sS --max-time 20 --cacert "$d/ca/ca.pem" --connect-to ::127.0.0.1:14102 https://demo.dstack.test/
}
greets() { get | grep -q 'Welcome to Dstack with unstoppable TLS!'; }
await node greets
echo "ok the app greets over verified HTTPS"

serves() { "$bin" status --config "$d/host.env" --json | grep -q '"phase":"serving"'; }
await node serves
"$bin" status --config "$d/host.env" --json >"$d/status"
[ "$(jq -c '[.epoch, .app.name, .app.version, (.nodes|length)]' "$d/status")" = '[0,"app-example",1,1]' ]
[ "$(jq -c '.nodes[0] | [.alive, .phase, .status.state]' "$d/status")" = '[true,"serving","onboarded"]' ]
seen=$(openssl s_client -connect 127.0.0.1:14102 -servername demo.dstack.test </dev/null 2>/dev/null |
	openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
[ "$(jq -r '.nodes[0].certificate.fingerprint' "$d/status")" = "$seen" ]
[ "$(date -d "$(jq -r '.nodes[0].certificate.until' "$d/status")" +%s)" -gt "$(date +%s)" ]
[ $(($(date +%s) - $(date -d "$(jq -r '.nodes[0].heartbeat' "$d/status")" +%s))) -lt 600 ]
if grep -q "$rpc" "$d/status"; then exit 1; fi
"$bin" status --config "$d/host.env" | grep -q "certificate $seen until "
echo "ok status shows epoch, app, sign of life and the certificate on the port"

# 7. another operator, elsewhere: host.env and netcfg, and nothing of auditing/
e=$d/elsewhere
mkdir -p "$e/hv" "$e/auditing"
cp "$d/hv/netcfg" "$d/hv/app-example.tar" "$d/hv/certificate.pem" "$e/hv/"
(
	umask 077
	sed -e "s|^PRIVKEY=.*|PRIVKEY=$(openssl rand -hex 32)|" -e "s|:14101$|:14111|" \
		-e "s|:18100$|:18110|" -e "s|:14102$|:14112|" -e "s|^HOST_VOLUME=.*|HOST_VOLUME=$e/hv|" \
		-e "s|^STATE_DIR=.*|STATE_DIR=$e/state|" "$d/host.env" >"$e/host.env"
)
second=$("$bin" node address --config "$e/host.env")
curl -s "$rpc" -H 'Content-Type: application/json' \
	-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"anvil_setBalance\",\"params\":[\"$second\",\"0x56bc75e2d63100000\"]}" >/dev/null
start elsewhere "$bin" node run --config "$e/host.env" --no-vm --auditing "$e/auditing"
joined() { grep -q 'phase onboarded' "$d/elsewhere.log"; }
await elsewhere joined
grep -q 'bootstrap quote of epoch 0: got over the relay' "$d/elsewhere.log"
for f in quote-0.bin quote-0.json collateral-0.json; do [ -s "$e/auditing/bootstrap-$f" ]; done
cmp "$d/auditing/bootstrap-quote-0.bin" "$e/auditing/bootstrap-quote-0.bin"
"$bin" quote verify "$e/auditing/bootstrap-quote-0.bin" --root "$d/root" \
	--collateral "$e/auditing/bootstrap-collateral-0.json" >/dev/null
echo "ok promise 20: a node with an empty auditing folder gets the bootstrap quote over the relay, and joins"

kill "$node" && wait "$node" || true
"$bin" status --config "$d/host.env" | grep -q '^node 0 *DOWN'
echo "ok status says that a node is down"
