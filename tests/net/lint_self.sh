#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/lint-tree on a small tree of its own: clean as it is, and red for each
# thing that it is there to refuse. A gate that cannot fail is no gate.
set -eu
cd "$(dirname "$0")/../.."
lint=$PWD/tests/lint-tree
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
t=$d/tree
mkdir -p "$t/guest/init" "$t/lib/base" "$d/shared/vectors" "$d/keep"
cp guest/init/roles.c "$t/guest/init/"
printf 'int a;\n' >"$t/lib/base/a.c"
sed -n '/^```mermaid$/,/^```$/p' README.md >"$t/README.md"
cat >>"$t/README.md" <<'END'
## What is where
| `lib/base` | a |
| `guest/init/` | b |
## Else
| `no/row` | this table is another |
END
head -c 300 /dev/zero | tr '\0' v >"$d/shared/vectors/given"
head -c 200 /dev/zero | tr '\0' w >"$d/shared/vectors/short"
git init -q "$t"
cp -a "$t" "$d/keep/"
bad=0
# gate NAME TEXT: the tree as spoilt is refused with TEXT, in a line "lint: "
gate() {
	git -C "$t" add -A
	rc=0
	"$lint" "$t" >"$d/out" 2>&1 || rc=$?
	if [ "$rc" -eq 1 ] && [ "$(grep -c '^lint: ' "$d/out")" -eq 1 ] &&
		grep -qF -- "$2" "$d/out"; then
		echo "ok $1"
	else
		bad=1
		echo "not ok $1: exit $rc, not 1 and one finding with '$2'"
		cat "$d/out"
	fi
	rm -rf "$t"
	cp -a "$d/keep/tree" "$t"
}
git -C "$t" add -A
if "$lint" "$t" >"$d/out" 2>&1 && [ ! -s "$d/out" ]; then
	echo "ok a_clean_tree_is_clean"
else
	bad=1
	echo "not ok a_clean_tree_is_clean"
	cat "$d/out"
fi
cp "$d/shared/vectors/short" "$t/lib/base/short"
git -C "$t" add -A
"$lint" "$t" >"$d/out" 2>&1 || { bad=1; echo "not ok a short copy may be chance"; cat "$d/out"; }
rm "$t/lib/base/short"

echo x >"$t/q"
gate a_file_at_the_root_without_a_row "    q"
mkdir "$t/guest/attic"
echo x >"$t/guest/attic/a"
gate a_room_without_a_row "    guest/attic"
sed -i 's/^| `lib\/base`/| `lib\/base` `lib\/crypto`/' "$t/README.md"
gate a_row_without_a_thing "    lib/crypto"
sed -i 's/^| `guest\/init\/`/| `lib\/base` `guest\/init\/`/' "$t/README.md"
gate a_name_in_two_rows "twice"
sed -i 's/\[ROLE_TLS\] = BIT/[ROLE_TLS] = BIT(ROLE_TEE) | BIT/' "$t/guest/init/roles.c"
gate an_edge_that_the_picture_lacks "    unstoppable-tls --> tee"
sed -i 's/verifier --> hostlink & keyd/verifier --> hostlink/' "$t/README.md"
gate an_edge_taken_out_of_the_picture "    verifier --> keyd"
sed -i 's/unstoppable-tls --> hostlink/& \& volume/' "$t/README.md"
gate an_edge_that_no_role_has "    unstoppable-tls --> volume"
sed -i '/^ *keyd\[/d' "$t/README.md"
gate a_role_without_a_box "    keyd"
sed -i 's/"keyd"/"safe"/' "$t/guest/init/roles.c"
git -C "$t" add -A
"$lint" "$t" >"$d/out" 2>&1 && { bad=1; echo "not ok a role of another name"; }
rm -rf "$t" && cp -a "$d/keep/tree" "$t"
sed -i 's/ = BIT/ = B/' "$t/guest/init/roles.c"
git -C "$t" add -A
"$lint" "$t" 2>&1 | grep -q 'picture that guest/init/roles.c has not' || {
	bad=1
	echo "not ok edges written in another way"
}
rm -rf "$t" && cp -a "$d/keep/tree" "$t"
cp "$d/shared/vectors/given" "$t/lib/base/mine"
gate a_copy_of_a_given_vector "    lib/base/mine"
echo 'see /ho''me/me/x' >"$t/lib/base/note"
gate a_path_of_one_machine "lib/base/note:1:"
echo 'from https://reg''istry.npmjs.org/x' >"$t/lib/base/note"
gate a_registry_by_name "lib/base/note:1:"
exit $bad
