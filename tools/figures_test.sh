#!/usr/bin/env bash
# Whether tools/figures can fail: a small tree passes once its tables are written, and each way in
# which a table or a result can be wrong is found. Each case changes one thing of the sound tree.
# shellcheck disable=SC2016 # Backticks are text of the files that are made.
set -euo pipefail
figures=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/figures
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
output=$scratch/output
checks=0

make_tree()
{
	rm -rf "$tree"
	mkdir -p "$tree"/{bench/results,part}
	cat >"$tree/bench/results/holds.json" <<-'RESULT'
	{
	  "name": "holds", "title": "Holds", "date": "2026-11-22T10:00:00Z",
	  "rounds": 5,
	  "machine": {"cores": 2, "memoryGiB": 23.5, "kernel": "6.1.0", "cpu": "a CPU"},
	  "limits": ["20,000 descriptors per process"],
	  "notes": ["Refusals are counted apart."],
	  "columns": [
	    {"key": "what", "title": "Server | client"},
	    {"key": "rate", "title": "Holds/s"},
	    {"key": "cpu", "title": "CPU µs per hold", "digits": 1}
	  ],
	  "rows": [
	    {"what": "ours", "cpu": 8.25,
	      "rate": {"median": 1234567.8, "worst": 999, "rounds": [999,2e6,1e6,1234567.8,2e6]}},
	    {"what": "pgbench", "cpu": null, "rate": {"median": 1000, "worst": 0.4}}
	  ],
	  "ratios": [
	    {"id": "G2", "what": "ours ÷ `pgbench`", "value": 3.5, "worst": 3.1, "must": 3,
	      "aim": 4.5, "rounds": [3.1, 3.5, 3.4, 3.6, 3.7]},
	    {"id": "G5", "what": "bytes", "value": 1.7, "worst": 1.9, "must": 3.2, "aim": 1.8,
	      "better": "less", "digits": 1},
	    {"id": "G6", "what": "sends", "value": 0.7, "worst": 0.6, "must": 0.8,
	      "missed": "the kernel copies | twice"}
	  ]
	}
	RESULT
	cat >"$tree/part/README.md" <<-'PAGE'
		# Part
		```text
		<!-- figures: in code, this is no marker -->
		```
		<!-- figures: holds -->
		<!-- /figures -->
		The end.
	PAGE
}

complain()
{
	printf 'figures_test: %s: %s\n' "$name" "$1" >&2
	sed 's/^/    /' "$output" >&2
	exit 1
}

run()
{
	status=0
	"$figures" "$@" "$tree" >"$output" 2>&1 || status=$?
	checks=$((checks + 1))
}

passes()
{
	name=$1
	shift
	run "$@"
	((status == 0)) || complain 'does not pass'
}

# fails NAME WHAT: the tree as it is does, and says so. Then it is made anew.
fails()
{
	name=$1
	run
	((status == 1)) || complain "ends with status $status, not 1"
	grep -qF -- "$2" "$output" || complain "does not say '$2'"
	make_written_tree
}

# refuses FILTER WHAT: with the result so changed; and --write does not hide it.
refuses()
{
	local result=$tree/bench/results/holds.json
	jq "$1" "$result" >"$scratch/changed"
	cp "$scratch/changed" "$result"
	cp "$tree/part/README.md" "$scratch/page"
	name="$1, written"
	run --write
	((status == 1)) || complain "ends with status $status, not 1"
	cmp -s "$tree/part/README.md" "$scratch/page" || complain 'writes it nevertheless'
	fails "$1" "holds.json: $2"
}

make_written_tree()
{
	make_tree
	"$figures" --write "$tree" >/dev/null
}

check_tables()
{
	make_tree
	fails 'a table that is not written' 'README.md: its figures are not those'
	make_tree
	passes 'writing' --write
	passes 'what is written'
	cp "$tree/part/README.md" "$scratch/page"
	passes 'writing again' --write
	cmp "$scratch/page" "$tree/part/README.md" || complain 'changes what was right'
	diff -u - "$tree/part/README.md" <<-'PAGE' >"$output" || complain 'the table is another'
		# Part
		```text
		<!-- figures: in code, this is no marker -->
		```
		<!-- figures: holds -->

		**Holds**

		| Server \| client | Holds/s | CPU µs per hold |
		|---|---:|---:|
		| ours | 1,234,568 (999) | 8.3 |
		| pgbench | 1,000 (0) | – |

		| | Ratio | Median | Worst | Must | Aim | |
		|---|---|---:|---:|---:|---:|---|
		| G2 | ours ÷ `pgbench` | 3.50 | 3.10 | ≥ 3 | ≥ 4.5 | kept |
		| G5 | bytes | 1.7 | 1.9 | ≤ 3.2 | ≤ 1.8 | aim reached |
		| G6 | sends | 0.70 | 0.60 | ≥ 0.8 | – | **missed**: the kernel copies \| twice |

		Measured on 2026-11-22 in 5 rounds; printed is the median (worst).
		Machine: 2 cores (a CPU), 23.5 GiB, Linux 6.1.0.
		Limits: 20,000 descriptors per process.

		- Refusals are counted apart.

		<!-- /figures -->
		The end.
	PAGE
}

check_pages()
{
	local page=$tree/part/README.md
	make_written_tree
	sed -i 's/| 3.50 |/| 4.50 |/' "$page"
	fails 'a figure that was made prettier' '-| G2 | ours ÷ `pgbench` | 4.50'
	sed -i '/^| pgbench/d' "$page"
	fails 'a row that was left out' '+| pgbench'
	sed -i 's/figures: holds/figures: sales/' "$page"
	fails 'a marker without a result' "README.md:5: there is no sound result 'sales'"
	sed -i 's|figures: holds|figures: ../results/holds|' "$page"
	fails 'a marker that leads elsewhere' 'README.md:5: there is no sound result'
	sed -i '/\/figures/d' "$page"
	fails 'a marker that is not closed' 'README.md:5: the marker is not closed'
	sed -i '/figures: holds/d' "$page"
	fails 'a marker that is not opened' 'this closes a marker that was not opened'
	sed -i '1s/$/\n<!-- figures: holds -->/' "$page"
	fails 'a marker in another' 'README.md:2: the marker is not closed before the next'
	sed -i 's/figures: holds -->/figures: holds --> here/' "$page"
	fails 'text behind a marker' 'README.md:5: the marker does not stand on one line'
	rm "$tree/bench/results/holds.json"
	fails 'a result that is gone' "there is no sound result 'holds'"
}

check_results()
{
	make_written_tree
	echo '{"name":' >"$tree/bench/results/holds.json"
	fails 'no JSON' 'holds.json: jq: error'
	cat "$tree/bench/results/holds.json" >>"$tree/bench/results/holds.json.twice"
	mv "$tree/bench/results/holds.json.twice" "$tree/bench/results/two.json"
	fails 'a file with another name' 'two.json: its name is "holds", not that of the file'
	: >"$tree/bench/results/holds.json"
	fails 'an empty file' 'holds.json: it is not one JSON value'
	refuses '[.]' 'the file is no object'
	refuses 'del(.title)' 'it lacks the text title'
	refuses '.date = "yesterday"' 'its date is neither'
	refuses '.rounds = 4' 'its rounds are no number from 5 on'
	refuses 'del(.machine.cpu)' 'machine lacks the text cpu'
	refuses '.machine.cores = "2"' 'machine lacks the number cores'
	refuses 'del(.limits)' 'limits is no list of texts'
	refuses '.notes = ["a\nb"]' 'notes is no list of texts'
	refuses '.comment = 1' "the file has a member 'comment' that is unknown"
	refuses '.columns = []' 'columns is no list with members'
	refuses '.columns[1].digits = 1.5' 'columns[1].digits is no number'
	refuses '.columns += [.columns[0]]' 'columns has a key twice'
	refuses '.rows = []' 'rows is no list with members'
	refuses 'del(.rows[1].rate)' "rows[1] lacks 'rate'"
	refuses '.rows[0].speed = 1' "rows[0] has a member 'speed' that is unknown"
	refuses '.rows[1].rate = true' 'rows[1].rate is neither'
	refuses 'del(.rows[1].rate.worst)' 'rows[1].rate lacks the number median or worst'
	refuses '.rows[0].rate.median = 2e6' 'rows[0].rate.median is 2000000, and that of'
	refuses '.rows[0].rate.worst = 1000' 'rows[0].rate.worst is 1000, and that of its rounds'
	refuses '.rows[0].rate.rounds = [1]' 'rows[0].rate.rounds has 1 numbers'
}

check_ratios()
{
	refuses '.ratios[2] |= del(.missed)' 'ratios[2] (G6) is 0.7, and must be 0.8'
	refuses '.ratios[1].value = 3.3 | .ratios[1].worst = 3.4' 'ratios[1] (G5) is 3.3, and must'
	refuses '.ratios[2].missed = ""' 'ratios[2].missed gives no reason'
	refuses '.ratios[0].missed = "no luck"' 'ratios[0] (G2) is said to be missed, and is not'
	refuses '.ratios[0].value = 3.6' 'ratios[0].value is 3.6, and that of its rounds 3.5'
	refuses '.ratios[0].worst = 3.2' 'ratios[0].worst is 3.2, and that of its rounds is [3.1]'
	refuses '.ratios[1].worst = 1.6' 'ratios[1].worst is better than its value'
	refuses '.ratios[0].aim = 2' 'ratios[0].aim is easier than must'
	refuses '.ratios[0].better = "most"' 'ratios[0].better is neither more nor less'
	refuses 'del(.ratios[0].must)' 'ratios[0] lacks the number value, worst or must'
	refuses 'del(.ratios[0].id)' 'ratios[0] lacks the text id or what'
	refuses '.ratios[0].masst = 1' "ratios[0] has a member 'masst' that is unknown"
	refuses 'del(.ratios)' 'ratios is no list'
}

check_tables
check_pages
check_results
check_ratios
printf 'figures_test: %d runs, all as they should be\n' "$checks"
