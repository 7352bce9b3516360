#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dstack image measure for a trust domain, with Debian's OVMF and the ACPI
# tables that this machine's QEMU gives it; the kernel is fuzz/corpus's.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
[ -x /usr/bin/qemu-system-x86_64 ] || {
	echo "no QEMU"
	exit 77
}
ovmf=/usr/share/ovmf/OVMF.fd
[ -f $ovmf ] || {
	echo "ovmf is not installed"
	exit 77
}
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
bad=0
check() { # NAME command...
	name=$1
	shift
	if "$@" >/dev/null 2>&1; then echo "ok $name"; else
		echo "not ok $name"
		bad=1
	fi
}
not() {
	! "$@"
}
mkdir "$d/img"
cp fuzz/corpus/kernel/pe "$d/img/vmlinuz"
echo initramfs >"$d/img/initramfs.cpio.zst"
printf 'console=ttyS0 quiet' >"$d/img/cmdline"
echo dstack-netcfg=1 >"$d/netcfg"
cp $ovmf "$d/fw"
measure() {
	"$bin" image measure "$d/img" --netcfg "$d/netcfg" --firmware "$d/fw" \
		--acpi "$d/acpi" --json "$@"
}
acpi() { # DIR OPTIONS...
	"$bin" vm acpi --machine q35 --out "$@"
}
# the registers' names whose values differ between two outputs
moved() {
	jq -r 'del(.events)|to_entries[]|"\(.key) \(.value)"' "$1" >"$d/1"
	jq -r 'del(.events)|to_entries[]|"\(.key) \(.value)"' "$2" >"$d/2"
	diff "$d/1" "$d/2" | sed -n 's/^> \([a-z0-9]*\) .*/\1/p' |
		grep -v tuple | tr '\n' ' '
}
acpi "$d/acpi"
acpi "$d/two" --vcpus 2
check "other tables for another number of CPUs" \
	not cmp -s "$d/acpi/tables" "$d/two/tables"
acpi "$d/out" --egress
check "other tables for a machine with a way out" \
	not cmp -s "$d/acpi/tables" "$d/out/tables"
# the firmware ran before they were read: it switches MMCONFIG on
check "the tables are those that a firmware gets" \
	grep -q MCFG "$d/acpi/tables"

measure >"$d/base"
check "20 events are predicted, each with what it follows" \
	jq -e '.tee == "tdx" and (.events|length) == 20 and
	all(.events[]; .follows|length > 3)' "$d/base"
"$bin" image measure "$d/img" --netcfg "$d/netcfg" --firmware "$d/fw" \
	--tee tdx --machine q35 --json >"$d/asked"
check "without --acpi this machine's QEMU is asked, to the same end" \
	cmp "$d/base" "$d/asked"
check "tables of two CPUs are refused for one" \
	not measure --acpi "$d/two"

# one byte, or one number: its own register and no other
moves() { # NAME REGISTERS OPTIONS...
	name=$1 want=$2
	shift 2
	measure "$@" >"$d/now"
	got=$(moved "$d/base" "$d/now")
	check "$name moves $want" test "$got" = "$want "
}
flip() { # FILE OFFSET
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
code=$(($(stat -c %s "$d/fw") - 70000))
flip "$d/fw" $code
moves "a byte of the firmware's code" mrtd
flip "$d/fw" $code
flip "$d/fw" 8000
moves "a byte of its variables" rtmr0
flip "$d/fw" 8000
moves "memory" rtmr0 --memory 512
moves "a way out" rtmr0 --acpi "$d/out"
moves "a CPU" rtmr0 --vcpus 2 --acpi "$d/two"
flip "$d/acpi/tables" 100
moves "a byte of the tables" rtmr0
flip "$d/acpi/tables" 100
flip "$d/img/vmlinuz" 600
moves "a byte of the kernel" rtmr1
flip "$d/img/vmlinuz" 600
printf ' x' >>"$d/img/cmdline"
moves "a word on the command line" rtmr2
printf 'console=ttyS0 quiet' >"$d/img/cmdline"
flip "$d/img/initramfs.cpio.zst" 0
moves "a byte of the initramfs" rtmr2
flip "$d/img/initramfs.cpio.zst" 0
flip "$d/netcfg" 14
moves "a byte of netcfg" mrconfigid
flip "$d/netcfg" 14

# a guest's log is held against it; another machine's differs at once
log=../shared/vectors/dcap/ccel/cos-113/ccel_data.dat
if [ -f "$log" ]; then
	rc=0
	measure --ccel "$log" >/dev/null 2>"$d/said" || rc=$?
	check "a log of another firmware is told apart" test $rc -eq 1
	check "by its first event of each register" \
		test "$(grep -c 'is the first to differ' "$d/said")" -eq 3
	rc=0
	measure --ccel "$log" --quote "${log%/*}/cos-113-tdx-quote.dat" \
		>/dev/null 2>"$d/said" || rc=$?
	check "and so is its quote, which the log replays to" test $rc -eq 1 \
		-a "$(grep -c 'the quote claims' "$d/said")" -eq 5
	rc=0
	measure --ccel "$log" --quote "${log%/ccel/*}/synthetic/synthetic-v5-uptodate/quote.bin" \
		>/dev/null 2>"$d/other" || rc=$?
	check "but not another machine's" test $rc -eq 1 \
		-a "$(grep -c 'is not the log of' "$d/other")" -eq 1
	check "by name" grep -q 'rtmr0, event 1 (TD HOB)' "$d/said"
fi
check "the simulator's registers are what they were" \
	jq -e '.tee == "simulated"' <<-END
	$("$bin" image measure "$d/img" --netcfg "$d/netcfg" --json)
	END
echo '{"flavour":"tdx"}' >"$d/img/manifest.json"
"$bin" image measure "$d/img" --netcfg "$d/netcfg" --acpi "$d/acpi" \
	--json >"$d/now"
check "an image of flavour tdx is measured as a trust domain" \
	cmp "$d/base" "$d/now"
"$bin" image measure "$d/img" --netcfg "$d/netcfg" --tee sim --json >"$d/now"
check "unless --tee says sim" jq -e '.tee == "simulated"' "$d/now"
check "--tee sim takes no firmware" not "$bin" image measure "$d/img" \
	--netcfg "$d/netcfg" --tee sim --firmware "$d/fw"
check "what is no firmware is refused" \
	not measure --firmware "$d/img/vmlinuz"
# a simulated node, as the trust domain that its settings would make
mkdir "$d/hv" "$d/images"
ln -s "$d/img" "$d/images/tdx"
cp fuzz/corpus/netcfg/sim "$d/hv/netcfg"
(
	umask 077
	cat >"$d/host.env" <<-EOF
		PRIVKEY=$(printf '%064d' 1)
		ETH_RPC_URL=http://127.0.0.1:1
		CHAIN_ID=31337
		CONTRACT=0x5fbdb2315678afecb367f032d93f642f64180aa3
		PUBSUB_URL=http://127.0.0.1:2
		GUEST_SERVICE=http://127.0.0.1:3
		HOST_SERVICE=127.0.0.1:4
		HTTPS_LISTEN=127.0.0.1:5
		HOST_VOLUME=$d/hv
		STATE_DIR=$d/state
		IMAGE_DIR=$d/images
		FLAVOUR=sim
	EOF
)
of_node() {
	"$bin" image measure --config "$d/host.env" --tee tdx --json 2>"$d/note" |
		grep -q '"mrtd":"[0-9a-f]\{96\}".*"tuple":"[0-9a-f]\{64\}"' &&
		grep -q 'FLAVOUR=sim: as a trust domain' "$d/note"
}
check "a simulated node has its registers as a trust domain" of_node
exit $bad
