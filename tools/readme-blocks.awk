# The blocks of a Markdown file that tools/readme runs, and what they are expected to print.
#
#	awk -v folder=DIR -f tools/readme-blocks.awk README.md
#
# For the n-th sh block DIR gets n.sh, with blank lines in front so that the shell counts lines as
# the README does, and n.expected when an output block follows it. DIR/plan has for each the line
# `n first kind expected-line seconds stream`, where `-` stands for nothing. DIR/no-server
# is made when the file says so. What is wrong goes to standard output as `line: what is wrong`.
BEGIN {
	plan = folder "/plan"
	printf "" >plan
}

function say(line, message)
{
	print line ": " message
}

# A number of the options, or "" and a complaint.
function number(text)
{
	if (text ~ /^[0-9]+$/ && text + 0 > 0 && text + 0 <= 3600)
		return text + 0
	say(FNR, "'" text "' is no number of seconds from 1 to 3600")
	return ""
}

# <!-- readme: seconds=10 -->, for the block that comes next.
function take_options(line,    count, words, i)
{
	sub(/^[ \t]*<!--[ \t]*readme:[ \t]*/, "", line)
	if (!sub(/[ \t]*-->[ \t]*$/, "", line)) {
		say(FNR, "the comment does not end on its line")
		return
	}
	count = split(line, words, /[ \t,]+/)
	for (i = 1; i <= count; i++) {
		if (words[i] == "no-server")
			printf "" >(folder "/no-server")
		else if (words[i] ~ /^seconds=/) {
			seconds = number(substr(words[i], 9))
			option_line = FNR
		} else if (words[i] ~ /^stream=/) {
			stream = number(substr(words[i], 8))
			option_line = FNR
		} else
			say(FNR, "there is no option '" words[i] "'; see tools/readme --help")
	}
	if (count == 0)
		say(FNR, "the comment has no option")
}

# Before anything but a block and its options: what waited for the next line waits no longer.
function forget()
{
	if (option_line)
		say(option_line, "these options are for a sh block, and none follows")
	option_line = 0
	seconds = stream = ""
	pending = 0
}

function write_plan()
{
	if (block)
		print block, block_first, kind, expected_line, block_seconds, block_stream >plan
	block = 0
}

function open_block(    i)
{
	write_plan()
	block = ++count_of_blocks
	block_first = FNR + 1
	kind = expected_line = "-"
	block_seconds = seconds == "" ? "-" : seconds
	block_stream = stream == "" ? "-" : stream
	option_line = 0
	seconds = stream = ""
	target = folder "/" block ".sh"
	printf "" >target
	for (i = 1; i <= FNR; i++)
		print "" >target
}

function open_expected()
{
	kind = language
	expected_line = FNR
	target = folder "/" block ".expected"
	printf "" >target
}

function open_fence(    follows)
{
	fence = $0
	match(fence, /^[ \t]*/)
	indent = RLENGTH
	fence = substr(fence, indent + 1)
	match(fence, /^(`+|~+)/)
	language = substr(fence, RLENGTH + 1)
	fence = substr(fence, 1, RLENGTH)
	sub(/^[ \t]+/, "", language)
	sub(/[ \t].*$/, "", language)
	fence_line = FNR
	target = ""
	follows = pending
	pending = 0
	in_sh = language == "sh"
	if (in_sh)
		open_block()
	else {
		forget()
		if (language ~ /^(bash|shell|console|shell-session)$/)
			say(FNR, "a block of '" language "' is never run; call it sh, or text")
		if (follows && language ~ /^(text|json|http)$/)
			open_expected()
	}
}

# The same character, at least as often, and nothing else.
function closes(line)
{
	sub(/^[ \t]+/, "", line)
	sub(/[ \t]+$/, "", line)
	return index(line, fence) == 1 && (line ~ /^`+$/ || line ~ /^~+$/)
}

function close_fence()
{
	if (target != "")
		close(target)
	if (in_sh)
		pending = 1
	fence = ""
}

{
	sub(/\r$/, "")
}

fence != "" && closes($0) {
	close_fence()
	next
}

fence != "" {
	if (target != "") {
		match($0, /^[ \t]*/)
		print substr($0, (RLENGTH < indent ? RLENGTH : indent) + 1) >target
	}
	next
}

/^[ \t]*(```|~~~)/ {
	open_fence()
	next
}

/^[ \t]*<!--[ \t]*readme:/ {
	pending = 0
	take_options($0)
	next
}

!/^[ \t]*$/ {
	forget()
}

END {
	if (fence != "")
		say(fence_line, "the block does not end")
	forget()
	write_plan()
	close(plan)
}
