/* See orders_fixture.h. */
#include "real-implementation/orders_fixture.h"

#include <stdarg.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "real-implementation/schema/010_catalog.sql.h"
#include "real-implementation/schema/040_orders.sql.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum {
	DATABASE_MS = 20000,
	IN_FLIGHT_MAX = 64,
	LEASE_MS = 30000,
	WAIT_MS_MAX = 120000, /* Of a busy machine under a sanitizer. */
	STEP_MS = 20,
};

struct shop shop;

/* ---- Set-up ---- */

static struct postgres *connect_to_cluster(void)
{
	return postgres_open(&(struct postgres_options){.url = shop.cluster.url,
		.application_name = "shop",
		.connect_ms_max = DATABASE_MS,
		.call_ms_max = DATABASE_MS});
}

static void on_changed(void *context, const struct order_change *change)
{
	(void)context;
	for (size_t i = 0; i < SHOP_SERVERS; i++)
		orders_tell(shop.servers[i].orders, change);
}

static void on_wake(void *context, enum order_stage_kind stage)
{
	(void)context;
	checkout_orders_wake_stage(shop.engine, stage);
}

static bool person_of(void *context, struct http_exchange *exchange, struct slice *person)
{
	static const struct http_problem unauthorized = {401, "unauthorized", "Who are you?"};
	(void)context;
	if (http_header(exchange, "Person", person))
		return true;
	http_reply_problem(exchange, &unauthorized, NULL);
	return false;
}

static bool open_engine(void)
{
	struct fault fault = {0};
	struct postgres_checkout_options options = {.url = shop.cluster.url,
		.return_url = "https://example.com/back",
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = DATABASE_MS,
		.lease_ms = LEASE_MS,
		.backoff_ms_max = 300,
		.changed = on_changed};
	const struct stripe_options stripe = {.base_url = shop.simulator.url,
		.secret_key = shop.simulator.key,
		.in_flight_max = IN_FLIGHT_MAX,
		.submitted_max = IN_FLIGHT_MAX,
		.backoff_ms_max = 200};
	bool good = true;
	for (size_t i = 0; i < ORDER_STAGES && good; i++)
		good = stripe_open(&stripe, &options.providers[i], &fault) == STATUS_OK;
	good = good && postgres_checkout_engine(&options, &shop.engine, &fault) == STATUS_OK;
	if (!good)
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
	return good;
}

static bool open_server(struct shop_server *server)
{
	const struct http_server_options options = {.routes = order_route_table,
		.route_count = order_route_table_count,
		.loop_count = 1,
		.worker_count = SHOP_WORKERS,
		.request_ms_max = NEVER_MS,
		.stream_keep_alive_ms = NEVER_MS,
		.stream_stall_ms_max = NEVER_MS};
	const struct orders_options orders = {.database_url = shop.cluster.url,
		.database_ms = DATABASE_MS,
		.readers = server->readers,
		.person = person_of,
		.wake = on_wake};
	struct fault fault;
	for (size_t i = 0; i < SHOP_WORKERS; i++)
		server->readers[i] = connect_to_cluster();
	if (orders_open(&orders, &server->orders) != STATUS_OK)
		return false;
	struct http_server_options with_context = options;
	with_context.context = server->orders;
	if (http_server_open(&with_context, &server->http, &fault) != STATUS_OK)
		return false;
	struct http_channel *channel = http_channel_open(
		server->http, &(struct http_channel_options){.delivery = HTTP_DELIVER_EACH});
	return channel && orders_stream(server->orders, channel) == STATUS_OK;
}

int shop_start(void **state)
{
	struct fault fault;
	(void)state;
	json_object_seed(0); /* Before there are threads. */
	if (postgres_fixture_start(&shop.cluster, "orders") != STATUS_OK ||
		simulator_fixture_start(&shop.simulator, NULL) != STATUS_OK ||
		postgres_seats_open(&(struct postgres_seats_options){.url = shop.cluster.url,
					    .call_ms_max = DATABASE_MS},
			&shop.seats, &fault) != STATUS_OK ||
		!open_engine() || !(shop.judge = connect_to_cluster()) ||
		postgres_run_script(shop.judge, catalog_schema) != STATUS_OK ||
		postgres_run_script(shop.judge, orders_schema) != STATUS_OK)
		return -1;
	/* Where it is made in several steps by several programs, it must be there already. */
	if (postgres_run_script(shop.judge, orders_schema) != STATUS_OK)
		return -1;
	for (size_t i = 0; i < SHOP_SERVERS; i++)
		if (!open_server(&shop.servers[i]))
			return -1;
	http_client_init(&shop.client, http_server_port(shop.servers[0].http));
	return checkout_orders_start(shop.engine) == STATUS_OK ? 0 : -1;
}

int shop_stop(void **state)
{
	(void)state;
	http_client_release(&shop.client);
	http_client_reply_release(&shop.reply);
	json_decref(shop.json);
	if (shop.engine)
		checkout_orders_stop(shop.engine, DATABASE_MS);
	for (size_t i = 0; i < SHOP_SERVERS; i++) {
		struct shop_server *server = &shop.servers[i];
		if (server->orders)
			orders_stop(server->orders);
		http_server_close(server->http);
		orders_close(server->orders);
		for (size_t j = 0; j < SHOP_WORKERS; j++)
			postgres_close(server->readers[j]);
	}
	checkout_orders_close(shop.engine);
	seat_store_close(shop.seats);
	postgres_close(shop.judge);
	bool good = simulator_fixture_stop(&shop.simulator);
	postgres_fixture_stop(&shop.cluster);
	return good ? 0 : -1;
}

int shop_test_set_up(void **state)
{
	(void)state;
	shop_stock(SHOP_PRICE);
	return 0;
}

int shop_test_tear_down(void **state)
{
	(void)state;
	simulator_fixture_clear_faults(&shop.simulator);
	return 0;
}

/* ---- Seats ---- */

static const char *id_text(struct id id)
{
	char written[ID_TEXT_SIZE];
	id_format(id, written);
	return text("%s", written);
}

void shop_stock(int64_t price)
{
	struct seat_offer offers[SHOP_SEATS];
	char names[SHOP_SEATS][16];
	shop.event = id_new(clock_wall_ms(clock_system()));
	shop.next_seat = 0;
	for (size_t i = 0; i < SHOP_SEATS; i++) {
		(void)snprintf(names[i], sizeof names[i], "A-%02zu", i + 1);
		offers[i] = (struct seat_offer){.seat = slice_of(names[i]),
			.section = slice_of("Parterre"),
			.row = slice_of("A"),
			.number = slice_of(names[i] + 2),
			.price = price};
	}
	assert_int_equal(STATUS_OK,
		seat_store_stock(shop.seats, shop.event, slice_of("EUR"), offers, SHOP_SEATS));
}

const char *shop_hold(const char *person, size_t count)
{
	struct slice seats[SHOP_SEATS];
	struct hold_result result;
	assert_true(shop.next_seat + count <= SHOP_SEATS);
	for (size_t i = 0; i < count; i++)
		seats[i] = slice_of(text("A-%02zu", ++shop.next_seat));
	const struct hold_request request = {.event = shop.event,
		.hold = id_new(clock_wall_ms(clock_system())),
		.person = slice_of(person),
		.seats = seats,
		.seat_count = count,
		.hold_ms = HOUR_MS};
	assert_int_equal(STATUS_OK, seat_store_hold(shop.seats, &request, &result, 1));
	assert_int_equal(HOLD_GRANTED, result.outcome);
	return text("%s.%s", id_text(shop.event), id_text(request.hold));
}

/* ---- Asking ---- */

json_t *shop_ask(const char *method, const char *path, const char *person, const char *key,
	const char *body, int status)
{
	const char *headers = text("%s%s%s%s%s%s%s", person ? "Person: " : "", person ? person : "",
		person ? "\r\n" : "", key ? "Idempotency-Key: " : "", key ? key : "",
		key ? "\r\n" : "", body ? "Content-Type: application/json\r\n" : "");
	json_decref(shop.json);
	shop.json = NULL;
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&shop.client, method, path, headers, body, &shop.reply));
	if (shop.reply.status != status)
		fail_msg("%s %s is answered %d and not %d: %s", method, path, shop.reply.status,
			status, shop.reply.body);
	shop.json = http_client_reply_json(&shop.reply);
	return shop.json;
}

void shop_want_problem(const char *type)
{
	assert_string_equal(text("urn:onsale:problem:%s", type), shop_text(shop.json, "type"));
}

const char *shop_text(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));
	if (!value)
		fail_msg("there is no text %s in %s", name, shop.reply.body);
	return value;
}

int64_t shop_number(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	if (!json_is_integer(value))
		fail_msg("there is no number %s in %s", name, shop.reply.body);
	return json_integer_value(value);
}

static const char *new_key(void)
{
	return id_text(id_new(clock_wall_ms(clock_system())));
}

const char *shop_order(const char *hold)
{
	shop_ask("POST", "/orders", ALICE, new_key(), text("{\"holdId\":\"%s\"}", hold), 201);
	return text("%s", shop_text(shop.json, "orderId"));
}

json_t *shop_confirm(const char *order, const char *method, int status)
{
	return shop_ask("POST", text("/orders/%s/confirm", order), ALICE, new_key(),
		text("{\"paymentMethod\":\"%s\"}", method), status);
}

json_t *shop_cancel(const char *order, int status)
{
	return shop_ask("POST", text("/orders/%s/cancel", order), ALICE, new_key(), NULL, status);
}

json_t *shop_wait_status(const char *order, const char *status)
{
	for (int64_t end_ms = now_ms() + WAIT_MS_MAX; now_ms() < end_ms; pause_ms(STEP_MS)) {
		shop_ask("GET", text("/orders/%s", order), ALICE, NULL, NULL, 200);
		if (strcmp(shop_text(shop.json, "status"), status) == 0)
			return shop.json;
	}
	fail_msg("the order does not become %s but is %s", status, shop.reply.body);
	return NULL;
}

struct reader *shop_follow(size_t server, const char *order, const char *person)
{
	return reader_open(shop.servers[server].http, text("/orders/%s/stream", order),
		text("Person: %s\r\n", person));
}

/* ---- The database and the provider ---- */

int64_t shop_query(const char *sql, const char *id)
{
	const struct postgres_statement statement = {.name = "shop", .sql = sql};
	struct postgres_result rows;
	const char *own = id && strchr(id, '.') ? strchr(id, '.') + 1 : id;
	struct postgres *pg = connect_to_cluster(); /* Which has prepared none of this name. */
	assert_non_null(pg);
	if (postgres_execute(pg, &statement,
		    POSTGRES_PARAMETERS(postgres_text(slice_of(id_text(shop.event))),
			    postgres_text(slice_of(own ? own : ""))),
		    &rows) != STATUS_OK)
		fail_msg("%s: %s", sql, postgres_error(pg)->message);
	int64_t value = rows.row_count > 0 ? postgres_get_bigint(&rows, 0, 0) : 0;
	postgres_result_release(&rows);
	postgres_close(pg);
	return value;
}

void shop_wait_query(int64_t wanted, const char *sql, const char *id)
{
	for (int64_t end_ms = now_ms() + WAIT_MS_MAX; shop_query(sql, id) != wanted;) {
		if (now_ms() > end_ms)
			fail_msg("it does not become %lld: %s", (long long)wanted, sql);
		pause_ms(STEP_MS);
	}
}

void shop_pass_time(const char *order)
{
	(void)shop_query(
		"WITH o AS (UPDATE checkout_orders SET expires_at = clock_timestamp(), "
		"next_at = CASE WHEN next_at IS NOT NULL THEN clock_timestamp() END "
		"WHERE event_id = $1::uuid AND order_id = $2::uuid RETURNING hold_id), "
		"h AS (UPDATE seat_holds SET expires_at = clock_timestamp() FROM o "
		"WHERE seat_holds.event_id = $1::uuid AND seat_holds.hold_id = o.hold_id), "
		"s AS (UPDATE seats SET reserved_until = clock_timestamp() FROM o "
		"WHERE seats.event_id = $1::uuid AND seats.hold_id = o.hold_id) "
		"SELECT count(*) FROM o",
		order);
}

int64_t shop_ledger(const char *order, const char *kind)
{
	int64_t found = 0;
	size_t i;
	json_t *ledger = simulator_fixture_ledger(&shop.simulator), *item;
	json_array_foreach(json_object_get(ledger, "items"), i, item)
	{
		const char *of = json_string_value(
			json_object_get(json_object_get(item, "metadata"), "order_id"));
		found += of && strcmp(of, order) == 0 &&
			strcmp(json_string_value(json_object_get(item, "kind")), kind) == 0;
	}
	json_decref(ledger);
	return found;
}

int64_t shop_outbox(const char *order, const char *type)
{
	return shop_query(text("SELECT count(*) FROM outbox WHERE event_id = $1::uuid AND subject "
			       "= $1 || '.' || $2 AND source = '/orders' AND type = '%s' AND "
			       "data ->> 'orderId' = subject",
				  type),
		order);
}
