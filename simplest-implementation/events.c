/* Events: a venue put on sale at prices by category; lists, one event, its seats. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/seat.h"
#include "simplest-implementation/app.h"
#include "simplest-implementation/statements.sql.h"

STATEMENT_READS(venue_categories);
STATEMENT(event_insert);
STATEMENT(event_insert_seats);
STATEMENT_READS(event_list_page);
STATEMENT_READS(event_read_one);
STATEMENT_READS(event_seats_read);

/* Years 1 to 9999, in wall ms: what a cursor may say. */
#define CURSOR_MS_MIN (-62135596800000)
#define CURSOR_MS_MAX 253402300799999

struct event_input {
	struct http_fields *fields; /* For faults that only the database can find. */
	struct id id, venue;
	struct slice name;
	int64_t starts_ms;
	char currency[CURRENCY_TEXT_SIZE];
	json_t *prices;
};

static enum status event_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context);

/* ---- POST /events ---- */

static void check_prices(struct http_fields *fields, const json_t *prices)
{
	const char *category;
	json_t *price;
	json_object_foreach((json_t *)(uintptr_t)prices, category, price)
	{
		int64_t minor = json_integer_value(price);
		if (json_is_integer(price) && minor >= 0 && minor <= MONEY_PRICE_MINOR_MAX)
			continue;
		http_field_refuse(fields, "prices",
			"the price of '%.80s' must be an integer from 0 to %lld, in minor units",
			category, (long long)MONEY_PRICE_MINOR_MAX);
		return;
	}
}

void event_create(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct event_input input = {.fields = &fields};
	struct fault fault;
	http_fields_begin(&fields, exchange);
	struct slice venue = http_field_text(&fields, "venueId", LIMIT_ID_SIZE_MAX);
	input.name = http_field_text(&fields, "name", LIMIT_NAME_SIZE_MAX);
	input.starts_ms = http_field_time(&fields, "startsAt");
	struct slice currency = http_field_text(&fields, "currency", 3);
	if (currency.data && money_parse_currency(currency, input.currency, &fault) != STATUS_OK)
		http_field_refuse(&fields, "currency", "%s", fault.what);
	input.prices = http_field_object(&fields, "prices");
	check_prices(&fields, input.prices);
	if (!http_fields_end(&fields))
		return;
	if (!id_parse(venue, &input.venue)) {
		http_field_refuse(&fields, "venueId", "there is no such venue");
		return;
	}
	input.id = id_new(clock_wall_ms(clock_system()));
	app_write(exchange, &(struct app_write){.work = event_work, .input = &input});
}

/* Whether the prices name each category of the venue and nothing else. */
static bool prices_match(
	struct http_fields *fields, json_t *prices, const struct slice categories[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (json_object_getn(prices, categories[i].data, categories[i].size))
			continue;
		http_field_refuse(fields, "prices", "category '%.*s' has no price",
			SLICE_PRINT(categories[i]));
		return false;
	}
	const char *name;
	json_t *price;
	json_object_foreach(prices, name, price)
	{
		size_t i = 0;
		while (i < count && !slice_is(categories[i], name))
			i++;
		if (i < count)
			continue;
		http_field_refuse(fields, "prices", "the venue has no category '%.80s'", name);
		return false;
	}
	return true;
}

/* False: a reply was made, or *status is not OK. */
static bool check_venue(struct postgres *pg, const struct event_input *input, enum status *status)
{
	struct arena arena;
	struct slice *categories;
	size_t count;
	struct postgres_result result;
	bool good = false;
	arena_init(&arena, 1 << 20);
	*status = postgres_execute(
		pg, &venue_categories, POSTGRES_PARAMETERS(postgres_uuid(input->venue)), &result);
	if (*status == STATUS_OK && result.row_count == 0)
		http_field_refuse(input->fields, "venueId", "there is no such venue");
	else if (*status == STATUS_OK)
		good = postgres_get_text_array(&result, 0, 1, &arena, &categories, &count) &&
			prices_match(input->fields, input->prices, categories, count);
	postgres_result_release(&result);
	arena_release(&arena);
	return good;
}

static enum status event_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context)
{
	const struct event_input *input = context;
	enum status status;
	if (!check_venue(pg, input, &status))
		return status;
	char *text = json_dumps(input->prices, JSON_COMPACT);
	if (!text)
		return STATUS_UNAVAILABLE;
	struct slice prices = slice_of(text);
	status = postgres_execute(pg, &event_insert,
		POSTGRES_PARAMETERS(postgres_uuid(input->id), postgres_uuid(input->venue),
			postgres_text(input->name), postgres_timestamp(input->starts_ms),
			postgres_text(slice_of(input->currency)), postgres_jsonb(prices)),
		NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &event_insert_seats,
			POSTGRES_PARAMETERS(postgres_uuid(input->id), postgres_uuid(input->venue),
				postgres_jsonb(prices)),
			NULL);
	free(text);
	struct postgres_result result = {0};
	if (status == STATUS_OK)
		status = postgres_execute(pg, &event_read_one,
			POSTGRES_PARAMETERS(postgres_uuid(input->id)), &result);
	if (status == STATUS_OK)
		http_reply_json_text(exchange, 201, postgres_get_text(&result, 0, 0));
	postgres_result_release(&result);
	return status;
}

/* ---- GET /events ---- */

struct page {
	struct slice pattern;
	int64_t after_ms;
	struct id after;
	int64_t limit;
};

/* `q` as a pattern that finds it anywhere, its own wildcards taken literally. */
static struct slice like_pattern(struct arena *arena, struct slice text)
{
	char *pattern = arena_alloc(arena, 2 * text.size + 3);
	size_t size = 0;
	if (!pattern)
		return slice_of("%");
	pattern[size++] = '%';
	for (size_t i = 0; i < text.size; i++) {
		if (strchr("%_\\", text.data[i]))
			pattern[size++] = '\\';
		pattern[size++] = text.data[i];
	}
	pattern[size++] = '%';
	return (struct slice){.data = pattern, .size = size};
}

static bool refuse_query(struct http_exchange *exchange, const char *why)
{
	http_reply_problem(exchange, &http_problem_bad_request, "%s", why);
	return false;
}

static bool read_page(struct http_exchange *exchange, struct page *page)
{
	static const char *const names[] = {"q", "limit", "cursor", NULL};
	struct slice value, time;
	*page = (struct page){.pattern = slice_of("%"),
		.limit = LIMIT_PAGE_ITEMS_DEFAULT,
		.after_ms = CURSOR_MS_MIN};
	if (!http_query_only(exchange, names))
		return false;
	if (http_query(exchange, "q", &value)) {
		if (value.size > LIMIT_NAME_SIZE_MAX)
			return refuse_query(exchange, "q is too long.");
		page->pattern = like_pattern(http_arena(exchange), value);
	}
	if (http_query(exchange, "limit", &value) &&
		!slice_to_integer(value, 1, LIMIT_PAGE_ITEMS_MAX, &page->limit))
		return refuse_query(exchange, "limit must be an integer from 1 to 200.");
	if (!http_query(exchange, "cursor", &value))
		return true;
	if (!slice_split(&value, '.', &time) || !value.data || !id_parse(value, &page->after) ||
		!slice_to_integer(time, CURSOR_MS_MIN, CURSOR_MS_MAX, &page->after_ms))
		return refuse_query(exchange, "cursor must be what the last page gave as next.");
	return true;
}

static json_t *page_reply(const struct postgres_result *result, int64_t limit)
{
	json_t *items = json_array();
	size_t count = result->row_count < (size_t)limit ? result->row_count : (size_t)limit;
	for (size_t i = 0; i < count; i++) {
		struct slice text = postgres_get_text(result, i, 0);
		json_array_append_new(items, json_loadb(text.data, text.size, 0, NULL));
	}
	json_t *reply = json_pack("{s:o}", "items", items);
	if (result->row_count > (size_t)limit) {
		char next[80], id[ID_TEXT_SIZE];
		id_format(postgres_get_uuid(result, count - 1, 2), id);
		snprintf(next, sizeof next, "%lld.%s",
			(long long)postgres_get_timestamp(result, count - 1, 1), id);
		json_object_set_new(reply, "next", json_string(next));
	}
	return reply;
}

void event_list(struct http_exchange *exchange)
{
	struct page page;
	struct postgres_result result;
	if (!read_page(exchange, &page))
		return;
	enum status status = postgres_execute(app_database(exchange), &event_list_page,
		POSTGRES_PARAMETERS(postgres_text(page.pattern), postgres_timestamp(page.after_ms),
			postgres_uuid(page.after), postgres_bigint(page.limit + 1)),
		&result);
	if (status == STATUS_OK)
		http_reply_json(exchange, 200, page_reply(&result, page.limit));
	else
		app_reply_failed(exchange, status);
	postgres_result_release(&result);
}

/* ---- One event ---- */

/* False: there is none of that id, and the reply says so. */
static bool event_parameter(struct http_exchange *exchange, struct id *event)
{
	if (id_parse(http_parameter(exchange, "eventId"), event))
		return true;
	http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
	return false;
}

void event_read(struct http_exchange *exchange)
{
	struct id event;
	if (event_parameter(exchange, &event))
		app_reply_row(exchange, &event_read_one, POSTGRES_PARAMETERS(postgres_uuid(event)));
}

void event_seats(struct http_exchange *exchange)
{
	static const char *const names[] = {"section", "status", NULL};
	struct id event;
	struct slice section = {0}, status_name = {0};
	enum seat_status seat_status;
	if (!event_parameter(exchange, &event) || !http_query_only(exchange, names))
		return;
	http_query(exchange, "section", &section);
	if (http_query(exchange, "status", &status_name) &&
		!seat_status_parse(status_name, &seat_status)) {
		refuse_query(exchange, "status must be available, held or sold.");
		return;
	}
	app_reply_row(exchange, &event_seats_read,
		POSTGRES_PARAMETERS(
			postgres_uuid(event), postgres_text(section), postgres_text(status_name)));
}
