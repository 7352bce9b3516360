#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 18: unstoppable TLS: one P-256 key for all nodes out of the secret,
# request.csr and certificate.pem in host_volume, the key attested on chain.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
hv=$DSTACK_NET/node0/host_volume
point() { openssl pkey -pubin -outform DER | tail -c 65 | hexof; }
csr=$(openssl req -in "$hv/request.csr" -noout -verify -pubkey 2>/dev/null | point)
cert=$(openssl x509 -in "$hv/certificate.pem" -noout -pubkey | point)
same "key of certificate and request" "$cert" "$csr"
for i in 0 1; do
	port=$(of_node $i https | sed 's/.*://')
	got=$(openssl s_client -connect "127.0.0.1:$port" -servername "$domain" \
		</dev/null 2>/dev/null | openssl x509 -noout -pubkey | point)
	same "key that node $i serves" "$got" "$csr"
done
openssl verify -CAfile "$ca" -untrusted "$hv/certificate.pem" "$hv/certificate.pem" >/dev/null
a=$hv/tls-attestation.json
same "public key" "$(jq -r .publicKey "$a")" "0x$csr"
same "appdata over the 65-byte point" "$(app_data "0x$(printf '00%.0s' $(seq 32))" \
	0 unstoppable_tls "$csr")" "$(jq -r .appData "$a")"
same "verify on chain" "$(call 'verify(bytes32,bytes)(bool)' \
	"$(jq -r .appData "$a")" "$(jq -r .signature "$a")")" true
saw "P-256 ${csr:0:18}..., both nodes; attested as the system, which no app can"
unit test_cert
unit test_server_chain
"$bin" cert --help | grep -q 'cert watch' || fail "no dstack cert watch"
echo "ok 18 one TLS key, its request, its certificate, its attestation on chain"
