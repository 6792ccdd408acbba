/* What the files of lib/stages share; nobody else includes it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/stages/stages.h"

#define STAGE_NEVER INT64_MAX

struct stage_metrics {
	struct metrics_counter *claimed, *done, *waited, *retried, *stuck, *lost;
	struct metrics_gauge *in_flight;
	struct metrics_histogram *act, *moved;
};

/* A list of rows by their own.previous and own.next. */
struct stage_list {
	struct stage_row *first, *last;
	size_t count;
};

/* The parameters of a move or a renewal, one array per column. */
struct stage_columns {
	struct slice *keys;
	struct id *tokens;
	struct slice *states;
	int64_t *delays;
	int32_t *attempts;
	bool *stuck;
	struct slice *notes;
	struct slice *data; /* STAGE_DATA_MAX arrays of batch_max, one behind the other. */
};

struct stage {
	struct stage_options options;
	char name[STAGE_NAME_SIZE];
	char state[STAGE_NAME_SIZE];
	struct postgres *pg;
	struct stage_metrics metrics;
	struct stage_columns columns;

	char *rows;               /* in_flight_max of row_size. */
	struct stage_row **batch; /* Room for a batch, and for all rows in flight. */
	struct stage_list free;
	struct stage_list in_flight;
	struct stage_list finished;

	/* Monotonic, in ms: nothing of the kind happens before. */
	int64_t claim_at_ms;
	int64_t renew_at_ms;
	int64_t database_at_ms; /* After a failure of the database. */
	int failures;           /* Of the database, in a row. */

	int wake_fd;
	atomic_bool woken;
	atomic_bool stopping;
	_Atomic int64_t stop_at_ms;
	bool started;
	pthread_t thread;
};

/* stage.c */
int64_t stage_now_ms(void);
void stage_list_add(struct stage_list *list, struct stage_row *row);
void stage_list_remove(struct stage_list *list, struct stage_row *row);

/* Tell a test where we are. */
static inline void stage_reach(struct stage *stage, enum stage_point point)
{
	if (stage->options.ops->at)
		stage->options.ops->at(stage->options.context, point);
}

/* Note that the database answered, or did not: after failures there is a pause that grows. */
void stage_database_good(struct stage *stage);
void stage_database_failed(struct stage *stage, const char *what);

/* Take a row that was in flight, with its outcome, to those that wait for their move. */
void stage_finish(struct stage *stage, struct stage_row *row);

/* Forget a row. */
void stage_free_row(struct stage *stage, struct stage_row *row);

/* stage_claim.c: claim what there is room for and hand it to the act; renew all leases. */
void stage_claim(struct stage *stage);
void stage_renew(struct stage *stage);

/* stage_move.c: move what is finished, a batch per statement, until there is none or the database
 * fails. */
void stage_move(struct stage *stage);

/* Order rows by key and token, and find the one that an answer names. NULL: none. */
void stage_sort(struct stage_row *rows[], size_t count);
struct stage_row *stage_find(
	struct stage_row *const rows[], size_t count, struct slice key, struct id token);

/* stage_metrics.c */
struct stage_metrics stage_open_metrics(struct metrics *metrics, const char *name);
