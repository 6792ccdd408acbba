#!/usr/bin/env bash
# Private PostgreSQL clusters, several side by side: loopback and a socket only, durability on.
#
# The cluster's only role is `onsale`, a superuser with a password of its own, because everybody on
# a shared machine can reach the loopback address. Its database is `onsale`.

# shellcheck source-path=SCRIPTDIR source=lib.sh
# shellcheck disable=SC2154 # lib.sh sets them.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
service_title='PostgreSQL cluster'

version_min=15
start_seconds_max=60 # Crash recovery is part of it.
stop_seconds_max=12  # Then its processes are killed, which it survives as it survives a crash.
log_bytes_max=$((10 * 1024 * 1024))

unset "${!PG@}" # A PGHOST or PGDATA of the caller must not lead elsewhere.

service_log()
{
	printf '%s\n' "$folder/log"
}

service_url()
{
	[[ -r $folder/url ]] || die "$instance has not been started yet"
	cat "$folder/url"
}

# The eighth line of postmaster.pid says "ready" once connections are accepted; a file that a killed
# server has left says so too, which is why its process is looked at.
service_ready()
{
	local lines=()
	mapfile -t lines <"$folder/data/postmaster.pid" || return 1
	[[ ${lines[7]-} == ready* ]] && running
} 2>/dev/null

# Whether the postmaster that postmaster.pid names is alive and works in our data folder.
running()
{
	local pid
	read -r pid <"$folder/data/postmaster.pid" || return 1
	[[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$folder/data" ]]
} 2>/dev/null

service_stop()
{
	local pid
	if running; then
		read -r pid <"$folder/data/postmaster.pid"
		kill -INT "$pid" 2>/dev/null || true # Its "fast" shutdown.
		wait_for "$stop_seconds_max" no_process_in "$folder/data" && return
		say "$instance did not stop within $stop_seconds_max s; killing it"
	fi
	end_leftovers
}

# Children that a killed postmaster has left keep its shared memory, so that no other can start.
# Most notice by themselves.
end_leftovers()
{
	wait_for 1 no_process_in "$folder/data" || service_kill
}

service_kill()
{
	end_all_in "$folder/data" "$stop_seconds_max" ||
		die "processes of $instance cannot be killed"
}

service_start()
{
	local attempt
	if ! running; then
		end_leftovers
		# Where nobody reaps orphans, as in many containers, a killed server stays a zombie,
		# and PostgreSQL would take its own old lock files for those of a living one.
		as_user find "$folder/data/postmaster.pid" "$folder/socket" ! -type d -delete \
			2>/dev/null || true
		find_binaries
		[[ -d $folder/data ]] || create_cluster
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

# Set `binaries`: for an existing cluster those of its version, otherwise the newest.
find_binaries()
{
	local version=''
	if [[ -r $folder/data/PG_VERSION ]]; then
		version=$(<"$folder/data/PG_VERSION")
		binaries=/usr/lib/postgresql/$version/bin
		[[ ! -x $binaries/postgres ]] || return 0
	else
		binaries=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V |
			tail -n 1)
	fi
	if [[ ! -x $binaries/postgres ]]; then
		binaries=$(dirname "$(command -v postgres)") || die \
			"PostgreSQL ${version:-$version_min or later} is missing: install it"
	fi
	check_version "${version:-}"
}

# check_version VERSION: whether `binaries` are of that major version, or of any that is new enough.
check_version()
{
	local found
	found=$("$binaries/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
	((found >= version_min)) || die "$binaries is PostgreSQL $found; $version_min is needed"
	[[ -z $1 || $1 == "$found" ]] ||
		die "the data of $instance is of PostgreSQL $1, and $binaries is of $found"
}

# Make the cluster beside its place and move it there when it is whole, so that a start that was cut
# short leaves nothing that looks like a cluster.
create_cluster()
{
	local new=$folder/data.new output
	rm -rf -- "$new"
	[[ -s $folder/password ]] || random_text 16 | write_file "$folder/password"
	output=$(as_user "$binaries/initdb" --pgdata="$new" --username=onsale --encoding=UTF8 \
		--locale=C --auth=scram-sha-256 --pwfile="$folder/password" \
		--no-instructions 2>&1) ||
		die "initdb failed: $output"
	output=$(echo 'create database onsale' |
		as_user "$binaries/postgres" --single -D "$new" postgres 2>&1) ||
		die "the database of $instance could not be created: $output"
	echo "include 'onsale.conf'" | as_user tee -a "$new/postgresql.conf" >/dev/null
	as_user mkdir -p "$folder/socket"
	as_user mv "$new" "$folder/data"
}

# Start the server and wait for it; fail when it ends instead.
launch()
{
	local port
	port=$(port_of '')
	write_settings "$port"
	printf 'postgresql://onsale:%s@127.0.0.1:%s/onsale\n' "$(<"$folder/password")" "$port" |
		write_file "$folder/url"
	if (($(stat -c %s "$folder/log" 2>/dev/null || echo 0) > log_bytes_max)); then
		as_user mv "$folder/log" "$folder/log.old"
	fi
	spawn "$folder/log" "$binaries/postgres" -D "$folder/data"
	wait_for "$start_seconds_max" ready_or_ended && service_ready
}

ready_or_ended()
{
	service_ready || ! kill -0 "$spawned" 2>/dev/null
}

# write_settings PORT. Durability stays on: figures and fault tests are taken on these clusters.
write_settings()
{
	write_file "$folder/data/onsale.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = '$folder/socket'
unix_socket_permissions = 0700
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
max_prepared_transactions = 64
max_wal_size = 512MB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
SETTINGS
}

service_main "$@"
