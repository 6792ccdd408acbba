#!/usr/bin/env bash
# ./test.sh: install what is missing, build, and run the tests. See ./test.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage()
{
	cat <<-'USAGE'
		usage: ./test.sh [--full] [--label LABEL]

		Builds the debug preset and runs every test, then those of the library with the
		address and undefined-behaviour sanitizers and those of lib/http with the thread
		sanitizer.

		--full          debug with ONSALE_FULL=1, by which tests take all their seeds
		                and crash points instead of a sample; then asan and tsan,
		                without the tests that would do the same again (tools,
		                services, READMEs, benches, deaths by kill -9); the benches
		                for release, as every README is run; all of it built by
		                clang; every fuzz target for 30 s; lint
		--label LABEL   only the tests with this label: the name of a subproject, or lib

		ONSALE_SEED in the environment repeats a seeded run. Logs: build/test-PRESET.log.
		The exit status is 0 when everything has passed.
	USAGE
}

full=no
label=
passed=0
failed=0
closing=()
logs=()

# count PRESET LOG: add up what ctest says at its end.
count()
{
	local line
	line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$2" |
		tail -n 1 || true)
	if [[ $line =~ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
		failed=$((failed + BASH_REMATCH[1]))
		passed=$((passed + BASH_REMATCH[2] - BASH_REMATCH[1]))
	else
		failed=$((failed + 1))
		line='no test was run'
	fi
	closing+=("$1: $line")
}

# run PRESET [CTEST-OPTION…]: build everything with this preset and run the tests that are chosen.
run()
{
	local preset=$1 log=build/test-$1.log before=$failed status=0
	shift
	[[ -z $label ]] || set -- -L "^${label//./\\.}(/|\$)"
	logs+=("$PWD/$log")
	printf '\n== %s\n' "$preset"
	if ! tools/build.sh "$preset"; then
		failed=$((failed + 1))
		closing+=("$preset: does not build; see $PWD/build/$preset.log")
		return
	fi
	ctest --preset "$preset" -j "$jobs" --no-tests=error --output-on-failure "$@" 2>&1 |
		tee "$log" || status=$?
	count "$preset" "$log"
	# Something ctest itself could not do must not pass for lack of a failed test.
	((status == 0 || failed > before)) || failed=$((failed + 1))
}

# check NAME COMMAND…: one more thing that passes or fails as a whole.
check()
{
	local name=$1
	shift
	printf '\n== %s\n' "$name"
	if "$@"; then
		passed=$((passed + 1))
		closing+=("$name: passed")
	else
		failed=$((failed + 1))
		closing+=("$name: failed")
	fi
}

while (($# > 0)); do
	case $1 in
	--full) full=yes ;;
	--label)
		label=${2:?--label needs a name}
		shift
		;;
	--help | -h)
		usage
		exit 0
		;;
	*)
		printf 'test.sh: what is %s? --help says what there is\n' "$1" >&2
		exit 2
		;;
	esac
	shift
done

groups=(build test postgres redis bench)
[[ $full == no ]] || groups+=(clang lint fuzz)
tools/setup.sh "${groups[@]}"
# Most tests wait for something most of the time: two for each core.
jobs=$((2 * $(nproc)))
((jobs <= 8)) || jobs=8

if [[ $full == yes ]]; then
	# Deaths wait for leases, seeds for the disk: four for each core.
	jobs=$((2 * jobs))
	ONSALE_FULL=1 run debug
	jobs=$((jobs / 2))
	# What runs scripts, or builds for release itself, does the same in each preset; and who is
	# killed is asked no more by a sanitizer.
	for preset in asan tsan; do
		run "$preset" -LE '^(tools|services|bench)$' -E '^readme_|_crash_test$'
	done
	run release -L '^bench$'
	check clang tools/build.sh clang
	[[ -n $label ]] || check fuzz tools/fuzz --seconds 30
	[[ -n $label ]] || check lint tools/lint
else
	run debug
	if [[ -z $label ]]; then
		run asan -L '^lib$'
		run tsan -L '^http$'
	fi
fi

printf '\n'
printf '%s\n' "${closing[@]}"
printf 'logs: %s\n' "${logs[*]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
