#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two things that operators do and that used to cost them everything: turning
# the epoch by the book, and paying from another account. A disk that would be
# refused is refused before a secret is made or a request paid for.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/rotate.sh"
base rotate-net
nonce() { "$cast" nonce "$1" --rpc-url "$rpc"; }
own() { "$bin" contract "$@" --rpc "$rpc" --contract "$contract" --key-file "$net/owner.key"; }
mark() { curl -sSf --max-time 10 --cacert "$ca" --connect-to "::127.0.0.1:$1" "https://$domain/data/mark" "${@:2}"; }

make_node turner
start_node
reaches serving
until_true 60 serves "$https"
echo precious >"$d/mark"
mark "$https" -T "$d/mark" >/dev/null
[ "$(mark "$https")" = precious ]
gone "$node_pid"

# another account pays: the node's data stays its own
old=$(sed -n 's/^PRIVKEY=//p' "$d/host.env") new=$(openssl rand -hex 32)
payer=$("$cast" wallet address --private-key "$new")
call_rpc anvil_setBalance "[\"$payer\",\"0x56bc75e2d63100000\"]"
call_rpc evm_mine '[]'
set_env PRIVKEY "$new"
: >"$d/console.log"
start_node
says "$d/console.log" 'if PRIVKEY was changed, set NODE_KEY to the one before'
until_true 30 sh -c "! kill -0 $node_pid 2>/dev/null"
[ "$(nonce "$payer")" -eq 0 ] || fail "it paid for a request first" "$d/node.log"
echo "ok another PRIVKEY: refused before anything is paid for, and what to do is said"
echo "NODE_KEY=$old" >>"$d/host.env"
start_node
reaches serving
until_true 60 serves "$https"
[ "$(mark "$https")" = precious ] || fail "the data is gone" "$d/console.log"
[ "$(nonce "$payer")" -ge 1 ]
echo "ok with NODE_KEY the new account pays, and the volume is the node's"
gone "$node_pid"

# the next epoch, by docs/operating.md: this node is to bootstrap it
tuple=$(own show --tuples --json | jq -r '.tuples[0].tuple')
own open-epoch --bootstrapper "$payer" --platforms open >/dev/null
own allow-tuple "$tuple" >/dev/null
before=$(nonce "$payer")
: >"$d/console.log"
start_node
says "$d/console.log" 'the volume is of epoch 0 and does not open in epoch 1'
until_true 30 sh -c "! kill -0 $node_pid 2>/dev/null"
if grep -q 'phase bootstrap' "$d/console.log"; then fail "it made a secret first" "$d/console.log"; fi
[ "$(own show --json | jq -r .epoch.epoch)" = 0 ]
[ "$(nonce "$payer")" -eq "$before" ]
echo "ok a volume of the epoch before: refused before the new secret is made"
# what the line says to do
mv "$d/volume" "$d/volume-of-epoch-0"
set_env NODE_INDEX 4711
start_node
reaches onboarded
[ "$(own show --json | jq -c '[.epoch.epoch, .epoch.state]')" = '[1,"active"]' ]
# the key is another, and with it the certificate: see docs/operating.md
says "$d/console.log" 'serving app-example' 60
says "$d/console.log" 'certificate.pem is for another key' 60
echo "ok as the line says: the new epoch has its key, and serves with an empty volume"
gone "$node_pid"
[ -s "$d/volume-of-epoch-0/data/mark" ] || [ -n "$(find "$d/volume-of-epoch-0" -name mark)" ]
echo "ok the old volume is untouched"
