# Two services of a Compose file; the notes are on the volume of the second.
fill() {
	for i in $(seq 20); do
		get "$1" /notes --data-raw "note $i" >/dev/null || return 1
	done
}
there() { [ "$(get "$1" /notes)" = "$(seq -f 'note %g' 20)" ]; }
version() { get "$1" /version; }
