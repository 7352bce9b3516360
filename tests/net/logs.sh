#!/bin/bash
# What an app writes, on a running network without VMs: sealed to its owner's
# key it is nowhere on the host, and dstack app logs reads it and says what is
# missing or altered; for the host it comes as it is, with a refusal too; and one
# that writes without end neither hurts the guest nor fills the disk.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/logs.sh"
base demo-logs
d=$(mktemp -d)
trap 'cleanup; rm -rf "$d"' EXIT
host_volume=$net/node0/host_volume
cat >"$d/app.c" <<'C'
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	static char x[1 << 16];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	printf("word-on-stdout %s\n", argv[1]);
	fflush(stdout);
	fprintf(stderr, "word-on-stderr %s\n", argv[1]);
	if (strcmp(argv[1], "ends") == 0)
		return 9;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&a, sizeof(a)) != 0 || listen(l, 8) != 0)
		return 1;
	memset(x, 'y', sizeof(x));
	if (strcmp(argv[1], "flood") == 0 && fork() == 0)
		for (;;) /* and never a line end */
			(void)!write(1, x, sizeof(x));
	for (;;) {
		int c = accept(l, NULL, NULL);
		char b[4096];
		(void)!read(c, b, sizeof(b));
		dprintf(c, "HTTP/1.0 200 OK\r\n\r\nI am %s\n", argv[1]);
		close(c);
	}
}
C
mkdir "$d/tree"
${CC:-gcc} -static -o "$d/tree/app" "$d/app.c"
# make_app WORD LABEL: $d/WORD.tar
make_app() {
	printf '{"Entrypoint":["/app","%s"],"ExposedPorts":{"80/tcp":{}},"Labels":{%s}}' \
		"$1" "${2:+\"dstack.logs\":\"$2\"}" >"$d/$1.json"
	"$bin" app build "$d/tree" -o "$d/$1.tar" --config "$d/$1.json" >/dev/null
}
push() { "$bin" app push "$d/$1.tar" --dir "$net" >"$d/pushed" 2>"$d/no"; }
logs() { "$bin" app logs --dir "$net" "$@" >"$d/logs" 2>"$d/faults"; }

label=$("$bin" app logs --new-key "$d/key")
[ "$(stat -c %a "$d/key")" = 600 ]
[[ $label =~ ^dstack.logs=[0-9a-f]{64}$ ]]
if "$bin" app logs --new-key "$d/key" >/dev/null 2>&1; then fail "a key was written over"; fi
make_app sealed "${label#*=}"
push sealed || fail "push" "$d/no"
until_true 20 logs --key "$d/key" || fail "logs" "$d/faults"
lines() { logs "$@" && grep -q "^[0-9T:.-]*Z v2 word-on-stderr sealed$" "$d/logs"; }
until_true 20 lines --key "$d/key" || fail "no line" "$d/logs" "$d/faults"
grep -q "^[0-9T:.-]*Z v2 word-on-stdout sealed$" "$d/logs"
grep -q "^[0-9T:.-]*Z v2 -- version 2 starts --$" "$d/logs"
[ ! -s "$d/faults" ]
echo "ok the owner reads what was sealed to the key, both outputs in order"
if grep -rqaF -e "word-on-stdout sealed" -e "word-on-stderr sealed" "$net"; then
	grep -rlaF -e "word-on-stdout sealed" -e "word-on-stderr sealed" "$net"
	fail "it is on the host"
fi
echo "ok it is in no file of the host, nor on the console"
rc=0
logs || rc=$?
[ $rc -eq 1 ] && grep -q 'is sealed: --key FILE opens it' "$d/faults"
openssl rand -hex 32 >"$d/other"
chmod 600 "$d/other"
rc=0
logs --key "$d/other" || rc=$?
[ $rc -eq 1 ] && grep -q 'does not open: it is of another key, or altered' "$d/faults"
if grep -q word "$d/logs"; then fail "opened"; fi
file=$(grep -laF "" "$host_volume"/logs/*.log | xargs ls -t | head -1)
cp "$file" "$d/kept"
# the host turns one byte of the first batch
printf '\377' | dd of="$file" bs=1 seek=200 conv=notrunc 2>/dev/null
rc=0
logs --key "$d/key" || rc=$?
[ $rc -eq 1 ]
cp "$d/kept" "$file"
logs --key "$d/key"
echo "ok without the key, with another, or with a byte changed: exit 1 and a line that says so"

# -f: what comes
"$bin" app logs -f --key "$d/key" --dir "$net" >"$d/follow" 2>&1 &
pids+=($!)
follow=$!
make_app ends host
rc=0
push ends || rc=$?
[ $rc -eq 1 ]
grep -q '^word-on-stdout ends$' "$d/no"
grep -q '^word-on-stderr ends$' "$d/no"
grep -q 'app ended before it listened on port 80 (exit 9)' "$d/no"
echo "ok the refusal of a version whose output the host may have comes with its last lines"
says "$d/follow" "v3 word-on-stdout ends" 20
says "$d/follow" "v3 -- the app has ended: exit 9 --" 20
gone "$follow"
logs --key "$d/key" || fail "logs" "$d/faults"
echo "ok -f shows what comes, and refusals are in it"

make_app quiet none
push quiet || fail "push" "$d/no"
sleep 3
if grep -rqaF -e "word-on-stdout quiet" "$net"; then fail "none is something"; fi
echo "ok with dstack.logs=none it goes nowhere"

make_app flood host
push flood || fail "push" "$d/no"
until_true 10 test -s "$host_volume/logs/$(basename "$file")"
sleep 12
page "$(jq -r .https "$net/node0/node.json" | sed 's/.*://')" | grep -q 'I am flood' || fail "it does not serve"
logs --key "$d/key" || fail "logs" "$d/faults"
grep -q 'v5 -- [0-9]* lines are left out: the app writes more than is kept --$' "$d/logs"
size=$(du -sk "$host_volume/logs" | cut -f1)
[ "$size" -lt 2500 ] || fail "$size KiB of logs"
echo "# 12 s of a flood are $size KiB of logs"
# the role has read what it may and holds none of it
node=$(jq -r .pid "$net/node0/node.json")
found=0
for p in $(pgrep -f '^kubernethes'); do
	up=$p
	while [ "$up" -gt 1 ] && [ "$up" != "$node" ]; do
		up=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$up/status")
	done
	[ "$up" = "$node" ] || continue
	found=$((found + 1))
	rss=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$p/status")
	[ "$rss" -lt 8000 ] || fail "kubernethes has $rss KiB"
done
[ $found -ge 1 ] || fail "no role found"
curl -s "$(jq -r .control "$net/node0/node.json")/status" | jq -e '.app.serving == 5' >/dev/null
echo "ok an app that writes without end and never a line costs a bounded part"
