/* Transitions, a batch per statement, and what to do when the database does not want one. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/stages/stages_internal.h"

enum { NOTE_SIZE = 300, PARAMETERS_BEFORE_DATA = 8 };

_Static_assert(PARAMETERS_BEFORE_DATA + STAGE_DATA_MAX <= (int)POSTGRES_PARAMETERS_MAX,
	"a move has room for all its columns");

static bool move_rows(struct stage *stage, struct stage_row *rows[], size_t count);
static enum status send_move(struct stage *stage, struct stage_row *const rows[], size_t count,
	struct postgres_result *result);
static void settle(struct stage *stage, struct stage_row *rows[], size_t count,
	const struct postgres_result *result);
static bool move_halves(struct stage *stage, struct stage_row *rows[], size_t count);

void stage_move(struct stage *stage)
{
	bool good = true;
	while (good && stage->finished.count > 0) {
		size_t count = 0;
		for (struct stage_row *row = stage->finished.first;
			row && count < stage->options.batch_max; row = row->own.next)
			stage->batch[count++] = row;
		/* In one order everywhere, so that two processes do not deadlock. */
		stage_sort(stage->batch, count);
		stage_reach(stage, STAGE_AFTER_ACT);
		good = move_rows(stage, stage->batch, count);
	}
}

/* Move them, and free those whose fate is known. False: the database did not answer, the rest is
 * still finished and is moved later. */
static bool move_rows(struct stage *stage, struct stage_row *rows[], size_t count)
{
	struct postgres_result result;
	enum status status = send_move(stage, rows, count, &result);
	if (status == STATUS_OK) {
		stage_database_good(stage);
		settle(stage, rows, count, &result);
	}
	postgres_result_release(&result);
	if (status == STATUS_OK)
		return true;
	if (status == STATUS_REFUSED)
		return move_halves(stage, rows, count);
	for (size_t i = 0; i < count && status == STATUS_UNKNOWN; i++)
		rows[i]->own.doubtful = true;
	stage_database_failed(stage, "move");
	return false;
}

static void fill_columns(struct stage *stage, struct stage_row *const rows[], size_t count)
{
	struct stage_columns *columns = &stage->columns;
	for (size_t i = 0; i < count; i++) {
		const struct stage_row *row = rows[i];
		bool done = row->outcome == STAGE_DONE, waits = row->outcome == STAGE_WAITS;
		columns->keys[i] = row->key;
		columns->tokens[i] = row->own.token;
		columns->states[i] =
			done ? slice_of(row->next_state) : (struct slice){.data = NULL};
		columns->delays[i] = row->delay_ms;
		columns->attempts[i] = done ? 0 : row->attempts - (waits ? 1 : 0);
		columns->stuck[i] = row->outcome == STAGE_STUCK;
		columns->notes[i] = row->note;
		for (size_t data = 0; data < stage->options.sql.data_count; data++)
			columns->data[data * stage->options.batch_max + i] = row->data[data];
	}
}

static enum status send_move(struct stage *stage, struct stage_row *const rows[], size_t count,
	struct postgres_result *result)
{
	struct postgres_statement move = {.name = "stage_move", .sql = stage->options.sql.move};
	const struct stage_columns *columns = &stage->columns;
	fill_columns(stage, rows, count);
	struct postgres_parameter parameters[PARAMETERS_BEFORE_DATA + STAGE_DATA_MAX] = {
		postgres_text(slice_of(stage->state)),
		postgres_text_array(columns->keys, count),
		postgres_uuid_array(columns->tokens, count),
		postgres_text_array(columns->states, count),
		postgres_bigint_array(columns->delays, count),
		postgres_integer_array(columns->attempts, count),
		postgres_boolean_array(columns->stuck, count),
		postgres_text_array(columns->notes, count),
	};
	size_t parameter_count = PARAMETERS_BEFORE_DATA;
	for (size_t data = 0; data < stage->options.sql.data_count; data++)
		parameters[parameter_count++] =
			postgres_text_array(columns->data + data * stage->options.batch_max, count);
	metrics_histogram_record(stage->metrics.moved, (int64_t)count);
	return postgres_execute(stage->pg, &move, parameters, parameter_count, result);
}

static void count_outcome(struct stage *stage, const struct stage_row *row)
{
	switch (row->outcome) {
	case STAGE_DONE:
		metrics_counter_add(stage->metrics.done, 1);
		break;
	case STAGE_WAITS:
		metrics_counter_add(stage->metrics.waited, 1);
		break;
	case STAGE_RETRIED:
		metrics_counter_add(stage->metrics.retried, 1);
		break;
	case STAGE_STUCK:
		metrics_counter_add(stage->metrics.stuck, 1);
		log_error("stage.stuck", LOG_TEXT("stage", stage->name), LOG_SLICE("key", row->key),
			LOG_SLICE("note", row->note));
		break;
	case STAGE_NO_OUTCOME:
		assert(false);
	}
}

/* A row that comes back to this stage later is looked for then, and not only at the next poll. */
static void expect_return(struct stage *stage, const struct stage_row *row)
{
	bool stays = row->outcome != STAGE_DONE || strcmp(row->next_state, stage->state) == 0;
	int64_t due_ms = stage_now_ms() + row->delay_ms;
	if (stays && row->delay_ms >= 0 && due_ms < stage->claim_at_ms)
		stage->claim_at_ms = due_ms;
}

/* The answer names the rows that were moved. The others' leases were lost, unless an earlier move
 * went through without our hearing of it. */
static void settle(struct stage *stage, struct stage_row *rows[], size_t count,
	const struct postgres_result *result)
{
	size_t moved_count = 0;
	for (size_t i = 0; i < result->row_count; i++) {
		struct stage_row *row = stage_find(rows, count, postgres_get_text(result, i, 0),
			postgres_get_uuid(result, i, 1));
		assert(row && !row->own.moved);
		row->own.moved = true;
	}
	for (size_t i = 0; i < count; i++) {
		struct stage_row *row = rows[i];
		if (row->own.moved) {
			count_outcome(stage, row);
			expect_return(stage, row);
			rows[i] = rows[moved_count];
			rows[moved_count++] = row;
		} else if (!row->own.doubtful) {
			metrics_counter_add(stage->metrics.lost, 1);
		}
	}
	stage_reach(stage, STAGE_AFTER_MOVE);
	if (moved_count > 0 && stage->options.ops->moved)
		stage->options.ops->moved(stage->options.context, rows, moved_count);
	for (size_t i = 0; i < count; i++)
		stage_free_row(stage, rows[i]);
}

/* The database refuses this one row. It is left to a person; if that is refused too, nothing can be
 * written of it at all, and its lease runs out. */
static bool refuse_row(struct stage *stage, struct stage_row *row)
{
	char note[NOTE_SIZE];
	(void)snprintf(note, sizeof note, "the database refused the transition: %s",
		postgres_error(stage->pg)->message);
	if (row->own.refused) {
		log_error("stage.refused", LOG_TEXT("stage", stage->name),
			LOG_SLICE("key", row->key), LOG_TEXT("note", note));
		stage_free_row(stage, row);
		return true;
	}
	row->own.refused = true;
	memset(row->data, 0, sizeof row->data);
	stage_give_up(row, note);
	return move_rows(stage, &row, 1);
}

/* One bad row must not fail its neighbours: look for it by halves, as deep as the logarithm of a
 * batch. */
static bool move_halves(struct stage *stage, struct stage_row *rows[], size_t count)
{
	if (count == 1)
		return refuse_row(stage, rows[0]);
	size_t half = count / 2;
	return move_rows(stage, rows, half) && move_rows(stage, rows + half, count - half);
}

/* ---- Finding rows ---- */

static int compare(struct slice key, struct id token, const struct stage_row *row)
{
	size_t size = key.size < row->key.size ? key.size : row->key.size;
	int order = memcmp(key.data, row->key.data, size);
	if (order == 0)
		order = (key.size > row->key.size) - (key.size < row->key.size);
	return order ? order : memcmp(token.bytes, row->own.token.bytes, sizeof token.bytes);
}

static int compare_rows(const void *a, const void *b)
{
	const struct stage_row *row = *(struct stage_row *const *)a;
	return compare(row->key, row->own.token, *(struct stage_row *const *)b);
}

void stage_sort(struct stage_row *rows[], size_t count)
{
	qsort(rows, count, sizeof(struct stage_row *), compare_rows);
}

struct stage_row *stage_find(
	struct stage_row *const rows[], size_t count, struct slice key, struct id token)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(key, token, rows[middle]);
		if (order == 0)
			return rows[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
