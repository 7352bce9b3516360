# SPDX-License-Identifier: Apache-2.0
# Images in the shape of the official ones: a Debian base of the machine's own
# release made by mmdebstrap, and a Dockerfile on it, built by buildah. Nothing
# comes from a hub. Sourced by tests/apps/run; made once under $B/apps.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
apps=$B/apps
bud() {
	buildah --root "$PWD/$apps/store" --runroot "$PWD/$apps/run" "$@"
}

# The base: what debian:RELEASE-slim is, with apt, without documents.
base_image() {
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	! bud inspect --type image localhost/debian >/dev/null 2>&1 || return 0
	mkdir -p "$apps"
	mmdebstrap --quiet --variant=apt \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--customize-hook='echo "Dir::Cache::pkgcache \"\"; Dir::Cache::srcpkgcache \"\";" >"$1/etc/apt/apt.conf.d/docker-clean"' \
		"$release" "$apps/base.tar" || return 1
	c=$(bud from scratch) &&
		bud add -q "$c" "$apps/base.tar" / >/dev/null &&
		bud config --cmd bash "$c" &&
		bud commit -q "$c" localhost/debian >/dev/null &&
		bud rm "$c" >/dev/null
	rm -f "$apps/base.tar"
}

# app_image NAME VERSION: $apps/NAME-VERSION.tar from tests/apps/NAME, of its
# Dockerfile or of its compose.yaml, whose images are other names of tests/apps
app_image() {
	if [ -f "tests/apps/$1/compose.yaml" ]; then
		compose_app "$1" "$2"
		return
	fi
	[ ! -s "$apps/$1-$2.tar" ] ||
		[ -n "$(find "tests/apps/$1" -type f ! -name app.sh \
			-newer "$apps/$1-$2.tar")" ] || return 0
	mkdir -p "$(dirname "$apps/$1")"
	bud bud -q --format docker --build-arg "VERSION=$2" -t "$1" \
		"tests/apps/$1" >"$apps/$1.log" 2>&1 &&
		rm -f "$apps/$1-$2.tar" &&
		bud push -q "$1" "docker-archive:$apps/$1-$2.tar:$1:$2" \
			>>"$apps/$1.log" 2>&1 && return 0
	tail -20 "$apps/$1.log"
	return 1
}
compose_app() {
	images=
	for i in $(sed -n 's/^ *image: //p' "tests/apps/$1/compose.yaml"); do
		app_image "$i" "$2" || return 1
		images="$images --image $i=$apps/$i-$2.tar"
	done
	# shellcheck disable=SC2086
	"$B/bin/dstack" app build "tests/apps/$1/compose.yaml" $images \
		-o "$apps/$1-$2.tar" >"$apps/$1.log" 2>&1 && return 0
	tail -20 "$apps/$1.log"
	return 1
}
