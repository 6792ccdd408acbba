/* The log: both forms, hostile text, lines that do not fit, and several threads at once. JSON is
 * judged by another program's parser. */
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define WALL_MS INT64_C(1795372980123)
#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.name = NULL}})

static char line[5000];

static const char *render(enum log_form form, const struct log_field fields[])
{
	size_t size = log_render(line, sizeof line - 1, form, LOG_INFO, WALL_MS, "e", fields);
	line[size] = '\0';
	return line;
}

static void assert_plain(const char *value, size_t size, const char *expected)
{
	char whole[300];
	snprintf(whole, sizeof whole, "2026-11-22T18:43:00.123Z INFO    e x=%s\n", expected);
	struct slice text = {.data = value, .size = size};
	assert_string_equal(render(LOG_PLAIN, FIELDS(LOG_SLICE("x", text))), whole);
}

static void json_form(void **state)
{
	(void)state;
	assert_string_equal(render(LOG_JSON,
				    FIELDS(LOG_TEXT("address", "::1"), LOG_INTEGER("port", 8080),
					    LOG_REAL("load", 0.5), LOG_TEXT("none", NULL))),
		"{\"time\":\"2026-11-22T18:43:00.123Z\",\"level\":\"info\",\"event\":\"e\","
		"\"address\":\"::1\",\"port\":8080,\"load\":0.5,\"none\":\"\"}\n");
	assert_string_equal(render(LOG_JSON, (const struct log_field[]){{.name = NULL}}),
		"{\"time\":\"2026-11-22T18:43:00.123Z\",\"level\":\"info\",\"event\":\"e\"}\n");
}

static void plain_form(void **state)
{
	(void)state;
	assert_string_equal(render(LOG_PLAIN,
				    FIELDS(LOG_TEXT("address", "::1"), LOG_INTEGER("port", -1),
					    LOG_REAL("load", 0.5), LOG_TEXT("none", NULL))),
		"2026-11-22T18:43:00.123Z INFO    e address=::1 port=-1 load=0.5 none=\"\"\n");
}

static void levels_have_names(void **state)
{
	(void)state;
	static const char *const names[] = {"debug", "info", "warning", "error"};
	static const char *const columns[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
	for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
		char expected[40];
		size_t size = log_render(line, sizeof line - 1, LOG_JSON, (enum log_level)level,
			WALL_MS, "e", FIELDS(LOG_INTEGER("n", 1)));
		line[size] = '\0';
		snprintf(expected, sizeof expected, "\"level\":\"%s\"", names[level]);
		assert_non_null(strstr(line, expected));
		size = log_render(line, sizeof line - 1, LOG_PLAIN, (enum log_level)level, WALL_MS,
			"e", FIELDS(LOG_INTEGER("n", 1)));
		line[size] = '\0';
		snprintf(expected, sizeof expected, "Z %-7s e n=1\n", columns[level]);
		assert_non_null(strstr(line, expected));
	}
}

static void plain_text_cannot_forge(void **state)
{
	(void)state;
	assert_plain("a-b:c/d?e&f%20", 14, "a-b:c/d?e&f%20");
	assert_plain("a b", 3, "\"a b\"");
	assert_plain("a\"b", 3, "\"a\\\"b\"");
	assert_plain("a=b", 3, "\"a=b\"");
	assert_plain("a\\b", 3, "\"a\\\\b\"");
	assert_plain("x\n2026 ERROR forged", 19, "\"x\\n2026 ERROR forged\"");
	assert_plain("\r", 1, "\"\\r\"");
	assert_plain("\t", 1, "\"\\t\"");
	assert_plain("a\0b", 3, "\"a\\u0000b\"");
	assert_plain("\x1b[31m", 5, "\"\\u001b[31m\"");
	assert_plain("\x7f", 1, "\"\\u007f\"");
	assert_plain("\xc2\x85", 2, "\"\\u0085\"");
	assert_plain("\xc2\x9b", 2, "\"\\u009b\"");
	assert_plain("\xe2\x80\xa8", 3, "\"\\u2028\"");
	assert_plain("\xe2\x80\xae", 3, "\"\\u202e\"");
	assert_plain("\x9b", 1, "\"\xef\xbf\xbd\"");
	assert_plain("K\xc3\xb6ln", 5, "\"K\xc3\xb6ln\"");
	assert_plain("", 0, "\"\"");
	/* Names and events come from the program, but a mistake there must not forge either. */
	size_t size = log_render(line, sizeof line - 1, LOG_PLAIN, LOG_INFO, WALL_MS, "a\nb",
		FIELDS(LOG_INTEGER("c d", 1)));
	line[size] = '\0';
	assert_string_equal(line, "2026-11-22T18:43:00.123Z INFO    \"a\\nb\" \"c d\"=1\n");
}

static void any_bytes_make_one_line_of_json(void **state)
{
	(void)state;
	uint32_t seed = 99;
	for (int round = 0; round < 20000; round++) {
		char bytes[32];
		for (size_t index = 0; index < sizeof bytes; index++) {
			seed = seed * 1664525u + 1013904223u;
			bytes[index] = (char)(seed >> 24);
		}
		struct slice text = {.data = bytes, .size = seed >> 8 & 31};
		const struct log_field fields[] = {
			LOG_SLICE("x", text), LOG_INTEGER("after", 1), {.name = NULL}};
		for (int form = LOG_JSON; form <= LOG_PLAIN; form++) {
			size_t size = log_render(line, sizeof line, (enum log_form)form, LOG_INFO,
				WALL_MS, "e", fields);
			assert_ptr_equal(memchr(line, '\n', size), line + size - 1);
			for (size_t index = 0; index + 1 < size; index++)
				assert_true((unsigned char)line[index] >= ' ');
			if (form == LOG_PLAIN)
				continue;
			json_t *object = json_loadb(line, size, JSON_ALLOW_NUL, NULL);
			assert_non_null(object);
			assert_int_equal(json_object_size(object), 5);
			assert_int_equal(json_integer_value(json_object_get(object, "after")), 1);
			json_decref(object);
		}
	}
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *json;
		const char *plain;
	} cases[] = {
		{0, "0", "0"},
		{-0.5, "-0.5", "-0.5"},
		{0.1, "0.1", "0.1"},
		{0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"},
		{1e300, "1e+300", "1e+300"},
		{5e-324, "4.94065645841247e-324", "4.94065645841247e-324"},
		{NAN, "null", "nan"},
		{INFINITY, "null", "inf"},
		{-INFINITY, "null", "-inf"},
	};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		char expected[60];
		snprintf(expected, sizeof expected, "\"x\":%s}\n", cases[index].json);
		assert_non_null(strstr(
			render(LOG_JSON, FIELDS(LOG_REAL("x", cases[index].value))), expected));
		snprintf(expected, sizeof expected, " x=%s\n", cases[index].plain);
		assert_non_null(strstr(
			render(LOG_PLAIN, FIELDS(LOG_REAL("x", cases[index].value))), expected));
	}
	assert_non_null(strstr(
		render(LOG_JSON, FIELDS(LOG_INTEGER("x", INT64_MIN))), ":-9223372036854775808}"));
	assert_non_null(strstr(
		render(LOG_JSON, FIELDS(LOG_INTEGER("x", INT64_MAX))), ":9223372036854775807}"));
}

/* A made-up locale would do as well, but the C library has no way to make one here. */
static void the_locale_does_not_matter(void **state)
{
	(void)state;
	if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
		skip();
	render(LOG_JSON, FIELDS(LOG_REAL("x", 1.5)));
	setlocale(LC_NUMERIC, "C");
	assert_non_null(strstr(line, "\"x\":1.5}"));
}

static void every_size_gives_a_whole_line_or_none(void **state)
{
	(void)state;
	const struct log_field fields[] = {LOG_TEXT("first", "1"), LOG_TEXT("long", "0123456789\n"),
		LOG_REAL("real", 0.25), LOG_INTEGER("last", 7), {.name = NULL}};
	for (int form = LOG_JSON; form <= LOG_PLAIN; form++) {
		size_t last = 0;
		for (size_t size = 0; size < 200; size++) {
			memset(line, 0x55, sizeof line);
			size_t got = log_render(
				line, size, (enum log_form)form, LOG_INFO, WALL_MS, "e", fields);
			assert_true(got <= size);
			assert_int_equal(line[size], 0x55);
			/* What is enough for one size is enough for all larger ones. */
			assert_true(last == 0 || got > 0);
			last = got;
			if (got == 0)
				continue;
			assert_int_equal(line[got - 1], '\n');
			if (form == LOG_PLAIN)
				continue;
			json_t *object = json_loadb(line, got, 0, NULL);
			assert_non_null(object);
			json_decref(object);
		}
		assert_int_equal(last, strlen(render((enum log_form)form, fields)));
	}
}

static void a_field_that_is_too_long_spares_its_neighbours(void **state)
{
	(void)state;
	static char path[10000];
	memset(path, '/', sizeof path);
	struct slice text = {.data = path, .size = sizeof path};
	assert_string_equal(render(LOG_PLAIN,
				    FIELDS(LOG_INTEGER("a", 1), LOG_SLICE("path", text),
					    LOG_INTEGER("status", 200))),
		"2026-11-22T18:43:00.123Z INFO    e a=1 status=200\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	log_redirect(ends[1]);
	log_configure(LOG_PLAIN, LOG_WARNING);
	log_info("no");
	log_debug("no", LOG_INTEGER("n", 1));
	assert_int_equal(read(ends[0], line, sizeof line), -1);
	errno = EBADF;
	log_warning("yes");
	assert_int_equal(errno, EBADF);
	ssize_t size = read(ends[0], line, sizeof line - 1);
	assert_true(size > 0);
	line[size] = '\0';
	assert_string_equal(strchr(line, ' '), " WARNING yes\n");

	/* Nobody reads: the line is lost, and errno and the caller go on. */
	while (write(ends[1], line, sizeof line) > 0)
		;
	errno = 0;
	log_error("lost");
	assert_int_equal(errno, 0);
	log_redirect(-1);
	log_error("lost");
	assert_int_equal(errno, 0);
	close(ends[0]);
	close(ends[1]);
}

enum {
	THREAD_COUNT = 4,
	LINES_PER_THREAD = 500,
};

static void *write_lines(void *number)
{
	for (int index = 0; index < LINES_PER_THREAD; index++) {
		char text[3500];
		size_t size = (size_t)(index * 7 % 3000);
		memset(text, 'a' + *(int *)number, size);
		struct slice slice = {.data = text, .size = size};
		log_info("thread.line", LOG_INTEGER("thread", *(int *)number),
			LOG_INTEGER("index", index), LOG_SLICE("text", slice));
	}
	return NULL;
}

/* A socket that keeps the bounds of writes shows that each line is one write, and whole. */
static void threads_write_whole_lines(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	log_redirect(ends[1]);
	log_configure(LOG_JSON, LOG_INFO);
	pthread_t threads[THREAD_COUNT];
	int numbers_of_threads[THREAD_COUNT], next[THREAD_COUNT] = {0};
	for (int index = 0; index < THREAD_COUNT; index++) {
		numbers_of_threads[index] = index;
		assert_int_equal(pthread_create(&threads[index], NULL, write_lines,
					 &numbers_of_threads[index]),
			0);
	}
	for (int count = 0; count < THREAD_COUNT * LINES_PER_THREAD; count++) {
		ssize_t size = read(ends[0], line, sizeof line);
		assert_true(size > 0);
		json_t *object = json_loadb(line, (size_t)size, 0, NULL);
		assert_non_null(object);
		json_int_t thread = json_integer_value(json_object_get(object, "thread"));
		json_int_t index = json_integer_value(json_object_get(object, "index"));
		assert_in_range(thread, 0, THREAD_COUNT - 1);
		assert_int_equal(index, next[thread]++);
		assert_int_equal(
			json_string_length(json_object_get(object, "text")), index * 7 % 3000);
		json_decref(object);
	}
	for (int index = 0; index < THREAD_COUNT; index++)
		assert_int_equal(pthread_join(threads[index], NULL), 0);
	log_redirect(STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_form),
		cmocka_unit_test(plain_form),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(plain_text_cannot_forge),
		cmocka_unit_test(any_bytes_make_one_line_of_json),
		cmocka_unit_test(numbers),
		cmocka_unit_test(the_locale_does_not_matter),
		cmocka_unit_test(every_size_gives_a_whole_line_or_none),
		cmocka_unit_test(a_field_that_is_too_long_spares_its_neighbours),
		cmocka_unit_test(lines_below_the_level_are_not_written),
		cmocka_unit_test(threads_write_whole_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
