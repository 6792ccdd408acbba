#!/usr/bin/env bash
# Whether a run.sh that is made with tools/subproject.sh starts, says what it has to say, and leaves
# nothing behind, however it ends. The server is a stand-in, and so is the service, which notes what
# it is told.
# shellcheck disable=SC2016 # What stands in quotes is text of the files that are made.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tree=$(mktemp -d /tmp/onsale-XXXXXX)
seconds_max=20
runner=
unset PORT ADMIN_TOKEN ADMIN_TOKEN_FILE STORE_URL

cleanup()
{
	[[ -z $runner ]] || kill -KILL "$runner" 2>/dev/null || true
	rm -rf "$tree"
}
trap cleanup EXIT

make_tree()
{
	# Not closed to others, since then the work folder would be made elsewhere.
	chmod 755 "$tree"
	mkdir -p "$tree"/{tools,services,sub}
	cp "$root/tools/subproject.sh" "$tree/tools"
	cp "$root/services/lib.sh" "$tree/services"
	printf '#!/bin/sh\necho "$(basename "$0") $*" >>"%s/calls"\n' "$tree" |
		tee "$tree/tools/setup.sh" >"$tree/tools/build.sh"
	printf '#!/bin/sh\necho "store $*" >>"%s/calls"\n[ "$1" != url ] || echo store://here\n' \
		"$tree" >"$tree/services/store.sh"
	cat >"$tree/server.pl" <<-'PERL'
		use Socket;
		socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
		setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
		bind($listener, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die "bind: $!";
		listen($listener, 8);
		while (accept(my $client, $listener)) {
			my $line = "";
			while (<$client>) { last if /^\r?$/; }
			print $client "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
			close $client;
		}
	PERL
	cat >"$tree/sub/run.sh" <<-'RUN'
		#!/usr/bin/env bash
		source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"
		targets=(server loader)
		services=(store)
		secrets=(ADMIN_TOKEN=token PASS_KEYS=keys)
		first_curl='curl "$BASE/first"'
		prepare() { echo "prepare $STORE_URL" >>"$root/calls"; ${PREPARE:-true}; }
		load_demo() { echo "load $BASE" >>"$root/calls"; }
		attend() { PORT=$ATTEND_PORT exec perl "$root/server.pl"; }
		[[ -n ${ATTEND_PORT-} ]] || unset -f attend
		serve() { exec ${SERVER:-perl "$root/server.pl"}; }
		subproject_run "$@"
	RUN
	chmod +x "$tree"/*/*.sh
}

fail()
{
	printf 'subproject_test: %s\n' "$1" >&2
	head -n 40 "$tree/calls" "$tree/out" "$tree/err" >&2 || true
	exit 1
}

# start [ARGUMENT…]: run it in the background, leading a session, so that it heeds SIGINT.
start()
{
	forget
	(
		trap - INT
		exec setsid env --default-signal=INT "$tree/sub/run.sh" "$@"
	) >"$tree/out" 2>"$tree/err" &
	runner=$!
}

# Nothing of the last one must be read as of the next, whose own redirections may come late.
forget()
{
	rm -f "$tree"/{calls,out,err}
	touch "$tree"/{calls,out,err}
}

# until_true COMMAND…: within the time that everything has to end in.
until_true()
{
	local deadline=$((SECONDS + seconds_max))
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

said()
{
	grep -qF -- "$1" "$tree/$2"
}

start_ready()
{
	start "$@"
	until_true said 'curl "$BASE/first"' out || fail 'it was not ready'
	base=$(sed -n '1s/^ready //p' "$tree/out")
}

answers()
{
	curl -sf --max-time 20 "$base/" >/dev/null
}

silent()
{
	! answers
}

ended()
{
	! kill -0 "$runner" 2>/dev/null
}

# expect_end STATUS: it ends by itself, with that status, and leaves nothing.
expect_end()
{
	local status=0
	until_true ended || fail 'it did not end'
	wait "$runner" || status=$?
	runner=
	[[ $status == "$1" ]] || fail "it ended with $status and not $1"
}

# What a start and its end look like to the service, and on standard output.
test_life()
{
	local signal=$1 status=$2 expected
	PORT=0 start_ready
	answers || fail 'the server does not answer'
	expected=$(printf '%s\n' "ready $base" "export BASE=$base" \
		"export ADMIN_TOKEN=\$(cat $tree/.run/secrets/admin_token)" 'curl "$BASE/first"')
	[[ $(<"$tree/out") == "$expected" ]] || fail 'it does not print what it has to'
	kill "-$signal" "$runner"
	expect_end "$status"
	silent || fail 'the server has outlived it'
	expected=$(printf '%s\n' 'setup.sh build store' 'build.sh release server loader' \
		'store start sub' 'store wait sub' 'store url sub' 'prepare store://here' \
		"load $base" 'store stop sub')
	[[ $(<"$tree/calls") == "$expected" ]] || fail 'it did not do what it has to'
}

test_secrets()
{
	local token
	[[ $(stat -c %a "$tree/.run/secrets") == 700 ]] || fail 'the secrets lie open'
	[[ $(stat -c %a "$tree"/.run/secrets/*) == $'600\n600' ]] || fail 'a secret lies open'
	token=$(<"$tree/.run/secrets/admin_token")
	[[ $token =~ ^[0-9a-f]{64}$ ]] || fail 'no token'
	[[ $(<"$tree/.run/secrets/pass_keys") =~ ^k[0-9]+:[A-Za-z0-9+/]{43}=$ ]] || fail 'no key'
	PORT=0 start_ready
	[[ $(<"$tree/.run/secrets/admin_token") == "$token" ]] || fail 'the token has changed'
	# What is running cannot be started again, and an attempt does not disturb it.
	if PORT=0 timeout "$seconds_max" "$tree/sub/run.sh" >"$tree/second" 2>&1; then
		fail 'a second one has started'
	fi
	grep -q 'running already' "$tree/second" || fail 'it does not say what is wrong'
	answers || fail 'the first has ended with the second'
	! said 'store stop' calls || fail 'the second has stopped the service of the first'
	kill -TERM "$runner"
	expect_end 143
}

# Those that are started at the same moment, for the first time, have the same secrets.
test_together()
{
	local i pids=()
	rm -r "$tree/.run/secrets"
	mkdir -p "$tree/together"
	forget
	for i in {1..8}; do
		PREPARE="cp $tree/.run/secrets/admin_token $tree/together/$i" SERVER=false \
			PORT=0 ONSALE_INSTANCE=together-$i "$tree/sub/run.sh" \
			>>"$tree/out" 2>>"$tree/err" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || true # There is no server.
	done
	for i in {1..8}; do
		cmp "$tree/.run/secrets/admin_token" "$tree/together/$i" ||
			fail 'one of several has not the same secrets'
	done
}

test_given()
{
	STORE_URL=store://given ADMIN_TOKEN=abc PORT=0 start_ready
	said 'prepare store://given' calls || fail 'the given service is not used'
	said 'export ADMIN_TOKEN=abc' out || fail 'the given token is not printed'
	kill -TERM "$runner"
	expect_end 143
	! said 'store ' calls || fail 'a service was touched that is not ours'
	STORE_URL=store://given PORT=0 start --fresh
	expect_end 1
	said 'does not touch' err || fail '--fresh and a given service'
}

test_fresh()
{
	PORT=0 start_ready --fresh
	[[ $(sed -n 3p "$tree/calls") == 'store destroy sub' ]] || fail '--fresh keeps the data'
	# Killed without a chance to clean up, it takes its server along nevertheless.
	kill -KILL "$runner"
	until_true silent || fail 'the server has outlived kill -9'
	wait "$runner" 2>/dev/null || true
	runner=
}

# What runs beside the server ends with it, and may end before.
test_attend()
{
	ATTEND_PORT=$(perl -MSocket -e 'socket(my $free, PF_INET, SOCK_STREAM, 0);
		bind($free, sockaddr_in(0, INADDR_LOOPBACK));
		print((sockaddr_in(getsockname($free)))[0])')
	export ATTEND_PORT
	PORT=0 start_ready
	base=http://127.0.0.1:$ATTEND_PORT
	until_true answers || fail 'nobody attends'
	kill -TERM "$runner"
	expect_end 143
	silent || fail 'who attended has outlived it'
	unset ATTEND_PORT
}

test_faults()
{
	SERVER=false PORT=0 start
	expect_end 1
	said 'ended before it was ready' err || fail 'a server that ends'
	said 'store stop sub' calls || fail 'the service was left running'
	[[ ! -s $tree/out ]] || fail 'it says that it is ready'
	PREPARE=false PORT=0 start
	expect_end 1
	said 'store stop sub' calls || fail 'the service was left running'
	PREPARE='sleep 60' PORT=0 start
	until_true said prepare calls || fail 'it does not prepare'
	kill -TERM "$runner"
	expect_end 143
	said 'store stop sub' calls || fail 'the service was left running'
	PORT=banana start
	expect_end 1
	PORT=0 start_ready
	# Another one, on the port of the first.
	cp -r "$tree/sub" "$tree/other"
	if PORT=${base##*:} timeout "$seconds_max" "$tree/other/run.sh" >"$tree/second" 2>&1; then
		fail 'two servers on one port'
	fi
	grep -q 'listens on port' "$tree/second" || fail 'it does not say that the port is taken'
	kill -TERM "$runner"
	expect_end 143
}

# A server that another one needs beside it.
test_companion()
{
	local helper
	mkdir "$tree/pair"
	sed -e 's/^targets=.*/companions=(helper=0)/' \
		-e 's/PASS_KEYS=keys/CARD_KEY=sk_test_/' \
		-e 's/^serve.*/helper() { PORT=$HELPER_PORT exec perl "$root\/server.pl"; }\n&/' \
		"$tree/sub/run.sh" >"$tree/pair/run.sh"
	chmod +x "$tree/pair/run.sh"
	mkdir -p "$tree/.run/pair/helper"
	forget
	PORT=0 setsid env --default-signal=INT "$tree/pair/run.sh" --fresh >"$tree/out" \
		2>"$tree/err" &
	runner=$!
	until_true said 'curl "$BASE/first"' out || fail 'it was not ready with a companion'
	[[ ! -e $tree/.run/pair/helper ]] || fail '--fresh keeps the data of the companion'
	base=$(sed -n '1s/^ready //p' "$tree/out")
	helper=$(sed -n 's/^export HELPER_BASE=//p' "$tree/out")
	curl -sf --max-time 20 "$helper/" || fail 'the companion does not answer'
	[[ $(<"$tree/.run/secrets/card_key") =~ ^sk_test_[0-9a-f]{48}$ ]] || fail 'no such secret'
	kill -TERM "$runner"
	expect_end 143
	silent || fail 'the server has outlived it'
	! curl -sf --max-time 20 "$helper/" || fail 'the companion has outlived it'
}

make_tree
test_life TERM 143
test_life INT 130
test_secrets
test_together
test_together
test_together
test_given
test_fresh
test_attend
test_faults
test_companion
echo 'subproject_test: it starts, says so, and leaves nothing behind'
