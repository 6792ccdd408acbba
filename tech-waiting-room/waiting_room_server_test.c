/* The server and verify_shuffle as programs, on rooms in memory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/testkit/http_client.h"
#include "lib/testkit/process.h"

#define ADMIN "Authorization: Bearer t0p\r\n"
#define KEYS "PLACE_KEYS=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

enum { PATIENCE_MS = 60000, PEOPLE = 2050 };

static struct process server;
static struct http_client client;
static struct http_client_reply reply;
static char base[160];

static const char *program(const char *name)
{
	static char path[4096];
	const char *build = getenv("ONSALE_BUILD");
	snprintf(path, sizeof path, "%s/tech-waiting-room/%s", build ? build : "build/debug", name);
	return path;
}

static void start(
	struct process *process, const char *const arguments[], const char *const environment[])
{
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = "/dev/null"};
	assert_int_equal(STATUS_OK, process_start(process, &options));
}

static int set_up(void **state)
{
	static const char *const environment[] = {"PORT=0", "ADMIN_TOKEN=t0p", KEYS,
		"JOINS_PER_SECOND=1000000", "JOINS_BURST=1000000", "LOG_LEVEL=debug", NULL};
	const char *const arguments[] = {program("waiting-room-memory-server"), NULL};
	char line[128];
	(void)state;
	start(&server, arguments, environment);
	assert_int_equal(STATUS_OK,
		process_wait_line(
			&server, "ready http://127.0.0.1:", PATIENCE_MS, line, sizeof line));
	snprintf(base, sizeof base, "%s", line + strlen("ready "));
	http_client_init(&client, (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10));
	client.timeout_ms = PATIENCE_MS;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	process_signal(&server, SIGTERM);
	bool ended = process_wait(&server, PATIENCE_MS) == STATUS_OK && server.exit_code == 0;
	process_release(&server);
	http_client_reply_release(&reply);
	http_client_release(&client);
	return ended ? 0 : -1;
}

static void ask(
	const char *method, const char *path, const char *headers, const char *body, int status)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, method, path, headers, body, &reply));
	if (reply.status != status)
		fail_msg("%s %s: %d: %s", method, path, reply.status, reply.body);
}

static void the_server_is_ready_and_has_a_page(void **state)
{
	(void)state;
	ask("GET", "/healthz", NULL, NULL, 200);
	int status = 0;
	for (int i = 0; i < 1000 && status != 200; i++) {
		http_client_call(&client, "GET", "/readyz", NULL, NULL, &reply);
		status = reply.status;
		struct timespec pause = {.tv_nsec = 20000000};
		nanosleep(&pause, NULL);
	}
	assert_int_equal(200, status);
	ask("GET", "/metrics", NULL, NULL, 200);
	assert_non_null(strstr(reply.body, "waiting_room_joins_total"));
	assert_non_null(strstr(reply.body, "lane_depth{lane=\"waiting_room\"}"));
	ask("GET", "/", NULL, NULL, 200);
	const char *policy = http_client_reply_header(&reply, "Content-Security-Policy");
	assert_non_null(policy);
	assert_non_null(strstr(policy, "default-src 'none'"));
	assert_null(strstr(policy, "unsafe"));
	/* What the policy forbids does not stand in it. */
	assert_null(strstr(reply.body, "<style"));
	assert_null(strstr(reply.body, " onclick"));
	assert_null(strstr(reply.body, "http://"));
	assert_null(strstr(reply.body, "https://"));
	ask("GET", "/page.js", NULL, NULL, 200);
	assert_non_null(strstr(reply.body, "EventSource"));
	ask("GET", "/page.css", NULL, NULL, 200);
}

static void a_server_without_its_secrets_does_not_start(void **state)
{
	static const char *const without[][4] = {{"PORT=0", "ADMIN_TOKEN=x", "PLACE_KEYS", NULL},
		{"PORT=0", "ADMIN_TOKEN", KEYS, NULL}};
	static const char *const short_key[] = {
		"PORT=0", "ADMIN_TOKEN=x", "PLACE_KEYS=k:eA==", NULL};
	const char *const arguments[] = {program("waiting-room-memory-server"), NULL};
	struct process process;
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		start(&process, arguments, without[i]);
		assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
		assert_int_equal(2, process.exit_code);
		process_release(&process);
	}
	start(&process, arguments, short_key);
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	assert_int_equal(1, process.exit_code);
	process_release(&process);
}

/* verify_shuffle with these two further arguments; its exit code. */
static int verify(const char *first, const char *second, const char *third)
{
	char base_flag[192];
	struct process process;
	snprintf(base_flag, sizeof base_flag, "--base=%s", base);
	const char *arguments[] = {
		program("verify_shuffle"), base_flag, "--event=e", first, second, third, NULL};
	start(&process, arguments, NULL);
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	int code = process.exit_code;
	process_release(&process);
	return code;
}

static void everybody_can_verify_the_shuffle(void **state)
{
	char body[128], token_flag[512], path[512], right[64], commitment[128];
	(void)state;
	ask("PUT", "/events/e/waiting-room", ADMIN, "{\"state\":\"lobby\",\"activeMax\":0}", 201);
	json_t *room = http_client_reply_json(&reply);
	snprintf(commitment, sizeof commitment, "--commitment=%s",
		json_string_value(json_object_get(room, "seedCommitment")));
	json_decref(room);
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(body, sizeof body, "{\"userId\":\"u%d\"}", i);
		ask("POST", "/events/e/waiting-room", NULL, body, 201);
	}
	json_t *last = http_client_reply_json(&reply);
	const char *token = json_string_value(json_object_get(last, "placeToken"));
	snprintf(token_flag, sizeof token_flag, "--place-token=%s", token);
	snprintf(path, sizeof path, "/waiting-room/%s", token);
	assert_int_equal(2, verify(token_flag, commitment, NULL));
	ask("PUT", "/events/e/waiting-room", ADMIN, "{\"state\":\"open\"}", 200);
	int64_t place = 0;
	for (int i = 0; i < 3000 && place == 0; i++) {
		ask("GET", path, NULL, NULL, 200);
		json_t *mine = http_client_reply_json(&reply);
		place = json_integer_value(json_object_get(mine, "place"));
		json_decref(mine);
		struct timespec pause = {.tv_nsec = 10000000};
		nanosleep(&pause, NULL);
	}
	assert_in_range(place, 1, PEOPLE);
	assert_int_equal(0, verify(token_flag, commitment, NULL));
	snprintf(right, sizeof right, "--place=%lld", (long long)place);
	snprintf(body, sizeof body, "--rank=%d", PEOPLE);
	assert_int_equal(0, verify(right, body, NULL));
	/* Another place, and another promise. */
	snprintf(right, sizeof right, "--place=%lld", (long long)place % PEOPLE + 1);
	assert_int_equal(1, verify(right, body, NULL));
	commitment[strlen(commitment) - 1] ^= 1;
	if (!strchr("0123456789abcdef", commitment[strlen(commitment) - 1]))
		commitment[strlen(commitment) - 1] = '0';
	assert_int_equal(1, verify(token_flag, commitment, NULL));
	json_decref(last);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_server_is_ready_and_has_a_page),
		TEST(a_server_without_its_secrets_does_not_start),
		TEST(everybody_can_verify_the_shuffle),
	};
	return cmocka_run_group_tests_name("waiting room server", tests, NULL, NULL);
}
