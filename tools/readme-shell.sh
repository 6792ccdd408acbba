# shellcheck shell=bash
# The one shell that tools/readme lets a README's blocks run in.
#
# DESIGN. The blocks are sourced one after another, so that a variable of one is there in the next,
# as in a reader's terminal. Unlike in a terminal, a command that fails, or a variable that is not
# set, ends the shell: a README whose reader has to look over such things lies. Requests come on
# standard input, one line each, and are answered on standard output:
#
#	run BLOCK OUTPUT      `done 0`, or `ended STATUS` when the block has ended the shell
#	stream BLOCK OUTPUT   `stream PGID`, then `done STATUS`; the caller cuts it off by killing
#	                      the group. It runs in a subshell, so its variables are lost.
#
# $1 is the folder of tools/readme with the pipe for answers, `from`. The line that runs at the
# moment is noted in `line` there, as the README counts.

readme_line=$1/line
readme_answers=$1/from
# Streams are cut off, and what a program then still holds in its buffer would be missing, which it
# is not on a reader's terminal. This is how stdbuf sets it.
readme_unbuffered=$(stdbuf -oL env | grep -E '^(LD_PRELOAD|_STDBUF_O)=')
exec 8<&0 9>&1 </dev/null >/dev/null 2>&1

# The note says where a block is, and not what this file does around it. Line 1, which no block has,
# is that of the trap below.
readme_note()
{
	[[ ${BASH_SOURCE[1]} != "$readme_block" || $1 == 1 ]] ||
		printf '%d\n' "$1" >|"$readme_line"
}

# A block that ends the shell still has descriptor 9 closed, so the pipe is opened again.
readme_ended()
{
	printf "ended %d\n" "$1" >"$readme_answers"
}

readme_strict()
{
	set -euTo pipefail
	shopt -s inherit_errexit
	trap 'readme_note "$LINENO"' DEBUG
}

trap 'readme_ended "$?"' EXIT
while read -r readme_request readme_block readme_output <&8; do
	case $readme_request in
	run)
		readme_strict
		# shellcheck source=/dev/null
		source "$readme_block" >"$readme_output" 2>&1 8>&- 9>&-
		trap - DEBUG
		set +euT
		printf 'done 0\n' >&9
		;;
	stream)
		set -m
		(
			set +m
			# shellcheck disable=SC2086,SC2163 # It holds the names.
			[[ -z $readme_unbuffered ]] || export ${readme_unbuffered?}
			readme_strict
			# shellcheck source=/dev/null
			source "$readme_block"
		) >"$readme_output" 2>&1 8>&- 9>&- &
		set +m
		printf 'stream %d\n' "$!" >&9
		readme_status=0
		wait "$!" || readme_status=$?
		printf 'done %d\n' "$readme_status" >&9
		;;
	esac
done
trap - EXIT
