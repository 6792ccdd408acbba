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
		([$requests[0].operations[].operationId] | unique) as $wanted
		| {version: .info.version, sha256: $sha256, operations: ([.paths | to_entries[]
			| .key as $path | .value | to_entries[]
			| select(.value.operationId as $id | $wanted | index($id))
			| (.value.requestBody.content["application/x-www-form-urlencoded"].schema // {})
				as $form
			| [.value.parameters[]? | select(.in == "query")] as $query
			| (if .key == "get" then ($query | map({(.name): (.schema | parameter)}) | add)
				else ($form.properties // {} | map_values(parameter)) end) as $parameters
			| {(.value.operationId): {method: (.key | ascii_upcase), path: $path,
				closed: (.key == "get" or $form.additionalProperties == false),
				required: (if .key == "get"
					then [$query[] | select(.required) | .name]
					else $form.required // [] end),
				parameters: $parameters}}] | add)}' "$1"
}

for description; do
	describe "$description"
done | jq --slurp --sort-keys --compact-output '{descriptions: .}' |
	sed -E 's/("[A-Za-z_]+":\{"(enum|maxLength|types)")/\n\1/g; s/("(Get|Post)[A-Za-z]+":)/\n\1/g'
