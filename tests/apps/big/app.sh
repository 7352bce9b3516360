# 800 MB that do not compress, on the volume (with MEMORY=512 more than a VM has);
# read through once, and at their end each time.
patience=2400
fill() {
	[ "$(get "$1" /blob --max-time 1200 | sha256sum)" = "$(get "$1" /sum)" ] &&
		tail_of "$1" >"$net/tail"
}
tail_of() { get "$1" /blob -r 799000000-799999999; }
there() { [ "$(tail_of "$1" | sha256sum)" = "$(sha256sum <"$net/tail")" ]; }
version() { get "$1" /version; }
