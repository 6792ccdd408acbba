#!/usr/bin/env bash
# Whether demo/load.sh gets its venues and events to a server that is busy at first, each once, and
# says why where it cannot. The server is a stand-in for curl.
# shellcheck disable=SC2016 # Text of the programs that are made.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/bin" "$scratch/build/demo"
printf '#!/bin/sh\necho "{}"\n' >"$scratch/build/demo/make_venue"
# Answers by the lines of the file `answers`, one for each POST, and 201 when there are no more. A
# line is a status and what stands for the body.
cat >"$scratch/bin/curl" <<'CURL'
#!/bin/bash
while (($# > 0)); do
	case $1 in
	--output) output=$2 && shift ;;
	Idempotency-Key:*) key=${1#*: } ;;
	http://*) url=$1 ;;
	esac
	shift
done
if [[ $url == *limit=* ]]; then
	echo '{"items":[]}'
	exit
fi
read -r status body <"$ANSWERS" || { status=201 && body='{"venueId":"v","eventId":"e"}'; }
sed -i 1d "$ANSWERS"
echo "${url##*/} $key $status" >>"$POSTS"
[[ $status != none ]] || exit 7
printf '%s' "$body" >"$output"
printf '%s' "$status"
CURL
chmod +x "$scratch/bin/curl" "$scratch/build/demo/make_venue"
export ANSWERS=$scratch/answers POSTS=$scratch/posts

fail()
{
	printf 'load_test: %s\n' "$1" >&2
	cat "$POSTS" "$scratch/output" >&2
	exit 1
}

# load ANSWER…: sets `status`.
load()
{
	: >"$POSTS"
	printf '%s\n' "$@" | sed '/^$/d' >"$ANSWERS"
	status=0
	PATH=$scratch/bin:$PATH BASE=http://127.0.0.1:1 build=$scratch/build \
		ONSALE_DEMO_PAUSE_SECONDS=0 "$demo/load.sh" >"$scratch/output" 2>&1 || status=$?
}

venues=$(jq '[.[].venue] | unique | length' "$demo/events.json")
events=$(jq length "$demo/events.json")

load ''
((status == 0)) || fail 'a good server is not loaded'
[[ $(wc -l <"$POSTS") == $((venues + events)) ]] || fail 'not each is sent once'

load '503 {"title":"Busy"}' none '409 {}'
((status == 0)) || fail 'it gives up too early'
[[ $(wc -l <"$POSTS") == $((venues + events + 3)) ]] || fail 'not each is sent until it is taken'
[[ $(cut -d ' ' -f 2 "$POSTS" | head -n 4 | sort -u | wc -l) == 1 ]] ||
	fail 'a repetition has another key'
[[ $(grep ' 201$' "$POSTS" | cut -d ' ' -f 2 | sort -u | wc -l) == $((venues + events)) ]] ||
	fail 'two requests have one key'

load '422 {"title":"The plan is wrong"}'
((status != 0)) || fail 'it goes on although a venue is refused'
grep -q 'venues is answered by 422' "$scratch/output" || fail 'it does not say what was refused'
grep -q 'The plan is wrong' "$scratch/output" || fail 'it does not say why'
[[ $(wc -l <"$POSTS") == 1 ]] || fail 'what is refused is sent again'

mapfile -t busy < <(yes '503 {"title":"Busy"}' | head -n 100 || true)
load "${busy[@]}"
((status != 0)) || fail 'it does not give up'
grep -q 'venues is answered by 503' "$scratch/output" || fail 'it does not say where it gave up'

echo 'load_test: good'
