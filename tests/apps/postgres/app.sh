# psql speaks TLS only after asking for it in its own protocol, so socat does
# the TLS and psql none. ROWS: of about 1 kB each.
sql() { # NODE STATEMENT
	socat "TCP-LISTEN:15432,bind=127.0.0.1,reuseaddr" \
		"OPENSSL:127.0.0.1:$(port "$1"),cafile=$ca,commonname=$domain,snihost=$domain" &
	s=$!
	sleep 0.2
	timeout "$patience" psql -qAt -h 127.0.0.1 -p 15432 -U postgres \
		-c "$2" "sslmode=disable"
	rc=$?
	kill "$s" 2>/dev/null
	wait "$s" 2>/dev/null
	return "$rc"
}
rows=${ROWS:-20000}
patience=$((600 + rows / 200))
fill() {
	sql "$1" "create table t as select i, md5(i::text) as a, repeat(md5(random()::text), 30) as b from generate_series(1,$rows) i" &&
		sql "$1" "checkpoint"
}
there() {
	[ "$(sql "$1" "select count(*) || ' ' || max(i) from t where a = md5(i::text) and length(b) = 960")" = "$rows $rows" ]
}
version() { sql "$1" "show cluster_name" | tr -d v; }
