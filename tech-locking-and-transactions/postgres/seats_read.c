/* Putting seats on sale, and reading. */
#include <assert.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"
#include "tech-locking-and-transactions/postgres/shared.sql.h"

static const struct postgres_statement add_event = {
	.name = "seats_add_event", .sql = shared_add_event};
static const struct postgres_statement event_currency = {
	.name = "seats_event_currency", .sql = shared_event_currency, .effect = POSTGRES_READS};
static const struct postgres_statement add_seats = {
	.name = "seats_add_seats", .sql = shared_add_seats};
static const struct postgres_statement look_up_statement = {
	.name = "seats_look_up", .sql = shared_look_up, .effect = POSTGRES_READS};
static const struct postgres_statement availability_statement = {
	.name = "seats_availability", .sql = shared_availability, .effect = POSTGRES_READS};

/* ---- stock ---- */

struct stock {
	struct id event;
	struct slice currency;
	const struct slice *texts[4]; /* Seats, sections, rows, numbers. */
	const int64_t *prices;
	size_t count;
	bool other_currency;
};

static enum status stock_work(struct postgres *pg, void *context)
{
	struct stock *stock = context;
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &add_event,
		POSTGRES_PARAMETERS(postgres_uuid(stock->event), postgres_text(stock->currency)),
		NULL);
	if (status != STATUS_OK)
		return status;
	status = postgres_execute(
		pg, &event_currency, POSTGRES_PARAMETERS(postgres_uuid(stock->event)), &rows);
	stock->other_currency = status == STATUS_OK && rows.row_count == 1 &&
		!slice_equal(postgres_get_text(&rows, 0, 0), stock->currency);
	postgres_result_release(&rows);
	if (stock->other_currency)
		postgres_rollback(pg);
	if (status != STATUS_OK || stock->other_currency)
		return status;
	return postgres_execute(pg, &add_seats,
		POSTGRES_PARAMETERS(postgres_uuid(stock->event),
			postgres_text_array(stock->texts[0], stock->count),
			postgres_text_array(stock->texts[1], stock->count),
			postgres_text_array(stock->texts[2], stock->count),
			postgres_text_array(stock->texts[3], stock->count),
			postgres_bigint_array(stock->prices, stock->count)),
		NULL);
}

/* A slice without data would be SQL's NULL. */
static struct slice label(struct slice text)
{
	return text.data ? text : slice_of("");
}

enum status seats_stock(struct seat_store *base, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	struct postgres_seats *store = seats_of(base);
	char code[CURRENCY_TEXT_SIZE];
	assert(count <= SEAT_STORE_STOCK_MAX);
	if (money_parse_currency(currency, code, NULL) != STATUS_OK ||
		!seat_offers_are_sound(seats, count))
		return STATUS_REFUSED;
	arena_reset(&store->arena);
	struct slice *texts = arena_calloc(&store->arena, 4 * count + 1, sizeof *texts);
	int64_t *prices = arena_calloc(&store->arena, count + 1, sizeof *prices);
	if (!texts || !prices)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < count; i++) {
		texts[i] = seats[i].seat;
		texts[count + i] = label(seats[i].section);
		texts[2 * count + i] = label(seats[i].row);
		texts[3 * count + i] = label(seats[i].number);
		prices[i] = seats[i].price;
	}
	struct stock stock = {.event = event,
		.currency = currency,
		.texts = {texts, texts + count, texts + 2 * count, texts + 3 * count},
		.prices = prices,
		.count = count};
	struct postgres_transaction transaction = {.work = stock_work, .context = &stock};
	enum status status = postgres_transact(store->pg, &transaction);
	return status == STATUS_OK && stock.other_currency ? STATUS_REFUSED : status;
}

/* ---- look_up ---- */

static enum hold_state state_of(struct slice name)
{
	for (int state = HOLD_LIVE; state <= HOLD_REVOKED; state++)
		if (slice_is(name, hold_state_name((enum hold_state)state)))
			return (enum hold_state)state;
	return HOLD_LIVE; /* "held" */
}

static bool copy_seats(const struct postgres_result *rows, size_t row, struct hold_record *record,
	struct arena *arena)
{
	if (!postgres_get_text_array(rows, row, 2, arena, &record->seats, &record->seat_count))
		return false;
	for (size_t i = 0; i < record->seat_count; i++) {
		record->seats[i].data = arena_copy(arena, record->seats[i]);
		if (!record->seats[i].data)
			return false;
	}
	return true;
}

static bool read_record(const struct postgres_result *rows, size_t row, struct hold_record *record,
	struct arena *arena)
{
	struct slice person = postgres_get_text(rows, row, 1);
	struct slice currency = postgres_get_text(rows, row, 5);
	*record = (struct hold_record){.state = state_of(postgres_get_text(rows, row, 8)),
		.person = {arena_copy(arena, person), person.size},
		.version = postgres_get_bigint(rows, row, 3),
		.expires_at_ms = postgres_get_timestamp(rows, row, 6),
		.total = {.minor = postgres_get_bigint(rows, row, 4)}};
	assert(currency.size < sizeof record->total.currency);
	memcpy(record->total.currency, currency.data, currency.size);
	if (!postgres_is_null(rows, row, 7))
		record->order = postgres_get_uuid(rows, row, 7);
	return record->person.data && copy_seats(rows, row, record, arena);
}

enum status seats_look_up(struct seat_store *base, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	struct postgres_seats *store = seats_of(base);
	struct seats_columns *columns = &store->columns;
	struct postgres_result rows;
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		records[i] = (struct hold_record){.state = HOLD_NONE};
		columns->requests[i] = (int32_t)i;
		columns->events[i] = names[i].event;
		columns->holds[i] = names[i].hold;
	}
	enum status status = seats_execute(store, &look_up_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, count),
			postgres_uuid_array(columns->events, count),
			postgres_uuid_array(columns->holds, count)),
		&rows);
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		if (!read_record(&rows, row, &records[postgres_get_integer(&rows, row, 0)], arena))
			status = STATUS_UNAVAILABLE;
	postgres_result_release(&rows);
	return status;
}

/* ---- availability ---- */

enum status seats_availability(
	struct seat_store *base, struct id event, seat_visit *visit, void *context, bool *found)
{
	struct postgres_seats *store = seats_of(base);
	struct postgres_result rows;
	enum status status = seats_execute(
		store, &availability_statement, POSTGRES_PARAMETERS(postgres_uuid(event)), &rows);
	*found = status == STATUS_OK && rows.row_count > 0;
	for (size_t row = 0; row < rows.row_count && !postgres_is_null(&rows, row, 0); row++) {
		struct seat_view seat = {.seat = postgres_get_text(&rows, row, 0),
			.section = postgres_get_text(&rows, row, 1),
			.row = postgres_get_text(&rows, row, 2),
			.number = postgres_get_text(&rows, row, 3),
			.price = postgres_get_bigint(&rows, row, 4),
			.version = postgres_get_bigint(&rows, row, 5)};
		bool known = seat_status_parse(postgres_get_text(&rows, row, 6), &seat.status);
		assert(known);
		visit(context, &seat);
	}
	postgres_result_release(&rows);
	return status;
}
