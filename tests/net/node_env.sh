#!/bin/sh
# dstack node run with something wrong: one clear line each, nothing started.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
[ -x "$anvil" ] && [ -f build/contracts/KeyManager.bin ] || {
	echo "anvil or the contract's code is not there: make contracts"
	exit 77
}
d=$(mktemp -d)
pid=
blocker=
cleanup() {
	for p in $pid $blocker; do kill "$p" 2>/dev/null && wait "$p" || true; done
	rm -rf "$d"
}
trap cleanup EXIT
port=18545
# a development chain's first account, known to everyone
key=ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
mkdir "$d/hv"
env_file() { # CONTRACT CHAIN_ID [MORE]
	(
		umask 077
		cat >"$d/host.env" <<-EOF
			PRIVKEY=$key
			ETH_RPC_URL=http://127.0.0.1:$port
			CHAIN_ID=$2
			CONTRACT=$1
			PUBSUB_URL=http://127.0.0.1:15001
			GUEST_SERVICE=http://127.0.0.1:14001
			HOST_SERVICE=127.0.0.1:18000
			HTTPS_LISTEN=127.0.0.1:14002
			HOST_VOLUME=$d/hv
			STATE_DIR=$d/state
			IMAGE_DIR=$d/image
			FLAVOUR=sim
			${3:-}
		EOF
	)
}
# refused EXIT WORDS NAME ARGS...: exit status, one line, words in it
refused() {
	code=$1 words=$2 name=$3
	shift 3
	rc=0
	timeout 30 "$bin" node run --auditing "$d/auditing" "$@" >"$d/out" 2>"$d/err" || rc=$?
	if [ "$rc" -ne "$code" ] || [ "$(wc -l <"$d/err")" -ne 1 ] ||
		! grep -q -- "$words" "$d/err" || grep -q "$key" "$d/err"; then
		echo "not ok $name: exit $rc"
		cat "$d/err"
		exit 1
	fi
	echo "ok $name"
}
none=0x00000000000000000000000000000000000000aa
# netcfg CODE-HASH [CONTRACT [CHAIN]]: in the host volume
netcfg() {
	cat >"$d/hv/netcfg" <<-EOF
		dstack-netcfg=2
		chain-id=${3:-31337}
		contract=$(echo "${2:-$contract}" | tr A-Z a-z)
		code-hash=$1
		view=rpc
		confirmations=0
		max-age=3600
		tls-domain=demo.dstack.test
		ct=onchain
		log-app=1
	EOF
}
ones=0x1111111111111111111111111111111111111111111111111111111111111111

refused 3 "copy host.env.example" "host.env is missing" --config "$d/host.env"
env_file 0x12 31337
refused 3 "CONTRACT is garbled" "host.env is garbled" --config "$d/host.env"
env_file $none 31337 "PUBSUB=1"
refused 3 "no such key 'PUBSUB'" "a misspelt key is named" --config "$d/host.env"
env_file $none 31337
# what this machine lacks is said before the endpoint is waited for
refused 3 "hv/netcfg (get it from the network" "netcfg is missing while the RPC is down" --config "$d/host.env" --no-vm
netcfg $ones $none 5
refused 1 "netcfg is for chain 5" "netcfg of another chain while the RPC is down" --config "$d/host.env" --no-vm
netcfg $ones $none
refused 3 "build the image with" "the image is missing while the RPC is down" --config "$d/host.env"
# a trust domain's guest does not start on an RPC's word for which block is real
mkdir -p "$d/image/tdx"
touch "$d/image/tdx/vmlinuz" "$d/image/tdx/initramfs.cpio.zst" "$d/image/tdx/cmdline"
sed -i 's/^FLAVOUR=.*/FLAVOUR=tdx/' "$d/host.env"
refused 1 "hv/netcfg has view=rpc, which a guest of FLAVOUR=tdx does not start with" "view=rpc on a trust domain while the RPC is down" --config "$d/host.env"
rm -r "$d/image"
sed -i 's/^FLAVOUR=.*/FLAVOUR=sim/' "$d/host.env"
sed -i "s/^view=rpc/view=beacon/; s/^confirmations=0/beacon=sepolia\\ncheckpoint=$ones\\nfinality=finalized/" "$d/hv/netcfg"
refused 3 "BEACON_URL in host.env must name" "a light client without a beacon node" --config "$d/host.env" --no-vm
env_file $none 31337 "BEACON_URL=beacon.example"
refused 3 "BEACON_URL" "a beacon node that is no URL" --config "$d/host.env" --no-vm
env_file $none 31337
netcfg $ones $none
timeout 2 "$bin" node run --no-vm --config "$d/host.env" --auditing "$d/auditing" 2>"$d/err" && exit 1
[ "$(wc -l <"$d/err")" -eq 1 ] && grep -q "chain RPC: http://127.0.0.1:$port: .*; waiting for it" "$d/err" || {
	cat "$d/err"
	exit 1
}
echo "ok RPC is down: waited for, in one line"

"$anvil" --port $port --accounts 1 --quiet >"$d/anvil.log" 2>&1 &
pid=$!
n=0
until curl -s -o /dev/null http://127.0.0.1:$port; do
	n=$((n + 1))
	[ $n -lt 300 ] || { echo "anvil does not start"; exit 1; }
	sleep 0.1
done
(umask 077 && echo $key >"$d/key")
contract=$("$bin" contract deploy --rpc http://127.0.0.1:$port --key-file "$d/key" --sim --notice 0 --json |
	grep -o '"contract":"0x[0-9a-fA-F]*"' | cut -d'"' -f4)
netcfg $ones "$contract" 1
env_file "$contract" 1
refused 1 "serves chain 31337, host.env says CHAIN_ID 1" "another chain" --config "$d/host.env" --no-vm
env_file $none 31337
netcfg $ones $none
refused 1 "no code on chain" "a contract without code" --config "$d/host.env" --no-vm
env_file "$contract" 31337
rm "$d/hv/netcfg"
refused 3 "netcfg" "netcfg is missing" --config "$d/host.env" --no-vm
refused 3 "build the image with" "the image is missing" --config "$d/host.env"
printf 'nonsense\n' >"$d/hv/netcfg"
refused 3 "hv/netcfg: " "netcfg is garbled" --config "$d/host.env" --no-vm
ln -sf /etc/hostname "$d/hv/link" && rm "$d/hv/netcfg" && mv "$d/hv/link" "$d/hv/netcfg"
refused 1 "no regular file" "netcfg is a link" --config "$d/host.env" --no-vm
rm "$d/hv/netcfg"

"$bin" contract show --rpc http://127.0.0.1:$port --contract "$contract" --json >"$d/show"
codehash=$(grep -o '"codeHash": *"0x[0-9a-f]*"' "$d/show" | grep -o "0x[0-9a-f]*")
netcfg $ones
refused 1 "not the one netcfg names" "another contract's code" --config "$d/host.env" --no-vm
netcfg "$codehash"
"$bin" pubsub --listen 127.0.0.1:14001 >/dev/null &
blocker=$!
n=0
until curl -s -o /dev/null http://127.0.0.1:14001/; do
	n=$((n + 1))
	[ $n -lt 100 ] || exit 1
	sleep 0.1
done
refused 3 "port 14001" "a port in use" --config "$d/host.env" --no-vm
kill "$blocker" && wait "$blocker" || true
blocker=
chmod 644 "$d/host.env"
timeout 30 "$bin" node run --config "$d/host.env" 2>"$d/err" || true
grep -q "chmod 600" "$d/err" || { echo "no word on a key that others can read"; exit 1; }
echo "ok a key that others can read is worth a line"
