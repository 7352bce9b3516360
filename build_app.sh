#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make host_volume/app-example.tar, the greeting app as `docker save` writes
# it, without Docker. Prints the digest that the contract is told.
# Usage: ./build_app.sh [-o FILE] [--greeting TEXT]   (TEXT: another version)
set -eu
cd "$(dirname "$0")"
B=${B:-build}
out=host_volume/app-example.tar
flags=
while [ $# -gt 0 ]; do
	case $1 in
	-o) out=${2:?"-o needs a file"} && shift 2 ;;
	--greeting)
		case ${2:?"--greeting needs a text"} in
		*[!A-Za-z0-9\ .,!-]*)
			echo "build_app.sh: greeting: letters, digits, spaces and .,!- only" >&2
			exit 2
			;;
		esac
		flags="-DGREETING='\"$2\"'" && shift 2
		;;
	*) echo "usage: ./build_app.sh [-o FILE] [--greeting TEXT]" >&2 && exit 2 ;;
	esac
done
[ -x "$B/bin/dstack" ] || make -s "B=$B" "$B/bin/dstack" >&2
mkdir -p "$B" "$(dirname "$out")"
work=$(mktemp -d "$B/app.XXXXXX") # two may build at once
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
make -s -C app-example "OUT=$(realpath "$work")" "APP_CFLAGS=$flags" >&2
"$B/bin/dstack" app build "$work" -o "$out" \
	--config app-example/config.json --tag app-example:latest
