/* See waiting_room_bench.h: how long a room takes to go on after a kill, how long until the last
 * stream knows, and what people who wait take of memory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/testkit/http_client.h"
#include "tech-waiting-room/waiting_room_bench.h"

enum {
	RECOVERY_PEOPLE = 20000,
	RECOVERY_RATE = 500, /* Admissions per second while it is killed. */
	RECOVERY_MS_MAX = 60000,
	ASK_MS_MAX = 1000, /* For one answer; what hangs is asked anew. */
	PAUSE_NS = 1000000,
	OPEN_MS_MAX = 120000,
	DELIVERY_MS_MAX = 60000,
	CALM_NS = 700000000, /* Between two changes of `serving`. */
	PEOPLE_FIRST = 100000,
	WARM_PER_CONNECTION = 8,
};

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void fill_room(struct bench_room *room, const char *event, int64_t count, const char *keep)
{
	char path[128];
	struct http_load_outcome outcome;
	snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	bench_room_set(room, &(struct bench_event){event, "paused", WAITING_ROOM_RATE_MAX, 0});
	bench_run_load(&(struct http_load){.port = room->server.port,
			       .join = path,
			       .good = 201,
			       .count = count,
			       .keep = keep},
		&outcome);
	http_load_judge_joins(room->technology->name, &outcome);
	if ((int64_t)outcome.good != count)
		bench_fail("%s refused %.0f joins", room->technology->name,
			outcome.refused + outcome.failed);
}

/* ---- After a kill ---- */

/* Asks without pause for the next join and the next admission. A thread, since the main one, whose
 * end would end the programs that it started, has meanwhile to start them again. */
struct asker {
	pthread_t thread;
	uint16_t port;
	const char *event;
	int64_t from_ns, joined_ns, admitted_ns;
};

static bool join_one(const struct asker *asker)
{
	static int64_t number;
	char path[128], body[64];
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/%s/waiting-room", asker->event);
	snprintf(body, sizeof body, "{\"userId\":\"after-%lld\"}", (long long)++number);
	http_client_init(&client, asker->port);
	client.timeout_ms = ASK_MS_MAX;
	bool joined =
		http_client_call(&client, "POST", path, NULL, body, &reply) == HTTP_CLIENT_OK &&
		reply.status == 201;
	http_client_reply_release(&reply);
	http_client_release(&client);
	return joined;
}

static void *asker_run(void *context)
{
	struct asker *asker = context;
	int64_t until_ns = asker->from_ns + RECOVERY_MS_MAX * INT64_C(1000000), serving = -1;
	while ((!asker->joined_ns || !asker->admitted_ns) && now_ns() < until_ns) {
		if (!asker->joined_ns && join_one(asker))
			asker->joined_ns = now_ns();
		/* The first number is of before the kill, or may be. */
		int64_t number = bench_room_number(asker->port, asker->event, "serving");
		if (serving >= 0 && number > serving && !asker->admitted_ns)
			asker->admitted_ns = now_ns();
		if (serving < 0)
			serving = number;
		pause_ns(PAUSE_NS);
	}
	return NULL;
}

static void asker_start(struct asker *asker, const struct bench_room *room, const char *event)
{
	*asker = (struct asker){.port = room->server.port, .event = event, .from_ns = now_ns()};
	if (pthread_create(&asker->thread, NULL, asker_run, asker) != 0)
		bench_fail("there is no thread");
}

static void asker_end(
	struct asker *asker, const char *who, struct series *join_ms, struct series *admit_ms)
{
	pthread_join(asker->thread, NULL);
	if (!asker->joined_ns || !asker->admitted_ns)
		bench_fail("%s does not go on after a kill", who);
	series_add(join_ms, (double)(asker->joined_ns - asker->from_ns) / 1e6);
	series_add(admit_ms, (double)(asker->admitted_ns - asker->from_ns) / 1e6);
	fprintf(stderr, " %.0f ms", (double)(asker->joined_ns - asker->from_ns) / 1e6);
}

void bench_recovery(struct bench_room *room, const char *event, struct bench_standing *standing)
{
	const struct bench_technology *technology = room->technology;
	struct asker asker;
	if (!technology->outlives_server)
		return;
	fill_room(room, event, RECOVERY_PEOPLE, NULL);
	bench_room_set(
		room, &(struct bench_event){event, "open", RECOVERY_RATE, WAITING_ROOM_ACTIVE_MAX});
	bench_room_kill_server(room);
	asker_start(&asker, room, event);
	bench_room_start_server(room);
	asker_end(&asker, technology->name, &standing->after_server_ms,
		&standing->admit_after_server_ms);
	if (technology->kill) {
		technology->kill();
		asker_start(&asker, room, event);
		technology->start_again();
		asker_end(&asker, technology->name, &standing->after_service_ms,
			&standing->admit_after_service_ms);
	}
	bench_room_set(room, &(struct bench_event){event, "closed", 1, 0});
	bench_room_empty_log(room);
}

/* ---- Streams ---- */

static void crowd_start(struct process *crowd, const struct bench_room *room, const char *people)
{
	char port[32], count[32], file[2 * BENCH_TEXT_SIZE];
	snprintf(port, sizeof port, "--port=%u", (unsigned)room->server.port);
	snprintf(count, sizeof count, "--streams=%lld", (long long)bench_settings.streams);
	snprintf(file, sizeof file, "--people=%s", people);
	const char *arguments[] = {
		(WAITING_ROOM_BENCH "/waiting_room_crowd"), port, count, file, NULL};
	struct process_options options = {.arguments = arguments};
	*crowd = (struct process){0};
	if (process_start(crowd, &options) != STATUS_OK ||
		process_wait_line(crowd, "ready ", OPEN_MS_MAX, NULL, 0) != STATUS_OK)
		bench_fail("%s cannot hold %lld streams", room->technology->name,
			(long long)bench_settings.streams);
}

/* One more person is called; the ms until the last stream knows. */
static double change_serving(
	struct bench_room *room, const char *event, struct process *crowd, int64_t serving)
{
	char prefix[48], line[128];
	snprintf(prefix, sizeof prefix, "served %lld ", (long long)serving);
	int64_t from_ns = now_ns();
	bench_room_set(room, &(struct bench_event){event, "open", WAITING_ROOM_RATE_MAX, serving});
	if (process_wait_line(crowd, prefix, DELIVERY_MS_MAX, line, sizeof line) != STATUS_OK)
		bench_fail("%s did not tell all streams of place %lld", room->technology->name,
			(long long)serving);
	return (double)(strtoll(line + strlen(prefix), NULL, 10) - from_ns) / 1e6;
}

void bench_streams(struct bench_room *room, const char *event, struct bench_standing *standing)
{
	char people[BENCH_TEXT_SIZE];
	struct process crowd;
	double slowest = 0;
	snprintf(people, sizeof people, "%s/people", room->folder);
	fill_room(room, event, bench_settings.streams + bench_settings.changes, people);
	crowd_start(&crowd, room, people);
	/* The first is not counted: it also tells everybody that the room is open. */
	for (int64_t i = 0; i <= bench_settings.changes; i++) {
		pause_ns(CALM_NS);
		double ms = change_serving(room, event, &crowd, i + 1);
		slowest = i > 0 && ms > slowest ? ms : slowest;
		fprintf(stderr, " %.0f", ms);
	}
	series_add(&standing->streams_ms, slowest);
	process_kill(&crowd);
	process_release(&crowd);
	bench_room_set(room, &(struct bench_event){event, "closed", 1, 0});
	bench_room_empty_log(room);
}

/* ---- Memory ---- */

struct memory {
	const struct bench_room *room;
	int64_t server, service;
};

static void memory_read(void *context)
{
	struct memory *memory = context;
	const struct bench_technology *technology = memory->room->technology;
	memory->server = measure_process_bytes(memory->room->server.process.pid);
	memory->service = technology->bytes ? technology->bytes() : 0;
}

static double per_person(int64_t after, int64_t before, int64_t people)
{
	return (double)(after - before) / (double)people;
}

void bench_most(const struct bench_technology *technology, const char *folder,
	struct bench_standing *standing)
{
	static struct bench_room room;
	struct http_load_outcome outcome;
	bench_room_open(&room, technology, folder);
	/* What connections take is there before, and is not counted. */
	fill_room(&room, "warm", WARM_PER_CONNECTION * bench_settings.connections, NULL);
	bench_room_set(&room, &(struct bench_event){"most", "paused", WAITING_ROOM_RATE_MAX, 0});
	struct memory before = {.room = &room}, first = {.room = &room}, after = {.room = &room};
	int64_t most = bench_settings.most, mark = most > PEOPLE_FIRST ? PEOPLE_FIRST : most / 2;
	memory_read(&before);
	bench_run_load(&(struct http_load){.port = room.server.port,
			       .join = "/events/most/waiting-room",
			       .good = 201,
			       .count = most,
			       .mark = mark,
			       .on_mark = memory_read,
			       .context = &first},
		&outcome);
	memory_read(&after);
	http_load_judge_joins(technology->name, &outcome);
	if ((int64_t)outcome.good != most)
		bench_fail("%s acknowledged only %.0f of %lld joins", technology->name,
			outcome.good, (long long)most);
	standing->most_seconds = outcome.seconds;
	standing->server_bytes = per_person(first.server, before.server, mark);
	standing->service_bytes = per_person(first.service, before.service, mark);
	standing->server_bytes_most = per_person(after.server, before.server, most);
	standing->service_bytes_most = per_person(after.service, before.service, most);
	fprintf(stderr,
		"%s: %lld joins in %.1f s; per person %.0f bytes of the server, %.0f of the "
		"service\n",
		technology->name, (long long)most, outcome.seconds, standing->server_bytes_most,
		standing->service_bytes_most);
	bench_room_close(&room);
}
