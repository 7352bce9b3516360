# DokuWiki as Debian packages it: a page written over its form is there later.
page() { get "$1" '/dokuwiki/doku.php?id=start' "$@"; }
fill() {
	jar=$net/jar
	form=$(get "$1" '/dokuwiki/doku.php?id=start&do=edit' -c "$jar")
	field() { printf '%s' "$form" | grep -o "name=\"$1\" value=\"[^\"]*\"" | head -1 | sed 's/.*value="//; s/"$//'; }
	get "$1" '/dokuwiki/doku.php?id=start' -b "$jar" -L -o /dev/null \
		--data-urlencode 'wikitext=A page that stays' \
		-d 'do[save]=1' -d "sectok=$(field sectok)" -d "date=$(field date)" \
		-d "changecheck=$(field changecheck)" -d 'prefix=.' -d 'suffix='
	# It syncs nothing: what it wrote is on the disk when Linux says so, which
	# is after 30 s and the 5 s of its round, and the file system's 5.
	sleep 45
}
there() { has "$1" '/dokuwiki/doku.php?id=start' 'A page that stays'; }
version() { get "$1" /version; }
