# SPDX-License-Identifier: Apache-2.0
# Boot one VM with a fake host beside it; sourced by the tests of tests/vm.

B=${B:-build}
bad=0
vmtmp=$(mktemp -d)
pids=

cleanup() {
	for p in $pids; do
		kill "$p" 2>/dev/null
	done
	rm -rf "$vmtmp"
}
trap cleanup EXIT

check() { # NAME yes|no
	if [ "$2" = yes ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		bad=1
	fi
}
yes_if() { # command...
	if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi
}

vm_prepare() {
	[ -x /usr/bin/qemu-system-x86_64 ] || {
		echo "no QEMU"
		exit 77
	}
	./build_vm.sh "$B/image" >/dev/null || exit 1
	${CC:-gcc} -D_GNU_SOURCE -Ilib -Iinclude -I. -o "$vmtmp/fakehost" \
		tests/vm/fakehost.c "$B/lib/libdstack-protocol.a" \
		"$B/lib/libdstack-base.a" || exit 1
	cat >"$vmtmp/netcfg" <<-EOF
	dstack-netcfg=2
	chain-id=31337
	contract=0x5fbdb2315678afecb367f032d93f642f64180aa3
	code-hash=0x00000000000000000000000000000000000000000000000000000000000000ff
	view=rpc
	confirmations=0
	max-age=3600
	tls-domain=demo.dstack.test
	ct=onchain
	log-app=1
	EOF
}

wait_for() { # SECONDS command...
	t=$(($1 * 10))
	shift
	while ! "$@" 2>/dev/null; do
		t=$((t - 1))
		[ "$t" -gt 0 ] || return 1
		sleep 0.1
	done
}

# boot NAME SERVED-NETCFG CMDLINE-EXTRA SED-ON-ARGUMENTS: runs to power-off
# or to $until on the console; the console is then in $console.
boot() {
	d=$vmtmp/$1
	i=$B/image/sim
	mkdir -p "$d/img" "$d/vm"
	ln -s "$PWD/$i/vmlinuz" "$PWD/$i/initramfs.cpio.zst" "$d/img/"
	printf '%s%s' "$(cat "$i/cmdline")" "$3" >"$d/img/cmdline"
	"$vmtmp/fakehost" "$d/link.sock" "$2" &
	pids="$pids $!"
	"$B/bin/dstack" sim tee --kernel "$d/img/vmlinuz" \
		--initrd "$d/img/initramfs.cpio.zst" \
		--cmdline-file "$d/img/cmdline" --netcfg "$vmtmp/netcfg" \
		--vcpus 1 --memory 256 --platform-id 1 \
		--listen "$d/tee.sock" >/dev/null 2>&1 &
	pids="$pids $!"
	wait_for 20 test -S "$d/link.sock" -a -S "$d/tee.sock" || return 1
	console=$d/vm/console.log
	: >"$console"
	"$B/bin/dstack" vm start --print --image "$d/img" --run "$d/vm" \
		--link "$d/link.sock" --tee "$d/tee.sock" --control 24001 \
		--https 24002 --accel tcg >"$d/argv" || return 1
	sed "$4" "$d/argv" >"$d/args"
	run_args "$d/args"
	wait_for 240 ended_or "${until:-powering off}"
	# after the last line the machine has to be gone by itself
	if [ -z "${until:-}" ]; then
		wait_for 60 gone "$vm"
		off=$?
	else
		kill "$vm"
		wait "$vm"
		off=0
	fi
}
# Start the command that a file holds, an argument a line; its id is in $vm.
run_args() { # FILE MORE-ARGUMENTS...
	args=$1
	shift
	set -- "$@" --end--
	while IFS= read -r a; do
		set -- "$@" "$a"
	done <"$args"
	while [ "$1" != --end-- ]; do
		a=$1
		shift
		set -- "$@" "$a"
	done
	shift
	"$@" >"$args.log" 2>&1 &
	vm=$!
	pids="$pids $vm"
}
gone() {
	! kill -0 "$1" 2>/dev/null
}
ended_or() {
	grep -q "$1" "$console" || gone "$vm"
}
