/* See http_load.h. */
#include "bench/http_load.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "lib/testkit/process.h"

enum {
	END_MS_MAX = 60000,
	LOAD_MS_MAX = 3600000,
	FLAG_SIZE = 160,
	FLAGS_MAX = 16,
	LINE_SIZE = 512
};

static double number_in(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	if (!json_is_number(value))
		bench_fail("the load does not tell its %s", name);
	return json_number_value(value);
}

static void read_result(const char *line, struct http_load_outcome *outcome)
{
	json_t *json = json_loads(strchr(line, '{'), 0, NULL);
	*outcome = (struct http_load_outcome){.good = number_in(json, "good"),
		.refused = number_in(json, "refused"),
		.failed = number_in(json, "failed"),
		.dropped = number_in(json, "dropped"),
		.seconds = number_in(json, "seconds"),
		.p50_ms = number_in(json, "p50") / 1e6,
		.p99_ms = number_in(json, "p99") / 1e6,
		.largest = (int64_t)number_in(json, "largest"),
		.distinct = (int64_t)number_in(json, "distinct"),
		.disorder = (int64_t)number_in(json, "disorder")};
	json_decref(json);
}

struct flags {
	char texts[FLAGS_MAX][FLAG_SIZE];
	const char *arguments[FLAGS_MAX + 2];
	size_t count;
};

static void add_text(struct flags *flags, const char *name, const char *value)
{
	if (!value)
		return;
	if (flags->count == FLAGS_MAX ||
		snprintf(flags->texts[flags->count], FLAG_SIZE, "--%s%s%s", name, *value ? "=" : "",
			value) >= FLAG_SIZE)
		bench_fail("too long a flag: %s", name);
	flags->arguments[1 + flags->count] = flags->texts[flags->count];
	flags->count++;
}

static void add_number(struct flags *flags, const char *name, int64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%lld", (long long)value);
	if (value != 0)
		add_text(flags, name, text);
}

static void add_all(struct flags *flags, const struct http_load *load)
{
	add_number(flags, "port", load->port);
	add_text(flags, "join", load->join);
	add_text(flags, "ask", load->ask);
	add_text(flags, "again", load->again ? "" : NULL);
	add_text(flags, "places", load->places ? "" : NULL);
	add_number(flags, "good", load->good);
	add_number(flags, "connections", load->connections);
	add_number(flags, "depth", load->depth);
	add_number(flags, "count", load->count);
	add_number(flags, "seconds", load->seconds);
	add_number(flags, "rate", load->rate);
	add_number(flags, "seed", load->seed);
	if (load->warm_ms) {
		char text[32];
		snprintf(text, sizeof text, "%lldms", (long long)load->warm_ms);
		add_text(flags, "warm-up", text);
	}
	add_text(flags, "keep", load->keep);
	add_text(flags, "member", load->member);
	add_number(flags, "mark", load->mark);
}

void http_load_run(const struct http_load *load, struct http_load_outcome *outcome)
{
	struct flags flags = {.arguments = {(ONSALE_BENCH "/http_load")}};
	struct process process = {0};
	char line[LINE_SIZE];
	struct process_options options = {.arguments = flags.arguments};
	add_all(&flags, load);
	if (process_start(&process, &options) != STATUS_OK)
		bench_fail("the load cannot be started");
	if (load->mark) {
		if (process_wait_line(&process, "reached ", LOAD_MS_MAX, NULL, 0) != STATUS_OK)
			bench_fail("the load did not get to %lld", (long long)load->mark);
		load->on_mark(load->context);
	}
	if (process_wait_line(&process, "result ", LOAD_MS_MAX, line, sizeof line) != STATUS_OK ||
		process_wait(&process, END_MS_MAX) != STATUS_OK)
		bench_fail("the load has failed");
	process_release(&process);
	read_result(line, outcome);
}

void http_load_judge_joins(const char *who, const struct http_load_outcome *outcome)
{
	int64_t good = (int64_t)outcome->good;
	if (outcome->disorder > 0 || outcome->distinct != good || outcome->largest != good)
		bench_fail("%s: %lld joins got %lld places up to %lld, %lld of them out of order",
			who, (long long)good, (long long)outcome->distinct,
			(long long)outcome->largest, (long long)outcome->disorder);
}
