/* A private PostgreSQL cluster for a test: each function is one run of services/postgres.sh. */
#include "lib/testkit/postgres_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/testkit/process.h"

enum { SCRIPT_MS_MAX = 120000, PATH_SIZE_MAX = 4096, OWNER_SIZE = 24 };

/* Wait until the script has ended well, and copy the first line that it has printed. */
static enum status finish_script(struct process *script, char *line, size_t size)
{
	if (process_wait(script, SCRIPT_MS_MAX) != STATUS_OK || script->exit_code != 0)
		return STATUS_UNAVAILABLE;
	if (size > 0) {
		char *output = process_output(script);
		(void)snprintf(line, size, "%.*s", (int)strcspn(output, "\n"), output);
		free(output);
	}
	return STATUS_OK;
}

/* Run the script with one verb. `line` may be NULL with a size of 0. */
static enum status run_script(
	const struct postgres_fixture *fixture, const char *verb, char *line, size_t size)
{
	char path[PATH_SIZE_MAX];
	char owner[OWNER_SIZE];
	const char *source = getenv("ONSALE_SOURCE");
	(void)snprintf(path, sizeof path, "%s/services/postgres.sh", source != NULL ? source : ".");
	(void)snprintf(owner, sizeof owner, "%ld", (long)getpid());
	const char *arguments[] = {path, verb, "--owner", owner, fixture->instance, NULL};
	struct process_options options = {.arguments = arguments};
	struct process script;
	if (process_start(&script, &options) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	enum status status = finish_script(&script, line, size);
	process_release(&script);
	return status;
}

static enum status start(struct postgres_fixture *fixture)
{
	if (run_script(fixture, "start", NULL, 0) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	return run_script(fixture, "url", fixture->url, sizeof fixture->url);
}

enum status postgres_fixture_start(struct postgres_fixture *fixture, const char *name)
{
	assert(strlen(name) <= POSTGRES_FIXTURE_NAME_SIZE_MAX);
	*fixture = (struct postgres_fixture){.url = ""};
	(void)snprintf(
		fixture->instance, sizeof fixture->instance, "test-%s-%ld", name, (long)getpid());
	enum status status = start(fixture);
	if (status != STATUS_OK)
		postgres_fixture_stop(fixture);
	return status;
}

enum status postgres_fixture_halt(struct postgres_fixture *fixture)
{
	return run_script(fixture, "stop", NULL, 0);
}

enum status postgres_fixture_kill(struct postgres_fixture *fixture)
{
	return run_script(fixture, "kill", NULL, 0);
}

enum status postgres_fixture_start_again(struct postgres_fixture *fixture)
{
	return start(fixture);
}

enum status postgres_fixture_restart(struct postgres_fixture *fixture)
{
	enum status status = postgres_fixture_halt(fixture);
	return status == STATUS_OK ? start(fixture) : status;
}

void postgres_fixture_stop(struct postgres_fixture *fixture)
{
	if (fixture->instance[0] != '\0')
		(void)run_script(fixture, "destroy", NULL, 0);
	fixture->instance[0] = '\0';
}
