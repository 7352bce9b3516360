#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Attacks on the way from the archive's key to the image, each caught by name
# and each by its own check of "dstack image audit". No VM runs.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
B=${B:-build}
case $B in /*) ;; *) B=$top/$B ;; esac
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. tests/vm/today.sh
./build_vm.sh "$B/image" >/dev/null || exit 1
lock_of_today "$tmp"
dstack=$B/bin/dstack
[ -x "$dstack" ] || make B="$B" "$dstack" >/dev/null || exit 1
export DSTACK_MIRROR=http://0
grep -q '"kernel":".*-dstack"' "$B/image/sim/manifest.json" || {
	echo "Debian's kernel does not meet image/kernel.policy"
	exit 77
}
store=${DSTACK_STORE:-${HOME:-/root}/.cache/dstack/store}

say() { # NAME yes|no
	if [ "$2" = yes ]; then echo "ok $1"; else
		echo "not ok $1"
		sed 's/^/# /' "$tmp/log"
		bad=1
	fi
}
# A tree to spoil: the sources, the image and a store of its own.
scene() {
	rm -rf "$tmp/tree" "$tmp/store"
	mkdir -p "$tmp/tree" "$tmp/store/sha256"
	cp -r --parents Makefile Makefile.beacon tools/blst tools/fetch-blst \
	    lib guest image include "$tmp/tree/"
	cp -r "$B/image" "$tmp/tree/made"
	cp -l "$store"/sha256/* "$tmp/store/sha256/" 2>/dev/null ||
		cp "$store"/sha256/* "$tmp/store/sha256/"
	[ ! -d "$store/kernel" ] || ln -s "$store/kernel" "$tmp/store/kernel"
	cd "$tmp/tree" || exit 1
}
audit() { # [--no-rebuild]
	if [ $# -eq 0 ]; then set -- --rebuilt "$B/image"; fi
	DSTACK_STORE=$tmp/store "$dstack" image audit "$@" made/sim \
	    >"$tmp/log" 2>&1
}
# NAME CHECK TEXT: refused by this check and by no other
caught() {
	audit
	rc=$?
	others=$(awk -v c="$2" '$1=="refused" && $2!=c {print $2}' "$tmp/log")
	if [ $rc = 1 ] && [ -z "$others" ] &&
	    grep -q "^refused  *$2  *.*$3" "$tmp/log" &&
	    grep -q "^dstack: image: refused: $2: " "$tmp/log"; then
		say "$1" yes
	else
		say "$1" no
	fi
	cd "$top" || exit 1
}
sum() { sha256sum <"$1" | cut -d' ' -f1; }
# The hash that the lock file has for a package.
locked() {
	sed -n "s/^{\"name\":\"$1\",.*\"sha256\":\"\([0-9a-f]*\)\".*/\1/p" \
	    image/lock.json
}
put() { # FILE: into the store under its own hash, which it prints
	h=$(sum "$1")
	[ -f "$tmp/store/sha256/$h" ] || cp "$1" "$tmp/store/sha256/$h"
	echo "$h"
}
# A lock file is an input, and so part of what the manifest claims: the
# attacker who changes it writes the claim anew.
claim() {
	tree=$(find Makefile Makefile.beacon tools lib guest image include -type f \
	    ! -path image/lock.json -print0 |
	    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
	for m in made/*/manifest.json; do
		sed -i -e "s/^\"lock\":\"[0-9a-f]*\"/\"lock\":\"$(sum image/lock.json)\"/" \
		    -e "s/\"tree\":\"[0-9a-f]*\"/\"tree\":\"$tree\"/" "$m"
	done
}

scene
audit
rc=$?
say "the image as built passes" "$([ $rc = 0 ] && echo yes || echo no)"
cd "$top" || exit 1

# --- inputs ---------------------------------------------------------------
scene
h=$(locked crun)
other=$(locked debianutils)
rm "$tmp/store/sha256/$h"
cp "$tmp/store/sha256/$other" "$tmp/store/sha256/$h"
caught "a package swapped in the store" store 'crun in the store is not'

DSTACK_STORE=$tmp/store image/build --fresh "$tmp/x" >"$tmp/log" 2>&1
rc=$?
say "and no build uses it" "$([ $rc = 1 ] &&
    grep -q '^image: crun in the store is damaged' "$tmp/log" &&
    [ -z "$(ls -A "$tmp/store/root")" ] && echo yes)"

scene
rm "$tmp/store/sha256/$(locked crun)"
audit
rc=$?
say "a package that is not there is no pass" \
    "$([ $rc = 3 ] && grep -q '^undecided  store  *crun' "$tmp/log" && echo yes)"
cd "$top" || exit 1

scene
sed -i '/"name":"crun"/s/"version":"[^"]*"/"version":"1.99-1"/' image/lock.json
claim
audit --no-rebuild
rc=$?
say "a version edited in the lock file" "$([ $rc = 1 ] &&
    grep -q '^refused  *lock  *1 of .* crun' "$tmp/log" &&
    [ "$(grep -c '^refused' "$tmp/log")" = 1 ] && echo yes)"
cd "$top" || exit 1

scene
echo evil >"$tmp/evil.deb"
h=$(put "$tmp/evil.deb")
sed -i "/\"name\":\"crun\"/s/\"size\":[0-9]*,\"sha256\":\"[0-9a-f]*\"/\"size\":5,\"sha256\":\"$h\"/" \
    image/lock.json
claim
audit --no-rebuild
say "a package of one's own locked by hand" "$(
    grep -q '^refused  *lock  *1 of .* crun' "$tmp/log" &&
    ! grep -q '^refused  *store' "$tmp/log" && echo yes)"
DSTACK_STORE=$tmp/store image/chain >"$tmp/log" 2>&1
rc=$?
say "and the build refuses it too" "$([ $rc = 1 ] &&
    grep -q '^image: lock: no signed index has crun' "$tmp/log" && echo yes)"
cd "$top" || exit 1

scene
sed -i '/"name":"crun"/s/{/{"from":"elsewhere",/' image/lock.json
claim
audit --no-rebuild
rc=$?
say "a row with more than a row has" "$([ $rc = 1 ] &&
    grep -q '^refused  *lock .* is not in the form of a row' "$tmp/log" &&
    echo yes)"
image/chain >"$tmp/log" 2>&1
rc=$?
say "a row with more than a row has: the build" "$([ $rc = 1 ] &&
    grep -q '^image: lock.json: bad line' "$tmp/log" && echo yes)"
cd "$top" || exit 1

# An archive of a store that was tampered with: nothing wrong gets in.
imported() { # NAME TEXT FILE
	rm -rf "$tmp/store"
	DSTACK_STORE=$tmp/store "$dstack" image import "$3" >"$tmp/log" 2>&1
	rc=$?
	say "$1" "$([ $rc = 1 ] && grep -q "^dstack: image: .*$2" "$tmp/log" &&
	    [ -z "$(find "$tmp/store" -type f 2>/dev/null)" ] && echo yes)"
}
mkdir -p "$tmp/in/sha256"
echo other >"$tmp/in/sha256/$(locked crun)"
(cd "$tmp/in" && tar -cf "$tmp/in.tar" sha256/*)
imported "an import of other bytes under a hash" 'has the hash' "$tmp/in.tar"
tar -cf "$tmp/in2.tar" -P --transform 's,^.*$,sha256/../../x,' "$tmp/in.tar"
imported "an import of a path that leads away" 'has no place in a store' \
    "$tmp/in2.tar"
rm -rf "$tmp/in"
mkdir -p "$tmp/in/sha256"
ln -s /etc/passwd "$tmp/in/sha256/$(locked crun)"
(cd "$tmp/in" && tar -cf "$tmp/in.tar" sha256/*)
imported "an import of a link" 'has no place in a store' "$tmp/in.tar"

# An InRelease put in the place of another one, with the lock file after it.
swap_index() { # SUITE FILE
	old=$(sed -n "s/.*\"suite\":\"$1\".*\"inrelease\":\"\([0-9a-f]*\)\".*/\1/p" \
	    image/lock.json | head -1)
	sed -i "s/$old/$(put "$2")/" image/lock.json
	claim
}
inrelease() {
	sed -n 's/.*"suite":"trixie".*"inrelease":"\([0-9a-f]*\)".*/\1/p' \
	    image/lock.json | head -1
}
signature() { # NAME TEXT
	audit --no-rebuild
	rc=$?
	say "$1" "$([ $rc = 1 ] && grep -q "^refused  *signature  *$2" "$tmp/log" &&
	    [ "$(grep '^refused' "$tmp/log" | awk '{print $2}' | sort -u)" = \
		signature ] && echo yes)"
	DSTACK_STORE=$tmp/store image/chain >"$tmp/log" 2>&1
	rc=$?
	say "$1: the build" "$([ $rc = 1 ] &&
	    grep -q '^image: signature: ' "$tmp/log" && echo yes)"
}

scene
sed 's/^Origin: Debian$/Origin: Debiam/' \
    "$tmp/store/sha256/$(inrelease)" >"$tmp/InRelease"
swap_index trixie "$tmp/InRelease"
signature "an index changed after it was signed" 'a signature of'
cd "$top" || exit 1

scene
x=$(sed -n 's/.*"suite":"trixie-updates".*"inrelease":"\([0-9a-f]*\)".*/\1/p' \
    image/lock.json)
swap_index trixie "$tmp/store/sha256/$x"
signature "the signed index of another suite" 'the index signed is not'
cd "$top" || exit 1

# Signed well, by a key that the tree does not pin; then with that key in the
# keyring package as well, locked by its right hash.
GNUPGHOME=$tmp/gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
gpg -q --batch --passphrase '' --quick-gen-key 'An Archive' ed25519 sign \
    never 2>"$tmp/log" || say "gpg makes a key" no
scene
sed -e '1,/^$/d' -e '/^-----BEGIN PGP SIGNATURE/,$d' \
    "$tmp/store/sha256/$(inrelease)" >"$tmp/Release"
rm -f "$tmp/InRelease"
gpg -q --batch --clearsign -o "$tmp/InRelease" "$tmp/Release"
swap_index trixie "$tmp/InRelease"
signature "an index signed by another key" 'no key of image/keys'
ring=$tmp/ring/usr/share/keyrings
mkdir -p "$ring" "$tmp/ring/DEBIAN"
dpkg-deb --fsys-tarfile "$tmp/store/sha256/$(locked debian-archive-keyring)" |
    tar -xO ./usr/share/keyrings/debian-archive-keyring.pgp >"$tmp/keys.pgp"
gpg -q --export >>"$tmp/keys.pgp"
cp "$tmp/keys.pgp" "$ring/debian-archive-keyring.pgp"
printf '%s\n' 'Package: debian-archive-keyring' 'Version: 2025.1' \
    'Architecture: all' 'Maintainer: x <x@y>' 'Description: x' \
    >"$tmp/ring/DEBIAN/control"
dpkg-deb -b "$tmp/ring" "$tmp/ring.deb" >"$tmp/log"
h=$(put "$tmp/ring.deb")
sed -i "/\"name\":\"debian-archive-keyring\"/s/\"size\":[0-9]*,\"sha256\":\"[0-9a-f]*\"/\"size\":$(stat -c %s "$tmp/ring.deb"),\"sha256\":\"$h\"/" \
    image/lock.json
claim
signature "and with that key in the keyring package" 'no key of image/keys'
gpgconf --kill gpg-agent >/dev/null 2>&1
cd "$top" || exit 1

# --- the image ------------------------------------------------------------
gcc -O2 -D_GNU_SOURCE -o "$tmp/mkinitramfs" image/mkinitramfs.c || exit 1
# The manifest's claims about a part, made true again.
part() { # NAME
	f=made/sim/$1
	sed -i "s/^{\"name\":\"$1\",\"size\":[0-9]*,\"sha256\":\"[0-9a-f]*\",\"sha384\":\"[0-9a-f]*\"/{\"name\":\"$1\",\"size\":$(stat -c %s "$f"),\"sha256\":\"$(sum "$f")\",\"sha384\":\"$(sha384sum <"$f" | cut -d' ' -f1)\"/" \
	    made/sim/manifest.json
}
more() { # LIST LINE...: one more archive behind the initramfs
	printf '%s\n' "$@" | "$tmp/mkinitramfs" "$tmp/more" >/dev/null
	zstd -q -c "$tmp/more" >>made/sim/initramfs.cpio.zst
	part initramfs.cpio.zst
}
echo 'echo evil' >"$tmp/evil"
chmod 644 "$tmp/evil"

# Each of these is also another image than the one rebuilt, so "rebuild" says
# no as well: here it must be the check that sees it without a rebuild.
static() { # NAME CHECK TEXT
	audit --no-rebuild
	rc=$?
	say "$1" "$([ $rc = 1 ] && grep -q "^refused  *$2  *.*$3" "$tmp/log" &&
	    [ "$(grep -c '^refused' "$tmp/log")" = 1 ] && echo yes)"
	cd "$top" || exit 1
}
scene
more "file /evil 0644 $tmp/evil"
static "a file added to the initramfs" files '/evil is in the initramfs and not in'

scene
more "file /init 0755 $tmp/evil"
static "a second /init behind the first" files '/init is in the initramfs twice'

scene
printf 'evil' >>made/sim/initramfs.cpio.zst
part initramfs.cpio.zst
static "bytes behind the initramfs" files 'no Zstandard frame at byte'

scene
printf x >>made/sim/vmlinuz
static "another kernel than the manifest names" parts 'vmlinuz is not the file'

scene
grep -v '"path":"/usr/bin/crun"' made/sim/manifest.json >"$tmp/m"
cp "$tmp/m" made/sim/manifest.json
static "a manifest that is silent about a program" files \
    '/usr/bin/crun is in the initramfs and not in'

# With the manifest written to fit, only building it again can tell.
tell() { # PATH MODE FILE: an entry for the manifest
	sed -i "s|^\"files\":\[|&\n{\"path\":\"$1\",\"type\":\"file\",\"mode\":\"$2\",\"size\":$(stat -c %s "$3"),\"sha256\":\"$(sum "$3")\",\"from\":\"\"},|" \
	    made/sim/manifest.json
}
scene
more "file /evil 0644 $tmp/evil"
tell /evil 0644 "$tmp/evil"
caught "a file added to initramfs and manifest" rebuild \
    '/evil, which these sources do not make'

scene
more "file /evil 4755 $tmp/evil"
tell /evil 4755 "$tmp/evil"
static "a setuid file" modes '/evil is setuid'

scene
more "file /evil 0666 $tmp/evil"
tell /evil 0666 "$tmp/evil"
static "a file that all may write" modes '/evil can be written by others'

# A builder that lies about its inputs: /init of other sources, in an image
# that is whole in itself and claims the sources of this tree.
scene
mkdir "$tmp/root"
zstd -qdc made/sim/initramfs.cpio.zst >"$tmp/cpio"
at=$(grep -abo 070701 "$tmp/cpio" | cut -d: -f1 | tail -2 | head -1)
n=$(jq -r '.files[] | select(.path=="/init").size' made/sim/manifest.json)
# the archive of /init: a header of 110 bytes, "init", padding to 4
dd if="$tmp/cpio" of="$tmp/root/init" bs=1M iflag=skip_bytes,count_bytes \
    skip=$((at + 116)) count="$n" 2>/dev/null
real=$(jq -r '.files[] | select(.path=="/init").sha256' made/sim/manifest.json)
cp "$tmp/root/init" "$tmp/log"
say "the test can take /init apart" \
    "$([ "$(sum "$tmp/root/init")" = "$real" ] && echo yes)"
echo evil >>"$tmp/root/init"
# where the second frame begins
first=$(LC_ALL=C grep -abo "$(printf '\050\265\057\375')" \
    made/sim/initramfs.cpio.zst | cut -d: -f1 | tail -1)
head -c "$first" made/sim/initramfs.cpio.zst >"$tmp/system"
cp "$tmp/system" made/sim/initramfs.cpio.zst
more "file /init 0755 $tmp/root/init"
sed -i "s/^{\"path\":\"\/init\",.*/{\"path\":\"\/init\",\"type\":\"file\",\"mode\":\"0755\",\"size\":$((n + 5)),\"sha256\":\"$(sum "$tmp/root/init")\",\"from\":\"\"}/" \
    made/sim/manifest.json
caught "a builder that lies about its sources" rebuild 'first /init'

scene
sed -i 's/^"lock":"[0-9a-f]*"/"lock":"00"/' made/sim/manifest.json
static "an image of another lock file" inputs 'made from the lock file 00'

# made on a day when the mirrors had forgotten the lock file's packages
scene
sed -i 's/^"flavour"/"relocked":"20261127T080000Z",\n&/' made/*/manifest.json
static "a relocked image, unasked" inputs 'relocked: made from packages of 20261127'
scene
mkdir -p build/relocked
sed 's/"version":"1:3.10-4"/"version":"1:3.10-4x"/' image/lock.json >build/relocked/lock.json
sed -i 's/^"flavour"/"relocked":"20261127T080000Z",\n&/' made/*/manifest.json
audit --no-rebuild --relocked
rc=$?
say "asked for, it is held against the lock file of that day" \
    "$([ $rc = 1 ] && grep -q '^refused  *lock  *1 of' "$tmp/log" &&
    grep -q '^refused  *inputs  *made from the lock file' "$tmp/log" && echo yes)"
cd "$top" || exit 1

scene
echo '/* other */' >>guest/init/init.c
static "an image of other sources" inputs 'made from the sources'

scene
f=made/sim/kernel.config
echo CONFIG_PROC_KCORE=y >>$f
sed -i "s/^\"config\":.*/\"config\":{\"name\":\"kernel.config\",\"size\":$(stat -c %s $f),\"sha256\":\"$(sum $f)\",\"sha384\":\"$(sha384sum <$f | cut -d' ' -f1)\"},/" \
    made/sim/manifest.json
static "a kernel option against the policy" kernel 'CONFIG_PROC_KCORE is y'
exit $bad
