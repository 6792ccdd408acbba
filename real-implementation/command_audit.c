/* `onsale audit`: what must always hold, asked at any time. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/program.h"
#include "real-implementation/audit.h"
#include "real-implementation/commands.h"

static struct {
	const char *database_url, *ledger_url, *ledger_token;
	int64_t settle_ms, call_ms;
	bool json;
} settings;

static const struct config_setting table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "settle",
		.kind = CONFIG_DURATION,
		.value = &settings.settle_ms,
		.fallback = "0s",
		.max = 3600000,
		.help = "wait for so long until no order is under way"},
	{.flag = "call-timeout",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms,
		.fallback = "10m",
		.min = 100,
		.max = 3600000,
		.help = "for one check"},
	{.flag = "ledger-url",
		.environment = "LEDGER_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.ledger_url,
		.help = "of a payment provider with a ledger that can be read: the simulator"},
	{.flag = "ledger-token",
		.environment = "LEDGER_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.ledger_token,
		.help = "the token to read it"},
	{.flag = "json",
		.kind = CONFIG_SWITCH,
		.value = &settings.json,
		.fallback = "false",
		.help = "print the report as JSON instead of a table"},
};

static void print_report(const struct audit_report *report)
{
	struct buffer text;
	if (settings.json) {
		json_t *json = audit_json(report);
		(void)json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	buffer_init(&text, AUDIT_REPORT_SIZE_MAX);
	audit_text(report, &text);
	(void)fwrite(text.data, 1, text.size, stdout);
	buffer_release(&text);
}

int command_audit(int argc, char **argv)
{
	static const struct config_program program = {
		.name = "onsale audit",
		.summary = "Check what must always hold. Exits with 0 when it does, 1 when it does "
			   "not, 2 when it could not be checked.",
		.version = ONSALE_VERSION,
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	struct audit_report *report = NULL;
	struct fault fault = {.where = "audit", .what = "memory is short"};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	enum status status = audit(&(struct audit_options){.database_url = settings.database_url,
					   .call_ms_max = settings.call_ms,
					   .settle_ms = settings.settle_ms,
					   .ledger_url = settings.ledger_url,
					   .ledger_token = settings.ledger_token},
		&report, &fault);
	if (status == STATUS_OK)
		print_report(report);
	else
		fprintf(stderr, "onsale audit: %s: %s\n", fault.where, fault.what);
	code = audit_exit_status(status, report);
	free(report);
	return code;
}
