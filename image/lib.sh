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

# The lock file: the tree's own, or one that was made here since (DSTACK_LOCK,
# image/build says when).
imagedir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lock=${DSTACK_LOCK:-$imagedir/lock.json}

# Where this machine's own apt gets an archive from; nothing if it does not.
apt_mirror() { # ARCHIVE
	{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
	    /etc/apt/sources.list.d/*.sources  2>/dev/null || :; } |
	    sed -n -e 's/^deb .*\(https\{0,1\}:[^ ]*\).*/\1/p' \
	    -e 's/^URIs: *//p' | tr ' ' '\n' | sed 's,/*$,,' |
	    grep -m1 "/$1\$" || :
}

# The time that the lock file's newest index is of, as the snapshot archive
# writes it, and six hours on: by then it has been taken in.
lock_time() {
	local t
	t=$(indexes "$lock" | cut -d' ' -f6- | while read -r d; do
		date -u -d "$d" +%s
	done | sort -n | tail -1)
	date -u -d "@$((t + 21600))" +%Y%m%dT%H%M%SZ
}

# The places that may have an archive, one a line, in the order of asking.
# DSTACK_MIRROR (parents of debian/ and debian-security/, by blanks) goes
# before image/mirrors and stands alone.
mirrors() { # ARCHIVE
	local m t
	if [ -n "${DSTACK_MIRROR:-}" ]; then
		for m in $DSTACK_MIRROR; do
			echo "${m%/}/$1"
		done
		return
	fi
	sed 's/#.*//' "$imagedir/mirrors" | while read -r m; do
		case $m in
		'') ;;
		apt) apt_mirror "$1" ;;
		*)
			t=${lock_at:-$(lock_time)}
			m=${m//%A/$1}
			echo "${m//%D/$t}"
			;;
		esac
	done
}

# The first of them, for what is to be of today.
mirror() { # ARCHIVE
	local u
	u=$(mirrors "$1" | head -1)
	[ -n "$u" ] ||
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

# A file of the archive, by its SHA-256, into the store, from the first place
# that has it. Else a line on standard output, why, and
#	1  a place gave other bytes, and none the right ones
#	3  the first place could not be asked, and no other has it
#	4  the first place, which has today's packages, does not have it any
#	   more, nor has any other that could be asked; in parentheses, who
#	   could not
fetch() { # ARCHIVE PATH SHA256
	local f=$store/sha256/$3 t m code n=0 down='' other='' gone=''
	[ ! -f "$f" ] || return 0
	t=$store/sha256/.$3.$$
	for m in $(mirrors "$1"); do
		n=$((n + 1))
		code=$(curl -sSL --retry 2 --connect-timeout 15 --max-time 900 \
		    -o "$t" -w '%{http_code}' "$m/$2" 2>"$t.err") || code=000
		case $code in
		200)
			if [ "$(sum "$t")" = "$3" ]; then
				mv "$t" "$f"
				rm -f "$t.err"
				return 0
			fi
			other="$m has $2 with other bytes than lock.json names"
			;;
		404 | 410) [ $n -gt 1 ] || gone=1 ;;
		000) down="$m: $(sed -n 's/^curl: //p' "$t.err" | head -1)" ;;
		*) down="$m answers HTTP $code" ;;
		esac
		rm -f "$t" "$t.err"
	done
	if [ -n "$other" ]; then
		echo "$other"
		return 1
	elif [ -n "$gone" ]; then
		echo "$2${down:+ ($down)}"
		return 4
	elif [ -n "$down" ] || [ "$n" -eq 0 ]; then
		[ -n "$down" ] || down="nothing in apt's sources has $1"
		echo "$2: $down"
		return 3
	fi
	echo "$2"
	return 4
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
