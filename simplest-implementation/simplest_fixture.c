#include "simplest-implementation/simplest_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/clock.h"
#include "lib/base/id.h"

enum {
	READY_MS_MAX = 60000, /* Of a busy machine under a sanitizer. */
	STOP_MS_MAX = 20000,
	WAIT_MS_MAX = 60000,
	LOG_TAIL_SIZE = 4000,
	PLAN_SIZE_MAX = 64 << 20,
	SQL_SIZE = 4096,
	SEATS_PER_ROW = 10,
};

struct simplest simplest = {.client = {.fd = -1}};

/* How the server was last started. Its log is a file in memory, so that nothing is left behind. */
static struct {
	char program[128];
	char settings[SIMPLEST_SETTINGS_MAX][512];
	size_t setting_count;
	int log_fd;
} start = {.log_fd = -1};

static void start_process(void);
static char *server_log(void);

/* ---- The server ---- */

int simplest_set_up(void **state)
{
	(void)state;
	json_object_seed(0); /* Before there are threads. */
	start.log_fd = memfd_create("server-log", MFD_CLOEXEC);
	return start.log_fd < 0 ||
		postgres_fixture_start(&simplest.postgres, "simplest") != STATUS_OK;
}

int simplest_tear_down(void **state)
{
	(void)state;
	PQfinish(simplest.database);
	json_decref(simplest.json);
	http_client_reply_release(&simplest.reply);
	http_client_release(&simplest.client);
	process_release(&simplest.server);
	postgres_fixture_stop(&simplest.postgres);
	close(start.log_fd);
	return 0;
}

int server_tear_down(void **state)
{
	(void)state;
	bool ended = true;
	if (simplest.server.pid > 0) {
		process_signal(&simplest.server, SIGTERM);
		ended = process_wait(&simplest.server, STOP_MS_MAX) == STATUS_OK &&
			simplest.server.exit_code == 0;
		process_release(&simplest.server);
	}
	char *log = server_log();
	size_t size = strlen(log);
	bool good = ended && !strstr(log, "Sanitizer") && !strstr(log, "runtime error");
	if (!good)
		fprintf(stderr, "the server did not end well; its log ends with\n%s\n",
			size > LOG_TAIL_SIZE ? log + size - LOG_TAIL_SIZE : log);
	free(log);
	http_client_close(&simplest.client);
	return good && ftruncate(start.log_fd, 0) == 0 ? 0 : -1;
}

/* Add a setting, or replace the one of that name. */
static void setting_add(const char *setting)
{
	size_t i = 0, name_size = strcspn(setting, "=") + 1;
	while (i < start.setting_count && strncmp(start.settings[i], setting, name_size) != 0)
		i++;
	assert_true(i < SIMPLEST_SETTINGS_MAX);
	snprintf(start.settings[i], sizeof start.settings[i], "%s", setting);
	if (i == start.setting_count)
		start.setting_count++;
}

void server_start(const char *program, const char *const settings[])
{
	snprintf(start.program, sizeof start.program, "%s", program);
	start.setting_count = 0;
	setting_add("PORT=0");
	setting_add("ACCESS_LOG=false");
	/* On a busy machine nobody is refused for lack of time unless the test wants it. */
	setting_add("DATABASE_TIMEOUT=20s");
	setting_add("HEAD_TIMEOUT=60s");
	setting_add("REQUEST_TIMEOUT=60s");
	setting_add(text("DATABASE_URL=%s", simplest.postgres.url));
	for (size_t i = 0; settings[i]; i++)
		setting_add(settings[i]);
	start_process();
}

void server_start_again(void)
{
	process_release(&simplest.server);
	setting_add(text("PORT=%u", (unsigned)simplest.port));
	start_process();
}

const char *fixed_port(void)
{
	return text("PORT=%u", (unsigned)process_free_port());
}

static void start_process(void)
{
	const char *build = getenv("ONSALE_BUILD");
	char path[4096], log_path[64], line[64];
	snprintf(path, sizeof path, "%s/simplest-implementation/%s", build ? build : "build/debug",
		start.program);
	snprintf(log_path, sizeof log_path, "/proc/self/fd/%d", start.log_fd);
	const char *environment[SIMPLEST_SETTINGS_MAX + 1] = {NULL};
	for (size_t i = 0; i < start.setting_count; i++)
		environment[i] = start.settings[i];
	const char *arguments[] = {path, NULL};
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log_path};
	assert_int_equal(STATUS_OK, process_start(&simplest.server, &options));
	if (process_wait_line(&simplest.server, "ready http://127.0.0.1:", READY_MS_MAX, line,
		    sizeof line) != STATUS_OK) {
		char *log = server_log();
		fail_msg("%s did not become ready: %s", path, log);
	}
	simplest.port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
	http_client_release(&simplest.client);
	http_client_init(&simplest.client, simplest.port);
}

void server_stop(void)
{
	process_signal(&simplest.server, SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(&simplest.server, STOP_MS_MAX));
	assert_int_equal(0, simplest.server.exit_code);
}

void server_crash(void)
{
	assert_true(process_running(&simplest.server));
	process_kill(&simplest.server);
}

static char *server_log(void)
{
	off_t size = lseek(start.log_fd, 0, SEEK_END);
	assert_true(size >= 0);
	char *log = calloc(1, (size_t)size + 1);
	assert_non_null(log);
	assert_true(pread(start.log_fd, log, (size_t)size, 0) == size);
	return log;
}

bool server_has_logged(const char *wanted)
{
	char *log = server_log();
	bool found = strstr(log, wanted) != NULL;
	free(log);
	return found;
}

void wait_for_status(const char *path, int status, int64_t ms_max)
{
	int64_t deadline_ms = now_ms() + ms_max;
	while (http_client_call(&simplest.client, "GET", path, NULL, NULL, &simplest.reply) !=
			HTTP_CLIENT_OK ||
		simplest.reply.status != status) {
		if (now_ms() > deadline_ms)
			fail_msg("%s did not answer %d within %lld ms, but %d", path, status,
				(long long)ms_max, simplest.reply.status);
		pause_ms(20);
	}
	json_decref(simplest.json);
	simplest.json = http_client_reply_json(&simplest.reply);
}

void want_alive(void)
{
	http_client_close(&simplest.client);
	assert_string_equal("ok", string_at(look("/healthz"), "status"));
	assert_string_equal("ready", string_at(look("/readyz"), "status"));
}

/* ---- Asking ---- */

json_t *ask(const char *method, const char *path, const char *key, const char *body, int status)
{
	const char *headers = key ? text("Idempotency-Key: %s\r\n", key) : NULL;
	enum http_client_outcome outcome =
		http_client_call(&simplest.client, method, path, headers, body, &simplest.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (status != 0 && simplest.reply.status != status)
		fail_msg("%s %s %.200s: %d instead of %d: %.400s", method, path, body ? body : "",
			simplest.reply.status, status, simplest.reply.body);
	json_decref(simplest.json);
	simplest.json = http_client_reply_json(&simplest.reply);
	return simplest.json;
}

json_t *look(const char *path)
{
	return ask("GET", path, NULL, NULL, 200);
}

void send_only(struct http_client *client, const char *method, const char *path, const char *key,
	const char *body)
{
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(client,
			text("%s %s HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				method, path, key, strlen(body), body)));
}

void want_problem(const char *type)
{
	const char *content = http_client_reply_header(&simplest.reply, "Content-Type");
	assert_non_null(content);
	assert_string_equal("application/problem+json", content);
	assert_string_equal(text("urn:onsale:problem:%s", type), string_at(simplest.json, "type"));
	assert_int_equal(simplest.reply.status, integer_at(simplest.json, "status"));
	assert_true(*string_at(simplest.json, "title"));
}

const char *string_at(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));
	if (!value)
		fail_msg("there is no text %s in %.400s", name, simplest.reply.body);
	return value;
}

int64_t integer_at(const json_t *json, const char *name)
{
	json_t *value = json_object_get(json, name);
	if (!json_is_integer(value))
		fail_msg("there is no integer %s in %.400s", name, simplest.reply.body);
	return json_integer_value(value);
}

json_t *array_at(const json_t *json, const char *name, size_t size)
{
	json_t *value = json_object_get(json, name);
	if (!json_is_array(value) || json_array_size(value) != size)
		fail_msg("%s is no list of %zu in %.400s", name, size, simplest.reply.body);
	return value;
}

void want_members(const json_t *json, const char *const names[])
{
	size_t count = 0;
	for (; names[count]; count++)
		if (!json_object_get(json, names[count]))
			fail_msg("there is no %s in %.400s", names[count], simplest.reply.body);
	if (json_object_size(json) != count)
		fail_msg("there is more than %zu members in %.400s", count, simplest.reply.body);
}

const char *new_key(void)
{
	char key[ID_TEXT_SIZE];
	id_format(id_new(clock_wall_ms(clock_system())), key);
	return text("%s", key);
}

/* ---- Things to sell ---- */

static void plan_add_zone(
	struct buffer *plan, const char *zone, const char *category, size_t first, size_t end)
{
	buffer_add_format(plan, "{\"name\":\"%s\",\"position\":{\"x\":0,\"y\":0},\"rows\":[", zone);
	for (size_t seat = first; seat < end; seat++) {
		size_t place = (seat - first) % SEATS_PER_ROW;
		size_t row = (seat - first) / SEATS_PER_ROW + 1;
		if (place == 0)
			buffer_add_format(plan,
				"%s{\"row_number\":\"%zu\",\"position\":{\"x\":0,\"y\":%zu},"
				"\"seats\":[",
				row > 1 ? "]}," : "", row, row * 20);
		buffer_add_format(plan,
			"%s{\"seat_guid\":\"s-%zu\",\"seat_number\":\"%zu\","
			"\"position\":{\"x\":%zu,\"y\":0},\"category\":\"%s\"}",
			place > 0 ? "," : "", seat + 1, place + 1, place * 20, category);
	}
	buffer_add_text(plan, "]}]}");
}

char *plan_make(const char *name, size_t seats)
{
	struct buffer plan;
	assert_true(seats >= 2);
	buffer_init(&plan, PLAN_SIZE_MAX);
	buffer_add_format(&plan,
		"{\"name\":\"%s\",\"size\":{\"width\":400,\"height\":400},\"categories\":["
		"{\"name\":\"A\",\"color\":\"#fff\"},{\"name\":\"B\",\"color\":\"#000\"}],"
		"\"zones\":[",
		name);
	plan_add_zone(&plan, "Stalls", "A", 0, seats / 2);
	buffer_add_text(&plan, ",");
	plan_add_zone(&plan, "Balcony", "B", seats / 2, seats);
	buffer_add(&plan, "]}", 3);
	assert_false(plan.failed);
	return plan.data;
}

void event_make(const char *name, size_t seats, char event[EVENT_ID_SIZE])
{
	char *plan = plan_make("Test hall", seats);
	json_t *venue = ask("POST", "/venues", NULL, plan, 201);
	free(plan);
	const char *body = text("{\"venueId\":\"%s\",\"name\":\"%s\",\"currency\":\"EUR\","
				"\"startsAt\":\"2027-05-01T19:30:00Z\","
				"\"prices\":{\"A\":%d,\"B\":%d}}",
		string_at(venue, "venueId"), name, PRICE_STALLS, PRICE_BALCONY);
	json_t *made = ask("POST", "/events", NULL, body, 201);
	snprintf(event, EVENT_ID_SIZE, "%s", string_at(made, "eventId"));
}

void hold_make(const char *event, const char *seats, char hold[HOLD_ID_SIZE])
{
	json_t *made = ask("POST", text("/events/%s/holds", event), new_key(),
		text("{\"userId\":\"u\",\"seats\":[%s]}", seats), 201);
	snprintf(hold, HOLD_ID_SIZE, "%s", string_at(made, "holdId"));
}

json_t *buy(const char *hold, const char *payment_method, int status)
{
	return ask("POST", text("/holds/%s/purchase", hold), new_key(),
		text("{\"paymentMethod\":\"%s\"}", payment_method), status);
}

int64_t seats_with(const char *event, const char *status)
{
	json_t *json = look(text("/events/%s", event));
	return integer_at(json_object_get(json, "seats"), status);
}

/* ---- The database ---- */

PGconn *database_connect(void)
{
	PGconn *connection = PQconnectdb(simplest.postgres.url);
	if (PQstatus(connection) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(connection));
	return connection;
}

static PGresult *database_ask(const char *sql)
{
	if (!simplest.database)
		simplest.database = database_connect();
	PGresult *result = PQexec(simplest.database, sql);
	/* The test itself may have ended the server since the last time. */
	if (PQstatus(simplest.database) != CONNECTION_OK) {
		PQclear(result);
		PQfinish(simplest.database);
		simplest.database = database_connect();
		result = PQexec(simplest.database, sql);
	}
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQresultErrorMessage(result));
	return result;
}

void database_run(const char *sql)
{
	PQclear(database_ask(sql));
}

int64_t database_count(const char *format, ...)
{
	char sql[SQL_SIZE];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	assert_true(size >= 0 && (size_t)size < sizeof sql);
	PGresult *result = database_ask(sql);
	assert_int_equal(1, PQntuples(result));
	int64_t count = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return count;
}

PGconn *database_lock(const char *query)
{
	PGconn *connection = database_connect();
	PGresult *result = PQexec(connection, text("begin; %s for update", query));
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", query, PQresultErrorMessage(result));
	PQclear(result);
	return connection;
}

void database_wait_blocked(PGconn *connection, int64_t count)
{
	char query[128];
	snprintf(query, sizeof query,
		"select count(*) from pg_stat_activity where %d = any (pg_blocking_pids(pid))",
		PQbackendPID(connection));
	database_wait(query, count);
}

void database_wait(const char *query, int64_t count)
{
	int64_t deadline_ms = now_ms() + WAIT_MS_MAX;
	while (database_count("%s", query) != count) {
		if (now_ms() > deadline_ms)
			fail_msg("%s did not become %lld", query, (long long)count);
		pause_ms(5);
	}
}

/* ---- Time ---- */

int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void pause_ms(int64_t ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&pause, NULL);
}

bool test_is_full(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0;
}
