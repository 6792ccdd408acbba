/* What the waiting room's endpoints are held against: the same server, with routes that take the
 * same requests and do nothing.
 *
 *	POST /events/{eventId}/nothing    the body is read, the answer is empty
 *	GET  /waiting-room/{placeToken}   always the bytes of --reply, whatever the token */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/program.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"

enum { BODY_BYTES_MAX = 4096, REPLY_BYTES_MAX = 4096 };

static const char *reply_path;
static char reply[REPLY_BYTES_MAX];
static size_t reply_size;

static void answer_empty(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static void answer_same(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "application/json", (struct slice){reply, reply_size});
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
}

static const struct http_route routes[] = {
	{HTTP_POST, "/events/{eventId}/nothing", HTTP_ON_LOOP, answer_empty, BODY_BYTES_MAX},
	{HTTP_GET, "/waiting-room/{placeToken}", HTTP_ON_LOOP, answer_same, 0},
};

int main(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "reply",
			.kind = CONFIG_TEXT,
			.value = &reply_path,
			.required = true,
			.help = "the file whose bytes every reader gets"},
	};
	static const struct config_program program = {.name = "waiting_room_peer",
		.summary = "The same server without a waiting room.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	FILE *file = fopen(reply_path, "re");
	if (file) {
		reply_size = fread(reply, 1, sizeof reply, file);
		fclose(file);
	}
	program_hold_signals();
	struct metrics *metrics = metrics_new();
	http_register_metrics(metrics, routes, sizeof routes / sizeof *routes);
	if (!file || !metrics || metrics_freeze(metrics) != STATUS_OK)
		return 1;
	struct http_server *server;
	struct fault fault;
	struct http_server_options options = {.routes = routes,
		.route_count = sizeof routes / sizeof *routes,
		.metrics = metrics,
		.access_log_fd = STDERR_FILENO};
	if (http_server_open(&options, &server, &fault) != STATUS_OK) {
		fprintf(stderr, "waiting_room_peer: %s: %s\n", fault.where, fault.what);
		return 1;
	}
	printf("ready http://127.0.0.1:%u\n", (unsigned)http_server_port(server));
	fflush(stdout);
	(void)program_wait_signal();
	http_server_close(server);
	metrics_free(metrics);
	return 0;
}
