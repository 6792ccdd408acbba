# Whether a text is what was expected: awk -f tools/readme-compare.awk EXPECTED ACTUAL.
# A line `...` or `…` alone in what was expected stands for any number of lines, also none.
FNR == 1 {
	file++
}

# An empty file has no first line, so ARGV tells which one a line is of.
FILENAME == ARGV[1] && file == 1 {
	expected[++expected_count] = $0
	next
}

{
	actual[++actual_count] = $0
}

function is_rest(line)
{
	return line ~ /^[ \t]*(\.\.\.|\342\200\246)[ \t]*$/
}

# As for file name patterns: on a mismatch, let the last `...` take one line more.
END {
	i = j = 1
	star = 0
	while (j <= actual_count) {
		if (i <= expected_count && is_rest(expected[i])) {
			star = i++
			taken = j
		} else if (i <= expected_count && expected[i] == actual[j]) {
			i++
			j++
		} else if (star) {
			i = star + 1
			j = ++taken
		} else
			exit 1
	}
	while (i <= expected_count && is_rest(expected[i]))
		i++
	exit i <= expected_count
}
