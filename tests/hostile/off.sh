# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts that show their attack succeed: a build of the same tree
# in which one check is off.

# without NAME FILE SED-EXPRESSION: build/NAME-off/build/bin has the programs
# with FILE changed by the expression, which has to change something
without() {
	local off=build/$1-off file=$2 o
	rm -rf "$off"
	mkdir -p "$off/build" "$off/tools"
	# links: whatever is written anew is a file of its own
	cp -al Makefile Makefile.* include lib guest host sim cli "$off/"
	cp -al tools/blst tools/fetch-blst tools/package*.json "$off/tools/"
	for o in obj bin lib gen contracts; do
		[ ! -d "${B:-build}/$o" ] || cp -al "${B:-build}/$o" "$off/build/"
	done
	sed "$3" "$file" >"$off/$file.off"
	if cmp -s "$file" "$off/$file.off"; then fail "$file: nothing is switched off"; fi
	rm -f "$off/$file" "$off/build/obj/${file%.c}".[od] "$off"/build/bin/dstack-guest-*
	mv "$off/$file.off" "$off/$file"
	make -s -C "$off" B=build build/bin/dstack-guest-sim >"$off.log" 2>&1 ||
		fail "no build without the check" "$off.log"
}
