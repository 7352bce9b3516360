#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A developer's evening: every command of docs/apps.md that begins with "$ ",
# typed as it stands there, in an empty folder beside a network of two VMs.
# Only docker is ours: buildah on tests/apps' base, as nothing comes from a hub.
set -u
cd "$(dirname "$0")/../.." || exit 1
for c in mmdebstrap buildah busybox; do
	command -v $c >/dev/null || { echo "needs $c (busybox-static)"; exit 77; }
done
. tests/vm/netlib.sh
. tests/apps/lib.sh
top=$PWD
if [ -z "${DSTACK_TEST_NET:-}" ]; then # images, while there is a network
	base_image && app_image postgres 1 || exit 1
	story=$apps/story
	rm -rf "$story"
	mkdir -p "$story/web"
	awk '/^\$ cat >web\/Dockerfile/ {on=1; next} on && /^END/ {exit} on' \
		docs/apps.md >"$story/web/Dockerfile"
	sed -i 's,^FROM debian:bookworm-slim,FROM localhost/debian,; s,^COPY.*,,' \
		"$story/web/Dockerfile"
	# its packages come from the network, which the story's namespace has not
	bud bud -q --layers --format docker -t web-base "$story/web" || exit 1
fi
own_network "$PWD/tests/apps/story.sh"
start_network --nodes 2 --memory "${MEMORY:-4096}" --volume 1024 ${NO_VM:+--no-vm} || exit 1
story=$top/$apps/story
rm -rf "$story"
mkdir -p "$story/evening/build"
ln -s "$top/$net" "$story/evening/build/demo"
PATH=$top/$B/bin:$PATH

docker() {
	case $1 in
	build)
		cp -r "$4" "$story/build"
		sed -i '/^RUN/d; s,^FROM .*,FROM localhost/web-base,' "$story/build/Dockerfile"
		(cd "$top" && bud bud -q --format docker -t "$3" "$story/build")
		;;
	save)
		if [ "$2" = postgres:17 ]; then
			cp "$top/$apps/postgres-1.tar" "$4"
		else
			(cd "$top" && bud push -q "$2" "docker-archive:$story/evening/$4")
		fi
		;;
	esac
}
page() { # PATH
	curl -sSf --max-time 20 --cacert build/demo/ca/ca.pem \
		--connect-to ::127.0.0.1:4002 "https://$domain$1"
}
# NUMBER.cmd: each command with what it reads
awk -v d="$story" '
	/^```/ { on = 0; next }
	/^\$ / { on = 1; n++; f = sprintf("%s/%02d.cmd", d, n); sub(/^\$ /, "") }
	on { print >f }' docs/apps.md
cd "$story/evening" || exit 1
visits=0
for cmd in "$story"/*.cmd; do
	text=$(head -1 "$cmd")
	out=$story/out
	# shellcheck disable=SC1090
	. "$cmd" >"$out" 2>&1 </dev/null
	rc=$?
	[ $rc -eq 0 ] || sed 's/^/# /' "$out"
	check "\$ $text" "$(yes_if test $rc -eq 0)"
	[ $rc -eq 0 ] || break
	case $text in
	curl*)
		n=$(sed -n 's/^visit //p' "$out")
		if [ -n "$n" ]; then
			check "the page counts: visit $n" "$(yes_if test "$n" -gt "$visits")"
			visits=$n
		else
			check "the first page" "$(yes_if grep -q First "$out")"
		fi
		;;
	*rollback*)
		check "the first page again" "$(yes_if sh -c "echo '$(page /)' | grep -q First")"
		;;
	*'secret list'*)
		dstack app push app.tar >"$out" 2>&1 || sed 's/^/# /' "$out"
		check "the app has its secret" "$(yes_if test "$(page /token)" = '8 bytes')"
		;;
	*'app logs --key'*)
		check "its owner reads what it wrote" "$(yes_if grep -q 'a visit' "$out")"
		;;
	esac
done
exit $bad
