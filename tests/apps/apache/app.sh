# Apache's children are www-data; PHP writes to a volume of www-data's.
fill() { get "$1" / --data-raw 'a line to keep' | grep -q 'a line to keep'; }
there() { get "$1" / | grep -q 'a line to keep' && has "$1" / 'not root'; }
version() { get "$1" /version; }
