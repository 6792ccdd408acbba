/* Requests that are handed to lanes and come back in bursts: a round's go together, in order, none
 * is lost where a lane is full or a round writes to more lanes than it has outboxes. */
#include <pthread.h>

#include "lib/batch/lane.h"
#include "lib/http/server_fixture.h"

enum { LANES = 6, CLIENTS = 40 }; /* More lanes than outboxes; one round's worth of clients. */

struct request {
	struct lane_item item; /* First: found by its address. */
	struct http_exchange *exchange;
};

static struct {
	struct http_server *server;
	struct lane *lanes[LANES];
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool held, released; /* The loop stands in hold(). */
	atomic_size_t applied, refused, batches, largest;
	atomic_bool early; /* Something of a round was submitted before its end. */
} burst = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void refuse(struct lane_item *item)
{
	struct http_exchange *exchange = ((struct request *)item)->exchange;
	atomic_fetch_add(&burst.refused, 1);
	http_reply_problem(exchange, &http_problem_unavailable, NULL);
	http_complete(exchange);
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct http_burst replies = {0};
	(void)context, (void)thread;
	atomic_fetch_add(&burst.applied, count);
	atomic_fetch_add(&burst.batches, 1);
	if (count > atomic_load(&burst.largest))
		atomic_store(&burst.largest, count);
	for (size_t i = 0; i < count; i++) {
		struct http_exchange *exchange = ((struct request *)items[i])->exchange;
		http_reply(exchange, 200, "text/plain", http_parameter(exchange, "name"));
		http_burst_add(&replies, exchange);
	}
	http_burst_complete(&replies);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context, (void)items, (void)count;
	abort(); /* Nothing here has a deadline. */
}

static void submit(struct http_exchange *exchange, struct lane *lane)
{
	struct request *request = arena_alloc(http_arena(exchange), sizeof *request);
	assert_non_null(request);
	*request = (struct request){.item.deadline_ms = LANE_NEVER, .exchange = exchange};
	http_submit(exchange, lane, &request->item, refuse);
}

static void post_lane(struct http_exchange *exchange)
{
	size_t number = (size_t)(http_parameter(exchange, "lane").data[0] - '0');
	/* What this round has for lane 0 must not be there yet. */
	if (lane_depth(burst.lanes[0]) > 0 || atomic_load(&burst.applied) > 0)
		atomic_store(&burst.early, true);
	submit(exchange, burst.lanes[number % LANES]);
}

static void hold(struct http_exchange *exchange)
{
	pthread_mutex_lock(&burst.mutex);
	burst.held = true;
	pthread_cond_broadcast(&burst.changed);
	while (!burst.released)
		pthread_cond_wait(&burst.changed, &burst.mutex);
	pthread_mutex_unlock(&burst.mutex);
	http_reply_empty(exchange, 204);
}

static void get_ready(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static void open_all(size_t loop_count, size_t queue_max)
{
	static const struct lane_ops ops = {.apply = apply, .late = late};
	static const struct http_route routes[] = {
		{HTTP_GET, "/lanes/{lane}/{name}", HTTP_ON_LOOP, post_lane, 0},
		{HTTP_GET, "/hold", HTTP_ON_LOOP, hold, 0},
		{HTTP_GET, "/ready", HTTP_ON_LOOP, get_ready, 0},
	};
	struct fault fault = {0};
	burst.held = burst.released = false;
	atomic_store(&burst.early, false);
	atomic_store(&burst.applied, 0);
	atomic_store(&burst.refused, 0);
	atomic_store(&burst.batches, 0);
	atomic_store(&burst.largest, 0);
	for (size_t i = 0; i < LANES; i++)
		assert_int_equal(STATUS_OK,
			lane_open(&(struct lane_options){.name = "burst",
					  .ops = &ops,
					  .queue_max = queue_max,
					  .batch_max = CLIENTS},
				&burst.lanes[i]));
	struct http_server_options options = {.routes = routes,
		.route_count = sizeof routes / sizeof routes[0],
		.loop_count = loop_count,
		.idle_ms_max = NEVER_MS,
		.head_ms_max = NEVER_MS,
		.request_ms_max = NEVER_MS};
	if (http_server_open(&options, &burst.server, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
}

static int close_all(void **state)
{
	(void)state;
	http_server_close(burst.server);
	for (size_t i = 0; i < LANES; i++)
		lane_close(burst.lanes[i]);
	return 0;
}

static void connect_clients(struct http_client clients[], size_t count)
{
	struct http_client_reply reply = {0};
	for (size_t i = 0; i < count; i++) {
		http_client_init(&clients[i], http_server_port(burst.server));
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&clients[i], "GET", "/ready", NULL, NULL, &reply));
	}
	http_client_reply_release(&reply);
}

/* Ask for the lanes in turn, all in one round: the loop is held while the requests arrive. */
static void ask_in_one_round(
	struct http_client *holder, struct http_client clients[], size_t count, size_t lanes)
{
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(holder, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
	pthread_mutex_lock(&burst.mutex);
	while (!burst.held)
		pthread_cond_wait(&burst.changed, &burst.mutex);
	pthread_mutex_unlock(&burst.mutex);
	for (size_t i = 0; i < count; i++) {
		char text[128];
		snprintf(text, sizeof text, "GET /lanes/%zu/n%zu HTTP/1.1\r\nHost: h\r\n\r\n",
			i % lanes, i);
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&clients[i], text));
	}
	pthread_mutex_lock(&burst.mutex);
	burst.released = true;
	pthread_cond_broadcast(&burst.changed);
	pthread_mutex_unlock(&burst.mutex);
}

/* Each gets its own answer. Returns how many were refused. */
static size_t receive_all(struct http_client clients[], size_t count)
{
	struct http_client_reply reply = {0};
	size_t refused = 0;
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof name, "n%zu", i);
		assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&clients[i], "GET", &reply));
		refused += reply.status == 503;
		if (reply.status != 503) {
			assert_int_equal(200, reply.status);
			assert_string_equal(name, reply.body);
		}
		http_client_release(&clients[i]);
	}
	http_client_reply_release(&reply);
	return refused;
}

static void test_a_round_is_one_batch(void **state)
{
	struct http_client holder, clients[CLIENTS];
	(void)state;
	open_all(1, 1000);
	connect_clients(&holder, 1);
	connect_clients(clients, CLIENTS);
	ask_in_one_round(&holder, clients, CLIENTS, 1);
	assert_int_equal(0, receive_all(clients, CLIENTS));
	assert_false(atomic_load(&burst.early));
	assert_int_equal(1, atomic_load(&burst.batches));
	assert_int_equal(CLIENTS, atomic_load(&burst.largest));
	http_client_release(&holder);
}

static void test_more_lanes_than_outboxes(void **state)
{
	struct http_client holder, clients[CLIENTS];
	(void)state;
	open_all(1, 1000);
	connect_clients(&holder, 1);
	connect_clients(clients, CLIENTS);
	ask_in_one_round(&holder, clients, CLIENTS, LANES);
	assert_int_equal(0, receive_all(clients, CLIENTS));
	assert_int_equal(CLIENTS, atomic_load(&burst.applied));
	http_client_release(&holder);
}

static void test_what_a_lane_does_not_take_is_refused(void **state)
{
	enum { QUEUE = 5 };
	struct http_client holder, clients[CLIENTS];
	(void)state;
	open_all(1, QUEUE);
	connect_clients(&holder, 1);
	connect_clients(clients, CLIENTS);
	ask_in_one_round(&holder, clients, CLIENTS, 1);
	assert_int_equal(CLIENTS - QUEUE, receive_all(clients, CLIENTS));
	assert_int_equal(CLIENTS - QUEUE, atomic_load(&burst.refused));
	assert_int_equal(QUEUE, atomic_load(&burst.applied));
	http_client_release(&holder);
}

/* A batch holds requests of several loops, and each gets back its own. */
static void test_a_batch_goes_back_to_its_loops(void **state)
{
	enum { ROUNDS = 200, LOOPS = 3 };
	static struct http_client clients[CLIENTS];
	struct http_client_reply reply = {0};
	(void)state;
	open_all(LOOPS, 1000);
	connect_clients(clients, CLIENTS);
	for (size_t round = 0; round < ROUNDS; round++) {
		char text[128], name[64];
		for (size_t i = 0; i < CLIENTS; i++) {
			snprintf(text, sizeof text,
				"GET /lanes/0/r%zu-%zu HTTP/1.1\r\nHost: h\r\n\r\n", round, i);
			assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&clients[i], text));
		}
		for (size_t i = 0; i < CLIENTS; i++) {
			snprintf(name, sizeof name, "r%zu-%zu", round, i);
			assert_int_equal(
				HTTP_CLIENT_OK, http_client_receive(&clients[i], "GET", &reply));
			assert_int_equal(200, reply.status);
			assert_string_equal(name, reply.body);
		}
	}
	assert_int_equal(ROUNDS * CLIENTS, atomic_load(&burst.applied));
	for (size_t i = 0; i < CLIENTS; i++)
		http_client_release(&clients[i]);
	http_client_reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_round_is_one_batch, close_all),
		cmocka_unit_test_teardown(test_more_lanes_than_outboxes, close_all),
		cmocka_unit_test_teardown(test_what_a_lane_does_not_take_is_refused, close_all),
		cmocka_unit_test_teardown(test_a_batch_goes_back_to_its_loops, close_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
