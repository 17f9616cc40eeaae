# Copies SQL, and puts the files named in the variable pages where the line "-- page files" is: as branches
# of a CASE, each a dollar-quoted literal.  Fails on what would not arrive as it was written.

function fail(message) {
	print message > "/dev/stderr"
	failed = 1
	exit 1
}

# Other than ASCII depends on the encoding of database and client; the words would be replaced by
# PostgreSQL, end the literal, or end the element that the browser reads it in.
function check(path, line, words) {
	words = "\\$pt621_page\\$|@extschema|module_pathname"
	if (path !~ /\.html$/)
		words = words "|<\\/script|<\\/style|<!--"
	if (line ~ /[^\t -~]/)
		fail(path ": a character that is not printable ASCII: " line)
	if (tolower(line) ~ words)
		fail(path ": a word that cannot be embedded: " line)
}

function embed(path, name, line, got) {
	name = path
	sub(/.*\//, "", name)
	printf "    WHEN '%s' THEN $pt621_page$", name
	while ((got = (getline line < path)) > 0) {
		check(path, line)
		print line
	}
	if (got < 0)
		fail(path ": cannot be read")
	close(path)
	print "$pt621_page$"
}

$0 == "-- page files" {
	count = split(pages, page, " ")
	if (count == 0)
		fail("no page files")
	for (i = 1; i <= count; i++)
		embed(page[i])
	found = 1
	next
}

{ print }

END {
	if (!failed && !found)
		fail("no line \"-- page files\"")
	exit failed
}
