# Two files and a static program, as USER 1000 that no passwd knows.
fill() { :; }
there() { get "$1" /version >/dev/null; }
version() { get "$1" /version; }
