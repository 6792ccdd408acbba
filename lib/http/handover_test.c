/* Requests that leave their loop and come back: from workers, and from another thread. Resumed by
 * any thread but the loop's own, libmicrohttpd loses wake-ups, and most of these would never be
 * answered. */
#include "lib/http/server_fixture.h"

#include <poll.h>
#include <pthread.h>

enum { CLIENTS = 64, REQUESTS = 800, ID_SIZE = 33 };

static char (*ids)[ID_SIZE]; /* Of each reply, in two runs. */

static int close_all(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

struct asker {
	pthread_t thread;
	const char *path;
	size_t index;
	size_t answered;
};

static void *ask_often(void *context)
{
	struct asker *asker = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, fixture.port);
	char(*to)[ID_SIZE] = ids + asker->index * REQUESTS;
	for (size_t i = 0; i < REQUESTS; i++) {
		if (http_client_call(&client, "GET", asker->path, NULL, NULL, &reply) !=
				HTTP_CLIENT_OK ||
			reply.status != 200)
			break;
		snprintf(to[i], ID_SIZE, "%s", http_client_reply_header(&reply, "X-Request-Id"));
		asker->answered++;
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void ask_at_once(const char *path, size_t run)
{
	static struct asker askers[CLIENTS];
	for (size_t i = 0; i < CLIENTS; i++) {
		askers[i] = (struct asker){.path = path, .index = run * CLIENTS + i};
		assert_int_equal(0, pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]));
	}
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(askers[i].thread, NULL);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(REQUESTS, askers[i].answered);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, ID_SIZE);
}

/* The ids of all those replies are compared, too: over 100,000, from several loops. */
static void test_all_are_answered_with_ids_of_their_own(void **state)
{
	(void)state;
	enum { RUNS = 2, TOTAL = RUNS * CLIENTS * REQUESTS };
	_Static_assert(TOTAL > 100000, "enough ids");
	ids = calloc(TOTAL, ID_SIZE);
	assert_non_null(ids);
	fixture_open((struct http_server_options){.loop_count = 3, .worker_count = 4});
	ask_at_once("/work", 0);
	ask_at_once("/deferred", 1);
	assert_int_equal(TOTAL, atomic_load(&fixture.handled));
	qsort(ids, TOTAL, ID_SIZE, compare_ids);
	for (size_t i = 0; i < TOTAL; i++) {
		assert_int_equal(ID_SIZE - 1, strlen(ids[i]));
		if (i > 0)
			assert_string_not_equal(ids[i - 1], ids[i]);
	}
	free(ids);
}

static void open_clients(struct http_client clients[], size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		char text[128];
		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
		http_client_init(&clients[i], fixture.port);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&clients[i]));
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&clients[i], text));
	}
}

static void want_all(struct http_client clients[], size_t count, int status)
{
	struct http_client_reply reply = {0};
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&clients[i], "GET", &reply));
		assert_int_equal(status, reply.status);
		http_client_release(&clients[i]);
	}
	http_client_reply_release(&reply);
}

static void test_full_queue_is_answered_before_any_work(void **state)
{
	(void)state;
	struct http_client first[1], queued[2];
	fixture_open((struct http_server_options){
		.loop_count = 2, .worker_count = 1, .worker_queue_max = 2});
	open_clients(first, 1, "/gate");
	fixture_wait_count(&fixture.waiting, 1);
	open_clients(queued, 2, "/gate");
	fixture_wait_queued(2);
	for (size_t i = 0; i < 20; i++) {
		ask("GET", "/work", NULL, NULL, 503);
		want_problem("unavailable");
		want_header("Retry-After", "1");
	}
	/* The loops do not wait for the workers. */
	ask("GET", "/plain", NULL, NULL, 200);
	assert_int_equal(1, atomic_load(&fixture.handled));
	fixture_open_gate();
	want_all(first, 1, 200);
	want_all(queued, 2, 200);
	ask("GET", "/work", NULL, NULL, 200);
	assert_int_equal(5, atomic_load(&fixture.handled));
}

/* Send the worker to the gate. On a busy machine the request itself may come to its turn too late;
 * then it is answered and sent again. */
static void occupy_worker(struct http_client *client)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	do {
		open_clients(client, 1, "/gate");
		struct pollfd answer = {.fd = client->fd, .events = POLLIN};
		while (atomic_load(&fixture.waiting) == 0 && poll(&answer, 1, 5) == 0 &&
			now_ms() < end_ms)
			;
		if (atomic_load(&fixture.waiting) > 0)
			return;
		http_client_release(client);
	} while (now_ms() < end_ms);
	fail_msg("the worker does not come to the gate");
}

static void test_what_waited_too_long_is_not_applied(void **state)
{
	(void)state;
	enum { REQUEST_MS = 300 };
	struct http_client first[1], late[4];
	fixture_open((struct http_server_options){
		.loop_count = 1, .worker_count = 1, .request_ms_max = REQUEST_MS});
	occupy_worker(first);
	open_clients(late, 4, "/work");
	fixture_wait_queued(4);
	pause_ms(REQUEST_MS + 50);
	fixture_open_gate();
	want_all(first, 1, 200);
	want_all(late, 4, 503);
	assert_int_equal(1, atomic_load(&fixture.handled));
	/* Others are applied again, unless the machine stands still for just as long. */
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&fixture.handled) == 1 && now_ms() < end_ms)
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(
				&fixture.client, "GET", "/work", NULL, NULL, &fixture.reply));
	assert_int_equal(200, fixture.reply.status);
}

static void test_clients_that_left_the_queue_are_skipped(void **state)
{
	(void)state;
	struct http_client first[1], gone[8];
	fixture_open((struct http_server_options){.loop_count = 1, .worker_count = 1});
	open_clients(first, 1, "/gate");
	fixture_wait_count(&fixture.waiting, 1);
	open_clients(gone, 8, "/work");
	fixture_wait_queued(8);
	for (size_t i = 0; i < 8; i++) {
		if (i % 2)
			http_client_abort(&gone[i]);
		http_client_release(&gone[i]);
	}
	/* A loop looks who has gone at the beginning of each round. In the one that answers this,
	 * it may have looked too early; in the one that answers the next, it has seen them. */
	for (size_t i = 0; i < 3; i++) {
		ask("GET", "/plain", NULL, NULL, 200);
		http_client_close(&fixture.client);
	}
	size_t handled = atomic_load(&fixture.handled);
	fixture_open_gate();
	want_all(first, 1, 200);
	fixture_wait_connections(0);
	assert_int_equal(handled + 1, atomic_load(&fixture.handled));
}

/* libmicrohttpd never looks at a suspended connection. */
static void test_suspended_client_that_goes_is_noticed(void **state)
{
	(void)state;
	enum { GONE = 12 };
	struct http_client gone[GONE];
	fixture_open((struct http_server_options){.loop_count = 2, .worker_count = 1});
	open_clients(gone, GONE, "/left");
	fixture_wait_deferred(GONE);
	assert_int_equal(0, atomic_load(&fixture.left));
	for (size_t i = 0; i < GONE; i++) {
		if (i % 3 == 0)
			http_client_abort(&gone[i]);
		else if (i % 3 == 1)
			http_client_finish_sending(&gone[i]);
		else
			http_client_close(&gone[i]);
	}
	/* Nothing else would end them: no limit runs while a handler works. */
	fixture_wait_count(&fixture.left, GONE);
	fixture_wait_connections(0);
	for (size_t i = 0; i < GONE; i++)
		http_client_release(&gone[i]);
}

/* The end may be heard before the request that came with it has been read. */
static void test_client_that_goes_at_once_is_noticed(void **state)
{
	(void)state;
	fixture_open((struct http_server_options){.loop_count = 1, .worker_count = 1});
	for (size_t i = 1; i <= 50; i++) {
		send_raw("GET /left HTTP/1.1\r\nHost: h\r\n\r\n");
		http_client_finish_sending(&fixture.client);
		fixture_wait_count(&fixture.left, i);
		fixture_wait_connections(0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_all_are_answered_with_ids_of_their_own, close_all),
		cmocka_unit_test_teardown(test_full_queue_is_answered_before_any_work, close_all),
		cmocka_unit_test_teardown(test_what_waited_too_long_is_not_applied, close_all),
		cmocka_unit_test_teardown(test_clients_that_left_the_queue_are_skipped, close_all),
		cmocka_unit_test_teardown(test_suspended_client_that_goes_is_noticed, close_all),
		cmocka_unit_test_teardown(test_client_that_goes_at_once_is_noticed, close_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
