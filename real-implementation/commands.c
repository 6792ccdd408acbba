/* The commands without a server: migrate, import, audit. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/program.h"
#include "real-implementation/catalog_import.h"
#include "real-implementation/commands.h"
#include "real-implementation/compose.h"
#include "real-implementation/migrate.h"

enum { FAILED = 1, WRONG = 2 };

/* Nobody waits for a page here, so that these may take longer than the server's statements. */
static const struct config_setting table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &compose_settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.database_ms,
		.fallback = "60s",
		.min = 100,
		.max = 3600000,
		.help = "for connecting to the database, and for one statement with its locks"},
};

static int configure(const char *name, const char *summary, const char *arguments, int argc,
	char **argv, int *next)
{
	static struct config_program program;
	program = (struct config_program){.name = name,
		.summary = summary,
		.version = ONSALE_VERSION,
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
		.arguments = arguments};
	int code = program_configure(&program, argc, argv, next);
	compose_settings.lock_ms = compose_settings.database_ms;
	return code;
}

static int fail(const char *name, const struct fault *fault)
{
	fprintf(stderr, "%s: %s: %s\n", name, fault->where, fault->what);
	return FAILED;
}

/* ---- migrate ---- */

int command_migrate(int argc, char **argv)
{
	struct migrate_report report;
	struct fault fault = {.where = "migrate", .what = "memory is short"};
	int code = configure("onsale migrate",
		"Bring the database to this program's version. Does nothing where it is.", NULL,
		argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	enum status status = migrate(
		compose_settings.database_url, compose_settings.database_ms, &report, &fault);
	if (status != STATUS_OK)
		return fail("onsale migrate", &fault);
	printf("version %" PRId32 ", %zu steps applied\n", report.version, report.applied_count);
	return 0;
}

/* ---- import ---- */

static void show_progress(void *context, size_t done, size_t total)
{
	(void)context;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%zu of %zu seats%s", done, total, done == total ? "\n" : "");
}

int command_import(int argc, char **argv)
{
	int next = 0;
	struct fault fault = {.where = "import", .what = "memory is short"};
	struct import_result result = {.json = NULL};
	int code = configure("onsale import",
		"Import a venue (a seating plan) or an event from files; what was imported before "
		"is left as it is.",
		"venue|event FILE…", argc, argv, &next);
	if (code != PROGRAM_READY)
		return code;
	const char *what = next < argc ? argv[next] : "";
	bool venue = strcmp(what, "venue") == 0;
	if ((!venue && strcmp(what, "event") != 0) || next + 1 >= argc) {
		fprintf(stderr,
			"onsale import: say venue or event, and which files; --help says "
			"more\n");
		return WRONG;
	}
	for (int i = next + 1; i < argc; i++) {
		char id[ID_TEXT_SIZE];
		enum status status = import_file(
			&(struct import_options){.database_url = compose_settings.database_url,
				.ms = compose_settings.database_ms,
				.open_seats = compose_open_seats,
				.progress = show_progress},
			venue ? IMPORT_VENUE : IMPORT_EVENT, argv[i], &result, &fault);
		if (status != STATUS_OK)
			return fail("onsale import", &fault);
		id_format(result.id, id);
		printf("%s %s%s\n", what, id, result.is_new ? "" : " (was there)");
		free(result.json);
	}
	return 0;
}
