/* See servers_fixture.h: the servers. */
#include "tech-waiting-room/servers_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

enum { TEXT_SIZE = 512, ADMISSIONS_MAX = 4096, RETRY_NS = 100000000 };

void servers_open(struct servers *servers, const struct servers_technology *technology)
{
	*servers = (struct servers){.technology = technology};
	for (size_t i = 0; i < SERVERS; i++) {
		servers->ports[i] = process_free_port();
		snprintf(servers->logs[i], sizeof servers->logs[i], "/tmp/onsale-servers-%ld-%zu",
			(long)getpid(), i);
		(void)unlink(servers->logs[i]);
		servers_start(servers, i);
	}
}

void servers_start(struct servers *servers, size_t index)
{
	static const char *const common[] = {"ADMIN_TOKEN=t0p",
		"PLACE_KEYS=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"JOINS_PER_SECOND=1000000", "JOINS_BURST=1000000", "LOG_LEVEL=debug",
		"ACCESS_LOG=false", "PLACE_BLOCK=100", "REQUEST_TIMEOUT=60s", "CALL_TIMEOUT=20s"};
	const char *environment[SERVER_SETTINGS_MAX] = {0};
	char port[32], path[TEXT_SIZE];
	size_t count = sizeof common / sizeof *common;
	memcpy(environment, common, sizeof common);
	snprintf(port, sizeof port, "PORT=%u", (unsigned)servers->ports[index]);
	environment[count++] = port;
	for (const char *const *more = servers->technology->environment; more && *more; more++) {
		assert_true(count < SERVER_SETTINGS_MAX - 1);
		environment[count++] = *more;
	}
	const char *build = getenv("ONSALE_BUILD");
	snprintf(path, sizeof path, "%s/tech-waiting-room/%s", build ? build : "build/debug",
		servers->technology->program);
	const char *arguments[] = {path, NULL};
	struct process_options options = {.arguments = arguments,
		.environment = environment,
		.error_path = servers->logs[index]};
	assert_int_equal(STATUS_OK, process_start(&servers->processes[index], &options));
	if (process_wait_line(&servers->processes[index], "ready http://", PATIENCE_MS, NULL, 0) !=
		STATUS_OK)
		fail_msg("%s does not start; see %s", path, servers->logs[index]);
}

void servers_kill(struct servers *servers, size_t index)
{
	process_kill(&servers->processes[index]);
	process_release(&servers->processes[index]);
}

void servers_stop(struct servers *servers, size_t index)
{
	struct process *process = &servers->processes[index];
	process_signal(process, SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(process, PATIENCE_MS));
	if (process->exit_code != 0)
		fail_msg("a server ended with code %d; see %s", process->exit_code,
			servers->logs[index]);
	process_release(process);
}

void servers_close(struct servers *servers)
{
	for (size_t i = 0; i < SERVERS; i++)
		if (process_running(&servers->processes[i]))
			servers_stop(servers, i);
	for (size_t i = 0; i < SERVERS; i++)
		(void)unlink(servers->logs[i]);
}

void servers_set(struct servers *servers, const char *event, const char *members)
{
	char path[TEXT_SIZE], body[TEXT_SIZE];
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	snprintf(body, sizeof body, "{%s}", members);
	http_client_init(&client, servers->ports[0]);
	client.timeout_ms = PATIENCE_MS;
	int64_t deadline_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	/* 503: nothing was done. A server that is up may still be without its service. */
	do {
		enum http_client_outcome outcome = http_client_call(
			&client, "PUT", path, "Authorization: Bearer t0p\r\n", body, &reply);
		assert_int_equal(HTTP_CLIENT_OK, outcome);
	} while (reply.status == 503 && clock_monotonic_ms(clock_system()) < deadline_ms &&
		nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL) == 0);
	if (reply.status != 200 && reply.status != 201)
		fail_msg("PUT %s: %d %s", path, reply.status, reply.body);
	http_client_reply_release(&reply);
	http_client_release(&client);
}

json_t *servers_view(struct servers *servers, size_t index, const char *event)
{
	char path[TEXT_SIZE];
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/%s/waiting-room", event);
	http_client_init(&client, servers->ports[index]);
	json_t *json = NULL;
	if (http_client_call(&client, "GET", path, NULL, NULL, &reply) == HTTP_CLIENT_OK &&
		reply.status == 200)
		json = http_client_reply_json(&reply);
	http_client_reply_release(&reply);
	http_client_release(&client);
	return json;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t servers_admissions(struct servers *servers, const char *event)
{
	static char ids[ADMISSIONS_MAX][TEXT_SIZE / 4];
	static char line[64 << 10];
	char label[TEXT_SIZE / 4];
	size_t count = 0;
	snprintf(label, sizeof label, "admitted:%s:", event);
	for (size_t i = 0; i < SERVERS; i++) {
		FILE *log = fopen(servers->logs[i], "re");
		assert_non_null(log);
		while (fgets(line, sizeof line, log)) {
			const char *at = strstr(line, label);
			if (!at)
				continue;
			assert_true(count < ADMISSIONS_MAX);
			snprintf(ids[count++], sizeof ids[0], "%.*s", (int)strcspn(at, "\" "), at);
		}
		fclose(log);
	}
	qsort(ids, count, sizeof ids[0], compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(ids[i - 1], ids[i]) == 0)
			fail_msg("%s was told of twice", ids[i]);
	return count;
}
