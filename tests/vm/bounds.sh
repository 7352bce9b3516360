#!/bin/sh
# T38: an app that takes all threads, all memory, all of its file systems is
# held to its bounds: the roles live on, it is started again, and a new version
# takes its place.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/netlib.sh
own_network "$PWD/tests/vm/bounds.sh"
start_network --nodes 1 --memory 256 || exit 1
hv=$net/node0/host_volume
console=$net/node0/console.log
control=$(sed -n 's/^GUEST_SERVICE=//p' "$net/node0/host.env")
alive() {
	curl -sSf --max-time 30 -o "$net/status" "$control/status" \
		2>"$net/status.error" && no_end
}

mkdir -p "$net/hog"
${CC:-gcc} -O2 -static -pthread -o "$net/hog/hog" tests/vm/hog.c || exit 1
echo '{"Entrypoint":["/hog"],"ExposedPorts":{"80/tcp":{}}}' >"$net/hog.json"
hog=$("$bin" app build "$net/hog" -o "$net/hog.tar" --config "$net/hog.json" \
	--tag hog:latest | grep -oE '[0-9a-f]{64}' | head -1)
cp "$net/hog.tar" "$hv/app-$(echo "$hog" | cut -c1-16).tar"
contract propose --name app-example --digest "$hog" >/dev/null
wait_for 200 has 0 / 'the hog took'
check "the hog runs" "$(yes_if has 0 / 'the hog took')"

n=$(get 0 /threads --max-time 200 | sed -n 's/^the hog took //p')
echo "# it got ${n:-no answer for its} threads"
check "it gets some threads and not more than its bound" \
	"$(yes_if test "${n:-0}" -ge 500 -a "${n:-0}" -le 2048)"

ends() {
	grep -c 'app.*ended\|ended.*signal' "$console" || true
}
before=$(ends)
get 0 /memory --max-time 200 >/dev/null 2>&1
more() {
	[ "$(ends)" -gt "$before" ]
}
wait_for 60 more
check "it is ended when it takes more memory than there is for it" "$(yes_if more)"
check "the node lives on" "$(yes_if alive)"
wait_for 200 has 0 / 'the hog took'
check "and starts it again" "$(yes_if has 0 / 'the hog took')"

get 0 /files --max-time 200 >"$net/files" 2>&1
echo "# files: $(tail -1 "$net/files")"
check "the node lives on when the app's file systems are full" "$(yes_if alive)"
two=$(./build_app.sh -o "$net/two.tar" --greeting 'After the hog' \
	2>/dev/null | grep -oE '[0-9a-f]{64}' | head -1)
cp "$net/two.tar" "$hv/app-$(echo "$two" | cut -c1-16).tar"
contract propose --name app-example --digest "$two" >/dev/null
wait_for 300 has 0 / 'After the hog'
check "and turns to a new version" "$(yes_if has 0 / 'After the hog')"
check "which serves, in the same boot" "$(yes_if alive)"

# build NAME: an image of the one file in $net/NAME, which is no program
build() {
	echo '{"Entrypoint":["/file"],"ExposedPorts":{"80/tcp":{}}}' >"$net/$1.json"
	"$bin" app build "$net/$1" -o "$net/$1.tar" --config "$net/$1.json" \
		--tag "$1:latest" | grep -oE '[0-9a-f]{64}' | head -1
}
serves_on() {
	alive && has 0 / 'After the hog'
}
said() { # VERSION WORDS
	grep -q "version $1 does not run, the old one keeps serving: .*$2" "$console"
}

# its archive, its tree and what runs have no room beside each other
mkdir -p "$net/wide"
head -c 100000000 /dev/urandom >"$net/wide/file"
wide=$(build wide)
mv "$net/wide.tar" "$hv/app-$(echo "$wide" | cut -c1-16).tar"
contract propose --name app-example --digest "$wide" >/dev/null
wait_for 300 said 4 ''
check "an image as large as half of the memory ends no role" \
	"$(yes_if serves_on)"

# small as an archive, and no room as a tree
mkdir -p "$net/deep" "$net/x"
i=0
while [ $i -lt 160 ]; do
	head -c 30000 /dev/urandom
	head -c 970000 /dev/zero
	i=$((i + 1))
done >"$net/deep/file"
deep=$(build deep)
tar xf "$net/deep.tar" -C "$net/x"
for layer in "$net"/x/*/layer.tar; do
	gzip -n "$layer" && mv "$layer.gz" "$layer"
done
(cd "$net/x" && tar cf ../deep.tar ./*)
mv "$net/deep.tar" "$hv/app-$(echo "$deep" | cut -c1-16).tar"
contract propose --name app-example --digest "$deep" >/dev/null
wait_for 300 said 5 'VM_MEMORY_MB'
check "an image that does not fit as a tree is refused with a line" \
	"$(yes_if said 5 'VM_MEMORY_MB')"
check "and the old version serves on, in the same boot" "$(yes_if serves_on)"
check "no role was ended" \
	"$(grep -q 'init: .* was killed' "$console" && echo no || echo yes)"
check_no_end
[ "$bad" -eq 0 ] || tail -30 "$net/status.error" "$console" | sed 's/^/# /'
exit $bad
