#!/usr/bin/env bash
# Whether tools/setup.sh installs what is missing and only that, or says who else has to.
# What it calls are stand-ins, and it does not run as root, so nothing is installed.
# shellcheck disable=SC2016 # Text of the scripts that are made.
set -euo pipefail
setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/setup.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bin=$scratch/bin
calls=$scratch/calls
installed=$scratch/installed
checks=0

# program NAME LINE…: a stand-in, which notes that it was called.
program()
{
	local name=$1
	shift
	{
		printf '%s\n' '#!/bin/bash' "echo $name \"\$@\" >>$calls" "$@"
	} >"$bin/$name"
	chmod 755 "$bin/$name"
}

# The least that the script is run with, and a machine that has apt, but no sudo, and no package.
make_machine()
{
	local tool
	rm -rf "$bin"
	mkdir "$bin"
	for tool in bash env grep sort tr sed cat true; do
		ln -s "$(command -v "$tool")" "$bin/$tool"
	done
	program dpkg-query "sed 's/^/installed /' $installed"
	program apt-get
	: >"$installed"
	: >"$calls"
	chmod 666 "$calls" "$installed"
}

# run ARGUMENT…: sets `status`; what it says is in the file `output`.
run()
{
	local as=()
	((EUID != 0)) || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	status=0
	"${as[@]}" "$(command -v env)" -i PATH="$bin" "$@" </dev/null >"$scratch/output" 2>&1 ||
		status=$?
	checks=$((checks + 1))
}

fail()
{
	printf 'setup_test: %s\n' "$1" >&2
	cat "$scratch/output" >&2
	exit 1
}

want()
{
	[[ $status == "$1" ]] || fail "status $status instead of $1"
}

says()
{
	grep -qF -- "$1" "$scratch/output" || fail "it does not say '$1'"
}

called()
{
	grep -qE "^$1" "$calls" || fail "it has not called '$1'"
}

not_called()
{
	! grep -q "^$1" "$calls" || fail "it has called $1"
}

chmod 755 "$scratch"
cp "$setup" "$scratch/setup.sh"
chmod 755 "$scratch/setup.sh"

# Nothing is missing: not a word, and nothing but a look.
make_machine
printf '%s\n' wrk nginx-light openssl >"$installed"
run "$scratch/setup.sh" bench
want 0
[[ ! -s $scratch/output ]] || fail 'it says something although nothing is missing'
not_called apt-get

# Neither root nor sudo: which command somebody else has to run, for what is missing and no more.
sed -i /wrk/d "$installed"
run "$scratch/setup.sh" bench
want 1
says 'this needs root, and sudo is not possible here'
says 'apt-get install --no-install-recommends wrk'
! grep -q nginx "$scratch/output" || fail 'it names what is there already'
not_called apt-get

# A sudo that asks for a password that nobody can give is none.
program sudo 'exit 1'
run "$scratch/setup.sh" bench
want 1
says 'sudo is not possible here'
not_called 'sudo [^-]'

# With sudo: itself as root, with what is missing.
program sudo '[[ $1 == -n ]] && exit' "shift 2; printf '%s\\n' \"\$@\" >>$installed"
run "$scratch/setup.sh" bench
want 0
called 'sudo .*/setup.sh --as-root wrk$'

# What is missing still is told.
sed -i /wrk/d "$installed"
program sudo
run "$scratch/setup.sh" bench
want 1
says 'still missing: wrk'

# Another system: what it needs.
rm "$bin/apt-get"
run "$scratch/setup.sh" bench
want 1
says 'this machine has no apt'
says 'nginx-light'
run ONSALE_SETUP=skip "$scratch/setup.sh" bench
want 0

run "$scratch/setup.sh" none
want 2
says "there is no group 'none'"
run "$scratch/setup.sh" --help
want 0
says 'postgres'

printf 'setup_test: %d runs as they should be\n' "$checks"
