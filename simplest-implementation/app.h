/* What the files of the simplest implementation share. */
#pragma once

#include "lib/base/id.h"
#include "lib/http/fields.h"
#include "lib/http/idempotency.h"
#include "lib/postgres/postgres.h"

/* A statement of statements.sql, by its name there. */
#define STATEMENT(name_) \
	static const struct postgres_statement name_ = {.name = #name_, .sql = sql_##name_}
#define STATEMENT_READS(name_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = POSTGRES_READS}

struct app {
	struct postgres **connections; /* One per worker. */
	size_t worker_count;
	int64_t hold_ms;
};

/* The worker's own connection. */
struct postgres *app_database(struct http_exchange *exchange);

/* Reply for a database call that did not go well: 503, since nothing or an unknown part of it was
 * applied, or 500 for what only a bug can cause. */
void app_reply_failed(struct http_exchange *exchange, enum status status);

/* The id of a hold, an order or a ticket: "<event id>.<own id>". False for anything else. */
bool app_item_parse(struct slice text, struct id *event, struct id *item);

/* A read that gives one JSON text, or no row: then 404. */
void app_reply_row(struct http_exchange *exchange, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count);

/* A write: everything that `work` does in the database, the reply it makes and the record of both
 * under the request's Idempotency-Key commit together. `work` is called in a transaction, again
 * when it met another's; it replies and returns STATUS_OK, also for a refusal. A reply of 409, 429
 * or 5xx undoes the transaction and is not recorded, so that the key can be used again. */
struct app_write {
	enum http_key key;
	enum status (*work)(struct http_exchange *exchange, struct postgres *pg, const void *input);
	const void *input;
};

void app_write(struct http_exchange *exchange, const struct app_write *write);

/* Handlers. */
void venue_create(struct http_exchange *exchange);
void event_create(struct http_exchange *exchange);
void event_list(struct http_exchange *exchange);
void event_read(struct http_exchange *exchange);
void event_seats(struct http_exchange *exchange);
void hold_create(struct http_exchange *exchange);
void hold_release(struct http_exchange *exchange);
void hold_purchase(struct http_exchange *exchange);
void order_read(struct http_exchange *exchange);

/* Give back what ran out, and forget old keys. Returns how many holds were ended. */
size_t sweep(struct postgres *pg);
