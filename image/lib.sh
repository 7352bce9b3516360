# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of the image build; sourced, not run.

release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
store=${DSTACK_STORE:-${HOME:-/root}/.cache/dstack/store}

die() {
	echo "image: $*" >&2
	exit 1
}

sum() {
	sha256sum <"$1" | cut -d' ' -f1
}

# Where this machine gets Debian from: its own apt configuration, unless
# DSTACK_MIRROR names the parent of debian/ and debian-security/.
mirror() {
	if [ -n "${DSTACK_MIRROR:-}" ]; then
		echo "${DSTACK_MIRROR%/}/$1"
		return
	fi
	local u
	u=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
	    /etc/apt/sources.list.d/*.sources  2>/dev/null || :; } |
	    sed -n -e 's/^deb .*\(https\{0,1\}:[^ ]*\).*/\1/p' \
	    -e 's/^URIs: *//p' | tr ' ' '\n' | sed 's,/*$,,' |
	    grep -m1 "/$1\$") ||
	    die "no mirror of $1 in apt's sources; set DSTACK_MIRROR"
	echo "$u"
}

# Put a file into the store under its SHA-256; prints where.
keep() {
	local h
	h=$(sum "$1")
	if [ ! -f "$store/sha256/$h" ]; then
		cp "$1" "$store/sha256/.$h.$$"
		mv "$store/sha256/.$h.$$" "$store/sha256/$h"
	fi
	echo "$store/sha256/$h"
}

# A file of the archive, by its SHA-256, into the store.
fetch() { # ARCHIVE PATH SHA256
	local f=$store/sha256/$3 t
	[ ! -f "$f" ] || return 0
	t=$store/sha256/.$3.$$
	curl -fsS --retry 3 --connect-timeout 20 -o "$t" \
	    "$(mirror "$1")/$2" || {
		rm -f "$t"
		die "cannot fetch $2; try DSTACK_MIRROR, or image/relock" \
		    "if the archive has moved on"
	}
	[ "$(sum "$t")" = "$3" ] || {
		rm -f "$t"
		die "$2: not the SHA-256 that lock.json names"
	}
	mv "$t" "$f"
}

# The lock file has one package and one index a line in a fixed order of
# keys; a line that looks otherwise is an error, not something to guess at.
section() { # LOCK NAME SED-SCRIPT
	sed -n "/^\"$2\":\[/,/^\]/p" "$1" | sed -e 1d -e '$d' |
	    sed -E -e "$3;t" -e 's/^/?bad /' |
	    awk '$1=="?bad"{print "image: lock.json: bad line: " $0 >"/dev/stderr"; exit 1} {print}'
}

# Packages of a lock file: USE NAME VERSION ARCHIVE PATH SIZE SHA256 SUITE.
rows() {
	section "$1" packages 's/^\{"name":"([a-z0-9.+-]+)","use":"([a-z]+)","version":"([A-Za-z0-9.+~:-]+)","suite":"([a-z-]+)","archive":"([a-z-]+)","path":"(pool\/[A-Za-z0-9.+~:%_\/-]+)","size":([0-9]+),"sha256":"([0-9a-f]{64})"\},?$/\2 \1 \3 \5 \6 \7 \8 \4/'
}

# Indexes of a lock file: ARCHIVE SUITE INRELEASE INDEX SHA256 DATE.
indexes() {
	section "$1" indexes 's/^\{"archive":"([a-z-]+)","suite":"([a-z-]+)","date":"([A-Za-z0-9:, ]+)","inrelease":"([0-9a-f]{64})","index":"([A-Za-z0-9.\/-]+)","sha256":"([0-9a-f]{64})"\},?$/\1 \2 \4 \5 \6 \3/'
}
