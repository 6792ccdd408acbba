/* Other programs that a test starts, talks to by signals, kills and waits for.
 *
 * "Two servers" means two processes, and a crash means kill -9; so tests need programs, not
 * threads. What a program prints goes to a file, never into a pipe: nobody has to read it while it
 * runs, and it is still there after a crash. Each program leads a process group of its own and dies
 * with the thread that started it (PR_SET_PDEATHSIG), however that ends; start programs from a
 * thread that lives until the end of the test.
 *
 *	struct process server;
 *	char line[256];
 *	const char *arguments[] = {path, "--port=0", NULL};
 *	struct process_options options = {.arguments = arguments};
 *	assert_int_equal(STATUS_OK, process_start(&server, &options));
 *	assert_int_equal(STATUS_OK,
 *		process_wait_line(&server, "ready http://127.0.0.1:", 10000, line, sizeof line));
 *	…
 *	process_release(&server);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/status.h"

struct process {
	pid_t pid;          /* 0: none, or it has ended and was waited for. */
	int exit_code;      /* Once it has ended: its code, or 128 + the signal that ended it. */
	int output_fd;      /* The file of its standard output. */
	off_t output_start; /* How much an earlier program had already written there. */
};

struct process_options {
	const char *const *arguments; /* The program, its arguments, NULL. Without a slash, the
				       * program is looked for in PATH. */
	/* NAME=value adds to or replaces the test's own environment, NAME alone removes from it;
	 * ends with NULL. NULL: nothing changes. */
	const char *const *environment;
	const char *directory;   /* NULL: the test's own. */
	const char *output_path; /* Standard output is appended to it. NULL: a file in memory. */
	const char *error_path;  /* Standard error, likewise. NULL: the test's own. The same path
				  * as output_path gives one file for both. */
	int death_signal; /* What it gets when its starter dies. 0: SIGKILL. A script that has
			   * something to clean up wants SIGTERM. */
};

/* Start it; everything is copied. UNAVAILABLE when a file cannot be opened or the system has no
 * room. A program that cannot be executed has started, and ends with exit code 127. */
__attribute__((warn_unused_result)) enum status process_start(
	struct process *process, const struct process_options *options);

/* Wait until it has printed, on standard output, a whole line that starts with `prefix`, and copy
 * the first such line without its newline, cut to `size`. UNAVAILABLE when `timeout_ms` have passed
 * or it has ended without it. `line` may be NULL with a size of 0. */
__attribute__((warn_unused_result)) enum status process_wait_line(
	struct process *process, const char *prefix, int64_t timeout_ms, char *line, size_t size);

/* Everything that it has printed on standard output so far, with a zero byte at its end. The caller
 * frees it. Never NULL. */
char *process_output(const struct process *process);

/* Send a signal to the program alone. Nothing happens when it has ended. */
void process_signal(const struct process *process, int signal_number);

/* Whether it still runs. */
bool process_running(struct process *process);

/* Whether it stands still by SIGSTOP, with all of its threads. */
bool process_stopped(const struct process *process);

/* Wait until it ends; then exit_code is set. UNAVAILABLE when it does not within `timeout_ms`. */
__attribute__((warn_unused_result)) enum status process_wait(
	struct process *process, int64_t timeout_ms);

/* kill -9 its whole process group and wait for its end: a crash without any clean-up. */
void process_kill(struct process *process);

/* Kill it where it still runs, and give everything back. Allowed on a process that never started
 * if it is zero, and more than once. */
void process_release(struct process *process);

/* A TCP port of 127.0.0.1 on which nobody listens just now, another with each call, and in each
 * program that asks: it is this one's until it ends, with or without a server on it. It lies below
 * those of services/ and below Linux's ephemeral ones: while a server on it is down, no service
 * takes it, no client is given it, and none that tries again connects to itself. A server that need
 * not come back on the same port is still better off with port 0. */
uint16_t process_free_port(void);
