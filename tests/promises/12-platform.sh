#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 12: what the chain learns of the platform. A hash of PPID and FMSPC
# in place of the bare FMSPC; all measurements in place of MRTD alone.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
need_net
grep '^{"data":{"requestId"' "$DSTACK_GOSSIP" | head -1 | jq -c .data >"$d/r"
jq -r .quote "$d/r" >"$d/quote"
"$bin" sim root >"$d/root.pem"
"$bin" quote show "$d/quote" --root "$d/root.pem" --json >"$d/q"
fmspc=$(jq -r .fmspc "$d/q")
echo "$fmspc" | grep -qx '[0-9a-f]\{12\}' || fail "FMSPC '$fmspc'"
# the PPID is in the same extension of the PCK certificate, OID ...13.1.1
xxd_cert() {
	sed 's/^0x//' "$d/quote" | unhex | tr -d '\0' |
		sed -n '/-----BEGIN CERT/,/-----END CERT/p' |
		sed -n '1,/-----END CERT/p' |
		sed 's/.*-----BEGIN/-----BEGIN/' | openssl x509 -outform DER | hexof
}
cert=$(xxd_cert 2>/dev/null)
ppid=$(echo "$cert" | grep -o '060a2a864886f84d010d01010410[0-9a-f]\{32\}' | tail -c 33)
got=$(echo "$cert" | grep -o '060a2a864886f84d010d01040406[0-9a-f]\{12\}' | tail -c 13)
same "FMSPC by OID 1.2.840.113741.1.13.1.4" "$got" "$fmspc"
[ "${#ppid}" -eq 32 ] || fail "no PPID in the certificate"
want=$(keccak "0x$(printf dstack2/ppid/v1 | hexof)$ppid$fmspc")
same "platformHash on chain" \
	"$(events Onboarded | head -1 | jq -r '.data[258:322]')" "${want#0x}"
saw "FMSPC $fmspc; platformHash $want"
tuple=$(jq -r '.mr_td + (.rtmr[0:3] | add) + .mr_config_id' "$d/q")
hash=$(keccak "0x$tuple")
same "the tuple in the policy" \
	"$(events TupleSet | jq -r '.topics[2]')" "$hash"
netcfg=$(sha384sum <"$DSTACK_NET/node1/host_volume/netcfg" | cut -c1-96)
same "MRCONFIGID is netcfg's SHA-384" "$(jq -r .mr_config_id "$d/q")" "$netcfg"
saw "MRTD, RTMR0-2 and MRCONFIGID together: tuple $hash is allowed"
echo "ok 12 platform and measurements of the newcomer are what the chain has"
