#!/bin/sh
# The image boots to its roles, and to nothing when something is not as it
# was measured or the machine is unfit (THREATS T03, T27, T29).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/lib.sh
vm_prepare

size=$(cat "$B/image/sim/vmlinuz" "$B/image/sim/initramfs.cpio.zst" | wc -c)
check "kernel and initramfs are at most 32 MB ($size bytes)" \
	"$(yes_if test "$size" -le 32000000)"

said() {
	if grep -q "$1" "$console"; then echo yes; else
		sed 's/^/# /' "$console" >&2
		echo no
	fi
}

until='phase boot' boot good "$vmtmp/netcfg" '' ''
check "init checks netcfg and starts every role" "$(said 'phase boot')"

# as a trust domain's firmware boots it: OVMF loads the kernel as a PE image,
# its EFI stub takes the initramfs (emulated, without TDX)
ovmf=/usr/share/ovmf/OVMF.fd
if [ -f $ovmf ]; then
	until='phase boot' boot ovmf "$vmtmp/netcfg" '' \
		"s,^.*qboot.rom\$,$ovmf,"
	check "and under OVMF by the kernel's EFI stub" "$(said 'phase boot')"
fi

sed 's/max-age=3600/max-age=3601/' "$vmtmp/netcfg" >"$vmtmp/other"
boot wrong "$vmtmp/other" '' ''
check "another netcfg than the measured one is refused" "$(said MRCONFIGID)"
check "and the machine powers itself off" "$(yes_if test "$off" = 0)"

boot word "$vmtmp/netcfg" ' dstack.debug=1' ''
check "an unknown dstack. word on the command line halts" \
	"$(said "dstack.debug=1' is not allowed")"

boot sh "$vmtmp/netcfg" ' init=/bin/sh rd.break single' ''
check "init= and rd.break reach no shell" "$(said 'is not allowed')"

boot cpu "$vmtmp/netcfg" '' 's/^max,la57=off,erms=off$/&,-rdrand,-rdseed/'
check "a CPU without RDRAND halts before any key is made" \
	"$(said 'no RDRAND')"

boot ports "$vmtmp/netcfg" '' 's/name=dstack.link/name=org.qemu.guest_agent.0/'
check "a guest agent port is not answered and no link means no start" \
	"$(said 'no serial port dstack.link')"
exit $bad
