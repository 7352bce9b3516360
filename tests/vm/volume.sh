#!/bin/sh
# What happens to a volume over the years: it grows, and the power fails in
# the middle of that; it is checked after each of these; a host shrinks its
# file.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/volume.sh"
start_network --nodes 2 --spare 1 || exit 1
zero=$net/node0
disk=$zero/host_volume/encrypted_container.img
console=$zero/console.log
volume() {
	"$bin" volume "$@"
}
again() { # node 0; what an earlier start said is gone
	: >"$console"
	start_node 0
}
said() { # TEXT: in the console of this start
	grep -q "$1" "$console"
}
tell() {
	grep -E 'volume' "$console" | sed 's/^/# /'
}

# --- a file that must be there at the end
head -c 250000 /dev/urandom >"$net/x"
get 0 /data/x -T "$net/x" >/dev/null
same() {
	get 0 /data/x 2>/dev/null | cmp -s - "$net/x"
}
check "a file is written" "$(yes_if same)"
check "the demo's volumes have 140 MB" \
	"$(yes_if test "$(stat -c %s "$disk")" -eq $((140 << 20)))"

# --- the power fails, and again and again while the volume grows
kill_node 0
check "a volume is not made smaller" "$(yes_if test \
	"$(volume grow 100 --config "$zero/host.env" 2>&1 |
		grep -c 'only grows')" -eq 1)"
# A second, as it comes: before the record, between record and file system,
# while the groups are added.
for wait in 0 0.2 0.6 1.5; do
	mb=$((${mb:-200} * 2))
	volume grow $mb --config "$zero/host.env" >/dev/null || bad=1
	again
	wait_for 300 said 'the volume grows from'
	sleep $wait
	kill_node 0
	echo "# power off $wait s after: $(grep -c 'has grown' "$console") grown"
done
again
wait_for 300 has 0 / 'Welcome to Dstack'
tell
check "the node serves after four power failures while its volume grew" \
	"$(yes_if has 0 / 'Welcome to Dstack')"
check "its file system was checked before it was mounted" "$(yes_if said \
	'was not unmounted; its file system was checked in .* and is whole')"
check "and none of its blocks was called damaged" \
	"$(said 'is not mended' && echo no || echo yes)"
check "what was written before is there" "$(yes_if same)"
check "the file takes little of its $mb MB on the host" "$(yes_if test \
	"$(stat -c %b "$disk")" -lt $((120 * 2048)))"
"$bin" vm stop --run "$zero"
wait_for 60 gone "$run"
again
wait_for 300 has 0 / 'Welcome to Dstack'
check "stopped in order, it has no more to grow or to check" "$(said \
	'the volume grows\|has grown\|was not unmounted' && echo no || echo yes)"
check "and the file is there" "$(yes_if same)"

# --- a host that shrinks the file
"$bin" vm stop --run "$zero"
wait_for 60 gone "$run"
cp --sparse=always "$disk" "$net/whole.img"
truncate -s $((300 << 20)) "$disk"
again
wait_for 300 said 'the disk was cut from'
check "a disk that was cut is refused with a line" \
	"$(yes_if said 'the disk was cut from')"
mv "$net/whole.img" "$disk"
kill_node 0
again
wait_for 300 has 0 / 'Welcome to Dstack'
check "and opens again when the whole file is back" "$(yes_if same)"

# --- onto another machine: node 2 has its own account and has never run
"$bin" vm stop --run "$zero"
wait_for 60 gone "$run"
old=$net/old.backup new=$net/new.backup
check "a stopped node's volume is backed up" \
	"$(yes_if volume backup -o "$old" --config "$zero/host.env")"
check "sparse as it is ($(($(stat -c %s "$old") >> 20)) MB)" \
	"$(yes_if test "$(stat -c %s "$old")" -lt $((120 << 20)))"
again
wait_for 300 has 0 / 'Welcome to Dstack'
check "a node that runs is not backed up" "$(volume backup -o "$new" \
	--config "$zero/host.env" >/dev/null 2>&1 && echo no || echo yes)"
head -c 240000 /dev/urandom >"$net/x"
get 0 /data/x -T "$net/x" >/dev/null
"$bin" vm stop --run "$zero"
wait_for 60 gone "$run"
volume backup -o "$new" --config "$zero/host.env" >/dev/null || bad=1
volume show "$new" | sed 's/^/# /'

two=$net/node2
env=$two/host.env
no() { # FILE TEXT: restore onto node 2 is refused with it
	volume restore "$1" --config "$env" >"$net/no" 2>&1 && return 1
	sed 's/^/# /' "$net/no"
	grep -q "$2" "$net/no"
}
check "a backup of another node is refused, with what to do" \
	"$(yes_if no "$new" 'NODE_KEY')"
sed -i '/^NODE_INDEX=/d' "$env"
{
	sed -n 's/^PRIVKEY=/NODE_KEY=/p' "$zero/host.env"
	sed -n '/^NODE_INDEX=/p' "$zero/host.env"
} >>"$env"
check "with its key and index it is restored" \
	"$(yes_if volume restore "$new" --config "$env")"
check "and not twice" "$(yes_if no "$new" 'move it away')"
start_node 2
wait_for 300 has 2 / 'Welcome to Dstack'
grep volume "$two/console.log" | sed 's/^/# /'
get 2 /data/x 2>/dev/null | cmp -s - "$net/x"
check "the other machine serves what was written on the first" \
	"$(yes_if test $? -eq 0)"
check "after it was anchored" \
	"$(yes_if grep -q 'comes from a backup: anchoring' "$two/console.log")"
"$bin" vm stop --run "$two"
wait_for 60 gone "$run"
again
wait_for 300 said 'an older copy was put back'
check "the first machine's disk is refused from then on" \
	"$(yes_if said 'an older copy was put back')"
kill_node 0
mv "$two/host_volume/encrypted_container.img" "$net/kept.img"
check "and older backups are" \
	"$(yes_if no "$old" 'roll it back')"
# by the guest, too, for a host that does not ask
mv "$disk" "$two/host_volume/encrypted_container.img"
: >"$two/console.log"
start_node 2
wait_for 300 grep -q 'an older copy was put back' "$two/console.log"
check "by the guest as well" "$(yes_if grep -q \
	'an older copy was put back' "$two/console.log")"
kill_node 2
mv "$net/kept.img" "$two/host_volume/encrypted_container.img"
start_node 2
wait_for 300 has 2 / 'Welcome to Dstack'
get 2 /data/x 2>/dev/null | cmp -s - "$net/x"
check "and the restored one opens again" "$(yes_if test $? -eq 0)"
exit $bad
