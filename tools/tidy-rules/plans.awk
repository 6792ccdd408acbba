# A ticked item of a plan names, in backticks, what proves it: a test of CTest, whose names are in
# the file TIDY_TESTS, or a file.
BEGIN {
	while ((getline test < ENVIRON["TIDY_TESTS"]) > 0)
		tests[test]
}

function is_file(path,    line)
{
	return path ~ /^[A-Za-z0-9._\/-]+$/ && path ~ /[.\/]/ && system("test -f '" path "'") == 0
}

function finish_item(    pieces, count, i)
{
	if (item == "")
		return
	count = split(item, pieces, "`")
	item = ""
	for (i = 2; i <= count; i += 2)
		if (pieces[i] in tests || is_file(pieces[i]) || is_file(folder pieces[i]))
			return
	print item_name ":" item_line ": the ticked item names no test that exists"
}

FNR == 1 {
	finish_item()
	folder = FILENAME
	sub(/[^\/]*$/, "", folder)
}

# An item ends where the next begins, or at a line that is not indented.
/^[ \t]*[-*] / || !/^[ \t]/ {
	finish_item()
}

/^[ \t]*[-*] \[[xX]\]/ {
	item = $0
	item_name = FILENAME
	item_line = FNR
	next
}

item != "" {
	item = item " " $0
}

END {
	finish_item()
}
