#!/usr/bin/env bash
# bench/run.sh [NAME…]: build for release, run the benches (all, or those named), write their
# results to bench/results and the tables of every README that shows them.
#
# ONSALE_BENCH_FLAGS is given to each bench, for instance '--rounds=1'; with it nothing is written,
# since a short run is no result. Nothing else should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
--help | -h)
	sed -n '2,6s/^# //p' bench/run.sh
	exit 0
	;;
esac
benches=("$@")
((${#benches[@]} > 0)) || benches=(http lane streams)
read -r -a flags <<<"${ONSALE_BENCH_FLAGS-}"

tools/setup.sh build bench
for bench in "${benches[@]}"; do
	tools/build.sh release "${bench}_bench"
done
for bench in "${benches[@]}"; do
	if ((${#flags[@]} > 0)); then
		"build/release/bench/${bench}_bench" "${flags[@]}"
	else
		"build/release/bench/${bench}_bench" --json "bench/results/$bench.json"
	fi
done
((${#flags[@]} > 0)) || tools/figures --write
