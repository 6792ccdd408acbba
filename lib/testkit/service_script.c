/* Runs of services/SERVICE.sh, as programs. */
#include "lib/testkit/service_script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/testkit/process.h"

enum { SCRIPT_MS_MAX = 120000, PATH_SIZE_MAX = 4096, OWNER_SIZE = 24 };

void service_script_name(char instance[SERVICE_INSTANCE_SIZE], const char *name)
{
	assert(strlen(name) <= SERVICE_NAME_SIZE_MAX);
	(void)snprintf(instance, SERVICE_INSTANCE_SIZE, "test-%s-%ld", name, (long)getpid());
}

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

enum status service_script_run(
	const char *service, const char *verb, const char *instance, char *line, size_t size)
{
	char path[PATH_SIZE_MAX];
	char owner[OWNER_SIZE];
	const char *source = getenv("ONSALE_SOURCE");
	(void)snprintf(
		path, sizeof path, "%s/services/%s.sh", source != NULL ? source : ".", service);
	(void)snprintf(owner, sizeof owner, "%ld", (long)getpid());
	const char *arguments[] = {path, verb, "--owner", owner, instance, NULL};
	struct process_options options = {.arguments = arguments};
	struct process script;
	if (process_start(&script, &options) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	enum status status = finish_script(&script, line, size);
	process_release(&script);
	return status;
}
