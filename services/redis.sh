#!/usr/bin/env bash
# Private Redis servers, several side by side: loopback only, durability on.
#
# Everybody on a shared machine can reach the loopback address, so each server has a password of its
# own. It keeps an append-only file and no snapshots: what it has acknowledged is on the disk, and
# `empty` is how a test loses it nevertheless. The machine's own Redis is never talked to: ports are
# drawn from a range of ours, and no setting is read from /etc.

# shellcheck source-path=SCRIPTDIR source=lib.sh
# shellcheck disable=SC2154 # lib.sh sets them.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
service_title='Redis server'

version_min=7
start_seconds_max=60 # Reading the append-only file is part of it.
stop_seconds_max=12  # Then it is killed, which it survives as it survives a crash.
answer_seconds_max=5
log_bytes_max=$((10 * 1024 * 1024))

service_log()
{
	printf '%s\n' "$folder/log"
}

service_url()
{
	[[ -r $folder/url ]] || die "$instance has not been started yet"
	cat "$folder/url"
}

# A server that still reads its file answers LOADING, and a stranger on its port knows no password.
service_ready()
{
	running && [[ $(REDISCLI_AUTH=$(<"$folder/password") timeout "$answer_seconds_max" \
		redis-cli -h 127.0.0.1 -p "$(<"$folder/port")" ping) == PONG ]]
} 2>/dev/null

# Whether the process that its file names is alive and works in our data folder.
running()
{
	local pid
	read -r pid <"$folder/pid" || return 1
	[[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$folder/data" ]]
} 2>/dev/null

service_stop()
{
	local pid
	if running; then
		read -r pid <"$folder/pid"
		kill -TERM "$pid" 2>/dev/null || true
		wait_for "$stop_seconds_max" no_process_in "$folder/data" && return
		say "$instance did not stop within $stop_seconds_max s; killing it"
	fi
	service_kill
}

# Also what a killed server may have left: a child that rewrites the append-only file.
service_kill()
{
	end_all_in "$folder/data" "$stop_seconds_max" ||
		die "processes of $instance cannot be killed"
}

service_start()
{
	local attempt
	if ! running; then
		service_kill
		check_version
		as_user mkdir -p "$folder/data"
		[[ -s $folder/password ]] || random_text 16 | write_file "$folder/password"
		for ((attempt = 0; attempt < 5; attempt++)); do
			launch && return
			tail -n 5 "$folder/log" | grep -q 'Address already in use' ||
				die_with_log "$instance did not start"
		done
		die_with_log "$instance found no port"
	fi
	wait_for "$start_seconds_max" service_ready ||
		die_with_log "$instance did not answer within $start_seconds_max s"
}

check_version()
{
	local found
	if ! command -v redis-server || ! command -v redis-cli; then
		die "Redis $version_min or later is missing: install it"
	fi >/dev/null
	found=$(redis-server --version | sed -E 's/.* v=([0-9]+).*/\1/')
	((found >= version_min)) || die "this is Redis $found; $version_min is needed"
}

# Start the server and wait for it; fail when it ends instead.
launch()
{
	local port
	port=$(port_of '')
	write_settings "$port"
	# redis-cli -u wants the default user to have its name.
	printf 'redis://default:%s@127.0.0.1:%s/0\n' "$(<"$folder/password")" "$port" |
		write_file "$folder/url"
	if (($(stat -c %s "$folder/log" 2>/dev/null || echo 0) > log_bytes_max)); then
		as_user mv "$folder/log" "$folder/log.old"
	fi
	spawn "$folder/log" redis-server "$folder/redis.conf"
	wait_for "$start_seconds_max" ready_or_ended && service_ready
}

ready_or_ended()
{
	service_ready || ! kill -0 "$spawned" 2>/dev/null
}

# write_settings PORT. Durability stays on: figures and fault tests are taken on these servers. Past
# maxmemory a write is refused; nothing is ever thrown out to make room, since each key is a
# person's place or seat. A command that a crash has cut off at the end of the file was never
# acknowledged, and is dropped when the file is read. The file is written anew when it has grown to
# 512 MB, which are read in seconds: at Redis's own 64 MB a rush would pay for it every few seconds
# with a whole core.
write_settings()
{
	write_file "$folder/redis.conf" <<SETTINGS
bind 127.0.0.1
port $1
protected-mode yes
requirepass $(<"$folder/password")
dir "$folder/data"
pidfile "$folder/pid"
daemonize no
supervised no
logfile ""
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
auto-aof-rewrite-min-size 512mb
aof-load-truncated yes
save ""
maxmemory 2gb
maxmemory-policy noeviction
maxclients 1000
tcp-keepalive 60
SETTINGS
}

service_main "$@"
