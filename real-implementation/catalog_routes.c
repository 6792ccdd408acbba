/* See catalog_routes.h. */
#include "real-implementation/catalog_routes.h"

#include <sodium.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/http/idempotency.h"
#include "real-implementation/catalog_statements.sql.h"

static const struct postgres_statement catalog_key_find = {
	.name = "catalog_key_find", .sql = sql_catalog_key_find, .effect = POSTGRES_READS};

static const struct http_problem wrong_document = {
	422, "document-invalid", "The document is not right"};
static const struct http_problem unchangeable = {
	409, "event-unchangeable", "This cannot be changed any more"};

/* One write on its way. */
struct write {
	struct http_exchange *exchange;
	struct catalog_routes *routes;
	struct catalog catalog;
	struct http_idempotency idempotency;
	char fingerprint[2 * HTTP_FINGERPRINT_SIZE + 1];
	struct catalog_key key;
	struct catalog_request request;
	struct catalog_answer answer;
	bool is_event;
};

static void add_venue(struct http_exchange *exchange);
static void add_event(struct http_exchange *exchange);
static void change_event(struct http_exchange *exchange);
static bool begin(struct write *write, struct http_exchange *exchange, int32_t status);
static bool replayed(struct write *write);
static void finish(struct write *write, enum status status, unsigned http_status);
static void reply_fault(
	struct write *write, const struct http_problem *problem, const struct fault *fault);
static void reply_failed(struct http_exchange *exchange, enum status status);

const struct http_route catalog_route_table[] = {
	{HTTP_POST, "/venues", HTTP_ON_WORKER, add_venue, SEATING_PLAN_SIZE_MAX},
	{HTTP_POST, "/events", HTTP_ON_WORKER, add_event, CATALOG_EVENT_SIZE_MAX},
	{HTTP_PUT, "/events/{eventId}", HTTP_ON_WORKER, change_event, CATALOG_EVENT_SIZE_MAX},
};

const size_t catalog_route_count = sizeof catalog_route_table / sizeof catalog_route_table[0];

static void add_venue(struct http_exchange *exchange)
{
	struct write write;
	struct venue_document venue;
	struct fault fault;
	struct arena arena;
	if (!begin(&write, exchange, 201) || !http_body_is_json(exchange))
		return;
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	enum status status = venue_document_read(http_body(exchange), &arena, &venue, &fault);
	if (status == STATUS_REFUSED) {
		reply_fault(&write, &wrong_document, &fault);
	} else {
		if (status == STATUS_OK)
			status = catalog_add_venue(&write.catalog, &write.request, &venue,
				http_body(exchange), http_arena(exchange), &write.answer);
		finish(&write, status, 201);
	}
	arena_release(&arena);
}

/* False: a reply was made. */
static bool read_event(
	struct write *write, enum event_purpose purpose, struct event_document *event)
{
	struct fault fault;
	json_t *body = http_body_object(write->exchange);
	if (!body)
		return false;
	enum status status =
		event_document_read(body, purpose, http_arena(write->exchange), event, &fault);
	if (status == STATUS_REFUSED)
		reply_fault(write, &wrong_document, &fault);
	else if (status != STATUS_OK)
		reply_failed(write->exchange, status);
	return status == STATUS_OK;
}

static void add_event(struct http_exchange *exchange)
{
	struct write write;
	struct event_document event;
	if (!begin(&write, exchange, 201) || !read_event(&write, EVENT_NEW, &event))
		return;
	write.is_event = true;
	enum status status = catalog_add_event(
		&write.catalog, &write.request, &event, http_arena(exchange), &write.answer);
	finish(&write, status, 201);
}

static void change_event(struct http_exchange *exchange)
{
	struct write write;
	struct event_document event;
	if (!begin(&write, exchange, 200))
		return;
	if (!id_parse(http_parameter(exchange, "eventId"), &write.request.id)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		return;
	}
	if (!read_event(&write, EVENT_CHANGE, &event))
		return;
	write.is_event = true;
	enum status status = catalog_change_event(
		&write.catalog, &write.request, &event, http_arena(exchange), &write.answer);
	finish(&write, status, 200);
}

/* Who asks, and whether this was answered before. False: a reply was made. */
static bool begin(struct write *write, struct http_exchange *exchange, int32_t status)
{
	struct catalog_routes *routes = http_context(exchange);
	*write = (struct write){.exchange = exchange,
		.routes = routes,
		.catalog = {
			.open_seats = routes->open_seats, .seats_context = routes->seats_context}};
	if (!routes->admin(routes->admin_context, exchange) ||
		!http_idempotency_read(exchange, HTTP_KEY_OPTIONAL, &write->idempotency))
		return false;
	write->catalog.pg = routes->connections[http_worker(exchange)];
	const struct http_idempotency *idempotency = &write->idempotency;
	if (!idempotency->key.data) {
		write->request.id = id_new(clock_wall_ms(clock_system()));
		catalog_digest(http_body(exchange), write->request.digest);
		return true;
	}
	struct slice name = arena_format(http_arena(exchange), "%s %.*s",
		idempotency->operation.data, SLICE_PRINT(idempotency->key));
	if (!name.data) {
		reply_failed(exchange, STATUS_UNAVAILABLE);
		return false;
	}
	sodium_bin2hex(write->fingerprint, sizeof write->fingerprint, idempotency->fingerprint,
		HTTP_FINGERPRINT_SIZE);
	write->key = (struct catalog_key){.operation = idempotency->operation,
		.key = idempotency->key,
		.fingerprint = slice_of(write->fingerprint),
		.status = status};
	write->request.id = catalog_id_of("key", name);
	memcpy(write->request.digest, idempotency->fingerprint, sizeof write->request.digest);
	write->request.key = &write->key;
	return !replayed(write);
}

_Static_assert((int)HTTP_FINGERPRINT_SIZE == (int)CATALOG_DIGEST_SIZE, "both are SHA-256");

/* Reply from the record of an earlier request with this key, if there is one. */
static bool replayed(struct write *write)
{
	struct postgres_result result;
	uint8_t fingerprint[HTTP_FINGERPRINT_SIZE];
	enum status status = postgres_execute(write->catalog.pg, &catalog_key_find,
		POSTGRES_PARAMETERS(
			postgres_text(write->key.operation), postgres_text(write->key.key)),
		&result);
	bool found = status == STATUS_OK && result.row_count == 1;
	if (status != STATUS_OK)
		reply_failed(write->exchange, status);
	if (found) {
		struct slice hex = postgres_get_text(&result, 0, 0);
		size_t size = 0;
		sodium_hex2bin(
			fingerprint, sizeof fingerprint, hex.data, hex.size, NULL, &size, NULL);
		struct http_idempotency_record known = {
			.fingerprint = {.data = (const char *)fingerprint, .size = size},
			.status = (unsigned)postgres_get_integer(&result, 0, 1),
			.body = postgres_get_text(&result, 0, 2),
		};
		http_idempotency_answer(write->exchange, &write->idempotency, &known);
	}
	postgres_result_release(&result);
	return found || status != STATUS_OK;
}

static void finish(struct write *write, enum status status, unsigned http_status)
{
	struct http_exchange *exchange = write->exchange;
	struct catalog_routes *routes = write->routes;
	const struct http_idempotency_record other = {.fingerprint = slice_of("another")};
	if (status != STATUS_OK) {
		reply_failed(exchange, status);
		return;
	}
	switch (write->answer.outcome) {
	case CATALOG_MADE:
	case CATALOG_KNOWN:
		if (routes->changed && write->is_event)
			routes->changed(routes->changed_context, write->request.id);
		http_reply_json_text(exchange, http_status, write->answer.json);
		break;
	case CATALOG_OTHER:
		http_idempotency_answer(exchange, &write->idempotency, &other);
		break;
	case CATALOG_WRONG:
		reply_fault(write, &wrong_document, &write->answer.fault);
		break;
	case CATALOG_CONFLICT:
		reply_fault(write, &unchangeable, &write->answer.fault);
		break;
	case CATALOG_MISSING:
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		break;
	}
}

static void reply_fault(
	struct write *write, const struct http_problem *problem, const struct fault *fault)
{
	json_t *members = json_pack("{s:s}", "path", fault->where);
	http_reply_problem_with(write->exchange, problem, members ? members : json_object(),
		"%s: %s.", fault->where, fault->what);
}

static void reply_failed(struct http_exchange *exchange, enum status status)
{
	if (status == STATUS_UNAVAILABLE)
		http_reply_problem(exchange, &http_problem_unavailable,
			"The database does not answer. Repeat the request with the same "
			"Idempotency-Key.");
	else if (status == STATUS_UNKNOWN)
		http_reply_problem(exchange, &http_problem_unavailable,
			"The database's answer was lost. Repeat the request with the same "
			"Idempotency-Key to learn what became of it.");
	else
		http_reply_problem(exchange, &http_problem_internal, NULL);
}
