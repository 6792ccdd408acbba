# Markdown with what stands between its markers written anew:
#
#	awk -v tables=DIR -v complaints=FILE -f tools/figures-blocks.awk README.md
#
# prints it. Between `<!-- figures: NAME -->` and `<!-- /figures -->` comes what DIR/NAME holds.
# FILE gets a line `line: what is wrong` for each wrong marker, and DIR/NAME.used says that a
# result is shown. Markers inside of fenced code are text.
function say(line, message)
{
	print line ": " message >complaints
}

function write_table(name,    file, line)
{
	file = tables "/" name
	if (name !~ /^[a-z0-9][a-z0-9._-]*$/ || (getline line < file) <= 0) {
		say(FNR, "there is no sound result '" name "' in bench/results")
		return 0
	}
	printf "" >(file ".used")
	print ""
	do
		print line
	while ((getline line < file) > 0)
	print ""
	close(file)
	return 1
}

/^[ \t]*(```|~~~)/ && !open_line {
	fenced = !fenced
}

fenced {
	print
	next
}

/^[ \t]*<!--[ \t]*figures:/ {
	if (open_line)
		say(open_line, "the marker is not closed before the next")
	name = $0
	sub(/^[ \t]*<!--[ \t]*figures:[ \t]*/, "", name)
	if (!sub(/[ \t]*-->[ \t]*$/, "", name))
		say(FNR, "the marker does not stand on one line by itself")
	open_line = FNR
	print
	replaced = write_table(name)
	next
}

/^[ \t]*<!--[ \t]*\/figures[ \t]*-->[ \t]*$/ {
	if (!open_line)
		say(FNR, "this closes a marker that was not opened")
	open_line = 0
	print
	next
}

# Where there is no result, what stands there stays.
!open_line || !replaced {
	print
}

END {
	if (open_line)
		say(open_line, "the marker is not closed")
}
