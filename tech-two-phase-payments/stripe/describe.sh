#!/usr/bin/env bash
# describe.sh SPEC3.json…: what Stripe's published API descriptions (github.com/stripe/openapi, file
# openapi/spec3.json of a release) say of the operations that requests.json records: for each its
# method, path and parameters. It prints what described.json holds:
#
#	tech-two-phase-payments/stripe/describe.sh OLDER.json NEWER.json > …/described.json
#
# The adapter's version lies between the two that are there, and its requests are held against both.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

if [[ $# -eq 0 || $1 == --help || $1 == -h ]]; then
	sed -n '2,8s/^#$//p; 2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
	exit 0
fi

describe()
{
	jq --sort-keys --arg sha256 "$(sha256sum <"$1" | cut -d ' ' -f 1)" \
		--slurpfile requests "$here/requests.json" '
		def types: [.type // (.anyOf // [] | .[].type)] | unique;
		def parameter: {types: types} + if .enum then {enum} else {} end
			+ if .maxLength then {maxLength} else {} end;
		def wanted: $requests[0].operations | map(.operationId) | unique;
		def by_query: [.parameters[]? | select(.in == "query")]
			| {closed: true, required: map(select(.required) | .name),
				parameters: (map({(.name): (.schema | parameter)}) | add)};
		def by_form: .requestBody.content["application/x-www-form-urlencoded"].schema
			| {closed: (.additionalProperties == false), required: (.required // []),
				parameters: (.properties | map_values(parameter))};
		def operation: (if .key == "get" then .value | by_query else .value | by_form end)
			+ {method: (.key | ascii_upcase)};
		{version: .info.version, sha256: $sha256, operations: ([.paths | to_entries[]
			| {path: .key} as $path | .value | to_entries[]
			| select(.value.operationId as $id | wanted | index($id))
			| {(.value.operationId): (operation + $path)}] | add)}' "$1"
}

for description; do
	describe "$description"
done | jq --slurp --sort-keys --compact-output '{descriptions: .}' |
	sed -E 's/("[A-Za-z_]+":\{"(enum|maxLength|types)")/\n\1/g
		s/("(Get|Post)[A-Za-z]+":)/\n\1/g'
