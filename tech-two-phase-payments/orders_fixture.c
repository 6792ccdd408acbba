#include "tech-two-phase-payments/orders_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "tech-two-phase-payments/orders_judge.sql.h"

enum {
	READY_MS_MAX = 60000,
	STOP_MS_MAX = 20000,
	LOG_TAIL_SIZE = 6000,
	SQL_SIZE = 4096,
	WRONG_TOLD_MAX = 10,
	PATH_SIZE = 4096,
};

struct orders_fixture orders = {.client = {.fd = -1}};
static int log_fd = -1; /* All servers', in memory, so that nothing is left behind. */

/* ---- Set-up ---- */

int orders_set_up(void **state)
{
	(void)state;
	json_object_seed(0); /* Before there are threads. */
	log_fd = memfd_create("orders-log", MFD_CLOEXEC);
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++)
		orders.ports[i] = process_free_port();
	http_client_init(&orders.client, orders.ports[0]);
	return log_fd < 0 || postgres_fixture_start(&orders.postgres, "orders") != STATUS_OK;
}

int orders_tear_down(void **state)
{
	(void)state;
	PQfinish(orders.database);
	json_decref(orders.json);
	http_client_reply_release(&orders.reply);
	http_client_release(&orders.client);
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++)
		process_release(&orders.servers[i]);
	(void)simulator_fixture_stop(&orders.simulator);
	postgres_fixture_stop(&orders.postgres);
	(void)close(log_fd);
	return 0;
}

int orders_test_set_up(void **state)
{
	(void)state;
	const char *webhook_url =
		text("WEBHOOK_URL=http://127.0.0.1:%u/webhooks/stripe", orders.ports[0]);
	const char *settings[] = {webhook_url, "WEBHOOK_RETRY_MAX=1s",
		("WEBHOOK_SECRET=" ORDERS_WEBHOOK_SECRET), NULL};
	orders.database_url = orders.provider_url = NULL;
	(void)orders_query("DROP SCHEMA IF EXISTS payments CASCADE");
	return simulator_fixture_start(&orders.simulator, settings) == STATUS_OK ? 0 : -1;
}

static char *read_log(void)
{
	struct process all = {.output_fd = log_fd};
	return process_output(&all);
}

/* How the servers' log ends. */
static void tell_log(void)
{
	char *log = read_log();
	size_t size = strlen(log);
	print_error("the servers' log ends with\n%s\n",
		size > LOG_TAIL_SIZE ? log + size - LOG_TAIL_SIZE : log);
	free(log);
}

/* End a server that still runs; whether it has ended well. A stopped one goes on first. */
static bool end_server(struct process *server)
{
	bool good = true;
	if (server->pid > 0) {
		process_signal(server, SIGCONT);
		process_signal(server, SIGTERM);
		good = process_wait(server, STOP_MS_MAX) == STATUS_OK && server->exit_code == 0;
	}
	process_release(server);
	return good;
}

int orders_test_tear_down(void **state)
{
	(void)state;
	bool good = true;
	for (size_t i = 0; i < ORDERS_SERVERS_MAX; i++)
		good = end_server(&orders.servers[i]) && good;
	http_client_close(&orders.client);
	good = simulator_fixture_stop(&orders.simulator) && good;
	char *log = read_log();
	good = good && !strstr(log, "Sanitizer") && !strstr(log, "runtime error");
	free(log);
	if (!good)
		tell_log();
	return good && ftruncate(log_fd, 0) == 0 ? 0 : -1;
}

/* ---- Servers ---- */

/* Add a setting, or put it in the place of the one with its name. */
static void set(const char *environment[], const char *setting)
{
	size_t i = 0, name_size = strcspn(setting, "=") + 1;
	while (environment[i] && strncmp(environment[i], setting, name_size) != 0)
		i++;
	assert_true(i + 1 < ORDERS_SETTINGS_MAX);
	environment[i] = setting;
}

void orders_start_doomed(size_t index, const char *program, const char *const settings[])
{
	char path[PATH_SIZE], log[64];
	const char *build = getenv("ONSALE_BUILD");
	(void)snprintf(path, sizeof path, "%s/tech-two-phase-payments/%s",
		build ? build : "build/debug", program);
	(void)snprintf(log, sizeof log, "/proc/%d/fd/%d", getpid(), log_fd);
	/* More patience than in daily use, and shorter leases, so that a test need not wait. */
	const char *environment[ORDERS_SETTINGS_MAX] = {
		text("DATABASE_URL=%s",
			orders.database_url ? orders.database_url : orders.postgres.url),
		text("STRIPE_BASE_URL=%s",
			orders.provider_url ? orders.provider_url : orders.simulator.url),
		text("STRIPE_SECRET_KEY=%s", orders.simulator.key),
		("STRIPE_WEBHOOK_SECRET=" ORDERS_WEBHOOK_SECRET),
		("ADMIN_TOKEN=" ORDERS_ADMIN_TOKEN), text("PORT=%u", orders.ports[index]),
		"RETURN_URL=https://example.com/back", "DATABASE_TIMEOUT=20s", "LEASE=3s",
		"BACKOFF_MAX=500ms", "ACCESS_LOG=false", "ADDRESS", "DATABASE_URL_FILE",
		"STRIPE_SECRET_KEY_FILE", "STRIPE_WEBHOOK_SECRET_FILE", "ADMIN_TOKEN_FILE"};
	for (size_t i = 0; settings && settings[i]; i++)
		set(environment, settings[i]);
	const char *arguments[] = {path, NULL};
	process_release(&orders.servers[index]);
	assert_int_equal(STATUS_OK,
		process_start(&orders.servers[index],
			&(struct process_options){.arguments = arguments,
				.environment = environment,
				.error_path = log}));
}

void orders_start(size_t index, const char *program, const char *const settings[])
{
	orders_start_doomed(index, program, settings);
	orders_wait_ready(index);
}

void orders_wait_ready(size_t index)
{
	if (process_wait_line(&orders.servers[index], "ready http://", READY_MS_MAX, NULL, 0) ==
		STATUS_OK)
		return;
	tell_log();
	fail_msg("server %zu does not get ready", index);
}

void orders_stop(size_t index)
{
	if (end_server(&orders.servers[index]))
		return;
	tell_log();
	fail_msg("server %zu was asked to end, and its code is %d", index,
		orders.servers[index].exit_code);
}

bool orders_have_logged(const char *wanted)
{
	char *log = read_log();
	bool found = strstr(log, wanted) != NULL;
	free(log);
	return found;
}

/* ---- Asking ---- */

json_t *orders_ask(
	const char *method, const char *path, const char *key, const char *body, int status)
{
	char headers[512] = "";
	if (key)
		(void)snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
	enum http_client_outcome outcome =
		http_client_call(&orders.client, method, path, headers, body, &orders.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (status != 0 && orders.reply.status != status)
		fail_msg("%s %s: %d instead of %d: %.400s", method, path, orders.reply.status,
			status, orders.reply.body);
	json_decref(orders.json);
	orders.json = http_client_reply_json(&orders.reply);
	return orders.json;
}

static const char *new_key(void)
{
	char key[ID_TEXT_SIZE];
	id_format(id_new(clock_wall_ms(clock_system())), key);
	return text("%s", key);
}

const char *orders_make(void)
{
	const json_t *made = orders_ask("POST", "/orders", new_key(),
		"{\"userId\":\"alice\",\"currency\":\"EUR\","
		"\"items\":[{\"description\":\"Seat A-1\",\"amount\":4500}]}",
		201);
	return text("%s", orders_text(made, "orderId"));
}

void orders_confirm(const char *order, const char *payment_method)
{
	orders_ask("POST", text("/orders/%s/confirm", order), new_key(),
		text("{\"paymentMethod\":\"%s\"}", payment_method), 202);
}

void orders_do(const char *order, const char *what, int status)
{
	orders_ask("POST", text("/orders/%s/%s", order, what), new_key(), NULL, status);
}

void orders_wait_status(const char *order, const char *status)
{
	char path[64]; /* Asking often must not use up the texts that a test holds. */
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
	(void)snprintf(path, sizeof path, "/orders/%s", order);
	for (;;) {
		const json_t *json = orders_ask("GET", path, NULL, NULL, 200);
		if (strcmp(orders_text(json, "status"), status) == 0)
			return;
		if (orders_now_ms() > end_ms)
			fail_msg("it did not become %s: %.600s", status, orders.reply.body);
		orders_pause(10);
	}
}

const char *orders_text(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));
	if (!value)
		fail_msg("there is no text %s in %.400s", name, orders.reply.body);
	return value;
}

int64_t orders_number(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	if (!json_is_integer(value))
		fail_msg("there is no integer %s in %.400s", name, orders.reply.body);
	return json_integer_value(value);
}

/* ---- The database ---- */

static PGresult *ask_database(const char *sql, const char *parameter)
{
	if (!orders.database) {
		orders.database = PQconnectdb(orders.postgres.url);
		PQclear(PQexec(orders.database, "SET client_min_messages = warning"));
	}
	if (PQstatus(orders.database) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(orders.database));
	PGresult *result = parameter
		? PQexecParams(orders.database, sql, 1, NULL, &parameter, NULL, NULL, 0)
		: PQexec(orders.database, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQresultErrorMessage(result));
	return result;
}

int64_t orders_query(const char *format, ...)
{
	char sql[SQL_SIZE];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	assert_true(size >= 0 && (size_t)size < sizeof sql);
	PGresult *result = ask_database(sql, NULL);
	int64_t value = 0;
	if (PQntuples(result) > 0)
		value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return value;
}

const char *orders_query_text(const char *sql)
{
	PGresult *result = ask_database(sql, NULL);
	const char *value = text("%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return value;
}

void orders_wait_query(int64_t wanted, const char *sql)
{
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX, found;
	while ((found = orders_query("%s", sql)) != wanted) {
		if (orders_now_ms() > end_ms)
			fail_msg("%s gives %lld and not %lld", sql, (long long)found,
				(long long)wanted);
		orders_pause(10);
	}
}

void orders_wait_quiet(void)
{
	orders_wait_query(0,
		"SELECT count(*) FROM payments.orders WHERE next_at IS NOT NULL OR lease_token IS "
		"NOT NULL OR (payments.must_end(ending, status) AND NOT stuck)");
}

/* ---- The judge ---- */

static void load_ledger(void)
{
	json_t *ledger = simulator_fixture_ledger(&orders.simulator);
	char *items = json_dumps(json_object_get(ledger, "items"), JSON_COMPACT);
	assert_non_null(items);
	PQclear(ask_database(sql_empty, NULL));
	PQclear(ask_database(sql_load, items));
	free(items);
	json_decref(ledger);
}

int64_t orders_judge(enum orders_judge judge)
{
	load_ledger();
	PGresult *wrong = ask_database(sql_judge, NULL);
	int count = PQntuples(wrong);
	for (int i = 0; i < count && i < WRONG_TOLD_MAX && judge == ORDERS_JUDGE_TELLS; i++)
		print_error("order %s: %s\n", PQgetvalue(wrong, i, 0), PQgetvalue(wrong, i, 1));
	PQclear(wrong);
	return count;
}

int64_t orders_ledger_count(const char *kind)
{
	load_ledger();
	return orders_query("SELECT count(*) FROM ledger WHERE kind = '%s'", kind);
}

/* ---- Time ---- */

bool orders_is_full(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0;
}

int64_t orders_now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void orders_pause(int64_t ms)
{
	(void)nanosleep(
		&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)},
		NULL);
}
