/* A private Redis server for a test: each function is one run of services/redis.sh. */
#include "lib/testkit/redis_fixture.h"

static enum status run(const struct redis_fixture *fixture, const char *verb)
{
	return service_script_run("redis", verb, fixture->instance, NULL, 0);
}

/* Start or empty it, and take its URL. */
static enum status start(struct redis_fixture *fixture, const char *verb)
{
	if (run(fixture, verb) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	return service_script_run(
		"redis", "url", fixture->instance, fixture->url, sizeof fixture->url);
}

enum status redis_fixture_start(struct redis_fixture *fixture, const char *name)
{
	*fixture = (struct redis_fixture){.url = ""};
	service_script_name(fixture->instance, name);
	enum status status = start(fixture, "start");
	if (status != STATUS_OK)
		redis_fixture_stop(fixture);
	return status;
}

enum status redis_fixture_halt(struct redis_fixture *fixture)
{
	return run(fixture, "stop");
}

enum status redis_fixture_kill(struct redis_fixture *fixture)
{
	return run(fixture, "kill");
}

enum status redis_fixture_start_again(struct redis_fixture *fixture)
{
	return start(fixture, "start");
}

enum status redis_fixture_restart(struct redis_fixture *fixture)
{
	enum status status = redis_fixture_halt(fixture);
	return status == STATUS_OK ? start(fixture, "start") : status;
}

enum status redis_fixture_empty(struct redis_fixture *fixture)
{
	return start(fixture, "empty");
}

void redis_fixture_stop(struct redis_fixture *fixture)
{
	if (fixture->instance[0] != '\0')
		(void)run(fixture, "destroy");
	fixture->instance[0] = '\0';
}
