/* See servers.h. */
#include "bench/servers.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"

enum { START_MS_MAX = 10000, RUN_MS_MAX = 60000 };

void scratch_open(char path[SCRATCH_PATH_SIZE])
{
	snprintf(path, SCRATCH_PATH_SIZE, "/tmp/onsale-bench-XXXXXX");
	if (!mkdtemp(path))
		bench_fail("no folder can be made in /tmp");
}

void scratch_close(const char *path)
{
	const char *arguments[] = {"rm", "-rf", path, NULL};
	run_program(arguments);
}

void scratch_write(const char *folder, const char *name, const char *format, ...)
{
	char path[2 * SCRATCH_PATH_SIZE];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	if (!file)
		bench_fail("%s cannot be written", path);
	va_list arguments;
	va_start(arguments, format);
	int size = vfprintf(file, format, arguments);
	va_end(arguments);
	if (fclose(file) != 0 || size < 0)
		bench_fail("%s cannot be written", path);
}

void run_program(const char *const arguments[])
{
	struct process process = {0};
	struct process_options options = {.arguments = arguments, .error_path = "/dev/null"};
	if (process_start(&process, &options) != STATUS_OK ||
		process_wait(&process, RUN_MS_MAX) != STATUS_OK || process.exit_code != 0)
		bench_fail("%s failed", arguments[0]);
	process_release(&process);
}

void scratch_make_certificate(const char *folder)
{
	char key[2 * SCRATCH_PATH_SIZE], certificate[2 * SCRATCH_PATH_SIZE];
	snprintf(key, sizeof key, "%s/key.pem", folder);
	snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
	const char *arguments[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
		"-keyout", key, "-out", certificate, NULL};
	run_program(arguments);
}

void server_start(struct server *server, const char *program, const char *const flags[])
{
	const char *arguments[SERVER_ARGUMENTS_MAX + 2] = {0};
	char path[512], line[64];
	snprintf(path, sizeof path, "%s/%s", ONSALE_BENCH, program);
	arguments[0] = path;
	for (size_t i = 0; flags[i]; i++) {
		if (i == SERVER_ARGUMENTS_MAX)
			bench_fail("too many flags for %s", program);
		arguments[i + 1] = flags[i];
	}
	*server = (struct server){0};
	struct process_options options = {.arguments = arguments};
	if (process_start(&server->process, &options) != STATUS_OK ||
		process_wait_line(&server->process, "ready ", START_MS_MAX, line, sizeof line) !=
			STATUS_OK)
		bench_fail("%s does not start", program);
	server->port = (uint16_t)strtoul(line + strlen("ready "), NULL, 10);
}

void server_stop(struct server *server)
{
	process_signal(&server->process, SIGTERM);
	if (process_wait(&server->process, START_MS_MAX) != STATUS_OK)
		fprintf(stderr, "bench: a server has to be killed\n");
	process_release(&server->process);
}
