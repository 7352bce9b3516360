#!/bin/sh
# One network of VMs through what happens to networks: a machine dies, a new
# one joins without it, it comes back with its disk, its disk is tampered
# with or taken away, and the app is replaced while it serves.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/network.sh"
start_network --nodes 2 --spare 1 || exit 1
zero=$net/node0
disk=$zero/host_volume/encrypted_container.img
size=$(stat -c %s "$disk")

# generation of the newer record copy (lib/protocol/volume.c)
generation() {
	for at in 64 4160; do
		od -An -tu8 --endian=big -j $at -N 8 "$disk"
	done | sort -n | tail -1 | tr -d ' '
}

test_written() {
	[ "$(cat "$net/confirmed")" -ge 5 ]
}

# --- promises 1, 6, 18
key() {
	openssl s_client -connect "127.0.0.1:$(port "$1")" \
		-servername $domain </dev/null 2>/dev/null |
		openssl x509 -noout -pubkey | sha256sum
}
both() {
	has 0 / 'Welcome to Dstack' && has 1 / 'Welcome to Dstack'
}
check "both VMs serve the greeting under a certificate of the name" \
	"$(yes_if both)"
check "both have the same TLS key" \
	"$(yes_if test "$(key 0)" = "$(key 1)")"
get 0 /status.json >"$net/status"
data=$(jq -r .appdata "$net/status")
sig=$(jq -r .signature "$net/status")
check "the contract says that the network signed the greeting" \
	"$(yes_if contract verify "$data" "$sig")"
other=$(printf '%s' "$data" | tr 0-9a-f 1-9a-f0)
check "and that it did not sign something else" \
	"$(contract verify "$other" "$sig" >/dev/null 2>&1 &&
		echo no || echo yes)"

# --- the power of node 0 fails
cp --sparse=always "$disk" "$net/before.img"
mark=marker-$(od -An -N 12 -tx1 /dev/urandom | tr -d ' \n')
yes "$mark" | head -c 262144 >"$net/x"
get 0 /data/x -T "$net/x" >/dev/null
get 0 /data/x | cmp -s - "$net/x"
check "a file is written to the volume of node 0" "$(yes_if test $? -eq 0)"
check "its text is in no file of the host" \
	"$(grep -rqF "$mark" "$zero" && echo no || echo yes)"
start_load 1 "$net/load1"
first=$(generation)
# A file is written over and over: the last write that the app confirmed
# before the power failed must still be there after.
echo 0 >"$net/confirmed"
(
	i=0
	while i=$((i + 1)) && echo $i >"$net/n" &&
		get 0 /data/n -T "$net/n" >/dev/null 2>&1; do
		cp "$net/n" "$net/confirmed"
	done
) &
writer=$!
runs="$runs $writer"
wait_for 60 test_written
kill_node 0
wait $writer
wait_for 30 grep -q '"index":0,"phase":"ended"' "$net/events"
check "the rest of the network outlives a node without a word" \
	"$(yes_if grep -q '"index":0,"phase":"ended"' "$net/events")"
check "nor is its text there after the power failed" \
	"$(grep -rqF "$mark" "$zero" && echo no || echo yes)"

# --- a third joins while the one that made the secret is dead
start_node 2
third=$run
wait_for 300 has 2 / 'Welcome to Dstack'
check "a new node is onboarded while the first one is dead" \
	"$(yes_if has 2 / 'Welcome to Dstack')"
check "and has the same TLS key" "$(yes_if test "$(key 1)" = "$(key 2)")"

# --- node 0 comes back
start_node 0
wait_for 300 has 0 / 'Welcome to Dstack'
check "the dead node comes back with its disk" \
	"$(yes_if has 0 / 'Welcome to Dstack')"
check "by registering and being onboarded" \
	"$(yes_if test "$(grep -cE 'phase (register|onboarded)' \
		"$zero/console.log")" -eq 2)"
get 0 /data/x 2>/dev/null | cmp -s - "$net/x"
check "what was written before the power failed is there" \
	"$(yes_if test $? -eq 0)"
last=$(get 0 /data/n)
check "down to the last write (confirmed $(cat "$net/confirmed"), is $last)" \
	"$(yes_if test "$last" -ge "$(cat "$net/confirmed")")"
check "the generation of its volume went up" \
	"$(yes_if test "$(generation)" -gt "$first")"
stop_load
no_failure "node 1 served all the while" "$net/load1"
"$bin" vm stop --run "$zero"
check "vm stop asks the guest, which closes its volume and powers off" \
	"$(yes_if grep -q 'init: stopped as the host asked; powering off' \
		"$zero/console.log")"
check "and its volume was not in use any more" \
	"$(yes_if grep -q 'init: the volume is closed' "$zero/console.log")"
wait_for 30 gone "$run"

# --- T24: a bit of the file is flipped. Of the blocks that changed, its own
# are the last long run; dm-integrity's journal is before all data.
block=$(cmp -l "$net/before.img" "$disk" |
	awk '{ b = int(($1 - 1) / 4096); if (b != last) print b; last = b }' |
	awk '{ n = $1 == last + 1 ? n + 1 : 1; last = $1 }
		n == 60 { found = $1 - 30 }
		END { print found }')
check "T24: the file's blocks are found on the disk" \
	"$(yes_if test "$block" -gt 1024)"
rm -f "$net/before.img"
byte=$(od -An -tu1 -j $((block * 4096 + 77)) -N 1 "$disk" | tr -d ' ')
# shellcheck disable=SC2059
printf "\\$(printf %o $((byte ^ 1)))" |
	dd of="$disk" bs=1 seek=$((block * 4096 + 77)) conv=notrunc 2>/dev/null
start_node 0
wait_for 300 has 0 / 'Welcome to Dstack'
check "T24: a volume with a flipped bit in a file still opens" \
	"$(yes_if has 0 / 'Welcome to Dstack')"
for _ in 1 2 3; do
	code=$(get 0 /data/x -o /dev/null -w '%{http_code}' 2>/dev/null)
done
check "T24: but the app cannot read the file: no wrong data (HTTP $code)" \
	"$(yes_if test "$code" = 404)"
check "T24: and other files are read" \
	"$(yes_if test "$(get 0 /status.json | jq .boots)" -eq 3)"
kill_node 0

# --- T23: refused, with one line, and left alone
refused() { # NAME TEXT
	was=$(sha256sum <"$disk")
	start_node 0
	wait_for 300 grep -q "$2" "$zero/node.log" "$zero/console.log"
	said=$?
	[ $said -eq 0 ] || sed 's/^/# /' "$zero/node.log" >&2
	# it may have got the network's secret, which no disk takes from it
	gone "$run" || kill_node 0
	wait_for 30 gone "$run"
	check "T23: $1 is refused with a line that says so" \
		"$(yes_if test $said -eq 0)"
	check "T23: $1 is not overwritten" \
		"$(yes_if test "$was" = "$(sha256sum <"$disk")")"
}
truncate -s 0 "$disk"
truncate -s "$size" "$disk"
refused "a blank disk in place of an anchored one" 'gave up: .*blank'
mkfs.ext4 -q -F "$disk"
refused 'a filesystem of the host' 'gave up: .*no volume'
cp --sparse=always "$net/node1/host_volume/encrypted_container.img" "$disk"
refused "the disk of another node" 'gave up: .*another node'

# --- blue/green, on the two that are left
give() { # ARCHIVE DIGEST
	for i in 1 2; do
		cp "$1" "$net/node$i/host_volume/.new"
		mv "$net/node$i/host_volume/.new" \
			"$net/node$i/host_volume/app-$(echo "$2" | cut -c1-16).tar"
	done
}
build() { # FILE GREETING: its digest
	./build_app.sh -o "$1" --greeting "$2" 2>/dev/null |
		grep -oE '[0-9a-f]{64}' | head -1
}
all_say() {
	has 1 / "$1" && has 2 / "$1"
}
two=$(build "$net/two.tar" 'The second version')
give "$net/two.tar" "$two"
start_load 1 "$net/load1"
start_load 2 "$net/load2"
from=$(($(date +%s) + 6))
contract propose --name app-example --digest "$two" --not-before $from \
	>/dev/null
check "a proposed version does not run before its time" \
	"$(yes_if test "$(get 1 / | grep -c 'The second version')" -eq 0 -a \
		"$(date +%s)" -lt $from)"
wait_for 200 all_say 'The second version'
now=$(date +%s)
check "every node turns to the new version when its time has come" \
	"$(yes_if test "$(yes_if all_say 'The second version')" = yes -a \
		"$now" -ge $from)"

# another archive under the third version's name
three=$(build "$net/three.tar" 'The third version')
give "$net/two.tar" "$three"
contract propose --name app-example --digest "$three" >/dev/null
told() {
	for i in 1 2; do
		grep -q 'version 3 does not run, the old one keeps serving' \
			"$net/node$i/console.log" || return 1
	done
}
wait_for 100 told
check "an archive that is not what the contract names is refused" \
	"$(yes_if told)"
check "with one line" "$(yes_if test "$(grep -c 'version 3 does not run' \
	"$net/node1/console.log")" -eq 1)"
check "and the old version keeps serving" \
	"$(yes_if all_say 'The second version')"
stop_load
no_failure "no request to node 1 failed meanwhile" "$net/load1"
no_failure "no request to node 2 failed meanwhile" "$net/load2"

# --- an orderly stop: the app's last words reach its encrypted volume
mkdir -p "$net/words"
${CC:-gcc} -O2 -static -o "$net/words/words" tests/vm/last_words.c || exit 1
echo '{"Entrypoint":["/words"],"ExposedPorts":{"80/tcp":{}},
	"StopSignal":"SIGUSR1"}' >"$net/words.json"
four=$("$bin" app build "$net/words" -o "$net/words.tar" \
	--config "$net/words.json" --tag words:latest |
	grep -oE '[0-9a-f]{64}' | head -1)
give "$net/words.tar" "$four"
contract propose --name app-example --digest "$four" >/dev/null
wait_for 200 all_say 'last words'
get 2 /keep/goodbye >/dev/null
kill "$third"
wait_for 90 gone "$third"
wait "$third"
check "a node that is told to stop ends well" "$(yes_if test $? -eq 0)"
check "its guest stopped in order" \
	"$(yes_if test "$(grep -cE 'init: (the volume is closed|stopped)' \
		"$net/node2/console.log")" -eq 2)"
check "the app's last file reached the host" \
	"$(yes_if grep -q goodbye "$net/node2/host_volume/last")"

# --- the host's disk fills up; everything of the node is on it
mkdir "$net/small"
mount -t tmpfs -o size=400m tmpfs "$net/small" || exit 1
cp -a --sparse=always "$net/node2/." "$net/small/"
mount --move "$net/small" "$net/node2" || exit 1
room() { # MB more than is used
	used=$(df --output=used -k "$net/node2" | tail -1)
	mount -o remount,size=$((used + $1 * 1024))k "$net/node2"
}
start_node 2
third=$run
wait_for 300 has 2 / 'last words'
check "and its last words are on its volume when it is back" \
	"$(yes_if has 2 / 'last words: goodbye')"
trouble() {
	"$bin" status --config "$net/node2/host.env" --json |
		jq -r '.nodes[0].trouble // "none"'
}
full() {
	trouble | grep -q 'host disk full: .*encrypted_container.img'
}
well() {
	test "$(trouble)" = none
}
check "a node without trouble has none" "$(yes_if well)"
room 8
get 2 /fill --max-time 300 >"$net/fill" 2>&1 &
filler=$!
runs="$runs $filler"
wait_for 120 full
check "status says that the host's disk is full" "$(yes_if full)"
check "so does the node's log" \
	"$(yes_if grep -q 'host disk full' "$net/node2/node.log")"
check "and the VM stands still, no write has failed" \
	"$(gone $filler && echo no || echo yes)"
room 200
wait $filler
check "it goes on by itself when there is room ($(cat "$net/fill"))" \
	"$(yes_if grep -q 'blocks: 6144' "$net/fill")"
wait_for 60 well
check "and status has no trouble any more" "$(yes_if well)"
check "what was written meanwhile is right" \
	"$(yes_if test "$(get 2 /read --max-time 200 |
		grep -c 'blocks: 6144')" -eq 1)"
kill "$third"
wait "$third"
umount "$net/node2"
exit $bad
