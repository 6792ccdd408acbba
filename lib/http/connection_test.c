/* Connections in number: the limit, how they are dealt to the loops, the port, and what happens
 * when there are no descriptors left. */
#include "lib/http/server_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"

enum { CLIENTS_MAX = 1200 };

static struct http_client clients[CLIENTS_MAX];
static size_t client_count;

static void add_clients(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct http_client *client = &clients[client_count++];
		http_client_init(client, fixture.port);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	}
}

static void remove_clients(void)
{
	while (client_count > 0)
		http_client_release(&clients[--client_count]);
}

static int close_all(void **state)
{
	(void)state;
	remove_clients();
	fixture_close();
	return 0;
}

static void test_the_limit_is_told(void **state)
{
	(void)state;
	enum { MAX = 10 };
	struct http_client_reply reply = {0};
	fixture_open((struct http_server_options){
		.loop_count = 3, .worker_count = 1, .connections_max = MAX});
	add_clients(MAX);
	for (size_t i = 0; i < MAX; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&clients[i], "GET", "/plain", NULL, NULL, &reply));
		assert_int_equal(200, reply.status);
	}
	for (size_t i = 0; i < 5; i++) {
		ask("GET", i % 2 ? "/work" : "/plain", NULL, NULL, 503);
		want_problem("unavailable");
		want_header("Retry-After", "1");
		want_header("Connection", "close");
		fixture_wait_connections(MAX);
	}
	assert_int_equal(MAX, atomic_load(&fixture.handled));
	/* Those within the limit go on, and a place that becomes free is given again. */
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&clients[3], "GET", "/work", NULL, NULL, &reply));
	assert_int_equal(200, reply.status);
	http_client_close(&clients[7]);
	fixture_wait_connections(MAX - 1);
	ask("GET", "/plain", NULL, NULL, 200);
	http_client_reply_release(&reply);
}

/* Whoever is refused cannot pile up either. */
static void test_beyond_those_who_are_told(void **state)
{
	(void)state;
	enum { MAX = 10, TOLD = 128 };
	fixture_open((struct http_server_options){.loop_count = 2, .connections_max = MAX});
	add_clients(MAX + TOLD);
	fixture_wait_connections(MAX + TOLD);
	send_raw("");
	assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	assert_int_equal(MAX + TOLD, fixture_connections());
	remove_clients();
	fixture_wait_connections(0);
	want_alive();
}

/* MHD takes 1,020 and no more unless it is told; the next ones would hang. */
static void test_one_loop_has_as_many_as_are_set(void **state)
{
	(void)state;
	enum { MANY = 1100 };
	struct http_client_reply reply = {0};
	fixture_open((struct http_server_options){.loop_count = 1, .connections_max = MANY});
	add_clients(MANY);
	fixture_wait_connections(MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&clients[i], "GET", "/plain", NULL, NULL, &reply));
		assert_int_equal(200, reply.status);
	}
	ask("GET", "/plain", NULL, NULL, 503);
	http_client_reply_release(&reply);
}

static void test_idle_connections_do_not_stop_the_next(void **state)
{
	(void)state;
	fixture_open((struct http_server_options){.loop_count = 2, .worker_count = 1});
	add_clients(500);
	fixture_wait_connections(500);
	for (size_t i = 0; i < 10; i++) {
		http_client_close(&fixture.client);
		ask("GET", i % 2 ? "/plain" : "/work", NULL, NULL, 200);
	}
	/* Nor were they forgotten. */
	struct http_client_reply reply = {0};
	for (size_t i = 0; i < client_count; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&clients[i], "GET", "/plain", NULL, NULL, &reply));
		assert_int_equal(200, reply.status);
	}
	http_client_reply_release(&reply);
}

static void test_dealt_evenly(void **state)
{
	(void)state;
	enum { LOOPS = 4 };
	fixture_open((struct http_server_options){.loop_count = LOOPS});
	add_clients(100);
	fixture_wait_connections(100);
	for (size_t i = 0; i < LOOPS; i++)
		assert_int_equal(100 / LOOPS, fixture_loop_connections(i));
	/* Also after many of one loop have left: newcomers go where there is room. */
	for (size_t i = 0; i < 100; i += LOOPS)
		http_client_close(&clients[i]);
	fixture_wait_connections(75);
	add_clients(25);
	fixture_wait_connections(100);
	for (size_t i = 0; i < LOOPS; i++)
		assert_int_equal(100 / LOOPS, fixture_loop_connections(i));
}

static void handle(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static const struct http_route one_route[] = {{HTTP_GET, "/", HTTP_ON_LOOP, handle, 0}};

/* Whether the port could be had again: meanwhile any program may have taken it. */
static bool port_is_given_again(void)
{
	fixture_open((struct http_server_options){.loop_count = 2});
	struct http_server *second = NULL;
	struct fault fault = {0};
	char port[16];
	snprintf(port, sizeof port, ":%u", (unsigned)fixture.port);
	struct http_server_options options = {
		.routes = one_route, .route_count = 1, .port = fixture.port};
	assert_int_equal(STATUS_REFUSED, http_server_open(&options, &second, &fault));
	assert_null(second);
	assert_string_equal("port", fault.where);
	assert_non_null(strstr(fault.what, port));
	assert_non_null(strstr(fault.what, "in use"));
	want_alive();
	/* Once the first has ended, also while its connections wait out their time. */
	fixture_end_server();
	if (http_server_open(&options, &second, &fault) != STATUS_OK)
		return false;
	assert_int_equal(options.port, http_server_port(second));
	http_client_close(&fixture.client);
	ask("GET", "/", NULL, NULL, 204);
	http_server_close(second);
	return true;
}

static void test_taken_port_is_refused(void **state)
{
	bool given = port_is_given_again();
	for (size_t i = 0; i < 4 && !given; i++) {
		close_all(state);
		given = port_is_given_again();
	}
	assert_true(given);
}

static void test_wrong_options_are_refused(void **state)
{
	(void)state;
	struct http_server *server = NULL;
	struct fault fault = {0};
	struct http_server_options options = {
		.routes = one_route, .route_count = 1, .address = "localhost"};
	assert_int_equal(STATUS_REFUSED, http_server_open(&options, &server, &fault));
	assert_string_equal("address", fault.where);
	options.address = "192.0.2.1";
	assert_int_equal(STATUS_REFUSED, http_server_open(&options, &server, &fault));
	assert_string_equal("port", fault.where);
	const struct http_route wrong[] = {{HTTP_GET, "wrong", HTTP_ON_LOOP, handle, 0}};
	options = (struct http_server_options){.routes = wrong, .route_count = 1};
	assert_int_equal(STATUS_REFUSED, http_server_open(&options, &server, &fault));
	assert_string_equal("wrong", fault.where);
	assert_null(server);
}

/* ---- Out of descriptors ---- */

/* A server that may open few files, in a process of its own; it prints its port into the pipe. */
static void run_poor_server(int port_fd)
{
	struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
	/* A test that fails leaves nobody behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_redirect(open("/dev/null", O_WRONLY));
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		_exit(1);
	fixture_open((struct http_server_options){.loop_count = 2, .worker_count = 1});
	if (write(port_fd, &fixture.port, sizeof fixture.port) != sizeof fixture.port)
		_exit(1);
	for (;;)
		pause();
}

static int64_t cpu_ms(pid_t pid)
{
	clockid_t clock;
	struct timespec used;
	assert_int_equal(0, clock_getcpuclockid(pid, &clock));
	assert_int_equal(0, clock_gettime(clock, &used));
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* It does not spin: within the time that we wait there are 500 ms of which it uses next to nothing.
 * A busy machine may let it do late what it has to do, and a machine that has no time for it at all
 * makes this pass, not fail. */
static void want_quiet(pid_t pid)
{
	enum { WINDOW_MS = 500, USED_MS_MAX = 50 };
	int64_t end_ms = now_ms() + PATIENCE_MS, used_ms;
	do {
		int64_t before_ms = cpu_ms(pid);
		pause_ms(WINDOW_MS);
		used_ms = cpu_ms(pid) - before_ms;
	} while (used_ms > USED_MS_MAX && now_ms() < end_ms);
	assert_true(used_ms <= USED_MS_MAX);
}

/* Until those before have gone, a newcomer is ended or told that there are too many. */
static void want_answered_again(const char *path)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	enum http_client_outcome outcome;
	do
		outcome =
			http_client_call(&fixture.client, "GET", path, NULL, NULL, &fixture.reply);
	while ((outcome != HTTP_CLIENT_OK || fixture.reply.status == 503) && now_ms() < end_ms);
	assert_int_equal(HTTP_CLIENT_OK, outcome);
	assert_int_equal(200, fixture.reply.status);
}

static pid_t start_poor_server(void)
{
	int port_pipe[2];
	assert_int_equal(0, pipe(port_pipe));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_poor_server(port_pipe[1]);
	fixture = (struct server_fixture){0};
	assert_int_equal(
		sizeof fixture.port, read(port_pipe[0], &fixture.port, sizeof fixture.port));
	http_client_init(&fixture.client, fixture.port);
	close(port_pipe[0]);
	close(port_pipe[1]);
	return pid;
}

/* It has lived until now. */
static void end_poor_server(pid_t pid)
{
	http_client_reply_release(&fixture.reply);
	http_client_release(&fixture.client);
	assert_int_equal(0, waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_out_of_descriptors(void **state)
{
	(void)state;
	pid_t pid = start_poor_server();

	/* More than it has descriptors for, fewer than it would refuse by count. */
	add_clients(150);
	size_t ended = 0;
	for (int64_t end_ms = now_ms() + PATIENCE_MS; ended <= 50 && now_ms() < end_ms;) {
		pause_ms(5);
		ended = 0;
		for (size_t i = 0; i < client_count; i++)
			ended += http_client_wait_closed(&clients[i], 0);
	}
	assert_true(ended > 50 && ended < client_count);
	want_quiet(pid);

	/* It recovers by itself. */
	remove_clients();
	want_answered_again("/plain");
	want_answered_again("/work");
	end_poor_server(pid);
}

/* Not even the descriptor that is kept for this can be had again, as when another thread or, with
 * ENFILE, another process was quicker. */
static void test_out_of_the_last_descriptor(void **state)
{
	(void)state;
	pid_t pid = start_poor_server();
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 64};
	assert_int_equal(0, prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
	add_clients(20);
	want_quiet(pid);
	limit.rlim_cur = 64;
	assert_int_equal(0, prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
	/* Those who waited are served now, and those after them. */
	struct http_client_reply reply = {0};
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&clients[0], "GET", "/plain", NULL, NULL, &reply));
	assert_int_equal(200, reply.status);
	http_client_reply_release(&reply);
	ask("GET", "/work", NULL, NULL, 200);
	remove_clients();
	end_poor_server(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, since they fork, which a process with threads should not. */
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_out_of_the_last_descriptor),
		cmocka_unit_test_teardown(test_the_limit_is_told, close_all),
		cmocka_unit_test_teardown(test_beyond_those_who_are_told, close_all),
		cmocka_unit_test_teardown(test_one_loop_has_as_many_as_are_set, close_all),
		cmocka_unit_test_teardown(test_idle_connections_do_not_stop_the_next, close_all),
		cmocka_unit_test_teardown(test_dealt_evenly, close_all),
		cmocka_unit_test_teardown(test_taken_port_is_refused, close_all),
		cmocka_unit_test(test_wrong_options_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
