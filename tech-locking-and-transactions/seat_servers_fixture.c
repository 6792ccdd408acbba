/* See seat_servers_fixture.h. */
#include "tech-locking-and-transactions/seat_servers_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/testkit/random.h"

enum { TEXT_SIZE = 512, POLL_MS = 20 };

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- Servers ---- */

static void find_seats(struct seat_servers *servers);

void seat_servers_open(
	struct seat_servers *servers, const struct seat_servers_technology *technology)
{
	*servers = (struct seat_servers){.technology = technology};
	for (size_t i = 0; i < SEAT_SERVERS; i++) {
		servers->ports[i] = process_free_port();
		snprintf(servers->logs[i], sizeof servers->logs[i], "/tmp/onsale-seats-%ld-%zu",
			(long)getpid(), i);
		(void)unlink(servers->logs[i]);
		seat_servers_start(servers, i);
	}
	for (size_t i = 0; i < SEAT_SERVERS; i++)
		seat_servers_wait_ready(servers, i, 200, NULL, 0);
	find_seats(servers);
}

void seat_servers_start(struct seat_servers *servers, size_t index)
{
	seat_servers_launch(servers, index);
	seat_servers_await(servers, index);
}

void seat_servers_await(struct seat_servers *servers, size_t index)
{
	if (process_wait_line(&servers->processes[index], "ready http://", SEAT_PATIENCE_MS, NULL,
		    0) != STATUS_OK)
		fail_msg("%s does not start; see %s", servers->technology->program,
			servers->logs[index]);
}

void seat_servers_launch(struct seat_servers *servers, size_t index)
{
	static const char *const common[] = {"ADMIN_TOKEN=t0p", "HOLD_TIME=4h", "ACCESS_LOG=false",
		"REQUEST_TIMEOUT=60s", "DATABASE_TIMEOUT=10s", "LOCK_TIMEOUT=8s", "PRICE=1500",
		"PURCHASE_WAIT=30s", "LEASE=3s", "BACKOFF_MAX=500ms"};
	const char *environment[SEAT_SERVER_SETTINGS] = {0};
	char port[32], plan[TEXT_SIZE], path[TEXT_SIZE];
	_Static_assert(SEAT_PRICE == 1500, "as the settings say");
	const char *build = getenv("ONSALE_BUILD"), *source = getenv("ONSALE_SOURCE");
	size_t count = sizeof common / sizeof *common;
	memcpy(environment, common, sizeof common);
	snprintf(port, sizeof port, "PORT=%u", (unsigned)servers->ports[index]);
	snprintf(plan, sizeof plan, "PLAN=%s/demo/venues/concert-hall.json", source ? source : ".");
	environment[count++] = port;
	environment[count++] = plan;
	for (const char *const *more = servers->technology->environment; more && *more; more++) {
		assert_true(count < SEAT_SERVER_SETTINGS - 1);
		environment[count++] = *more;
	}
	snprintf(path, sizeof path, "%s/tech-locking-and-transactions/%s",
		build ? build : "build/debug", servers->technology->program);
	const char *arguments[] = {path, NULL};
	struct process_options options = {.arguments = arguments,
		.environment = environment,
		.error_path = servers->logs[index]};
	assert_int_equal(STATUS_OK, process_start(&servers->processes[index], &options));
}

void seat_servers_kill(struct seat_servers *servers, size_t index)
{
	process_kill(&servers->processes[index]);
	process_release(&servers->processes[index]);
}

void seat_servers_stop(struct seat_servers *servers, size_t index)
{
	struct process *process = &servers->processes[index];
	process_signal(process, SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(process, SEAT_PATIENCE_MS));
	if (process->exit_code != 0)
		fail_msg("a server ended with code %d; see %s", process->exit_code,
			servers->logs[index]);
	process_release(process);
}

void seat_servers_close(struct seat_servers *servers)
{
	for (size_t i = 0; i < SEAT_SERVERS; i++)
		if (process_running(&servers->processes[i]))
			seat_servers_stop(servers, i);
	for (size_t i = 0; i < SEAT_SERVERS; i++)
		(void)unlink(servers->logs[i]);
}

int seat_servers_ask(struct seat_servers *servers, size_t index, const char *method,
	const char *path, const char *headers, const char *body, struct http_client_reply *reply)
{
	struct http_client client;
	http_client_init(&client, servers->ports[index]);
	client.timeout_ms = SEAT_PATIENCE_MS;
	enum http_client_outcome outcome =
		http_client_call(&client, method, path, headers, body, reply);
	http_client_release(&client);
	return outcome == HTTP_CLIENT_OK ? reply->status : 0;
}

void seat_servers_wait_ready(
	struct seat_servers *servers, size_t index, int status, char *body, size_t size)
{
	struct http_client_reply reply = {0};
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	while (seat_servers_ask(servers, index, "GET", "/readyz", NULL, NULL, &reply) != status) {
		if (now_ms() > deadline_ms)
			fail_msg("/readyz of server %zu did not become %d", index, status);
		pause_ms(POLL_MS);
	}
	if (body)
		snprintf(body, size, "%s", reply.body);
	http_client_reply_release(&reply);
}

static json_t *get(struct seat_servers *servers, const char *path)
{
	struct http_client_reply reply = {0};
	assert_int_equal(200, seat_servers_ask(servers, 0, "GET", path, NULL, NULL, &reply));
	json_t *json = http_client_reply_json(&reply);
	assert_non_null(json);
	http_client_reply_release(&reply);
	return json;
}

static void find_seats(struct seat_servers *servers)
{
	char path[TEXT_SIZE];
	json_t *events = get(servers, "/events");
	const json_t *event = json_array_get(json_object_get(events, "items"), 0);
	snprintf(servers->event, sizeof servers->event, "%s",
		json_string_value(json_object_get(event, "eventId")));
	json_decref(events);
	snprintf(path, sizeof path, "/events/%s/seats?section=Parterre", servers->event);
	json_t *seats = get(servers, path);
	const json_t *items = json_object_get(seats, "items");
	assert_true(json_array_size(items) >= SEAT_ALL);
	for (size_t i = 0; i < SEAT_ALL; i++)
		snprintf(servers->seats[i], sizeof servers->seats[i], "%s",
			json_string_value(json_object_get(json_array_get(items, i), "seatId")));
	json_decref(seats);
}

/* ---- People ---- */

struct buyer {
	struct seat_fight *fight;
	size_t index, server;
	struct http_client clients[SEAT_SERVERS];
	struct http_client_reply reply;
	char path[TEXT_SIZE], headers[TEXT_SIZE], body[TEXT_SIZE];
};

static void open_clients(struct buyer *buyer)
{
	for (size_t i = 0; i < SEAT_SERVERS; i++) {
		http_client_init(&buyer->clients[i], buyer->fight->servers->ports[i]);
		buyer->clients[i].timeout_ms = SEAT_PATIENCE_MS / 2;
	}
	buyer->server = buyer->index % SEAT_SERVERS;
}

static void free_buyer(struct buyer *buyer)
{
	for (size_t i = 0; i < SEAT_SERVERS; i++)
		http_client_release(&buyer->clients[i]);
	http_client_reply_release(&buyer->reply);
	free(buyer);
}

static void note_wrong(struct seat_fight *fight, const char *what, int status, const char *more)
{
	pthread_mutex_lock(&fight->mutex);
	if (fight->wrong++ == 0)
		snprintf(fight->first_wrong, sizeof fight->first_wrong, "%s: %d %.180s", what,
			status, more ? more : "");
	pthread_mutex_unlock(&fight->mutex);
}

/* Ask until there is an answer, by whichever server. Returns its status; 0: there never was. */
static int ask_until_answered(struct buyer *buyer)
{
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	while (now_ms() < deadline_ms) {
		struct http_client *client = &buyer->clients[buyer->server];
		enum http_client_outcome outcome = http_client_call(
			client, "POST", buyer->path, buyer->headers, buyer->body, &buyer->reply);
		if (outcome == HTTP_CLIENT_OK && buyer->reply.status != 503)
			return buyer->reply.status;
		if (outcome != HTTP_CLIENT_OK)
			http_client_close(client);
		buyer->server = (buyer->server + 1) % SEAT_SERVERS;
		pause_ms(POLL_MS);
	}
	return 0;
}

static void claim(struct buyer *buyer, const size_t seats[], size_t count)
{
	struct seat_fight *fight = buyer->fight;
	json_t *json = http_client_reply_json(&buyer->reply);
	const char *hold = json_string_value(json_object_get(json, "holdId"));
	if (!hold)
		note_wrong(fight, "a hold without id", 201, buyer->reply.body);
	pthread_mutex_lock(&fight->mutex);
	for (size_t i = 0; i < count && hold; i++) {
		struct seat_claim *taken = &fight->claims[seats[i] - fight->first];
		fight->twice += taken->granted;
		taken->granted = true;
		snprintf(taken->hold, sizeof taken->hold, "%s", hold);
		snprintf(taken->person, sizeof taken->person, "b%zu", buyer->index);
		atomic_fetch_add(&fight->granted, 1);
	}
	pthread_mutex_unlock(&fight->mutex);
	json_decref(json);
}

/* Ask for one or two seats. Returns whether they were granted. */
static bool try_to_hold(struct buyer *buyer, const size_t seats[], size_t count)
{
	struct seat_fight *fight = buyer->fight;
	snprintf(buyer->headers, sizeof buyer->headers, "Idempotency-Key: %s-%zu-%zu\r\n",
		fight->name, seats[0], count);
	if (count == 1)
		snprintf(buyer->body, sizeof buyer->body,
			"{\"userId\":\"b%zu\",\"seats\":[\"%s\"]}", buyer->index,
			fight->servers->seats[seats[0]]);
	else
		snprintf(buyer->body, sizeof buyer->body,
			"{\"userId\":\"b%zu\",\"seats\":[\"%s\",\"%s\"]}", buyer->index,
			fight->servers->seats[seats[0]], fight->servers->seats[seats[1]]);
	int status = ask_until_answered(buyer);
	if (status == 201)
		claim(buyer, seats, count);
	else if (status == 0)
		note_wrong(fight, "no answer to a hold", 0, NULL);
	else if (status != 409)
		note_wrong(fight, "a hold", status, buyer->reply.body);
	return status == 201;
}

static bool is_claimed(struct seat_fight *fight, size_t seat)
{
	pthread_mutex_lock(&fight->mutex);
	bool granted = fight->claims[seat - fight->first].granted;
	pthread_mutex_unlock(&fight->mutex);
	return granted;
}

static void *fight_for_seats(void *context)
{
	struct buyer *buyer = context;
	struct seat_fight *fight = buyer->fight;
	struct random random;
	size_t order[SEAT_FOUGHT_FOR];
	const size_t count = fight->count;
	random_init_stream(&random, random_seed(), buyer->index);
	for (size_t i = 0; i < count; i++)
		order[i] = fight->first + i;
	for (size_t i = count; i > 1; i--) {
		size_t j = random_below(&random, i), kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
	open_clients(buyer);
	snprintf(buyer->path, sizeof buyer->path, "/events/%s/holds", fight->servers->event);
	for (size_t i = 0; i < count; i++) {
		/* Everybody tries each seat that nobody is known to have, and more often alone
		 * than with the one that follows: so at the end none is left. A few try all the
		 * same, so that refusals are seen, too. */
		if (is_claimed(fight, order[i]) && random_below(&random, 8) > 0)
			continue;
		bool pair = i + 1 < count && random_below(&random, 4) == 0;
		if (!pair || !try_to_hold(buyer, order + i, 2))
			(void)try_to_hold(buyer, order + i, 1);
	}
	free_buyer(buyer);
	return NULL;
}

void seat_fight_start(struct seat_fight *fight)
{
	pthread_mutex_init(&fight->mutex, NULL);
	assert_true(fight->count <= SEAT_FOUGHT_FOR && fight->first + fight->count <= SEAT_ALL);
	for (size_t i = 0; i < SEAT_BUYERS; i++) {
		struct buyer *buyer = calloc(1, sizeof *buyer);
		assert_non_null(buyer);
		buyer->fight = fight;
		buyer->index = i;
		assert_int_equal(
			0, pthread_create(&fight->threads[i], NULL, fight_for_seats, buyer));
	}
}

void seat_fight_wait(struct seat_fight *fight, size_t granted)
{
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	while (atomic_load(&fight->granted) < granted) {
		if (now_ms() > deadline_ms)
			fail_msg("only %zu seats were taken", atomic_load(&fight->granted));
		pause_ms(1);
	}
}

/* What was acknowledged is there, and says the same by every server; one whose database was away
 * may say 503 for a moment more. */
static void want_claim(struct seat_fight *fight, size_t index, size_t seat, const char *status)
{
	const struct seat_claim *taken = &fight->claims[seat - fight->first];
	struct http_client_reply reply = {0};
	char path[TEXT_SIZE];
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	bool found = false;
	int answer;
	snprintf(path, sizeof path, "/holds/%s", taken->hold);
	while ((answer = seat_servers_ask(
			fight->servers, index, "GET", path, NULL, NULL, &reply)) == 503 &&
		now_ms() < deadline_ms)
		pause_ms(POLL_MS);
	assert_int_equal(200, answer);
	json_t *json = http_client_reply_json(&reply);
	assert_string_equal(status, json_string_value(json_object_get(json, "status")));
	assert_string_equal(taken->person, json_string_value(json_object_get(json, "userId")));
	const json_t *seats = json_object_get(json, "seats");
	for (size_t i = 0; i < json_array_size(seats); i++)
		found = found ||
			strcmp(json_string_value(json_array_get(seats, i)),
				fight->servers->seats[seat]) == 0;
	assert_true(found);
	json_decref(json);
	http_client_reply_release(&reply);
}

static void want_all(struct seat_fight *fight, const char *status)
{
	const struct seat_servers_technology *technology = fight->servers->technology;
	if (fight->wrong > 0)
		fail_msg("%zu answers were wrong; %s", fight->wrong, fight->first_wrong);
	for (size_t i = 0; i < fight->count; i++)
		for (size_t server = 0; server < SEAT_SERVERS; server++)
			want_claim(fight, server, fight->first + i, status);
	struct id event;
	assert_true(id_parse(slice_of(fight->servers->event), &event));
	const char *verdict = technology->judge ? technology->judge(event) : NULL;
	if (verdict)
		fail_msg("the judge says: %s", verdict);
}

void seat_fight_end(struct seat_fight *fight)
{
	for (size_t i = 0; i < SEAT_BUYERS; i++)
		pthread_join(fight->threads[i], NULL);
	assert_int_equal(0, fight->twice);
	want_all(fight, "held");
	assert_int_equal(fight->count, atomic_load(&fight->granted));
}

/* ---- Buying ---- */

static void *buy_hold(void *context)
{
	struct buyer *buyer = context;
	struct seat_fight *fight = buyer->fight;
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	int status;
	open_clients(buyer);
	snprintf(buyer->headers, sizeof buyer->headers, "Idempotency-Key: buy-%s\r\n", fight->name);
	/* 202: it is not over; the same request again tells. */
	while ((status = ask_until_answered(buyer)) == 202 && now_ms() < deadline_ms)
		pause_ms(POLL_MS);
	if (status == 200) {
		json_t *json = http_client_reply_json(&buyer->reply);
		atomic_fetch_add(
			&fight->tickets, json_array_size(json_object_get(json, "tickets")));
		atomic_fetch_add(&fight->paid, 1);
		json_decref(json);
	} else {
		note_wrong(fight, "a purchase", status, buyer->reply.body);
	}
	free_buyer(buyer);
	return NULL;
}

void seat_fight_buy_start(struct seat_fight *fight)
{
	fight->hold_count = 0;
	for (size_t i = 0; i < fight->count && fight->hold_count < SEAT_BUYERS; i++) {
		size_t j = 0;
		while (j < i && strcmp(fight->claims[j].hold, fight->claims[i].hold) != 0)
			j++;
		if (j < i)
			continue;
		struct buyer *buyer = calloc(1, sizeof *buyer);
		assert_non_null(buyer);
		buyer->fight = fight;
		buyer->index = fight->hold_count;
		snprintf(buyer->path, sizeof buyer->path, "/holds/%s/purchase",
			fight->claims[i].hold);
		/* Half of them say who they are. */
		if (i % 2 == 0)
			snprintf(buyer->body, sizeof buyer->body,
				"{\"paymentMethod\":\"pm_card_visa\"}");
		else
			snprintf(buyer->body, sizeof buyer->body,
				"{\"paymentMethod\":\"pm_card_visa\",\"userId\":\"%s\"}",
				fight->claims[i].person);
		assert_int_equal(0,
			pthread_create(
				&fight->threads[fight->hold_count++], NULL, buy_hold, buyer));
	}
}

void seat_fight_buy_wait(struct seat_fight *fight, size_t paid)
{
	int64_t deadline_ms = now_ms() + SEAT_PATIENCE_MS;
	while (atomic_load(&fight->paid) < paid) {
		if (now_ms() > deadline_ms)
			fail_msg("only %zu were paid; %s", atomic_load(&fight->paid),
				fight->first_wrong);
		pause_ms(1);
	}
}

void seat_fight_buy_end(struct seat_fight *fight)
{
	for (size_t i = 0; i < fight->hold_count; i++)
		pthread_join(fight->threads[i], NULL);
	want_all(fight, "sold");
	assert_int_equal(fight->hold_count, atomic_load(&fight->paid));
	assert_int_equal(fight->count, atomic_load(&fight->tickets));
}
