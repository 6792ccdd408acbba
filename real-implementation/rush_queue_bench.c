/* See rush_bench.h: joins and reads, beside a waiting room in memory and an endpoint that returns
 * the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "real-implementation/rush_bench.h"

enum { READY_MS = 60000, READERS = 1000 };

static const struct product *product;
static struct server memory, peer;

/* ---- Servers beside it ---- */

static void start_beside(
	struct server *server, const char *const arguments[], const char *const environment[])
{
	char log[RUSH_TEXT_SIZE], line[RUSH_TEXT_SIZE];
	const struct process_options options = {.arguments = arguments,
		.environment = environment,
		.error_path = rush_scratch(log, "beside.log")};
	if (process_start(&server->process, &options) != STATUS_OK ||
		process_wait_line(&server->process, "ready http://127.0.0.1:", READY_MS, line,
			sizeof line) != STATUS_OK)
		bench_fail("%s does not start; %s says why", arguments[0], log);
	server->port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
}

void rush_queue_open(const struct product *started)
{
	product = started;
	static const char *const arguments[] = {RUSH_MEMORY_SERVER, NULL};
	static const char *const environment[] = {"PORT=0", NULL};
	start_beside(&memory, arguments, environment);
}

/* An endpoint that returns what the first of these requests returns. */
static void start_peer(const char *reads)
{
	char flag[RUSH_TEXT_SIZE], line[RUSH_TEXT_SIZE], header[RUSH_TEXT_SIZE], *rest;
	struct http_client_reply reply = {0};
	FILE *file = fopen(reads, "re");
	if (!file || !fgets(line, sizeof line, file))
		bench_fail("%s cannot be read", reads);
	fclose(file);
	(void)strtok_r(line, "\t", &rest);
	const char *path = strtok_r(NULL, "\t", &rest);
	(void)snprintf(
		header, sizeof header, "Authorization: Bearer %s\r\n", strtok_r(NULL, "\t", &rest));
	product_call(product->port,
		&(struct product_call){.method = "GET", .path = path, .headers = header}, &reply);
	scratch_write(product->folder, "reply", "%s", reply.body);
	http_client_reply_release(&reply);
	(void)snprintf(flag, sizeof flag, "--reply=%s/reply", product->folder);
	const char *const arguments[] = {RUSH_PEER, flag, NULL};
	start_beside(&peer, arguments, NULL);
}

/* ---- Joins and reads ---- */

static void run(enum rush_subject subject, const struct http_load *load)
{
	struct http_load_outcome outcome;
	http_load_run(load, &outcome);
	if (outcome.good < 1)
		bench_fail("%s: there is no good answer", rush_titles[subject]);
	if (load->join || load->places)
		http_load_judge_joins(rush_titles[subject], &outcome);
	rush_note(subject, &outcome);
}

/* Nobody is called. */
static void pause_room(uint16_t port, const char *event)
{
	char path[RUSH_TEXT_SIZE];
	struct http_client_reply reply = {0};
	(void)snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	product_call(port,
		&(struct product_call){.method = "PUT",
			.path = path,
			.headers = PRODUCT_BENCH_ADMIN,
			.body = "{\"state\":\"paused\",\"ratePerSecond\":100,\"activeMax\":100,"
				"\"claimSeconds\":3600,\"heartbeatSeconds\":3600,"
				"\"sessionSeconds\":3600}"},
		&reply);
	http_client_reply_release(&reply);
}

static void run_joins(enum rush_subject subject, const struct rush_event *event)
{
	char path[RUSH_TEXT_SIZE], joins[RUSH_TEXT_SIZE], kept[RUSH_TEXT_SIZE];
	bool ours = subject == JOINS;
	uint16_t port = ours ? product->port : memory.port;
	(void)snprintf(path, sizeof path, "/events/%s/waiting-room", event->id);
	pause_room(port, event->id);
	if (ours)
		rush_write_joins(rush_scratch(joins, "joins"), event->id);
	run(subject,
		&(struct http_load){.port = port,
			.join = ours ? NULL : path,
			.ask = ours ? joins : NULL,
			.places = ours,
			.good = 201,
			.connections = 2 * rush_settings.connections,
			.depth = RUSH_QUEUE_DEPTH,
			.seconds = rush_settings.seconds,
			.keep = ours ? rush_scratch(kept, "places") : NULL});
}

static void run_reads(enum rush_subject subject)
{
	char reads[RUSH_TEXT_SIZE];
	run(subject,
		&(struct http_load){.port = subject == READS ? product->port : peer.port,
			.ask = rush_scratch(reads, "reads"),
			.again = true,
			.good = 200,
			.connections = 2 * rush_settings.connections,
			.depth = RUSH_QUEUE_DEPTH,
			.seconds = rush_settings.seconds});
}

/* Each other round the other way round, so that nobody always comes after the same one. */
void rush_queue_round(int64_t round)
{
	char reads[RUSH_TEXT_SIZE], kept[RUSH_TEXT_SIZE];
	struct rush_event event;
	bool forward = round % 2 == 0;
	rush_new_event("queue", round, &event);
	run_joins(forward ? JOINS : MEMORY_JOINS, &event);
	run_joins(forward ? MEMORY_JOINS : JOINS, &event);
	rush_write_reads(rush_scratch(reads, "reads"), rush_scratch(kept, "places"), READERS);
	if (round == 0)
		start_peer(reads);
	run_reads(forward ? READS : SAME_READS);
	run_reads(forward ? SAME_READS : READS);
}

void rush_queue_close(void)
{
	server_stop(&peer);
	server_stop(&memory);
}
