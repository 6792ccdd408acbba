/* See simulator_fixture.h. */
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	READY_MS_MAX = 60000, /* Of a busy machine under a sanitizer. */
	STOP_MS_MAX = 30000,
	LOG_TAIL_SIZE = 4000,
	PATH_SIZE = 4096,
	HEADERS_SIZE = 2048,
};

static const char admin_header[] = "Authorization: Bearer " SIMULATOR_ADMIN_TOKEN "\r\n";

static enum status start_process(struct simulator_fixture *fixture);
static char *read_log(const struct simulator_fixture *fixture);
static void print_log(const struct simulator_fixture *fixture);

/* ---- The program ---- */

void simulator_fixture_set(struct simulator_fixture *fixture, const char *setting)
{
	size_t i = 0, name_size = strcspn(setting, "=") + 1;
	while (i < fixture->setting_count && strncmp(fixture->settings[i], setting, name_size) != 0)
		i++;
	assert_true(i < SIMULATOR_SETTINGS_MAX);
	snprintf(fixture->settings[i], SIMULATOR_SETTING_SIZE, "%s", setting);
	if (i == fixture->setting_count)
		fixture->setting_count++;
}

enum status simulator_fixture_start(struct simulator_fixture *fixture, const char *const settings[])
{
	const char *temporary = getenv("TMPDIR");
	char setting[SIMULATOR_SETTING_SIZE];
	*fixture = (struct simulator_fixture){.key = SIMULATOR_KEY, .port = process_free_port()};
	snprintf(fixture->folder, sizeof fixture->folder, "%s/payment-simulator-XXXXXX",
		temporary && strlen(temporary) < 30 ? temporary : "/tmp");
	if (!mkdtemp(fixture->folder)) {
		fixture->folder[0] = '\0';
		return STATUS_UNAVAILABLE;
	}
	snprintf(fixture->url, sizeof fixture->url, "http://127.0.0.1:%u", (unsigned)fixture->port);
	snprintf(setting, sizeof setting, "PORT=%u", (unsigned)fixture->port);
	simulator_fixture_set(fixture, setting);
	snprintf(setting, sizeof setting, "SIMULATOR_DATA=%s", fixture->folder);
	simulator_fixture_set(fixture, setting);
	simulator_fixture_set(fixture, "PROVIDER_KEYS=" SIMULATOR_KEY);
	simulator_fixture_set(fixture, "ADMIN_TOKEN=" SIMULATOR_ADMIN_TOKEN);
	simulator_fixture_set(fixture, "WEBHOOK_SECRET=" SIMULATOR_WEBHOOK_SECRET);
	simulator_fixture_set(fixture, "ACCESS_LOG=false");
	for (size_t i = 0; settings && settings[i]; i++)
		simulator_fixture_set(fixture, settings[i]);
	http_client_init(&fixture->client, fixture->port);
	fixture->client.timeout_ms = 30000;
	enum status status = start_process(fixture);
	if (status != STATUS_OK)
		simulator_fixture_stop(fixture);
	return status;
}

static enum status start_process(struct simulator_fixture *fixture)
{
	const char *build = getenv("ONSALE_BUILD");
	char path[PATH_SIZE], log[sizeof fixture->folder + 8];
	/* A tester's own secrets must not win over the fixture's. */
	const char *environment[SIMULATOR_SETTINGS_MAX + 4] = {
		"PROVIDER_KEYS_FILE", "ADMIN_TOKEN_FILE", "WEBHOOK_SECRET_FILE"};
	snprintf(path, sizeof path, "%s/tech-two-phase-payments/simulator/payment-simulator",
		build ? build : "build/debug");
	snprintf(log, sizeof log, "%s/log", fixture->folder);
	for (size_t i = 0; i < fixture->setting_count; i++)
		environment[3 + i] = fixture->settings[i];
	const char *arguments[] = {path, NULL};
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log};
	if (process_start(&fixture->server, &options) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	if (process_wait_line(&fixture->server, "ready http://", READY_MS_MAX, NULL, 0) ==
		STATUS_OK)
		return STATUS_OK;
	print_log(fixture);
	return STATUS_UNAVAILABLE;
}

void simulator_fixture_kill(struct simulator_fixture *fixture)
{
	process_release(&fixture->server);
	http_client_close(&fixture->client);
}

bool simulator_fixture_halt(struct simulator_fixture *fixture)
{
	process_signal(&fixture->server, SIGTERM);
	bool ended = process_wait(&fixture->server, STOP_MS_MAX) == STATUS_OK &&
		fixture->server.exit_code == 0;
	process_release(&fixture->server);
	http_client_close(&fixture->client);
	return ended;
}

enum status simulator_fixture_start_again(struct simulator_fixture *fixture)
{
	process_release(&fixture->server);
	return start_process(fixture);
}

bool simulator_fixture_stop(struct simulator_fixture *fixture)
{
	static const char *const files[] = {"journal", "log"};
	char path[sizeof fixture->folder + 16];
	if (fixture->folder[0] == '\0')
		return true;
	bool good = fixture->server.pid == 0 || simulator_fixture_halt(fixture);
	process_release(&fixture->server);
	char *log = read_log(fixture);
	good = good && !strstr(log, "Sanitizer") && !strstr(log, "runtime error");
	free(log);
	if (!good)
		print_log(fixture);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", fixture->folder, files[i]);
		unlink(path);
	}
	rmdir(fixture->folder);
	fixture->folder[0] = '\0';
	http_client_reply_release(&fixture->reply);
	http_client_release(&fixture->client);
	return good;
}

/* Never NULL; the caller frees it. */
static char *read_log(const struct simulator_fixture *fixture)
{
	enum { LOG_SIZE_MAX = 1 << 20 };
	char path[sizeof fixture->folder + 8];
	char *log = calloc(1, LOG_SIZE_MAX + 1);
	assert_non_null(log);
	snprintf(path, sizeof path, "%s/log", fixture->folder);
	FILE *file = fopen(path, "r");
	if (file) {
		log[fread(log, 1, LOG_SIZE_MAX, file)] = '\0';
		fclose(file);
	}
	return log;
}

static void print_log(const struct simulator_fixture *fixture)
{
	char *log = read_log(fixture);
	size_t size = strlen(log);
	fprintf(stderr, "the simulator's log ends with\n%s\n",
		size > LOG_TAIL_SIZE ? log + size - LOG_TAIL_SIZE : log);
	free(log);
}

/* ---- Asking ---- */

static json_t *ask_admin(struct simulator_fixture *fixture, const char *method, const char *path,
	const char *body, int status)
{
	enum http_client_outcome outcome = http_client_call(
		&fixture->client, method, path, admin_header, body, &fixture->reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (fixture->reply.status != status)
		fail_msg("%s %s: %d instead of %d: %.400s", method, path, fixture->reply.status,
			status, fixture->reply.body);
	return http_client_reply_json(&fixture->reply);
}

json_t *simulator_fixture_fault(struct simulator_fixture *fixture, const char *json)
{
	return ask_admin(fixture, "POST", "/simulator/faults", json, 201);
}

json_t *simulator_fixture_faults(struct simulator_fixture *fixture)
{
	return ask_admin(fixture, "GET", "/simulator/faults", NULL, 200);
}

void simulator_fixture_clear_faults(struct simulator_fixture *fixture)
{
	json_decref(ask_admin(fixture, "DELETE", "/simulator/faults", NULL, 204));
}

json_t *simulator_fixture_ledger(struct simulator_fixture *fixture)
{
	json_t *items = json_array(), *page = NULL;
	const char *after = "0";
	char path[96];
	do {
		snprintf(path, sizeof path, "/simulator/ledger?limit=10000&after=%s", after);
		json_decref(page);
		page = ask_admin(fixture, "GET", path, NULL, 200);
		assert_non_null(page);
		assert_int_equal(0, json_array_extend(items, json_object_get(page, "items")));
		after = json_string_value(json_object_get(page, "next"));
	} while (after);
	json_object_set_new(page, "items", items);
	return page;
}

int64_t simulator_fixture_total(
	struct simulator_fixture *fixture, const char *currency, const char *name)
{
	json_t *page = ask_admin(fixture, "GET", "/simulator/ledger?limit=1", NULL, 200);
	const json_t *totals = json_object_get(json_object_get(page, "totals"), currency);
	int64_t total = json_integer_value(json_object_get(totals, name));
	json_decref(page);
	return total;
}

json_t *simulator_fixture_authenticate(
	struct simulator_fixture *fixture, const char *payment_intent, const char *outcome)
{
	char path[128], body[64];
	snprintf(path, sizeof path, "/simulator/payment_intents/%s/authentication", payment_intent);
	snprintf(body, sizeof body, "{\"outcome\":\"%s\"}", outcome);
	return ask_admin(fixture, "POST", path, body, 200);
}

int simulator_fixture_ask(
	struct simulator_fixture *fixture, const char *path, const char *headers, const char *form)
{
	char all[HEADERS_SIZE];
	snprintf(all, sizeof all, "Authorization: Bearer %s\r\n%s%s", fixture->key,
		form ? "Content-Type: application/x-www-form-urlencoded\r\n" : "",
		headers ? headers : "");
	enum http_client_outcome outcome = http_client_call(
		&fixture->client, form ? "POST" : "GET", path, all, form, &fixture->reply);
	return outcome == HTTP_CLIENT_OK ? fixture->reply.status : 0;
}
