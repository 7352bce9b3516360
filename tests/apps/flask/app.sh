# As USER app, with SQLite on the volume.
fill() { for _ in $(seq 20); do get "$1" /hit -X POST >/dev/null || return 1; done; }
there() { [ "$(get "$1" /hits)" = 20 ]; }
version() { get "$1" /version; }
