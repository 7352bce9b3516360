#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What "dstack" says to those who ask and to those who mistype: help and
# version of every verb on standard output with exit 0; for a wrong call one
# line on standard error that names the word and what it should be, exit 2,
# nothing on standard output. Before any file is read or network is asked:
# it runs in an empty folder, and what it names does not exist.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "${B:-build}/bin/dstack")
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 1
bad=0
asked=0
wrongs=0

no() {
	bad=$((bad + 1))
	echo "not ok: dstack $1: $2"
	head -3 out err
}

run() {
	rc=0
	timeout 10 "$bin" "$@" >out 2>err </dev/null || rc=$?
}

# asks PATTERN ARGS...
asks() {
	local want=$1
	shift
	asked=$((asked + 1))
	run "$@"
	if [ "$rc" -ne 0 ]; then no "$*" "exit $rc"
	elif [ -s err ]; then no "$*" "something on standard error"
	elif ! grep -q -- "$want" out; then no "$*" "no '$want'"; fi
}

# wrong REASON ARGS...
wrong() {
	local want=$1
	shift
	wrongs=$((wrongs + 1))
	run "$@"
	if [ "$rc" -ne 2 ]; then no "$*" "exit $rc, not 2"
	elif [ -s out ]; then no "$*" "something on standard output"
	elif [ "$(wc -l <err)" -ne 1 ]; then no "$*" "not one line"
	elif ! grep -qF -- "$want" err; then no "$*" "the reason is not '$want'"
	elif ! grep -qF -- "--help' tells more" err; then no "$*" "no way on"; fi
}

subs() {
	case $1 in
	node) echo run address ;;
	quote) echo show verify collateral ;;
	image) echo build relock export import measure audit diff ;;
	vm) echo start stop logs acpi probe ;;
	app) echo build inspect push rollback ;;
	contract) echo show deploy open-epoch allow-tuple deny-tuple \
		accept-advisory deny-advisory allow-platform deny-platform \
		allow-tuple-again allow-advisory-again allow-platform-again \
		close-epoch propose stop-app pause unpause raise-floors \
		set-pauser transfer-ownership accept-ownership purge verify \
		netcfg ;;
	cert) echo request watch install local-ca ;;
	sim) echo tee collateral root quote quote-service ;;
	esac
}

# what every verb answers, and what every verb refuses; ARGS: its words
each() {
	local v
	asks "^usage: dstack $*" "$@" --help
	asks "^usage: dstack $*" "$@" -h
	asks "dstack $*" help "$@"
	asks '^dstack [0-9]' "$@" --version
	asks '^dstack [0-9]' "$@" -V
	v="$*:"
	wrong "$v no option '--bogus'" "$@" --bogus
	wrong "$v no option '--bogus'" "$@" --bogus=1 --help
	wrong "$v no option '-x'" "$@" -x
	wrong "$v no option '-hx': options have two dashes" "$@" -hx
	wrong "$v no option '-xh'" "$@" -xh
	wrong "$v '--help' takes no value, so not 'yes'" "$@" --help=yes
}

asks '^dstack [0-9]' --version
asks '^dstack [0-9]' -V
asks '^usage: dstack VERB' help
asks '^usage: dstack VERB' --help
asks '^usage: dstack VERB' -h
wrong 'which verb?'
wrong "no verb 'hlep'" hlep
wrong "no option '--vm'" --vm
wrong "no verb 'bogus'" help bogus
wrong "'x' is one word too many" help demo x
wrong "'x' is one word too many" help vm start x
wrong "vm: no verb 'bogus'; it takes start, stop, logs, acpi or probe" help vm bogus

for v in demo status pubsub check; do each "$v"; done
for v in node quote image vm app contract cert sim; do
	asks "^usage: dstack $v" "$v" --help
	asks "^usage: dstack $v" "$v" -h
	asks "^usage: dstack $v" help "$v"
	asks '^dstack [0-9]' "$v" --version
	asks '^dstack [0-9]' "$v" -V
	wrong "$v: what? It takes " "$v"
	wrong "$v: no verb 'bogus'; it takes " "$v" bogus
	wrong "$v: no verb 'bogus'; it takes " "$v" bogus --help
	wrong "$v: no verb '--json'; it takes " "$v" --json
	for s in $(subs "$v"); do each "$v" "$s"; done
done

hash=$(printf '%064d' 7)
addr=$(printf '%040d' 7)
wrong "'x' is one word too many" demo x
wrong "--nodes takes a number from 1 to 16, not '17'" demo --nodes 17
wrong "--nodes takes a number, not 'two'" demo --nodes two
wrong "--nodes takes a number, not '-1'" demo --nodes -1
wrong "--nodes takes a number, not ' 1'" demo --nodes ' 1'
wrong "--nodes takes a number, not '1x'" demo --nodes 1x
wrong "'--nodes' takes a value, and none follows" demo --nodes
wrong "'--nodes' takes a value, not the option '--no-vm'" demo --nodes --no-vm
wrong "'--nodes' takes a value that is not empty" demo --nodes ''
wrong "'--nodes=' takes a value that is not empty" demo --nodes=
wrong "more than 16 together" demo --nodes 9 --spare 9
wrong "--memory takes a number from 256 to 65536, not '255'" demo --memory 255
wrong "--ct takes onchain or relay, not 'both'" demo --ct both
wrong "--timeout takes a number from 1 to 1000000, not '0'" demo --timeout 0
wrong "--timeout takes a number from 1 to 1000000, not '99999999999999999999'" demo --timeout 99999999999999999999
wrong "--dir: over 63 bytes" demo --dir "$hash"
wrong "'--no-vm' takes no value, so not '1'" demo --no-vm=1
wrong "'--n' may be --nodes or --no-vm" demo --n 2
wrong "'x' is one word too many" status x
wrong "--dir or --config, not both" status --dir a --config b
wrong "--dir: over 63 bytes" status --dir "$hash"
wrong "'--json' takes no value" status --json=3
wrong "'x' is one word too many" pubsub x
wrong "--listen takes IPV4-ADDRESS:PORT, not 'nowhere'" pubsub --listen nowhere
wrong "'--listen' takes a value" pubsub --listen
wrong "https://NAME is missing" check
wrong "takes https://NAME[:PORT], not 'app.example.org'" check app.example.org
wrong "takes https://NAME[:PORT], not 'http://a.b'" check http://a.b
wrong "takes https://NAME[:PORT], not 'https://'" check https://
wrong "takes https://NAME[:PORT], not 'https://a.b:'" check https://a.b:
wrong "'y' is one word too many" check https://a.b y
wrong "--contract takes 40 hex digits, not '0x12'" check https://a.b --contract 0x12
wrong "--rpc URL is missing" check https://a.b --contract "$addr"
wrong "--contract ADDR is missing" check https://a.b --rpc http://127.0.0.1:1
wrong "--contract ADDR is missing" check https://a.b
wrong "--connect takes ADDR[:PORT], not ':'" check https://a.b --connect :
wrong "'x' is one word too many" node run x
wrong "'x' is one word too many" node address x
wrong "no option '--no-vm'" node address --no-vm
wrong "'--config' takes a value" node run --config
wrong "FILE is missing" quote show
wrong "'y' is one word too many" quote show x y
wrong "no option '--policy'" quote show x --policy y
wrong "'yesterday' is neither Unix seconds nor RFC 3339" quote show x --at yesterday
wrong "FILE is missing" quote verify --collateral x
wrong "--collateral FILE|DIR is missing" quote verify x
wrong "'1.5' is neither Unix seconds nor RFC 3339" quote verify x --collateral y --at 1.5
wrong "--report-data takes 128 hex digits, not 'ab'" quote verify x --collateral y --report-data ab
wrong "no option '--colateral'" quote verify x --colateral y
wrong "QUOTE or --fmspc HEX is missing" quote collateral
wrong "QUOTE or --fmspc HEX, not both" quote collateral x --fmspc 00806f050000
wrong "--fmspc takes 12 hex digits, not '0080'" quote collateral --fmspc 0080
wrong "--ca takes platform or processor, not 'x'" quote collateral --fmspc 00806f050000 --ca x
wrong "--tee takes tdx or sgx, not 'sev'" quote collateral --fmspc 00806f050000 --tee sev
wrong "--update takes standard or early, not 'late'" quote collateral x --update late
wrong "'y' is one word too many" image build x y
wrong "'--from' takes a value" image build --from
wrong "'x' is one word too many" image relock x
wrong "FILE is missing" image export
wrong "'y' is one word too many" image export x y
wrong "FILE is missing" image import
wrong "'y' is one word too many" image import x y
wrong "--netcfg FILE is missing" image measure x
wrong "DIR is missing" image measure --netcfg x
wrong "DIR is missing" image measure --memory 512
wrong "--memory takes a number, not '512M'" image measure x --netcfg y --memory 512M
wrong "--vcpus takes a number from 1 to 64, not '0'" image measure x --netcfg y --vcpus 0
wrong "--tee takes sim or tdx, not 'sgx'" image measure x --netcfg y --tee sgx
wrong "--tee sim takes none of a trust domain's options" image measure x --netcfg y --tee sim --firmware z
wrong "--qemu takes a version as 10.1, not 'ten'" image measure x --netcfg y --qemu ten
wrong "--config is of a node" image measure x --netcfg y --config z
wrong "DIR is missing" image audit
wrong "'y' is one word too many" image audit x y
wrong "not two of them" image audit x --rebuilt y --no-rebuild
wrong "one of the two DIR is missing" image diff x
wrong "'z' is one word too many" image diff x y z
wrong "--run DIR is missing" vm start
wrong "--image DIR is missing" vm start --run x
wrong "--link SOCKET is missing" vm start --run x --image y
wrong "--tee SOCKET is missing" vm start --run x --image y --link z
wrong "--control PORT is missing" vm start --run x --image y --link z --tee t
wrong "--https PORT is missing" vm start --run x --image y --link z --tee t --control 1
wrong "--control takes a number from 1 to 65535, not '65536'" vm start --control 65536
wrong "--https takes a number, not 'https'" vm start --https https
wrong "--accel takes auto, kvm, tcg or tdx, not 'hvf'" vm start --accel hvf
wrong "--vcpus takes a number from 1 to 64, not '65'" vm start --vcpus 65
wrong "no option '--now'" vm start --now
wrong "--run DIR is missing" vm stop
wrong "no option '--image'" vm stop --run x --image y
wrong "--run DIR is missing" vm logs
wrong "'y' is one word too many" vm logs --run x y
wrong "--out DIR is missing" vm acpi
wrong "--phys-bits takes a number from 1 to 57, not '58'" vm acpi --out x --phys-bits 58
wrong "'y' is one word too many" vm probe x y
wrong "no option '--run'" vm probe --run x
wrong "DIR or COMPOSE.yaml is missing" app build -o x
wrong "-o FILE is missing" app build x
wrong "'-o' takes a value" app build x -o
wrong "no option '--json'" app build x -o y --json
wrong "FILE is missing" app inspect
wrong "--digest takes 64 hex digits, not 'sha256'" app inspect x --digest sha256
wrong "no option '-o'" app inspect x -o y
wrong "'y' is one word too many" app push x y
wrong "--config or --dir, not both" app push x --config y --dir z
wrong "--dir: over 63 bytes" app push x --dir "$hash"
wrong "--timeout takes a number from 1 to 2592000, not '0'" app push x --timeout 0
wrong "'x' is one word too many" app rollback x
wrong "no option '--name'" app rollback --name x
wrong "'x' is one word too many" app status x
wrong "no option '--key-file'" app status --key-file x
wrong "'x' is one word too many" app logs x
wrong "NAME is missing" secret set
wrong "a name is 1 to 48 of" secret set a/b
wrong "no option '--file'" secret list --file x
wrong "--node takes a number" app logs --node -1
wrong "--new-key makes a key and reads nothing" app logs --new-key x -f
wrong "--config or --dir, not both" app status --config y --dir z
wrong "no option '--epoch'" contract show --epoch 0
wrong "no option '--calldata'" contract show --calldata
wrong "'x' is one word too many" contract show x
wrong "--contract takes 40 hex digits, not 'zz'" contract show --contract zz
wrong "--owner takes 40 hex digits, not '0x1'" contract deploy --owner 0x1
wrong "no option '--calldata'" contract deploy --calldata
wrong "--notice takes a number, not '1d'" contract deploy --notice 1d
wrong "--notice takes a number from 0 to 4294967295, not '4294967296'" contract deploy --notice 4294967296
wrong "--ct takes onchain or relay, not 'off'" contract deploy --ct off
wrong "--bootstrapper is missing" contract open-epoch
wrong "--tcb takes UpToDate," contract open-epoch --bootstrapper "$addr" --tcb UpToDate,uptodate
wrong "--tcb takes UpToDate," contract open-epoch --bootstrapper "$addr" --tcb UpToDate,
wrong "--platforms takes allow, deny or open, not 'all'" contract open-epoch --bootstrapper "$addr" --platforms all
wrong "--per-block takes a number from 1 to 65535, not '65536'" contract open-epoch --per-block 65536
wrong "--epoch takes a number, not '-1'" contract open-epoch --epoch -1
wrong "HASH is missing" contract allow-tuple
wrong "HASH takes 64 hex digits, not 'zz'" contract allow-tuple zz
wrong "HASH takes 64 hex digits, not '0x12'" contract deny-tuple 0x12
wrong "'$hash' is one word too many" contract deny-tuple "$hash" "$hash"
wrong "HASH takes 64 hex digits" contract allow-platform "${hash}0"
wrong "HASH takes 64 hex digits" contract deny-platform "${hash%7}"
wrong "no option '--epoch'" contract allow-platform "$hash" --epoch 0
wrong "HASH takes 64 hex digits" contract allow-tuple-again "${hash%7}g"
wrong "ID is missing" contract accept-advisory
wrong "ID takes letters, digits and '-'" contract accept-advisory 'INTEL SA'
wrong "ID is missing" contract allow-advisory-again
wrong "--epoch is missing" contract close-epoch
wrong "--epoch takes a number, not 'last'" contract close-epoch --epoch last
wrong "--name is missing" contract propose
wrong "--digest is missing" contract propose --name x
wrong "--digest takes 64 hex digits, not 'zz'" contract propose --digest zz
wrong "--digest takes 64 hex digits, not 'zz'" contract propose --digest sha256:zz
wrong "--version takes a number, not 'v2'" contract propose --version v2
wrong "'--n' may be --name or --not-before" contract propose --n x
wrong "VERSION is missing" contract stop-app
wrong "VERSION takes a number, not 'one'" contract stop-app one
wrong "VERSION takes a number from 1 to" contract stop-app 0
wrong "no option '-1'" contract stop-app -1
wrong "'x' is one word too many" contract pause x
wrong "'x' is one word too many" contract unpause x
wrong "which floors?" contract raise-floors --epoch 0
wrong "--min-eval takes a number, not 'x'" contract raise-floors --min-eval x
wrong "ADDRESS takes 40 hex digits, not 'me'" contract set-pauser me
wrong "ADDRESS is missing" contract transfer-ownership
wrong "'x' is one word too many" contract accept-ownership x
wrong "HASH takes 64 hex digits, not '1'" contract purge 1
wrong "APPDATA or SIGNATURE is missing" contract verify "$hash"
wrong "SIGNATURE takes 130 hex digits" contract verify "$hash" "$hash"
wrong "APPDATA takes 64 hex digits" contract verify x y
wrong "--domain is missing" contract netcfg
wrong "--log-app takes yes or no, not 'maybe'" contract netcfg --domain x --log-app maybe
wrong "--confirmations takes a number, not 'few'" contract netcfg --domain x --confirmations few
wrong "--max-fee takes a number from 1 to" contract pause --max-fee 0
wrong "no option '--max-fee'" contract show --max-fee 1
wrong "'x' is one word too many" cert request x
wrong "no option '--port'" cert request --port 1
wrong "'--ca' takes a value" cert watch --ca
wrong "FILE is missing" cert install
wrong "'y' is one word too many" cert install x y
wrong "--port takes a number, not 'x'" cert local-ca --port x
wrong "--port takes a number from 1 to 65530, not '65531'" cert local-ca --port 65531
wrong "--kernel FILE is missing" sim tee
wrong "--set takes FIELD=HEX, not 'x'" sim tee --set x
wrong "--vcpus takes a number from 1 to 1024, not '0'" sim tee --vcpus 0
wrong "--at takes a number, not 'now'" sim collateral --at now
wrong "--ca takes platform or processor, not 'x'" sim collateral --ca x
wrong "'x' is one word too many" sim root x
wrong "--report-data takes 128 hex digits, not 'x'" sim quote --report-data x
wrong "'x' is one word too many" sim quote x
wrong "'x' is one word too many" sim quote-service x
wrong "--set: 'bogus=00': no such field" sim quote --set bogus=00
wrong "--set: 'mrtd=00': no such field of a quote, or not its length" sim tee --set mrtd=00
wrong "--listen: 'x' is not ADDRESS:PORT" sim quote-service --listen x
wrong "--rpc URL is missing" sim beacon
wrong "--fork-at takes a number from 1 to" sim beacon --fork-at 0
wrong "--lie takes" sim beacon --lie x
wrong "--directory takes http://HOST or https://HOST, not 'foo'" cert request --directory foo
wrong "--rpc takes http://HOST or https://HOST, not 'foo'" contract show --contract "$addr" --rpc foo
wrong "--rpc takes http://HOST or https://HOST, not 'http://'" contract show --contract "$addr" --rpc http://
wrong "--rpc takes http://HOST or https://HOST, not '127.0.0.1:8545'" contract pause --rpc 127.0.0.1:8545
wrong "--url takes http://HOST or https://HOST, not 'foo'" quote collateral --fmspc 00806f050000 --url foo
wrong "--domain takes a host name in small letters, not 'a b'" contract netcfg --domain 'a b'
wrong "--domain takes a host name in small letters, not 'App.example'" contract netcfg --domain App.example
wrong "--max-age takes a number from 5 to 7776000, not '4'" contract netcfg --domain a.b --max-age 4
wrong "--name takes at most 127 bytes" contract propose --digest "$hash" --name "$hash$hash"
wrong "--expiry takes a number from 1 to 7200, not '0'" contract open-epoch --bootstrapper "$addr" --expiry 0
wrong "--per-block takes a number from 1 to 65535, not '0'" contract open-epoch --bootstrapper "$addr" --per-block 0
# what a terminal would obey, and what would make two lines of one
wrong "no option '--a?b'" status "$(printf -- '--a\nb')"
wrong "no option '--?[2J'" status "$(printf -- '--\033[2J')"

if [ -x /usr/bin/env ] && [ -c /dev/full ]; then
	rc=0
	"$bin" help >/dev/full 2>/dev/null || rc=$?
	[ "$rc" -eq 3 ] || { bad=$((bad + 1)); echo "not ok: help on a full disk: exit $rc"; }
fi
[ "$wrongs" -ge 150 ] || { bad=$((bad + 1)); echo "not ok: only $wrongs wrong calls"; }
[ "$bad" -eq 0 ] || { echo "$bad of $((asked + wrongs)) are not as they should be"; exit 1; }
echo "ok $asked questions answered, $wrongs wrong calls refused by one line with the reason"
