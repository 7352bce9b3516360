#!/bin/bash
# A secret of the app's owner, on a running network without VMs: the app waits
# for it and then has it in a file that only it reads; it is in no file of the
# host and in no role's memory; an older one that the host brings back is
# refused, and so is one of another name, and a key that is not the network's.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/secrets.sh"
base demo-secrets
d=$(mktemp -d)
trap 'cleanup; rm -rf "$d"' EXIT
hv=$net/node0/host_volume
cat >"$d/app.c" <<'C'
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static char v[4096]; /* stays in memory: what is looked for is found here */
int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct stat s = { 0 }, t = { 0 };
	int fd = open("/run/secrets/DB_PASSWORD", O_RDONLY);
	long n = fd >= 0 ? read(fd, v, sizeof(v) - 1) : -1;
	fstat(fd, &s);
	stat("/run/secrets/token", &t);
	int w = open("/run/secrets/DB_PASSWORD", O_WRONLY);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&a, sizeof(a)) != 0 || listen(l, 8) != 0)
		return 1;
	for (;;) {
		int c = accept(l, NULL, NULL);
		char b[4096];
		(void)!read(c, b, sizeof(b));
		dprintf(c, "HTTP/1.0 200 OK\r\n\r\n%s: %ld bytes, first %c, last %c, mode %o, uid %d, token %ld, write %d\n",
		    argv[1], n, v[0], n > 0 ? v[n - 1] : '-', s.st_mode & 07777, (int)s.st_uid,
		    (long)t.st_size, w);
		close(c);
	}
}
C
mkdir "$d/tree"
${CC:-gcc} -static -o "$d/tree/app" "$d/app.c"
make_app() { # WORD
	printf '{"Entrypoint":["/app","%s"],"User":"1000:1000","ExposedPorts":{"80/tcp":{}},
	"Labels":{"dstack.secrets":"DB_PASSWORD,token"}}' "$1" >"$d/$1.json"
	"$bin" app build "$d/tree" -o "$d/$1.tar" --config "$d/$1.json" >/dev/null
}
https=$(jq -r .https "$net/node0/node.json" | sed 's/.*://')
control=$(jq -r .control "$net/node0/node.json")
word=Xq7-$(openssl rand -hex 12)-Z
set_secret() { "$bin" secret set "$@" --dir "$net"; }
line() { "$bin" app status --dir "$net" --json | jq -r '.nodes[0].line'; }
waits() { line | grep -qF -- "$1"; }

make_app one
"$bin" app push "$d/one.tar" --dir "$net" --no-wait >/dev/null
until_true 30 waits 'waits: waits for the secret DB_PASSWORD: dstack secret set DB_PASSWORD' || fail "$(line)"
serves $https || fail "the old version does not serve on"
echo "ok an app waits for its secrets, with a line that says which, and the old one serves on"

# a key in the network's place, from a host
cat >"$d/liar.mjs" <<'M'
import http from 'node:http'
const from = process.argv[2]
http.createServer(async (q, a) => {
	const j = await (await fetch(from + '/status')).json()
	j.secretKey.key = '0x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'
	a.end(JSON.stringify(j))
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
M
node "$d/liar.mjs" "$control" >"$d/port" &
pids+=($!)
until_true 20 test -s "$d/port"
record=$net/node0/node.json
cp "$record" "$d/node.json"
jq --arg c "http://127.0.0.1:$(cat "$d/port")" '.control = $c' "$d/node.json" >"$record"
rc=0
printf '%s' "$word" | set_secret DB_PASSWORD >"$d/out" 2>"$d/no" || rc=$?
cp "$d/node.json" "$record"
[ $rc -eq 1 ] && grep -q 'its key is not signed by the network: nothing is sealed' "$d/no"
[ ! -e "$hv/secret-DB_PASSWORD" ]
echo "ok nothing is sealed to a key that the network has not signed"

printf '%s' "$word" | set_secret DB_PASSWORD | grep -q "^DB_PASSWORD version [0-9]*, ${#word} bytes, sealed into 1 host volumes$"
until_true 30 waits 'waits for the secret token' || fail "$(line)"
printf 'abc' >"$d/token"
set_secret token --file "$d/token" >/dev/null
rm "$d/token"
up() { page "$https" | grep -q "^$1: ${#word} bytes, first X, last Z, mode 400, uid 1000, token 3, write -1$"; }
until_true 60 up one || fail "$(page "$https"; line)"
echo "ok it has them when all are there: mode 0400, its USER's, not to be written"
"$bin" secret list --dir "$net" | tee "$d/list" | grep -q '^node 0    DB_PASSWORD version [0-9]*, epoch 0$'
[ "$(wc -l <"$d/list")" -eq 2 ]

if grep -rqaF -e "$word" "$net"; then
	grep -rlaF -e "$word" "$net"
	fail "it is on the host"
fi
echo "ok it is in no file of the host, no log, no console"

# not by its beginning: the next value may have been written over that
part=${word:4}
# every process of the guest but the app's own, and the app's as the control
node=$(jq -r .pid "$record")
below() { # PID...: it and all below it
	local p
	for p in "$@"; do
		echo "$p"
		# shellcheck disable=SC2046
		below $(cat /proc/"$p"/task/*/children 2>/dev/null)
	done
}
roles='' app=''
for p in $(below "$node"); do
	if [ "$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -d' ' -f1)" = /app ]; then app="$app $p"; else roles="$roles $p"; fi
done
names=$(for p in $roles; do tr '\0' ' ' <"/proc/$p/cmdline" | cut -d' ' -f1; done | tr '\n' ' ')
for r in keyd guest-service kubernethes hostlink unstoppable-tls verifier; do
	[[ " $names" == *" $r "* ]] || fail "no role $r in: $names"
done
# shellcheck disable=SC2086
[ "$(node tests/net/memscan.mjs "$part" $app | wc -l)" -ge 1 ] || fail "not even the app has it"
# shellcheck disable=SC2086
found=$(node tests/net/memscan.mjs "$part" $roles)
[ -z "$found" ] || fail "in memory of: $(for p in $found; do tr '\0' ' ' <"/proc/$p/cmdline"; done)"
echo "ok it is in the memory of the app and of no role, keyd and kubernethes among them"

# a newer one, then the old one brought back
cp "$hv/secret-DB_PASSWORD" "$d/old"
sleep 1
printf '%s' "X$(printf %s "$word" | cut -c2-)" | set_secret DB_PASSWORD >/dev/null
make_app two
"$bin" app push "$d/two.tar" --dir "$net" >/dev/null
up two || fail "$(page "$https")"
cp "$d/old" "$hv/secret-DB_PASSWORD"
make_app three
"$bin" app push "$d/three.tar" --dir "$net" --no-wait >/dev/null
until_true 30 waits 'it is an old one' || fail "$(line)"
up two || fail "the version before does not serve on"
echo "ok an older secret that the host brings back is refused"
cp "$hv/secret-token" "$hv/secret-DB_PASSWORD"
until_true 30 waits "another app's or another secret" || fail "$(line)"
head -c 100 "$d/old" >"$hv/secret-DB_PASSWORD"
until_true 30 waits 'is no sealed secret' || fail "$(line)"
printf '%s' "$word" | set_secret DB_PASSWORD >/dev/null
until_true 60 up three || fail "$(line)"
echo "ok one of another name, and half of one, too; a new one is taken"
# a byte of the value turned: keyd does not open it
node -e 'const f = require("fs"), p = process.argv[1], b = f.readFileSync(p); b[b.length - 20] ^= 1; f.writeFileSync(p, b)' "$hv/secret-token"
make_app four
rc=0
"$bin" app push "$d/four.tar" --dir "$net" >/dev/null 2>"$d/no" || rc=$?
[ $rc -eq 1 ] && grep -q 'the secret does not open: it is altered, or sealed to another key' "$d/no"
up three
echo "ok an altered one refuses the version with the reason, and the one before serves on"
