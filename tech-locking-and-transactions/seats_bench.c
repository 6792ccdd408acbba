/* What the techniques of the family hold and sell per second, and what they do after a kill. */
#include "tech-locking-and-transactions/seats_bench.h"

#include <stdlib.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "lib/base/program.h"

static struct seats_bench bench;

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &bench.seconds,
			.fallback = "1",
			.min = 1,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "sweep",
			.kind = CONFIG_INTEGER,
			.value = &bench.sweep_seconds,
			.fallback = "1",
			.min = 0,
			.max = 60,
			.help = "how long each number of clients is tried; 0: none is, and the "
				"first is taken"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &bench.rounds,
			.fallback = "5",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &bench.holds_path,
			.help = "the file that the result for holds is written to"},
		{.flag = "guard-json",
			.kind = CONFIG_TEXT,
			.value = &bench.guard_path,
			.help = "that for the guard beside the store inside"},
		{.flag = "purchases-json",
			.kind = CONFIG_TEXT,
			.value = &bench.purchases_path,
			.help = "and that for purchases"},
	};
	static const struct config_program program = {.name = "seats_bench",
		.summary = "Holds and purchases per second of each technique, beside pgbench.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	setenv("ONSALE_SOURCE", SEATS_SOURCE, 0);
	enum status holds = seat_holds_bench(&bench);
	enum status purchases = seat_purchases_bench(&bench);
	return holds == STATUS_OK && purchases == STATUS_OK ? 0 : 1;
}
