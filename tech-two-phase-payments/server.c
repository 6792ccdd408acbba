/* The order server: orders are made, confirmed, authorized, finalized and captured, each exactly
 * once, whatever is lost on the way. Its README says how. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "tech-two-phase-payments/order_feed.h"
#include "tech-two-phase-payments/order_payments.h"
#include "tech-two-phase-payments/order_routes.h"
#include "tech-two-phase-payments/order_statements.sql.h"
#include "tech-two-phase-payments/schema/001_orders.sql.h"
#include "tech-two-phase-payments/stripe/stripe.h"

static const struct postgres_statement ready = {
	.name = "ready", .sql = sql_ready, .effect = POSTGRES_READS};

/* Together the drains stay below the 5 s that run.sh gives a server to end. */
enum {
	CHECK_MS = 2000,
	START_MS = 5000,
	STAGES_DRAIN_MS = 2000,
	SERVER_DRAIN_MS = 2000,
	HOUR_MS = 3600000,
	DAY_MS = 24 * HOUR_MS,
};

static struct {
	int64_t port, workers, loops, connections_max, in_flight_max, log_form;
	int64_t confirm_ms, finalize_ms, action_ms, margin_ms, lease_ms, backoff_ms;
	int64_t database_ms, attempt_ms, call_ms;
	const char *address, *database_url, *admin_token, *return_url;
	const char *provider_url, *provider_key, *webhook_secret;
	bool access_log;
} settings;

static const char *const log_forms[] = {"json", "plain", NULL};

static const struct config_setting table[] = {
	{.flag = "port",
		.environment = "PORT",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.fallback = "8131",
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "address",
		.environment = "ADDRESS",
		.kind = CONFIG_TEXT,
		.value = &settings.address,
		.fallback = "127.0.0.1",
		.help = "IPv4 address to listen on; it knows no users, so keep it on loopback or "
			"behind something that does"},
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.database_ms,
		.fallback = "5s",
		.min = 100,
		.max = 60000,
		.help = "for connecting to the database, and for one statement"},
	{.flag = "admin-token",
		.environment = "ADMIN_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.admin_token,
		.required = true,
		.help = "what opens /admin"},
	{.flag = "stripe-base-url",
		.environment = "STRIPE_BASE_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.provider_url,
		.fallback = STRIPE_BASE_URL,
		.help = "whoever speaks Stripe's API"},
	{.flag = "stripe-secret-key",
		.environment = "STRIPE_SECRET_KEY",
		.kind = CONFIG_SECRET,
		.value = &settings.provider_key,
		.required = true,
		.help = "sk_… or rk_…"},
	{.flag = "stripe-webhook-secret",
		.environment = "STRIPE_WEBHOOK_SECRET",
		.kind = CONFIG_SECRET,
		.value = &settings.webhook_secret,
		.help = "whsec_…; without it, every event is refused and payments are looked up "
			"only now and then"},
	{.flag = "return-url",
		.environment = "RETURN_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.return_url,
		.help = "where a person comes back to after 3-D Secure"},
	{.flag = "attempt-timeout",
		.environment = "ATTEMPT_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.attempt_ms,
		.fallback = "30s",
		.min = 100,
		.max = 600000,
		.help = "for one request to the provider"},
	{.flag = "call-timeout",
		.environment = "CALL_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms,
		.fallback = "60s",
		.min = 100,
		.max = 600000,
		.help = "for a call to the provider with its repetitions"},
	{.flag = "backoff-max",
		.environment = "BACKOFF_MAX",
		.kind = CONFIG_DURATION,
		.value = &settings.backoff_ms,
		.fallback = "30s",
		.min = 10,
		.max = HOUR_MS,
		.help = "the longest pause between two calls for one order"},
	{.flag = "confirm-time",
		.environment = "CONFIRM_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.confirm_ms,
		.fallback = "15m",
		.min = 100,
		.max = DAY_MS,
		.help = "how long a new order waits to be confirmed"},
	{.flag = "action-time",
		.environment = "ACTION_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.action_ms,
		.fallback = "10m",
		.min = 100,
		.max = DAY_MS,
		.help = "how long a person has for 3-D Secure"},
	{.flag = "finalize-time",
		.environment = "FINALIZE_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.finalize_ms,
		.fallback = "10m",
		.min = 100,
		.max = 7 * DAY_MS,
		.help = "how long an authorized order waits to be finalized"},
	{.flag = "capture-margin",
		.environment = "CAPTURE_MARGIN",
		.kind = CONFIG_DURATION,
		.value = &settings.margin_ms,
		.fallback = "1h",
		.max = 7 * DAY_MS,
		.help = "how long before its authorization's end an order is given up"},
	{.flag = "lease",
		.environment = "LEASE",
		.kind = CONFIG_DURATION,
		.value = &settings.lease_ms,
		.fallback = "30s",
		.min = 500,
		.max = HOUR_MS,
		.help = "after which another process takes over what a dead one had in hand"},
	{.flag = "in-flight-max",
		.environment = "IN_FLIGHT_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.in_flight_max,
		.fallback = "2000",
		.min = 1,
		.max = STRIPE_IN_FLIGHT_MAX,
		.help = "calls to the provider at once, for each stage"},
	{.flag = "workers",
		.environment = "WORKERS",
		.kind = CONFIG_INTEGER,
		.value = &settings.workers,
		.fallback = "4",
		.min = 1,
		.max = 128,
		.help = "threads that read orders, each with a database connection"},
	{.flag = "loops",
		.environment = "LOOPS",
		.kind = CONFIG_INTEGER,
		.value = &settings.loops,
		.fallback = "0",
		.max = 64,
		.help = "event loops; 0: one per core"},
	{.flag = "connections-max",
		.environment = "CONNECTIONS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.connections_max,
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "client connections; beyond, 503"},
	{.flag = "access-log",
		.environment = "ACCESS_LOG",
		.kind = CONFIG_SWITCH,
		.value = &settings.access_log,
		.fallback = "true",
		.help = "a JSON line per request on standard error"},
	{.flag = "log-form",
		.environment = "LOG_FORM",
		.kind = CONFIG_CHOICE,
		.value = &settings.log_form,
		.fallback = "json",
		.choices = log_forms,
		.help = "form of the log on standard error"},
};

/* Everything that lives as long as the server. */
struct house {
	struct order_front front;
	struct metrics *metrics;
	struct order_payments *payments;
	struct order_writer *writer;
	struct order_feed *feed;
	struct payment_provider *provider; /* For webhooks. */
	struct postgres *checked;
	struct http_health *health;
	struct http_server *server;
};

static bool apply_schema(void);
static bool set_up(struct house *house, struct fault *fault);
static bool open_server(struct house *house, struct fault *fault);
static void close_house(struct house *house);

int main(int argc, char **argv)
{
	static const struct config_program program = {
		.name = "orders-server",
		.summary = "Orders that are paid for in two phases, once. Listens on loopback "
			   "unless told otherwise, since it knows no users.",
		.version = "1.0",
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	static struct house house;
	struct fault fault = {.what = "there is not enough memory"};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	log_configure(settings.log_form == 0 ? LOG_JSON : LOG_PLAIN, LOG_INFO);
	program_hold_signals();
	json_object_seed(0);
	if (sodium_init() < 0)
		return 1;
	if (!apply_schema()) {
		code = program_is_signaled() ? 0 : 1;
	} else if (set_up(&house, &fault) && open_server(&house, &fault)) {
		printf("ready http://%s:%u\n", settings.address,
			(unsigned)http_server_port(house.server));
		fflush(stdout);
		log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
		code = 0;
	} else {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
		code = 1;
	}
	close_house(&house);
	return code;
}

/* ---- The database ---- */

static struct postgres *open_database(int64_t patience_ms)
{
	return postgres_open(&(struct postgres_options){
		.url = settings.database_url,
		.application_name = "orders",
		.connect_ms_max = patience_ms,
		.call_ms_max = patience_ms,
	});
}

/* Create what is missing, as soon as there is a database: it may be starting as well. */
static bool apply_schema(void)
{
	struct fault fault;
	struct postgres *pg = open_database(START_MS);
	enum status status = STATUS_UNAVAILABLE;
	while (pg && status == STATUS_UNAVAILABLE && !program_is_signaled()) {
		status = postgres_connect(pg, &fault);
		if (status == STATUS_OK)
			status = postgres_run_script(pg, sql_schema);
	}
	if (pg && status != STATUS_OK)
		log_error("database.schema_failed", LOG_TEXT("why", postgres_error(pg)->message));
	postgres_close(pg);
	return status == STATUS_OK;
}

static bool database_is_there(void *connection)
{
	return postgres_execute(connection, &ready, POSTGRES_NO_PARAMETERS, NULL) == STATUS_OK;
}

/* ---- Opening ---- */

static bool open_provider(size_t calls_max, struct payment_provider **provider, struct fault *fault)
{
	const struct stripe_options options = {
		.base_url = settings.provider_url,
		.secret_key = settings.provider_key,
		.webhook_secrets = {settings.webhook_secret},
		.in_flight_max = calls_max,
		.submitted_max = calls_max,
		.attempt_ms_max = settings.attempt_ms,
		.total_ms_max = settings.call_ms,
	};
	return stripe_open(&options, provider, fault) == STATUS_OK;
}

/* What a commit calls for. */
static void on_written(void *context, enum order_write_kind kind)
{
	const struct house *house = context;
	static const enum order_stage_kind stages[ORDER_WRITE_KINDS] = {
		[ORDER_WRITE_CONFIRM] = ORDER_STAGE_AUTHORIZE,
		[ORDER_WRITE_FINALIZE] = ORDER_STAGE_CAPTURE,
		[ORDER_WRITE_CANCEL] = ORDER_STAGE_ENDING,
	};
	if (kind == ORDER_WRITE_CREATE)
		return;
	if (kind != ORDER_WRITE_WAKE) {
		order_payments_wake(house->payments, stages[kind]);
		return;
	}
	for (int stage = 0; stage < ORDER_STAGES; stage++)
		order_payments_wake(house->payments, (enum order_stage_kind)stage);
}

/* What the stages have committed is told to those who follow the order. */
static void on_changed(void *context, const struct order_change *change)
{
	const struct house *house = context;
	order_feed_tell(house->feed, change);
}

/* A create that was not applied and is not known either met another with its key. */
static void on_refused(void *context, const struct order_refusal *refusal)
{
	(void)context;
	if (refusal->write->kind == ORDER_WRITE_CREATE)
		http_reply_problem(refusal->write->exchange, &http_problem_unavailable,
			"Another request with this Idempotency-Key is under way.");
	else
		order_refuse(refusal);
}

static bool open_payments(struct house *house, struct fault *fault)
{
	struct order_payments_options options = {
		.database_url = settings.database_url,
		.database_ms = settings.database_ms,
		.sql = {.claim = {[ORDER_STAGE_AUTHORIZE] = sql_claim,
				[ORDER_STAGE_ACTION] = sql_claim,
				[ORDER_STAGE_CAPTURE] = sql_claim_capturing,
				[ORDER_STAGE_ENDING] = sql_claim_ending},
			.renew = sql_renew,
			.move = sql_move},
		.changed = on_changed,
		.context = house,
		.return_url = settings.return_url,
		.in_flight_max = (size_t)settings.in_flight_max,
		.lease_ms = settings.lease_ms,
		.backoff_ms_max = settings.backoff_ms,
		.rules = {.finalize_ms = settings.finalize_ms,
			.action_ms = settings.action_ms,
			.margin_ms = settings.margin_ms},
		.metrics = house->metrics,
	};
	bool good = true;
	for (size_t i = 0; i < ORDER_STAGES && good; i++)
		good = open_provider(options.in_flight_max, &options.providers[i], fault);
	good = good && order_payments_open(&options, &house->payments) == STATUS_OK;
	for (size_t i = 0; i < ORDER_STAGES && !good; i++)
		payment_close(options.providers[i]);
	return good;
}

static bool set_up(struct house *house, struct fault *fault)
{
	size_t worker_count = (size_t)settings.workers;
	house->metrics = metrics_new();
	http_register_metrics(house->metrics, order_routes, order_route_count);
	order_feed_register_metrics(house->metrics);
	order_writer_register_metrics(house->metrics);
	if (!open_provider(1, &house->provider, fault) || !open_payments(house, fault) ||
		!house->metrics || metrics_freeze(house->metrics) != STATUS_OK)
		return false;
	house->front.readers = calloc(worker_count, sizeof(struct postgres *));
	for (size_t i = 0; house->front.readers && i < worker_count; i++)
		if (!(house->front.readers[i] = open_database(settings.database_ms)))
			return false;
	house->front.provider = house->provider;
	house->front.admin_token = settings.admin_token;
	house->checked = open_database(CHECK_MS);
	const struct http_health_check check = {"postgres", database_is_there, house->checked};
	return house->front.readers && house->checked &&
		http_health_open(&(struct http_health_options){.checks = &check, .check_count = 1},
			&house->health) == STATUS_OK;
}

/* The feed needs the server's channel, the writer the feed, the server the writer. So the server
 * begins with what it has, and answers 503 to streams until the feed is there. */
static bool open_server(struct house *house, struct fault *fault)
{
	const struct http_server_options options = {
		.address = settings.address,
		.port = (uint16_t)settings.port,
		.routes = order_routes,
		.route_count = order_route_count,
		.context = &house->front,
		.loop_count = (size_t)settings.loops,
		.worker_count = (size_t)settings.workers,
		.connections_max = (size_t)settings.connections_max,
		.drain_ms_max = SERVER_DRAIN_MS,
		.metrics = house->metrics,
		.health = house->health,
		.access_log_fd = settings.access_log ? STDERR_FILENO : 0,
	};
	const struct order_writer_options writer = {
		.database_url = settings.database_url,
		.database_ms = settings.database_ms,
		.sql = {.create = sql_create,
			.confirm = sql_confirm,
			.finalize = sql_finalize,
			.cancel = sql_cancel,
			.answers = sql_answers,
			.expire = sql_expire,
			.forget_keys = sql_forget_keys,
			.wake = sql_wake},
		.confirm_ms = settings.confirm_ms,
		.feed = &house->front.feed,
		.refuse = on_refused,
		.written = on_written,
		.context = house,
		.metrics = house->metrics,
	};
	if (order_writer_open(&writer, &house->writer) != STATUS_OK)
		return false;
	house->front.writer = house->writer;
	if (http_server_open(&options, &house->server, fault) != STATUS_OK)
		return false;
	struct http_channel *channel = http_channel_open(
		house->server, &(struct http_channel_options){.delivery = HTTP_DELIVER_EACH});
	const struct order_feed_options feed = {
		.database_url = settings.database_url,
		.database_ms = settings.database_ms,
		.read_events = sql_read_events,
		.channel = channel,
		.metrics = house->metrics,
	};
	if (!channel || order_feed_open(&feed, &house->feed) != STATUS_OK)
		return false;
	atomic_store(&house->front.feed, house->feed);
	return order_payments_start(house->payments) == STATUS_OK;
}

/* ---- Closing ---- */

/* First those who send to streams, then the streams, then what the last requests need. */
static void close_house(struct house *house)
{
	if (house->payments)
		order_payments_stop(house->payments, STAGES_DRAIN_MS);
	if (house->feed)
		order_feed_stop(house->feed);
	http_server_close(house->server);
	order_writer_close(house->writer);
	order_feed_close(house->feed);
	order_payments_close(house->payments);
	http_health_close(house->health);
	postgres_close(house->checked);
	payment_close(house->provider);
	for (size_t i = 0; house->front.readers && i < (size_t)settings.workers; i++)
		postgres_close(house->front.readers[i]);
	free(house->front.readers);
	metrics_free(house->metrics);
}
