# Debian's default site, listening on 80 and [::]:80.
fill() { :; }
there() { has "$1" / 'Welcome to nginx'; }
version() { get "$1" /version | grep -o '[0-9]*$'; }
