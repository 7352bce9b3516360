#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# T11: another image under the same name, or the right one with other bytes.
cd "$(dirname "$0")/../.." || exit 1
. tests/hostile/lib.sh
mkdir -p "$d/a" "$d/b" "$d/x"
echo good >"$d/a/app"
echo evil >"$d/b/app"
want=$("$bin" app build "$d/a" -o "$d/a.tar" --config app-example/config.json --tag app:1)
"$bin" app build "$d/b" -o "$d/b.tar" --config app-example/config.json --tag app:1 >/dev/null
# refused NAME FILE: inspect must say no (1), and not for want of a file (3)
refused() {
	rc=0
	"$bin" app inspect --digest "$want" "$2" >"$d/out" 2>&1 || rc=$?
	if [ $rc -ne 1 ]; then
		echo "not ok $1: exit $rc"
		cat "$d/out"
		exit 1
	fi
	echo "ok T11_$1"
}
"$bin" app inspect --digest "$want" "$d/a.tar" >/dev/null
refused another_image_with_the_same_tag "$d/b.tar"

# The right config with the other image's layer, under the old layer's name.
tar -C "$d/x" -xf "$d/a.tar"
layer=$(cd "$d/x" && echo */layer.tar)
tar -xOf "$d/b.tar" --wildcards '*/layer.tar' >"$d/x/$layer"
(cd "$d/x" && tar -cf "$d/m.tar" -- *.json "$layer")
refused the_right_config_over_another_layer "$d/m.tar"

# A second file under the config's or the layer's name.
cp "$d/a.tar" "$d/m.tar"
tar -C "$d/x" -rf "$d/m.tar" "$layer"
refused a_second_layer_under_the_name_of_the_first "$d/m.tar"

# One bit anywhere in the layer.
size=$(stat -c %s "$d/a.tar")
at=$(grep -abo good "$d/a.tar" | cut -d: -f1)
cp "$d/a.tar" "$d/m.tar"
printf h | dd of="$d/m.tar" bs=1 seek="$at" conv=notrunc 2>/dev/null
refused one_changed_byte_in_the_layer "$d/m.tar"
head -c $((size / 2)) "$d/a.tar" >"$d/m.tar"
refused an_archive_cut_in_half "$d/m.tar"
