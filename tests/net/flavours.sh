#!/bin/sh
# The tdx guest has nothing of the simulator in it, and the sim guest no TDX
# driver (THREATS T09): by symbol, and by the bytes of the trust root.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
sim=$B/bin/dstack-guest-sim
tdx=$B/bin/dstack-guest-tdx
bad=0

# Bytes of a trust root in guest/trust_*.c, as lower-case hex.
root() {
	sed -n 's/^[[:space:]]*0x.*$/&/p' "$1" | tr -d '[:space:],' |
		sed 's/0x//g'
}
has_bytes() {
	od -An -v -tx1 "$1" | tr -d ' \n' | grep -q "$2"
}
has_symbol() {
	nm "$1" 2>/dev/null | awk '{print $NF}' | grep -E "$2" || true
}
check() { # name, condition that must hold
	if [ "$2" = yes ]; then echo "ok $1"; else
		echo "not ok $1"
		bad=1
	fi
}

simroot=$(root guest/tee/trust_sim.c)
tdxroot=$(root guest/tee/trust_tdx.c)
[ ${#simroot} -eq 128 ] && [ ${#tdxroot} -eq 128 ]
[ -n "$(has_symbol "$tdx" '^tee_main$')" ] || {
	echo "$tdx has no symbols to look at"
	exit 77
}

yn() { if "$@"; then echo yes; else echo no; fi; }
found=$(has_symbol "$tdx" '(^|_)sim(_|$)|teeport')
check "tdx_guest_has_no_simulator_symbol $found" "$(yn test -z "$found")"
found=$(has_symbol "$sim" '^tee_driver_tdx$|^tdx_|^qgs_')
check "sim_guest_has_no_tdx_driver $found" "$(yn test -z "$found")"
found=$(has_symbol "$sim" '^(sim_key|sim_quote|sim_world|teed_)')
check "sim_guest_does_not_hold_the_quote_maker $found" "$(yn test -z "$found")"
check sim_guest_has_the_sim_root "$(yn has_bytes "$sim" "$simroot")"
check tdx_guest_has_intels_root "$(yn has_bytes "$tdx" "$tdxroot")"
if has_bytes "$tdx" "$simroot"; then r=no; else r=yes; fi
check tdx_guest_has_no_byte_of_the_sim_root "$r"
exit "$bad"
