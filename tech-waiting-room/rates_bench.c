/* See waiting_room_bench.h: joins, reads and admissions per second, and what each costs. */
#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tech-waiting-room/waiting_room_bench.h"

enum { ADMIT_SECONDS_MAX = 120, PAUSE_NS = 1000000 };

/* What had been used before a measure. */
struct usage {
	int64_t server_ns, service_ns, calls;
};

static struct usage usage_of(const struct server *server, const struct bench_technology *technology)
{
	struct usage usage = {.server_ns = measure_cpu_ns(server->process.pid)};
	if (technology && technology->cpu_ns)
		usage.service_ns = technology->cpu_ns();
	if (technology && technology->calls)
		usage.calls = technology->calls();
	return usage;
}

/* Add what was used since, for each of `count`. */
static void note_usage(struct bench_rates *rates, const struct usage *before,
	const struct usage *after, double count)
{
	series_add(
		&rates->server_us, (double)(after->server_ns - before->server_ns) / 1000 / count);
	series_add(&rates->service_us,
		(double)(after->service_ns - before->service_ns) / 1000 / count);
	series_add(&rates->service_calls, (double)(after->calls - before->calls) / count);
}

void bench_rate(const struct server *server, const struct bench_technology *technology,
	const struct http_load *load, struct bench_rates *rates)
{
	struct http_load_outcome outcome;
	struct usage before = usage_of(server, technology);
	bench_run_load(load, &outcome);
	struct usage after = usage_of(server, technology);
	if (outcome.good < 1)
		bench_fail("no good answer from port %u", (unsigned)load->port);
	if (technology && load->join)
		http_load_judge_joins(technology->name, &outcome);
	note_usage(rates, &before, &after, outcome.good);
	series_add(&rates->rate, outcome.good / outcome.seconds);
	series_add(&rates->p50_ms, outcome.p50_ms);
	series_add(&rates->p99_ms, outcome.p99_ms);
	rates->refused += outcome.refused;
	rates->failed += outcome.failed;
	fprintf(stderr, " %.0f", outcome.good / outcome.seconds);
}

void bench_joins(struct bench_room *room, const char *event, struct bench_rates *rates)
{
	char path[128];
	snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	struct http_load load = {.port = room->server.port, .join = path, .good = 201};
	bench_room_set(room, &(struct bench_event){event, "paused", WAITING_ROOM_RATE_MAX, 0});
	bench_rate(&room->server, room->technology, &load, rates);
	bench_room_empty_log(room);
}

/* From the moment when the room is opened until enough have been called. */
void bench_admissions(struct bench_room *room, const char *event, struct bench_rates *rates)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t waiting = bench_room_number(room->server.port, event, "waiting");
	int64_t wanted = bench_settings.admissions < waiting ? bench_settings.admissions : waiting;
	struct usage before = usage_of(&room->server, room->technology);
	int64_t from_ns = clock_monotonic_ns(clock_system()), serving = 0, now_ns = from_ns;
	bench_room_set(room, &(struct bench_event){event, "open", WAITING_ROOM_RATE_MAX, wanted});
	while (serving < wanted) {
		nanosleep(&pause, NULL);
		serving = bench_room_number(room->server.port, event, "serving");
		now_ns = clock_monotonic_ns(clock_system());
		if (now_ns - from_ns > ADMIT_SECONDS_MAX * INT64_C(1000000000))
			bench_fail("%s has called only %lld of %lld people", room->technology->name,
				(long long)serving, (long long)wanted);
	}
	struct usage after = usage_of(&room->server, room->technology);
	double rate = (double)wanted * 1e9 / (double)(now_ns - from_ns);
	note_usage(rates, &before, &after, (double)wanted);
	series_add(&rates->rate, rate);
	fprintf(stderr, " %.0f", rate);
	bench_room_set(room, &(struct bench_event){event, "closed", 1, 0});
	bench_room_empty_log(room);
}
