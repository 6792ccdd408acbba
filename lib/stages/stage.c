/* A stage's life, its turns, and the rows' way through them: free, in flight, finished, free.
 *
 * Everything but stage_wake() and stage_stop() belongs to the thread that drives the stage, so the
 * only things shared are three atomics and an eventfd. A wake is noted before it is signalled and
 * taken before the claim, so a commit that was made before stage_wake() is seen by that claim or by
 * a later one. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/stages/stages_internal.h"

enum {
	WAIT_MS_MAX = 3600 * 1000,
	PAUSE_MS_MIN = 20, /* After a failure of the database; doubles each time. */
	PAUSE_MS_MAX = 1000,
	COLLECT_MS = 20,       /* How often a stage without a thread wants to collect. */
	THREAD_NAME_SIZE = 16, /* Linux allows no more. */
	NOTE_SIZE_MAX = 500,
};

static struct stage_options with_defaults(const struct stage_options *options);
static void check_options(const struct stage_options *options);
static enum status open_database(struct stage *stage);
static enum status allocate(struct stage *stage);
static void *run(void *context);
static bool is_over(struct stage *stage);
static void take_wake(struct stage *stage);
static int64_t next_turn_ms(struct stage *stage);
static void wait_or_collect(struct stage *stage, int64_t timeout_ms);
static void settle_outcome(struct stage *stage, struct stage_row *row);
static int64_t backoff_ms(const struct stage *stage, int attempts);

enum status stage_open(const struct stage_options *options, struct stage **result)
{
	check_options(options);
	struct stage *stage = calloc(1, sizeof *stage);
	if (!stage)
		return STATUS_UNAVAILABLE;
	stage->options = with_defaults(options);
	(void)snprintf(stage->name, sizeof stage->name, "%s", options->name);
	(void)snprintf(stage->state, sizeof stage->state, "%s", options->state);
	stage->options.name = stage->name;
	stage->options.state = stage->state;
	stage->metrics = stage_open_metrics(options->metrics, stage->name);
	stage->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stage->wake_fd < 0 || allocate(stage) != STATUS_OK ||
		open_database(stage) != STATUS_OK) {
		stage_close(stage);
		return STATUS_UNAVAILABLE;
	}
	*result = stage;
	return STATUS_OK;
}

enum status stage_start(struct stage *stage)
{
	char name[THREAD_NAME_SIZE];
	assert(!stage->started);
	if (pthread_create(&stage->thread, NULL, run, stage) != 0)
		return STATUS_UNAVAILABLE;
	stage->started = true;
	(void)snprintf(name, sizeof name, "%.*s", THREAD_NAME_SIZE - 1, stage->name);
	(void)pthread_setname_np(stage->thread, name);
	return STATUS_OK;
}

int64_t stage_step(struct stage *stage, int64_t timeout_ms)
{
	take_wake(stage);
	int64_t now_ms = stage_now_ms();
	if (!atomic_load(&stage->stopping) && stage->free.count > 0 &&
		now_ms >= stage->claim_at_ms && now_ms >= stage->database_at_ms)
		stage_claim(stage);

	int64_t wait_ms = next_turn_ms(stage) - stage_now_ms();
	wait_ms = wait_ms < 0 ? 0 : wait_ms;
	wait_or_collect(stage, wait_ms < timeout_ms ? wait_ms : timeout_ms);

	if (stage->finished.count > 0 && stage_now_ms() >= stage->database_at_ms)
		stage_move(stage);
	now_ms = stage_now_ms();
	if (stage->in_flight.count > 0 && now_ms >= stage->renew_at_ms &&
		now_ms >= stage->database_at_ms)
		stage_renew(stage);

	int64_t next_ms = next_turn_ms(stage);
	int64_t collect_ms = stage_now_ms() + COLLECT_MS;
	return stage->in_flight.count > 0 && next_ms > collect_ms ? collect_ms : next_ms;
}

void stage_wake(struct stage *stage)
{
	const uint64_t one = 1;
	if (atomic_exchange(&stage->woken, true))
		return; /* Whoever set it also wakes. */
	ssize_t written = write(stage->wake_fd, &one, sizeof one);
	assert(written == sizeof one || errno == EAGAIN);
	if (stage->options.ops->wake)
		stage->options.ops->wake(stage->options.context);
}

size_t stage_stop(struct stage *stage, int64_t timeout_ms)
{
	atomic_store(&stage->stop_at_ms, stage_now_ms() + timeout_ms);
	atomic_store(&stage->stopping, true);
	stage_wake(stage);
	if (stage->started)
		(void)pthread_join(stage->thread, NULL);
	stage->started = false;
	while (!is_over(stage))
		(void)stage_step(stage, WAIT_MS_MAX);
	return stage->in_flight.count + stage->finished.count;
}

void stage_close(struct stage *stage)
{
	if (!stage)
		return;
	if (stage->started)
		(void)stage_stop(stage, 0);
	for (size_t i = 0; stage->rows && i < stage->options.in_flight_max; i++) {
		void *row = stage->rows + i * stage->options.row_size;
		arena_release(&((struct stage_row *)row)->arena);
	}
	if (stage->wake_fd >= 0)
		(void)close(stage->wake_fd);
	postgres_close(stage->pg);
	free(stage->rows);
	free(stage->batch);
	free(stage->columns.keys);
	free(stage->columns.tokens);
	free(stage->columns.states);
	free(stage->columns.delays);
	free(stage->columns.attempts);
	free(stage->columns.stuck);
	free(stage->columns.notes);
	free(stage->columns.data);
	free(stage);
}

struct postgres *stage_postgres(struct stage *stage)
{
	return stage->pg;
}

const char *stage_point_name(enum stage_point point)
{
	static const char *const names[STAGE_POINT_COUNT] = {
		[STAGE_BEFORE_CLAIM] = "before-claim",
		[STAGE_AFTER_CLAIM] = "after-claim",
		[STAGE_AFTER_ACT] = "after-act",
		[STAGE_AFTER_MOVE] = "after-move",
		[STAGE_AFTER_RENEW] = "after-renew",
	};
	assert((unsigned)point < STAGE_POINT_COUNT);
	return names[point];
}

/* ---- Outcomes ---- */

/* A note in the row's arena, fit for a text column; what a remote server says may be anything. */
static struct slice copy_note(struct stage_row *row, const char *note)
{
	if (!note)
		return (struct slice){.data = NULL};
	struct slice text = {.data = note, .size = strnlen(note, NOTE_SIZE_MAX)};
	char *copy = arena_copy(&row->arena, text);
	if (!copy)
		return slice_of("(no room for the note)");
	for (size_t i = 0; i < text.size && !slice_is_text((struct slice){copy, text.size}); i++)
		if ((unsigned char)copy[i] < ' ' || (unsigned char)copy[i] > '~')
			copy[i] = '?';
	return (struct slice){.data = copy, .size = text.size};
}

static void set_outcome(struct stage_row *row, enum stage_outcome outcome, int64_t delay_ms)
{
	assert(delay_ms <= STAGE_DELAY_MS_MAX);
	row->outcome = outcome;
	row->delay_ms = delay_ms;
}

void stage_done(struct stage_row *row, const char *next_state, int64_t delay_ms)
{
	set_outcome(row, STAGE_DONE, delay_ms);
	row->next_state = next_state;
}

void stage_wait(struct stage_row *row, int64_t delay_ms)
{
	assert(delay_ms >= 0);
	set_outcome(row, STAGE_WAITS, delay_ms);
}

void stage_retry(struct stage_row *row, const char *note, int64_t delay_ms)
{
	assert(delay_ms >= 0);
	set_outcome(row, STAGE_RETRIED, delay_ms);
	row->note = copy_note(row, note);
}

void stage_give_up(struct stage_row *row, const char *note)
{
	set_outcome(row, STAGE_STUCK, STAGE_AT_REST);
	row->note = copy_note(row, note);
}

/* ---- Rows ---- */

int64_t stage_now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void stage_list_add(struct stage_list *list, struct stage_row *row)
{
	row->own.previous = list->last;
	row->own.next = NULL;
	if (list->last)
		list->last->own.next = row;
	else
		list->first = row;
	list->last = row;
	list->count++;
}

void stage_list_remove(struct stage_list *list, struct stage_row *row)
{
	if (row->own.previous)
		row->own.previous->own.next = row->own.next;
	else
		list->first = row->own.next;
	if (row->own.next)
		row->own.next->own.previous = row->own.previous;
	else
		list->last = row->own.previous;
	list->count--;
}

void stage_finish(struct stage *stage, struct stage_row *row)
{
	int64_t now_ns = clock_monotonic_ns(clock_system());
	assert(row->own.place == STAGE_ROW_IN_FLIGHT); /* Else it is handed back twice. */
	stage_list_remove(&stage->in_flight, row);
	stage_list_add(&stage->finished, row);
	row->own.place = STAGE_ROW_FINISHED;
	metrics_gauge_add(stage->metrics.in_flight, -1);
	metrics_histogram_record(stage->metrics.act, now_ns - row->own.submitted_ns);
	if (row->own.lost) {
		metrics_counter_add(stage->metrics.lost, 1);
		stage_free_row(stage, row);
		return;
	}
	settle_outcome(stage, row);
}

void stage_free_row(struct stage *stage, struct stage_row *row)
{
	assert(row->own.place == STAGE_ROW_FINISHED);
	stage_list_remove(&stage->finished, row);
	stage_list_add(&stage->free, row);
	row->own.place = STAGE_ROW_FREE;
	arena_reset(&row->arena);
}

/* What the application left open: no outcome, no pause, or one attempt too many. */
static void settle_outcome(struct stage *stage, struct stage_row *row)
{
	char note[NOTE_SIZE_MAX];
	if (row->outcome == STAGE_NO_OUTCOME)
		stage_retry(row, "the act gave no outcome", 0);
	if (row->outcome != STAGE_RETRIED)
		return;
	if (row->attempts >= stage->options.attempts_max) {
		(void)snprintf(note, sizeof note, "gave up after %d attempts: %.*s", row->attempts,
			SLICE_PRINT(row->note));
		stage_give_up(row, note);
	} else if (row->delay_ms == 0) {
		row->delay_ms = backoff_ms(stage, row->attempts);
	}
}

static int64_t backoff_ms(const struct stage *stage, int attempts)
{
	uint64_t random;
	int64_t whole_ms = stage->options.backoff_ms_min;
	for (int i = 1; i < attempts && whole_ms < stage->options.backoff_ms_max; i++)
		whole_ms *= 2;
	if (whole_ms > stage->options.backoff_ms_max)
		whole_ms = stage->options.backoff_ms_max;
	random_bytes(&random, sizeof random);
	int64_t half_ms = whole_ms / 2;
	return half_ms + (int64_t)(random % (uint64_t)(whole_ms - half_ms + 1));
}

/* ---- The database ---- */

void stage_database_good(struct stage *stage)
{
	stage->failures = 0;
	stage->database_at_ms = 0;
}

void stage_database_failed(struct stage *stage, const char *what)
{
	int64_t pause_ms = PAUSE_MS_MIN;
	for (int i = 0; i < stage->failures && pause_ms < PAUSE_MS_MAX; i++)
		pause_ms *= 2;
	if (stage->failures++ == 0)
		log_warning("stage.database", LOG_TEXT("stage", stage->name),
			LOG_TEXT("statement", what),
			LOG_TEXT("message", postgres_error(stage->pg)->message));
	stage->database_at_ms =
		stage_now_ms() + (pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX);
}

/* One attempt to connect per turn: the pauses between them are the stage's own, and end when it is
 * stopped. */
static enum status open_database(struct stage *stage)
{
	stage->pg = postgres_open(&(struct postgres_options){
		.url = stage->options.database_url,
		.application_name = stage->name,
		.settings = stage->options.database_settings,
		.connect_ms_max = stage->options.connect_ms_max,
		.call_ms_max = stage->options.call_ms_max,
		.fail_fast = true,
	});
	stage->options.database_url = NULL; /* They were copied there. */
	stage->options.database_settings = NULL;
	return stage->pg ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* ---- Turns ---- */

static void *run(void *context)
{
	struct stage *stage = context;
	while (!is_over(stage))
		(void)stage_step(stage, WAIT_MS_MAX);
	return NULL;
}

static bool is_over(struct stage *stage)
{
	if (!atomic_load(&stage->stopping))
		return false;
	return stage->in_flight.count + stage->finished.count == 0 ||
		stage_now_ms() >= atomic_load(&stage->stop_at_ms);
}

/* The descriptor is emptied first: a wake that comes between costs a turn, and none is lost. */
static void take_wake(struct stage *stage)
{
	uint64_t count;
	ssize_t got = read(stage->wake_fd, &count, sizeof count);
	assert(got == sizeof count || errno == EAGAIN || errno == EINTR);
	if (atomic_exchange(&stage->woken, false))
		stage->claim_at_ms = 0;
}

/* When there is something to do that no wake and no answer would tell of. */
static int64_t next_turn_ms(struct stage *stage)
{
	bool stopping = atomic_load(&stage->stopping);
	int64_t next_ms = STAGE_NEVER;
	if (!stopping && stage->free.count > 0)
		next_ms = stage->claim_at_ms;
	if (stage->in_flight.count > 0 && stage->renew_at_ms < next_ms)
		next_ms = stage->renew_at_ms;
	if (stage->finished.count > 0)
		next_ms = 0;
	if (next_ms < stage->database_at_ms)
		next_ms = stage->database_at_ms;
	int64_t stop_at_ms = atomic_load(&stage->stop_at_ms);
	return stopping && stop_at_ms < next_ms ? stop_at_ms : next_ms;
}

static void wait_or_collect(struct stage *stage, int64_t timeout_ms)
{
	timeout_ms = timeout_ms < WAIT_MS_MAX ? timeout_ms : WAIT_MS_MAX;
	if (stage->in_flight.count == 0) {
		struct pollfd woken = {.fd = stage->wake_fd, .events = POLLIN};
		if (timeout_ms > 0)
			(void)poll(&woken, 1, (int)timeout_ms);
		return;
	}
	size_t count = stage->options.ops->collect(
		stage->options.context, timeout_ms, stage->batch, stage->options.batch_max);
	assert(count <= stage->options.batch_max);
	for (size_t i = 0; i < count; i++)
		stage_finish(stage, stage->batch[i]);
}

/* ---- Opening ---- */

static void check_options(const struct stage_options *options)
{
	const struct stage_ops *ops = options->ops;
	assert(options->name && strlen(options->name) < STAGE_NAME_SIZE);
	assert(options->state && strlen(options->state) < STAGE_NAME_SIZE);
	assert(options->database_url && options->sql.claim && options->sql.move);
	assert(options->sql.data_count <= STAGE_DATA_MAX);
	assert(!ops->act == (ops->submit && ops->collect && ops->wake));
	assert(ops->act || options->sql.renew);
	assert(options->row_size == 0 || options->row_size >= sizeof(struct stage_row));
	assert(options->batch_max <= STAGE_BATCH_MAX);
	assert(options->in_flight_max <= STAGE_IN_FLIGHT_MAX);
	assert(options->lease_ms == 0 ||
		(options->lease_ms >= STAGE_LEASE_MS_MIN && options->lease_ms <= STAGE_MS_MAX));
	assert(options->poll_ms >= 0 && options->poll_ms <= STAGE_MS_MAX);
	assert(options->backoff_ms_min >= 0 && options->backoff_ms_min <= STAGE_MS_MAX);
	assert(options->backoff_ms_max >= 0 && options->backoff_ms_max <= STAGE_MS_MAX);
	assert(options->attempts_max >= 0 && options->attempts_max <= STAGE_ATTEMPTS_MAX);
}

static struct stage_options with_defaults(const struct stage_options *given)
{
	struct stage_options options = *given;
	if (options.row_size == 0)
		options.row_size = sizeof(struct stage_row);
	if (options.batch_max == 0)
		options.batch_max = STAGE_BATCH_DEFAULT;
	if (options.in_flight_max == 0)
		options.in_flight_max = options.batch_max;
	if (options.lease_ms == 0)
		options.lease_ms = STAGE_LEASE_MS_DEFAULT;
	if (options.poll_ms == 0)
		options.poll_ms = STAGE_POLL_MS_DEFAULT;
	if (options.backoff_ms_min == 0)
		options.backoff_ms_min = STAGE_BACKOFF_MS_MIN_DEFAULT;
	if (options.backoff_ms_max == 0)
		options.backoff_ms_max = STAGE_BACKOFF_MS_MAX_DEFAULT;
	if (options.attempts_max == 0)
		options.attempts_max = STAGE_ATTEMPTS_DEFAULT;
	if (options.call_ms_max == 0)
		options.call_ms_max = STAGE_CALL_MS_DEFAULT;
	if (options.connect_ms_max == 0)
		options.connect_ms_max = STAGE_CONNECT_MS_DEFAULT;
	/* Rows stand in one array, so each must end where the next may begin. */
	options.row_size = (options.row_size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) *
		_Alignof(max_align_t);
	return options;
}

static enum status allocate(struct stage *stage)
{
	size_t batch_max = stage->options.batch_max, rows_max = stage->options.in_flight_max;
	size_t most = batch_max > rows_max ? batch_max : rows_max; /* A renewal takes them all. */
	struct stage_columns *columns = &stage->columns;
	stage->rows = calloc(rows_max, stage->options.row_size);
	stage->batch = calloc(most, sizeof(struct stage_row *));
	columns->keys = calloc(most, sizeof *columns->keys);
	columns->tokens = calloc(most, sizeof *columns->tokens);
	columns->states = calloc(batch_max, sizeof *columns->states);
	columns->delays = calloc(batch_max, sizeof *columns->delays);
	columns->attempts = calloc(batch_max, sizeof *columns->attempts);
	columns->stuck = calloc(batch_max, sizeof *columns->stuck);
	columns->notes = calloc(batch_max, sizeof *columns->notes);
	columns->data = calloc(batch_max * STAGE_DATA_MAX, sizeof *columns->data);
	if (!stage->rows || !stage->batch || !columns->keys || !columns->tokens ||
		!columns->states || !columns->delays || !columns->attempts || !columns->stuck ||
		!columns->notes || !columns->data)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < rows_max; i++) {
		void *row = stage->rows + i * stage->options.row_size;
		arena_init(&((struct stage_row *)row)->arena, STAGE_ROW_BYTES_MAX);
		stage_list_add(&stage->free, row);
	}
	return STATUS_OK;
}
