# shellcheck shell=bash
# shellcheck disable=SC2034 # The scripts that source this file use what it sets.
# What the service scripts share. Each services/X.sh sources this file, defines the hooks below and
# ends with `service_main "$@"`.
#
# DESIGN. An instance is what one subproject has running: a private server of each service that it
# needs. All of such a server lives in one folder, $work/INSTANCE/SERVICE, which belongs to the user
# whom the server runs as; root never writes into it itself, so that nothing in there can lead root
# elsewhere. $work/INSTANCE belongs to whoever runs these scripts. What must outlive the folder
# (locks) is in $work/.locks. A server is started in a session of its own, without the descriptors
# of whoever started it: Ctrl-C in a terminal must not kill it half-way, and a pipe must see its
# end.
#
# Hooks, called with the variables `work`, `service`, `instance` and `folder` set, cwd `/`, and all
# but service_url and service_ready with the server's lock held. What a server stores is in
# $folder/data, which is also its current folder:
#   service_start   make what is missing, start the server unless it runs, wait until it answers;
#                   the port and the password stay as they were, also without the data
#   service_stop    stop it and wait until it has gone; nothing to do when it does not run
#   service_kill    kill -9 all that runs of it
#   service_ready   succeed when it answers
#   service_url     print the URL for clients
#   service_log     print the path of its log

set -euo pipefail
umask 077
export LC_ALL=C

instance_name_size_max=40
# sun_path has 108 bytes; a work folder must leave room for an instance and for the longest socket
# of all services.
socket_path_size_max=100
socket_name='/postgres/socket/.s.PGSQL.65535'
lock_seconds_max=120
ports_lowest=20000
port_seconds_max=3
ports_highest=32000 # Below Linux's default ephemeral range, where a client could sit on a port.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
program=services/$(basename "$0")
service=$(basename "$0" .sh)
work='' instance='' folder='' owner='' lock_fd=''

say()
{
	printf '%s: %s\n' "$program" "$*" >&2
}

die()
{
	say "$@"
	exit 1
}

# die_with_log MESSAGE: also show what the server last said.
die_with_log()
{
	say "$1"
	if [[ -r $(service_log) ]]; then
		say "the end of $(service_log):"
		tail -n 20 "$(service_log)" | sed 's/^/    /' >&2
	fi
	exit 1
}

# --- Users ---

# The user whom servers run as, since several refuse to be root. A server keeps its user, also when
# one that would be preferred has come since.
service_user()
{
	if ((EUID != 0)); then
		id -un
	elif [[ -n $folder && -d $folder && ! -O $folder ]]; then
		stat -c %U "$folder"
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# as_user COMMAND…: run it as that user; `exec_as_user` replaces the shell by it.
as_user()
{
	(exec_as_user "$@")
}

exec_as_user()
{
	local user
	((EUID == 0)) || exec "$@"
	user=$(service_user)
	exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
}

# write_file FILE: put standard input there, whole or not at all, readable by the server's user
# only.
write_file()
{
	# shellcheck disable=SC2016 # The inner shell expands these.
	as_user sh -c 'cat >"$1.new" && mv "$1.new" "$1"' sh "$1"
}

# random_text BYTES: so many random bytes in hexadecimal.
random_text()
{
	od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

# --- Folders ---

# suits FOLDER: whether the server's user can get there, and sockets in it have short enough paths.
suits()
{
	local size=$((${#1} + 1 + instance_name_size_max + ${#socket_name}))
	((size <= socket_path_size_max)) && as_user test -x "$(dirname "$1")"
}

# Set `work` to the folder of all instances: .run, or a folder in /var/tmp to which .run points.
find_work_folder()
{
	local run=$root/.run elsewhere root_fd
	elsewhere=/var/tmp/onsale-$(printf '%s' "$root" | sha256sum | cut -c 1-10)
	exec {root_fd}<"$root"
	flock -w "$lock_seconds_max" "$root_fd" || die "$root stays locked by another start"
	if [[ -L $run && $(readlink "$run") != /var/tmp/onsale-* ]]; then
		work=$(readlink -f "$run")
		[[ -d $work ]] || die "$run points nowhere; remove it"
	elif [[ ! -L $run ]] && suits "$run"; then
		work=$run
		[[ -d $work ]] || mkdir -m 755 "$work" || die "cannot make $work"
	else
		work=$elsewhere
		move_work_folder "$run"
	fi
	[[ -d $work/.locks ]] || mkdir -p "$work/.locks" || die "cannot write in $work"
	exec {root_fd}<&-
}

# move_work_folder RUN: make $work, take over what RUN holds and let RUN point there. A link that a
# copied clone brought along points to the original's folder, and is replaced.
move_work_folder()
{
	[[ -e $work ]] || mkdir -m 755 "$work" || die "cannot make $work"
	# Anybody may write in /var/tmp, so the folder could have been laid out for us.
	[[ -d $work && ! -L $work && -O $work ]] || die "$work belongs to somebody else"
	if [[ -d $1 && ! -L $1 ]]; then
		find "$1" -mindepth 1 -maxdepth 1 -exec mv -t "$work" {} +
		rmdir "$1"
	fi
	ln -sfn "$work" "$1" || die "cannot let $1 point to $work"
}

# Make the server's folder, for its user alone, in that of the instance, which others can pass
# through but not list. The instance's goes with the last service that is destroyed, and that may
# just be happening.
make_folder()
{
	local user attempt parent=$work/$instance
	# One that is still root's was left by a start that was cut short just here.
	[[ -d $folder ]] && ((EUID != 0)) && return
	[[ -d $folder && ! -O $folder ]] && return
	user=$(service_user)
	for ((attempt = 0; attempt < 10; attempt++)); do
		install -d -m 711 -o "$EUID" -g "$(id -g)" "$parent" || die "cannot make $parent"
		install -d -m 700 -o "$user" -g "$(id -g "$user")" "$folder" 2>/dev/null && return
	done
	die "cannot make $folder"
}

# Hold the server's lock until the script ends. A destroyed server takes its lock's file with it, so
# a lock that was waited for counts only while its file is still there.
lock_instance()
{
	local file=$work/.locks/$service:$instance
	while :; do
		exec {lock_fd}>"$file"
		flock -w "$lock_seconds_max" "$lock_fd" ||
			die "$instance stays locked by another start or stop"
		[[ $file -ef /dev/fd/$lock_fd ]] && return
		exec {lock_fd}>&-
	done
}

# --- Ports ---

# port_taken PORT: whether somebody listens there, on any address.
port_taken()
{
	local hex
	hex=$(printf ':%04X' "$1")
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
			END { exit !found }'
}

nobody_on_port()
{
	! port_taken "$1"
}

# port_of NAME: the port that this server remembers under the name ('' for its only port), or a new
# one when it has none or somebody else sits on it. Call it only while the server does not run.
port_of()
{
	local file=$folder/port${1:+-$1} port='' ports_fd
	[[ ! -r $file ]] || port=$(<"$file")
	exec {ports_fd}>"$work/.locks/.ports"
	flock -w "$lock_seconds_max" "$ports_fd" || die "the ports stay locked by another start"
	# The socket of a server that was just killed can outlive its process for a moment, and its
	# clients know no other port: wait for it.
	if [[ -z $port ]] || ! wait_for "$port_seconds_max" nobody_on_port "$port"; then
		port=$(free_port) || die "no free port between $ports_lowest and $ports_highest"
		printf '%s\n' "$port" | write_file "$file"
	fi
	exec {ports_fd}>&-
	printf '%s\n' "$port"
}

# A port that nobody listens on and no server of any instance remembers.
free_port()
{
	local attempt port remembered
	remembered=$(cat "$work"/*/*/port* 2>/dev/null || true)
	for ((attempt = 0; attempt < 200; attempt++)); do
		port=$((ports_lowest + (RANDOM * 32768 + RANDOM) % (ports_highest - ports_lowest)))
		grep -qx "$port" <<<"$remembered" && continue
		port_taken "$port" || { printf '%s\n' "$port"; return 0; }
	done
	return 1
}

# --- Processes ---

# wait_for SECONDS COMMAND…: until the command succeeds; fail when it does not in time.
wait_for()
{
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		sleep 0.02
	done
}

# processes_in FOLDER: the ids of the processes whose current folder is that one, one per line. This
# finds a server's orphans too, and never a stranger who was given an old process id.
processes_in()
{
	local folder_of path
	# One command for all, since one for each of them takes a second on a busy machine.
	{ find /proc/[0-9]*/cwd -maxdepth 0 -printf '%l\t%p\n' 2>/dev/null || true; } |
		while IFS=$'\t' read -r folder_of path; do
			path=${path%/cwd}
			[[ $folder_of != "$1" ]] || printf '%s\n' "${path##*/}"
		done
}

no_process_in()
{
	[[ -z $(processes_in "$1") ]]
}

# kill_in FOLDER SIGNAL: signal those processes.
kill_in()
{
	local pid
	for pid in $(processes_in "$1"); do
		kill "-$2" "$pid" 2>/dev/null || true
	done
}

# end_all_in FOLDER SECONDS: kill them until none is left. Once is not enough: a server may have
# begun another process between being listed and being killed.
end_all_in()
{
	local deadline=$((${EPOCHREALTIME/./} + $2 * 1000000))
	until no_process_in "$1"; do
		kill_in "$1" KILL
		((${EPOCHREALTIME/./} < deadline)) || return 1
		sleep 0.02
	done
}

# spawn LOG COMMAND…: start a server in the background as the server's user, in a session of its
# own, its output appended to LOG. Sets `spawned` to its process id.
spawn()
{
	(
		close_descriptors
		# shellcheck disable=SC2016 # The inner shell expands these.
		exec_as_user setsid bash -c \
			'log=$1 && shift && exec "$@" </dev/null >>"$log" 2>&1' bash "$@"
	) </dev/null >/dev/null 2>&1 &
	spawned=$!
	wait_for 5 is_apart "$spawned" || true
}

# is_apart PID: whether that process leads a session of its own (or has ended), so that signals to
# this script's process group no longer reach it.
is_apart()
{
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	read -r -a stat <<<"${stat##*) }"
	[[ ${stat[3]} == "$1" ]]
}

# Close all but the standard descriptors: locks above all.
close_descriptors()
{
	local fd
	for fd in /proc/"$BASHPID"/fd/*; do
		fd=${fd##*/}
		((fd <= 2)) || exec {fd}>&-
	done
}

# --- Owners: a server that must not outlive the process that asked for it ---

# process_name PID: the id with the time when it began, which no later process shares.
process_name()
{
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The second field may hold spaces, so count from behind its closing parenthesis.
	read -r -a stat <<<"${stat##*) }"
	[[ ${stat[0]} != Z ]] && printf '%s-%s\n' "$1" "${stat[19]}"
}

# Watch over the owner from the background. A watchdog ends when the server is no longer its own.
guard_instance()
{
	local name
	[[ -n $owner ]] || return 0
	name=$(process_name "$owner") || die "there is no process $owner to own $instance"
	[[ -r $folder/owner && $(<"$folder/owner") == "$name" ]] && return 0
	write_file "$folder/owner" <<<"$name"
	(
		close_descriptors
		exec setsid bash "$root/$program" guard "$instance"
	) </dev/null >/dev/null 2>&1 &
	wait_for 5 is_apart $! || true
}

guard()
{
	local name
	name=$(cat "$folder/owner") || exit 0
	while [[ $(cat "$folder/owner" 2>/dev/null) == "$name" ]]; do
		if [[ $(process_name "${name%%-*}") != "$name" ]]; then
			lock_instance
			[[ $(cat "$folder/owner" 2>/dev/null) != "$name" ]] || destroy
			exit 0
		fi
		sleep 0.5
	done
}

# --- Verbs ---

# Stop the server and remove all that it has. The lock's file goes last, while the lock is held.
destroy()
{
	[[ ! -d $folder ]] || service_stop
	rm -rf -- "$folder"
	rmdir -- "$work/$instance" 2>/dev/null || true
	rm -f -- "$work/.locks/$service:$instance"
}

# All that it has stored is lost, as with a broken disk, and it comes back empty at the same URL.
empty()
{
	service_kill
	as_user rm -rf -- "$folder/data"
	service_start
}

usage()
{
	cat <<USAGE
Usage: $program VERB INSTANCE

A private ${service_title:?} for one subproject; its data, log and port are in
.run/INSTANCE/$service.

  start [--owner PID] INSTANCE   start it unless it runs, and wait until it answers; with an owner,
                                 it is destroyed soon after that process has gone
  wait [--seconds N] INSTANCE    wait until it answers, 30 seconds unless told otherwise
  stop [--destroy] INSTANCE      stop it; --destroy also removes its data
  destroy INSTANCE               the same as stop --destroy
  kill INSTANCE                  kill -9 all its processes, as a crash would: for tests
  empty [--owner PID] INSTANCE   kill -9, lose all data, and start again at the same URL: for tests
  url INSTANCE                   print the URL for clients; it holds a password

INSTANCE is 1 to $instance_name_size_max of a-z 0-9 . _ - and begins with a letter or digit.
USAGE
}

usage_error()
{
	say "$@"
	say "--help says more"
	exit 2
}

service_main()
{
	local verb='' destroy_too=no seconds=30
	while (($# > 0)); do
		case $1 in
		--help | -h) usage && exit 0 ;;
		--destroy) destroy_too=yes ;;
		--owner) owner=${2-} && shift ;;
		--seconds) seconds=${2-} && shift ;;
		-*) usage_error "there is no option $1" ;;
		*) if [[ -z $verb ]]; then verb=$1; elif [[ -z $instance ]]; then instance=$1; else
			usage_error "one instance at a time"
		fi ;;
		esac
		shift || usage_error "a value is missing"
	done
	[[ $verb =~ ^(start|wait|stop|destroy|kill|empty|url|guard)$ ]] ||
		usage_error "give a verb: start, wait, stop, destroy, kill, empty or url"
	[[ $instance =~ ^[a-z0-9][a-z0-9._-]*$ && ${#instance} -le $instance_name_size_max &&
		$instance != secrets ]] ||
		usage_error "'$instance' cannot be the name of an instance"
	[[ $owner =~ ^[0-9]*$ ]] || usage_error "--owner takes a process id"
	[[ $seconds =~ ^[0-9]{1,4}$ ]] || usage_error "--seconds takes a number up to 9999"
	cd /
	find_work_folder
	folder=$work/$instance/$service
	[[ $destroy_too == no || $verb != stop ]] || verb=destroy
	run_verb "$verb" "$seconds"
}

run_verb()
{
	[[ ! $1 =~ ^(start|stop|destroy|kill|empty)$ ]] || lock_instance
	case $1 in
	start | empty)
		make_folder
		# The guard comes first, so that a start that is cut short is cleaned up as well.
		guard_instance
		if [[ $1 == empty ]]; then empty; else service_start; fi
		;;
	stop) [[ ! -d $folder ]] || service_stop ;;
	destroy) destroy ;;
	kill) [[ ! -d $folder ]] || service_kill ;;
	wait) wait_for "$2" service_ready || die_with_log "$instance did not answer within $2 s" ;;
	url) service_url ;;
	guard) guard ;;
	esac
}
