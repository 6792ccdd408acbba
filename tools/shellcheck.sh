#!/usr/bin/env bash
# tools/shellcheck.sh: what shellcheck says about every shell script, also those without .sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v shellcheck >/dev/null || {
	echo 'tools/shellcheck.sh: shellcheck is missing; tools/setup.sh test installs it' >&2
	exit 1
}
mapfile -t files < <(
	{
		find . \( -path ./build -o -path ./.run -o -name .git \) -prune -o \
			-type f -name '*.sh' -print
		find . \( -path ./build -o -path ./.run -o -name .git \) -prune -o \
			-type f -perm -u+x -print0 | xargs -0 -r grep -lIE -m1 '^#!.*[ /](ba)?sh$'
	} | sort -u
)
# The scripts name what they source from the root of the repository.
# SC2317 takes functions that a sourced script calls, such as hooks, for dead code.
shellcheck --exclude=SC2317 --external-sources --source-path=. "${files[@]}"
