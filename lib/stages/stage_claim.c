/* Claiming rows and handing them to the act; keeping the leases of those in flight. */
#include <assert.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/stages/stages_internal.h"

enum { NOTE_SIZE = 100, RENEWALS_PER_LEASE = 3 };

static size_t take_rows(struct stage *stage, const struct postgres_result *result, struct id token,
	int64_t lease_end_ms);
static void hand_over(struct stage *stage, size_t count, int64_t lease_end_ms);
static size_t list_in_flight(struct stage *stage);
static void mark_kept(
	struct stage *stage, size_t count, const struct postgres_result *result, int64_t end_ms);

void stage_claim(struct stage *stage)
{
	struct postgres_statement claim = {.name = "stage_claim", .sql = stage->options.sql.claim};
	size_t batch_max = stage->options.batch_max;
	size_t room = stage->free.count < batch_max ? stage->free.count : batch_max;
	struct id token = id_new(clock_wall_ms(clock_system()));
	struct postgres_result result;
	stage_reach(stage, STAGE_BEFORE_CLAIM);
	/* Counted from before the statement, our idea of the lease ends before the database's. */
	int64_t lease_end_ms = stage_now_ms() + stage->options.lease_ms;
	enum status status = postgres_execute(stage->pg, &claim,
		POSTGRES_PARAMETERS(postgres_text(slice_of(stage->state)), postgres_uuid(token),
			postgres_bigint(stage->options.lease_ms), postgres_integer((int32_t)room)),
		&result);
	if (status != STATUS_OK) {
		/* What was claimed without our knowing it is due again when the lease is over. */
		stage_database_failed(stage, "claim");
		postgres_result_release(&result);
		return;
	}
	stage_database_good(stage);
	assert(result.row_count <= room && result.column_count >= 2);
	bool more = result.row_count == room;
	size_t claimed = result.row_count;
	size_t count = take_rows(stage, &result, token, lease_end_ms);
	postgres_result_release(&result);
	stage->claim_at_ms = more ? 0 : stage_now_ms() + stage->options.poll_ms;
	if (claimed > 0)
		stage_reach(stage, STAGE_AFTER_CLAIM);
	if (count > 0)
		hand_over(stage, count, lease_end_ms);
}

void stage_renew(struct stage *stage)
{
	struct postgres_statement renew = {.name = "stage_renew", .sql = stage->options.sql.renew};
	struct postgres_result result;
	size_t count = list_in_flight(stage);
	int64_t now_ms = stage_now_ms();
	enum status status = postgres_execute(stage->pg, &renew,
		POSTGRES_PARAMETERS(postgres_text(slice_of(stage->state)),
			postgres_text_array(stage->columns.keys, count),
			postgres_uuid_array(stage->columns.tokens, count),
			postgres_bigint(stage->options.lease_ms)),
		&result);
	if (status == STATUS_OK) {
		stage_database_good(stage);
		mark_kept(stage, count, &result, now_ms + stage->options.lease_ms);
		stage->renew_at_ms = now_ms + stage->options.lease_ms / RENEWALS_PER_LEASE;
		stage_reach(stage, STAGE_AFTER_RENEW);
	} else {
		stage_database_failed(stage, "renew");
	}
	postgres_result_release(&result);
}

/* A row out of the claim; everything of its earlier life is cleared but the arena. */
static struct stage_row *take_row(struct stage *stage, struct id token, int64_t lease_end_ms)
{
	struct stage_row *row = stage->free.first;
	struct arena arena = row->arena;
	stage_list_remove(&stage->free, row);
	memset(row, 0, stage->options.row_size);
	row->arena = arena;
	row->own.token = token;
	row->own.lease_end_ms = lease_end_ms;
	row->own.submitted_ns = clock_monotonic_ns(clock_system());
	row->own.place = STAGE_ROW_IN_FLIGHT;
	stage_list_add(&stage->in_flight, row);
	return row;
}

/* Whether the act may have the row; otherwise its outcome is set. */
static bool read_row(struct stage *stage, struct stage_row *row,
	const struct postgres_result *result, size_t index)
{
	const struct stage_ops *ops = stage->options.ops;
	char note[NOTE_SIZE];
	struct slice key = postgres_get_text(result, index, 0);
	assert(key.data);
	row->key = (struct slice){.data = arena_copy(&row->arena, key), .size = key.size};
	row->attempts = postgres_get_integer(result, index, 1);
	if (!row->key.data) {
		row->own.lost = true; /* Without its key nothing can be said of it. */
		return false;
	}
	if (row->attempts > stage->options.attempts_max) {
		(void)snprintf(note, sizeof note, "claimed %d times without an outcome",
			row->attempts - 1);
		stage_give_up(row, note);
		return false;
	}
	if (ops->read && !ops->read(stage->options.context, row, result, index)) {
		stage_retry(row, "the row could not be read", 0);
		return false;
	}
	return true;
}

/* Put the rows that the act is to have into stage->batch, and return how many. */
static size_t take_rows(struct stage *stage, const struct postgres_result *result, struct id token,
	int64_t lease_end_ms)
{
	size_t count = 0;
	if (stage->in_flight.count == 0)
		stage->renew_at_ms = stage_now_ms() + stage->options.lease_ms / RENEWALS_PER_LEASE;
	for (size_t i = 0; i < result->row_count; i++) {
		struct stage_row *row = take_row(stage, token, lease_end_ms);
		metrics_gauge_add(stage->metrics.in_flight, 1);
		if (read_row(stage, row, result, i))
			stage->batch[count++] = row;
		else
			stage_finish(stage, row);
	}
	metrics_counter_add(stage->metrics.claimed, result->row_count);
	return count;
}

/* A process that was stopped on the way here gives the rows back rather than to act on what is
 * another's by now. That is no fence, it only saves work. */
static void hand_over(struct stage *stage, size_t count, int64_t lease_end_ms)
{
	const struct stage_ops *ops = stage->options.ops;
	bool late = stage_now_ms() >= lease_end_ms;
	for (size_t i = 0; i < count && late; i++)
		stage_wait(stage->batch[i], 0);
	if (!late && ops->submit) {
		ops->submit(stage->options.context, stage->batch, count);
		return;
	}
	if (!late)
		ops->act(stage->options.context, stage->batch, count);
	for (size_t i = 0; i < count; i++)
		stage_finish(stage, stage->batch[i]);
}

/* Put the rows in flight into stage->batch and their keys and tokens beside it, sorted. */
static size_t list_in_flight(struct stage *stage)
{
	size_t count = 0;
	for (struct stage_row *row = stage->in_flight.first; row; row = row->own.next)
		stage->batch[count++] = row;
	stage_sort(stage->batch, count);
	for (size_t i = 0; i < count; i++) {
		stage->columns.keys[i] = stage->batch[i]->key;
		stage->columns.tokens[i] = stage->batch[i]->own.token;
	}
	return count;
}

/* Those that the renewal did not name are somebody else's. */
static void mark_kept(
	struct stage *stage, size_t count, const struct postgres_result *result, int64_t end_ms)
{
	size_t lost_count = 0;
	for (size_t i = 0; i < count; i++)
		stage->batch[i]->own.kept = false;
	for (size_t i = 0; i < result->row_count; i++) {
		struct stage_row *row = stage_find(stage->batch, count,
			postgres_get_text(result, i, 0), postgres_get_uuid(result, i, 1));
		assert(row);
		row->own.kept = true;
		row->own.lease_end_ms = end_ms;
	}
	for (size_t i = 0; i < count; i++) {
		struct stage_row *row = stage->batch[i];
		lost_count += !row->own.kept && !row->own.lost;
		row->own.lost = !row->own.kept;
	}
	if (lost_count > 0)
		log_warning("stage.lost", LOG_TEXT("stage", stage->name),
			LOG_INTEGER("rows", lost_count));
}
