#!/bin/bash
# An app of three services on a running network without VMs, built from a
# Compose file: each has keys of its own, the same after a restart, a new
# version and a death; each has the secrets that it names and no other's; what
# each writes is in the log with its name; and app status tells each one.
set -eu
cd "$(dirname "$0")/../.."
. tests/net/lib.sh
need
own_net "$PWD/tests/net/services.sh"
base demo-services
d=$(mktemp -d)
trap 'cleanup; rm -rf "$d"' EXIT
# NAME PORT: serves its key, its secrets and, below /of/NAME, another's word
cat >"$d/app.c" <<'C'
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char text[8192];
static in_addr_t named(const char *name)
{
	char line[256], ip[64], host[64];
	FILE *f = fopen("/etc/hosts", "r");
	in_addr_t found = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%63s %63s", ip, host) == 2 && strcmp(host, name) == 0)
			found = inet_addr(ip);
	if (f != NULL)
		fclose(f);
	return found;
}
/* what is said behind the head of an answer */
static const char *get(int s, const char *path)
{
	size_t n = 0;
	ssize_t k;
	dprintf(s, "GET %s HTTP/1.0\r\nHost: dstack-guest\r\n\r\n", path);
	while ((k = read(s, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)k;
	close(s);
	text[n] = '\0';
	char *body = strstr(text, "\r\n\r\n");
	if (body == NULL)
		return "none";
	body[4 + strcspn(body + 4, "\n")] = '\0';
	return body + 4;
}
static int to(in_addr_t ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	(void)!connect(s, (void *)&a, sizeof(a));
	return s;
}
static int local(void)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "/var/run/dstack.sock" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)!connect(s, (void *)&u, sizeof(u));
	return s;
}
static void secrets(int c)
{
	struct dirent **all;
	int n = scandir("/run/secrets", &all, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[300], v[300] = "";
		if (all[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/run/secrets/%s", all[i]->d_name);
		int fd = open(path, O_RDONLY);
		(void)!read(fd, v, sizeof(v) - 1);
		dprintf(c, " %s=%s", all[i]->d_name, v);
	}
}
int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);
	printf("I am %s\n", argv[1]);
	fflush(stdout);
	if (strcmp(argv[1], "job") == 0)
		return 0;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (void *)&a, sizeof(a)) != 0 || listen(l, 8) != 0)
		return 1;
	for (;;) {
		int c = accept(l, NULL, NULL);
		char q[4096] = "", name[64] = "";
		(void)!read(c, q, sizeof(q) - 1);
		if (strncmp(q, "GET /end ", 9) == 0)
			return 7;
		dprintf(c, "HTTP/1.0 200 OK\r\n\r\n");
		if (sscanf(q, "GET /of/%63s", name) == 1) {
			dprintf(c, "%s", get(to(named(name), 80), "/"));
		} else if (sscanf(q, "GET /end/of/%63s", name) == 1) {
			(void)get(to(named(name), 80), "/end");
		} else {
			dprintf(c, "%s key %s ", argv[1], get(to(named("dstack-guest"), 80), "/getkey/x"));
			/* what would be the other's if a path could say so */
			dprintf(c, "socket %s ", get(local(), "/getkey/x"));
			dprintf(c, "other %s", get(local(), "/getkey/db%2fx"));
			secrets(c);
		}
		close(c);
	}
}
C
mkdir "$d/tree"
${CC:-gcc} -static -w -o "$d/tree/app" "$d/app.c"
# compose NAME-OF-DB GREETING: $d/app.tar
compose() {
	cat >"$d/compose.yaml" <<Y
services:
  web:
    image: ./tree
    entrypoint: [/app, web, "80"]
    environment: {WORD: $2}
    user: "1000:1000"
    ports: ["80:80"]
    secrets: [token]
    depends_on:
      $1: {condition: service_started}
      job: {condition: service_completed_successfully}
    labels: {dstack.logs: host}
  $1:
    image: ./tree
    entrypoint: [/app, $1, "80"]
    user: "2000:2000"
    secrets: [DB_PASSWORD, token]
  job:
    image: ./tree
    entrypoint: [/app, job, "0"]
    restart: "no"
secrets:
  token: {external: true}
  DB_PASSWORD: {external: true}
Y
	"$bin" app build "$d/compose.yaml" -o "$d/app.tar" >"$d/digest"
}
https=$(jq -r .https "$net/node0/node.json" | sed 's/.*://')
control=$(jq -r .control "$net/node0/node.json")
get() { curl -sS --max-time 20 --cacert "$ca" --resolve "$domain:$https:127.0.0.1" "https://$domain:$https$1"; }
word() { sed -n "s/.* $1 \([0-9a-f]*\).*/\1/p" "$2"; }

compose db one
"$bin" app push "$d/app.tar" --dir "$net" --no-wait >/dev/null
line() { "$bin" app status --dir "$net" --json | jq -r '.nodes[0].line'; }
waits() { line | grep -qF -- "$1"; }
until_true 30 waits 'waits for the secret ' || fail "$(line)"
printf 'for-both' | "$bin" secret set token --dir "$net" >/dev/null
until_true 30 waits 'waits for the secret DB_PASSWORD' || fail "$(line)"
echo "ok the app waits for a secret that only a service behind the front names"
printf 'for-db' | "$bin" secret set DB_PASSWORD --dir "$net" >/dev/null
serving() { curl -s "$control/status" | jq -e --argjson v "$1" '.app.serving == $v' >/dev/null; }
until_true 60 serving 2 || fail "$(line)"
get / >"$d/web"
get /of/db >"$d/db"
grep -q '^web key .* token=for-both$' "$d/web" || fail "web" "$d/web"
grep -q '^db key .* DB_PASSWORD=for-db token=for-both$' "$d/db" || fail "db" "$d/db"
if grep -q DB_PASSWORD "$d/web"; then fail "web has what is db's" "$d/web"; fi
echo "ok each service has the secrets that it names, as its own user, and no other's"

web=$(word key "$d/web")
db=$(word key "$d/db")
[ ${#web} -eq 64 ] && [ ${#db} -eq 64 ] && [ "$web" != "$db" ]
[ "$(word socket "$d/web")" = "$web" ] && [ "$(word socket "$d/db")" = "$db" ]
# a tag with the other's name in it is a tag of one's own, or none at all
! grep -q "$db" "$d/web" || fail "web asks for db's" "$d/web"
[ "$(word other "$d/db")" != "$db" ]
echo "ok getkey of two services: different keys, the same by address and by socket, and none of the other's"

logged() { "$bin" app logs --dir "$net" >"$d/logs" 2>&1 && grep -q "v2 $1: I am $1$" "$d/logs"; }
for s in web db job; do until_true 20 logged "$s" || fail "no line of $s" "$d/logs"; done
echo "ok the log has what each service writes, with its name"

"$bin" app status --dir "$net" >"$d/status"
grep -q '^  web       up for ' "$d/status" || fail "status" "$d/status"
grep -q '^  db        up for [0-9]* s$' "$d/status" || fail "status" "$d/status"
grep -q '^  job       has ended for good, last end: exit 0, ' "$d/status" || fail "status" "$d/status"
(get /end/of/db || true) >/dev/null 2>&1
back() { get /of/db >"$d/db2" 2>/dev/null && [ "$(word key "$d/db2")" = "$db" ]; }
told() { "$bin" app status --dir "$net" | grep -q '^  db        up for [0-9]* s, restarts 1, last end: exit 7, '; }
until_true 30 back || fail "db does not come back"
until_true 30 told || { "$bin" app status --dir "$net"; fail "its restart is not told"; }
curl -s "$control/status" | jq -e '.app.servicesOf == 2 and (.app.services | keys) == ["db","job","web"] and
	.app.services.db.restarts == 1 and .app.services.web.restarts == 0 and .app.services.job.over' >/dev/null ||
	fail "$(curl -s "$control/status")"
echo "ok app status and /status tell each service, and which one ended and came back"

compose db two
"$bin" app push "$d/app.tar" --dir "$net" >/dev/null
get / >"$d/web2"
get /of/db >"$d/db2"
[ "$(word key "$d/web2")" = "$web" ] && [ "$(word key "$d/db2")" = "$db" ]
compose store three
"$bin" app push "$d/app.tar" --dir "$net" >/dev/null
get / >"$d/web2"
get /of/store >"$d/db2"
[ "$(word key "$d/web2")" = "$web" ]
store=$(word key "$d/db2")
[ ${#store} -eq 64 ] && [ "$store" != "$db" ] && [ "$store" != "$web" ]
echo "ok the keys stay over a new version, and a service of another name has others"
