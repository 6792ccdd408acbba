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
((${#benches[@]} > 0)) || benches=(http lane streams simplest waiting-room orders seats search
	product rush)
read -r -a flags <<<"${ONSALE_BENCH_FLAGS-}"

tools/setup.sh build bench postgres redis
for bench in "${benches[@]}"; do
	tools/build.sh release "${bench}_bench"
done
# The program NAME_bench and its result NAME.json, but for the holds of a subproject.
program()
{
	case $1 in
	simplest) echo build/release/simplest-implementation/simplest_bench ;;
	orders) echo build/release/tech-two-phase-payments/orders_bench ;;
	seats) echo build/release/tech-locking-and-transactions/seats_bench ;;
	search | product | rush) echo "build/release/real-implementation/$1_bench" ;;
	waiting-room) echo build/release/tech-waiting-room/waiting-room_bench ;;
	*) echo "build/release/bench/$1_bench" ;;
	esac
}
result()
{
	case $1 in
	simplest) echo bench/results/simplest-holds.json ;;
	rush) echo bench/results/product-rush.json ;;
	*) echo "bench/results/$1.json" ;;
	esac
}

for bench in "${benches[@]}"; do
	if ((${#flags[@]} > 0)); then
		"$(program "$bench")" "${flags[@]}"
	else
		case $bench in
		seats)
			more=(--guard-json bench/results/seats-guard.json
				--purchases-json bench/results/seats-purchases.json)
			;;
		product) more=(--journey-json bench/results/product-journey.json) ;;
		waiting-room) more=(--standing-json bench/results/waiting-room-standing.json) ;;
		*) more=() ;;
		esac
		"$(program "$bench")" --json "$(result "$bench")" "${more[@]}"
	fi
done
((${#flags[@]} > 0)) || tools/figures --write
