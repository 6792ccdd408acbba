# The README at the top is an index: it has no diagram, and no part that belongs to a subproject.
/^[ \t]*```mermaid/ {
	print FILENAME ":" FNR ": the index has no diagrams; they are in the subprojects"
}

/^## (Step by step with curl|Tech choices|API sketch|How it works|Measured|Trade-offs)$/ {
	print FILENAME ":" FNR ": '" substr($0, 4) "' belongs in a subproject's README"
}

/^## What it guarantees, and what breaks it$/ {
	print FILENAME ":" FNR ": '" substr($0, 4) "' belongs in a subproject's README"
}
