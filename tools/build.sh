#!/usr/bin/env bash
# tools/build.sh PRESET [TARGET…]: configure where needed and build in build/PRESET.
#
# Says nothing unless it fails; then it prints the log, which is build/PRESET.log. Two that run at
# once wait for each other. The presets are those of CMakePresets.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1---help} in
--help | -h)
	sed -n '2,5s/^# //p' tools/build.sh
	exit 0
	;;
esac
preset=$1
shift
tree=build/$preset
log=build/$preset.log

mkdir -p build
exec {lock}>"build/$preset.lock"
flock "$lock"

configure()
{
	local source
	source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$tree/CMakeCache.txt" 2>/dev/null ||
		true)
	if [[ -n $source && $source != "$(pwd -P)" && $source != "$PWD" ]]; then
		# The tree came along with a copy of the folder and means the original.
		cmake --preset "$preset" --fresh
	elif [[ ! -f $tree/build.ninja || CMakePresets.json -nt $tree/CMakeCache.txt ]]; then
		cmake --preset "$preset" && touch "$tree/CMakeCache.txt"
	fi
}

build()
{
	configure && ninja -C "$tree" -j"$(nproc)" "$@"
}

if ! build "$@" >"$log" 2>&1 {lock}>&-; then
	# Ninja prints a line per finished step; those say nothing about what failed.
	grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Generating|Re-running)' "$log" >&2 || true
	printf 'tools/build.sh: %s does not build; the log is %s\n' "$preset" "$PWD/$log" >&2
	exit 1
fi
