/* See browse.h. Queries are made in browse_search.c. */
#include "real-implementation/browse.h"

#include <stdio.h>

#include "lib/base/buffer.h"
#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/limits.h"
#include "lib/http/representation.h"
#include "real-implementation/browse_statements.sql.h"

static const struct postgres_statement browse_event = {
	.name = "browse_event", .sql = sql_browse_event, .effect = POSTGRES_READS};

/* Years 1 to 9999, in wall ms: what a cursor may say. */
#define CURSOR_MS_MIN (-62135596800000)
#define CURSOR_MS_MAX 253402300799999

/* A page of the largest items: 20 performers of 200 bytes, of which each may be escaped. */
enum { PAGE_SIZE_MAX = 16 << 20, DATE_SIZE = sizeof "2027-05-01" - 1 };

static void list_events(struct http_exchange *exchange);
static void read_event(struct http_exchange *exchange);
static bool read_page(
	struct http_exchange *exchange, struct browse_page *page, struct slice *typed);
static bool read_time(
	struct http_exchange *exchange, const char *name, bool *has, int64_t *wall_ms);
static bool read_cursor(struct slice text, struct browse_page *page);
static void reply_page(
	struct http_exchange *exchange, const struct postgres_result *result, size_t limit);
static void reply_failed(struct http_exchange *exchange, enum status status);

const struct http_route browse_route_table[] = {
	{HTTP_GET, "/events", HTTP_ON_WORKER, list_events, 0},
	{HTTP_GET, "/events/{eventId}", HTTP_ON_WORKER, read_event, 0},
};

const size_t browse_route_count = sizeof browse_route_table / sizeof browse_route_table[0];

static struct postgres *reader(struct http_exchange *exchange)
{
	const struct browse *browse = http_context(exchange);
	return browse->readers[http_worker(exchange)];
}

static bool refuse(struct http_exchange *exchange, const char *why)
{
	http_reply_problem(exchange, &http_problem_bad_request, "%s", why);
	return false;
}

/* ---- GET /events ---- */

static void list_events(struct http_exchange *exchange)
{
	struct browse_page page;
	struct slice typed;
	struct postgres_result result = {0};
	enum status status = STATUS_OK;
	if (!read_page(exchange, &page, &typed))
		return;
	if (typed.data) {
		status = browse_query(reader(exchange), typed, http_arena(exchange), &page.query);
		if (status == STATUS_REFUSED &&
			postgres_error(reader(exchange))->class == POSTGRES_NO_ERROR) {
			refuse(exchange, "q has too many words.");
			return;
		}
	}
	bool hopeless = typed.data && !page.query.data;
	if (status == STATUS_OK && !hopeless)
		status = browse_read_page(reader(exchange), &page, &result);
	if (status == STATUS_OK)
		reply_page(exchange, &result, (size_t)page.limit);
	else
		reply_failed(exchange, status);
	postgres_result_release(&result);
}

static bool read_page(struct http_exchange *exchange, struct browse_page *page, struct slice *typed)
{
	static const char *const names[] = {"q", "city", "from", "to", "limit", "cursor", NULL};
	struct slice value;
	*page = (struct browse_page){.limit = LIMIT_PAGE_ITEMS_DEFAULT};
	*typed = (struct slice){0};
	if (!http_query_only(exchange, names))
		return false;
	/* A field that was left empty is no search. */
	if (http_query(exchange, "q", &value) && value.size > 0)
		*typed = value;
	if (typed->size > BROWSE_QUERY_SIZE_MAX)
		return refuse(exchange, "q is too long.");
	if (http_query(exchange, "city", &value) && value.size > 0)
		page->city = value;
	if (page->city.size > LIMIT_NAME_SIZE_MAX)
		return refuse(exchange, "city is too long.");
	if (!read_time(exchange, "from", &page->has_from, &page->from_ms) ||
		!read_time(exchange, "to", &page->has_to, &page->to_ms))
		return false;
	if (http_query(exchange, "limit", &value) &&
		!slice_to_integer(value, 1, LIMIT_PAGE_ITEMS_MAX, &page->limit))
		return refuse(exchange, "limit must be an integer from 1 to 200.");
	if (http_query(exchange, "cursor", &value) && !read_cursor(value, page))
		return refuse(exchange, "cursor must be what the last page gave as next.");
	return true;
}

/* A time, or a date, which is its first moment in UTC. */
static bool read_time(struct http_exchange *exchange, const char *name, bool *has, int64_t *wall_ms)
{
	char text[DATE_SIZE + sizeof "T00:00:00Z"];
	struct slice value;
	if (!http_query(exchange, name, &value) || value.size == 0)
		return true;
	if (value.size == DATE_SIZE) {
		snprintf(text, sizeof text, "%.*sT00:00:00Z", SLICE_PRINT(value));
		value = slice_of(text);
	}
	*has = time_parse(value, wall_ms) == STATUS_OK;
	if (*has)
		return true;
	http_reply_problem(exchange, &http_problem_bad_request,
		"%s must be a time as in RFC 3339, 2027-05-01T19:30:00Z, or a date, 2027-05-01.",
		name);
	return false;
}

static bool read_cursor(struct slice text, struct browse_page *page)
{
	struct slice time;
	page->has_cursor = slice_split(&text, '.', &time) && text.data &&
		id_parse(text, &page->after) &&
		slice_to_integer(time, CURSOR_MS_MIN, CURSOR_MS_MAX, &page->after_ms);
	return page->has_cursor;
}

static void reply_page(
	struct http_exchange *exchange, const struct postgres_result *result, size_t limit)
{
	size_t count = result->row_count < limit ? result->row_count : limit;
	struct buffer body;
	buffer_init(&body, PAGE_SIZE_MAX);
	buffer_add_text(&body, "{\"items\":[");
	for (size_t i = 0; i < count; i++) {
		struct slice item = postgres_get_text(result, i, 0);
		buffer_add_text(&body, i == 0 ? "" : ",");
		buffer_add(&body, item.data, item.size);
	}
	buffer_add_text(&body, "]");
	if (result->row_count > limit) {
		char id[ID_TEXT_SIZE];
		id_format(postgres_get_uuid(result, count - 1, 2), id);
		buffer_add_format(&body, ",\"next\":\"%lld.%s\"",
			(long long)postgres_get_timestamp(result, count - 1, 1), id);
	}
	buffer_add_text(&body, "}");
	if (body.failed)
		reply_failed(exchange, STATUS_UNAVAILABLE);
	else
		http_reply_json_text(exchange, 200, buffer_slice(&body));
	buffer_release(&body);
}

/* ---- GET /events/{eventId} ---- */

static void read_event(struct http_exchange *exchange)
{
	static const char *const names[] = {NULL};
	struct postgres_result result;
	char tag[HTTP_ETAG_SIZE_MAX];
	struct id event;
	if (!http_query_only(exchange, names))
		return;
	if (!id_parse(http_parameter(exchange, "eventId"), &event)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		return;
	}
	enum status status = postgres_execute(reader(exchange), &browse_event,
		POSTGRES_PARAMETERS(postgres_uuid(event)), &result);
	if (status != STATUS_OK) {
		reply_failed(exchange, status);
	} else if (result.row_count == 0) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
	} else {
		/* The status changes by itself, without a new version. */
		snprintf(tag, sizeof tag, "%lld-%.20s",
			(long long)postgres_get_bigint(&result, 0, 1),
			postgres_get_text(&result, 0, 2).data);
		http_reply_header(exchange, "Cache-Control", "no-cache");
		if (!http_not_modified(exchange, tag))
			http_reply_json_text(exchange, 200, postgres_get_text(&result, 0, 0));
	}
	postgres_result_release(&result);
}

static void reply_failed(struct http_exchange *exchange, enum status status)
{
	if (status == STATUS_UNAVAILABLE)
		http_reply_problem(
			exchange, &http_problem_unavailable, "The database does not answer.");
	else
		http_reply_problem(exchange, &http_problem_internal, NULL);
}
