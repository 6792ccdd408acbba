#include "lib/testkit/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

static struct process process;

static int end_process(void **state)
{
	(void)state;
	process_release(&process);
	return 0;
}

static void start_shell(const char *script, const char *const *environment)
{
	const char *const arguments[] = {"sh", "-c", script, NULL};
	struct process_options options = {.arguments = arguments, .environment = environment};
	assert_int_equal(STATUS_OK, process_start(&process, &options));
}

static void a_line_is_waited_for(void **state)
{
	(void)state;
	char line[64];
	start_shell("echo starting; sleep 0.05; printf 'ready http://127'; sleep 0.05;"
		    "echo .0.0.1:80; sleep 60",
		NULL);
	assert_int_equal(STATUS_OK,
		process_wait_line(&process, "ready http://", PATIENCE_MS, line, sizeof line));
	assert_string_equal("ready http://127.0.0.1:80", line);
	assert_true(process_running(&process));
	/* A line is cut to the room that there is. */
	assert_int_equal(STATUS_OK, process_wait_line(&process, "ready", PATIENCE_MS, line, 6));
	assert_string_equal("ready", line);
	/* Only the beginning of a line counts. */
	assert_int_equal(
		STATUS_UNAVAILABLE, process_wait_line(&process, "http://", 20, line, sizeof line));
}

static void waiting_ends_with_the_program(void **state)
{
	(void)state;
	start_shell("echo failed; exit 3", NULL);
	assert_int_equal(
		STATUS_UNAVAILABLE, process_wait_line(&process, "ready", PATIENCE_MS, NULL, 0));
	assert_int_equal(3, process.exit_code);
	char *output = process_output(&process);
	assert_string_equal("failed\n", output);
	free(output);
}

static void what_was_printed_last_is_seen(void **state)
{
	(void)state;
	start_shell("echo ready", NULL);
	assert_int_equal(STATUS_OK, process_wait_line(&process, "ready", PATIENCE_MS, NULL, 0));
}

static void environment_is_changed(void **state)
{
	(void)state;
	setenv("ONSALE_TEST_KEPT", "kept", 1);
	setenv("ONSALE_TEST_REPLACED", "old", 1);
	setenv("ONSALE_TEST_REMOVED", "here", 1);
	const char *const changes[] = {
		"ONSALE_TEST_REPLACED=new", "ONSALE_TEST_REMOVED", "ONSALE_TEST_ADDED=a=b", NULL};
	start_shell("echo $ONSALE_TEST_KEPT,$ONSALE_TEST_REPLACED,${ONSALE_TEST_REMOVED-gone},"
		    "$ONSALE_TEST_ADDED",
		changes);
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	char *output = process_output(&process);
	assert_string_equal("kept,new,gone,a=b\n", output);
	free(output);
}

static void ends_by_signal_are_told(void **state)
{
	(void)state;
	start_shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", NULL);
	assert_int_equal(STATUS_OK, process_wait_line(&process, "ready", PATIENCE_MS, NULL, 0));
	assert_int_equal(STATUS_UNAVAILABLE, process_wait(&process, 10));
	process_signal(&process, SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	assert_int_equal(7, process.exit_code);
	process_release(&process);

	start_shell("trap '' TERM; echo ready; sleep 60", NULL);
	process_kill(&process);
	assert_int_equal(128 + SIGKILL, process.exit_code);
	assert_false(process_running(&process));
	process_signal(&process, SIGTERM);
}

/* Whether no process of this number is left; it is waited for, since killing takes a moment. */
static bool is_gone(pid_t pid)
{
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		char path[64];
		char text[256] = "";
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		FILE *file = fopen(path, "r");
		if (!file)
			return true;
		size_t size = fread(text, 1, sizeof text - 1, file);
		fclose(file);
		/* Nobody may be there to wait for an orphan; a zombie is dead enough. */
		if (size == 0 || strstr(text, ") Z "))
			return true;
		usleep(5000);
	}
	return false;
}

static void killing_takes_its_children_along(void **state)
{
	(void)state;
	char line[64];
	start_shell("sleep 60 & echo child $!; wait", NULL);
	assert_int_equal(
		STATUS_OK, process_wait_line(&process, "child ", PATIENCE_MS, line, sizeof line));
	pid_t child = (pid_t)strtol(line + 6, NULL, 10);
	assert_int_equal(0, kill(child, 0));
	process_kill(&process);
	assert_true(is_gone(child));
}

static void it_dies_with_its_starter(void **state)
{
	(void)state;
	int numbers[2];
	assert_int_equal(0, pipe(numbers));
	pid_t starter = fork();
	if (starter == 0) {
		struct process orphan;
		const char *const arguments[] = {"sleep", "60", NULL};
		struct process_options options = {.arguments = arguments};
		if (process_start(&orphan, &options) != STATUS_OK)
			_exit(1);
		ssize_t written = write(numbers[1], &orphan.pid, sizeof orphan.pid);
		pause();
		_exit(written < 0);
	}
	pid_t orphan = 0;
	assert_int_equal(sizeof orphan, read(numbers[0], &orphan, sizeof orphan));
	assert_int_equal(0, kill(orphan, 0));
	kill(starter, SIGKILL);
	waitpid(starter, NULL, 0);
	assert_true(is_gone(orphan));
	close(numbers[0]);
	close(numbers[1]);
}

static void a_file_is_continued_but_read_from_the_new_start(void **state)
{
	(void)state;
	char path[] = "/tmp/onsale-process-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	const char *const arguments[] = {"sh", "-c", "echo ready $$; echo fault >&2", NULL};
	struct process_options options = {
		.arguments = arguments, .output_path = path, .error_path = path};
	for (int round = 0; round < 2; round++) {
		char line[64];
		char expected[64];
		assert_int_equal(STATUS_OK, process_start(&process, &options));
		snprintf(expected, sizeof expected, "ready %d", (int)process.pid);
		assert_int_equal(STATUS_OK,
			process_wait_line(&process, "ready", PATIENCE_MS, line, sizeof line));
		assert_string_equal(expected, line);
		assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
		process_release(&process);
	}
	char text[256] = "";
	ssize_t size = read(fd, text, sizeof text - 1);
	assert_true(size > 0);
	char *first = strstr(text, "fault\n");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, "fault\n"));
	close(fd);
	unlink(path);
}

static void what_cannot_be_started_is_told(void **state)
{
	(void)state;
	const char *const arguments[] = {"/nowhere/at-all", NULL};
	struct process_options options = {.arguments = arguments};
	assert_int_equal(STATUS_OK, process_start(&process, &options));
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	assert_int_equal(127, process.exit_code);
	process_release(&process);
	options.output_path = "/nowhere/output";
	assert_int_equal(STATUS_UNAVAILABLE, process_start(&process, &options));
	assert_false(process_running(&process));
}

static void ports_are_free_and_differ(void **state)
{
	(void)state;
	enum { PORTS = 8 };
	uint16_t ports[PORTS];
	for (int i = 0; i < PORTS; i++) {
		ports[i] = process_free_port();
		/* Neither a service of ours nor a client of anybody's is given it. */
		assert_in_range(ports[i], 1024, 19999);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(ports[i], ports[j]);
	}
}

enum { PORTS = 100 }; /* Far more than lie between where two neighbours begin. */

/* A program that asks for ports when it is told to, and has them until its end. */
static pid_t start_asker(int channel[2])
{
	assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	pid_t child = fork();
	if (child == 0) {
		uint16_t ports[PORTS];
		char told;
		close(channel[0]);
		if (read(channel[1], &told, 1) != 1)
			_exit(1);
		for (int i = 0; i < PORTS; i++)
			ports[i] = process_free_port();
		if (write(channel[1], ports, sizeof ports) != (ssize_t)sizeof ports)
			_exit(1);
		_exit(read(channel[1], &told, 1) == 0 ? 0 : 1);
	}
	close(channel[1]);
	return child;
}

/* Two programs are given different ones, also while nobody listens on them. */
static void ports_are_not_given_twice(void **state)
{
	(void)state;
	int channels[2][2], status;
	uint16_t ports[2][PORTS];
	pid_t children[2] = {start_asker(channels[0]), start_asker(channels[1])};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(1, write(channels[i][0], "x", 1));
		assert_int_equal((ssize_t)sizeof ports[i],
			recv(channels[i][0], ports[i], sizeof ports[i], MSG_WAITALL));
	}
	for (int i = 1; i >= 0; i--) { /* The second has the first one's channel, too. */
		close(channels[i][0]);
		assert_int_equal(children[i], waitpid(children[i], &status, 0));
		assert_int_equal(0, status);
	}
	for (int i = 0; i < PORTS; i++)
		for (int j = 0; j < PORTS; j++)
			assert_int_not_equal(ports[0][i], ports[1][j]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_line_is_waited_for, end_process),
		cmocka_unit_test_teardown(waiting_ends_with_the_program, end_process),
		cmocka_unit_test_teardown(what_was_printed_last_is_seen, end_process),
		cmocka_unit_test_teardown(environment_is_changed, end_process),
		cmocka_unit_test_teardown(ends_by_signal_are_told, end_process),
		cmocka_unit_test_teardown(killing_takes_its_children_along, end_process),
		cmocka_unit_test_teardown(it_dies_with_its_starter, end_process),
		cmocka_unit_test_teardown(
			a_file_is_continued_but_read_from_the_new_start, end_process),
		cmocka_unit_test_teardown(what_cannot_be_started_is_told, end_process),
		cmocka_unit_test_teardown(ports_are_free_and_differ, end_process),
		cmocka_unit_test_teardown(ports_are_not_given_twice, end_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
