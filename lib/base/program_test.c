/* Exit codes of faulty and helpful starts, and signals that wait until they are asked for. */
#include "lib/base/program.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t port;

static const struct config_setting table[] = {
	{.flag = "port",
		.kind = CONFIG_INTEGER,
		.value = &port,
		.fallback = "1",
		.max = 9,
		.help = "a port"},
};

static const struct config_program program = {.name = "tested",
	.summary = "Is tested.",
	.version = "1",
	.settings = table,
	.setting_count = 1};

/* What is printed on this descriptor during a start with one argument, and the start's code. */
static int start(const char *argument, int fd, char *text, size_t size)
{
	char name[] = "tested", copy[32], path[] = "/tmp/onsale-program-XXXXXX";
	char *argv[] = {name, copy, NULL};
	snprintf(copy, sizeof copy, "%s", argument);
	int file = mkstemp(path), saved = dup(fd);
	assert_true(file >= 0 && saved >= 0);
	fflush(NULL);
	dup2(file, fd);
	int code = program_configure(&program, 2, argv, NULL);
	fflush(NULL);
	dup2(saved, fd);
	ssize_t got = pread(file, text, size - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	close(saved);
	close(file);
	unlink(path);
	return code;
}

static void test_codes(void **state)
{
	(void)state;
	char text[2048];
	assert_int_equal(PROGRAM_READY, start("--port=7", STDERR_FILENO, text, sizeof text));
	assert_int_equal(7, port);
	assert_string_equal("", text);
	assert_int_equal(0, start("--help", STDOUT_FILENO, text, sizeof text));
	assert_non_null(strstr(text, "--port"));
	assert_int_equal(2, start("--port=10", STDERR_FILENO, text, sizeof text));
	assert_memory_equal("tested: --port: ", text, strlen("tested: --port: "));
}

static void test_signals_wait(void **state)
{
	(void)state;
	static const int signals[] = {SIGINT, SIGTERM};
	program_hold_signals();
	raise(SIGPIPE);
	for (size_t i = 0; i < 2; i++) {
		assert_false(program_is_signaled());
		raise(signals[i]);
		assert_true(program_is_signaled());
		assert_int_equal(signals[i], program_wait_signal());
	}
	assert_false(program_is_signaled());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_signals_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
