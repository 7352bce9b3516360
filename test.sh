#!/bin/sh
# The whole test of dstack on a clean checkout: installs what it needs,
# builds, and runs every suite. The last line is "N passed, N failed".
#
#   ./test.sh            everything
#   ./test.sh --quick    no VM, no fuzzing
#
# A suite is a command whose last line is "NAME: N passed, N failed".
set -u
cd "$(dirname "$0")" || exit 1
quick=0
case ${1:-} in
'') ;;
--quick) quick=1 ;;
*)
	echo "usage: ./test.sh [--quick]" >&2
	exit 2
	;;
esac

logs=build/test-logs
mkdir -p "$logs"
passed=0
failed=0

# suite NAME COMMAND...: run, count what its last line says, show failures
suite() {
	name=$1
	shift
	start=$(date +%s)
	if "$@" >"$logs/$name.log" 2>&1; then rc=0; else rc=$?; fi
	line=$(grep -E '^[a-z-]+: [0-9]+ passed, [0-9]+ failed$' "$logs/$name.log" | tail -1)
	p=$(printf '%s\n' "$line" | sed -n 's/.*: \([0-9]*\) passed.*/\1/p')
	f=$(printf '%s\n' "$line" | sed -n 's/.*, \([0-9]*\) failed$/\1/p')
	[ -n "$p" ] || p=0
	[ -n "$f" ] || f=0
	# a suite that died, or that counted nothing, has failed
	if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
	if [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then f=1; fi
	passed=$((passed + p))
	failed=$((failed + f))
	secs=$(($(date +%s) - start))
	if [ "$f" -ne 0 ]; then
		echo "FAIL $name: $p passed, $f failed, exit $rc, ${secs}s; its end:"
		grep -E '^(FAIL| *not ok)' "$logs/$name.log" | head -40 | sed 's/^/    /'
		tail -40 "$logs/$name.log" | sed 's/^/    /'
	else
		echo "ok   $name: $p in ${secs}s"
	fi
}

# step NAME COMMAND...: one thing that must work, counted as one test
step() {
	name=$1
	shift
	suite "$name" tests/as-suite "$name" "$@"
}

step deps tests/install-deps
step build make -j2 all
suite unit make unit
if [ -f Makefile.contracts ]; then suite contracts make contract-test; fi
step lint make lint
if [ -x tests/net/run ]; then suite net tests/net/run; fi
if [ "$quick" -eq 1 ]; then PROMISES_NO_VM=1 && export PROMISES_NO_VM; fi
if [ -x tests/promises/run ]; then suite promises tests/promises/run; fi
if [ "$quick" -eq 0 ]; then
	suite asan make -j2 asan
	suite fuzz make -j2 fuzz "FUZZ_SECONDS=${FUZZ_SECONDS:-10}"
	if [ -x tests/vm/run ]; then suite vm tests/vm/run; fi
	if [ -x tests/hostile/run ]; then suite hostile tests/hostile/run; fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
