#!/bin/sh
# dstack volume by hand, on files that need no guest: what is grown, what is
# copied, what is refused and with which line and exit status. What a guest
# makes of it is tests/vm/volume.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${B:-build}/bin/dstack
d=$(mktemp -d)
lock=
cleanup() {
	[ -z "$lock" ] || kill "$lock" 2>/dev/null
	rm -rf "$d"
}
trap cleanup EXIT
bad=0
disk=$d/hv/encrypted_container.img
mkdir "$d/hv" "$d/state"
umask 077
cat >"$d/host.env" <<END
PRIVKEY=ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
ETH_RPC_URL=http://127.0.0.1:18599
CHAIN_ID=31337
CONTRACT=0x5fbdb2315678afecb367f032d93f642f64180aa3
PUBSUB_URL=http://127.0.0.1:15001
GUEST_SERVICE=http://127.0.0.1:14001
HOST_VOLUME=$d/hv
STATE_DIR=$d/state
FLAVOUR=sim
END

# is NAME STATUS TEXT WORDS...: exit status and a part of what is said
is() {
	name=$1 want=$2 text=$3
	shift 3
	"$bin" volume "$@" >"$d/out" 2>&1
	rc=$?
	if [ "$rc" -eq "$want" ] && grep -q -- "$text" "$d/out" &&
		[ "$(wc -l <"$d/out")" -le 3 ]; then
		echo "ok $name"
	else
		echo "not ok $name (exit $rc)"
		sed 's/^/# /' "$d/out"
		bad=1
	fi
}
c="--config $d/host.env"
# shellcheck disable=SC2086
{
is "a size that is none is a usage error" 2 'MB takes a number' grow 8G $c
is "so is a backup to nowhere" 2 'give -o FILE' backup $c
is "a node without a volume has none to grow" 3 'no volume yet' grow 64 $c
truncate -s 32M "$disk"
is "a volume does not shrink" 1 'only grows' grow 16 $c
is "it grows" 0 'from 32 to 64 MB' grow 64 $c
[ "$(stat -c %s "$disk")" -eq $((64 << 20)) ] || bad=1
is "a disk that no guest has used is not backed up" 1 'no guest has used it' \
	backup -o "$d/b" $c
[ ! -e "$d/b" ] || bad=1
# the front of a record: the magic, a uuid, a volumeId, generation 3
{
	printf 'dstack2/volume/1'
	head -c 48 /dev/zero | tr '\0' 'U'
	printf '\0\0\0\0\0\0\0\003'
} | dd of="$disk" bs=4096 seek=1 conv=notrunc status=none
printf 'some data' | dd of="$disk" bs=1M seek=40 conv=notrunc status=none
is "one with a record is" 0 'generation 3, 64 MB' backup -o "$d/b" $c
[ "$(stat -c %s "$d/b")" -lt 40000 ] || bad=1
is "and not over another file" 1 'exists' backup -o "$d/b" $c
is "what a backup is, is shown" 0 'volume 0x5555' show "$d/b"
is "and what a disk is" 0 'generation 3' show "$disk"
is "another file is neither" 1 'no disk of a volume' show "$d/host.env"
is "a disk that is there is not restored over" 1 'move it away first' \
	restore "$d/b" $c
rm "$disk"
is "without the chain's word nothing is restored" 3 '127.0.0.1:18599' \
	restore "$d/b" $c
[ ! -e "$disk" ] || bad=1
is "another file is not restored" 3 'no backup' restore "$d/host.env" $c
flock "$d/state/lock" sleep 60 &
lock=$!
while flock -n "$d/state/lock" true; do :; done
is "a node that runs is not backed up" 3 'stop it' backup -o "$d/b2" $c
is "nor restored" 3 'stop it' restore "$d/b" $c
}
exit $bad
