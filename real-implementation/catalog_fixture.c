#include "real-implementation/catalog_fixture.h"

#include "lib/base/buffer.h"
#include "real-implementation/browse.h"
#include "real-implementation/catalog_routes.h"
#include "real-implementation/migrate.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"

enum { WORKER_COUNT = 4, ROUTES_MAX = 8, NUMBERS_MAX = 512, BODY_SIZE_MAX = 1 << 16 };

struct catalog_fixture fixture;

static struct postgres *connections[WORKER_COUNT];
static struct http_route routes[ROUTES_MAX];
static void *contexts[ROUTES_MAX];
static struct catalog_routes catalog_context;
static struct browse browse_context;

/* ---- A seat store that can be told to fail ---- */

struct failing_store {
	struct seat_store base;
	struct seat_store *inner;
};

static enum status failing_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	struct failing_store *failing = (struct failing_store *)store;
	enum status status = seat_store_stock(failing->inner, event, currency, seats, count / 2);
	return status == STATUS_OK ? STATUS_UNAVAILABLE : status;
}

static void failing_close(struct seat_store *store)
{
	struct failing_store *failing = (struct failing_store *)store;
	failing->inner->ops->close(failing->inner);
	free(failing);
}

static const struct seat_store_ops failing_ops = {.stock = failing_stock, .close = failing_close};

enum status fixture_open_seats(void *context, struct seat_store **store, struct fault *fault)
{
	struct postgres_seats_options options = {
		.url = fixture.postgres.url, .application_name = "catalog_test"};
	(void)context;
	enum status status = postgres_seats_open(&options, store, fault);
	if (status != STATUS_OK || atomic_load(&fixture.stores_to_fail) == 0)
		return status;
	atomic_fetch_sub(&fixture.stores_to_fail, 1);
	struct failing_store *failing = calloc(1, sizeof *failing);
	assert_non_null(failing);
	*failing = (struct failing_store){.base = {.ops = &failing_ops}, .inner = *store};
	*store = &failing->base;
	return STATUS_OK;
}

/* ---- The server ---- */

static struct postgres *connect_to(const char *name)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){.url = fixture.postgres.url,
		.application_name = name,
		.clock = clock_system(),
		.connect_ms_max = FIXTURE_PATIENCE_MS,
		.call_ms_max = FIXTURE_PATIENCE_MS});
	assert_non_null(pg);
	return pg;
}

static bool is_admin(void *context, struct http_exchange *exchange)
{
	static const struct http_problem unauthorized = {401, "unauthorized", "Who are you?"};
	struct slice value;
	(void)context;
	if (http_header(exchange, "Authorization", &value) && slice_is(value, "Bearer organiser"))
		return true;
	http_reply_problem(exchange, &unauthorized, NULL);
	return false;
}

static void note_change(void *context, struct id event)
{
	(void)context;
	(void)event;
	atomic_fetch_add(&fixture.changed_count, 1);
}

static size_t add_routes(
	size_t count, const struct http_route table[], size_t table_count, void *context)
{
	for (size_t i = 0; i < table_count; i++, count++) {
		assert_true(count < ROUTES_MAX);
		routes[count] = table[i];
		contexts[count] = context;
	}
	return count;
}

int catalog_fixture_start(void **state)
{
	struct migrate_report report;
	struct fault fault = {0};
	(void)state;
	assert_int_equal(STATUS_OK, postgres_fixture_start(&fixture.postgres, "catalog"));
	if (migrate(fixture.postgres.url, FIXTURE_PATIENCE_MS, &report, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	for (size_t i = 0; i < WORKER_COUNT; i++)
		connections[i] = connect_to("catalog_test worker");
	fixture.pg = connect_to("catalog_test");
	catalog_context = (struct catalog_routes){.connections = connections,
		.admin = is_admin,
		.open_seats = fixture_open_seats,
		.changed = note_change};
	browse_context = (struct browse){.readers = connections};
	size_t count = add_routes(0, catalog_route_table, catalog_route_count, &catalog_context);
	count = add_routes(count, browse_route_table, browse_route_count, &browse_context);
	struct http_server_options options = {.routes = routes,
		.route_count = count,
		.contexts = contexts,
		.worker_count = WORKER_COUNT,
		.request_ms_max = FIXTURE_PATIENCE_MS};
	if (http_server_open(&options, &fixture.server, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	http_client_init(&fixture.client, http_server_port(fixture.server));
	fixture.client.timeout_ms = FIXTURE_PATIENCE_MS;
	return 0;
}

int catalog_fixture_stop(void **state)
{
	(void)state;
	json_decref(fixture.json);
	http_client_reply_release(&fixture.reply);
	http_client_release(&fixture.client);
	http_server_close(fixture.server);
	for (size_t i = 0; i < WORKER_COUNT; i++)
		postgres_close(connections[i]);
	postgres_close(fixture.pg);
	postgres_fixture_stop(&fixture.postgres);
	return 0;
}

int catalog_fixture_begin(void **state)
{
	(void)state;
	atomic_store(&fixture.changed_count, 0);
	atomic_store(&fixture.stores_to_fail, 0);
	assert_int_equal(STATUS_OK,
		postgres_run_script(fixture.pg,
			"TRUNCATE events, venues, search_words, idempotency_keys, seats, "
			"seat_events, seat_holds, seat_tickets, seat_changes"));
	return 0;
}

/* ---- Asking ---- */

void fixture_ask(
	const char *method, const char *path, const char *headers, const char *body, int status)
{
	enum http_client_outcome outcome =
		http_client_call(&fixture.client, method, path, headers, body, &fixture.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (fixture.reply.status != status)
		fail_msg("%s %s: %d instead of %d: %s", method, path, fixture.reply.status, status,
			fixture.reply.body);
	json_decref(fixture.json);
	fixture.json = http_client_reply_json(&fixture.reply);
}

void fixture_send(const char *method, const char *path, const char *body, int status)
{
	fixture_ask(method, path, FIXTURE_ADMIN, body, status);
}

static const json_t *find(const char *path)
{
	struct slice rest = slice_of(path), name;
	const json_t *value = fixture.json;
	while (slice_split(&rest, '.', &name))
		value = json_object_getn(value, name.data, name.size);
	if (!value)
		fail_msg("there is no %s in %s", path, fixture.reply.body);
	return value;
}

const char *fixture_text(const char *path)
{
	const char *text = json_string_value(find(path));
	assert_non_null(text);
	return text;
}

int64_t fixture_integer(const char *path)
{
	assert_true(json_is_integer(find(path)));
	return json_integer_value(find(path));
}

static void add_seats(struct buffer *plan, char prefix, const char *category, int count)
{
	for (int i = 1; i <= count; i++)
		buffer_add_format(plan,
			"%s{\"seat_guid\":\"%c%d\",\"seat_number\":\"%d\","
			"\"position\":{\"x\":%d,\"y\":0},\"category\":\"%s\"}",
			i == 1 ? "" : ",", prefix, i, i, i, category);
}

const char *fixture_venue(void)
{
	static char text[8192];
	struct buffer plan;
	buffer_init(&plan, sizeof text - 1);
	buffer_add_text(&plan,
		"{\"name\":\"Théâtre de la Mer\",\"city\":\"Saint-Malo\",\"country\":\"FR\","
		"\"size\":{\"width\":100,\"height\":100},\"categories\":["
		"{\"name\":\"Stalls\",\"color\":\"#ff0000\"},{\"name\":\"Balcony\","
		"\"color\":\"\"},{\"name\":\"Box\",\"color\":\"\"}],\"zones\":["
		"{\"name\":\"Parterre\",\"position\":{\"x\":0,\"y\":0},\"areas\":[],\"rows\":[{"
		"\"position\":{\"x\":0,\"y\":0},\"row_number\":\"1\",\"seats\":[");
	add_seats(&plan, 'p', "Stalls", 4);
	buffer_add_text(&plan,
		"]}]},{\"name\":\"Upstairs\",\"position\":{\"x\":0,\"y\":50},\"areas\":[],"
		"\"rows\":[{\"position\":{\"x\":0,\"y\":0},\"row_number\":\"1\",\"seats\":[");
	add_seats(&plan, 'u', "Balcony", 10);
	buffer_add_text(&plan, "]}]}]");
	assert_false(plan.failed);
	snprintf(text, sizeof text, "%.*s", SLICE_PRINT(buffer_slice(&plan)));
	buffer_release(&plan);
	return text;
}

const char *fixture_add_venue(void)
{
	static char id[ID_TEXT_SIZE], body[BODY_SIZE_MAX];
	snprintf(body, sizeof body, "%s}", fixture_venue());
	fixture_send("POST", "/venues", body, 201);
	snprintf(id, sizeof id, "%s", fixture_text("venueId"));
	return id;
}

const char *fixture_add_event(const char *name, const char *starts_at, const char *members)
{
	static char id[ID_TEXT_SIZE], body[BODY_SIZE_MAX];
	snprintf(body, sizeof body,
		"{\"venue\":\"Théâtre de la Mer\",\"name\":\"%s\",\"startsAt\":\"%s\","
		"\"currency\":\"EUR\",\"prices\":{\"Stalls\":5000,\"Balcony\":2500}%s}",
		name, starts_at, members);
	fixture_send("POST", "/events", body, 201);
	snprintf(id, sizeof id, "%s", fixture_text("eventId"));
	return id;
}

int64_t fixture_number(const char *sql)
{
	static char names[NUMBERS_MAX][16];
	static size_t count;
	struct postgres_result result;
	assert_true(count < NUMBERS_MAX);
	snprintf(names[count], sizeof names[count], "n%zu", count);
	struct postgres_statement statement = {.name = names[count++], .sql = sql};
	assert_int_equal(STATUS_OK,
		postgres_execute(fixture.pg, &statement, POSTGRES_NO_PARAMETERS, &result));
	assert_int_equal(1, result.row_count);
	int64_t value = postgres_get_bigint(&result, 0, 0);
	postgres_result_release(&result);
	return value;
}
