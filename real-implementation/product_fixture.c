/* See product_fixture.h. */
#include "real-implementation/product_fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum { POLL_MS = 20 };

static const char webhook_secret[] = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

static const char key[] = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/* ---- Small things ---- */

int64_t now_monotonic_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void pause_for(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

const char *member_text(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));
	if (!value)
		fail_msg("there is no text '%s' in %s", name,
			json ? json_dumps(json, JSON_ENCODE_ANY) : "nothing");
	return value;
}

int64_t member_number(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	if (!json_is_integer(value))
		fail_msg("there is no number '%s' in %s", name,
			json ? json_dumps(json, JSON_ENCODE_ANY) : "nothing");
	return json_integer_value(value);
}

/* ---- The services and the program ---- */

static void set(struct product_fixture *product, const char *setting)
{
	assert_true(product->setting_count < PRODUCT_SETTINGS_MAX);
	char *to = product->settings[product->setting_count++];
	int size = snprintf(to, sizeof product->settings[0], "%s", setting);
	assert_true(size > 0 && (size_t)size < sizeof product->settings[0]);
}

static void set_all(struct product_fixture *product, const char *const more[])
{
	const char *const own[] = {
		text("DATABASE_URL=%s", product->postgres.url),
		text("REDIS_URL=%s", product->redis.url),
		text("STRIPE_BASE_URL=%s", product->simulator.url),
		text("STRIPE_SECRET_KEY=%s", product->simulator.key),
		text("STRIPE_WEBHOOK_SECRET=%s", webhook_secret),
		text("ADMIN_TOKEN=%s", PRODUCT_ADMIN_TOKEN),
		text("PLACE_KEYS=%s", key),
		text("SESSION_KEYS=%s", key),
		text("TICKET_KEYS=%s", key),
		text("LEDGER_TOKEN=%s", SIMULATOR_ADMIN_TOKEN),
		"RETURN_URL=http://127.0.0.1/",
		"ACCESS_LOG=false",
		"REQUEST_TIMEOUT=60s",
		"DATABASE_TIMEOUT=10s",
		"LEASE=3s",
		"BACKOFF_MAX=500ms",
		"JOINS_PER_SECOND=1000000",
		"JOINS_BURST=1000000",
		"SESSIONS_PER_SECOND=1000000",
		"SESSIONS_BURST=1000000",
	};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		set(product, own[i]);
	for (; more && *more; more++)
		set(product, *more);
}

static const char *program(const struct product_fixture *product)
{
	const char *build = getenv("ONSALE_BUILD");
	return text("%s/real-implementation/%s", build ? build : "build/debug",
		product->program ? product->program : "onsale");
}

static void start_program(struct product_fixture *product, struct process *process,
	const char *const arguments[], const char *port, const char *log)
{
	const char *environment[PRODUCT_SETTINGS_MAX + 2] = {0};
	size_t count = 0;
	for (size_t i = 0; i < product->setting_count; i++)
		environment[count++] = product->settings[i];
	environment[count++] = port;
	const struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log};
	assert_int_equal(STATUS_OK, process_start(process, &options));
}

int product_run(struct product_fixture *product, char **output, const char *const arguments[])
{
	struct process process = {0};
	const char *all[16] = {program(product)};
	size_t count = 1;
	for (; arguments[count - 1]; count++) {
		assert_true(count < 15);
		all[count] = arguments[count - 1];
	}
	start_program(product, &process, all, "PORT=0", NULL);
	assert_int_equal(STATUS_OK, process_wait(&process, PRODUCT_PATIENCE_MS));
	int code = process.exit_code;
	if (output)
		*output = process_output(&process);
	process_release(&process);
	return code;
}

static void import(
	struct product_fixture *product, const char *kind, const char *path, char id[ID_TEXT_SIZE])
{
	char *output;
	const char *const arguments[] = {"import", kind, path, NULL};
	if (product_run(product, &output, arguments) != 0)
		fail_msg("%s is not imported", path);
	/* "venue ID" */
	assert_true(strlen(output) > strlen(kind) + ID_TEXT_SIZE);
	memcpy(id, output + strlen(kind) + 1, ID_TEXT_SIZE - 1);
	id[ID_TEXT_SIZE - 1] = '\0';
	free(output);
}

void product_import_event(
	struct product_fixture *product, const char *members, char event[ID_TEXT_SIZE])
{
	char path[] = "/tmp/onsale-event-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	assert_non_null(file);
	fprintf(file,
		"{\"venueId\":\"%s\",\"currency\":\"EUR\",\"startsAt\":\"2099-01-01T20:00:00Z\","
		"\"prices\":{\"Premium "
		"stalls\":4600,\"Stalls\":3400,\"Balcony\":1900,\"Box\":5200},%s}",
		product->venue, members);
	fclose(file);
	import(product, "event", path, event);
	(void)unlink(path);
}

void product_open(struct product_fixture *product, const char *const settings[])
{
	const char *source = getenv("ONSALE_SOURCE");
	const char *const migrate[] = {"migrate", NULL};
	*product = (struct product_fixture){0};
	assert_int_equal(STATUS_OK, postgres_fixture_start(&product->postgres, "onsale"));
	assert_int_equal(STATUS_OK, redis_fixture_start(&product->redis, "onsale"));
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		product->ports[i] = process_free_port();
		snprintf(product->logs[i], sizeof product->logs[i], "/tmp/onsale-product-%ld-%zu",
			(long)getpid(), i);
		(void)unlink(product->logs[i]);
	}
	const char *const simulator[] = {text("WEBHOOK_SECRET=%s", webhook_secret),
		text("WEBHOOK_URL=http://127.0.0.1:%u/webhooks/stripe",
			(unsigned)product->ports[0]),
		NULL};
	assert_int_equal(STATUS_OK, simulator_fixture_start(&product->simulator, simulator));
	set_all(product, settings);
	assert_int_equal(0, product_run(product, NULL, migrate));
	import(product, "venue", text("%s/demo/venues/theatre.json", source ? source : "."),
		product->venue);
	product_import_event(product, "\"name\":\"The usual one\"", product->event);
}

void product_close(struct product_fixture *product)
{
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		if (process_running(&product->servers[i]))
			product_stop(product, i);
	assert_true(simulator_fixture_stop(&product->simulator));
	redis_fixture_stop(&product->redis);
	postgres_fixture_stop(&product->postgres);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		(void)unlink(product->logs[i]);
}

void product_launch(struct product_fixture *product, size_t index)
{
	const char *const arguments[] = {program(product), "serve", NULL};
	start_program(product, &product->servers[index], arguments,
		text("PORT=%u", (unsigned)product->ports[index]), product->logs[index]);
}

/* The end of a server's log, since the file goes with the test. */
static const char *log_end(const struct product_fixture *product, size_t index)
{
	static char end[4096];
	FILE *file = fopen(product->logs[index], "r");
	size_t size = 0;
	if (file && fseek(file, -(long)(sizeof end - 1), SEEK_END) != 0)
		rewind(file);
	if (file) {
		size = fread(end, 1, sizeof end - 1, file);
		fclose(file);
	}
	end[size] = '\0';
	return end;
}

void product_await(struct product_fixture *product, size_t index)
{
	if (process_wait_line(&product->servers[index], "ready http://", PRODUCT_PATIENCE_MS, NULL,
		    0) != STATUS_OK)
		fail_msg("onsale does not start: %s", log_end(product, index));
}

void product_serve(struct product_fixture *product, size_t index)
{
	product_launch(product, index);
	product_await(product, index);
	product_wait_ready(product, index, 200);
}

void product_kill(struct product_fixture *product, size_t index)
{
	process_kill(&product->servers[index]);
	process_release(&product->servers[index]);
}

void product_stop(struct product_fixture *product, size_t index)
{
	struct process *process = &product->servers[index];
	process_signal(process, SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(process, PRODUCT_PATIENCE_MS));
	if (process->exit_code != 0)
		fail_msg("onsale ended with code %d: %s", process->exit_code,
			log_end(product, index));
	process_release(process);
}

/* ---- Asking ---- */

static int ask(struct product_fixture *product, size_t server, const char *method, const char *path,
	const char *headers, const char *body, struct http_client_reply *reply)
{
	struct http_client client;
	http_client_init(&client, product->ports[server]);
	client.timeout_ms = PRODUCT_PATIENCE_MS;
	enum http_client_outcome outcome =
		http_client_call(&client, method, path, headers, body, reply);
	http_client_release(&client);
	return outcome == HTTP_CLIENT_OK ? reply->status : 0;
}

void product_wait_ready(struct product_fixture *product, size_t index, int status)
{
	struct http_client_reply reply = {0};
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	while (ask(product, index, "GET", "/readyz", NULL, NULL, &reply) != status) {
		if (now_monotonic_ms() > deadline_ms)
			fail_msg("/readyz did not become %d: %s", status,
				reply.body ? reply.body : "no answer");
		pause_for(POLL_MS);
	}
	http_client_reply_release(&reply);
}

static void want(const struct http_client_reply *reply, const char *method, const char *path,
	int got, int status)
{
	if (got != status)
		fail_msg("%s %s: %d instead of %d: %s", method, path, got, status,
			got && reply->body ? reply->body : "");
}

json_t *product_admin(struct product_fixture *product, size_t server, const char *method,
	const char *path, const char *body, int status)
{
	struct http_client_reply reply = {0};
	int got = ask(product, server, method, path, PRODUCT_ADMIN, body, &reply);
	want(&reply, method, path, got, status);
	json_t *json = http_client_reply_json(&reply);
	http_client_reply_release(&reply);
	return json;
}

/* ---- Who looks at a room ---- */

/* Whatever a server says that is there. */
static void *observe(void *context)
{
	struct product_observer *observer = context;
	for (size_t i = 0; !atomic_load(&observer->ended); i++) {
		struct http_client client;
		struct http_client_reply reply = {0};
		http_client_init(&client, observer->product->ports[i % PRODUCT_SERVERS]);
		client.timeout_ms = 2000;
		if (http_client_call(&client, "GET",
			    text("/events/%s/waiting-room", observer->event), NULL, NULL,
			    &reply) == HTTP_CLIENT_OK &&
			reply.status == 200) {
			json_t *json = http_client_reply_json(&reply);
			json_int_t active = json_integer_value(json_object_get(json, "active"));
			if (active > atomic_load(&observer->most))
				atomic_store(&observer->most, active);
			atomic_fetch_add(&observer->looks, 1);
			json_decref(json);
		}
		http_client_reply_release(&reply);
		http_client_release(&client);
		pause_for(50);
	}
	return NULL;
}

void product_observe(
	struct product_observer *observer, const struct product_fixture *product, const char *event)
{
	*observer = (struct product_observer){.product = product, .event = event};
	assert_int_equal(0, pthread_create(&observer->thread, NULL, observe, observer));
}

void product_observe_end(struct product_observer *observer)
{
	atomic_store(&observer->ended, true);
	pthread_join(observer->thread, NULL);
}

/* ---- People ---- */

void person_new(struct person *person, struct product_fixture *product, size_t server)
{
	*person = (struct person){.product = product, .server = server};
	int got = ask(product, server, "POST", "/sessions", NULL, "{}", &person->reply);
	want(&person->reply, "POST", "/sessions", got, 201);
	json_t *json = http_client_reply_json(&person->reply);
	snprintf(person->user, sizeof person->user, "%s", member_text(json, "userId"));
	snprintf(person->token, sizeof person->token, "%s", member_text(json, "token"));
	json_decref(json);
}

void person_release(struct person *person)
{
	http_client_reply_release(&person->reply);
}

int person_try(struct person *person, const char *method, const char *path, const char *request_key,
	const char *headers, const char *body)
{
	char all[2048];
	int size = snprintf(all, sizeof all, "Authorization: Bearer %s\r\n%s%s%s%s", person->token,
		request_key ? "Idempotency-Key: " : "", request_key ? request_key : "",
		request_key ? "\r\n" : "", headers ? headers : "");
	assert_true(size > 0 && (size_t)size < sizeof all);
	return ask(person->product, person->server, method, path, all, body, &person->reply);
}

json_t *person_ask(struct person *person, const char *method, const char *path,
	const char *request_key, const char *headers, const char *body, int status)
{
	int got = person_try(person, method, path, request_key, headers, body);
	want(&person->reply, method, path, got, status);
	return person->reply.body_size > 0 ? http_client_reply_json(&person->reply) : NULL;
}

void person_want(struct person *person, const char *method, const char *path,
	const char *request_key, const char *headers, const char *body, int status)
{
	json_decref(person_ask(person, method, path, request_key, headers, body, status));
}

json_t *person_wait(struct person *person, const char *path, const char *name, const char *value)
{
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	for (;;) {
		json_t *json = NULL;
		if (person_try(person, "GET", path, NULL, NULL, NULL) == 200)
			json = http_client_reply_json(&person->reply);
		const char *found = json_string_value(json_object_get(json, name));
		if (found && strcmp(found, value) == 0)
			return json;
		if (now_monotonic_ms() > deadline_ms)
			fail_msg("%s: '%s' did not become '%s' but is '%s'", path, name, value,
				found ? found : "nothing");
		json_decref(json);
		pause_for(POLL_MS);
	}
}

void person_enter(struct person *person, const char *event, char pass[512])
{
	const char *path = text("/events/%s/waiting-room", event);
	int got = person_try(person, "POST", path, NULL, NULL, "{}");
	if (got != 200)
		want(&person->reply, "POST", path, got, 201);
	json_t *json = http_client_reply_json(&person->reply);
	const char *place = text("/waiting-room/%s", member_text(json, "placeToken"));
	json_decref(json);
	json = person_wait(person, place, "state", "admitted");
	snprintf(pass, 512, "%s", member_text(json, "pass"));
	json_decref(json);
}

void person_buy(struct person *person, const char *event, const char *pass, int quantity,
	const char *method, const char *status, char order[128])
{
	char own[48];
	static atomic_uint next;
	snprintf(own, sizeof own, "buy-%u", atomic_fetch_add(&next, 1));
	json_t *hold = person_ask(person, "POST", text("/events/%s/holds", event), own,
		pass ? text("Waiting-Room-Pass: %s\r\n", pass) : NULL,
		text("{\"best\":{\"quantity\":%d}}", quantity), 201);
	json_t *made = person_ask(person, "POST", "/orders", own, NULL,
		text("{\"holdId\":\"%s\"}", member_text(hold, "holdId")), 201);
	snprintf(order, 128, "%s", member_text(made, "orderId"));
	person_want(person, "POST", text("/orders/%s/confirm", order), own, NULL,
		text("{\"paymentMethod\":\"%s\"}", method), 202);
	json_decref(person_wait(person, text("/orders/%s", order), "status", status));
	json_decref(hold);
	json_decref(made);
}
