/* pgbench's own log has a line per transaction, from which everything is taken:
 * client, number, µs that it took, script, and when it ended in s and µs. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "lib/testkit/process.h"
#include "simplest-implementation/load_bench.h"

enum { PATH_SIZE = 320, ARGUMENT_SIZE = 96, LINE_SIZE = 256, THREADS_MAX = 2 };

struct span {
	int64_t first_us, last_us;
};

static void run_pgbench(const struct load *load, const struct pgbench_options *options);
static void read_logs(const char *folder, struct load_outcome *outcome);

void load_by_pgbench(const struct load *load, const struct pgbench_options *options,
	struct load_outcome *outcome)
{
	*outcome = (struct load_outcome){0};
	histogram_init(&outcome->latencies);
	run_pgbench(load, options);
	read_logs(options->folder, outcome);
	if (outcome->answers == 0)
		bench_fail("pgbench has logged no transaction in %s", options->folder);
}

static void run_pgbench(const struct load *load, const struct pgbench_options *options)
{
	char clients[ARGUMENT_SIZE], threads[ARGUMENT_SIZE], seconds[ARGUMENT_SIZE];
	char event[ARGUMENT_SIZE], seats[ARGUMENT_SIZE], hold[ARGUMENT_SIZE], prefix[PATH_SIZE];
	snprintf(clients, sizeof clients, "--client=%lld", (long long)load->clients);
	snprintf(threads, sizeof threads, "--jobs=%lld",
		load->clients < THREADS_MAX ? (long long)load->clients : THREADS_MAX);
	snprintf(seconds, sizeof seconds, "--time=%lld", (long long)load->seconds);
	snprintf(event, sizeof event, "--define=event=%s", load->event);
	snprintf(seats, sizeof seats, "--define=seats=%lld", (long long)load->seats);
	snprintf(hold, sizeof hold, "--define=hold_ms=%lld", (long long)load->hold_ms);
	snprintf(prefix, sizeof prefix, "--log-prefix=%s/pgbench", options->folder);
	const char *arguments[] = {"pgbench", "--no-vacuum", "--protocol=prepared", "--log",
		("--file=" SIMPLEST_PGBENCH), prefix, clients, threads, seconds, event, seats, hold,
		options->url, NULL};
	char errors[PATH_SIZE];
	snprintf(errors, sizeof errors, "%s/errors", options->folder);
	struct process_options program = {.arguments = arguments, .error_path = errors};
	struct process pgbench = {0};
	if (process_start(&pgbench, &program) != STATUS_OK ||
		process_wait(&pgbench, (load->seconds + 60) * 1000) != STATUS_OK ||
		pgbench.exit_code != 0)
		bench_fail("pgbench failed; %s says why", errors);
	process_release(&pgbench);
	unlink(errors);
}

static void read_log(const char *path, struct load_outcome *outcome, struct span *span)
{
	char line[LINE_SIZE];
	FILE *file = fopen(path, "re");
	if (!file)
		bench_fail("%s cannot be opened", path);
	while (fgets(line, sizeof line, file)) {
		long long took_us, seconds, rest_us;
		if (sscanf(line, "%*s %*s %lld %*s %lld %lld", &took_us, &seconds, &rest_us) != 3)
			bench_fail("%s has the line %s", path, line);
		int64_t end_us = seconds * 1000000 + rest_us;
		histogram_record(&outcome->latencies, took_us * 1000);
		outcome->answers++;
		if (span->last_us == 0 || end_us - took_us < span->first_us)
			span->first_us = end_us - took_us;
		if (end_us > span->last_us)
			span->last_us = end_us;
	}
	fclose(file);
}

static void read_logs(const char *folder, struct load_outcome *outcome)
{
	struct span span = {0};
	DIR *entries = opendir(folder);
	if (!entries)
		bench_fail("%s cannot be read", folder);
	for (const struct dirent *entry; (entry = readdir(entries));) {
		char path[PATH_SIZE];
		if (strncmp(entry->d_name, "pgbench.", strlen("pgbench.")) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		read_log(path, outcome, &span);
		unlink(path);
	}
	closedir(entries);
	outcome->seconds = (double)(span.last_us - span.first_us) / 1e6;
}
