# The names of the tests that CMakeLists.txt files declare, one per line. Understands
# `foreach(name a b …)` around onsale_test(${name}…), which is all that is used.
function emit(name,    i, expanded)
{
	gsub(/"/, "", name)
	if (index(name, "${" loop "}") && loop != "") {
		for (i = 1; i <= loop_count; i++) {
			expanded = name
			gsub("\\$[{]" loop "[}]", loop_values[i], expanded)
			print expanded
		}
	} else
		print name
}

# Take each command that is complete out of what has been read.
function work(    text, words, count, i)
{
	while (match(pending, /[A-Za-z_]+[ \t]*\([^)]*\)/)) {
		text = substr(pending, RSTART, RLENGTH)
		pending = substr(pending, RSTART + RLENGTH)
		sub(/[ \t]*\(/, " ", text)
		sub(/\)$/, "", text)
		count = split(text, words, " ")
		if (words[1] == "foreach") {
			loop = words[2]
			loop_count = 0
			for (i = 3; i <= count; i++)
				loop_values[++loop_count] = words[i]
		} else if (words[1] == "endforeach")
			loop = ""
		else if (words[1] == "onsale_test")
			emit(words[2])
		else if (words[1] == "add_test")
			emit(words[2] == "NAME" ? words[3] : words[2])
	}
}

FNR == 1 {
	pending = ""
	loop = ""
}

{
	sub(/#.*/, "")
	pending = pending " " $0
	work()
}
