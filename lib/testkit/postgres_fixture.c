/* A private PostgreSQL cluster for a test: each function is one run of services/postgres.sh. */
#include "lib/testkit/postgres_fixture.h"

static enum status run(const struct postgres_fixture *fixture, const char *verb)
{
	return service_script_run("postgres", verb, fixture->instance, NULL, 0);
}

/* Start or empty it, and take its URL. */
static enum status start(struct postgres_fixture *fixture, const char *verb)
{
	if (run(fixture, verb) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	return service_script_run(
		"postgres", "url", fixture->instance, fixture->url, sizeof fixture->url);
}

enum status postgres_fixture_start(struct postgres_fixture *fixture, const char *name)
{
	*fixture = (struct postgres_fixture){.url = ""};
	service_script_name(fixture->instance, name);
	enum status status = start(fixture, "start");
	if (status != STATUS_OK)
		postgres_fixture_stop(fixture);
	return status;
}

enum status postgres_fixture_halt(struct postgres_fixture *fixture)
{
	return run(fixture, "stop");
}

enum status postgres_fixture_kill(struct postgres_fixture *fixture)
{
	return run(fixture, "kill");
}

enum status postgres_fixture_start_again(struct postgres_fixture *fixture)
{
	return start(fixture, "start");
}

enum status postgres_fixture_restart(struct postgres_fixture *fixture)
{
	enum status status = postgres_fixture_halt(fixture);
	return status == STATUS_OK ? start(fixture, "start") : status;
}

void postgres_fixture_stop(struct postgres_fixture *fixture)
{
	if (fixture->instance[0] != '\0')
		(void)run(fixture, "destroy");
	fixture->instance[0] = '\0';
}
