# Which way includes point (ARCHITECTURE.md). Every "quoted" include is named from the root of the
# repository, so it tells its layer.

# The part of the house that a path belongs to: lib/base, tech-x (the family itself), tech-x/y (an
# adapter), or the top folder.
function part_of(path,    names, count)
{
	count = split(path, names, "/")
	if (names[1] == "lib")
		return names[1] "/" names[2]
	if (names[1] ~ /^tech-/ && count > 2)
		return names[1] "/" names[2]
	return count > 1 ? names[1] : ""
}

function exists(path,    line, result)
{
	if (!(path in known)) {
		result = (getline line < path)
		close(path)
		known[path] = result >= 0
	}
	return known[path]
}

# Code that only proves or measures: it may take what it tests from anywhere that it has to.
function is_proof(path)
{
	return path ~ /_(test|conformance|bench|fixture)\.[ch]$/ || path ~ /\/bench\.c$/
}

# A header that states what every technology of the family does, for which each fills in an ops.
function is_contract(path,    line, found)
{
	if (path !~ /\.h$/ || is_proof(path))
		return 0
	if (!(path in contract)) {
		while ((getline line < path) > 0)
			if (line ~ /^struct [a-z_]+_ops \{/)
				found = 1
		close(path)
		contract[path] = found
	}
	return contract[path]
}

function say(message)
{
	print FILENAME ":" FNR ": " message
}

function is_adapter(part)
{
	# A family's schema and its page belong to all of it.
	return part ~ /^tech-[^\/]*\// && part !~ /\/(schema|web)$/
}

function check_lib(from, to)
{
	if (to !~ /^lib\//)
		say("lib must not know " to)
	else if (from == to)
		return
	else if (is_proof(FILENAME) && (to == "lib/testkit" || to == "lib/base"))
		return
	else if (from == "lib/base" || (from == "lib/ticketing" && to != "lib/base"))
		say(from " must not know " to)
	else if (to == "lib/testkit" && !is_proof(FILENAME))
		say("lib/testkit is for tests, not for " from)
	else if (!is_proof(FILENAME) && !((from, to) in edge)) {
		edge[from, to] = FILENAME ":" FNR
		layers[from]
		layers[to]
	}
}

function check_family(from, to)
{
	if (is_contract(FILENAME)) {
		if (to != "lib/base" && to != "lib/ticketing" && to != from)
			say("a family's header must not know " to)
	} else if (is_adapter(to) && !may_name_adapters())
		say("a family must not name the adapter " to)
	else if (to !~ /^(lib|tech-)/ && !(to == "bench" && is_proof(FILENAME)))
		say("a family must not know " to)
}

function may_name_adapters()
{
	return FILENAME ~ /^tech-/ && (is_proof(FILENAME) || FILENAME ~ /\/server\.c$/)
}

function check_adapter(from, to)
{
	if (from == to || to ~ /^lib\//)
		return
	if (is_adapter(to)) {
		if (!may_name_adapters())
			say("an adapter must not name another, " to)
	} else if (to !~ /^tech-/ && !(to == "bench" && is_proof(FILENAME)))
		say("an adapter must not know " to)
}

function check_top(from, to)
{
	if (from == "tools" && to != "lib/base" && to != from)
		say("tools must not know " to)
	else if (from == "demo" && to !~ /^lib\// && to != from)
		say("demo must not know " to)
	else if (from == "simplest-implementation" && to !~ /^lib\// && to != from &&
			!((to == "demo" || to == "bench") && is_proof(FILENAME)))
		say("simplest-implementation uses lib and libpq only, not " to)
	else if (from == "real-implementation" && is_adapter(to) &&
			FILENAME != "real-implementation/compose.c" && !is_proof(FILENAME))
		say("only real-implementation/compose.c names adapters, such as " to)
	if (to == "lib/testkit" && from != "bench" && !is_proof(FILENAME))
		say("lib/testkit is for tests, not for " from)
}

function check_quoted(path,    source, from, to)
{
	# A header made from a file by onsale_embed has that file's name and .h.
	source = path
	sub(/\.h$/, "", source)
	if (!exists(path) && !exists(source)) {
		say("there is no " path "; an include names its path from the root")
		return
	}
	from = part_of(FILENAME)
	to = part_of(path)
	if (from ~ /^lib\//)
		check_lib(from, to)
	else if (is_adapter(from))
		check_adapter(from, to)
	else if (from ~ /^tech-/)
		check_family(from, to)
	else
		check_top(from, to)
	if (from ~ /^tech-/ && to == "lib/testkit" && !is_proof(FILENAME))
		say("lib/testkit is for tests, not for " from)
}

# Cryptography and JSON are not counted: they are no service's client.
function check_client_library(header,    from, name)
{
	name = ""
	if (header ~ /^libpq/)
		name = "libpq"
	else if (header ~ /^(hiredis|librdkafka|curl|microhttpd)/) {
		name = header
		sub(/[\/.].*/, "", name)
	} else if (header ~ /^amqp/)
		name = "librabbitmq"
	if (name == "" || is_proof(FILENAME))
		return
	from = part_of(FILENAME)
	if (from == "simplest-implementation" && name != "libpq")
		say("simplest-implementation uses lib and libpq only, not " name)
	if (is_adapter(from)) {
		if (from in client && client[from] != name)
			say("an adapter has one client library; this has " client[from] " already")
		client[from] = name
	}
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	check_quoted(quoted[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	check_client_library(header)
}

# The folders of lib stand in an order, so no two may know each other, directly or by way of others.
END {
	for (pair in edge) {
		split(pair, ends, SUBSEP)
		knows[ends[1], ends[2]] = 1
	}
	for (middle in layers)
		for (a in layers)
			for (b in layers)
				if ((a, middle) in knows && (middle, b) in knows)
					knows[a, b] = 1
	for (pair in edge) {
		split(pair, ends, SUBSEP)
		if ((ends[2], ends[1]) in knows)
			print edge[pair] ": " ends[1] " and " ends[2] " know each other"
	}
}
