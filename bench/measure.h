/* What is read off the system while a bench runs. Whatever cannot be read ends the program: a bench
 * that goes on without it would print nonsense. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Say why and end; the programs that were started die with this one. */
__attribute__((format(printf, 1, 2), noreturn)) void bench_fail(const char *format, ...);

/* Processor time in ns that a process, its threads and its children have used so far. */
int64_t measure_cpu_ns(pid_t process);

/* Memory in bytes of a process: its own, and its share of what it shares (PSS). */
int64_t measure_process_bytes(pid_t process);

/* Memory in bytes that the kernel has in slabs and in TCP buffers, of the whole machine. */
int64_t measure_kernel_bytes(void);

struct load_options {
	const char *url;
	int64_t connections;
	int64_t seconds;
};

struct load_result {
	double rate;     /* Answers per second that were 2xx or 3xx. */
	double requests; /* All of them. */
	double failures; /* Other answers, and errors of sockets. */
};

/* Load a URL with wrk, from one thread over kept-alive connections. */
struct load_result measure_load(const struct load_options *options);
