#!/usr/bin/env bash
# What services/redis.sh promises, tried on instances of this run. What all services share is tried
# in postgres_test.sh.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
script=$root/services/redis.sh
instance=test-script-$$
squatter=
failures=0

clean_up()
{
	[[ -z $squatter ]] || kill "$squatter" 2>/dev/null || true
	"$script" destroy "$instance" || true
	"$script" destroy "$instance-b" || true
	"$root/services/postgres.sh" destroy "$instance" || true
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

# ask URL ARGUMENT…: one command, without a word about the password in the URL.
ask()
{
	local url=$1
	shift
	timeout 10 redis-cli --no-auth-warning -u "$url" "$@" 2>/dev/null
}

answers()
{
	[[ $(ask "$1" ping) == PONG ]]
}

# says URL EXPECTED ARGUMENT…: whether the command is answered so.
says()
{
	local url=$1 expected=$2
	shift 2
	[[ $(ask "$url" "$@") == "$expected" ]]
}

folder()
{
	printf '%s\n' "$(readlink -f "$root/.run")/$instance/redis"
}

# listeners_are ADDRESS FILE: the addresses on which somebody listens at $port, by that table.
listeners_are()
{
	local found
	found=$(awk -v port="$(printf ':%04X' "$port")" '$4 == "0A" &&
		substr($2, length($2) - 4) == port { sub(/:.*/, "", $2); print $2 }' "$2")
	[[ $found == "$1" ]]
}

expect 'no verb is a mistake' refuse "$script"
expect '--help helps' grep -q 'empty .*INSTANCE' <("$script" --help)
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
expect 'only its user reads the folder' test "$(stat -c %a "$(folder)")" = 700

# Private, durable, and nothing is thrown out.
port=$(<"$(folder)/port")
expect 'its port is none that a client is given' test "$port" -lt 32000
expect 'it listens on loopback' listeners_are '0100007F' /proc/net/tcp
expect 'and nowhere else' listeners_are '' /proc/net/tcp6
expect 'nobody gets in without the password' \
	refuse answers "redis://127.0.0.1:$port/0"
expect 'nor with another' refuse answers "redis://default:wrong@127.0.0.1:$port/0"
for setting in 'appendonly yes' 'appendfsync always' 'maxmemory-policy noeviction' 'save '; do
	expect "the setting $setting" says "$url" "$(printf '%s\n%s' "${setting%% *}" \
		"${setting#* }")" config get "${setting%% *}"
done
((EUID != 0)) ||
	expect 'it is not root' test "$(stat -c %u "/proc/$(<"$(folder)/pid")")" != 0
expect 'its password is on no command line' \
	refuse grep -qF "$(<"$(folder)/password")" /proc/[0-9]*/cmdline

# What it has acknowledged outlives kill -9, but not `empty`, which keeps the URL.
expect 'set' says "$url" OK set kept 7
expect 'kill' "$script" kill "$instance"
expect 'killed' refuse answers "$url"
expect 'start after a kill' "$script" start "$instance"
expect 'the same URL' test "$url" = "$("$script" url "$instance")"
expect 'what it had acknowledged' says "$url" 7 get kept
expect 'empty' "$script" empty "$instance"
expect 'the same URL once more' test "$url" = "$("$script" url "$instance")"
expect 'nothing is left' says "$url" 0 dbsize
expect 'set again' says "$url" OK set kept 8
expect 'stop' "$script" stop "$instance"
expect 'stop again' "$script" stop "$instance"
expect 'stopped' refuse answers "$url"
expect 'start after a stop' "$script" start "$instance"
expect 'a stop loses nothing' says "$url" 8 get kept
"$script" stop "$instance"
expect 'empty while it is stopped' "$script" empty "$instance"
expect 'nothing is left again' says "$url" 0 dbsize

# The end of the file that a crash has cut off.
expect 'set once more' says "$url" OK set kept 9
"$script" kill "$instance"
printf '%s\r\n' '*3' \$3 set \$4 kept \$2 >>"$(find "$(folder)/data" -name '*.incr.aof')"
expect 'start with half a command' "$script" start "$instance"
expect 'which was never acknowledged' says "$url" 9 get kept

# Somebody else takes the port while the server is stopped.
"$script" stop "$instance"
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
	LocalPort => shift, Listen => 1, ReuseAddr => 1) or die; sleep 60' "$port" & squatter=$!
until grep -qi ":$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp; do sleep 0.05; done
expect 'start without its port' "$script" start "$instance"
expect 'it answers on another' says "$("$script" url "$instance")" 9 get kept
expect 'which is another' test "$port" != "$(<"$(folder)/port")"
kill $squatter

# A server that cannot start says why.
"$script" stop "$instance"
echo 'nonsense' >"$(find "$(folder)/data" -name '*.manifest')"
expect 'a failure shows the log' \
	grep -q 'AOF manifest' <("$script" start "$instance" 2>&1)

# Another service of the same instance has a folder of its own.
"$script" empty "$instance"
url=$("$script" url "$instance")
expect 'another service beside it' "$root/services/postgres.sh" start "$instance"
expect 'another port' test "$(<"$(folder)/port")" != "$(<"$(folder)/../postgres/port")"
expect 'which goes' "$root/services/postgres.sh" destroy "$instance"
expect 'it still answers' answers "$url"
expect 'destroy' "$script" stop --destroy "$instance"
expect 'destroyed, with the instance' test ! -e "$(folder)/.."

# A server goes with its owner, and so does one that was emptied for it.
sleep 60 & sleeper=$!
expect 'start for an owner' "$script" empty --owner $sleeper "$instance"
kill $sleeper
wait $sleeper 2>/dev/null || true
for ((i = 0; i < 300; i++)); do
	[[ -e $(folder) ]] || break
	sleep 0.1
done
expect 'it has gone with its owner' test ! -e "$(folder)"

((failures == 0)) || exit 1
