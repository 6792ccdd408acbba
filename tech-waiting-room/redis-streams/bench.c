/* The row of Redis Streams: a private Redis with `appendfsync always`, and a private PostgreSQL for
 * the durable record. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/redis/redis.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-waiting-room/waiting_room_bench.h"

static struct redis_fixture redis_service;
static struct postgres_fixture postgres_service;
static struct redis *redis;
static pid_t process;

/* The number behind `label` in a section of INFO; 0: it is not there. */
static int64_t info(const char *section, const char *label)
{
	static const struct redis_command command = {"INFO", REDIS_READS};
	struct redis_reply *reply;
	if (redis_execute(redis, &command, REDIS_ARGUMENTS(redis_text(section)), &reply) !=
		STATUS_OK)
		bench_fail("Redis does not answer: %s", redis_error(redis)->message);
	const char *at = strstr(redis_get_slice(reply).data, label);
	int64_t number = at ? strtoll(at + strlen(label), NULL, 10) : 0;
	redis_reply_free(reply);
	return number;
}

static void find_process(void)
{
	process = (pid_t)info("server", "process_id:");
	if (process <= 0)
		bench_fail("Redis does not tell its process");
}

static size_t start(const char *environment[])
{
	static char redis_url[BENCH_TEXT_SIZE], database_url[BENCH_TEXT_SIZE];
	setenv("ONSALE_SOURCE", WAITING_ROOM_SOURCE, 0);
	if (redis_fixture_start(&redis_service, "bench") != STATUS_OK ||
		postgres_fixture_start(&postgres_service, "bench") != STATUS_OK)
		bench_fail("Redis or PostgreSQL does not start");
	snprintf(redis_url, sizeof redis_url, "REDIS_URL=%s", redis_service.url);
	snprintf(database_url, sizeof database_url, "DATABASE_URL=%s", postgres_service.url);
	environment[0] = redis_url;
	environment[1] = database_url;
	redis = redis_open(&(struct redis_options){
		.url = redis_service.url, .client_name = "bench", .clock = clock_system()});
	if (!redis)
		bench_fail("memory is short");
	find_process();
	return 2;
}

static void stop(void)
{
	redis_close(redis);
	redis_fixture_stop(&redis_service);
	postgres_fixture_stop(&postgres_service);
}

static int64_t cpu_ns(void)
{
	return measure_cpu_ns(process);
}

static int64_t bytes(void)
{
	return info("memory", "used_memory:");
}

/* Of scripts, since servers make no other calls while people join, wait and are admitted. */
static int64_t calls(void)
{
	return info("commandstats", "cmdstat_evalsha:calls=") +
		info("commandstats", "cmdstat_eval:calls=");
}

static void kill_now(void)
{
	if (kill(process, SIGKILL) != 0)
		bench_fail("Redis is gone already");
}

static void start_again(void)
{
	if (redis_fixture_start_again(&redis_service) != STATUS_OK)
		bench_fail("Redis does not come back");
	find_process();
}

const struct bench_technology bench_redis_streams = {
	.name = "redis-streams",
	.server = REDIS_STREAMS_SERVER,
	.outlives_server = true,
	.start = start,
	.stop = stop,
	.cpu_ns = cpu_ns,
	.bytes = bytes,
	.calls = calls,
	.kill = kill_now,
	.start_again = start_again,
	.must = 0.5,
	.aim = 0.8,
};
