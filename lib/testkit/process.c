/* Between fork and exec only async-signal-safe calls are made, since the test may have threads:
 * everything that needs memory, the environment above all, is prepared before the fork. */
#include "lib/testkit/process.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum { PROCESS_POLL_MS = 2, PROCESS_EXIT_NOT_EXECUTED = 127, PROCESS_FILE_MODE = 0600 };

static int file_open(const char *path);
static char **environment_with(const char *const *changes);
static void child_run(const struct process_options *options, char **environment, int output_fd,
	int error_fd, pid_t parent) __attribute__((noreturn));
static bool line_find(const char *text, const char *prefix, char *line, size_t size);
static bool reap(struct process *process, int flags);
static int64_t now_ms(void);
static void pause_ms(int64_t ms);

enum status process_start(struct process *process, const struct process_options *options)
{
	*process = (struct process){.output_fd = file_open(options->output_path)};
	int error_fd = options->error_path ? file_open(options->error_path) : STDERR_FILENO;
	char **environment = environment_with(options->environment);
	pid_t parent = getpid();
	if (process->output_fd >= 0 && error_fd >= 0) {
		struct stat file;
		if (fstat(process->output_fd, &file) == 0)
			process->output_start = file.st_size;
		process->pid = fork();
		if (process->pid == 0)
			child_run(options, environment, process->output_fd, error_fd, parent);
		if (process->pid > 0)
			/* The child does the same; whoever comes first, the group is there when
			 * this function returns. */
			setpgid(process->pid, process->pid);
	}
	free(environment);
	if (options->error_path && error_fd >= 0)
		close(error_fd);
	if (process->pid > 0)
		return STATUS_OK;
	if (process->output_fd >= 0)
		close(process->output_fd);
	*process = (struct process){0};
	return STATUS_UNAVAILABLE;
}

enum status process_wait_line(
	struct process *process, const char *prefix, int64_t timeout_ms, char *line, size_t size)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	for (;;) {
		/* Asked before reading, so that what it printed last is not missed. */
		bool running = process_running(process);
		char *output = process_output(process);
		bool found = line_find(output, prefix, line, size);
		free(output);
		if (found)
			return STATUS_OK;
		if (!running || now_ms() >= deadline_ms)
			return STATUS_UNAVAILABLE;
		pause_ms(PROCESS_POLL_MS);
	}
}

char *process_output(const struct process *process)
{
	struct stat file;
	off_t size = 0;
	if (process->output_fd > 0 && fstat(process->output_fd, &file) == 0)
		size = file.st_size - process->output_start;
	char *output = malloc((size_t)size + 1);
	assert(output);
	ssize_t got = 0;
	if (size > 0)
		got = pread(process->output_fd, output, (size_t)size, process->output_start);
	output[got > 0 ? got : 0] = '\0';
	return output;
}

void process_signal(const struct process *process, int signal_number)
{
	if (process->pid > 0)
		kill(process->pid, signal_number);
}

bool process_running(struct process *process)
{
	return process->pid > 0 && !reap(process, WNOHANG);
}

/* The state follows the program's name in brackets, which may hold anything (proc(5)). */
bool process_stopped(const struct process *process)
{
	char path[64], text[512] = "";
	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)process->pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	size_t size = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[size] = '\0';
	const char *name_end = strrchr(text, ')');
	return name_end && strncmp(name_end, ") T", 3) == 0;
}

enum status process_wait(struct process *process, int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	while (process_running(process)) {
		if (now_ms() >= deadline_ms)
			return STATUS_UNAVAILABLE;
		pause_ms(PROCESS_POLL_MS);
	}
	return STATUS_OK;
}

void process_kill(struct process *process)
{
	if (process->pid <= 0)
		return;
	/* The group first: while its leader is not reaped, the group's number belongs to nobody
	 * else. */
	kill(-process->pid, SIGKILL);
	kill(process->pid, SIGKILL);
	reap(process, 0);
}

void process_release(struct process *process)
{
	process_kill(process);
	if (process->output_fd > 0)
		close(process->output_fd);
	process->output_fd = 0;
}

/* Claim a port among the programs that ask this way, until this one ends: an abstract socket's name
 * is there once, and goes with its process. Whoever has a server on the port may kill it, and
 * nobody else is given the port meanwhile. */
static bool claim_port(uint16_t port)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int size = snprintf(
		name.sun_path + 1, sizeof name.sun_path - 1, "onsale-test-port-%u", (unsigned)port);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert(fd >= 0);
	if (bind(fd, (struct sockaddr *)&name,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)) == 0)
		return true; /* It stays open. */
	close(fd);
	return false;
}

static bool nobody_listens(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(fd >= 0);
	bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return is_free;
}

/* Each process begins somewhere else, so that tests side by side do not find the same one free. */
uint16_t process_free_port(void)
{
	enum { LOWEST = 11000, COUNT = 8000, STRIDE = 13 };
	static atomic_uint asked;
	for (int tried = 0; tried < COUNT; tried++) {
		unsigned next = (unsigned)getpid() * STRIDE + atomic_fetch_add(&asked, 1);
		uint16_t port = (uint16_t)(LOWEST + next % COUNT);
		if (claim_port(port) && nobody_listens(port))
			return port;
	}
	/* Of thousands of ports none is free. */
	abort();
}

static int file_open(const char *path)
{
	if (!path)
		return memfd_create("output", MFD_CLOEXEC);
	/* Appending keeps two descriptors of one file from writing over each other. */
	return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, PROCESS_FILE_MODE);
}

/* Whether two entries NAME=value or NAME have the same name. */
static bool same_name(const char *a, const char *b)
{
	size_t size = strcspn(a, "=");
	return size == strcspn(b, "=") && strncmp(a, b, size) == 0;
}

/* The test's environment with the changes, as one block of pointers that the caller frees. The
 * texts are borrowed. */
static char **environment_with(const char *const *changes)
{
	size_t own_count = 0;
	while (environ[own_count])
		own_count++;
	size_t change_count = 0;
	while (changes && changes[change_count])
		change_count++;
	char **merged = calloc(own_count + change_count + 1, sizeof *merged);
	assert(merged);
	size_t count = 0;
	for (size_t i = 0; i < own_count; i++) {
		bool changed = false;
		for (size_t j = 0; j < change_count; j++)
			changed |= same_name(environ[i], changes[j]);
		if (!changed)
			merged[count++] = environ[i];
	}
	for (size_t j = 0; j < change_count; j++)
		if (strchr(changes[j], '='))
			merged[count++] = (char *)(uintptr_t)changes[j];
	return merged;
}

static void child_run(const struct process_options *options, char **environment, int output_fd,
	int error_fd, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, options->death_signal ? options->death_signal : SIGKILL);
	/* Had the parent died before prctl, no signal would ever come. */
	if (getppid() != parent)
		_exit(PROCESS_EXIT_NOT_EXECUTED);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* What the test ignores is inherited over exec, and a program cannot tell. */
	for (int number = 1; number < SIGRTMIN; number++)
		signal(number, SIG_DFL);
	if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(error_fd, STDERR_FILENO) < 0)
		_exit(PROCESS_EXIT_NOT_EXECUTED);
	if (options->directory && chdir(options->directory) != 0)
		_exit(PROCESS_EXIT_NOT_EXECUTED);
	execvpe(options->arguments[0], (char *const *)(uintptr_t)options->arguments, environment);
	_exit(PROCESS_EXIT_NOT_EXECUTED);
}

static bool line_find(const char *text, const char *prefix, char *line, size_t size)
{
	const char *start = text;
	const char *end;
	while ((end = strchr(start, '\n'))) {
		if (strncmp(start, prefix, strlen(prefix)) == 0) {
			size_t length = (size_t)(end - start);
			if (size == 0)
				return true;
			if (length > size - 1)
				length = size - 1;
			memcpy(line, start, length);
			line[length] = '\0';
			return true;
		}
		start = end + 1;
	}
	return false;
}

/* Whether it has ended; then its exit code is kept and its number given back. */
static bool reap(struct process *process, int flags)
{
	int how = 0;
	pid_t ended;
	do
		ended = waitpid(process->pid, &how, flags);
	while (ended < 0 && errno == EINTR);
	if (ended == 0)
		return false;
	assert(ended == process->pid);
	process->exit_code = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
	process->pid = 0;
	return true;
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void pause_ms(int64_t ms)
{
	struct timespec pause = {.tv_nsec = (long)(ms * 1000000)};
	nanosleep(&pause, NULL);
}
