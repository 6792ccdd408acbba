/* The lane that asks the database, for the keeper: events that are looked at for the first time,
 * and what has changed since. */
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "real-implementation/live_internal.h"
#include "real-implementation/live_statements.sql.h"

static const struct postgres_statement horizon = {
	.name = "live_horizon", .sql = sql_horizon, .effect = POSTGRES_READS};
static const struct postgres_statement changes = {
	.name = "live_changes", .sql = sql_changes, .effect = POSTGRES_READS};
static const struct postgres_statement facts = {
	.name = "live_facts", .sql = sql_facts, .effect = POSTGRES_READS};
static const struct postgres_statement edited = {
	.name = "live_edited", .sql = sql_edited, .effect = POSTGRES_READS};
static const struct postgres_statement plan = {
	.name = "live_plan", .sql = sql_plan, .effect = POSTGRES_READS};
static const struct postgres_statement purge = {.name = "live_purge", .sql = sql_purge};

enum {
	EDITED_MAX = 1000,
	EDITED_OVERLAP_MS = 10000, /* Who began to edit before may commit after. */
	HAND_OVER_US = 1000,
};

static void load(struct live *live, struct live_job *job);
static enum status read_changes(struct live *live, bool *more);
static enum status read_edited(struct live *live);

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct live *live = context;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		load(live, (struct live_job *)items[i]);
		live_job_free((struct live_job *)items[i]);
	}
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context, (void)items, (void)count; /* They have no deadline. */
}

static enum status told(struct live *live, const char *what, enum status status)
{
	bool good = status == STATUS_OK;
	if (!good && !live->complained)
		log_warning("live.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("why", postgres_error(live->pg)->message));
	if (good && live->complained)
		log_info("live.answers_again", LOG_TEXT("call", what));
	live->complained = !good;
	return status;
}

static int64_t tick(void *context, int64_t began_ms)
{
	struct live *live = context;
	bool more = false;
	enum status status = told(live, "changes", read_changes(live, &more));
	if (status == STATUS_OK && began_ms >= live->facts_ms) {
		status = told(live, "edited", read_edited(live));
		live->facts_ms = began_ms + LIVE_FACTS_MS;
	}
	if (status == STATUS_OK && began_ms >= live->purge_ms) {
		status = told(live, "purge",
			postgres_execute(live->pg, &purge,
				POSTGRES_PARAMETERS(postgres_integer(LIVE_CHANGES_MAX)), NULL));
		live->purge_ms = began_ms + LIVE_PURGE_MS;
	}
	if (status != STATUS_OK)
		return began_ms + LIVE_RETRY_MS;
	return more ? began_ms : began_ms + live->options.poll_ms;
}

const struct lane_ops live_reader_ops = {.apply = apply, .late = late, .tick = tick};

/* The keeper never waits for anybody, so it takes everything in the end; and somebody may wait for
 * just this. */
static void hand_over(struct live *live, struct live_job *job)
{
	while (!live_submit(live->keeper, job))
		usleep(HAND_OVER_US);
}

/* ---- Changes ---- */

/* Where reading begins: all that is older is in whatever is loaded from now on. */
static enum status begin_reading(struct live *live)
{
	struct postgres_result result;
	enum status status = postgres_execute(live->pg, &horizon, POSTGRES_NO_PARAMETERS, &result);
	if (status == STATUS_OK) {
		struct slice xid = postgres_get_text(&result, 0, 0);
		(void)snprintf(live->position, sizeof live->position, "%.*s", SLICE_PRINT(xid));
		live->position_change = -1;
		live->edited_ms = postgres_get_timestamp(&result, 0, 1);
	}
	postgres_result_release(&result);
	return status;
}

static void take_change(struct live_job *job, const struct postgres_result *result, size_t row)
{
	struct live_change *change = &job->changes[job->change_count];
	struct slice seat = postgres_get_text(result, row, 4);
	if (seat.size > sizeof change->seat ||
		!seat_status_parse(postgres_get_text(result, row, 5), &change->status))
		return;
	change->event = postgres_get_uuid(result, row, 3);
	change->version = postgres_get_bigint(result, row, 6);
	change->seat_size = (uint8_t)seat.size;
	memcpy(change->seat, seat.data, seat.size);
	job->change_count++;
}

static enum status hand_over_changes(struct live *live, const struct postgres_result *result)
{
	struct live_job *job = live_job_new(LIVE_JOB_CHANGES, NULL);
	if (job)
		job->changes = calloc(result->row_count, sizeof *job->changes);
	if (!job || !job->changes) {
		free(job);
		return STATUS_UNAVAILABLE;
	}
	for (size_t row = 0; row < result->row_count; row++)
		take_change(job, result, row);
	hand_over(live, job);
	return STATUS_OK;
}

/* Others have forgotten what was not read for so long. */
static enum status forget_boards(struct live *live)
{
	struct live_job *job = live_job_new(LIVE_JOB_LOST, NULL);
	if (!job)
		return STATUS_UNAVAILABLE;
	live->position[0] = '\0';
	hand_over(live, job);
	return begin_reading(live);
}

static enum status read_changes(struct live *live, bool *more)
{
	struct postgres_result result;
	enum status status = STATUS_OK;
	int64_t read_ms = atomic_load(&live->read_ms), began_ms = now_ms();
	if (live->position[0] == '\0')
		status = begin_reading(live);
	else if (read_ms > 0 && began_ms - read_ms > LIVE_LOST_MS)
		status = forget_boards(live);
	if (status != STATUS_OK)
		return status;
	status = postgres_execute(live->pg, &changes,
		POSTGRES_PARAMETERS(postgres_text(slice_of(live->position)),
			postgres_bigint(live->position_change), postgres_integer(LIVE_CHANGES_MAX)),
		&result);
	if (status != STATUS_OK)
		return status;
	bool any = !postgres_is_null(&result, 0, 1);
	if (any)
		status = hand_over_changes(live, &result);
	*more = result.row_count == LIVE_CHANGES_MAX;
	if (status == STATUS_OK) {
		size_t last = result.row_count - 1;
		struct slice xid = postgres_get_text(&result, last, *more ? 1 : 0);
		(void)snprintf(live->position, sizeof live->position, "%.*s", SLICE_PRINT(xid));
		live->position_change = *more ? postgres_get_bigint(&result, last, 2) : -1;
		atomic_store(&live->read_ms, began_ms);
	}
	postgres_result_release(&result);
	return status;
}

/* ---- Facts ---- */

static bool read_facts(const struct postgres_result *result, size_t row, struct event_facts *read)
{
	struct slice currency = postgres_get_text(result, row, 3);
	*read = (struct event_facts){.event = postgres_get_uuid(result, row, 0),
		.venue = postgres_get_uuid(result, row, 1),
		.version = postgres_get_bigint(result, row, 2),
		.starts_at_ms = postgres_get_timestamp(result, row, 4),
		.on_sale_at_ms = postgres_get_timestamp(result, row, 5),
		.canceled = postgres_get_boolean(result, row, 6),
		.seats_per_hold_max = postgres_get_integer(result, row, 7),
		.hold_ms = (int64_t)postgres_get_integer(result, row, 8) * 1000};
	if (currency.size >= sizeof read->currency)
		return false;
	memcpy(read->currency, currency.data, currency.size);
	return true;
}

static enum status read_edited(struct live *live)
{
	struct postgres_result result;
	int64_t since_ms = live->edited_ms - EDITED_OVERLAP_MS;
	enum status status = postgres_execute(live->pg, &edited,
		POSTGRES_PARAMETERS(postgres_timestamp(since_ms), postgres_integer(EDITED_MAX)),
		&result);
	for (size_t row = 0; status == STATUS_OK && row < result.row_count; row++) {
		struct live_job *job = live_job_new(LIVE_JOB_FACTS, NULL);
		int64_t edited_ms = postgres_get_timestamp(&result, row, 9);
		if (!job || !read_facts(&result, row, &job->facts) ||
			!live_find(live, job->facts.event)) {
			free(job);
		} else {
			hand_over(live, job);
		}
		if (edited_ms > live->edited_ms)
			live->edited_ms = edited_ms;
	}
	/* More than fit were edited at one time: go on behind them, without looking back. */
	if (status == STATUS_OK && result.row_count == EDITED_MAX &&
		postgres_get_timestamp(&result, EDITED_MAX - 1, 9) <= live->edited_ms)
		live->edited_ms += EDITED_OVERLAP_MS;
	postgres_result_release(&result);
	return status;
}

/* ---- Whole events ---- */

static struct venue_plan *known_plan(struct live *live, struct id venue)
{
	for (size_t i = 0; i < LIVE_PLANS_MAX; i++)
		if (live->plans[i] &&
			memcmp(live->plans[i]->venue.bytes, venue.bytes, sizeof venue.bytes) == 0)
			return venue_plan_hold(live->plans[i]);
	return NULL;
}

static enum status read_plan(struct live *live, struct id venue, struct venue_plan **result)
{
	struct fault fault = {.where = "plan", .what = "memory is short"};
	struct postgres_result rows;
	*result = known_plan(live, venue);
	if (*result)
		return STATUS_OK;
	enum status status =
		postgres_execute(live->pg, &plan, POSTGRES_PARAMETERS(postgres_uuid(venue)), &rows);
	if (status == STATUS_OK && rows.row_count == 1) {
		status = venue_plan_new(venue, postgres_get_text(&rows, 0, 0), result, &fault);
		if (status != STATUS_OK)
			log_error("live.plan", LOG_TEXT("where", fault.where),
				LOG_TEXT("why", fault.what));
	}
	postgres_result_release(&rows);
	if (!*result)
		return STATUS_UNAVAILABLE;
	venue_plan_release(live->plans[live->plan_next]);
	live->plans[live->plan_next] = venue_plan_hold(*result);
	live->plan_next = (live->plan_next + 1) % LIVE_PLANS_MAX;
	return status;
}

static struct seat_store *open_store(struct live *live)
{
	struct fault fault;
	if (live->store || now_ms() < live->open_ms)
		return live->store;
	live->open_ms = now_ms() + LIVE_RETRY_MS;
	if (live->options.open_store(live->options.context, &live->store, &fault) != STATUS_OK)
		live->store = NULL;
	return live->store;
}

static void visit_seat(void *context, const struct seat_view *seat)
{
	(void)board_set(context, seat->seat, seat->status, seat->version, seat->price);
}

/* Whatever is committed after this reading has begun is among the changes that are read later. */
static enum status read_board(struct live *live, struct live_job *loaded)
{
	struct venue_plan *read = NULL;
	struct seat_store *store = open_store(live);
	bool found;
	enum status status = store ? STATUS_OK : STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = read_plan(live, loaded->facts.venue, &read);
	if (status == STATUS_OK) {
		loaded->board = board_new(read);
		if (!loaded->board) {
			venue_plan_release(read);
			return STATUS_UNAVAILABLE;
		}
		status = seat_store_availability(
			store, loaded->id, visit_seat, loaded->board, &found);
	}
	if (status == STATUS_OK)
		board_settle(loaded->board);
	return status;
}

static void load(struct live *live, struct live_job *job)
{
	struct live_job *loaded = live_job_new(LIVE_JOB_LOADED, NULL);
	struct postgres_result result = {0};
	while (!loaded) { /* Somebody waits for it. */
		usleep(HAND_OVER_US);
		loaded = live_job_new(LIVE_JOB_LOADED, NULL);
	}
	loaded->id = job->id;
	/* Before the first reading it is not known where changes begin. */
	enum status status = live->position[0] ? STATUS_OK : begin_reading(live);
	if (status == STATUS_OK)
		status = postgres_execute(
			live->pg, &facts, POSTGRES_PARAMETERS(postgres_uuid(job->id)), &result);
	if (status == STATUS_OK && result.row_count == 0)
		loaded->status = STATUS_REFUSED;
	else if (status == STATUS_OK && read_facts(&result, 0, &loaded->facts))
		loaded->status = read_board(live, loaded);
	else
		loaded->status = STATUS_UNAVAILABLE;
	if (loaded->status == STATUS_REFUSED && result.row_count > 0)
		loaded->status = STATUS_UNAVAILABLE; /* Only this tells that there is no event. */
	postgres_result_release(&result);
	if (loaded->status == STATUS_UNAVAILABLE)
		(void)told(live, "load", STATUS_UNAVAILABLE);
	if (loaded->status != STATUS_OK) {
		board_free(loaded->board);
		loaded->board = NULL;
	}
	hand_over(live, loaded);
}
