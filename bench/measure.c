/* See measure.h. */
#include "bench/measure.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/testkit/process.h"

void bench_fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

/* The number behind `label` in a file of /proc, in its own unit. */
static int64_t read_number(const char *path, const char *label)
{
	char line[512];
	FILE *file = fopen(path, "re");
	if (!file)
		bench_fail("%s cannot be opened", path);
	while (fgets(line, sizeof line, file)) {
		const char *at = strstr(line, label);
		if (!at)
			continue;
		fclose(file);
		return strtoll(at + strlen(label), NULL, 10);
	}
	bench_fail("%s has no '%s'", path, label);
}

static int64_t children_cpu_ns(pid_t process, const char *thread)
{
	char path[64], line[4096];
	int64_t sum = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", process, thread);
	FILE *file = fopen(path, "re");
	if (file && fgets(line, sizeof line, file)) {
		char *at = line, *end;
		for (long child; (child = strtol(at, &end, 10)) > 0; at = end)
			sum += measure_cpu_ns((pid_t)child);
	}
	if (file)
		fclose(file);
	return sum;
}

/* The scheduler's own account, since the clock ticks of /proc/PID/stat are too coarse. */
int64_t measure_cpu_ns(pid_t process)
{
	char path[64];
	int64_t sum = 0;
	snprintf(path, sizeof path, "/proc/%d/task", process);
	DIR *threads = opendir(path);
	if (!threads)
		bench_fail("process %d has ended", process);
	for (const struct dirent *entry; (entry = readdir(threads));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(
			path, sizeof path, "/proc/%d/task/%.16s/schedstat", process, entry->d_name);
		sum += read_number(path, "");
		sum += children_cpu_ns(process, entry->d_name);
	}
	closedir(threads);
	return sum;
}

int64_t measure_process_bytes(pid_t process)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process);
	return read_number(path, "Pss:") * 1024;
}

int64_t measure_kernel_bytes(void)
{
	int64_t slab = read_number("/proc/meminfo", "Slab:") * 1024;
	return slab + read_number("/proc/net/sockstat", " mem ") * sysconf(_SC_PAGESIZE);
}

/* The number behind `label` in what wrk printed; 0 when it did not say. */
static double find_number(const char *output, const char *label)
{
	const char *at = strstr(output, label);
	return at ? strtod(at + strlen(label), NULL) : 0;
}

static double count_requests(const char *output)
{
	const char *at = strstr(output, " requests in ");
	while (at && at > output && at[-1] >= '0' && at[-1] <= '9')
		at--;
	return at ? strtod(at, NULL) : 0;
}

struct load_result measure_load(const struct load_options *options)
{
	char connections[32], duration[32];
	snprintf(connections, sizeof connections, "-c%lld", (long long)options->connections);
	snprintf(duration, sizeof duration, "-d%llds", (long long)options->seconds);
	const char *arguments[] = {"wrk", "-t1", connections, duration, options->url, NULL};
	struct process_options program = {.arguments = arguments};
	struct process wrk = {0};
	if (process_start(&wrk, &program) != STATUS_OK ||
		process_wait(&wrk, (options->seconds + 30) * 1000) != STATUS_OK ||
		wrk.exit_code != 0)
		bench_fail("wrk %s failed (tools/setup.sh bench installs it)", options->url);
	char *output = process_output(&wrk);
	double requests = count_requests(output), rate = find_number(output, "Requests/sec:");
	double failures = find_number(output, "Non-2xx or 3xx responses:") +
		find_number(output, "Socket errors: connect") + find_number(output, ", read ") +
		find_number(output, ", write ") + find_number(output, ", timeout ");
	free(output);
	process_release(&wrk);
	if (requests < 1)
		bench_fail("%s gave no answers", options->url);
	return (struct load_result){.rate = rate * (1 - failures / requests),
		.requests = requests,
		.failures = failures};
}
