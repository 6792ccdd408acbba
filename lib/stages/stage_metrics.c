/* What a stage counts. */
#include "lib/stages/stages_internal.h"

struct stage_metrics stage_open_metrics(struct metrics *metrics, const char *name)
{
	enum { CLAIMED, DONE, WAITED, RETRIED, STUCK, LOST, IN_FLIGHT, ACT, MOVED, COUNT };
	struct metrics_description descriptions[COUNT] = {
		[CLAIMED] = {.name = "stage_claimed", .help = "Rows claimed."},
		[DONE] = {.name = "stage_done", .help = "Rows moved to another state."},
		[WAITED] = {.name = "stage_waited", .help = "Rows put off without a fault."},
		[RETRIED] = {.name = "stage_retried", .help = "Rows whose act failed for now."},
		[STUCK] = {.name = "stage_stuck", .help = "Rows left to a person."},
		[LOST] = {.name = "stage_lost",
			.help = "Rows whose lease another had taken when they were done."},
		[IN_FLIGHT] = {.name = "stage_in_flight",
			.help = "Rows that are claimed and not yet handed back."},
		[ACT] = {.name = "stage_act_seconds",
			.unit = "seconds",
			.help = "From a row's claim until it is handed back."},
		[MOVED] = {.name = "stage_moved_rows",
			.unit = "rows",
			.help = "Rows per statement that moves them."},
	};
	const struct metrics_label label = {.name = "stage", .value = name};
	for (size_t i = 0; i < COUNT; i++) {
		descriptions[i].labels = &label;
		descriptions[i].label_count = 1;
	}
	return (struct stage_metrics){
		.claimed = metrics_add_counter(metrics, &descriptions[CLAIMED]),
		.done = metrics_add_counter(metrics, &descriptions[DONE]),
		.waited = metrics_add_counter(metrics, &descriptions[WAITED]),
		.retried = metrics_add_counter(metrics, &descriptions[RETRIED]),
		.stuck = metrics_add_counter(metrics, &descriptions[STUCK]),
		.lost = metrics_add_counter(metrics, &descriptions[LOST]),
		.in_flight = metrics_add_gauge(metrics, &descriptions[IN_FLIGHT]),
		.act = metrics_add_histogram(metrics, &descriptions[ACT], &metrics_latency_buckets),
		.moved = metrics_add_histogram(
			metrics, &descriptions[MOVED], &metrics_batch_buckets),
	};
}
