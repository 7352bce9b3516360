# Redis' own client over TLS; what it acknowledged is on the disk.
cli() { # NODE COMMAND...
	n=$1
	shift
	timeout 20 redis-cli --tls --sni "$domain" --cacert "$ca" \
		-h 127.0.0.1 -p "$(port "$n")" "$@"
}
fill() {
	for i in $(seq 200); do echo "SET key$i value$i"; done |
		cli "$1" >/dev/null
	cli "$1" INCR rounds
}
there() { [ "$(cli "$1" GET key200)" = value200 ]; }
version() { cli "$1" CONFIG GET tcp-keepalive | sed -n 's/^30//p'; }
