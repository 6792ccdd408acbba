/* Opening, closing, and everything but holding: the store does it, and the marks follow. */
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"

#include <assert.h>
#include <stdlib.h>

#include "tech-locking-and-transactions/redis-guard/end.lua.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_internal.h"
#include "tech-locking-and-transactions/redis-guard/sold.lua.h"

enum { STOCK_PIECE = 2000 }; /* Seats that Redis is told of in one command. */

static const struct redis_script sold_script = {
	.name = "guard_sold", .source = lua_sold, .effect = REDIS_WRITES};
static const struct redis_script end_script = {
	.name = "guard_end", .source = lua_end, .effect = REDIS_WRITES};
static const struct redis_command set_fields = {"HSET", REDIS_WRITES};
static const struct redis_command set_expiry = {"PEXPIRE", REDIS_WRITES};

static const struct seat_store_ops guard_ops;

/* ---- what is counted ---- */

static void open_counters(struct metrics *metrics, struct metrics_counter *counters[GUARD_COUNTS])
{
	static const char *const outcomes[GUARD_COUNTS] = {[GUARD_COUNT_REFUSED] = "refused",
		[GUARD_COUNT_CLAIMED] = "claimed",
		[GUARD_COUNT_PASSED] = "passed",
		[GUARD_COUNT_BYPASSED] = "bypassed"};
	for (size_t i = 0; i < GUARD_COUNTS; i++)
		counters[i] = metrics_add_counter(metrics,
			&(struct metrics_description){.name = "seat_guard_holds",
				.help = "Requests to hold seats, by what the guard did with them.",
				.labels = &(struct metrics_label){"outcome", outcomes[i]},
				.label_count = 1});
}

void redis_guard_register_metrics(struct metrics *metrics)
{
	struct metrics_counter *counters[GUARD_COUNTS];
	open_counters(metrics, counters);
}

struct redis_guard_counts redis_guard_counts(const struct seat_store *store)
{
	assert(store->ops == &guard_ops);
	const int64_t *counts = ((const struct redis_guard *)store)->counts;
	return (struct redis_guard_counts){.refused = counts[GUARD_COUNT_REFUSED],
		.claimed = counts[GUARD_COUNT_CLAIMED],
		.passed = counts[GUARD_COUNT_PASSED],
		.bypassed = counts[GUARD_COUNT_BYPASSED]};
}

/* ---- life ---- */

static void free_guard(struct redis_guard *guard)
{
	guard_letter_reset(&guard->letter);
	redis_close(guard->redis);
	free(guard);
}

static void close_guard(struct seat_store *base)
{
	struct redis_guard *guard = guard_of(base);
	seat_store_close(guard->inner);
	free_guard(guard);
}

static int64_t or_default(int64_t ms, int64_t fallback)
{
	return ms > 0 ? ms : fallback;
}

enum status redis_guard_open(struct seat_store *inner, const struct redis_guard_options *options,
	struct seat_store **store, struct fault *fault)
{
	enum status status = redis_check_url(options->redis_url, fault);
	if (status != STATUS_OK)
		return status;
	int64_t call_ms_max = or_default(options->call_ms_max, REDIS_GUARD_CALL_MS_DEFAULT);
	struct redis_guard *guard = calloc(1, sizeof *guard);
	if (!guard)
		return STATUS_UNAVAILABLE;
	guard->base.ops = &guard_ops;
	guard->inner = inner;
	open_counters(options->metrics, guard->counters);
	guard->traits = *seat_store_traits(inner);
	guard->traits.name = "redis-guard";
	guard->traits.exact_refusals = false;
	guard->pending_ms = or_default(options->pending_ms, REDIS_GUARD_PENDING_MS_DEFAULT);
	guard->sold_ms = or_default(options->sold_ms, REDIS_GUARD_SOLD_MS_DEFAULT);
	guard->redis = redis_open(&(struct redis_options){.url = options->redis_url,
		.client_name = "guard",
		.connect_ms_max = call_ms_max,
		.call_ms_max = call_ms_max,
		.fail_fast = true});
	status = guard->redis ? redis_connect(guard->redis, fault) : STATUS_REFUSED;
	if (status == STATUS_REFUSED) {
		status = guard->redis ? STATUS_REFUSED : STATUS_UNAVAILABLE;
		free_guard(guard);
		return status;
	}
	*store = &guard->base;
	return STATUS_OK;
}

static const struct seat_store_traits *traits_of(const struct seat_store *store)
{
	return &((const struct redis_guard *)store)->traits;
}

/* ---- what has ended or was sold ---- */

/* One thing that has happened to a hold, or to whatever the order has bought. */
struct event_note {
	struct id event, hold, order;
	int64_t version;
};

typedef void write_note(struct guard_letter *letter, const struct event_note *note);

static void write_sale(struct guard_letter *letter, const struct event_note *note)
{
	guard_letter_id(letter, note->hold);
	guard_letter_id(letter, note->order);
	guard_letter_integer(letter, note->version);
}

static void write_end(struct guard_letter *letter, const struct event_note *note)
{
	guard_letter_word(letter, "hold");
	guard_letter_id(letter, note->hold);
}

static void write_revocation(struct guard_letter *letter, const struct event_note *note)
{
	guard_letter_word(letter, "order");
	guard_letter_id(letter, note->order);
}

/* Send one script per event. `mark_ms` is its second argument, unless it is 0. False: some of it
 * may not have been done. */
static bool tell(struct redis_guard *guard, const struct redis_script *script, int64_t mark_ms,
	write_note *write, const struct event_note notes[], size_t count)
{
	struct guard_letter *letter = &guard->letter;
	bool written[SEAT_STORE_BATCH_MAX] = {false};
	guard_letter_reset(letter);
	for (size_t i = 0; i < count; i++) {
		if (written[i])
			continue;
		guard_letter_script(letter, script, notes[i].event);
		guard_letter_integer(letter, GUARD_KEEP_MS);
		if (mark_ms > 0)
			guard_letter_integer(letter, mark_ms);
		for (size_t j = i; j < count; j++) {
			if (written[j] || !seat_ids_equal(notes[j].event, notes[i].event))
				continue;
			write(letter, &notes[j]);
			written[j] = true;
		}
	}
	bool done = guard_send(guard);
	for (size_t i = 0; done && i < letter->request_count; i++)
		done = redis_reply_status(letter->replies[i]) == STATUS_OK;
	guard_letter_reset(letter);
	return done;
}

/* Tell of what has ended. If it cannot be told, people would be kept from seats that are free. */
static void tell_ends(
	struct redis_guard *guard, write_note *write, const struct event_note notes[], size_t count)
{
	if (tell(guard, &end_script, 0, write, notes, count))
		return;
	for (size_t i = 0; i < count; i++)
		guard_owe(guard, notes[i].event);
}

/* ---- operations ---- */

static enum status sell(struct seat_store *base, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	struct redis_guard *guard = guard_of(base);
	struct event_note sold[SEAT_STORE_BATCH_MAX];
	size_t sold_count = 0;
	enum status status = seat_store_sell(guard->inner, requests, results, count);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (results[i].outcome == SELL_SOLD)
			sold[sold_count++] = (struct event_note){.event = requests[i].event,
				.hold = requests[i].hold,
				.order = requests[i].order,
				.version = requests[i].version + 1};
	/* If it cannot be told, the seats stay held until the hold's time is over. */
	(void)tell(guard, &sold_script, guard->sold_ms, write_sale, sold, sold_count);
	return status;
}

static enum status release(struct seat_store *base, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	struct redis_guard *guard = guard_of(base);
	struct event_note ended[SEAT_STORE_BATCH_MAX];
	size_t ended_count = 0;
	enum status status = seat_store_release(guard->inner, requests, outcomes, count);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (outcomes[i] == RELEASE_RELEASED || outcomes[i] == RELEASE_EXPIRED)
			ended[ended_count++] = (struct event_note){
				.event = requests[i].event, .hold = requests[i].hold};
	tell_ends(guard, write_end, ended, ended_count);
	return status;
}

static enum status revoke(struct seat_store *base, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	struct redis_guard *guard = guard_of(base);
	struct event_note ended[SEAT_STORE_BATCH_MAX];
	size_t ended_count = 0;
	enum status status = seat_store_revoke(guard->inner, requests, outcomes, count);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (outcomes[i] == REVOKE_REVOKED)
			ended[ended_count++] = (struct event_note){
				.event = requests[i].event, .order = requests[i].order};
	tell_ends(guard, write_revocation, ended, ended_count);
	return status;
}

/* Their seats are nobody's already, unless a clock was set back. */
static enum status expire(
	struct seat_store *base, size_t max, struct hold_name expired[], size_t *count)
{
	struct redis_guard *guard = guard_of(base);
	struct event_note ended[SEAT_STORE_BATCH_MAX];
	enum status status = seat_store_expire(guard->inner, max, expired, count);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < *count; i++)
		ended[i] = (struct event_note){.event = expired[i].event, .hold = expired[i].hold};
	(void)tell(guard, &end_script, 0, write_end, ended, *count);
	return status;
}

/* That the seats exist, so that those who ask for them can be refused without the store. If it
 * cannot be told, it is learned from the store's answers. */
static void tell_stock(
	struct redis_guard *guard, struct id event, const struct seat_offer seats[], size_t count)
{
	static _Thread_local struct redis_argument arguments[1 + 2 * STOCK_PIECE];
	char key[REDIS_KEY_SIZE_MAX];
	struct slice name = guard_key(key, event, "seats");
	arguments[0] = redis_slice(name);
	enum status status = STATUS_OK;
	for (size_t done = 0, piece; done < count && status == STATUS_OK; done += piece) {
		piece = count - done < STOCK_PIECE ? count - done : STOCK_PIECE;
		for (size_t i = 0; i < piece; i++) {
			arguments[1 + 2 * i] = redis_slice(seats[done + i].seat);
			arguments[2 + 2 * i] = redis_text("");
		}
		status = redis_execute(guard->redis, &set_fields, arguments, 1 + 2 * piece, NULL);
	}
	if (status == STATUS_OK)
		status = redis_execute(guard->redis, &set_expiry,
			REDIS_ARGUMENTS(redis_slice(name), redis_integer(GUARD_KEEP_MS)), NULL);
	guard_note(guard, status);
}

static enum status stock(struct seat_store *base, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	struct redis_guard *guard = guard_of(base);
	enum status status = seat_store_stock(guard->inner, event, currency, seats, count);
	if (status == STATUS_OK)
		tell_stock(guard, event, seats, count);
	return status;
}

static enum status look_up(struct seat_store *base, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	return seat_store_look_up(guard_of(base)->inner, names, records, count, arena);
}

static enum status availability(
	struct seat_store *base, struct id event, seat_visit *visit, void *context, bool *found)
{
	return seat_store_availability(guard_of(base)->inner, event, visit, context, found);
}

static const struct seat_store_ops guard_ops = {.traits = traits_of,
	.stock = stock,
	.hold = guard_hold,
	.sell = sell,
	.release = release,
	.revoke = revoke,
	.expire = expire,
	.look_up = look_up,
	.availability = availability,
	.close = close_guard};
