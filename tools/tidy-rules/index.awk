# The README at the top is an index: it has no diagram, no part that belongs to a subproject, and
# one table with a row for each of them, whose names are in the file TIDY_SUBPROJECTS.
BEGIN {
	while ((getline folder < ENVIRON["TIDY_SUBPROJECTS"]) > 0)
		missing[folder]
}

function end_table()
{
	if (in_table && outside)
		print FILENAME ":" outside ": the row stands outside of its table"
	in_table = 0
}

# A table begins with its heads and a line of dashes; a row behind an empty line is shown as text.
/^\|/ {
	if (!in_table)
		outside = FNR
	else if (FNR == outside + 1 && /^\|[ :|-]+$/)
		outside = 0
	in_table = 1
}

!/^\|/ {
	end_table()
}

/^\| \[`[^`]+\/`\]\(/ {
	split($0, parts, "`")
	sub(/\/$/, "", parts[2])
	delete missing[parts[2]]
}

END {
	end_table()
	for (folder in missing)
		print FILENAME ":1: the table of subprojects has no row for " folder "/"
}

/^[ \t]*```mermaid/ {
	print FILENAME ":" FNR ": the index has no diagrams; they are in the subprojects"
}

/^## (Step by step with curl|Tech choices|API sketch|How it works|Measured|Trade-offs)$/ {
	print FILENAME ":" FNR ": '" substr($0, 4) "' belongs in a subproject's README"
}

/^## What it guarantees, and what breaks it$/ {
	print FILENAME ":" FNR ": '" substr($0, 4) "' belongs in a subproject's README"
}
