#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Promise 5: an app is a plain Docker archive in host_volume.
cd "$(dirname "$0")/../.." || exit 1
. tests/promises/lib.sh
./build_app.sh -o "$d/app.tar" >"$d/said"
tar -tf "$d/app.tar" >"$d/names"
grep -qx manifest.json "$d/names" || fail "no manifest.json"
config=$(tar -xOf "$d/app.tar" manifest.json | jq -r '.[0].Config')
same RepoTags "$(tar -xOf "$d/app.tar" manifest.json | jq -c '.[0].RepoTags')" \
	'["app-example:latest"]'
id=$(tar -xOf "$d/app.tar" "$config" | sha256sum | cut -c1-64)
same "image ID" "$("$bin" app inspect "$d/app.tar" --json | jq -r .digest)" "0x$id"
tar -xOf "$d/app.tar" "$config" | jq -e '.config.Entrypoint == ["/greeting"]' >/dev/null
./build_app.sh -o "$d/again.tar" >/dev/null
cmp "$d/app.tar" "$d/again.tar" || fail "built twice: other bytes"
head -c -600 "$d/app.tar" >"$d/cut.tar"
if "$bin" app inspect "$d/cut.tar" 2>"$d/err"; then fail "a cut archive passes"; fi
saw "image ID $id, the same bytes when built again"
if command -v skopeo >/dev/null; then
	skopeo inspect --config "docker-archive:$d/app.tar" |
		jq -e '.config.Entrypoint == ["/greeting"]' >/dev/null ||
		fail "skopeo reads another config"
	skopeo copy -q "docker-archive:$d/app.tar" "docker-archive:$d/copy.tar:x:1"
	same "image ID after skopeo" "$("$bin" app inspect "$d/copy.tar" --json | jq -r .digest)" "0x$id"
	saw "skopeo reads it, and we read skopeo's copy as the same image"
fi
saw "not podman but crun runs it: no daemon, no shell, checked before unpacked"
echo "ok 05 the app is a plain Docker archive, $(wc -l <"$d/names") entries"
