#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our archive, through skopeo into the other layouts and back: the same image
# by our reading each time, and skopeo's reading agrees (promise 5).
# Skipped without skopeo.
set -eu
B=${B:-build}
if ! command -v skopeo >/dev/null; then
	echo "no skopeo here"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
	echo "FAIL oci-tools: $*"
	exit 1
}
mkdir -p "$work/root/etc" "$work/root/bin"
echo hello >"$work/root/etc/motd"
printf '#!/bin/sh\n' >"$work/root/bin/run"
chmod 755 "$work/root/bin/run"
ln -s ../etc/motd "$work/root/bin/link"
# names are bytes: as in Debian's ca-certificates, and such as are no UTF-8
odd=$(printf 'F\305\221tan\303\272s\303\255tv\303\241ny')
latin=$(printf 'caf\351')
ln -s "/usr/share/$odd.crt" "$work/root/etc/$odd.pem"
echo x >"$work/root/etc/$latin"
cat >"$work/config.json" <<-'J'
	{ "Entrypoint": ["/bin/run"], "Env": ["A=b"], "User": "7",
	  "ExposedPorts": { "8080/tcp": {} }, "StopSignal": "SIGINT" }
J
want=$("$B/bin/dstack" app build "$work/root" -o "$work/a.tar" \
	--config "$work/config.json" --tag t:1)
again=$("$B/bin/dstack" app build "$work/root" -o "$work/b.tar" \
	--config "$work/config.json" --tag t:1)
cmp -s "$work/a.tar" "$work/b.tar" || fail "two builds differ"
[ "$want" = "$again" ] || fail "two builds name different digests"

digest() {
	"$B/bin/dstack" app inspect "$1" | sed -n 's/^digest *//p'
}
copy() {
	skopeo --insecure-policy copy -q --tmpdir "$work" "$1" "$2" ||
		fail "skopeo cannot copy $1"
}
[ "$(digest "$work/a.tar")" = "$want" ] || fail "our own archive"
copy "docker-archive:$work/a.tar" "docker-archive:$work/d.tar:t:1"
[ "$(digest "$work/d.tar")" = "$want" ] || fail "docker-archive by skopeo"
copy "docker-archive:$work/a.tar" "dir:$work/dir"
id=$(skopeo inspect --raw "dir:$work/dir" |
	sed -n 's/.*"config":{[^}]*"digest":"sha256:\([0-9a-f]*\)".*/\1/p')
[ "0x$id" = "$want" ] || fail "skopeo says the config is $id"

copy "docker-archive:$work/a.tar" "oci-archive:$work/o.tar:t:1"
[ "$(digest "$work/o.tar")" = "$want" ] || fail "oci-archive by skopeo"
tar -xOf "$work/a.tar" --wildcards '*/layer.tar' |
	tar --warning=no-unknown-keyword -tf - --quoting-style=literal >"$work/names"
for n in "etc/$odd.pem" "etc/$latin"; do
	LC_ALL=C grep -qxF "$n" "$work/names" || fail "$n has another name"
done
copy "oci-archive:$work/o.tar" "docker-archive:$work/d2.tar:t:1"
[ "$(digest "$work/d2.tar")" = "$want" ] || fail "docker-archive from OCI"
"$B/bin/dstack" app inspect --digest 0x00"${want#0x??}" "$work/a.tar" \
	2>/dev/null && fail "another digest is taken"
echo "ok   oci-tools: docker-archive and oci-archive name $want"
