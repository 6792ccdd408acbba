/* A ticket at the door: POST /tickets/scan of tickets.h. */
#include "lib/base/clock.h"
#include "lib/http/fields.h"
#include "lib/http/idempotency.h"
#include "lib/ticketing/ticket_code.h"
#include "real-implementation/ticket_statements.sql.h"
#include "real-implementation/tickets_internal.h"

static const struct postgres_statement ticket_scan = {
	.name = "ticket_scan", .sql = sql_ticket_scan};
static const struct postgres_statement ticket_scanned = {
	.name = "ticket_scanned", .sql = sql_ticket_scanned, .effect = POSTGRES_READS};
static const struct postgres_statement scan_key_lock = {
	.name = "scan_key_lock", .sql = sql_scan_key_lock, .effect = POSTGRES_READS};
static const struct postgres_statement scan_key_find = {
	.name = "scan_key_find", .sql = sql_scan_key_find, .effect = POSTGRES_READS};
static const struct postgres_statement scan_key_store = {
	.name = "scan_key_store", .sql = sql_scan_key_store};

static const struct http_problem wrong_code = {422, "ticket-code", "This is no ticket's code"};
static const struct http_problem other_event = {
	409, "other-event", "This ticket is for another event"};
static const struct http_problem void_ticket = {410, "ticket-void", "This ticket is void"};
static const struct http_problem already_scanned = {
	409, "already-scanned", "This ticket was scanned before"};

struct scan {
	struct http_exchange *exchange;
	struct http_idempotency idempotency;
	struct ticket_code code;
	struct slice gate; /* `data` NULL: not named. */
};

static bool read_scan(struct scan *scan);
static bool check_code(struct scan *scan, struct slice text);
static bool check_event(struct scan *scan, const struct id *event);
static bool check_generation(struct scan *scan);
static enum status attempt_scan(struct postgres *pg, void *context);
static enum status replay(struct postgres *pg, const struct scan *scan, bool *replied);
static enum status record(struct postgres *pg, const struct scan *scan);
static enum status admit(struct postgres *pg, const struct scan *scan);

void ticket_scan_handle(struct http_exchange *exchange)
{
	const struct tickets *tickets = http_context(exchange);
	struct scan scan = {.exchange = exchange};
	if (!tickets->options.admin(tickets->options.admin_context, exchange) ||
		!http_idempotency_read(exchange, HTTP_KEY_OPTIONAL, &scan.idempotency) ||
		!read_scan(&scan))
		return;
	struct postgres *pg = tickets->options.connections[http_worker(exchange)];
	const struct postgres_transaction transaction = {.work = attempt_scan, .context = &scan};
	enum status status = postgres_transact(pg, &transaction);
	/* With a key, to ask once more is safe, and tells what the lost answer was. */
	if (status == STATUS_UNKNOWN && scan.idempotency.key.data)
		status = postgres_transact(pg, &transaction);
	if (status != STATUS_OK)
		ticket_reply_failed(exchange, status);
}

/* ---- What was scanned ---- */

static bool read_scan(struct scan *scan)
{
	/* Longer than any code: what is no code is told so, and not that the body is wrong. */
	enum { CODE_SIZE_MAX = 1024 };
	struct http_fields fields;
	struct slice event_text = {0};
	struct id event;
	http_fields_begin(&fields, scan->exchange);
	struct slice code = http_field_text(&fields, "code", CODE_SIZE_MAX);
	if (http_field_given(&fields, "gate"))
		scan->gate = http_field_text(&fields, "gate", TICKET_GATE_SIZE_MAX);
	if (http_field_given(&fields, "eventId"))
		event_text = http_field_id(&fields, "eventId");
	if (event_text.data && !id_parse(event_text, &event))
		http_field_refuse(&fields, "eventId", "must be an event's id, a UUID");
	return http_fields_end(&fields) && check_code(scan, code) &&
		check_event(scan, event_text.data ? &event : NULL) && check_generation(scan);
}

static bool check_code(struct scan *scan, struct slice text)
{
	const struct tickets *tickets = http_context(scan->exchange);
	enum ticket_code_verdict verdict = ticket_code_read(
		ticket_signer_public(tickets->options.signer), text, &scan->code, NULL);
	if (verdict == TICKET_CODE_GENUINE)
		return true;
	http_reply_problem_with(scan->exchange, &wrong_code,
		json_pack("{s:s}", "verdict", ticket_code_verdict_name(verdict)), NULL);
	return false;
}

/* Where the scanner says at which event it is. */
static bool check_event(struct scan *scan, const struct id *event)
{
	char actual[ID_TEXT_SIZE];
	if (!event || memcmp(event, &scan->code.event, sizeof *event) == 0)
		return true;
	id_format(scan->code.event, actual);
	http_reply_problem_with(
		scan->exchange, &other_event, json_pack("{s:s}", "eventId", actual), NULL);
	return false;
}

static bool check_generation(struct scan *scan)
{
	if (scan->code.generation == TICKET_GENERATION_FIRST)
		return true;
	http_reply_problem(scan->exchange, &void_ticket, "It has another code now.");
	return false;
}

/* ---- The transaction ---- */

static enum status attempt_scan(struct postgres *pg, void *context)
{
	const struct scan *scan = context;
	bool has_key = scan->idempotency.key.data != NULL, replied = false;
	enum status status = has_key ? replay(pg, scan, &replied) : STATUS_OK;
	if (status != STATUS_OK || replied)
		return status;
	status = admit(pg, scan);
	if (status == STATUS_OK && has_key && http_idempotency_keeps(scan->exchange))
		status = record(pg, scan);
	return status;
}

/* Reply from the record of an earlier request with this key, if there is one. */
static enum status replay(struct postgres *pg, const struct scan *scan, bool *replied)
{
	const struct postgres_parameter names[] = {
		postgres_text(scan->idempotency.operation), postgres_text(scan->idempotency.key)};
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &scan_key_lock, names, 2, &rows);
	*replied = status == STATUS_OK && !postgres_get_boolean(&rows, 0, 0);
	postgres_result_release(&rows);
	if (*replied)
		http_idempotency_in_use(scan->exchange);
	if (status != STATUS_OK || *replied)
		return status;
	status = postgres_execute(pg, &scan_key_find, names, 2, &rows);
	*replied = status == STATUS_OK && rows.row_count == 1;
	if (*replied) {
		const struct http_idempotency_record known = {
			.fingerprint = postgres_get_bytes(&rows, 0, 0),
			.status = (unsigned)postgres_get_integer(&rows, 0, 1),
			.body = postgres_get_text(&rows, 0, 2),
		};
		http_idempotency_answer(scan->exchange, &scan->idempotency, &known);
	}
	postgres_result_release(&rows);
	return status;
}

static enum status record(struct postgres *pg, const struct scan *scan)
{
	const struct http_idempotency *key = &scan->idempotency;
	struct http_idempotency_record made = http_idempotency_record(scan->exchange, key);
	return postgres_execute(pg, &scan_key_store,
		POSTGRES_PARAMETERS(postgres_text(key->operation), postgres_text(key->key),
			postgres_bytes(made.fingerprint), postgres_integer((int32_t)made.status),
			postgres_text(made.body)),
		NULL);
}

/* ---- The scan ---- */

/* The columns of ticket_scan. */
enum { SECTION, ROW, NUMBER, ADMITS, SCANNED_AT };

static void reply_admitted(const struct scan *scan, const struct postgres_result *rows)
{
	char ticket[TICKET_NAME_SIZE], event[ID_TEXT_SIZE], at[TIME_TEXT_SIZE];
	ticket_name_format(scan->code.event, scan->code.ticket, ticket);
	id_format(scan->code.event, event);
	time_format(postgres_get_timestamp(rows, 0, SCANNED_AT), at);
	http_reply_json(scan->exchange, 200,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "result", "admitted", "ticketId",
			ticket, "eventId", event, "section",
			postgres_get_text(rows, 0, SECTION).data, "row",
			postgres_get_text(rows, 0, ROW).data, "number",
			postgres_get_text(rows, 0, NUMBER).data, "scannedAt", at));
}

/* Tell when and where the first scan was. */
static enum status refuse_second(struct postgres *pg, const struct scan *scan)
{
	char at[TIME_TEXT_SIZE];
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &ticket_scanned,
		POSTGRES_PARAMETERS(
			postgres_uuid(scan->code.event), postgres_uuid(scan->code.ticket)),
		&rows);
	if (status == STATUS_OK && rows.row_count == 0) {
		/* Somebody has taken it away between the two statements. */
		status = STATUS_UNAVAILABLE;
	} else if (status == STATUS_OK) {
		time_format(postgres_get_timestamp(&rows, 0, 0), at);
		http_reply_problem_with(scan->exchange, &already_scanned,
			json_pack("{s:s, s:s*}", "firstScannedAt", at, "gate",
				postgres_get_text(&rows, 0, 1).data),
			NULL);
	}
	postgres_result_release(&rows);
	return status;
}

static enum status admit(struct postgres *pg, const struct scan *scan)
{
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &ticket_scan,
		POSTGRES_PARAMETERS(postgres_uuid(scan->code.event),
			postgres_uuid(scan->code.ticket), postgres_text(scan->gate)),
		&rows);
	if (status == STATUS_OK && rows.row_count == 0)
		http_reply_problem(scan->exchange, &http_problem_not_found,
			"The code is genuine, but there is no such ticket.");
	else if (status == STATUS_OK && !postgres_get_boolean(&rows, 0, ADMITS))
		http_reply_problem(scan->exchange, &void_ticket, NULL);
	else if (status == STATUS_OK && !postgres_is_null(&rows, 0, SCANNED_AT))
		reply_admitted(scan, &rows);
	else if (status == STATUS_OK)
		status = refuse_second(pg, scan);
	postgres_result_release(&rows);
	return status;
}
