#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dstack beacon verify: a made chain in all forms of its files, exit codes and
# the JSON that scripts rely on, and each kind of refusal; then what real
# chains and the specification's own tests have recorded, where these files lie
# beside the tree (../shared/vectors/eth, or ETH_VECTORS).
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
bin=$B/bin/dstack
[ -x "$B/test/test_beacon_files" ] || make -s "B=$B" "$B/test/test_beacon_files"
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
"$B/test/test_beacon_files" "$d"
root=$(cat "$d/root") now=$(cat "$d/now")

# expect NAME EXIT PATTERN ARGS...: the output must hold the pattern
expect() {
	name=$1 want=$2 pattern=$3
	shift 3
	rc=0
	"$bin" beacon verify "$@" >"$d/out" 2>&1 || rc=$?
	if [ "$rc" -ne "$want" ] || ! grep -q -- "$pattern" "$d/out"; then
		echo "$name: exit $rc, expected $want with '$pattern':"
		cat "$d/out"
		exit 1
	fi
	[ "$(wc -l <"$d/out")" -eq 1 ] || case " $* " in
	*" --json "*)
		echo "$name: --json printed more than one line:"
		cat "$d/out"
		exit 1
		;;
	esac
	echo "ok $name"
}
made() { # NAME EXIT PATTERN [MORE...]: of the made chain
	n=$1 e=$2 p=$3
	shift 3
	expect "$n" "$e" "$p" --network "$d/network" --root "$root" --json "$@"
}
# what --json says of a head
head_of() { # SLOT ROOTFILE HASHFILE PERIOD
	printf '"finalized":{"slot":%s,"root":"0x%s","execution_hash":"0x%s"},"period":%s}' \
		"$1" "$(cat "$d/$2")" "$(cat "$d/$3")" "$4"
}

# every form of every file, and their mixtures
for f in ssz snappy block frames json json.snappy; do
	made "a bootstrap as $f" 0 '^{"ok":true,"code":"ok","message":"[^"]*","finalized":{"slot":200,' \
		--bootstrap "$d/bootstrap.$f" --at "$now"
	made "updates one by one as $f" 0 '"ok":true.*'"$(head_of 400 root-6 hash-6 6)" \
		--bootstrap "$d/bootstrap.ssz" --at "$now" --updates "$d/update-3.$f" \
		--updates "$d/update-4.$f" --updates "$d/update-5.$f" --updates "$d/update-6.$f"
	made "a finality update as $f" 0 '"ok":true.*'"$(head_of 424 root-end hash-end 6)" \
		--bootstrap "$d/bootstrap.json" --at "$now" --updates "$d/updates.frames" \
		--finality "$d/finality.$f"
done
for f in frames frames.snappy json; do
	made "a list of updates as $f" 0 "$(head_of 400 root-6 hash-6 6)" \
		--bootstrap "$d/bootstrap.ssz" --updates "$d/updates.$f" --at "$now"
done
for p in 3 4 5 6; do
	set -- --bootstrap "$d/bootstrap.ssz" --at "$now"
	for q in 3 4 5 6; do
		if [ $q -le $p ]; then set -- "$@" --updates "$d/update-$q.ssz"; fi
	done
	made "up to period $p, over the forks" 0 "$(head_of $((64 * p + 16)) root-$p hash-$p $p)" "$@"
done
expect "without --json a line of each" 0 '^ok: ' --network "$d/network" --root "0x$root" \
	--bootstrap "$d/bootstrap.ssz" --updates "$d/updates.json" --at "$now"
for line in 'slot: 400' "root: 0x$(cat "$d/root-6")" "execution_hash: 0x$(cat "$d/hash-6")" 'period: 6'; do
	grep -qx "$line" "$d/out" || { echo "no line '$line'"; cat "$d/out"; exit 1; }
done

# what is refused: exit 1, the code, and what was proven before it
made "another root" 1 '"ok":false,"code":"checkpoint",.*"finalized":null,"period":null}' \
	--bootstrap "$d/bootstrap.ssz" --at "$now" --root "$(cat "$d/root-3")"
made "a period left out" 1 '"code":"period".*update-5.ssz: container 0: .*'"$(head_of 208 root-3 hash-3 3)" \
	--bootstrap "$d/bootstrap.ssz" --at "$now" --updates "$d/update-3.ssz" --updates "$d/update-5.ssz"
made "the same update again" 0 '"slot":208' --bootstrap "$d/bootstrap.ssz" --at "$now" \
	--updates "$d/update-3.ssz" --updates "$d/update-3.ssz"
made "an update of long ago" 1 '"code":"period"' --bootstrap "$d/bootstrap.ssz" --at "$now" \
	--updates "$d/updates.json" --updates "$d/update-3.ssz"
made "signed in the future" 1 '"code":"future".*"slot":400' --bootstrap "$d/bootstrap.ssz" \
	--at $((now - 1)) --updates "$d/updates.json" --finality "$d/finality.ssz"
made "too few signers" 1 '"code":"few".*21 of 32.*"slot":400' --bootstrap "$d/bootstrap.ssz" \
	--at 2100000000 --updates "$d/updates.json" --finality "$d/few.json"
made "a fork nobody knows" 1 '"code":"fork".*slot 450 is past the fork heze.*"slot":400' \
	--bootstrap "$d/bootstrap.ssz" --at 2100000000 --updates "$d/updates.json" --updates "$d/unknown-fork.ssz"
cat "$d/finality.frames" "$d/finality.frames" >"$d/two"
made "two finality updates in one file" 1 '"code":"format".*2 containers, where one belongs' \
	--bootstrap "$d/bootstrap.ssz" --at "$now" --updates "$d/updates.json" --finality "$d/two"
made "an update for a bootstrap" 1 '"code":"format"' --bootstrap "$d/update-3.ssz" --at "$now"
made "a file that is none of it" 1 '"code":"format"' --bootstrap "$d/network" --at "$now"
: >"$d/empty"
made "an empty file" 1 '"code":"format"' --bootstrap "$d/empty" --at "$now"
sed 's/"version": "deneb"/"version": "electra"/' "$d/update-3.json" >"$d/electra"
made "another fork's name" 1 '"code":"format"' --bootstrap "$d/bootstrap.ssz" --at "$now" --updates "$d/electra"
expect "of another network" 1 '"code":"format"' --network mainnet --root "$root" --json \
	--bootstrap "$d/bootstrap.ssz" --at "$now"
# a byte of each tenth of an update, and of the whole stream around it
for f in ssz snappy; do
	size=$(wc -c <"$d/update-3.$f")
	for i in 0 1 2 3 4 5 6 7 8 9; do
		at=$((size * i / 10 + i))
		head -c $at "$d/update-3.$f" >"$d/bad"
		byte=$(tail -c +$((at + 1)) "$d/update-3.$f" | head -c 1 | od -An -tu1)
		printf "\\$(printf %03o $(((${byte:-0} + 1) % 256)))" >>"$d/bad"
		tail -c +$((at + 2)) "$d/update-3.$f" >>"$d/bad"
		made "byte $at of an update as $f" 1 '"ok":false.*"slot":200' \
			--bootstrap "$d/bootstrap.ssz" --updates "$d/bad" --at 1600001286
	done
done

# what cannot be read or was called wrong
made "no such file" 3 'No such file' --bootstrap "$d/none" --at "$now"
made "no such update" 3 'none: No such file' --bootstrap "$d/bootstrap.ssz" --updates "$d/none" --at "$now"
expect "no such network" 3 'neither mainnet' --network moonnet --root "$root" --bootstrap "$d/bootstrap.ssz"
sed s/committee=32/committee=31/ "$d/network" >"$d/net31"
expect "a network that cannot be" 3 'line 7: committee' --network "$d/net31" --root "$root" --bootstrap "$d/bootstrap.ssz"
expect "no root" 2 '--root ROOT is missing' --network mainnet --bootstrap "$d/bootstrap.ssz"
expect "no bootstrap" 2 '--bootstrap FILE is missing' --network mainnet --root "$root"
expect "no network" 2 '--network NAME|FILE is missing' --bootstrap "$d/bootstrap.ssz" --root "$root"
expect "a root that is short" 2 'takes 64 hex digits' --network mainnet --bootstrap "$d/bootstrap.ssz" --root 00
expect "a time that is none" 2 'neither Unix seconds' --network mainnet --root "$root" --bootstrap "$d/bootstrap.ssz" --at soon

# ---- recordings of real chains, and the specification's tests
v=${ETH_VECTORS:-../shared/vectors/eth}
if [ ! -d "$v/lc-mainnet" ]; then
	echo "no recordings at $v: the made chain alone"
	exit 0
fi
mainnet() { # NAME EXIT PATTERN ROOT BOOTSTRAP [MORE...]
	n=$1 e=$2 p=$3 r=$4 b=$5
	shift 5
	expect "$n" "$e" "$p" --network mainnet --root "$r" --bootstrap "$b" --json "$@"
}
m=$v/lc-mainnet/deneb-46-periods
set -- 2e522016a5ac7d8d57d758b633a25491a43d12750db8f417fd6cf264b7ec5650 "$(echo "$m"/*bootstrap*.ssz)"
mainnet "mainnet, 46 periods" 0 '"ok":true.*"finalized":{"slot":11403328,.*"period":1392}' "$@" \
	--updates "$(echo "$m"/*updates*.ssz)"
mainnet "and as of their last day" 1 '"code":"future".*container 45.*"period":1391}' "$@" \
	--updates "$(echo "$m"/*updates*.ssz)" --at 1743580000
m=$v/lc-mainnet/electra
set -- b8758d4bd976e1b33e62937ed31a709dba0a855869641581bef3d2a48b527690 "$(echo "$m"/*bootstrap*.ssz)"
mainnet "mainnet, Electra" 0 '"finalized":{"slot":11651008,.*"period":1422}' "$@" \
	--updates "$(echo "$m"/*period_1422*.ssz)"
mainnet "older than the bootstrap" 1 '"code":"period".*"finalized":{"slot":11649056,' "$@" \
	--updates "$(echo "$m"/*period_1402*.ssz)"
m=$v/lc-real
mainnet "mainnet, Capella, JSON" 0 '"finalized":{"slot":7089280,.*"period":865}' \
	5afc212a7924789b2bc86acad3ab3a6ffb1f6e97253ea50bee7f4f51422c9275 "$m/bootstrap.json" \
	--updates "$m/updates_0_3.json"

# steps.yaml: after each update the finalized head is the one named. A forced
# step is the specification's answer to a day without finality and not ours:
# what rests on it is refused.
for c in deneb/light_client_sync deneb/advance_finality_without_sync_committee \
	electra/light_client_sync electra/advance_finality_without_sync_committee; do
	s=$v/lc-spec-minimal/$c
	{
		printf 'name=minimal\ngenesis-time=1578009900\nseconds-per-slot=6\nslots-per-epoch=8\n'
		printf 'epochs-per-period=8\ncommittee=32\n'
		sed -n "s/.*genesis_validators_root: *'\(0x[0-9a-f]*\)'.*/genesis-root=\1/p" "$s/meta.yaml"
		for f in altair bellatrix capella deneb electra; do
			up=$(echo $f | tr a-z A-Z)
			w=$(sed -n "s/^${up}_FORK_VERSION: *//p" "$s/config.yaml")
			[ -z "$w" ] || echo "fork=$f $w $(sed -n "s/^${up}_FORK_EPOCH: *//p" "$s/config.yaml")"
		done
	} >"$d/minimal"
	trusted=$(sed -n "s/.*trusted_block_root: *'\(0x[0-9a-f]*\)'.*/\1/p" "$s/meta.yaml")
	awk '
	function flush() { if (kind) print kind, update, slot, fslot, froot }
	/^- /{flush(); kind = substr($2, 1, length($2) - 1); update = "-"; in_final = 0}
	{
		gsub(/[{},]/, " ")
		gsub(/\047/, "")
		for (i = 1; i <= NF; i++) {
			if ($i == "update:") update = $(i + 1)
			if ($i == "current_slot:") slot = $(i + 1)
			if ($i == "finalized_header:") in_final = 1
			if ($i == "optimistic_header:") in_final = 0
			if (in_final && $i == "slot:") fslot = $(i + 1)
			if (in_final && $i == "beacon_root:") froot = $(i + 1)
		}
	}
	END {flush()}' "$s/steps.yaml" >"$d/steps"
	[ "$(wc -l <"$d/steps")" -ge 5 ] || { echo "$c: steps.yaml cannot be read"; exit 1; }
	set -- --network "$d/minimal" --root "$trusted" --bootstrap "$s/bootstrap.ssz_snappy" --json
	forced=
	while read -r kind update slot fslot froot; do
		if [ "$kind" = force_update ]; then
			forced=1
			continue
		fi
		at=$((1578009900 + 6 * slot))
		if [ -n "$forced" ]; then
			expect "$c: slot $slot rests on a forced step" 1 '"code":"period"' \
				"$@" --updates "$s/$update.ssz_snappy" --at $at
			continue
		fi
		set -- "$@" --updates "$s/$update.ssz_snappy"
		expect "$c: slot $slot" 0 "\"finalized\":{\"slot\":$fslot,\"root\":\"$froot\"" "$@" --at $at
	done <"$d/steps"
done
