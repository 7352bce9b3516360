#!/bin/bash
# The contract on a real chain, by its command line: deploy, open an epoch,
# bootstrap, register, onboard, propose an app, and what is refused.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
work=$(mktemp -d)
chain=
cleanup() {
	[ -z "$chain" ] || kill "$chain" 2>/dev/null || true
	[ -z "$chain" ] || wait "$chain" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

contracts/npm
[ -f "$B/contracts/KeyManager.bin" ] || node contracts/build.mjs "$B/contracts"
anvil=tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
cast=$PWD/tools/node_modules/@foundry-rs/cast-linux-amd64/bin/cast
dstack=$B/bin/dstack

: >"$work/anvil.log"
# anvil's port 0 lets the kernel choose; its log then says which
"$anvil" --port 0 --hardfork prague --block-time 1 --mixed-mining --order fifo \
	>"$work/anvil.log" 2>&1 &
chain=$!
port=
for _ in $(seq 400); do
	port=$(sed -n 's/^Listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$work/anvil.log")
	[ -z "$port" ] || break
	kill -0 "$chain" || { cat "$work/anvil.log"; exit 1; }
	sleep 0.05
done
[ -n "$port" ] || { echo "anvil did not start"; cat "$work/anvil.log"; exit 1; }
rpc=http://127.0.0.1:$port

umask 077
# anvil's first account: of nobody, and only on a chain of this script
echo 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80 >"$work/owner"
owner=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
zero=0000000000000000000000000000000000000000000000000000000000000000
tuple=${zero//0/1}
digest=${zero//0/2}

contract() { "$dstack" contract "$@" --rpc "$rpc" --key-file "$work/owner"; }
# refused EXIT TEXT ARGS...: this exit status and this word in the message
refused() {
	want=$1 text=$2
	shift 2
	got=0
	contract "$@" >"$work/out" 2>&1 || got=$?
	if [ "$got" != "$want" ] || ! grep -q "$text" "$work/out"; then
		echo "not ok: contract $*: exit $got, wanted $want and '$text':"
		cat "$work/out"
		exit 1
	fi
	if [ "$(wc -l <"$work/out")" -ne 1 ]; then
		echo "not ok: more than one line:"; cat "$work/out"; exit 1
	fi
}

json=$(contract deploy --sim --notice 0 --json)
km=$(echo "$json" | jq -r .contract)
code=$("$cast" code "$km" --rpc-url "$rpc")
[ "$(echo "$json" | jq -r .codeHash)" = "$("$cast" keccak "$code")" ]
echo "ok deploy prints address and code hash"
on=(--contract "$km")

contract open-epoch --bootstrapper "$owner" --platforms open "${on[@]}" >/dev/null
contract allow-tuple "$tuple" "${on[@]}" >/dev/null
contract accept-advisory INTEL-SA-00615 "${on[@]}" >/dev/null
show=$(contract show --json "${on[@]}")
[ "$(echo "$show" | jq -c '[.epoch.state, .epoch.policy.platformMode, .ct, .noticePeriod, .app]')" = '["open",3,"onchain",0,null]' ]
[ "$(echo "$show" | jq -r .owner)" = "$owner" ]
echo "ok an epoch is opened and shown"
refused 1 'epoch 0 is open and has no key yet' open-epoch --bootstrapper "$owner" --platforms open "${on[@]}"
refused 1 'already allowed in epoch 0' allow-tuple "$tuple" "${on[@]}"
[ "$(contract show --tuples --json "${on[@]}" | jq -c .tuples)" = "[{\"epoch\":0,\"tuple\":\"0x${tuple#0x}\",\"allowed\":true}]" ]
contract show --tuples "${on[@]}" | grep -q "tuple: 0x${tuple#0x}"
echo "ok a second epoch and a tuple twice are refused with the reason, and tuples are listed"

name=localhost/an-app-with-a-name-of-more-than-31-characters
contract propose --name "$name" --digest "sha256:$digest" "${on[@]}" >/dev/null
contract propose --name app2 --digest "$tuple" "${on[@]}" >/dev/null
show=$(contract show --json "${on[@]}")
[ "$(echo "$show" | jq -c '[.previousApp.name, .previousApp.version, .app.name, .app.version]')" = "[\"$name\",1,\"app2\",2]" ]
[ "$("$cast" call "$km" 'container()(string)' --rpc-url "$rpc")" = '"app2"' ]
echo "ok apps are proposed and shown, long names too"

# A node's three statements, signed by keys made here
domain=$("$cast" keccak "$("$cast" abi-encode 'f(bytes32,bytes32,bytes32,uint256,address)' \
	"$("$cast" keccak 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')" \
	"$("$cast" keccak dstack2)" "$("$cast" keccak 1)" 31337 "$km")")
digest_of() { # TYPE-TEXT ABI-TYPES VALUES...
	text=$1 types=$2
	shift 2
	h=$("$cast" keccak "$("$cast" abi-encode "f(bytes32,$types)" "$("$cast" keccak "$text")" "$@")")
	"$cast" keccak "0x1901${domain#0x}${h#0x}"
}
sign() { "$cast" wallet sign --no-hash "$1" --private-key "0x${2}"; }
net=$(printf '42%.0s' $(seq 32)) node=$(printf '41%.0s' $(seq 32))
xpub=0x17c5185167401eD00cF5F5b2fc97D9BBfDb7D025
nodeaddr=0xa267E4f15c979289993a95E22ca9CDF077b708Ba
send() { # SIGNATURE ARGS...: gas used, or empty
	"$cast" send "$km" "$@" --rpc-url "$rpc" --private-key "$(cat "$work/owner")" --json |
		jq -r 'select(.status == "0x1") | .gasUsed' | xargs printf '%d\n'
}
anchor() {
	number=$("$cast" block-number --rpc-url "$rpc")
	hash=$("$cast" block "$number" --field hash --rpc-url "$rpc")
}
policy=$(echo "$show" | jq -r .epoch.policyHash)
seed=0x${zero//0/3} quote=0x${zero//0/4} enc=0x${zero//0/5} nonce=0x${zero//0/6}
B_T='uint64,address,bytes32,bytes32,bytes32,uint64,address'
anchor
b=(0 "$xpub" "$seed" "$policy" "$hash" "$number" "$owner")
d=$(digest_of 'Bootstrap(uint64 epoch,address xPub,bytes32 seedCommit,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter)' "$B_T" "${b[@]}")
tuple_of() { local IFS=,; echo "($*)"; }
gas_b=$(send "bootstrap(($B_T),bytes,bytes32)" "$(tuple_of "${b[@]}")" "$(sign "$d" "$net")" "$quote")
anchor
R_T='uint64,address,bytes32,bytes32,bytes32,uint64,address,bytes32'
r=(0 "$nodeaddr" "$enc" "$policy" "$hash" "$number" "$owner" "$nonce")
id=$(digest_of 'Register(uint64 epoch,address node,bytes32 encKeyHash,bytes32 policyHash,bytes32 anchorHash,uint64 anchorNumber,address submitter,bytes32 nonce)' "$R_T" "${r[@]}")
d=$(digest_of 'RegisterTx(bytes32 requestId,bytes32 quoteHash)' bytes32,bytes32 "$id" "$quote")
gas_r=$(send "register(($R_T),bytes32,bytes)" "$(tuple_of "${r[@]}")" "$quote" "$(sign "$d" "$node")")
ct=0x$(printf '%02x' $(seq 1 89))
O_T='bytes32,uint64,bytes32,bytes32,bytes32,uint8,address'
o=("$id" 0 "$seed" "$("$cast" keccak "$ct")" "0x$digest" 0 "$owner")
d=$(digest_of 'Onboard(bytes32 requestId,uint64 epoch,bytes32 seedCommit,bytes32 ctHash,bytes32 platformHash,uint8 tcbStatus,address payee)' "$O_T" "${o[@]}")
gas_o=$(send "onboard(($O_T),bytes,bytes)" "$(tuple_of "${o[@]}")" "$(sign "$d" "$net")" "$ct")
[ "$("$cast" call "$km" 'requested(bytes32)(uint8,uint64,bytes23)' "$id" --rpc-url "$rpc" | head -1)" = 2 ]
[ "$(contract show --json "${on[@]}" | jq -r .epoch.xPub)" = "$xpub" ]
echo "ok bootstrap $gas_b, register $gas_r, onboard $gas_o gas on a chain"
[ $((gas_r + gas_o)) -le $((52295 + 82641)) ]
echo "ok register and onboard together cost no more than the original's"

att=$("$cast" keccak "0x$(printf attest | od -An -tx1 | tr -d ' \n')$digest")
sig=$(sign "$att" "$net")
contract verify "$digest" "$sig" "${on[@]}" >/dev/null
refused 1 'did not sign' verify "$tuple" "$sig" "${on[@]}"
echo "ok verify by the command line says yes and no"

refused 1 BadEpoch allow-tuple "$digest" "${on[@]}"
refused 1 BadApp propose --name app --digest "$digest" --version 2 "${on[@]}"
refused 1 'no contract at' show --contract "$xpub"
refused 3 'host.env' show --config "$work/none"
refused 1 'notice period' deploy --notice 0
refused 3 'make contracts' deploy --sim --code "$work/none"
contract pause "${on[@]}" >/dev/null
[ "$(contract show --json "${on[@]}" | jq .paused)" = true ]
contract unpause "${on[@]}" >/dev/null
echo "ok each refusal is one clear line"

# floors, pauser, owner
floors() { contract show --json "${on[@]}" | jq -c '.epoch.policy | [.tcbStatusMask, .minTcbEvalNum, .minRootCrl, .minPckCrl]'; }
contract raise-floors --min-eval 17 --min-pck-crl 3 "${on[@]}" >/dev/null
[ "$(floors)" = '[1,17,0,3]' ]
contract raise-floors --min-eval 18 "${on[@]}" >/dev/null
[ "$(floors)" = '[1,18,0,3]' ]
refused 1 NotUp raise-floors --min-eval 4 "${on[@]}"
refused 1 BadPolicy raise-floors --tcb UpToDate,OutOfDate "${on[@]}"
refused 2 'min-eval' raise-floors "${on[@]}"
echo "ok floors rise, one by one, and do not fall"
(umask 077 && openssl rand -hex 32 >"$work/other")
other=$("$cast" wallet address --private-key "0x$(cat "$work/other")")
"$cast" rpc anvil_setBalance "$other" 0x56bc75e2d63100000 --rpc-url "$rpc" >/dev/null
by_other() { "$dstack" contract "$@" --rpc "$rpc" --key-file "$work/other" "${on[@]}"; }
contract set-pauser "$other" "${on[@]}" >/dev/null
[ "$(contract show --json "${on[@]}" | jq -r .pauser)" = "$other" ]
by_other pause >/dev/null
if by_other unpause 2>"$work/out"; then echo "not ok: the pauser unpauses"; exit 1; fi
grep -q NotOwner "$work/out"
contract unpause "${on[@]}" >/dev/null
echo "ok another pauser, who can stop and not start"
by_other deny-tuple "$tuple" "${on[@]}" >/dev/null
[ "$(contract show --tuples --json "${on[@]}" | jq -c '.tuples[0].allowed')" = false ]
contract allow-tuple-again "$tuple" "${on[@]}" >/dev/null
[ "$(contract show --tuples --json "${on[@]}" | jq -c '.tuples[0].allowed')" = true ]
refused 1 BadValue allow-tuple-again "$tuple" "${on[@]}"
refused 1 TooFar raise-floors --min-eval 4000 "${on[@]}"
echo "ok the owner takes back what the pauser denied; floors do not leap"
call=$(contract transfer-ownership "$other" --calldata --json "${on[@]}")
[ "$(echo "$call" | jq -r .data)" = "$("$cast" calldata 'transferOwnership(address)' "$other")" ]
[ "$(echo "$call" | jq -r .to)" = "$km" ]
call=$(contract propose --name app3 --digest "$digest" --calldata --json "${on[@]}" | jq -r .data)
[ "$("$cast" calldata-decode 'proposeApp(bytes32,bytes32,string,uint64,uint64)' "$call" | sed -n 3p)" = '"app3"' ]
[ "$(contract show --json "${on[@]}" | jq -c '[.owner, .pendingOwner, .app.version]')" = "[\"$owner\",null,2]" ]
echo "ok --calldata prints what a timelock is to send, and sends nothing"
contract transfer-ownership "$other" "${on[@]}" >/dev/null
[ "$(contract show --json "${on[@]}" | jq -c '[.owner, .pendingOwner]')" = "[\"$owner\",\"$other\"]" ]
by_other accept-ownership >/dev/null
[ "$(contract show --json "${on[@]}" | jq -c '[.owner, .pendingOwner]')" = "[\"$other\",null]" ]
refused 1 NotOwner set-pauser "$owner" "${on[@]}"
refused 1 RequestUnknown purge "$id" "${on[@]}"
echo "ok the contract is handed over in two steps"

# an app that was stopped: the one that ran before it comes back at once, any
# other after the notice
km=$(contract deploy --sim --notice 3600 --json | jq -r .contract)
on=(--contract "$km")
app() { contract show --json "${on[@]}" | jq -c "$1"; }
later() {
	"$cast" rpc evm_increaseTime "$1" --rpc-url "$rpc" >/dev/null
	"$cast" rpc evm_mine --rpc-url "$rpc" >/dev/null
}
contract propose --name app --digest "$digest" "${on[@]}" >/dev/null
later 3600
contract propose --name app --digest "$tuple" "${on[@]}" >/dev/null
later 3600
contract stop-app 2 "${on[@]}" >/dev/null
[ "$(app '[.app.version, .app.stopped, .previousApp.stopped]')" = '[2,true,false]' ]
refused 1 TooSoon propose --name app --digest "$node" --not-before 1 "${on[@]}"
contract propose --name app --digest "$digest" "${on[@]}" >/dev/null
[ "$("$cast" block latest --field timestamp --rpc-url "$rpc")" -ge "$(app .app.notBefore)" ]
[ "$(app '[.app.version, .app.stopped]')" = '[3,false]' ]
echo "ok what ran before a stopped version comes back at once"

# a real network's guests take no RPC's word for which block is real: its netcfg
# has a light client's beginning, and no epoch is opened for one without
here=$PWD
dstack=$here/$dstack
cd "$work"
mkdir host_volume
km=$(contract deploy --notice 3600 --json | jq -r .contract)
on=(--contract "$km")
named=(netcfg --domain app.example.org "${on[@]}")
light=(--beacon devnet --checkpoint "0x${zero//0/7}")
sed -n '/^name=devnet/,/^fork=electra/p' "$here/docs/beacon.md" >devnet
refused 1 'takes no simulated TEEs.*(view=rpc)' "${named[@]}" --view rpc
refused 1 'takes no simulated TEEs.*(view=rpc)' "${named[@]}" --view rpc --confirmations 12
refused 3 'and --checkpoint ROOT are needed' "${named[@]}"
refused 3 'and --checkpoint ROOT are needed' "${named[@]}" --beacon sepolia
refused 1 'sepolia has the blocks of chain 11155111, but the contract is on chain 31337' \
	"${named[@]}" --beacon sepolia --checkpoint "0x${zero//0/7}"
refused 3 'goes with --view rpc' "${named[@]}" "${light[@]}" --confirmations 12
[ -z "$(ls host_volume)" ]
contract "${named[@]}" "${light[@]}" >/dev/null
[ "$(sed -n '/^view/,/^max-age/p' host_volume/netcfg)" = "view=beacon
beacon=own
$(sed 's/^/beacon-/' devnet)
checkpoint=0x${zero//0/7}
finality=finalized
max-age=3600" ]
[ "$(grep -E '^(ct|log-app)=' host_volume/netcfg | tr '\n' ' ')" = 'ct=relay log-app=0 ' ]
cp host_volume/netcfg good
echo "ok netcfg of a real network names a beacon chain and where to begin"
open=(open-epoch --bootstrapper "$owner" "${on[@]}")
sed -e '/^beacon/d; /^checkpoint=/d; /^finality=/d' -e 's/^view=.*/view=rpc\nconfirmations=12/' \
	good >host_volume/netcfg
refused 1 'host_volume/netcfg has view=rpc' "${open[@]}"
refused 1 'host_volume/netcfg has view=rpc' "${open[@]}" --calldata
echo heartbeat=60 >>host_volume/netcfg
refused 3 'host_volume/netcfg (write it anew' "${open[@]}"
[ "$(contract show "${on[@]}" --json | jq .epochCount)" = 0 ]
cp good host_volume/netcfg
contract "${open[@]}" >/dev/null
[ "$(contract show "${on[@]}" --json | jq .epochCount)" = 1 ]
echo "ok no epoch of a real network is opened with a netcfg of view=rpc"
