# shellcheck shell=bash
# What the run.sh and test.sh of all subprojects share; they source this file, say what is their own
# and call subproject_run or subproject_test. A subproject's run.sh is this:
#
#	#!/usr/bin/env bash
#	# shellcheck source=tools/subproject.sh
#	source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"
#
#	title='The simplest implementation'
#	port_default=8081
#	targets=(simplest_server demo_load)
#	services=(postgres)
#	first_curl='curl -s "$BASE/events"'
#
#	serve()
#	{
#		exec "$build/simplest-implementation/simplest_server" --port="$PORT"
#	}
#
#	load_demo()
#	{
#		"$build/demo/demo_load" --base="$BASE"
#	}
#
#	subproject_run "$@"
#
# and its test.sh, with the same first lines:
#
#	subproject_test "$@"
#
# What a run.sh sets before subproject_run:
#   title          one line, for --help
#   port_default   the port of conventions.md; the environment's PORT moves it, and PORT=0 picks one
#   targets        what to build, in the release preset
#   groups         packages beyond those to build and of the services (tools/setup.sh --help)
#   services       names of services/*.sh; each one's URL is exported, as DATABASE_URL for postgres.
#                  One whose URL is in the environment already is used as it is and not started.
#   secrets        names of secrets that are made once and kept; `NAME=kind` with the kinds
#                  token (32 random bytes in hexadecimal), keys (kid:base64, for HMAC), and
#                  whatever ends in _, which 24 random bytes in hexadecimal follow. The server is
#                  given NAME_FILE, unless NAME or NAME_FILE was in the environment.
#   companions     other servers that it needs beside it; `name=port` where `name` is a function
#                  like `serve` and the port that of conventions.md. NAME_PORT moves it, 0 (as with
#                  PORT=0) picks one; NAME_PORT and NAME_BASE are exported to all, and NAME_BASE is
#                  printed. Started before the server, ended after it; what one keeps belongs into
#                  $run_folder/name, which --fresh removes.
#   first_curl     the line that is printed last
# and defines, each called with `build`, `run_folder`, PORT, BASE and the URLs set:
#   serve          exec the server; this is all it does, no other function can be called
#   prepare        optional: once the services run, before the server starts; the schema, say
#   load_demo      optional: once the server is ready. It finds its own data on a second start.
#   attend         optional: exec a program that runs beside the server once it is ready, and is
#                  ended after it. Nobody waits for its end, and it may have any; like `serve` it
#                  can call no other function.

set -euo pipefail
subproject_umask=$(umask)
subproject_folder=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd -P)
# shellcheck source=services/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../services/lib.sh"
umask "$subproject_umask"

# shellcheck disable=SC2154 # lib.sh sets root.
subproject=${subproject_folder#"$root"/}
# The instance of its services and its data; the runner of README commands uses one of its own.
instance=${ONSALE_INSTANCE:-${subproject//\//-}}
program=$subproject/$(basename "$0")
build=$root/build/release
title=$subproject
port_default=0
targets=()
groups=()
services=()
secrets=()
companions=()
first_curl=

ready_seconds_max=60
# Together these stay below the 20 s within which everything has to end.
server_seconds_max=5
service_seconds_max=14

server_pid=
companion_pids=()
step_pid=
started=()
exit_code=0

subproject_usage()
{
	cat <<-USAGE
		usage: $subproject/run.sh [--fresh]

		$title. Installs what is missing, builds, starts its
		services and its server, and prints \`ready URL\` when it answers. Ctrl-C ends
		everything; the data stays for the next start.

		--fresh         begin anew: the data of earlier starts is removed
		PORT            the port, $port_default unless given; 0 picks a free one
		DATABASE_URL    (REDIS_URL, …) use this service and start none
	USAGE
}

# The environment's name for a service's URL.
url_name()
{
	case $1 in
	postgres) echo DATABASE_URL ;;
	*) echo "${1^^}_URL" | tr - _ ;;
	esac
}

# step COMMAND…: run it in a process group of its own and wait, so that a signal to this script is
# acted upon at once and not after the command's end, and nothing that it started is left behind.
step()
{
	local status=0
	set -m
	"$@" </dev/null >&2 &
	step_pid=$!
	set +m
	wait "$step_pid" || status=$?
	((status == 0)) || say "$* has failed with status $status"
	step_pid=
	return "$status"
}

# Start a private service and export its URL, unless one is given.
start_service()
{
	local service=$1 fresh=$2 name url
	name=$(url_name "$service")
	if [[ -n ${!name-} ]]; then
		[[ $fresh == no ]] || die "--fresh does not touch a service that $name names"
		return 0
	fi
	[[ $fresh == no ]] || step "$root/services/$service.sh" destroy "$instance"
	# Noted first: a start that is cut short has to be stopped too.
	started+=("$service")
	step "$root/services/$service.sh" start "$instance"
	step "$root/services/$service.sh" wait "$instance"
	url=$("$root/services/$service.sh" url "$instance")
	export "$name=$url"
}

# Make a secret where it is missing, whole or not at all, and tell the server where it is. Whoever
# is started meanwhile waits for it, and has the same.
make_secret()
{
	local name=${1%%=*} kind=${1#*=} file
	local file_name=${name}_FILE
	[[ -z ${!name-} && -z ${!file_name-} ]] || return 0
	file=$work/secrets/${name,,}
	if [[ ! -s $file ]]; then
		(
			umask 077
			mkdir -p "$work/secrets"
			flock 9
			[[ ! -s $file ]] || exit 0
			case $kind in
			token) random_text 32 ;;
			keys) printf 'k%s:%s' "$(date +%y%m%d)" "$(random_base64 32)" ;;
			*_) printf '%s%s' "$kind" "$(random_text 24)" ;;
			*) die "there is no kind of secret '$kind'" ;;
			esac >"$file.new"
			mv "$file.new" "$file"
		) 9>"$work/.locks/secrets"
	fi
	export "$file_name=$file"
}

random_base64()
{
	head -c "$1" /dev/urandom | base64 -w 0
}

# take_port VARIABLE: make sure that the variable holds a port which nobody has; 0 picks one.
take_port()
{
	local port=${!1}
	if [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((port > 65535)); then
		die "$1=$port is not a port"
	fi
	((port != 0)) || port=$(free_port) || die 'there is no free port'
	# Without this, the readiness of whoever is there already would be taken for our own.
	! port_taken "$port" || die "somebody listens on port $port already; $1=0 picks another"
	printf -v "$1" %s "$port"
	export "${1?}"
}

pick_ports()
{
	local companion name given=${PORT:-$port_default}
	PORT=$given
	take_port PORT
	export BASE=http://127.0.0.1:$PORT
	for companion in "${companions[@]}"; do
		name=${companion%%=*}
		name=${name^^}_PORT
		if [[ -z ${!name-} ]]; then
			printf -v "$name" %s "${companion#*=}"
			[[ $given != 0 ]] || printf -v "$name" %s 0
		fi
		take_port "$name"
		export "${name%_PORT}_BASE=http://127.0.0.1:${!name}"
	done
}

# Ended is also what became a zombie: wait tells later how.
runs()
{
	[[ -n $1 && -n $(process_name "$1") ]]
}

# answers PID BASE: whether the server is ready, or gone.
answers()
{
	! runs "$1" || curl -sf -o /dev/null --max-time 5 "$2/readyz"
}

# launch FUNCTION: start a server in the background and set `launched` to its process id.
launch()
{
	set -m
	(
		# The lock says that run.sh runs; a server that outlives it must not keep it.
		close_descriptors
		umask 077 # Its log lies in a folder that others can pass through.
		setpriv_self "$1"
	) </dev/null >&2 &
	launched=$!
	set +m
}

# await_ready PID BASE WHAT
await_ready()
{
	wait_for "$ready_seconds_max" answers "$1" "$2" ||
		die "$3 is not ready after $ready_seconds_max s: $(
			curl -s --max-time 5 "$2/readyz" || true)"
	runs "$1" || die "$3 has ended before it was ready"
}

start_server()
{
	local companion name base
	for companion in "${companions[@]}"; do
		name=${companion%%=*}
		base=${name^^}_BASE
		launch "$name"
		companion_pids+=("$launched")
		await_ready "$launched" "${!base}" "the $name"
	done
	launch serve
	server_pid=$launched
	await_ready "$server_pid" "$BASE" 'the server'
}

# setpriv_self FUNCTION: run a function that ends in exec, so that the program gets SIGTERM when
# this script is gone, even by kill -9.
setpriv_self()
{
	export -f "${1?}"
	export build root run_folder
	exec setpriv --pdeathsig TERM bash -euo pipefail -c "$1"
}

# End the server, then services and companions at once, each within its time. Runs on every way out.
stop_all()
{
	local service pid pids=()
	trap '' INT TERM HUP
	trap - EXIT
	if [[ -n $step_pid ]]; then
		kill -TERM -- "-$step_pid" 2>/dev/null || true
		wait_for 1 step_gone || kill -KILL -- "-$step_pid" 2>/dev/null || true
	fi
	end_server "$server_pid"
	for service in "${started[@]}"; do
		timeout -k 1 "$service_seconds_max" "$root/services/$service.sh" stop "$instance" &
		pids+=($!)
	done
	for pid in "${companion_pids[@]}"; do
		end_server "$pid"
	done
	((${#pids[@]} == 0)) || wait "${pids[@]}" || say 'a service did not stop in time'
	exit "$exit_code"
}

step_gone()
{
	! kill -0 -- "-$step_pid" 2>/dev/null || [[ -z $(process_name "$step_pid") ]]
}

gone()
{
	! runs "$1"
}

end_server()
{
	runs "$1" || return 0
	kill -TERM "$1" 2>/dev/null || true
	wait_for "$server_seconds_max" gone "$1" || kill -KILL "$1" 2>/dev/null || true
}

# on_signal NUMBER: asked to end, we end well; the shell's convention tells by which signal.
on_signal()
{
	exit_code=$((128 + $1))
	stop_all
}

# The lines that conventions.md wants on standard output, and nothing else.
print_ready()
{
	local companion name=ADMIN_TOKEN_FILE
	printf 'ready %s\n' "$BASE"
	printf 'export BASE=%s\n' "$BASE"
	if [[ -n ${ADMIN_TOKEN-} ]]; then
		printf 'export ADMIN_TOKEN=%q\n' "$ADMIN_TOKEN"
	elif [[ -n ${!name-} ]]; then
		# The file and not its content, which would stay in logs and on screens.
		# shellcheck disable=SC2016 # Whoever pastes the line expands it.
		printf 'export ADMIN_TOKEN=$(cat %q)\n' "${!name}"
	fi
	for companion in "${companions[@]}"; do
		name=${companion%%=*}
		name=${name^^}_BASE
		printf 'export %s=%s\n' "$name" "${!name}"
	done
	[[ -z $first_curl ]] || printf '%s\n' "$first_curl"
}

subproject_run()
{
	local fresh=no service secret companion lock
	case ${1-} in
	'') ;;
	--fresh) fresh=yes ;;
	--help | -h) subproject_usage && exit 0 ;;
	*) die "what is $1? --help says what there is" ;;
	esac
	"$root/tools/setup.sh" build "${services[@]}" "${groups[@]}"
	trap 'exit_code=$?; stop_all' EXIT
	trap 'on_signal 2' INT
	trap 'on_signal 15' TERM
	trap 'on_signal 1' HUP
	step "$root/tools/build.sh" release "${targets[@]}"

	find_work_folder
	run_folder=$work/$instance
	exec {lock}>"$work/.locks/run-$instance"
	flock -n "$lock" || die "$subproject is running already"
	pick_ports

	for service in "${services[@]}"; do
		start_service "$service" "$fresh"
	done
	# A service makes it for the user that it runs as; with services from elsewhere nobody has.
	mkdir -p "$run_folder"
	for companion in "${companions[@]}"; do
		[[ $fresh == no ]] || rm -rf -- "${run_folder:?}/${companion%%=*}"
	done
	for secret in "${secrets[@]}"; do
		make_secret "$secret"
	done
	! declare -F prepare >/dev/null || step prepare
	start_server
	! declare -F load_demo >/dev/null || step load_demo
	if declare -F attend >/dev/null; then
		launch attend
		companion_pids+=("$launched")
	fi
	print_ready

	local status=0
	wait "$server_pid" || status=$?
	((status == 0)) || say "the server has ended with status $status"
	exit "$status"
}

subproject_test()
{
	exec "$root/test.sh" --label "$subproject" "$@"
}
