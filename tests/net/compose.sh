#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dstack app build of a Compose file: one archive of all services, the same
# for the same input, each image in it readable by skopeo, and every refusal
# with the line that it is about.
set -eu
cd "$(dirname "$0")/../.."
bin=${B:-build}/bin/dstack
command -v skopeo >/dev/null || { echo "no skopeo here"; exit 77; }
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
mkdir -p "$d/root/bin" "$d/db" "$d/more"
echo web >"$d/root/bin/web"
echo db >"$d/db/db"
head -c 100000 /dev/urandom >"$d/db/bulk"
echo '{"Entrypoint":["/bin/web"],"Env":["A=image"],"Labels":{"dstack.port":"9"}}' >"$d/c.json"
web=$("$bin" app build "$d/root" -o "$d/web.tar" --config "$d/c.json" --tag web:1)
printf 'B=2\nA=file\n' >"$d/more/b.env"
cat >"$d/compose.yaml" <<'E'
services:
  web:
    image: ./web.tar
    env_file: more/b.env
    ports: ["8080:80"]
    depends_on: [db]
  again:
    image: web.tar
    command: [one, two]
  db:
    image: postgres:${VERSION}
    command: /db --all
    volumes: [data:/var/lib/db]
volumes: {data: }
E
build() {
	"$bin" app build "$d/compose.yaml" -o "$d/app.tar" --env VERSION=1 --image "postgres:1=$d/db"
}
digest=$(build)
cp "$d/app.tar" "$d/first.tar"
[ "$(build)" = "$digest" ]
cmp "$d/app.tar" "$d/first.tar"
[ "0x$(tar -xOf "$d/app.tar" dstack.json | sha256sum | cut -c1-64)" = "$digest" ]
[ "$(tar -tf "$d/app.tar" | grep -c layer.tar)" -eq 2 ]
echo "ok two builds are one archive, its digest is the manifest's, each layer is in it once"

"$bin" app inspect "$d/app.tar" --json >"$d/said"
[ "$(jq -c '[.digest, .front.service, .front.port, (.services | keys)]' "$d/said")" = \
	"[\"$digest\",\"web\",80,[\"again\",\"db\",\"web\"]]" ]
[ "$(jq -c '.services.web | [.digest, .env, .port]' "$d/said")" = \
	"[\"$web\",[\"A=file\",\"B=2\"],80]" ]
[ "$(jq -c '[.services.again.cmd, .services.db.cmd, .services.db.volumes]' "$d/said")" = \
	'[["one","two"],["/db","--all"],["/var/lib/db"]]' ]
[ "$(jq '.unpacked == ([.services[].unpacked] | add) and .needs > .unpacked' "$d/said")" = true ]
"$bin" app inspect "$d/app.tar" | grep -q '^service     again$'
"$bin" app inspect "$d/app.tar" --digest "$digest" >/dev/null
"$bin" app inspect "$d/app.tar" --digest "$web" | head -1 | grep -q "$web"
echo "ok inspect tells each service as a node runs it, and finds single images"

for s in web again db; do
	skopeo --insecure-policy copy -q --tmpdir "$d" "docker-archive:$d/app.tar:app:$s" \
		"docker-archive:$d/out.tar:$s:1"
	[ "$("$bin" app inspect "$d/out.tar" | sed -n 's/^digest *//p')" = \
		"$(jq -r ".services.$s.digest" "$d/said")" ]
	rm "$d/out.tar"
done
echo "ok skopeo reads each image out of it"

# no WORDS ARGUMENTS...: the build ends with exit 1 or 3 and one line with WORDS
no() {
	words=$1
	shift
	rc=0
	"$bin" app build "$@" -o "$d/no.tar" >/dev/null 2>"$d/err" || rc=$?
	if [ $rc -eq 0 ] || [ $rc -eq 2 ] || [ "$(wc -l <"$d/err")" -ne 1 ] || ! grep -qF "$words" "$d/err"; then
		echo "exit $rc, wanted one line with: $words"
		cat "$d/err"
		exit 1
	fi
	[ ! -e "$d/no.tar" ] && [ ! -e "$d/no.tar.part" ]
}
no 'compose.yaml:11: VERSION has no value here' "$d/compose.yaml"
no 'compose.yaml:11: service db: no archive or folder postgres:1; nothing is fetched' \
	"$d/compose.yaml" --env VERSION=1
no "service web: $d/c.json: archive" "$d/compose.yaml" --env VERSION=1 \
	--image "db=$d/db" --image "web=$d/c.json"
printf 'services:\n  a:\n    image: ./db\n    ports: ["80"]\n' >"$d/bare.yaml"
no 'service a: neither it nor its image has a command' "$d/bare.yaml"
printf 'services:\n  a:\n    build: .\n' >"$d/built.yaml"
no 'built.yaml:3: service a: build is not supported' "$d/built.yaml"
printf 'services:\n  a:\n    image: app.tar\n    ports: ["80"]\n' >"$d/two.yaml"
no 'archive holds several images' "$d/two.yaml"
sed -i "s/app.tar/app.tar@sha256:${web#0x}/" "$d/two.yaml"
"$bin" app build "$d/two.yaml" -o "$d/two.tar" >/dev/null
printf 'services:\n  a:\n    image: web.tar\n    ports: ["80"]\n    labels: {dstack.prot: "1"}\n' >"$d/label.yaml"
no 'service a: image config: there is no label dstack.prot' "$d/label.yaml"
echo "ok what cannot be built is refused with its line, and no file is left"

# one byte of a layer, and one of the manifest
node -e '
const fs = require("fs"), f = process.argv[1], b = fs.readFileSync(f)
const at = b.indexOf(process.argv[2])
b[at] ^= 1
fs.writeFileSync(process.argv[3], b)' "$d/app.tar" '"port":80' "$d/bad.tar"
if "$bin" app inspect "$d/bad.tar" --digest "$digest" >/dev/null 2>&1; then exit 1; fi
node -e '
const fs = require("fs"), f = process.argv[1], b = fs.readFileSync(f)
b[b.lastIndexOf("db\n")] ^= 1
fs.writeFileSync(process.argv[2], b)' "$d/app.tar" "$d/bad.tar"
rc=0
"$bin" app inspect "$d/bad.tar" >/dev/null 2>"$d/err" || rc=$?
[ $rc -eq 1 ] && grep -q 'service db: layer 0' "$d/err"
echo "ok a changed byte is another digest, or named as the layer that it is in"
