/* See waiting_room_bench.h: a server on its technology, and loads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/testkit/http_client.h"
#include "tech-waiting-room/waiting_room_bench.h"

enum { READY_MS_MAX = 60000, LOAD_MS_MAX = 3600000, FLAG_SIZE = 128, FLAGS_MAX = 16 };

#define BENCH_ADMIN "Authorization: Bearer bench\r\n"

void bench_room_open(
	struct bench_room *room, const struct bench_technology *technology, const char *folder)
{
	static const char *const common[] = {"ADMIN_TOKEN=bench",
		"PLACE_KEYS=bench:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"JOINS_PER_SECOND=1000000000", "JOINS_BURST=1000000000", "CONNECTIONS_MAX=19000",
		"ADDRESS", "LOG_LEVEL", "LANES", "LOOPS"};
	size_t count = sizeof common / sizeof *common;
	*room = (struct bench_room){.technology = technology, .folder = folder};
	room->server.port = process_free_port();
	snprintf(room->port, sizeof room->port, "PORT=%u", (unsigned)room->server.port);
	snprintf(room->log, sizeof room->log, "%s/%s.log", folder, technology->name);
	memcpy(room->environment, common, sizeof common);
	room->environment[count++] = room->port;
	if (technology->start)
		count += technology->start(&room->environment[count]);
	if (count >= BENCH_ENVIRONMENT_MAX)
		bench_fail("%s has too large an environment", technology->name);
	bench_room_start_server(room);
}

void bench_room_start_server(struct bench_room *room)
{
	const char *arguments[] = {room->technology->server, NULL};
	struct process_options options = {
		.arguments = arguments, .environment = room->environment, .error_path = room->log};
	if (process_start(&room->server.process, &options) != STATUS_OK ||
		process_wait_line(&room->server.process, "ready http://", READY_MS_MAX, NULL, 0) !=
			STATUS_OK)
		bench_fail(
			"%s does not get ready; %s says why", room->technology->server, room->log);
}

void bench_room_kill_server(struct bench_room *room)
{
	process_kill(&room->server.process);
	process_release(&room->server.process);
}

void bench_room_close(struct bench_room *room)
{
	server_stop(&room->server);
	if (room->technology->stop)
		room->technology->stop();
}

void bench_room_empty_log(const struct bench_room *room)
{
	if (truncate(room->log, 0) != 0)
		bench_fail("%s cannot be emptied", room->log);
}

void bench_room_set(const struct bench_room *room, const struct bench_event *event)
{
	char path[128], body[256];
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/%s/waiting-room", event->event);
	snprintf(body, sizeof body,
		"{\"state\":\"%s\",\"ratePerSecond\":%lld,\"activeMax\":%lld,"
		"\"claimSeconds\":3600,\"heartbeatSeconds\":3600,\"sessionSeconds\":3600}",
		event->state, (long long)event->rate, (long long)event->active_max);
	http_client_init(&client, room->server.port);
	if (http_client_call(&client, "PUT", path, BENCH_ADMIN, body, &reply) != HTTP_CLIENT_OK ||
		(reply.status != 200 && reply.status != 201))
		bench_fail("%s: PUT %s: %d %s", room->technology->name, path, reply.status,
			reply.body ? reply.body : "");
	http_client_reply_release(&reply);
	http_client_release(&client);
}

int64_t bench_room_number(uint16_t port, const char *event, const char *member)
{
	char path[128];
	int64_t number = -1;
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	http_client_init(&client, port);
	if (http_client_call(&client, "GET", path, NULL, NULL, &reply) == HTTP_CLIENT_OK &&
		reply.status == 200) {
		json_t *json = http_client_reply_json(&reply);
		number = json_integer_value(json_object_get(json, member));
		json_decref(json);
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return number;
}

/* ---- Loads ---- */

static double number_in(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	if (!json_is_number(value))
		bench_fail("the load does not tell its %s", name);
	return json_number_value(value);
}

static void read_result(const char *line, struct bench_outcome *outcome)
{
	json_t *json = json_loads(strchr(line, '{'), 0, NULL);
	*outcome = (struct bench_outcome){.good = number_in(json, "good"),
		.refused = number_in(json, "refused"),
		.failed = number_in(json, "failed"),
		.seconds = number_in(json, "seconds"),
		.p50_ms = number_in(json, "p50") / 1e6,
		.p99_ms = number_in(json, "p99") / 1e6,
		.largest = (int64_t)number_in(json, "largest"),
		.distinct = (int64_t)number_in(json, "distinct"),
		.disorder = (int64_t)number_in(json, "disorder")};
	json_decref(json);
}

struct flags {
	char texts[FLAGS_MAX][FLAG_SIZE];
	const char *arguments[FLAGS_MAX + 2];
	size_t count;
};

static void add_text(struct flags *flags, const char *name, const char *value)
{
	int size = snprintf(flags->texts[flags->count], FLAG_SIZE, "--%s=%s", name, value);
	if (size >= FLAG_SIZE || flags->count == FLAGS_MAX)
		bench_fail("too long a flag: %s", name);
	flags->arguments[1 + flags->count] = flags->texts[flags->count];
	flags->count++;
}

static void add_number(struct flags *flags, const char *name, int64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%lld", (long long)value);
	add_text(flags, name, text);
}

void bench_run_load(const struct bench_load *load, struct bench_outcome *outcome)
{
	struct flags flags = {.arguments = {WAITING_ROOM_BENCH "/waiting_room_load"}};
	struct process process = {0};
	char line[BENCH_TEXT_SIZE];
	struct process_options options = {.arguments = flags.arguments};
	add_number(&flags, "port", load->port);
	add_text(&flags, load->join ? "join" : "read", load->join ? load->join : load->read);
	add_number(&flags, "good", load->good);
	add_number(&flags, "connections", bench_settings.connections);
	add_number(&flags, "depth", bench_settings.depth);
	add_number(&flags, load->count ? "count" : "seconds",
		load->count ? load->count : bench_settings.seconds);
	if (load->mark)
		add_number(&flags, "mark", load->mark);
	if (load->tokens)
		add_text(&flags, "tokens", load->tokens);
	if (process_start(&process, &options) != STATUS_OK)
		bench_fail("the load cannot be started");
	if (load->mark) {
		if (process_wait_line(&process, "reached ", LOAD_MS_MAX, NULL, 0) != STATUS_OK)
			bench_fail("the load did not get to %lld", (long long)load->mark);
		load->on_mark(load->context);
	}
	if (process_wait_line(&process, "result ", LOAD_MS_MAX, line, sizeof line) != STATUS_OK ||
		process_wait(&process, READY_MS_MAX) != STATUS_OK)
		bench_fail("the load has failed");
	process_release(&process);
	read_result(line, outcome);
}

void bench_judge_joins(const char *who, const struct bench_outcome *outcome)
{
	int64_t good = (int64_t)outcome->good;
	if (outcome->disorder > 0 || outcome->distinct != good || outcome->largest != good)
		bench_fail("%s: %lld joins got %lld places up to %lld, %lld of them out of order",
			who, (long long)good, (long long)outcome->distinct,
			(long long)outcome->largest, (long long)outcome->disorder);
}
