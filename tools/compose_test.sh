#!/usr/bin/env bash
# Whether compose.yaml and Dockerfile agree with the rest of the repository, as far as that can be
# seen without a container engine: what they name exists, ports stay on loopback, each image has the
# libraries that its program needs, Redis is as durable as everywhere, the commands that make the
# secrets make all of them. At the end each check is shown to fail on a file that is wrong.
#
#	tools/compose_test.sh BUILD-TREE
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=${1-${ONSALE_BUILD-$root/build/debug}}
# What is run: the service, which is also the target in Dockerfile, and its program.
declare -A programs=(
	[onsale]=real-implementation/onsale
	[simplest]=simplest-implementation/simplest-server
	[waiting-room-redis-streams]=tech-waiting-room/redis-streams/redis-streams-server
	[seats-postgres]=tech-locking-and-transactions/postgres/postgres-seats-server
	[seats-saga]=tech-locking-and-transactions/saga/saga-seats-server
	[seats-redis-guard]=tech-locking-and-transactions/redis-guard/redis-guard-server
	[orders]=tech-two-phase-payments/orders-server
	[payment-simulator]=tech-two-phase-payments/simulator/payment-simulator
)
# The command of a program that has several.
declare -A commands=([onsale]=serve)
scratch=$(mktemp -d /tmp/onsale-compose-XXXXXX)
trap 'rm -rf "$scratch"' EXIT

die()
{
	printf 'compose_test: %s\n' "$*" >&2
	exit 1
}

complain()
{
	printf '%s\n' "$*"
}

# Dockerfile with its continued lines joined, and without comments.
instructions()
{
	sed -e '/^#/d' -e ':a' -e '/\\$/{N;s/\\\n/ /;ba' -e '}' Dockerfile |
		tr -s '\t ' ' '
}

# stage NAME: the instructions of a stage, after those of the stage that it begins with.
stage()
{
	local parent
	parent=$(awk -v name="$1" '$1 == "FROM" && $4 == name { print $2 }' "$scratch/instructions")
	[[ -n $parent ]] || return 0
	stage "$parent"
	awk -v name="$1" '$1 == "FROM" { mine = $4 == name } mine' "$scratch/instructions"
}

# The packages that the instructions on standard input install.
installed_packages()
{
	sed -n 's/.*apt-get install \([^&]*\).*/\1/p' | tr ' ' '\n' | grep -v -e '^-' -e '^$'
}

# The packages of the libraries that a program is linked with. libc is everywhere, and libcurl comes
# with curl; whether the linker keeps it, though nothing calls it, depends on the compiler.
needed_packages()
{
	local library architecture
	architecture=$(dpkg --print-architecture)
	readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
		while read -r library; do
			dpkg -S "*/$library" | sed -n "s/:$architecture: .*//p"
		done | grep -vxE 'libc6|libcurl4'
}

# What the programs say of themselves, asked once: their libraries, environment and port.
ask_programs()
{
	local name program
	for name in "${!programs[@]}"; do
		program=$build/${programs[$name]}
		[[ -x $program ]] || die "$program is not built"
		needed_packages "$program" | sort -u >"$scratch/$name.needed"
		[[ -s $scratch/$name.needed ]] || die "nothing is known of the libraries of $name"
		# Below each flag is a line that begins with its variable.
		"$program" ${commands[$name]+"${commands[$name]}"} --help >"$scratch/help"
		sed -nE 's/^ +([A-Z][A-Z0-9_]*)(;.*| or .*)?$/\1/p' "$scratch/help" |
			sort >"$scratch/$name.settings"
		sed -nE 's/^ +([A-Z][A-Z0-9_]*)(;| or .*;) required$/\1/p' "$scratch/help" |
			sort >"$scratch/$name.required"
		sed -nE 's/^ +PORT; default ([0-9]+);.*/\1/p' "$scratch/help" >"$scratch/$name.port"
		[[ -s $scratch/$name.port ]] || die "$program does not say what its port is"
	done
}

# What compose.yaml says, a fact in each line: WHAT SERVICE VALUE.
list_facts()
{
	jq -r '
		(.volumes // {} | keys[] | "declared - \(.)"),
		(.services | to_entries[] | .key as $name | .value |
			"service \($name) \(.image)",
			(.build // empty | "file \($name) \(.context)/\(.dockerfile)",
				"target \($name) \(.target)"),
			(select(.healthcheck.test | type == "array") | "checked \($name) -"),
			(select(.read_only == true and .cap_drop == ["ALL"] and .user != "root" and
				.security_opt == ["no-new-privileges:true"]) |
				"confined \($name) -"),
			(.ports // [] | .[] | "port \($name) \(.)"),
			(.volumes // [] | .[] | split(":") |
				"volume \($name) \(.[0])", "kept \($name) \(.[1])"),
			(.depends_on // {} | keys[] | "awaited \(.) \($name)"),
			(.environment // {} | to_entries[] |
				"setting \($name) \(.key)=\(.value)"))
	' "$scratch/compose.json"
}

# facts WHAT [SERVICE]: the values of these facts, of one service or of all.
facts()
{
	awk -v what="$1" -v name="${2-}" '$1 == what && (name == "" || $2 == name) {
		sub(/^[^ ]* [^ ]* /, ""); print }' "$scratch/facts"
}

# is_fact WHAT SERVICE VALUE
is_fact()
{
	grep -qxF -e "$*" "$scratch/facts"
}

# services WHAT: those of which there is such a fact.
services()
{
	awk -v what="$1" '$1 == what { print $2 }' "$scratch/facts" | sort -u
}

check_compose()
{
	local file name port
	yq . compose.yaml >"$scratch/compose.json" 2>"$scratch/yaml" ||
		{ complain "compose.yaml is no YAML: $(head -n 1 "$scratch/yaml")"; return; }
	list_facts >"$scratch/facts" ||
		{ complain 'compose.yaml is written in a way that is unknown here'; return; }
	for name in postgres redis "${!programs[@]}"; do
		services service | grep -qxF "$name" || complain "compose.yaml has no service $name"
	done
	for file in $(facts file); do
		[[ -f $file ]] || complain "compose.yaml builds from $file, which is not there"
	done
	for name in $(facts service | grep -vE ':[0-9]|^onsale-'); do
		complain "compose.yaml: the image $name has no version"
	done
	for name in $(services awaited); do
		is_fact checked "$name" - || [[ -n $(facts target "$name") ]] ||
			complain "compose.yaml waits for $name, which has no health check"
	done
	for port in $(facts port); do
		[[ $port == 127.0.0.1:* ]] || complain "compose.yaml publishes $port to everybody"
	done
	for name in $(facts volume); do
		is_fact declared - "$name" ||
			complain "compose.yaml uses the volume $name, which it does not declare"
	done
	for name in $(services service); do
		[[ $name == postgres* ]] || is_fact confined "$name" - ||
			complain "compose.yaml lets $name do more than it needs"
	done
	for name in $(services target); do
		[[ -n ${programs[$name]-} ]] || complain "nothing is known here of the server $name"
	done
	for name in "${!programs[@]}"; do
		check_service "$name"
	done
	check_redis
	check_secrets
}

# check_service NAME: whether a server is given what it knows, all that it needs, and its port.
check_service()
{
	local name=$1 port setting
	port=$(<"$scratch/$name.port")
	is_fact target "$name" "$name" ||
		complain "compose.yaml: $name is built from another target"
	[[ $(facts port "$name") == "127.0.0.1:$port:$port" ]] ||
		complain "compose.yaml does not publish port $port of $name"
	is_fact setting "$name" "PORT=$port" || complain "compose.yaml: $name is not on port $port"
	is_fact setting "$name" ADDRESS=0.0.0.0 || complain "compose.yaml: nobody reaches $name"
	# PG… are for libpq.
	facts setting "$name" | sed -e 's/=.*//' -e '/^PG/d' | sort >"$scratch/given"
	for setting in $(comm -23 "$scratch/given" "$scratch/$name.settings"); do
		complain "compose.yaml sets $setting, which $name does not know"
	done
	for setting in $(comm -13 "$scratch/given" "$scratch/$name.required"); do
		complain "compose.yaml does not set $setting, which $name needs"
	done
	# All else that it could write to is read-only.
	setting=$(facts setting "$name" | sed -n 's/^SIMULATOR_DATA=//p')
	[[ $(facts kept "$name") == "$setting" ]] ||
		complain "compose.yaml: what $name keeps is on no volume"
	# The others find it by its name and the same port.
	for setting in $(facts setting | grep -oE "//$name:[0-9]+" |
		grep -vxF "//$name:$port"); do
		complain "compose.yaml: nobody answers at $setting"
	done
}

# The command of Redis is run, with a server that only shows its arguments, then its input.
check_redis()
{
	local setting
	# Compose makes one dollar of two.
	jq -r '.services.redis.command | if .[:2] == ["sh", "-c"] then .[2] else "false" end' \
		"$scratch/compose.json" | sed 's/\$\$/$/g' >"$scratch/start"
	REDISCLI_AUTH=pass PATH=$scratch/bin:$PATH \
		sh "$scratch/start" >"$scratch/redis" 2>&1 || true
	grep -qx 'arguments -' "$scratch/redis" ||
		complain 'compose.yaml: Redis does not take its settings by standard input'
	grep -qx 'requirepass pass' "$scratch/redis" ||
		complain 'compose.yaml: Redis asks for no password'
	setting=$(sed -n 's/^dir "\(.*\)"$/\1/p' "$scratch/redis")
	is_fact kept redis "$setting" ||
		complain 'compose.yaml: the data of Redis is on no volume'
	sed -n '/<<SETTINGS$/,/^SETTINGS$/p' services/redis.sh >"$scratch/durable"
	while read -r setting; do
		complain "compose.yaml: '$setting' is not in services/redis.sh"
	done < <(grep -vE '^(arguments|requirepass|dir) ' "$scratch/redis" |
		grep -vxFf "$scratch/durable")
	while read -r setting; do
		complain "compose.yaml lacks '$setting' of services/redis.sh"
	done < <(grep -E '^(append|no-append|aof|save|maxmemory)' "$scratch/durable" |
		grep -vxFf "$scratch/redis")
}

# That no secret is in the file, and that its own first lines make all that it asks for.
check_secrets()
{
	local name asked='[$][{][A-Z_]+:[?][^}]*[}]'
	for name in $(facts setting |
		grep -E '^[A-Z_]*(PASSWORD|AUTH|TOKEN|KEY|SECRET)[A-Z_]*=' |
		grep -vxE "[A-Z_]+=$asked" | sed 's/=.*//'); do
		complain "compose.yaml has the secret $name, or a default for it"
	done
	for name in $(facts setting | grep -E '://[^/]*:[^/]*@' |
		grep -vE "://[^/:]*:$asked@" | sed 's/=.*//'); do
		complain "compose.yaml has a password in $name"
	done
	rm -rf "$scratch/secrets" && mkdir "$scratch/secrets"
	sed -n '/^#\t($/,/^#\t)$/s/^#\t//p' compose.yaml >"$scratch/make_secrets"
	(umask 022 && cd "$scratch/secrets" && sh "$scratch/make_secrets" >/dev/null 2>&1) || true
	[[ $(stat -c %a "$scratch/secrets/.env" 2>/dev/null) == 600 ]] ||
		{ complain 'compose.yaml makes no .env that only its owner can read'; return; }
	sed -nE 's/^([A-Z_]+)=.{8,}$/\1/p' "$scratch/secrets/.env" | sort >"$scratch/made"
	facts setting | sed -nE 's/.*[$][{]([A-Z_]+).*/\1/p' | sort -u >"$scratch/asked"
	for name in $(comm -3 "$scratch/made" "$scratch/asked"); do
		complain "compose.yaml makes $name and does not use it, or the other way round"
	done
}

check_dockerfile()
{
	local word words name
	instructions >"$scratch/instructions"
	for word in $(instructions | sed -n '/--from=/d; s/^COPY \(.*\) [^ ]*$/\1/p'); do
		[[ -e $word ]] || complain "Dockerfile copies $word, which is not there"
	done
	for word in $(instructions | sed -n 's/^RUN tools\/setup.sh //p'); do
		grep -qF "[$word]=" tools/setup.sh || complain "tools/setup.sh has no group $word"
	done
	read -r -a words < <(sed -n 's/^RUN tools\/build.sh //p' "$scratch/instructions") || true
	((${#words[@]} >= 2)) || complain 'Dockerfile builds no target'
	[[ $(jq --arg name "${words[0]-}" '[.configurePresets[].name] | index($name) != null' \
		CMakePresets.json) == true ]] || complain "there is no preset ${words[0]-}"
	for word in "${words[@]:1}"; do
		grep -qxF "$word: phony" "$scratch/targets" || complain "there is no target $word"
	done
	for name in "${!programs[@]}"; do
		word=${programs[$name]}
		[[ " ${words[*]:1} " == *" ${word##*/} "* ]] ||
			complain "Dockerfile does not build $word"
		check_stage "$name" "$word" "/onsale/build/${words[0]-}"
	done
	for word in .git .run .env build; do
		grep -qxF "$word" .dockerignore || complain ".dockerignore lets $word in"
	done
}

# check_stage NAME PROGRAM TREE: whether the target is the image of this program, and of no more.
check_stage()
{
	local name=$1 program=$2 word package port
	port=$(<"$scratch/$name.port")
	stage "$name" >"$scratch/stage"
	[[ -s $scratch/stage ]] || { complain "Dockerfile has no target $name"; return; }
	grep -qxF "COPY --from=build $3/$program /usr/local/bin/" "$scratch/stage" ||
		complain "Dockerfile does not take $program out of the tree that it builds"
	for word in "EXPOSE $port" "ENV PORT=$port"; do
		grep -qE "^$word( |\$)" "$scratch/stage" ||
			complain "Dockerfile has another port than that of $name"
	done
	for word in HEALTHCHECK 'STOPSIGNAL SIGTERM' "ENTRYPOINT \[\"${program##*/}\"\]"; do
		grep -q "^$word" "$scratch/stage" || complain "Dockerfile has no $word for $name"
	done
	word=$(grep '^USER ' "$scratch/stage" | tail -n 1)
	[[ -n $word && ! $word =~ ^USER\ (root|0)(:|$) ]] ||
		complain "Dockerfile runs $name as root"
	# A new volume takes its owner from the folder of the image.
	for word in $(facts kept "$name"); do
		grep -qE "^RUN install -d -o onsale .* $word\$" "$scratch/stage" ||
			complain "Dockerfile makes no folder $word for the user of $name"
	done
	installed_packages <"$scratch/stage" | sort -u >"$scratch/installed"
	for package in $(comm -23 "$scratch/$name.needed" "$scratch/installed"); do
		complain "Dockerfile lacks $package, which $name is linked with"
	done
	for package in $(comm -13 "$scratch/$name.needed" "$scratch/installed"); do
		[[ $package == curl || $package == ca-certificates ]] ||
			complain "Dockerfile installs $package, which $name is not linked with"
	done
}

# want_complaint FILE SED-COMMAND: with this change in this file, a check has to complain.
want_complaint()
{
	local copy=$scratch/copy entry
	rm -rf "$copy" && mkdir "$copy"
	for entry in "$root"/*; do
		ln -s "$entry" "$copy/"
	done
	rm -f "$copy/Dockerfile" "$copy/compose.yaml"
	cp "$root/Dockerfile" "$root/compose.yaml" "$root/.dockerignore" "$copy/"
	sed -i "$2" "$copy/$1"
	! cmp -s "$copy/$1" "$root/$1" || die "'$2' changes nothing in $1"
	case $1 in
	compose.yaml) [[ -n $(cd "$copy" && check_compose) ]] ;;
	*) [[ -n $(cd "$copy" && check_dockerfile) ]] ;;
	esac || die "nothing complains when '$2' is done to $1"
}

for command in yq jq readelf ninja openssl; do
	command -v "$command" >/dev/null ||
		die "$command is missing; tools/setup.sh test installs it"
done
ask_programs
# Stands in for Redis in check_redis.
mkdir "$scratch/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "arguments $*"\ncat\n' >"$scratch/bin/redis-server"
chmod +x "$scratch/bin/redis-server"
ninja -C "$build" -t targets all >"$scratch/targets"

cd "$root"
# Not in this shell, which would end at the first command that finds nothing.
complaints=$(check_compose; check_dockerfile) || true
[[ -z $complaints ]] || die "$complaints"
if docker compose version >/dev/null 2>&1; then
	docker compose -f compose.yaml --env-file "$scratch/secrets/.env" config --quiet
fi

# Dockerfile first, since it is held against what the right compose.yaml has just said.
want_complaint Dockerfile 's/setup.sh build/setup.sh bild/'
want_complaint Dockerfile 's/COPY tools/COPY tolls/'
want_complaint Dockerfile 's/build.sh release/build.sh relaese/'
want_complaint Dockerfile 's/onsale simplest-server/onsale simplest_server/'
want_complaint Dockerfile 's/ payment-simulator$//'
want_complaint Dockerfile 's/ redis-guard-server / /'
want_complaint Dockerfile 's/AS orders/AS order/'
want_complaint Dockerfile 's/FROM server AS orders/FROM debian:bookworm-slim AS orders/'
want_complaint Dockerfile 's/tech-two-phase-payments\/orders-server/orders-server/'
want_complaint Dockerfile 's/ENTRYPOINT \["orders-server/ENTRYPOINT ["order-server/'
want_complaint Dockerfile 's/libhiredis0.14//'
want_complaint Dockerfile 's/libpq5/libpq5 libpq6/'
want_complaint Dockerfile 's/^USER .*/USER root/'
want_complaint Dockerfile '/^USER/d'
want_complaint Dockerfile '/^STOPSIGNAL/d'
want_complaint Dockerfile '/install -d/d'
want_complaint Dockerfile 's/^EXPOSE 8132/EXPOSE 80/'
want_complaint Dockerfile 's/PORT=8101/PORT=80/'
want_complaint .dockerignore '/env/d'
want_complaint compose.yaml 's/^services:/services: [/'
want_complaint compose.yaml 's/^  orders:/  order:/'
want_complaint compose.yaml 's/dockerfile: .*/dockerfile: Dockerfile.lost/'
want_complaint compose.yaml 's/target: orders/target: simplest/'
want_complaint compose.yaml 's/postgres:15-bookworm/postgres/'
want_complaint compose.yaml 's/127\.0\.0\.1:8081:8081/8081:8081/'
want_complaint compose.yaml 's/:8101:8101/:8102:8101/'
want_complaint compose.yaml 's/PORT: "8132"/PORT: "8133"/'
want_complaint compose.yaml 's/payment-simulator:8132/payment-simulator:8131/'
want_complaint compose.yaml 's/WEBHOOK_URL:/WEBHOOK_ADDRESS:/'
want_complaint compose.yaml '/REDIS_URL:/d'
want_complaint compose.yaml '/ORDERS_URL:/d'
want_complaint compose.yaml 's/- postgres-saga:/- postgres_saga:/'
want_complaint compose.yaml '/ADDRESS: 0/d'
want_complaint compose.yaml 's/POSTGRES_PASSWORD: .*/POSTGRES_PASSWORD: secret/'
want_complaint compose.yaml 's/PLACE_KEYS:?/PLACE_KEYS:-/'
want_complaint compose.yaml 's/REDIS_PASSWORD:?\(.*\)}@/REDIS_PASSWORD-\1}@/'
want_complaint compose.yaml 's/default:[$].*}@/default:secret@/'
want_complaint compose.yaml 's/for name in PLACE_KEYS /for name in /'
want_complaint compose.yaml 's/umask 077/umask 022/'
want_complaint compose.yaml 's/^    healthcheck:/    x-healthcheck:/'
want_complaint compose.yaml 's/- postgres:/- postgres_data:/'
want_complaint compose.yaml 's/- payment-simulator:.*/- payment-simulator:\/data/'
want_complaint compose.yaml 's/^  read_only: true/  read_only: false/'
want_complaint compose.yaml 's/\[ALL\]/[NET_RAW]/'
want_complaint compose.yaml '/appendonly/d'
want_complaint compose.yaml 's/appendfsync always/appendfsync everysec/'
want_complaint compose.yaml '/noeviction/d'
want_complaint compose.yaml '/requirepass/d'
want_complaint compose.yaml 's/redis-server - <</redis-server --requirepass secret - <</'
want_complaint compose.yaml 's/dir "\/data"/dir "\/tmp"/'
