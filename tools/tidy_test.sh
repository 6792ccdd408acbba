#!/usr/bin/env bash
# Whether tools/tidy can fail: a small tree that keeps every rule passes, and each way of breaking
# one is found, at its file and line, and nothing else with it.
# shellcheck disable=SC2016 # Backticks and ${…} are text of the files that are made.
set -euo pipefail
tidy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/tidy
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
checks=0
subprojects=(simplest-implementation tech-x tech-x/one tech-y real-implementation)

# file PATH: standard input becomes the file.
file()
{
	mkdir -p "$tree/$(dirname "$1")"
	cat >"$tree/$1"
}

lines()
{
	printf '%s\n' "$@"
}

# A subproject's files, with a README that has everything.
subproject()
{
	file "$1/plan.md" <<<'- [x] Done, `good_test`'
	file "$1/run.sh" <<<'#!/usr/bin/env bash'
	file "$1/test.sh" <<<'#!/usr/bin/env bash'
	chmod +x "$tree/$1/run.sh" "$tree/$1/test.sh"
	file "$1/README.md" <<-'README'
		# A thing

		It does one thing well.

		```mermaid
		flowchart LR
		```

		## Run it
		```sh
		## not a heading
		```
		## Step by step with curl
		## Tech choices
		### Special
		## API sketch
		## How it works
		## What it guarantees, and what breaks it
		## Measured
		## Trade-offs
		See [here](README.md), [above](#run-it) and [`code`](../lib/base/a.c#L1).
		## Clean up
	README
}

make_tree()
{
	local name
	lines '#include "lib/base/a.h"' '#include <stdio.h>' | file lib/base/a.c
	file lib/base/a.h <<<'#pragma once'
	lines '#include "lib/base/a.h"' '#include "lib/testkit/t.h"' | file lib/base/a_test.c
	file lib/ticketing/b.h <<<'#include "lib/base/a.h"'
	lines '#include "lib/ticketing/b.h"' '#include "lib/base/a.h"' | file lib/http/c.h
	file lib/postgres/d.h <<<'#include "lib/http/c.h"'
	file lib/testkit/t.h <<<'#include "lib/postgres/d.h"'
	lines '#include "lib/ticketing/b.h"' 'struct x_ops {' | file tech-x/x.h
	lines '#include "tech-x/x.h"' '#include "lib/http/c.h"' | file tech-x/x_routes.c
	lines '#include "tech-x/one/one.h"' '#include "tech-x/x_routes.h"' |
		file tech-x/one/server.c
	file tech-x/x_routes.h <<<'#include "lib/http/c.h"'
	lines '#include "tech-x/x.h"' '#include <hiredis/hiredis.h>' | file tech-x/one/one.h
	lines '#include "tech-y/y_stages.h"' '#include "lib/postgres/d.h"' | file tech-x/two/two.h
	file tech-y/y.h <<<'#include "lib/base/a.h"'
	lines '#include "tech-y/y.h"' '#include "lib/http/c.h"' | file tech-y/y_stages.h
	lines '#include "tech-x/one/one.h"' '#include "tech-x/x.h"' |
		file real-implementation/compose.c
	file real-implementation/x_fixture.c <<<'#include "tech-x/one/one.h"'
	lines '#include "simplest-implementation/q.sql.h"' '#include <libpq-fe.h>' |
		file simplest-implementation/main.c
	file simplest-implementation/q.sql <<<'select 1'
	for name in "${subprojects[@]}"; do
		subproject "$name"
	done
	sed -i 's|\.\./lib|../../lib|' "$tree/tech-x/one/README.md"
	for name in "${subprojects[@]}"; do
		lines "add_test(NAME readme_$name" "	COMMAND \${SOURCE}/tools/readme $name)"
	done | file tech-x/CMakeLists.txt
	{
		lines '# Onsale' '' '[lib](lib/base/a.h)' '[web](https://example.org/none)' ''
		lines '| Folder | It |' '|---|---|'
		for name in "${subprojects[@]}"; do
			lines "| [\`$name/\`](lib/base/a.c) | is one |"
		done
	} | file README.md
	lines 'foreach(part good other)' 'onsale_test(${part}_test LABELS lib' 'SOURCES x.c)' \
		'endforeach()' 'add_test(NAME tidy COMMAND x)' | file lib/base/CMakeLists.txt
}

# The tree as it was made, for the next way of breaking it.
good_tree()
{
	rm -rf "$tree"
	cp -a "$scratch/good" "$tree"
}

fail()
{
	printf 'tidy_test: %s\n' "$1" >&2
	cat "$scratch/output" >&2
	exit 1
}

# expect WHERE WORDS: tidy fails with one finding, there, with these words; then all is good again.
expect()
{
	checks=$((checks + 1))
	if "$tidy" "$tree" >"$scratch/output" 2>/dev/null; then
		fail "nothing was found, but there is $1 ($2)"
	fi
	[[ $(wc -l <"$scratch/output") == 1 ]] || fail "not one finding for $1 ($2)"
	grep -qE "^$1: .*$2" "$scratch/output" || fail "not the finding for $1 ($2)"
	good_tree
}

# add LINE FILE: the line is put at the end of the file.
add()
{
	printf '%s\n' "$1" >>"$tree/$2"
}

# repeat COUNT TEXT: so many lines.
repeat()
{
	yes "$2" 2>/dev/null | head -n "$1" || true
}

mkdir "$tree"
make_tree
cp -a "$tree" "$scratch/good"
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'a good tree does not pass'

# Which way includes point.
add '#include "lib/ticketing/b.h"' lib/base/a.c
expect lib/base/a.c:3 'lib/base must not know lib/ticketing'
add '#include "lib/http/c.h"' lib/ticketing/b.h
expect lib/ticketing/b.h:2 'lib/ticketing must not know lib/http'
add '#include "tech-x/x.h"' lib/http/c.h
expect lib/http/c.h:3 'lib must not know tech-x'
add '#include "simplest-implementation/q.sql.h"' lib/http/c.h
expect lib/http/c.h:3 'lib must not know simplest'
add '#include "lib/testkit/t.h"' lib/http/c.h
expect lib/http/c.h:3 'lib/testkit is for tests'
add '#include "lib/testkit/t.h"' tech-x/one/one.h
expect tech-x/one/one.h:3 'lib/testkit is for tests'
add '#include "lib/testkit/t.h"' simplest-implementation/main.c
expect simplest-implementation/main.c:3 'lib/testkit is for tests'
add '#include "a.h"' lib/base/a.c
expect lib/base/a.c:3 'no a.h; an include names its path from the root'
add '#include "lib/http/c.h"' tech-x/x.h
expect tech-x/x.h:3 "a family's header must not know lib/http"
add '#include "tech-y/y.h"' tech-x/x.h
expect tech-x/x.h:3 "a family's header must not know tech-y"
add '#include "tech-x/one/one.h"' tech-x/x_routes.c
expect tech-x/x_routes.c:3 'a family must not name the adapter'
add '#include "tech-x/one/one.h"' tech-x/two/two.h
expect tech-x/two/two.h:3 'an adapter must not name another'
add '#include "tech-x/one/one.h"' tech-y/y_stages.h
expect tech-y/y_stages.h:3 'a family must not name the adapter'
add '#include "real-implementation/compose.c"' tech-x/two/two.h
expect tech-x/two/two.h:3 'an adapter must not know real-implementation'
add '#include <librdkafka/rdkafka.h>' tech-x/one/one.h
expect tech-x/one/one.h:3 'one client library'
add '#include <hiredis/hiredis.h>' simplest-implementation/main.c
expect simplest-implementation/main.c:3 'lib and libpq only, not hiredis'
add '#include "tech-x/x.h"' simplest-implementation/main.c
expect simplest-implementation/main.c:3 'lib and libpq only, not tech-x'
file real-implementation/main.c <<<'#include "tech-x/one/one.h"'
expect real-implementation/main.c:1 'only real-implementation/compose.c names adapters'
lines '#include "lib/ticketing/b.h"' '#include "lib/postgres/d.h"' | file lib/http/c.h
"$tidy" "$tree" >"$scratch/output" 2>/dev/null && fail 'a circle was not found'
grep -q '^lib/http/c.h:2: lib/http and lib/postgres know each other' "$scratch/output" ||
	fail 'not the circle'
good_tree

# Subprojects are complete.
rm "$tree/tech-x/one/test.sh"
expect tech-x/one:0 'has no test.sh'
rm "$tree/tech-y/README.md"
expect tech-y:0 'has no README.md'
rm "$tree/simplest-implementation/plan.md"
expect simplest-implementation:0 'has no plan.md'
chmod -x "$tree/tech-x/run.sh"
expect tech-x/run.sh:1 'is not executable'

# READMEs: the headings, their order, the diagram, the sentence.
readme=tech-y/README.md
sed -i '/^## Measured/d' "$tree/$readme"
expect $readme:19 "'## Measured' is missing"
sed -i '/^## Clean up/d' "$tree/$readme"
expect $readme:21 "no heading '## Clean up'"
sed -i 's/^## Measured/## Figures/' "$tree/$readme"
"$tidy" "$tree" >"$scratch/output" 2>/dev/null && fail 'a strange heading was not found'
grep -q "^$readme:19: 'Figures' is none" "$scratch/output" || fail 'not the strange heading'
good_tree
add '## Measured' $readme
expect $readme:23 'comes too late or twice'
sed -i 's/mermaid/text/' "$tree/$readme"
expect $readme:9 'no mermaid diagram'
sed -i '1s/# //' "$tree/$readme"
expect $readme:1 "the first line is not '# title'"
sed -i '3s/.*/- a list/' "$tree/$readme"
expect $readme:1 'no sentence'
sed -i '3a And more.' "$tree/$readme"
expect $readme:4 'on one line by itself'
add '# Another title' $readme
expect $readme:23 'one title only'
add '```mermaid' README.md
expect README.md:13 'the index has no diagrams'
add '## Trade-offs' README.md
expect README.md:13 "belongs in a subproject"


# The index: a row for each subproject, in one table.
sed -i '/tech-y/d' "$tree/README.md"
expect README.md:1 'no row for tech-y/'
sed -i '8s/$/\n/' "$tree/README.md"
expect README.md:10 'outside of its table'
sed -i '11s/$/\n/' "$tree/README.md"
expect README.md:13 'outside of its table'

# Commands are run.
sed -i '/tech-y)/d' "$tree/tech-x/CMakeLists.txt"
expect tech-y/README.md:1 'no test runs tools/readme tech-y'
lines '' '```sh' 'true' '```' >>"$tree/README.md"
expect README.md:1 'no test runs tools/readme \.'

# Links.
add 'See [it](lib/base/none.c).' README.md
expect README.md:13 'the link to lib/base/none.c is dead'
add 'See [it](tech-x/README.md#nowhere).' README.md
expect README.md:13 'no such heading or line'
add 'See [it](lib/base/a.c#L99).' README.md
expect README.md:13 'no such heading or line'
add 'See [it](../outside.md).' README.md
expect README.md:13 'is dead'
add '[it]: lib/none' README.md
expect README.md:13 'the link to lib/none is dead'
add 'See [`code`](none.c).' README.md
expect README.md:13 'the link to none.c is dead'
add 'Not a link: `[it](none.c)`.' README.md
add '[up](./tech-x/../tech-x/README.md#what-it-guarantees-and-what-breaks-it)' README.md
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'links that lead somewhere do not pass'
good_tree

# Lengths and widths.
{ lines 'int f(void)' '{' && repeat 68 '	f();' && lines '}'; } >>"$tree/lib/base/a.c"
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'a function of 70 lines does not pass'
sed -i '$i\	f();' "$tree/lib/base/a.c"
expect lib/base/a.c:4 'a function of 71 lines'
repeat 600 '' >"$tree/lib/base/a.h"
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'a file of 600 lines does not pass'
add '' lib/base/a.h
expect lib/base/a.h:601 '600 lines at most'
wide=$(printf 'x%.0s' {1..92})
add "	${wide:1}é" lib/base/a.h
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail '100 columns do not pass'
add "	x$wide" lib/base/a.h
expect lib/base/a.h:3 'the line has 101 columns'
add "-- $wide$wide" simplest-implementation/q.sql
expect simplest-implementation/q.sql:2 'columns'
add "# $wide$wide" tech-x/run.sh
expect tech-x/run.sh:2 'columns'

# Plans.
add '- [x] Nothing proves it' tech-x/plan.md
expect tech-x/plan.md:2 'names no test that exists'
add '- [x] Proved by `none_test`' tech-x/plan.md
expect tech-x/plan.md:2 'names no test that exists'
add '- [ ] To be done' tech-x/plan.md
add '- [X] Proved, but that is said' tech-x/plan.md
add '  on the next line: `other_test`' tech-x/plan.md
add '- [x] `lib/base/a_test.c`, or `run.sh`, or `tidy`' tech-x/plan.md
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'a good plan does not pass'
good_tree

# What must not be said or called.
word='external''-cache'
add "See $word/README.md" README.md
expect README.md:13 'nothing may refer to that folder'
file "lib/$word.txt" <<<''
expect "lib/$word.txt:0" 'nothing may have this name'
for call in strcpy sprintf strtok atoi strcat gets; do
	add "int i = $call (a);" lib/base/a.c
	expect lib/base/a.c:3 'are not used'
done
lines '/* Not strcpy(a, b) here,' ' * nor atoi(b). */ int i = snprintf(a, 1, "gets(x)");' \
	'char *p = strtok_r(a, b, c); // atoi(a)' >>"$tree/lib/base/a.c"
"$tidy" "$tree" >"$scratch/output" 2>&1 || fail 'words in comments do not pass'
add 'int j; /* fine */ int k = atoi(x);' lib/base/a.c
expect lib/base/a.c:6 'are not used'

printf 'tidy_test: %d findings as they should be\n' "$checks"
