# Functions of the C library that cannot be used safely, or not by two at once.
function without_text(line)
{
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	gsub(/'[^']*'/, "''", line)
	sub(/\/\/.*/, "", line)
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
	return line
}

FNR == 1 {
	in_comment = 0
}

{
	line = $0
	if (in_comment) {
		if (line !~ /\*\//)
			next
		sub(/^.*\*\//, "", line)
		in_comment = 0
	}
	line = without_text(line)
	if (line ~ /\/\*/) {
		sub(/\/\*.*/, "", line)
		in_comment = 1
	}
	if (line ~ /(^|[^A-Za-z0-9_])(strcpy|sprintf|strtok|atoi|strcat|gets)[ \t]*\(/) {
		sub(/[ \t]*\(.*$/, "", line)
		print FILENAME ":" FNR ": strcpy, strcat, sprintf, strtok, atoi, gets are not used"
	}
}
