/* Database access shared by the handlers, and idempotent writes. */
#include "simplest-implementation/app.h"

#include "simplest-implementation/statements.sql.h"

STATEMENT_READS(key_lock);
STATEMENT_READS(key_find);
STATEMENT(key_store);

struct postgres *app_database(struct http_exchange *exchange)
{
	const struct app *app = http_context(exchange);
	return app->connections[http_worker(exchange)];
}

void app_reply_failed(struct http_exchange *exchange, enum status status)
{
	if (status == STATUS_UNAVAILABLE)
		http_reply_problem(exchange, &http_problem_unavailable,
			"The database does not answer; nothing was done.");
	else if (status == STATUS_UNKNOWN)
		http_reply_problem(exchange, &http_problem_unavailable,
			"The database's answer was lost. Repeat the request with the same "
			"Idempotency-Key to learn what became of it.");
	else
		http_reply_problem(exchange, &http_problem_internal, NULL);
}

bool app_item_parse(struct slice text, struct id *event, struct id *item)
{
	struct slice event_text;
	return slice_split(&text, '.', &event_text) && text.data && id_parse(event_text, event) &&
		id_parse(text, item);
}

void app_reply_row(struct http_exchange *exchange, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count)
{
	struct postgres_result result;
	enum status status =
		postgres_execute(app_database(exchange), statement, parameters, count, &result);
	if (status != STATUS_OK)
		app_reply_failed(exchange, status);
	else if (result.row_count == 0)
		http_reply_problem(exchange, &http_problem_not_found, NULL);
	else
		http_reply_json_text(exchange, 200, postgres_get_text(&result, 0, 0));
	postgres_result_release(&result);
}

/* ---- Idempotent writes ---- */

struct write_attempt {
	struct http_exchange *exchange;
	const struct app_write *write;
	struct http_idempotency idempotency;
};

static enum status attempt_write(struct postgres *pg, void *context);
static enum status replay(struct postgres *pg, struct write_attempt *attempt, bool *replied);
static enum status record(struct postgres *pg, const struct write_attempt *attempt);

void app_write(struct http_exchange *exchange, const struct app_write *write)
{
	struct write_attempt attempt = {.exchange = exchange, .write = write};
	if (!http_idempotency_read(exchange, write->key, &attempt.idempotency))
		return;
	enum status status = postgres_transact(app_database(exchange),
		&(struct postgres_transaction){.work = attempt_write, .context = &attempt});
	if (status != STATUS_OK)
		app_reply_failed(exchange, status);
}

static enum status attempt_write(struct postgres *pg, void *context)
{
	struct write_attempt *attempt = context;
	const struct app_write *write = attempt->write;
	bool has_key = attempt->idempotency.key.data != NULL, replied = false;
	enum status status = has_key ? replay(pg, attempt, &replied) : STATUS_OK;
	if (status != STATUS_OK || replied)
		return status;
	status = write->work(attempt->exchange, pg, write->input);
	if (status == STATUS_OK && !http_idempotency_keeps(attempt->exchange))
		postgres_rollback(pg);
	else if (status == STATUS_OK && has_key)
		status = record(pg, attempt);
	return status;
}

/* Reply from the record of an earlier request with this key, if there is one. */
static enum status replay(struct postgres *pg, struct write_attempt *attempt, bool *replied)
{
	const struct http_idempotency *key = &attempt->idempotency;
	const struct postgres_parameter names[] = {
		postgres_text(key->operation), postgres_text(key->key)};
	struct postgres_result result;
	enum status status = postgres_execute(pg, &key_lock, names, 2, &result);
	*replied = status == STATUS_OK && !postgres_get_boolean(&result, 0, 0);
	postgres_result_release(&result);
	if (*replied)
		http_idempotency_in_use(attempt->exchange);
	if (status != STATUS_OK || *replied)
		return status;
	status = postgres_execute(pg, &key_find, names, 2, &result);
	*replied = status == STATUS_OK && result.row_count == 1;
	if (*replied) {
		struct http_idempotency_record known = {
			.fingerprint = postgres_get_bytes(&result, 0, 0),
			.status = (unsigned)postgres_get_integer(&result, 0, 1),
			.body = postgres_get_text(&result, 0, 2),
		};
		http_idempotency_answer(attempt->exchange, key, &known);
	}
	postgres_result_release(&result);
	return status;
}

static enum status record(struct postgres *pg, const struct write_attempt *attempt)
{
	const struct http_idempotency *key = &attempt->idempotency;
	struct http_idempotency_record made = http_idempotency_record(attempt->exchange, key);
	return postgres_execute(pg, &key_store,
		POSTGRES_PARAMETERS(postgres_text(key->operation), postgres_text(key->key),
			postgres_bytes(made.fingerprint), postgres_integer((int32_t)made.status),
			postgres_text(made.body)),
		NULL);
}
