#!/usr/bin/env bash
# Whether tools/readme can fail: READMEs that are true pass, and each way in which a README or its
# run.sh can be wrong is found, at its line, and nothing is left behind. The servers are stand-ins.
# shellcheck disable=SC2016 # What stands in quotes is text of the files that are made.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d /tmp/onsale-readme-test-XXXXXX)
trap 'rm -rf "$tree"' EXIT
checks=0
output=$tree/output

# What is to pass may be late, on a busy machine; what is to take too long gets less time below.
export ONSALE_README_READY_SECONDS=60 ONSALE_README_BLOCK_SECONDS=30 ONSALE_README_STOP_SECONDS=30
# Neither of these may reach run.sh or the reader.
export DATABASE_URL=postgresql://elsewhere PORT=1 BASE=http://elsewhere SECRET_OF_CALLER=yes

complain()
{
	printf 'readme_test: %s: %s\n' "$name" "$1" >&2
	sed 's/^/    /' "$output" >&2
	exit 1
}

# subproject NAME: standard input is what its run.sh does.
subproject()
{
	mkdir -p "$tree/$1"
	{
		echo '#!/usr/bin/env bash'
		echo ': "${ONSALE_INSTANCE?}"'
		cat
	} >"$tree/$1/run.sh"
	chmod +x "$tree/$1/run.sh"
}

make_tree()
{
	mkdir -p "$tree"/{tools,tmp,plain,.run/good}
	cp "$tools"/readme "$tools"/readme-* "$tree/tools"
	echo 'what a developer has' >"$tree/.run/good/data"
	# They share what a good one says; the port is never asked, since curl needs none here.
	cat >"$tree/ready.sh" <<-'RUN'
		[[ $PORT == 0 && -z ${DATABASE_URL-} && $# == 0 ]] || exit 9
		folder=$(cd "$(dirname "$0")/.." && pwd)/.run/$ONSALE_INSTANCE
		[[ ! -e $folder ]] || exit 8
		mkdir -p "$folder"
		echo 'the last words' >"$folder/server.log"
		say_ready() {
			echo 'ready http://127.0.0.1:4242'
			echo 'export BASE=http://127.0.0.1:4242'
			sleep 0.1
			echo 'export ADMIN_TOKEN=$(echo secret)'
			echo 'curl -s "$BASE/this-line-is-not-run"'
		}
		serve() { while :; do sleep 0.1; done; }
	RUN
	subproject good <<-'RUN'
		source "$(dirname "$0")/../ready.sh"
		trap 'exit 130' INT
		trap 'touch "$(dirname "$0")/terminated"; exit 143' TERM
		say_ready
		serve
	RUN
	subproject never-ready <<<'sleep 60'
	subproject ends-early <<<'echo "no database here" >&2; exit 3'
	subproject wrong-base <<-'RUN'
		echo 'ready http://127.0.0.1:4242'
		echo 'export BASE=http://127.0.0.1:4243'
		sleep 60
	RUN
	subproject dies <<-'RUN'
		source "$(dirname "$0")/../ready.sh"
		say_ready
		until [[ -e $folder/die ]]; do sleep 0.1; done
		touch "$folder/dead"
		exit 7
	RUN
	subproject deaf <<-'RUN'
		source "$(dirname "$0")/../ready.sh"
		trap '' INT
		say_ready
		serve
	RUN
	subproject leaves-orphan <<-'RUN'
		source "$(dirname "$0")/../ready.sh"
		setsid sleep 61 >/dev/null 2>&1 &
		trap 'exit 130' INT
		say_ready
		serve
	RUN
	subproject leaves-service <<-'RUN'
		source "$(dirname "$0")/../ready.sh"
		(cd "$folder" && exec env -i setsid sleep 62 >/dev/null 2>&1) &
		trap 'exit 130' INT
		say_ready
		serve
	RUN
	for name in dies deaf leaves-orphan leaves-service never-ready ends-early wrong-base; do
		lines '```sh' true '```' >"$tree/$name/README.md"
	done
}

lines()
{
	printf '%s\n' "$@"
}

# run ARGUMENT…: tools/readme in the tree; sets `status`. Whatever its end, nothing may be left.
run()
{
	checks=$((checks + 1))
	status=0
	TMPDIR=$tree/tmp "$tree/tools/readme" "$@" >"$output" 2>&1 </dev/null || status=$?
	left_nothing || complain 'something is left behind'
}

left_nothing()
{
	local instances
	instances=$(ls "$tree/.run")
	[[ -z $(ls -A "$tree/tmp") && $instances == good && -s $tree/.run/good/data ]] &&
		! grep -qsF "TMPDIR=$tree/tmp" /proc/[0-9]*/environ
}

# passes NAME [WHAT]: standard input is the README; no server is needed.
passes()
{
	name=$1
	cat >"$tree/plain/README.md"
	run plain
	((status == 0)) || complain 'does not pass'
	said "${2-}"
}

# fails NAME WHAT…: it does, and says each WHAT.
fails()
{
	name=$1
	shift
	cat >"$tree/plain/README.md"
	run plain
	has_failed "$@"
}

# server_fails SUBPROJECT WHAT…
server_fails()
{
	name=$1
	shift
	run "$name"
	has_failed "$@"
}

has_failed()
{
	local what
	((status == 1)) || complain "ends with status $status, not 1"
	for what in "$@"; do
		said "$what"
	done
}

said()
{
	grep -qF -- "$1" "$output" || complain "does not say '$1'"
}

check_true_readmes()
{
	passes 'values that differ, variables' '2 blocks run, 2 outputs compared' <<-'README'
		```sh
		id=$(cat /proc/sys/kernel/random/uuid)
		echo "id $id.$id at $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >&2
		```

		```text
		id 0197a0c4-7d4e-7cc3-98c4-dc0c0c07398f at 2020-01-02T03:04:05Z
		```
		<!-- Other comments do not matter. -->

		```sh
		printf 'HTTP/1.1 200 OK\r\nX-Request-Id: %s\r\nDate: %s\r\n\r\n' "${id//-/}" \
		  "$(date -u '+%a, %d %b %Y %H:%M:%S GMT')"
		```
		```http
		HTTP/1.1 200 OK
		X-Request-Id: 00112233445566778899aabbccddeeff
		Date: Thu, 01 Jan 1970 00:00:00 GMT

		```
	README
	passes 'JSON in another order, dots' '3 blocks run, 3 outputs compared' <<-'README'
		```sh
		echo '{"b":[1,2.0],"a":{"d":"2020-01-01T00:00:00Z","c":null}}'
		```
		```json
		{
		  "a": {"c": null, "d": "2026-11-22T19:00:00.123+01:00"},
		  "b": [1, 2]
		}
		```
		- In a list:

		  ```sh
		  seq 100
		    echo '  inner'
		  ```
		  ```text
		  1
		  ...
		  50
		  …
		  100
		    inner
		  ```

		```sh
		echo '{'; echo '"a": 1,'; echo '"b": 2'; echo '}'
		```
		```json
		{
		...
		"b": 2
		}
		```
	README
	passes 'text that is not output' '1 blocks run, 0 outputs compared' <<-'README'
		```sh
		true | cat
		```
		Real clouds need this:
		```text
		aws sqs create-queue
		```
		````text
		```sh
		false
		```
		````
	README
	passes 'a stream' '1 blocks run, 1 outputs compared' <<-'README'
		<!-- readme: stream=4 -->
		```sh
		for i in {1..99}; do printf 'data: {"n": %d}\n\n' "$i"; sleep 0.2; done | grep data
		```
		```text
		data: {"n": 1}
		data: {"n": 2}
		...
		```
	README
	ONSALE_README_BLOCK_SECONDS=1 passes 'a block with more time' '1 blocks run' <<-'README'
		<!-- readme: seconds=30 -->
		```sh
		sleep 1.3
		```
	README
	passes 'a process in the background' <<-'README'
		```sh
		sleep 63 & (trap '' TERM INT; sleep 64) &
		```
	README
	name='the reader has a clean shell'
	lines '```sh' 'test "${SECRET_OF_CALLER-no}" = no && test "$BASE" = http://127.0.0.1:4242' \
		'test -d good && test "$HOME" != "$TMPDIR" && touch "$HOME/x" "$TMPDIR/x"' \
		'echo "$BASE $ADMIN_TOKEN"' '```' '```text' 'http://127.0.0.1:8081 secret' '```' \
		>"$tree/good/README.md"
	run good
	((status == 0)) || complain 'does not pass'
	[[ ! -e $tree/good/terminated ]] || complain 'ends the server by another signal than Ctrl-C'
}

check_wrong_output()
{
	fails 'wrong output' 'plain/README.md:5: this is not what is printed' 'from line 3' \
		'-Hallo' '+Hello' <<-'README'
		Say it:
		```sh
		echo Hello
		```
		```text
		Hallo
		```
	README
	fails 'no output' 'plain/README.md:4: this is not' '-something' <<-'README'
		```sh
		true
		```
		```text
		something
		```
	README
	fails 'more output than shown' '+two' <<-'README'
		```sh
		echo one; echo two
		```
		```text
		one
		```
	README
	fails 'nothing shown' '+one' <<-'README'
		```sh
		echo one
		```
		```text
		```
	README
	fails 'less than around the dots' '-3' <<-'README'
		```sh
		echo 1; echo 2
		```
		```text
		1
		...
		3
		```
	README
	fails 'no id where one is shown' '-<id>' '+null' <<-'README'
		```sh
		echo null
		```
		```text
		0197a0c4-7d4e-7cc3-98c4-dc0c0c07398f
		```
	README
	fails 'wrong stream' '+data: 1' <<-'README'
		<!-- readme: stream=1 -->
		```sh
		echo data: 1; sleep 9
		```
		```text
		data: 2
		```
	README
	fails 'wrong JSON' 'plain/README.md:4: this is not' '-  "a": 2' '+  "a": 1' <<-'README'
		```sh
		echo '{"a":1}'
		```
		```json
		{"a": 2}
		```
	README
	fails 'no JSON' '+sorry' <<-'README'
		```sh
		echo sorry
		```
		```json
		{"a": 2}
		```
	README
	fails 'JSON that is none' 'plain/README.md:4: this is not JSON' <<-'README'
		```sh
		echo 1
		```
		```json
		{"a": }
		```
	README
}

check_wrong_commands()
{
	fails 'a command that fails' 'plain/README.md:5: the command has failed with status 22' \
		'from line 3' <<-'README'

		```sh
		echo first
		: |
		  (exit 22)
		echo not reached
		```
	README
	fails 'a failure inside a pipeline' 'README.md:2: the command has failed with status 1' \
		<<<$'```sh\nfalse | cat\n```'
	fails 'a failure in a substitution' 'README.md:2: the command has failed with status 1' \
		<<<$'```sh\nA=$(false; echo 1)\n```'
	fails 'no such command' 'failed with status 127' <<<$'```sh\nno-such-command\n```'
	fails 'no such variable' 'README.md:2: the command has failed' 'unbound variable' \
		<<<$'```sh\necho "$NOT_SET"\n```'
	fails 'no shell at all' 'README.md:2: the command has failed' 'syntax error' \
		<<<$'```sh\nif true; do\n```'
	fails 'a block that ends the shell' 'README.md:2: the command has ended the shell' \
		<<<$'```sh\nexit 0\n```'
	fails 'a block that kills the shell' 'README.md:2: the command has failed' \
		<<<$'```sh\nkill -KILL $$\n```'
	ONSALE_README_BLOCK_SECONDS=4 \
		fails 'a command that hangs' 'README.md:3: the command has not ended after 4 s' \
		before \
		<<<$'```sh\necho before\nsleep 65\n```'
	ONSALE_README_BLOCK_SECONDS=4 \
		fails 'a command that hangs and is deaf' 'has not ended after 4 s' \
		<<<$'```sh\ntrap "" INT TERM; sleep 66\n```'
	fails 'a stream that fails' 'the command has failed with status 7' \
		<<<$'<!-- readme: stream=3 -->\n```sh\nexit 7\n```'
}

check_wrong_markdown()
{
	fails 'an open block' 'plain/README.md:1: the block does not end' <<<$'```sh\ntrue'
	fails 'a block in another name' "README.md:1: a block of 'bash' is never run" \
		<<<$'```bash\ntrue\n```'
	fails 'an unknown option' "README.md:1: there is no option 'second=3'" \
		<<<$'<!-- readme: second=3 -->\n```sh\ntrue\n```'
	fails 'no number' "README.md:1: 'long' is no number of seconds" \
		<<<$'<!-- readme: seconds=long -->\n```sh\ntrue\n```'
	fails 'options for nothing' 'README.md:1: these options are for a sh block' \
		<<<$'<!-- readme: seconds=3 -->\nText.\n```sh\ntrue\n```'
	fails 'nothing to run' 'there is no sh block' <<<'# Title'
}

check_servers()
{
	ONSALE_README_READY_SECONDS=2 server_fails never-ready 'run.sh is not ready after 2 s'
	server_fails ends-early 'before it was ready, with status 3' 'no database here'
	server_fails wrong-base "not printed 'export BASE=http://127.0.0.1:4242'"
	lines '```sh' 'touch .run/dies-readme/die
		until [[ -e .run/dies-readme/dead ]]; do sleep 0.1; done; sleep 2' '```' \
		>"$tree/dies/README.md"
	server_fails dies 'dies/README.md:2: run.sh has ended in the middle, with status 7' \
		'the last words'
	ONSALE_README_STOP_SECONDS=1 server_fails deaf 'run.sh has not ended 1 s after Ctrl-C'
	printf '#!/bin/sh\ntouch "%s/started"\n' "$tree" >"$tree/ends-early/run.sh"
	server_fails ends-early 'run.sh does not know ONSALE_INSTANCE'
	[[ ! -e $tree/started ]] || complain 'has started it nevertheless'
	server_fails leaves-orphan 'has left these processes behind' 'sleep 61'
	server_fails leaves-service 'has left these processes behind' 'sleep 62'
	mkdir "$tree/.run/good-readme"
	echo 'of a run that was killed' >"$tree/.run/good-readme/old"
	lines '```sh' 'echo 1' false '```' >"$tree/good/README.md"
	server_fails good 'good/README.md:3: the command has failed' 'the last words'
}

check_arguments()
{
	local file
	name='no server'
	lines '<!-- readme: no-server -->' '```sh' true '```' >"$tree/ends-early/README.md"
	lines '```sh' true '```' >"$tree/GUIDE.md"
	run ends-early
	((status == 0)) || complain 'the comment does not keep it from starting run.sh'
	run --no-server never-ready GUIDE.md
	((status == 0)) || complain 'the option does not keep it from starting run.sh'
	said 'GUIDE.md: 1 blocks run'
	run no-such-folder
	((status == 2)) || complain 'a missing folder is no error'

	name='all of them'
	for file in "$tree"/*/README.md; do
		lines '<!-- readme: no-server -->' '```sh' 'echo 1' '```' >"$file"
	done
	run --all
	((status == 0 && $(grep -c '1 blocks run' "$output") == 9)) || complain 'does not run all'
	lines '```sh' false '```' >"$tree/plain/README.md"
	run --all
	has_failed 'plain/README.md:2:' 'never-ready/README.md: 1 blocks run'
}

# A runner that is ended, even by kill -9, takes its server along.
check_end_of_runner()
{
	local signal runner deadline
	lines '```sh' 'touch .run/good-readme/here' 'sleep 67' '```' >"$tree/good/README.md"
	for signal in INT TERM KILL; do
		name="a runner that gets $signal"
		checks=$((checks + 1))
		rm -f "$tree/good/terminated"
		(
			export TMPDIR=$tree/tmp ONSALE_README_BLOCK_SECONDS=60
			exec setsid env --default-signal=INT "$tree/tools/readme" good
		) >"$output" 2>&1 &
		runner=$!
		deadline=$((SECONDS + 60))
		until [[ -e $tree/.run/good-readme/here ]]; do
			((SECONDS < deadline)) || complain 'does not start'
			sleep 0.05
		done
		# To the whole group, as a terminal does it.
		kill "-$signal" -- "-$runner"
		wait "$runner" 2>/dev/null || true
		if [[ $signal == KILL ]]; then
			until [[ -e $tree/good/terminated ]]; do
				((SECONDS < deadline)) || complain 'leaves its server running'
				sleep 0.05
			done
			rm -rf "$tree"/tmp/* "$tree/.run/good-readme"
			# The reader's own command is the last of it, and has a time of its own.
			grep -lsF "TMPDIR=$tree/tmp" /proc/[0-9]*/environ |
				grep -oE '[0-9]+' | xargs -r kill -KILL || true
		else
			left_nothing || complain 'something is left behind'
		fi
	done
}

make_tree
check_true_readmes
check_wrong_output
check_wrong_commands
check_wrong_markdown
check_servers
check_arguments
check_end_of_runner
printf 'readme_test: %d runs, all as they should be\n' "$checks"
