#!/usr/bin/env bash
# What services/postgres.sh promises, tried on instances of this run and, for the rules about where
# things lie, on copies of the scripts elsewhere.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
script=$root/services/postgres.sh
instance=test-script-$$
copies=()
failures=0

clean_up()
{
	local copy
	"$script" destroy "$instance" || true
	"$script" destroy "$instance-b" || true
	for copy in "${copies[@]}"; do
		"$copy/services/postgres.sh" destroy "$instance" || true
		[[ ! -L $copy/.run ]] || rm -rf -- "$(readlink "$copy/.run")"
		rm -rf -- "$copy"
	done
}
trap clean_up EXIT

# expect WHAT COMMAND…: the command must succeed.
expect()
{
	local what=$1
	shift
	if "$@"; then
		printf 'ok      %s\n' "$what"
	else
		printf 'FAILED  %s\n' "$what"
		failures=$((failures + 1))
	fi
}

refuse()
{
	! "$@" 2>/dev/null
}

answers()
{
	PGCONNECT_TIMEOUT=30 psql "$1" -Atqc 'select 1' 2>/dev/null | grep -qx 1
}

# Where the test's instance has its things, whichever work folder it is.
folder()
{
	printf '%s\n' "$(readlink -f "$1/.run")/$instance/postgres"
}

copy_scripts()
{
	mkdir -p "$1/services"
	cp "$root"/services/lib.sh "$script" "$1/services/"
	copies+=("$1")
}

expect 'no verb is a mistake' refuse "$script"
expect 'a strange verb is a mistake' refuse "$script" jump "$instance"
expect 'a path is no instance' refuse "$script" start ../up
expect 'a long name is no instance' refuse "$script" start "$(printf 'a%.0s' {1..41})"
expect 'the secrets are no instance' refuse "$script" destroy secrets
expect '--help helps' grep -q 'start .*INSTANCE' <("$script" --help)
expect 'no URL before the first start' refuse "$script" url "$instance"
expect 'nothing to wait for' refuse "$script" wait --seconds 0 "$instance"
expect 'stop before the first start' "$script" stop "$instance"

# Two at once, and another instance beside them.
"$script" start "$instance" & first=$!
"$script" start "$instance" & second=$!
"$script" start "$instance-b" & third=$!
expect 'start' wait $first
expect 'start at the same time' wait $second
expect 'start beside' wait $third
url=$("$script" url "$instance")
expect 'it answers' answers "$url"
expect 'the other answers' answers "$("$script" url "$instance-b")"
expect 'they are two' test "$url" != "$("$script" url "$instance-b")"
expect 'start again' "$script" start "$instance"
expect 'wait' "$script" wait "$instance"
expect 'only its user reads the folder' test "$(stat -c %a "$(folder "$root")")" = 700

expect 'kill' "$script" kill "$instance"
expect 'killed' refuse answers "$url"
expect 'start after a kill' "$script" start "$instance"
expect 'the same URL' test "$url" = "$("$script" url "$instance")"
expect 'it answers after a kill' answers "$url"

# Somebody else takes the port while the instance is stopped.
expect 'stop' "$script" stop "$instance"
expect 'stop again' "$script" stop "$instance"
expect 'stopped' refuse answers "$url"
port=$(<"$(folder "$root")/port")
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
	LocalPort => shift, Listen => 1, ReuseAddr => 1) or die; sleep 600' "$port" & squatter=$!
until grep -qi ":$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp; do sleep 0.05; done
expect 'start without its port' "$script" start "$instance"
expect 'it answers on another' answers "$("$script" url "$instance")"
expect 'which is another' test "$port" != "$(<"$(folder "$root")/port")"
kill $squatter

# A start that was cut short within initdb.
"$script" stop "$instance"
mv "$(folder "$root")/data" "$(folder "$root")/data.new"
rm "$(folder "$root")/data.new/global/pg_control"
expect 'start after half an initdb' "$script" start "$instance"
expect 'it answers after that' answers "$("$script" url "$instance")"

# A server that cannot start says why.
"$script" stop "$instance"
echo 'nonsense = 1' >>"$(folder "$root")/data/postgresql.conf"
expect 'a failure shows the log' grep -q nonsense <("$script" start "$instance" 2>&1)
expect 'destroy' "$script" stop --destroy "$instance"
expect 'destroyed' test ! -e "$(folder "$root")"

# Where the folder is too deep for a socket, or closed to the server's user, it lies elsewhere.
deep=$(mktemp -d "/tmp/$(printf 'deep%.0s' {1..20}).XXXXXX")
chmod 755 "$deep"
mkdir -p "$deep/.run/secrets"
touch "$deep/.run/secrets/key"
copy_scripts "$deep"
expect 'start in a deep folder' "$deep/services/postgres.sh" start "$instance"
expect 'which lies elsewhere' test -L "$deep/.run"
expect 'with what was there before' test -f "$deep/.run/secrets/key"
expect 'and answers' answers "$("$deep/services/postgres.sh" url "$instance")"
if ((EUID == 0)); then
	closed=$(mktemp -d /tmp/closed.XXXXXX)
	copy_scripts "$closed"
	expect 'start in a closed folder' "$closed/services/postgres.sh" start "$instance"
	expect 'which lies elsewhere' test -L "$closed/.run"
	expect 'and answers' answers "$("$closed/services/postgres.sh" url "$instance")"
fi

# An instance goes with its owner.
sleep 600 & sleeper=$!
expect 'start for an owner' "$script" start --owner $sleeper "$instance"
kill $sleeper
wait $sleeper 2>/dev/null || true
for ((i = 0; i < 600; i++)); do
	[[ -e $(folder "$root") ]] || break
	sleep 0.1
done
expect 'it has gone with its owner' test ! -e "$(folder "$root")"
expect 'no owner, no start' refuse "$script" start --owner $sleeper "$instance"

((failures == 0)) || exit 1
