#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The image builds on any day: a mirror that has forgotten a package, one that
# has forgotten all indexes, one that is down or lies, and the next in the
# list that has it. An archive of this test's own, small, with its own key.
set -u
cd "$(dirname "$0")/../.." || exit 1
for c in gpg gpgv apt-get dpkg-deb xz node; do
	command -v $c >/dev/null || { echo "needs $c"; exit 77; }
done
if [ "${DSTACK_NETNS:-}" != own ]; then
	exec unshare -n env DSTACK_NETNS=own "$0" "$@"
fi
ip link set lo up
d=$(mktemp -d)
pids=
finish() {
	for p in $pids; do kill "$p" 2>/dev/null; done
	GNUPGHOME=$d/gnupg gpgconf --kill gpg-agent >/dev/null 2>&1
	rm -rf "$d"
}
trap finish EXIT
fail() {
	echo "not ok $1"
	sed 's/^/# /' "$d/log" 2>/dev/null
	exit 1
}
export DSTACK_STORE=$d/store GNUPGHOME=$d/gnupg LC_ALL=C
unset DSTACK_LOCK DSTACK_RELOCKED DSTACK_MIRROR
mkdir -m 700 "$GNUPGHOME"
gpg -q --batch --passphrase '' --quick-gen-key 'An Archive' ed25519 sign \
	never 2>"$d/log" || fail "gpg makes a key"
key=$(gpg --list-keys --with-colons 2>/dev/null | awk -F: 'length($10) == 40 {print $10; exit}')
gpg -q --export >"$d/ring.gpg" 2>/dev/null

# --- the archive
main=$d/archive
deb() { # ARCHIVE SUITE NAME VERSION [DEPENDS] [FILE-TO-HOLD]
	local t=$d/deb pool=$main/$1/pool/$3_$4_amd64.deb
	rm -rf "$t"
	mkdir -p "$t/DEBIAN" "$t/usr/share/keyrings" "${pool%/*}"
	printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: x <x@y>\nDescription: x\n' \
		"$3" "$4" >"$t/DEBIAN/control"
	[ -z "${5:-}" ] || echo "Depends: $5" >>"$t/DEBIAN/control"
	[ -z "${6:-}" ] || cp "$6" "$t/usr/share/keyrings/debian-archive-keyring.pgp"
	dpkg-deb -b "$t" "$pool" >/dev/null
	{
		dpkg-deb -f "$pool"
		echo "Filename: pool/${pool##*/}"
		echo "Size: $(stat -c %s "$pool")"
		echo "SHA256: $(sha256sum <"$pool" | cut -d' ' -f1)"
		echo
	} >>"$d/list.$2"
}
publish() { # ARCHIVE SUITE
	local s=$main/$1/dists/$2 x=main/binary-amd64 h p
	touch "$d/list.$2"
	rm -rf "$s"
	mkdir -p "$s/$x/by-hash/SHA256"
	xz -k <"$d/list.$2" >"$s/$x/Packages.xz"
	h=$(sha256sum <"$s/$x/Packages.xz" | cut -d' ' -f1)
	cp "$s/$x/Packages.xz" "$s/$x/by-hash/SHA256/$h"
	p=$(sha256sum <"$d/list.$2" | cut -d' ' -f1)
	{
		printf 'Origin: Debian\nSuite: %s\nCodename: %s\n' "$2" "$2"
		printf 'Date: %s\nAcquire-By-Hash: yes\n' "$(date -u '+%a, %d %b %Y %H:%M:%S UTC')"
		printf 'Architectures: amd64\nComponents: main\nSHA256:\n'
		printf ' %s %s %s\n' "$h" "$(stat -c %s "$s/$x/Packages.xz")" \
			$x/Packages.xz
		printf ' %s %s %s\n' "$p" "$(stat -c %s "$d/list.$2")" $x/Packages
	} >"$d/Release"
	gpg -q --batch --clearsign -o "$s/InRelease" "$d/Release" 2>/dev/null
}
all() {
	for s in trixie trixie-updates trixie-backports; do
		publish debian $s
	done
	publish debian-security trixie-security
}
deb debian trixie base-files 1
deb debian trixie crun 1 libcap2
deb debian trixie libcap2 1
deb debian trixie debian-archive-keyring 1 '' "$d/ring.gpg"
deb debian trixie-backports linux-image-amd64 7.3.4-1 linux-image-7.3.4+x-amd64
deb debian trixie-backports linux-source-7.3 7.3.4-1
all
serve() { # DIR: its port in $port
	node tests/net/mirror.mjs "$1" >"$1.port" 2>"$1.err" &
	pids="$pids $!"
	for _ in $(seq 100); do
		port=$(cat "$1.port")
		[ -z "$port" ] || return 0
		sleep 0.1
	done
	fail "a mirror starts"
}
serve "$main"
one=http://127.0.0.1:$port

cp -r "$main" "$d/second"

# --- the tree: what of it fetches and locks
tree=$d/tree
mkdir -p "$tree"/{lib,guest}
: >"$tree/Makefile"
cp -r --parents image Makefile.beacon tools/fetch-blst tools/blst "$tree/"
printf 'debian %s\ndebian-security %s\n' "$key" "$key" >"$tree/image/keys"
sed -i "s,^keyring=.*,keyring=$d/ring.gpg," "$tree/image/lib.sh"
printf '%s\n' 'source linux-source trixie-backports' 'build base-files' \
	'guest crun' 'keys debian-archive-keyring' >"$tree/image/packages"
run() { # EXIT COMMAND...
	local want=$1
	shift
	(cd "$tree" && "$@") >"$d/log" 2>&1
	rc=$?
	[ $rc -eq "$want" ]
}
says() { grep -q -- "$1" "$d/log"; }
state() { printf '%s\n' "$@" >"$main.state"; }
anew() { # nothing fetched, nothing relocked
	rm -rf "$DSTACK_STORE" "$tree/build"
	state
}
lines() { [ "$(wc -l <"$d/log")" -le "$1" ]; }

DSTACK_MIRROR=$one run 0 image/relock || fail "relock"
lock=$(sha256sum <"$tree/image/lock.json")
same() { [ "$(sha256sum <"$tree/image/lock.json")" = "$lock" ]; }
anew
DSTACK_MIRROR=$one run 0 image/build --fetch && lines 0 ||
	fail "all is there: it is fetched, and nothing said"
echo "ok all is there: it is fetched, and nothing said"

anew
state 'gone crun_1_' 'gone libcap2_1_'
sed -i '/^Package: crun/,/^$/d; /^Package: libcap2/,/^$/d' "$d/list.trixie"
deb debian trixie crun 2 libcap2
deb debian trixie libcap2 2
all
DSTACK_MIRROR=$one run 0 image/build --fetch && same &&
	says 'no mirror has crun_1_amd64.deb and 1 more any more: going on with' ||
	fail "forgotten packages: a line, and today's lock file"
grep -q '"name":"crun".*"version":"2"' "$tree/build/relocked/lock.json" ||
	fail "the lock file under build/ has today's version"
echo "ok forgotten packages: a line, a lock file of today under build/, the tree's is untouched"
DSTACK_MIRROR=$one run 0 image/build --fetch && says 'lock file of 20' &&
	lines 2 || fail "the second time it is used again"
echo "ok the second time it is used again"
DSTACK_LOCK=$tree/build/relocked/lock.json DSTACK_MIRROR=http://127.0.0.1:1 \
	run 0 image/build --fetch && lines 0 ||
	fail "whoever wants it by name gets it without a word"
echo "ok who names it gets it without a word"

# what one has forgotten and the other cannot be asked for is gone, too: the
# snapshot archive is out of reach of many a machine
anew
state 'gone crun_1_' 'gone libcap2_1_'
printf '%s\n' "$one/%A" http://127.0.0.1:1/%A >"$tree/image/mirrors"
run 0 image/build --fetch && same && lines 7 &&
	says 'no mirror has crun_1_amd64.deb and 1 more any more' &&
	says "http://127.0.0.1:1/debian: " &&
	grep -q '"name":"crun".*"version":"2"' "$tree/build/relocked/lock.json" ||
	fail "one has forgotten, the next is out of reach: today's lock file"
echo "ok one has forgotten, the next is out of reach: said, and today's lock file"

# the next place in the list has it
anew
state 'gone pool/' 'gone dists/'
serve "$d/second"
printf '%s\n' "$one/%A" "http://127.0.0.1:$port/%A" >"$tree/image/mirrors"
run 0 image/build --fetch && same && [ ! -e "$tree/build/relocked" ] &&
	lines 0 && grep -q 'pool/crun_1_' "$d/second.log" ||
	fail "a second mirror has it"
echo "ok what the first has forgotten comes from the second, and nothing is relocked"
cp image/mirrors "$tree/image/mirrors"
(
	. "$tree/image/lib.sh"
	mirrors debian | tail -1 | grep -qE '/archive/debian/[0-9]{8}T[0-9]{6}Z$' &&
		mirrors debian-security | tail -1 | grep -q '/archive/debian-security/20'
) || fail "the snapshot archive is asked for the lock's own day"
echo "ok the snapshot archive is asked for the lock's own day"

anew
state 'gone InRelease' 'gone Packages' 'gone by-hash'
DSTACK_MIRROR=$one run 0 image/build --fetch && same &&
	says 'signatures not checked' && lines 8 ||
	fail "all indexes forgotten: said, and the packages' hashes hold"
echo "ok all indexes forgotten: said, and the packages' hashes hold"

# other bytes and places that cannot be asked are no reason to relock
for verb in other html; do
	anew
	state "$verb crun_1_" 'gone libcap2_1_'
	DSTACK_MIRROR=$one run 1 image/build --fetch && same &&
		says 'other bytes than lock.json names' &&
		[ ! -e "$tree/build/relocked" ] && lines 1 ||
		fail "$verb: refused in a line"
done
echo "ok other bytes, or a page in the place of a package, are refused in a line"
anew
state 'busy crun_1_' 'gone libcap2_1_'
DSTACK_MIRROR=$one run 3 image/build --fetch && says 'answers HTTP 503' &&
	[ ! -e "$tree/build/relocked" ] && lines 1 ||
	fail "a mirror that is busy: exit 3"
anew
DSTACK_MIRROR=http://127.0.0.1:1 run 3 image/build --fetch && lines 1 &&
	says 'cannot fetch 5 of the lock' || fail "no network: exit 3"
echo "ok a mirror that cannot be asked: exit 3 and a line, nothing relocked"

# a mirror whose index names what it does not have
anew
state 'gone pool/crun' 'gone pool/libcap2'
DSTACK_MIRROR=$one run 1 image/build --fetch && same &&
	says "which today's index names; try later" ||
	fail "an index that names what is not there does not go round"
echo "ok an index that names what is not there does not go round"

# today's index signed by somebody else
anew
state 'gone crun_1_' 'gone libcap2_1_'
sed -i '1s/ .*/ 04B54C3CDCA79751B16BC6B5225629DF75B188BD/' "$tree/image/keys"
DSTACK_MIRROR=$one run 1 image/build --fetch && same &&
	[ ! -e "$tree/build/relocked/lock.json" ] && says 'no key of image/keys' ||
	fail "today's index by another key is not believed"
echo "ok today's index by a key that is not pinned is not believed"
