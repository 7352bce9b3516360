# 800 MB that do not compress; read through once.
fill() { :; }
there() {
	[ "$(get "$1" /blob --max-time 300 | sha256sum)" = "$(get "$1" /sum)" ]
}
version() { get "$1" /version; }
