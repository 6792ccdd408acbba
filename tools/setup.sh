#!/usr/bin/env bash
# tools/setup.sh GROUP…: install the Debian packages of these groups that are missing.
#
# When nothing is missing, this is one dpkg-query and needs no network and no rights. Otherwise apt
# installs them by name, with sudo when we are not root. No installed server is started: ours are
# private instances (services/), and the machine's own are none of our business.
set -euo pipefail

declare -A groups=(
	[build]='gcc libc6-dev cmake ninja-build pkg-config ca-certificates curl jq
		libmicrohttpd-dev libjansson-dev libpq-dev libhiredis-dev
		libsodium-dev libcurl4-openssl-dev libssl-dev libcmocka-dev libqrencode-dev
		zlib1g-dev'
	[test]='clang-format-14 shellcheck python3-prometheus-client yq openssl
		chromium python3-websocket python3-jsonschema
		librsvg2-bin zbar-tools'
	[postgres]='postgresql postgresql-client'
	[orders]='postgresql postgresql-client'
	[redis]='redis-server redis-tools'
	[clang]='clang-14'
	[bench]='wrk nginx-light openssl'
	[fuzz]='clang-14 llvm-14 libclang-rt-14-dev'
	[coverage]='gcovr'
	[lint]='clang-format-14 clang-14 clang-tidy-14 cppcheck shellcheck'
)
lock_seconds_max=600

usage()
{
	cat <<-USAGE
		usage: tools/setup.sh GROUP…
		Installs the Debian packages of the groups that are missing. ONSALE_SETUP=skip in
		the environment leaves everything as it is. Groups:
	USAGE
	local group
	for group in "${!groups[@]}"; do
		printf '  %-10s %s\n' "$group" "$(tr -s '\n\t' '  ' <<<"${groups[$group]}")"
	done | sort
}

say()
{
	printf 'tools/setup.sh: %s\n' "$*" >&2
}

# find_missing PACKAGE…: set `missing` to those that are not installed.
find_missing()
{
	local installed package
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
	missing=()
	for package in "$@"; do
		grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
	done
}

# As root. Debian asks /usr/sbin/policy-rc.d, where there is one, before it starts an installed
# server; ours says no while we install. One that somebody else put there stays.
install_as_root()
{
	# Not local: the trap outlives this function.
	policy=/usr/sbin/policy-rc.d
	local mark='# Put here by tools/setup.sh while it installs.'
	local clusters=/etc/postgresql-common/createcluster.conf
	exec {lock}>/run/lock/onsale-setup
	flock -w "$lock_seconds_max" "$lock" || { say 'another setup does not end'; exit 1; }
	# One of ours that is still there was left by a setup that was killed.
	if [[ ! -e $policy ]] || grep -qsF "$mark" "$policy"; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
		chmod 755 "$policy"
	fi
	# Else Debian's package makes and starts a cluster of its own.
	if [[ " $* " == *' postgresql '* && ! -e $clusters ]]; then
		mkdir -p "${clusters%/*}"
		echo 'create_main_cluster = false' >"$clusters"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update {lock}>&-
	apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout="$lock_seconds_max" \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" {lock}>&-
}

# Whether sudo gets us on: without a question, or with somebody there to answer it.
can_sudo()
{
	command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }
}

main()
{
	local packages=() group names
	for group in "$@"; do
		if [[ -z ${groups[$group]-} ]]; then
			say "there is no group '$group'"
			usage >&2
			exit 2
		fi
		read -r -d '' -a names <<<"${groups[$group]}" || true
		packages+=("${names[@]}")
	done
	[[ ${ONSALE_SETUP-} != skip ]] || return 0
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "this machine has no apt. It needs what these Debian packages hold:"
		say "    ${packages[*]}"
		say 'and set ONSALE_SETUP=skip'
		exit 1
	fi
	find_missing "${packages[@]}"
	((${#missing[@]} > 0)) || return 0
	say "installing ${missing[*]}"
	if ((EUID == 0)); then
		("$0" --as-root "${missing[@]}") >&2
	elif can_sudo; then
		sudo "$0" --as-root "${missing[@]}" >&2
	else
		say 'this needs root, and sudo is not possible here. Let somebody who may run:'
		say "    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
		exit 1
	fi
	find_missing "${packages[@]}"
	((${#missing[@]} == 0)) || { say "still missing: ${missing[*]}"; exit 1; }
}

case ${1---help} in
--help | -h) usage ;;
--as-root) shift && install_as_root "$@" ;;
*) main "$@" ;;
esac
