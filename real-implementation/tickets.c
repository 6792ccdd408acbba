/* See tickets.h. This file shows tickets; ticket_scans.c has the scans. */
#include "real-implementation/tickets_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/http/representation.h"
#include "lib/ticketing/qr_svg.h"
#include "lib/ticketing/ticket_code.h"
#include "real-implementation/ticket_statements.sql.h"

static const struct postgres_statement ticket_find = {
	.name = "ticket_find", .sql = sql_ticket_find, .effect = POSTGRES_READS};

static const struct http_problem void_ticket = {410, "ticket-void", "This ticket is void"};

static void show_ticket(struct http_exchange *exchange);
static void show_keys(struct http_exchange *exchange);
static struct http_prepared *prepare_keys(const struct ticket_signer *signer);

const struct http_route ticket_route_table[] = {
	{HTTP_GET, "/tickets/{ticketId}", HTTP_ON_WORKER, show_ticket, 0},
	{HTTP_POST, "/tickets/scan", HTTP_ON_WORKER, ticket_scan_handle, TICKET_SCAN_BODY_MAX},
	{HTTP_GET, "/.well-known/ticket-keys", HTTP_ON_LOOP, show_keys, 0},
};
const size_t ticket_route_count = sizeof ticket_route_table / sizeof *ticket_route_table;

struct tickets *tickets_new(const struct tickets_options *options)
{
	assert(options->signer && options->person && options->admin);
	struct tickets *tickets = calloc(1, sizeof *tickets);
	struct http_prepared *keys = tickets ? prepare_keys(options->signer) : NULL;
	if (!keys) {
		free(tickets);
		return NULL;
	}
	tickets->options = *options;
	tickets->keys = keys;
	return tickets;
}

void tickets_free(struct tickets *tickets)
{
	if (!tickets)
		return;
	http_prepared_release(tickets->keys);
	free(tickets);
}

static struct http_prepared *prepare_keys(const struct ticket_signer *signer)
{
	static const char cache_control[] = "public, max-age=300";
	static_assert(TICKET_KEYS_AGE_S == 300, "as the text says");
	const struct http_prepared_options options = {
		.content_type = "application/jwk-set+json", .cache_control = cache_control};
	json_t *json = ticket_key_set_json(ticket_signer_public(signer));
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct http_prepared *keys = text ? http_prepared_new(&options, slice_of(text)) : NULL;
	free(text);
	json_decref(json);
	return keys;
}

static void show_keys(struct http_exchange *exchange)
{
	const struct tickets *tickets = http_context(exchange);
	http_reply_prepared(exchange, tickets->keys);
}

void ticket_reply_failed(struct http_exchange *exchange, enum status status)
{
	if (status == STATUS_REFUSED)
		http_reply_problem(exchange, &http_problem_internal, NULL);
	else
		http_reply_problem(exchange, &http_problem_unavailable,
			status == STATUS_UNKNOWN
				? "The database's answer was lost. Repeat the request with the "
				  "same Idempotency-Key to learn what became of it."
				: "The database does not answer; nothing was done.");
}

/* ---- One ticket ---- */

struct ticket_name {
	struct id event, ticket;
	char text[TICKET_NAME_SIZE]; /* In small letters, however they came. */
	bool is_picture;
};

/* The columns of ticket_find. */
enum {
	ORDER,
	SEAT,
	SECTION,
	ROW,
	NUMBER,
	PRICE,
	CURRENCY,
	STATUS,
	SOLD_AT,
	SCANNED_AT,
	EVENT_NAME,
	STARTS_AT,
	VENUE,
	CITY,
	CATEGORY,
};

void ticket_name_format(struct id event, struct id ticket, char text[TICKET_NAME_SIZE])
{
	id_format(event, text);
	text[ID_TEXT_SIZE - 1] = '.';
	id_format(ticket, text + ID_TEXT_SIZE);
}

static bool read_name(struct slice text, struct ticket_name *name)
{
	static const char ending[] = ".svg";
	enum { ENDING_SIZE = sizeof ending - 1 };
	struct slice event;
	*name = (struct ticket_name){.is_picture = text.size > ENDING_SIZE &&
			memcmp(text.data + text.size - ENDING_SIZE, ending, ENDING_SIZE) == 0};
	if (name->is_picture)
		text.size -= ENDING_SIZE;
	if (!slice_split(&text, '.', &event) || !text.data || !id_parse(event, &name->event) ||
		!id_parse(text, &name->ticket))
		return false;
	ticket_name_format(name->event, name->ticket, name->text);
	return true;
}

static json_t *text_of(const struct postgres_result *rows, size_t column)
{
	struct slice text = postgres_get_text(rows, 0, column);
	return text.data ? json_stringn(text.data, text.size) : NULL;
}

static json_t *time_of(const struct postgres_result *rows, size_t column)
{
	char text[TIME_TEXT_SIZE];
	if (postgres_is_null(rows, 0, column))
		return NULL;
	time_format(postgres_get_timestamp(rows, 0, column), text);
	return json_string(text);
}

static bool is_valid(const struct postgres_result *rows)
{
	return slice_is(postgres_get_text(rows, 0, STATUS), "valid");
}

static void make_code(const struct tickets *tickets, const struct ticket_name *name,
	const struct postgres_result *rows, char code[TICKET_CODE_TEXT_SIZE])
{
	const struct ticket_code content = {.event = name->event,
		.ticket = name->ticket,
		.generation = TICKET_GENERATION_FIRST,
		.issued_at_s = postgres_get_timestamp(rows, 0, SOLD_AT) / 1000};
	ticket_code_make(tickets->options.signer, &content, code);
}

static void reply_ticket(struct http_exchange *exchange, const struct ticket_name *name,
	const struct postgres_result *rows)
{
	char event[ID_TEXT_SIZE], order[TICKET_NAME_SIZE], code[TICKET_CODE_TEXT_SIZE];
	id_format(name->event, event);
	ticket_name_format(name->event, postgres_get_uuid(rows, 0, ORDER), order);
	if (is_valid(rows))
		make_code(http_context(exchange), name, rows, code);
	/* `o*` leaves out what is NULL, as members are that there are no values for. */
	json_t *json = json_pack(
		"{s:s, s:s, s:{s:o, s:o, s:o, s:o}, s:s, s:o, s:o, s:o, s:o, s:o*, s:I, s:o, s:o, "
		"s:o*, s:s*}",
		"ticketId", name->text, "eventId", event, "event", "name",
		text_of(rows, EVENT_NAME), "startsAt", time_of(rows, STARTS_AT), "venue",
		text_of(rows, VENUE), "city", text_of(rows, CITY), "orderId", order, "seatId",
		text_of(rows, SEAT), "section", text_of(rows, SECTION), "row", text_of(rows, ROW),
		"number", text_of(rows, NUMBER), "category", text_of(rows, CATEGORY), "price",
		(json_int_t)postgres_get_bigint(rows, 0, PRICE), "currency",
		text_of(rows, CURRENCY), "status", text_of(rows, STATUS), "scannedAt",
		time_of(rows, SCANNED_AT), "code", is_valid(rows) ? code : NULL);
	http_reply_json(exchange, 200, json);
}

/* For who cannot see the picture. It may be cut anywhere: qr_svg mends half a character. */
static struct slice title_of(struct http_exchange *exchange, const struct postgres_result *rows)
{
	struct slice title = arena_format(http_arena(exchange), "%.*s, %.*s, %.*s %.*s",
		SLICE_PRINT(postgres_get_text(rows, 0, EVENT_NAME)),
		SLICE_PRINT(postgres_get_text(rows, 0, SECTION)),
		SLICE_PRINT(postgres_get_text(rows, 0, ROW)),
		SLICE_PRINT(postgres_get_text(rows, 0, NUMBER)));
	if (title.size > QR_SVG_TITLE_SIZE_MAX)
		title.size = QR_SVG_TITLE_SIZE_MAX;
	return title.data ? title : slice_of("Ticket");
}

static void reply_picture(struct http_exchange *exchange, const struct ticket_name *name,
	const struct postgres_result *rows)
{
	char code[TICKET_CODE_TEXT_SIZE];
	struct buffer svg;
	if (!is_valid(rows)) {
		http_reply_problem(exchange, &void_ticket, NULL);
		return;
	}
	make_code(http_context(exchange), name, rows, code);
	const struct qr_svg qr = {
		.text = slice_of(code), .level = QR_SVG_LEVEL_M, .title = title_of(exchange, rows)};
	buffer_init(&svg, QR_SVG_SIZE_MAX);
	char *copy = NULL;
	if (qr_svg_add(&qr, &svg) == STATUS_OK)
		copy = arena_copy(http_arena(exchange), buffer_slice(&svg));
	if (copy) {
		http_reply_header(exchange, "Cache-Control", "private, no-store");
		http_reply(exchange, 200, "image/svg+xml", (struct slice){copy, svg.size});
	} else {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	}
	buffer_release(&svg);
}

static void show_ticket(struct http_exchange *exchange)
{
	const struct tickets *tickets = http_context(exchange);
	struct ticket_name name;
	struct slice person;
	struct postgres_result rows;
	if (!tickets->options.person(tickets->options.person_context, exchange, &person))
		return;
	if (!read_name(http_parameter(exchange, "ticketId"), &name)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such ticket.");
		return;
	}
	enum status status =
		postgres_execute(tickets->options.connections[http_worker(exchange)], &ticket_find,
			POSTGRES_PARAMETERS(postgres_uuid(name.event), postgres_uuid(name.ticket),
				postgres_text(person)),
			&rows);
	if (status != STATUS_OK)
		ticket_reply_failed(exchange, status);
	else if (rows.row_count == 0)
		http_reply_problem(exchange, &http_problem_not_found, "There is no such ticket.");
	else if (name.is_picture)
		reply_picture(exchange, &name, &rows);
	else
		reply_ticket(exchange, &name, &rows);
	postgres_result_release(&rows);
}
