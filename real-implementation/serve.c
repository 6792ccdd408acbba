/* `onsale serve`: everything that lives as long as the server, on the way up and on the way down.
 *
 * Each part has a header that says what it does; here is only who knows whom:
 *
 *	sessions ◀── who asks ── all that is somebody's
 *	waiting room ◀── passes ── holds ── which seats ──▶ live ── what is free ──▶ conductor
 *	orders ──▶ the checkout's engine ── what became of them ──▶ orders, conductor */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/http/health.h"
#include "lib/http/server_metrics.h"
#include "lib/http/server_settings.h"
#include "real-implementation/admin.h"
#include "real-implementation/browse.h"
#include "real-implementation/catalog_routes.h"
#include "real-implementation/commands.h"
#include "real-implementation/compose.h"
#include "real-implementation/conductor.h"
#include "real-implementation/figures.h"
#include "real-implementation/holds.h"
#include "real-implementation/live.h"
#include "real-implementation/migrate.h"
#include "real-implementation/orders.h"
#include "real-implementation/pages.h"
#include "real-implementation/sessions.h"
#include "real-implementation/tickets.h"
#include "tech-locking-and-transactions/seat_payments.h"

enum {
	ROUTES_MAX = 96,
	SETTINGS_MAX = 96,
	WORKERS_MAX = 64,
	DRAIN_MS = 3000,
	CHECK_MS = 1000, /* For one question of /readyz. */
	MIGRATE_MS = 60000,
};

static struct {
	const char *admin_token, *place_keys, *session_keys, *ticket_keys;
	int64_t workers, hold_lanes, room_lanes, joins_per_second, joins_burst;
	int64_t sessions_per_second, sessions_burst, calm_ms, list_ms;
	bool cookies_over_tls, migrates;
} settings;

static const struct config_setting own_settings[] = {
	{.flag = "admin-token",
		.environment = "ADMIN_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.admin_token,
		.required = true,
		.help = "of the organiser's and the operator's requests"},
	{.flag = "place-keys",
		.environment = "PLACE_KEYS",
		.kind = CONFIG_SECRET,
		.value = &settings.place_keys,
		.required = true,
		.help = "sign places and passes: kid:base64,kid:base64, newest first"},
	{.flag = "session-keys",
		.environment = "SESSION_KEYS",
		.kind = CONFIG_SECRET,
		.value = &settings.session_keys,
		.required = true,
		.help = "sign sessions; likewise"},
	{.flag = "ticket-keys",
		.environment = "TICKET_KEYS",
		.kind = CONFIG_SECRET,
		.value = &settings.ticket_keys,
		.required = true,
		.help = "Ed25519 keys that sign tickets' codes; likewise"},
	{.flag = "workers",
		.environment = "WORKERS",
		.kind = CONFIG_INTEGER,
		.value = &settings.workers,
		.fallback = "8",
		.min = 1,
		.max = WORKERS_MAX,
		.help = "threads for requests that ask the database, each with a connection"},
	{.flag = "hold-lanes",
		.environment = "HOLD_LANES",
		.kind = CONFIG_INTEGER,
		.value = &settings.hold_lanes,
		.fallback = "2",
		.min = 1,
		.max = HOLD_LANES_MAX,
		.help = "threads that hold seats, each with a connection"},
	{.flag = "room-lanes",
		.environment = "ROOM_LANES",
		.kind = CONFIG_INTEGER,
		.value = &settings.room_lanes,
		.fallback = "2",
		.min = 1,
		.max = WAITING_ROOM_LANES_MAX,
		.help = "threads of the waiting room"},
	{.flag = "joins-per-second",
		.environment = "JOINS_PER_SECOND",
		.kind = CONFIG_INTEGER,
		.value = &settings.joins_per_second,
		.fallback = "50",
		.min = 1,
		.max = 1000000000,
		.help = "by one client address in the long run; beyond, 429"},
	{.flag = "joins-burst",
		.environment = "JOINS_BURST",
		.kind = CONFIG_INTEGER,
		.value = &settings.joins_burst,
		.fallback = "200",
		.min = 1,
		.max = 1000000000,
		.help = "by one client address at once"},
	{.flag = "sessions-per-second",
		.environment = "SESSIONS_PER_SECOND",
		.kind = CONFIG_INTEGER,
		.value = &settings.sessions_per_second,
		.fallback = "10",
		.min = 1,
		.max = 1000000000,
		.help = "new people by one client address in the long run; beyond, 429"},
	{.flag = "sessions-burst",
		.environment = "SESSIONS_BURST",
		.kind = CONFIG_INTEGER,
		.value = &settings.sessions_burst,
		.fallback = "100",
		.min = 1,
		.max = 1000000000,
		.help = "new people by one client address at once"},
	{.flag = "room-calm",
		.environment = "ROOM_CALM",
		.kind = CONFIG_DURATION,
		.value = &settings.calm_ms,
		.fallback = "30s",
		.min = 100,
		.max = 3600000,
		.help = "a waiting room that demand has opened closes after so long without any"},
	{.flag = "room-list",
		.environment = "ROOM_LIST",
		.kind = CONFIG_DURATION,
		.value = &settings.list_ms,
		.fallback = "500ms",
		.min = 10,
		.max = 60000,
		.help = "how often rooms that other servers have made are looked for"},
	{.flag = "migrate",
		.environment = "MIGRATE",
		.kind = CONFIG_SWITCH,
		.value = &settings.migrates,
		.fallback = "false",
		.help = "first bring the database to this version, as `onsale migrate` does"},
	{.flag = "secure-cookies",
		.environment = "SECURE_COOKIES",
		.kind = CONFIG_SWITCH,
		.value = &settings.cookies_over_tls,
		.fallback = "false",
		.help = "cookies over TLS only: where this server or a proxy before it speaks TLS"},
};

struct product {
	struct metrics *metrics;
	struct keyring *place_keys, *session_keys;
	struct ticket_signer *ticket_signer;
	struct admin admin;
	struct sessions *sessions;
	struct postgres *readers[WORKERS_MAX];
	struct postgres *checked;
	struct browse browse;
	struct catalog_routes catalog;
	struct tickets *tickets;
	struct figures figures;
	struct waiting_room_routes *rooms;
	struct live *live;
	struct holds *holds;
	struct conductor *conductor;
	struct orders *orders;
	struct checkout_orders *engine;
	struct payment_provider *reader; /* Of the provider's events. */
	struct http_health *health;
	struct http_server *http;
	struct http_route routes[ROUTES_MAX];
	void *contexts[ROUTES_MAX];
	size_t route_count;
};

static int configure(int argc, char **argv);
static enum status open_product(struct product *product, struct fault *fault);
static void close_product(struct product *product);

int command_serve(int argc, char **argv)
{
	static struct product product;
	struct fault fault = {.where = "server", .what = "memory or threads are short"};
	int code = configure(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	http_server_settings_log();
	program_hold_signals();
	json_object_seed(0);
	enum status status = open_product(&product, &fault);
	if (status == STATUS_OK) {
		printf("ready %s://%s:%u\n",
			http_server_settings.tls_certificate ? "https" : "http",
			http_server_settings.address, (unsigned)http_server_port(product.http));
		(void)fflush(stdout);
		log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
	} else if (!program_is_signaled()) {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	}
	code = status == STATUS_OK || program_is_signaled() ? 0 : 1;
	close_product(&product);
	return code;
}

static int configure(int argc, char **argv)
{
	/* Static, since the texts of --help and of faults point into it. */
	static struct config_setting table[SETTINGS_MAX];
	const struct {
		const struct config_setting *settings;
		size_t count;
	} parts[] = {
		{http_server_setting_table, http_server_setting_count},
		{own_settings, sizeof own_settings / sizeof *own_settings},
		{compose_setting_table, compose_setting_count},
		{seat_payment_settings, seat_payment_setting_count},
	};
	size_t count = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		assert(count + parts[i].count <= SETTINGS_MAX);
		memcpy(&table[count], parts[i].settings, parts[i].count * sizeof *table);
		count += parts[i].count;
	}
	table[0].fallback = "8080";
	const struct config_program program = {
		.name = "onsale serve",
		.summary = "Serve the API and the pages. The database is at this program's version "
			   "after `onsale migrate`.",
		.version = ONSALE_VERSION,
		.settings = table,
		.setting_count = count,
	};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- Up: what needs no thread of its own ---- */

static enum status name_setting(
	enum status status, const char *name, const struct fault *inner, struct fault *fault)
{
	if (status == STATUS_REFUSED)
		return fault_set(fault, name, "%s: %s", inner->where, inner->what);
	return status;
}

static enum status read_keys(struct product *product, struct fault *fault)
{
	struct fault inner;
	enum status status =
		keyring_new(slice_of(settings.place_keys), &product->place_keys, &inner);
	if (status != STATUS_OK)
		return name_setting(status, "PLACE_KEYS", &inner, fault);
	status = keyring_new(slice_of(settings.session_keys), &product->session_keys, &inner);
	if (status != STATUS_OK)
		return name_setting(status, "SESSION_KEYS", &inner, fault);
	status = ticket_signer_new(slice_of(settings.ticket_keys), &product->ticket_signer, &inner);
	if (status != STATUS_OK)
		return name_setting(status, "TICKET_KEYS", &inner, fault);
	product->admin.token = settings.admin_token;
	return settings.admin_token[0] != '\0' ? STATUS_OK
					       : fault_set(fault, "ADMIN_TOKEN", "is empty");
}

static struct postgres *open_database(const char *name, int64_t patience_ms)
{
	return postgres_open(&(struct postgres_options){.url = compose_settings.database_url,
		.application_name = name,
		.connect_ms_max = patience_ms,
		.call_ms_max = patience_ms,
		.fail_fast = true});
}

/* The database may be starting as well; but one of another version will not become right. */
static enum status wait_for_database(struct fault *fault)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){
		.url = compose_settings.database_url, .connect_ms_max = CHECK_MS});
	enum status status = STATUS_UNAVAILABLE;
	while (pg && status == STATUS_UNAVAILABLE && !program_is_signaled()) {
		struct migrate_report report;
		status = postgres_connect(pg, fault);
		if (status == STATUS_OK && settings.migrates)
			status = migrate(compose_settings.database_url, MIGRATE_MS, &report, fault);
		if (status == STATUS_OK)
			status = migrate_check(pg, fault);
	}
	postgres_close(pg);
	return status;
}

static enum status open_readers(struct product *product)
{
	for (int64_t i = 0; i < settings.workers; i++)
		if (!(product->readers[i] =
				    open_database("onsale-worker", compose_settings.database_ms)))
			return STATUS_UNAVAILABLE;
	product->checked = open_database("onsale-check", CHECK_MS);
	return product->checked ? STATUS_OK : STATUS_UNAVAILABLE;
}

static void wake_stage(void *context, enum order_stage_kind stage)
{
	const struct product *product = context;
	checkout_orders_wake_stage(product->engine, stage);
}

static void on_order_changed(void *context, const struct order_change *change)
{
	struct product *product = context;
	orders_tell(product->orders, change);
	if (strcmp(change->status, "paid") == 0)
		conductor_order_paid(product->conductor, change->key);
}

static enum status open_fronts(struct product *product, struct fault *fault)
{
	struct postgres *const *readers = product->readers;
	product->sessions = sessions_new(&(struct sessions_options){
		.keyring = product->session_keys,
		.transport = settings.cookies_over_tls || http_server_settings.tls_certificate
			? SESSION_OVER_TLS
			: SESSION_OVER_HTTP,
		.per_second = (double)settings.sessions_per_second,
		.burst = settings.sessions_burst,
		.address_from = http_server_settings.address_from,
		.metrics = product->metrics});
	product->browse = (struct browse){.readers = readers};
	product->catalog = (struct catalog_routes){.connections = readers,
		.admin = admin_asks,
		.admin_context = &product->admin,
		.open_seats = compose_open_seats};
	product->tickets = tickets_new(&(struct tickets_options){.connections = readers,
		.signer = product->ticket_signer,
		.person = sessions_person,
		.person_context = product->sessions,
		.admin = admin_asks,
		.admin_context = &product->admin});
	if (!product->sessions || !product->tickets)
		return STATUS_UNAVAILABLE;
	return waiting_room_routes_open(
		&(struct waiting_room_routes_options){.opener = {.open = compose_open_room},
			.keyring = product->place_keys,
			.admin_token = settings.admin_token,
			.lane_count = (size_t)settings.room_lanes,
			.joins_per_second = (double)settings.joins_per_second,
			.joins_burst = settings.joins_burst,
			.list_ms = settings.list_ms,
			.address_from = http_server_settings.address_from,
			.person = sessions_person,
			.person_context = product->sessions,
			.metrics = product->metrics},
		&product->rooms, fault);
}

static enum status open_lanes(struct product *product)
{
	enum status status =
		live_open(&(struct live_options){.database_url = compose_settings.database_url,
				  .database_ms = compose_settings.database_ms,
				  .open_store = compose_open_seats,
				  .metrics = product->metrics},
			&product->live);
	if (status == STATUS_OK)
		status = holds_open(&(struct holds_options){.open_store = compose_open_holds,
					    .person = sessions_person,
					    .person_context = product->sessions,
					    .lane_count = (size_t)settings.hold_lanes,
					    .metrics = product->metrics},
			&product->holds);
	if (status == STATUS_OK)
		status = conductor_open(
			&(struct conductor_options){.database_url = compose_settings.database_url,
				.database_ms = compose_settings.database_ms,
				.opener = {.open = compose_open_room},
				.admin = admin_asks,
				.admin_context = &product->admin,
				.calm_ms = settings.calm_ms,
				.metrics = product->metrics},
			&product->conductor);
	return status;
}

static enum status open_orders(struct product *product, struct fault *fault)
{
	enum status status = compose_open_checkout(
		product->metrics, on_order_changed, product, &product->engine, fault);
	if (status == STATUS_OK)
		status = compose_open_provider(1, &product->reader, fault);
	if (status == STATUS_OK)
		status = orders_open(
			&(struct orders_options){.database_url = compose_settings.database_url,
				.database_ms = compose_settings.database_ms,
				.readers = product->readers,
				.person = sessions_person,
				.person_context = product->sessions,
				.wake = wake_stage,
				.wake_context = product,
				.metrics = product->metrics},
			&product->orders);
	product->figures = (struct figures){
		.readers = product->readers, .admin = &product->admin, .rooms = product->rooms};
	return status;
}

/* ---- Up: routes ---- */

static void add_routes(
	struct product *product, const struct http_route routes[], size_t count, void *context)
{
	for (size_t i = 0; i < count; i++) {
		assert(product->route_count < ROUTES_MAX);
		product->routes[product->route_count] = routes[i];
		product->contexts[product->route_count++] = context;
	}
}

/* Those of the waiting room, but for the one that the conductor has. */
static void add_room_routes(struct product *product)
{
	for (size_t i = 0; i < waiting_room_route_count; i++) {
		const struct http_route *route = &waiting_room_route_table[i];
		if (route->method != conductor_route.method ||
			strcmp(route->pattern, conductor_route.pattern) != 0)
			add_routes(product, route, 1, product->rooms);
	}
	add_routes(product, &conductor_route, 1, product->conductor);
}

static void collect_routes(struct product *product)
{
	static const struct http_route own[] = {
		{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
		{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
		{HTTP_GET, "/metrics", HTTP_ON_WORKER, waiting_room_reply_metrics, 0},
	};
	add_routes(product, own, sizeof own / sizeof *own, product->rooms);
	add_routes(product, page_route_table, page_route_count, product);
	add_routes(product, browse_route_table, browse_route_count, &product->browse);
	add_routes(product, catalog_route_table, catalog_route_count, &product->catalog);
	add_routes(product, session_route_table, session_route_count, product->sessions);
	add_routes(product, live_route_table, live_route_count, product->live);
	add_routes(product, hold_route_table, hold_route_count, product->holds);
	add_routes(product, order_route_table, order_route_table_count, product->orders);
	add_routes(product, ticket_route_table, ticket_route_count, product->tickets);
	add_routes(product, figures_route_table, figures_route_count, &product->figures);
	add_routes(product, &seat_payment_route, 1, product);
	add_room_routes(product);
}

/* ---- Up: threads ---- */

static bool database_answers(void *context)
{
	const struct product *product = context;
	struct fault fault;
	return migrate_check(product->checked, &fault) == STATUS_OK;
}

static bool rooms_answer(void *context)
{
	return waiting_room_routes_ready(((const struct product *)context)->rooms);
}

static bool seats_answer(void *context)
{
	const struct product *product = context;
	return holds_ready(product->holds) && live_ready(product->live);
}

static enum status open_http(struct product *product, struct fault *fault)
{
	const struct http_health_check checks[] = {
		{"postgres", database_answers, product},
		{"redis", rooms_answer, product},
		{"seats", seats_answer, product},
	};
	enum status status =
		http_health_open(&(struct http_health_options){.checks = checks,
					 .check_count = sizeof checks / sizeof *checks},
			&product->health);
	struct http_server_options options = http_server_settings_options();
	options.routes = product->routes;
	options.route_count = product->route_count;
	options.contexts = product->contexts;
	options.context = product;
	options.worker_count = (size_t)settings.workers;
	options.drain_ms_max = DRAIN_MS;
	options.metrics = product->metrics;
	options.health = product->health;
	return status == STATUS_OK ? http_server_open(&options, &product->http, fault) : status;
}

static void wake_engine(void *engine)
{
	checkout_orders_wake(engine);
}

static enum status start_all(struct product *product, struct fault *fault)
{
	enum status status = waiting_room_routes_start(product->rooms, product->http, fault);
	if (status == STATUS_OK)
		status = live_start(product->live, product->http, product->rooms);
	if (status == STATUS_OK)
		status = holds_start(product->holds, product->live, product->rooms);
	if (status == STATUS_OK)
		status = conductor_start(
			product->conductor, product->live, product->holds, product->rooms, fault);
	struct http_channel *channel = http_channel_open(
		product->http, &(struct http_channel_options){.delivery = HTTP_DELIVER_EACH});
	if (status == STATUS_OK)
		status = channel ? orders_stream(product->orders, channel) : STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = checkout_orders_start(product->engine);
	if (status == STATUS_OK)
		seat_payments_listen(product->reader, wake_engine, product->engine);
	return status;
}

static enum status open_product(struct product *product, struct fault *fault)
{
	enum status status = read_keys(product, fault);
	if (status == STATUS_OK)
		status = wait_for_database(fault);
	product->metrics = metrics_new();
	if (status == STATUS_OK && !product->metrics)
		status = STATUS_UNAVAILABLE;
	if (status != STATUS_OK)
		return status;
	compose_register_metrics(product->metrics);
	orders_register_metrics(product->metrics);
	status = open_readers(product);
	if (status == STATUS_OK)
		status = open_fronts(product, fault);
	if (status == STATUS_OK)
		status = open_lanes(product);
	if (status == STATUS_OK)
		status = open_orders(product, fault);
	if (status != STATUS_OK)
		return status;
	collect_routes(product);
	http_register_metrics(product->metrics, product->routes, product->route_count);
	status = metrics_freeze(product->metrics);
	if (status == STATUS_OK)
		status = open_http(product, fault);
	return status == STATUS_OK ? start_all(product, fault) : status;
}

/* ---- Down ---- */

/* First those who begin things, then those who carry them on, then what the last answers need. */
static void close_product(struct product *product)
{
	if (product->conductor)
		conductor_stop(product->conductor);
	if (product->rooms)
		waiting_room_routes_stop(product->rooms);
	if (product->live)
		live_stop(product->live);
	if (product->holds)
		holds_stop(product->holds);
	if (product->engine)
		checkout_orders_stop(product->engine, DRAIN_MS);
	if (product->orders)
		orders_stop(product->orders);
	http_server_close(product->http);
	seat_payments_listen(NULL, NULL, NULL);
	http_health_close(product->health);
	orders_close(product->orders);
	checkout_orders_close(product->engine);
	payment_close(product->reader);
	conductor_close(product->conductor);
	holds_close(product->holds);
	live_close(product->live);
	waiting_room_routes_close(product->rooms);
	tickets_free(product->tickets);
	sessions_free(product->sessions);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		postgres_close(product->readers[i]);
	postgres_close(product->checked);
	ticket_signer_free(product->ticket_signer);
	keyring_free(product->session_keys);
	keyring_free(product->place_keys);
	metrics_free(product->metrics);
}
