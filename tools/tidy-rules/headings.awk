# A subproject's README has the same parts in the same order everywhere: whoever has read one finds
# their way in all. What is a part's own goes under ### headings.
BEGIN {
	count = split("Run it|Step by step with curl|Tech choices|API sketch|How it works|" \
		"What it guarantees, and what breaks it|Measured|Trade-offs|Clean up", wanted, "|")
	for (i = 1; i <= count; i++)
		place[wanted[i]] = i
}

function say(line, message)
{
	print name ":" line ": " message
}

function finish_file()
{
	if (name == "")
		return
	if (!summary)
		say(1, "after the title there is no sentence that says what it is")
	for (i = reached + 1; i <= count; i++)
		say(last, "there is no heading '## " wanted[i] "'")
}

FNR == 1 {
	finish_file()
	name = FILENAME
	reached = 0
	fenced = 0
	diagram = 0
	summary = 0
	text_seen = 0
	if ($0 !~ /^# [^ ]/)
		say(1, "the first line is not '# title'")
}

{
	last = FNR
}

# The first text under the title: one line, one sentence.
FNR > 1 && !text_seen && !/^[ \t]*$/ {
	text_seen = 1
	summary = /^[^#`|>!<*-].*\.$/ ? FNR : 0
	next
}

summary && FNR == summary + 1 && !/^[ \t]*$/ {
	say(FNR, "the sentence under the title stands on one line by itself")
}

/^[ \t]*```/ {
	if (!fenced && /^[ \t]*```mermaid/)
		diagram = 1
	fenced = !fenced
	next
}

!fenced && /^# / && FNR > 1 {
	say(FNR, "there is one title only")
}

!fenced && /^## / {
	heading = substr($0, 4)
	if (!(heading in place))
		say(FNR, "'" heading "' is none of the headings; what is special goes under ###")
	else if (place[heading] <= reached)
		say(FNR, "'" heading "' comes too late or twice")
	else {
		for (i = reached + 1; i < place[heading]; i++)
			say(FNR, "'## " wanted[i] "' is missing or comes too late")
		reached = place[heading]
		if (reached == 1 && !diagram)
			say(FNR, "there is no mermaid diagram before '## " wanted[1] "'")
	}
}

END {
	finish_file()
}
