/* See waiting_room_bench.h: a server on its technology, and a load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/testkit/http_client.h"
#include "tech-waiting-room/waiting_room_bench.h"

enum { READY_MS_MAX = 60000 };

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

void bench_run_load(const struct http_load *load, struct http_load_outcome *outcome)
{
	struct http_load all = *load;
	all.connections = bench_settings.connections;
	all.depth = bench_settings.depth;
	all.seconds = load->count ? 0 : bench_settings.seconds;
	http_load_run(&all, outcome);
}
