# Every relative link of every Markdown file leads to a file, and its #fragment to a heading or a
# line there.

function folder_of(path)
{
	return path ~ /\// ? substr(path, 1, match(path, /\/[^\/]*$/) - 1) : ""
}

# "a/b/../c" is "a/c"; above the root there is nothing, which "" says.
function normal(path,    names, count, kept, i, result)
{
	count = split(path, names, "/")
	kept = 0
	for (i = 1; i <= count; i++) {
		if (names[i] == "" || names[i] == ".")
			continue
		if (names[i] == "..") {
			if (--kept < 0)
				return ""
		} else
			names[++kept] = names[i]
	}
	result = "."
	for (i = 1; i <= kept; i++)
		result = result "/" names[i]
	return result
}

function exists(path)
{
	if (!(path in known))
		known[path] = system("test -e '" path "'") == 0
	return known[path]
}

# The name under which a heading can be linked to, as GitHub and GitLab make it.
function slug(heading)
{
	sub(/^#+[ \t]*/, "", heading)
	sub(/[ \t]+#*[ \t]*$/, "", heading)
	while (match(heading, /\]\([^)]*\)/))
		heading = substr(heading, 1, RSTART - 1) substr(heading, RSTART + RLENGTH)
	heading = tolower(heading)
	gsub(/\342\200[\200-\277]|\302[\200-\277]|\303[\227\267]|\342\206[\200-\277]/, "", heading)
	gsub(/[!"#$%&'()*+,.\/:;<=>?@\[\\\]^`{|}~]/, "", heading)
	gsub(/[ \t]/, "-", heading)
	return heading
}

# Learn the headings and the number of lines of a file.
function learn(path,    line, fenced, name)
{
	if (path in lines)
		return
	lines[path] = 0
	while ((getline line < path) > 0) {
		lines[path]++
		if (line ~ /^[ \t]*(```|~~~)/)
			fenced = !fenced
		else if (!fenced && line ~ /^#+[ \t]/) {
			name = slug(line)
			if ((path, name) in headings)
				headings[path, name "-" headings[path, name]++] = 1
			else
				headings[path, name] = 1
		}
	}
	close(path)
}

function fragment_leads_somewhere(path, fragment)
{
	learn(path)
	if (path ~ /\.md$/)
		return (path, fragment) in headings
	if (fragment !~ /^L[0-9]+(-L?[0-9]+)?$/)
		return 0
	sub(/^L/, "", fragment)
	return fragment + 0 >= 1 && fragment + 0 <= lines[path]
}

function say(message)
{
	print FILENAME ":" FNR ": " message
}

function check(target,    fragment, path)
{
	sub(/[ \t]+["'(].*$/, "", target)
	gsub(/^<|>$/, "", target)
	if (target ~ /^[A-Za-z][A-Za-z0-9+.-]*:/ || target ~ /'/)
		return
	fragment = ""
	if (match(target, /#/)) {
		fragment = substr(target, RSTART + 1)
		target = substr(target, 1, RSTART - 1)
	}
	gsub(/%20/, " ", target)
	path = "./" FILENAME
	if (target ~ /^\//)
		path = normal(target)
	else if (target != "")
		path = normal(folder_of(FILENAME) "/" target)
	if (path == "" || !exists(path))
		say("the link to " target " is dead")
	else if (fragment != "" && !fragment_leads_somewhere(path, fragment))
		say("the link to " target "#" fragment " is dead: there is no such heading or line")
}

FNR == 1 {
	in_fence = 0
}

/^[ \t]*(```|~~~)/ {
	in_fence = !in_fence
	next
}

in_fence {
	next
}

{
	rest = $0
	# Code is not looked at; in a link its backticks go and its target stays.
	gsub(/\[`[^`]*`\]/, "[code]", rest)
	gsub(/`[^`]*`/, "", rest)
	if (match(rest, /^[ \t]*\[[^\]]+\]:[ \t]*/)) {
		target = substr(rest, RSTART + RLENGTH)
		sub(/[ \t]+$/, "", target)
		check(target)
		next
	}
	while (match(rest, /\]\([^)]*\)/)) {
		target = substr(rest, RSTART + 2, RLENGTH - 3)
		rest = substr(rest, RSTART + RLENGTH)
		check(target)
	}
}
