/* Rendering, read back by a parser that is not ours: prometheus_client's for OpenMetrics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/metrics/metrics.h"

enum { PARSED_SIZE_MAX = 1 << 16 };

static struct metrics *metrics;
static struct buffer buffer;

static int open_registry(void **state)
{
	(void)state;
	metrics = metrics_new();
	buffer_init(&buffer, METRICS_RENDERED_SIZE_MAX);
	return metrics ? 0 : -1;
}

static int close_registry(void **state)
{
	(void)state;
	metrics_free(metrics);
	buffer_release(&buffer);
	return 0;
}

/* Hand `text` to the parser, and return its exit code and what it printed. The interpreter is the
 * system's, since it has the package; another that comes first in PATH has not. */
static int parse(struct slice text, char printed[PARSED_SIZE_MAX])
{
	char path[] = "/tmp/onsale-metrics-XXXXXX", command[256];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(text.size, write(fd, text.data, text.size));
	close(fd);

	(void)snprintf(command, sizeof command,
		"/usr/bin/python3 lib/metrics/openmetrics_parse.py <%s 2>&1", path);
	/* NOLINTNEXTLINE(cert-env33-c): nothing in the command is from outside. */
	FILE *parser = popen(command, "r");
	assert_non_null(parser);
	size_t size = fread(printed, 1, PARSED_SIZE_MAX - 1, parser);
	printed[size] = '\0';
	int ended = pclose(parser);
	unlink(path);
	return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

static void assert_parsed_as(const char *expected)
{
	static char printed[PARSED_SIZE_MAX];
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	metrics_render(metrics, &buffer);
	assert_false(buffer.failed);
	int code = parse(buffer_slice(&buffer), printed);
	if (code != 0)
		fail_msg("the parser ended with %d: %s\n%.*s", code, printed,
			SLICE_PRINT(buffer_slice(&buffer)));
	assert_string_equal(expected, printed);
}

static void an_empty_registry_is_valid(void **state)
{
	(void)state;
	assert_parsed_as("");
	assert_true(slice_is(buffer_slice(&buffer), "# EOF\n"));
}

static void one_family_has_one_head(void **state)
{
	(void)state;
	struct metrics_label granted = {"outcome", "granted"}, taken = {"outcome", "taken"};
	struct metrics_description holds = {
		.name = "holds", .help = "Holds asked for.", .labels = &granted, .label_count = 1};
	struct metrics_counter *first = metrics_add_counter(metrics, &holds);
	struct metrics_description level = {
		.name = "level_bytes", .help = "Between.", .unit = "bytes"};
	struct metrics_gauge *gauge = metrics_add_gauge(metrics, &level);
	holds.labels = &taken;
	struct metrics_counter *second = metrics_add_counter(metrics, &holds);

	metrics_counter_add(first, UINT64_C(1) << 60);
	metrics_counter_add(second, 7);
	metrics_gauge_set(gauge, -12);
	metrics_gauge_add(gauge, -30);
	assert_parsed_as("[\"holds\", \"counter\", \"\", \"Holds asked for.\"]\n"
			 "[\"holds_total\", {\"outcome\": \"granted\"}, 1152921504606846976]\n"
			 "[\"holds_total\", {\"outcome\": \"taken\"}, 7]\n"
			 "[\"level_bytes\", \"gauge\", \"bytes\", \"Between.\"]\n"
			 "[\"level_bytes\", {}, -42]\n");
}

static double read_number(void *context)
{
	return *(const double *)context;
}

static void callbacks_are_asked(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double value;
	} gauges[] = {{"a", 0.1}, {"b", -2.5e300}, {"c", INFINITY}, {"d", -INFINITY}, {"e", NAN},
		{"f", 3}};
	for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
		metrics_add_gauge_callback(metrics,
			&(struct metrics_description){.name = gauges[i].name, .help = "Asked."},
			read_number, (void *)(uintptr_t)&gauges[i].value);
	assert_parsed_as("[\"a\", \"gauge\", \"\", \"Asked.\"]\n[\"a\", {}, 0.1]\n"
			 "[\"b\", \"gauge\", \"\", \"Asked.\"]\n[\"b\", {}, -2.5e+300]\n"
			 "[\"c\", \"gauge\", \"\", \"Asked.\"]\n[\"c\", {}, Infinity]\n"
			 "[\"d\", \"gauge\", \"\", \"Asked.\"]\n[\"d\", {}, -Infinity]\n"
			 "[\"e\", \"gauge\", \"\", \"Asked.\"]\n[\"e\", {}, NaN]\n"
			 "[\"f\", \"gauge\", \"\", \"Asked.\"]\n[\"f\", {}, 3]\n");
}

/* A bound belongs to its own bucket ("le" is less or equal). */
static void histograms_are_cumulated(void **state)
{
	(void)state;
	static const int64_t bounds[] = {100000, 1000000, 2500000000};
	static const struct metrics_buckets buckets = {.bounds = bounds, .count = 3, .decimals = 9};
	struct metrics_label label = {"lane", "join"};
	struct metrics_description description = {.name = "service_seconds",
		.help = "How long.",
		.unit = "seconds",
		.labels = &label,
		.label_count = 1};
	struct metrics_histogram *histogram =
		metrics_add_histogram(metrics, &description, &buckets);
	const int64_t values[] = {0, 100000, 100001, 1000000, 2500000001, 60000000000};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		metrics_histogram_record(histogram, values[i]);
	assert_parsed_as(
		"[\"service_seconds\", \"histogram\", \"seconds\", \"How long.\"]\n"
		"[\"service_seconds_bucket\", {\"lane\": \"join\", \"le\": \"0.0001\"}, 2]\n"
		"[\"service_seconds_bucket\", {\"lane\": \"join\", \"le\": \"0.001\"}, 4]\n"
		"[\"service_seconds_bucket\", {\"lane\": \"join\", \"le\": \"2.5\"}, 4]\n"
		"[\"service_seconds_bucket\", {\"lane\": \"join\", \"le\": \"+Inf\"}, 6]\n"
		"[\"service_seconds_count\", {\"lane\": \"join\"}, 6]\n"
		"[\"service_seconds_sum\", {\"lane\": \"join\"}, 62.501200002]\n");
}

static void ready_made_buckets_span_what_they_say(void **state)
{
	(void)state;
	metrics_add_histogram(metrics,
		&(struct metrics_description){.name = "latency", .help = "x"},
		&metrics_latency_buckets);
	metrics_add_histogram(metrics, &(struct metrics_description){.name = "batch", .help = "x"},
		&metrics_batch_buckets);
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	metrics_render(metrics, &buffer);
	buffer_add(&buffer, "", 1);
	const char *lines[] = {"latency_bucket{le=\"0.0001\"} 0\n",
		"latency_bucket{le=\"0.5\"} 0\n", "latency_bucket{le=\"1.0\"} 0\n",
		"latency_bucket{le=\"60.0\"} 0\n", "batch_bucket{le=\"1.0\"} 0\n",
		"batch_bucket{le=\"4096.0\"} 0\n", "batch_sum 0.0\n"};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_non_null(strstr(buffer.data, lines[i]));
}

/* What would end the value, forge a line or break the encoding comes back as the text it was. */
static void label_values_cannot_break_out(void **state)
{
	(void)state;
	static const char *const values[] = {"", "quote \" and } # EOF", "back\\slash\\n",
		"\n# EOF\n", "tab\tescape\x1B[2J\r", "\xFF\xFE", "\xC3\xA9\xF0\x9F\x8E\xAB",
		"a=\"b\",c=\"d\"", " # {x=\"y\"} 1"};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct metrics_label label = {"text", values[i]};
		metrics_add_counter(metrics,
			&(struct metrics_description){.name = "hostile",
				.help = "Line\nbreak, \"quote\", back\\slash\x07.",
				.labels = &label,
				.label_count = 1});
	}
	assert_parsed_as(
		"[\"hostile\", \"counter\", \"\", "
		"\"Line\\nbreak, \\\"quote\\\", back\\\\slash\\ufffd.\"]\n"
		"[\"hostile_total\", {\"text\": \"\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"quote \\\" and } # EOF\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"back\\\\slash\\\\n\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"\\n# EOF\\n\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"tab\\ufffdescape\\ufffd[2J\\ufffd\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"\\ufffd\\ufffd\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"\\u00e9\\ud83c\\udfab\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \"a=\\\"b\\\",c=\\\"d\\\"\"}, 0]\n"
		"[\"hostile_total\", {\"text\": \" # {x=\\\"y\\\"} 1\"}, 0]\n");
}

/* At a character's edge: 127 bytes leave no room for the two of é. */
static void long_label_values_are_cut(void **state)
{
	(void)state;
	char value[METRICS_LABEL_VALUE_SIZE_MAX + 64];
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	value[METRICS_LABEL_VALUE_SIZE_MAX - 1] = '\xC3';
	value[METRICS_LABEL_VALUE_SIZE_MAX] = '\xA9';
	struct metrics_label label = {"text", value};
	metrics_add_counter(metrics,
		&(struct metrics_description){
			.name = "cut", .help = "x", .labels = &label, .label_count = 1});
	char expected[512];
	(void)snprintf(expected, sizeof expected,
		"[\"cut\", \"counter\", \"\", \"x\"]\n[\"cut_total\", {\"text\": \"%.*s\"}, 0]\n",
		METRICS_LABEL_VALUE_SIZE_MAX - 1, value);
	assert_parsed_as(expected);
}

/* Else all of the above would prove nothing. */
static void the_parser_can_refuse(void **state)
{
	(void)state;
	static char printed[PARSED_SIZE_MAX];
	assert_int_not_equal(0, parse(slice_of("# TYPE a counter\na_total 1\n"), printed));
	assert_non_null(strstr(printed, "Missing # EOF"));
	assert_int_not_equal(0, parse(slice_of("# TYPE a counter\na 1 x\n# EOF\n"), printed));
}

static void a_full_buffer_says_so(void **state)
{
	(void)state;
	metrics_add_counter(metrics, &(struct metrics_description){.name = "a", .help = "x"});
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	buffer.size_max = 20;
	metrics_render(metrics, &buffer);
	assert_true(buffer.failed);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_registry, close_registry)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_registry_is_valid),
		TEST(one_family_has_one_head),
		TEST(callbacks_are_asked),
		TEST(histograms_are_cumulated),
		TEST(ready_made_buckets_span_what_they_say),
		TEST(label_values_cannot_break_out),
		TEST(long_label_values_are_cut),
		TEST(the_parser_can_refuse),
		TEST(a_full_buffer_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
