#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The model of docs/formal: each question's answer is the one its head names.
# SPASS finds a proof (the attack, or the run, exists), or completes without
# one (it does not, for any number of sessions). Anything else is a failure.
set -eu
cd "$(dirname "$0")/../../docs/formal"
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT

# ask FILE...: what each comes to, in words of the head
ask() {
	for p in "$@"; do
		timeout 240 SPASS -TPTP -PProblem=0 -PGiven=0 "$p" \
			>"$d/${p%.p}.out" 2>&1 || true
	done
}
answer() {
	case $(sed -n 's/^SPASS beiseite: //p' "$d/$1.out") in
	"Proof found.") echo Theorem ;;
	"Completion found.") echo CounterSatisfiable ;;
	*) echo nothing ;;
	esac
}
set -- *.p
[ $# -ge 14 ] || { echo "only $# questions in docs/formal"; exit 1; }
# shellcheck disable=SC2046
ask $(printf '%s\n' "$@" | sed -n 'n;p') &
# shellcheck disable=SC2046
ask $(printf '%s\n' "$@" | sed -n 'p;n')
wait
bad=0
for p; do
	n=${p%.p}
	want=$(sed -n 's/^% Status : //p' "$p")
	got=$(answer "$n")
	if [ "$got" = "$want" ]; then
		echo "ok formal_$n # $want"
	else
		echo "not ok formal_$n: $got, expected ${want:-a line % Status}"
		tail -5 "$d/$n.out"
		bad=1
	fi
done
exit $bad
