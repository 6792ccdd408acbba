/* The server of a test: it is durable, it comes back, it can be emptied, and it does not outlive
 * its test. Asked by redis-cli, since a library of ours would have to be proven first. */
#include "lib/testkit/redis_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/testkit/process.h"

enum { PATH_SIZE = 4096, PATIENCE_S = 60 };

static struct redis_fixture fixture;

static int release(void **state)
{
	(void)state;
	redis_fixture_stop(&fixture);
	return 0;
}

/* Run one command and compare its answer. */
static void assert_answer(
	const char *expected, const char *name, const char *key, const char *value)
{
	struct process cli;
	const char *arguments[] = {
		"redis-cli", "--no-auth-warning", "-u", fixture.url, name, key, value, NULL};
	struct process_options options = {.arguments = arguments};
	assert_int_equal(STATUS_OK, process_start(&cli, &options));
	assert_int_equal(STATUS_OK, process_wait(&cli, PATIENCE_S * 1000));
	char *output = process_output(&cli);
	output[strcspn(output, "\n")] = '\0';
	assert_string_equal(expected, output);
	free(output);
	process_release(&cli);
}

/* Where the instance keeps its things. */
static bool folder_exists(const char *instance)
{
	char path[PATH_SIZE];
	const char *source = getenv("ONSALE_SOURCE");
	(void)snprintf(path, sizeof path, "%s/.run/%s", source != NULL ? source : ".", instance);
	return access(path, F_OK) == 0;
}

static void server_keeps_what_it_has_acknowledged(void **state)
{
	(void)state;
	char url[sizeof fixture.url], instance[sizeof fixture.instance];
	assert_int_equal(STATUS_OK, redis_fixture_start(&fixture, "redis-keeps"));
	(void)snprintf(url, sizeof url, "%s", fixture.url);
	(void)snprintf(instance, sizeof instance, "%s", fixture.instance);
	assert_true(folder_exists(instance));
	assert_answer("OK", "SET", "kept", "7");
	assert_int_equal(STATUS_OK, redis_fixture_kill(&fixture));
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture));
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture));
	assert_answer("7", "GET", "kept", NULL);
	assert_int_equal(STATUS_OK, redis_fixture_restart(&fixture));
	assert_answer("7", "GET", "kept", NULL);
	assert_int_equal(STATUS_OK, redis_fixture_halt(&fixture));
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture));
	assert_answer("7", "GET", "kept", NULL);
	assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture));
	assert_string_equal(url, fixture.url);
	assert_answer("", "GET", "kept", NULL);
	redis_fixture_stop(&fixture);
	assert_false(folder_exists(instance));
	redis_fixture_stop(&fixture);
}

static void server_does_not_outlive_its_test(void **state)
{
	(void)state;
	char instance[sizeof fixture.instance];
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (redis_fixture_start(&fixture, "redis-orphan") != STATUS_OK)
			_exit(1);
		(void)raise(SIGKILL);
	}
	(void)snprintf(instance, sizeof instance, "test-redis-orphan-%ld", (long)child);
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFSIGNALED(status));
	for (int second = 0; second < PATIENCE_S && folder_exists(instance); second++)
		(void)sleep(1);
	assert_false(folder_exists(instance));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(server_keeps_what_it_has_acknowledged, release),
		cmocka_unit_test_teardown(server_does_not_outlive_its_test, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
