#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files on the host volume that are not as they should be, and disks that are
# full: one clear line, what served serves on, and mending it is enough.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
need
own_net "$PWD/tests/net/bad_files.sh"
base bad-files
good=$net/node0/host_volume/certificate.pem
app=$net/node0/host_volume/app-example.tar

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
	-subj "/CN=$domain" -addext "subjectAltName=DNS:$domain" \
	-addext basicConstraints=critical,CA:FALSE \
	-keyout /dev/null -out "$net/other.pem" 2>/dev/null
head -c 300000 "$app" >"$net/short.tar"

# everything wrong at the start
make_node late
echo 'no certificate' >"$d/hv/certificate.pem"
cp "$net/short.tar" "$d/hv/app-example.tar"
start_node
says "$d/console.log" 'kubernethes: app-example version 1 does not run: '
sleep 1
once "$d/console.log" 'does not run: host_volume/app-example.tar, copy it again: '
cp "$app" "$d/hv/app-example.tar"
says "$d/console.log" 'certificate.pem is not a list of PEM certificates'
cp "$net/other.pem" "$d/hv/certificate.pem"
says "$d/console.log" 'certificate.pem is for another key; have request.csr'
if curl -sk --max-time 3 -o /dev/null "https://127.0.0.1:$https/"; then
	fail "it serves a certificate of another key"
fi
sleep 1
once "$d/console.log" 'certificate.pem is not a list'
once "$d/console.log" 'certificate.pem is for another key'
cp "$good" "$d/hv/certificate.pem"
reaches serving
serves "$https" || fail "no page"
echo "ok a garbled certificate, one for another key: one line each, not served, then mended"
echo "ok an archive cut short: one line, and the app runs when it is whole"

# while it serves: the old ones stay
cp "$net/other.pem" "$d/hv/certificate.pem"
./build_app.sh -o "$PWD/$net/second.tar" --greeting "The second one" >"$net/second" 2>&1
digest=$("$bin" app inspect "$net/second.tar" --json | jq -r .digest)
digest=${digest#sha256:} digest=${digest#0x}
next=$d/hv/app-${digest:0:16}.tar
head -c 300000 "$net/second.tar" >"$next"
as_owner 'proposeApp(bytes32,bytes32,string,uint64,uint64)' \
	"$("$cast" keccak app-example)" "0x$digest" app-example 2 0
says "$d/console.log" 'app-example version 2 does not run, the old one keeps serving: '
says "$d/console.log" 'another key; have request.csr of this network signed; the one before stays'
serves "$https" || fail "the old app or certificate is gone"
once "$d/console.log" 'the one before stays'
once "$d/console.log" 'version 2 does not run'
# garbled: of the right length, one byte another
cp "$net/second.tar" "$net/garbled.tar"
printf 'X' | dd of="$net/garbled.tar" bs=1 seek=400000 conv=notrunc status=none
: >"$d/console.log"
mv "$net/garbled.tar" "$next"
says "$d/console.log" 'version 2 does not run, the old one keeps serving: ' 70
once "$d/console.log" "host_volume/${next##*/}, copy it again: layer 0"
serves "$https" || fail "the old app is gone"
echo "ok a certificate for another key: one line, the one before is served on"
echo "ok archives cut short and garbled: one line each, the old one serves on"
cp "$net/second.tar" "$next"
cp "$good" "$d/hv/certificate.pem"
says "$d/console.log" 'serving app-example version 2' 70
page "$https" | grep -q 'The second one' || fail "not the second one" "$d/console.log"
echo "ok the whole archive is taken by itself"
gone "$node_pid"
