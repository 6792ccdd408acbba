#!/usr/bin/env bash
# Whether compose.yaml and Dockerfile agree with the rest of the repository, as far as that can be
# seen without a container engine: what they name exists, ports stay on loopback, the image has the
# libraries that the program needs. At the end each check is shown to fail on a file that is wrong.
#
#	tools/compose_test.sh BUILD-TREE
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=${1-${ONSALE_BUILD-$root/build/debug}}
program=simplest-implementation/simplest-server
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

# The packages that the last stage installs.
runtime_packages()
{
	instructions | awk '/^FROM /{stage++} stage == 2' |
		sed -n 's/.*apt-get install \([^&]*\).*/\1/p' | tr ' ' '\n' |
		grep -v -e '^-' -e '^$'
}

# The packages of the libraries that the program is linked with. libc is everywhere, and libcurl
# comes with curl; whether the linker keeps it, though nothing calls it, depends on the compiler.
needed_packages()
{
	local library architecture
	architecture=$(dpkg --print-architecture)
	readelf -d "$build/$program" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
		while read -r library; do
			dpkg -S "*/$library" | sed -n "s/:$architecture: .*//p"
		done | grep -vxE 'libc6|libcurl4'
}

check_compose()
{
	local file name port
	yq . compose.yaml >"$scratch/compose.json" 2>"$scratch/yaml" ||
		{ complain "compose.yaml is no YAML: $(head -n 1 "$scratch/yaml")"; return; }
	ask()
	{
		jq -r "$1" "$scratch/compose.json"
	}
	for name in postgres simplest; do
		[[ $(ask ".services | has(\"$name\")") == true ]] ||
			complain "compose.yaml has no service $name"
	done
	for file in $(ask '.services[] | .build // empty | "\(.context)/\(.dockerfile)"'); do
		[[ -f $file ]] || complain "compose.yaml builds from $file, which is not there"
	done
	for name in $(ask '.services[] | .image | select(test(":[0-9]|^onsale-") | not)'); do
		complain "compose.yaml: the image $name has no version"
	done
	for name in $(ask '.services[] | (.depends_on // {}) | keys[]'); do
		[[ $(ask ".services.$name.healthcheck.test | type") == array ]] ||
			complain "compose.yaml waits for $name, which has no health check"
	done
	for port in $(ask '.services[] | .ports // [] | .[]'); do
		[[ $port == 127.0.0.1:* ]] || complain "compose.yaml publishes $port to everybody"
	done
	port=$(sed -n 's/^port_default=//p' simplest-implementation/run.sh)
	[[ $(ask '.services.simplest.ports[]') == "127.0.0.1:$port:$port" &&
		$(ask '.services.simplest.environment.PORT') == "$port" ]] ||
		complain "compose.yaml: the simplest implementation is not on port $port"
	for name in $(ask '.services.simplest.environment | keys[] | select(test("^PG") | not)'); do
		grep -qF ".environment = \"$name\"" simplest-implementation/main.c ||
			complain "compose.yaml sets $name, which the server does not know"
	done
	# shellcheck disable=SC2016 # It is Compose that expands it.
	[[ $(ask '[.services[] | .environment | to_entries[] | select(.key | test("PASSWORD"))
		| .value | startswith("${") and contains(":?")] | all') == true ]] ||
		complain 'compose.yaml has a password, or a default for one'
	for name in $(ask '.services[] | .volumes // [] | .[] | split(":")[0]'); do
		[[ $(ask ".volumes | has(\"$name\")") == true ]] ||
			complain "compose.yaml uses the volume $name, which it does not declare"
	done
}

check_dockerfile()
{
	local word words package
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
	word="/onsale/build/${words[0]-}/$program"
	grep -qF "COPY --from=build $word " "$scratch/instructions" ||
		complain "Dockerfile does not take $program out of the tree that it builds"
	word=$(sed -n 's/^port_default=//p' simplest-implementation/run.sh)
	grep -qx "EXPOSE $word" "$scratch/instructions" ||
		complain 'Dockerfile exposes another port than run.sh has'
	for word in USER HEALTHCHECK 'STOPSIGNAL SIGTERM' ENTRYPOINT; do
		grep -q "^$word" "$scratch/instructions" || complain "Dockerfile has no $word"
	done
	! grep -qE '^USER (root|0)\b' "$scratch/instructions" || complain 'Dockerfile runs as root'
	runtime_packages | sort -u >"$scratch/installed"
	for package in $(comm -23 "$scratch/needed" "$scratch/installed"); do
		complain "Dockerfile lacks $package, which the server is linked with"
	done
	for package in $(comm -13 "$scratch/needed" "$scratch/installed"); do
		[[ $package == curl || $package == ca-certificates ]] ||
			complain "Dockerfile installs $package, which the server is not linked with"
	done
	for word in .git .run .env build; do
		grep -qxF "$word" .dockerignore || complain ".dockerignore lets $word in"
	done
}

check()
{
	check_compose
	check_dockerfile
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
	[[ -n $(cd "$copy" && check) ]] || die "nothing complains when '$2' is done to $1"
}

for command in yq jq readelf ninja; do
	command -v "$command" >/dev/null ||
		die "$command is missing; tools/setup.sh test installs it"
done
[[ -x $build/$program ]] || die "$build/$program is not built"
ninja -C "$build" -t targets all >"$scratch/targets"
needed_packages | sort -u >"$scratch/needed"
[[ -s $scratch/needed ]] || die 'nothing is known of the libraries of the server'

cd "$root"
check >"$scratch/complaints"
[[ ! -s $scratch/complaints ]] || die "$(<"$scratch/complaints")"
if docker compose version >/dev/null 2>&1; then
	POSTGRES_PASSWORD=any docker compose -f compose.yaml config --quiet
fi

want_complaint compose.yaml 's/^services:/services: [/'
want_complaint compose.yaml 's/dockerfile: .*/dockerfile: Dockerfile.lost/'
want_complaint compose.yaml 's/postgres:15-bookworm/postgres/'
want_complaint compose.yaml 's/127\.0\.0\.1:8081:8081/8081:8081/'
want_complaint compose.yaml 's/:8081:8081/:8082:8081/'
want_complaint compose.yaml 's/ADDRESS:/ADRESS:/'
want_complaint compose.yaml 's/POSTGRES_PASSWORD: .*/POSTGRES_PASSWORD: secret/'
want_complaint compose.yaml 's/^    healthcheck:/    x-healthcheck:/'
want_complaint compose.yaml 's/- postgres:/- postgres_data:/'
want_complaint Dockerfile 's/setup.sh build/setup.sh bild/'
want_complaint Dockerfile 's/COPY tools/COPY tolls/'
want_complaint Dockerfile 's/build.sh release/build.sh relaese/'
want_complaint Dockerfile 's/release simplest-server/release simplest_server/'
want_complaint Dockerfile 's/libpq5//'
want_complaint Dockerfile 's/libpq5/libpq5 libpq6/'
want_complaint Dockerfile 's/^USER .*/USER root/'
want_complaint Dockerfile '/^USER/d'
want_complaint Dockerfile '/^STOPSIGNAL/d'
want_complaint Dockerfile 's/^EXPOSE .*/EXPOSE 80/'
want_complaint .dockerignore '/env/d'
