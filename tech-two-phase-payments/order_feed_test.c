/* The feed by itself, on a server of the test's: what becomes of streams when there is too much to
 * tell, who is told what by visits alone, and that nobody is told of another's order. */
#include "tech-two-phase-payments/order_feed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/http/stream_fixture.h"
#include "lib/postgres/postgres.h"
#include "lib/testkit/postgres_fixture.h"
#include "tech-two-phase-payments/order_statements.sql.h"
#include "tech-two-phase-payments/schema/001_orders.sql.h"

enum { DATABASE_MS = 20000, TRIES = 50 };

static struct postgres_fixture cluster;
static struct postgres *pg;
static struct http_server *server;
static struct http_channel *channel;
static struct order_feed *feed;

/* As sql_read_events, with the owner. */
static const char read_owned[] =
	"SELECT order_id::text, version, payments.event_json(o), status = 'canceled', user_id "
	"FROM payments.orders AS o WHERE order_id = ANY ($1::text[]::uuid[])";

/* A loop that stands still until the test lets it go on. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool stands, held;
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void follow(struct http_exchange *exchange)
{
	struct slice person = {.data = NULL};
	(void)http_query(exchange, "person", &person);
	order_feed_follow(feed, exchange, http_parameter(exchange, "orderId"), person);
}

static void stand_still(struct http_exchange *exchange)
{
	(void)pthread_mutex_lock(&gate.mutex);
	gate.stands = true;
	(void)pthread_cond_broadcast(&gate.changed);
	while (gate.held)
		(void)pthread_cond_wait(&gate.changed, &gate.mutex);
	(void)pthread_mutex_unlock(&gate.mutex);
	http_reply_empty(exchange, 204);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/orders/{orderId}", HTTP_ON_LOOP, follow, 0},
	{HTTP_GET, "/still", HTTP_ON_LOOP, stand_still, 0},
};

/* ---- Set-up ---- */

static int start_cluster(void **state)
{
	(void)state;
	if (postgres_fixture_start(&cluster, "feed") != STATUS_OK)
		return -1;
	pg = postgres_open(&(struct postgres_options){.url = cluster.url,
		.application_name = "test",
		.connect_ms_max = DATABASE_MS,
		.call_ms_max = DATABASE_MS});
	return pg && postgres_run_script(pg, sql_schema) == STATUS_OK ? 0 : -1;
}

static int stop_cluster(void **state)
{
	(void)state;
	postgres_close(pg);
	postgres_fixture_stop(&cluster);
	return 0;
}

static void open_feed(struct order_feed_options options)
{
	const struct http_server_options server_options = {.routes = routes,
		.route_count = sizeof routes / sizeof *routes,
		.loop_count = 1,
		.stream_keep_alive_ms = NEVER_MS,
		.stream_stall_ms_max = NEVER_MS};
	struct fault fault;
	assert_int_equal(STATUS_OK, http_server_open(&server_options, &server, &fault));
	channel = http_channel_open(
		server, &(struct http_channel_options){.delivery = HTTP_DELIVER_EACH});
	assert_non_null(channel);
	options.channel = channel;
	if (!options.read_events)
		options.read_events = sql_read_events;
	if (!options.database_url)
		options.database_url = cluster.url;
	if (options.database_ms == 0)
		options.database_ms = DATABASE_MS;
	assert_int_equal(STATUS_OK, order_feed_open(&options, &feed));
}

static int close_feed(void **state)
{
	(void)state;
	order_feed_stop(feed);
	http_server_close(server);
	order_feed_close(feed);
	feed = NULL;
	return 0;
}

/* ---- Orders ---- */

struct order {
	struct id id;
	char text[ID_TEXT_SIZE];
	char path[128];
};

static struct order new_order(void)
{
	struct order order = {.id = id_new(clock_wall_ms(clock_system()))};
	id_format(order.id, order.text);
	(void)snprintf(order.path, sizeof order.path, "/orders/%s", order.text);
	return order;
}

static struct order make_order(void)
{
	static const struct postgres_statement make = {.name = "make",
		.sql = "INSERT INTO payments.orders (order_id, user_id, currency, items, total, "
		       "expires_at) VALUES ($1, 'alice', 'EUR', '[]', 4500, 'infinity')"};
	struct order order = new_order();
	assert_int_equal(STATUS_OK,
		postgres_execute(pg, &make, POSTGRES_PARAMETERS(postgres_uuid(order.id)), NULL));
	return order;
}

/* As another process would, of which the feed hears by visits alone. */
static void set_status(const struct order *order, const char *status)
{
	static const struct postgres_statement move = {.name = "move",
		.sql = "UPDATE payments.orders SET status = $2, version = version + 1 WHERE "
		       "order_id = $1"};
	assert_int_equal(STATUS_OK,
		postgres_execute(pg, &move,
			POSTGRES_PARAMETERS(
				postgres_uuid(order->id), postgres_text(slice_of(status))),
			NULL));
}

/* ---- The tests ---- */

static void visits_tell_each_change_and_the_end(void **state)
{
	(void)state;
	open_feed((struct order_feed_options){0});
	struct order order = make_order();
	struct reader *reader = reader_open(server, order.path, "");
	reader_want(reader, "\"status\":\"requires_confirmation\"");
	set_status(&order, "authorizing");
	reader_want(reader, "\"status\":\"authorizing\"");
	set_status(&order, "canceled");
	reader_want(reader, "\"status\":\"canceled\"");
	reader_want_end(reader);
	assert_int_equal(3, reader_count(reader, "event: order"));
	reader_close(reader);
}

/* A database that accepts connections and never says a word: whatever the lane begins with, it is
 * busy with for long. */
static int open_silent_database(char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t address_size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(fd, (struct sockaddr *)&address, sizeof address));
	assert_int_equal(0, listen(fd, 16));
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &address_size));
	(void)snprintf(url, size, "postgres://nobody@127.0.0.1:%u/none?sslmode=disable",
		(unsigned)ntohs(address.sin_port));
	return fd;
}

/* Ask, and read what comes until the head is there. */
static void ask_for_head(struct http_client *client, const char *path, char *head, size_t size)
{
	char request[256];
	size_t got = 0;
	http_client_init(client, http_server_port(server));
	(void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(client, request));
	for (head[0] = '\0'; !strstr(head, "\r\n\r\n"); head[got] = '\0') {
		struct pollfd ready = {.fd = client->fd, .events = POLLIN};
		assert_int_equal(1, poll(&ready, 1, PATIENCE_MS));
		ssize_t more = recv(client->fd, head + got, size - 1 - got, 0);
		assert_true(more > 0);
		got += (size_t)more;
	}
}

/* A stream of which the lane cannot be told would wait for the next change of its order, however
 * long that takes; so it is refused. */
static void stream_that_the_lane_cannot_take_is_refused(void **state)
{
	(void)state;
	static struct http_client clients[TRIES];
	char url[128], head[4096] = "HTTP/1.1 200";
	int silent = open_silent_database(url, sizeof url), count = 0;
	open_feed((struct order_feed_options){
		.database_url = url, .database_ms = 2000, .queue_max = 1});
	while (count < TRIES && strncmp(head, "HTTP/1.1 200", 12) == 0)
		ask_for_head(&clients[count++], new_order().path, head, sizeof head);
	assert_int_equal(0, strncmp(head, "HTTP/1.1 503", 12));
	assert_non_null(strcasestr(head, "\r\nRetry-After:"));
	assert_true(count > 1); /* The first one was taken. */
	for (int i = 0; i < count; i++)
		http_client_release(&clients[i]);
	(void)close(silent);
}

/* Whoever is one too many is told so, and nobody waits in silence; when others have gone, there is
 * room again. */
static void more_orders_than_may_be_followed_are_told_so(void **state)
{
	(void)state;
	enum { FOLLOWED = 2 };
	struct order orders[FOLLOWED], more = make_order();
	struct reader *readers[FOLLOWED];
	open_feed((struct order_feed_options){.followed_max = FOLLOWED, .poll_ms = 10});
	for (size_t i = 0; i < FOLLOWED; i++) {
		orders[i] = make_order();
		readers[i] = reader_open(server, orders[i].path, "");
		reader_want(readers[i], "requires_confirmation");
	}
	struct reader *refused = reader_open(server, more.path, "");
	reader_want(refused, "event: error");
	reader_want(refused, "\"status\":503");
	reader_want_end(refused);
	reader_want_not(refused, "event: order");
	reader_close(refused);
	for (size_t i = 0; i < FOLLOWED; i++) {
		set_status(&orders[i], "authorizing");
		reader_want(readers[i], "\"status\":\"authorizing\"");
	}
	reader_close(readers[0]);
	bool told = false;
	for (int64_t end_ms = now_ms() + PATIENCE_MS; !told && now_ms() < end_ms;) {
		struct reader *again = reader_open(server, more.path, "");
		reader_want(again, "event: ");
		told = strstr(again->text, "event: order") != NULL;
		reader_close(again);
	}
	assert_true(told);
	reader_close(readers[1]);
}

/* The lane goes on with its visits while the loop answers none of them. Nobody is forgotten for it,
 * and told the state once more. */
static void loop_that_stands_still_is_told_nothing_twice(void **state)
{
	(void)state;
	enum { STILL_MS = 1000 }; /* Hundreds of visits. */
	struct order order = make_order();
	open_feed((struct order_feed_options){.poll_ms = 1});
	struct reader *reader = reader_open(server, order.path, "");
	reader_want(reader, "\"status\":\"requires_confirmation\"");
	gate.held = true;
	gate.stands = false;
	struct http_client still;
	http_client_init(&still, http_server_port(server));
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&still));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&still, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n"));
	(void)pthread_mutex_lock(&gate.mutex);
	while (!gate.stands)
		(void)pthread_cond_wait(&gate.changed, &gate.mutex);
	(void)pthread_mutex_unlock(&gate.mutex);
	pause_ms(STILL_MS);
	(void)pthread_mutex_lock(&gate.mutex);
	gate.held = false;
	(void)pthread_cond_broadcast(&gate.changed);
	(void)pthread_mutex_unlock(&gate.mutex);
	set_status(&order, "authorizing");
	reader_want(reader, "\"status\":\"authorizing\"");
	assert_int_equal(1, reader_count(reader, "\"status\":\"requires_confirmation\""));
	http_client_release(&still);
	reader_close(reader);
}

static struct reader *follow_as(const struct order *order, const char *person)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s?person=%s", order->path, person);
	return reader_open(server, path, "");
}

static void want_missing(struct reader *reader)
{
	reader_want(reader, "event: error");
	reader_want(reader, "\"status\":404");
	reader_want_end(reader);
	reader_want_not(reader, "event: order");
	reader_close(reader);
}

/* An event of this version, as the thread that has made the change tells it. */
static void tell(const struct order *order, const char *status, int64_t version)
{
	order_feed_tell(feed,
		&(struct order_change){
			.key = slice_of(order->text), .status = status, .version = version});
}

/* However the change is heard of: by this process, by a visit, at the end. Strangers come before
 * the owner, beside them, and after. */
static void nobody_is_told_of_anothers_order(void **state)
{
	(void)state;
	open_feed((struct order_feed_options){.read_events = read_owned, .poll_ms = 10});
	struct order order = make_order(), none = new_order();
	want_missing(follow_as(&order, "bob"));
	struct reader *alice = follow_as(&order, "alice"), *tab = follow_as(&order, "alice");
	reader_want(alice, "\"status\":\"requires_confirmation\"");
	reader_want(tab, "\"status\":\"requires_confirmation\"");
	want_missing(follow_as(&order, "bob"));
	want_missing(follow_as(&order, "alic"));
	want_missing(reader_open(server, order.path, ""));
	want_missing(follow_as(&none, "alice"));
	tell(&order, "authorizing", 2);
	reader_want(alice, "\"status\":\"authorizing\"");
	reader_want(tab, "\"status\":\"authorizing\"");
	set_status(&order, "authorizing");
	set_status(&order, "canceled");
	tell(&order, "canceled", 3);
	reader_want(alice, "\"status\":\"canceled\"");
	reader_want_end(alice);
	reader_want_end(tab);
	want_missing(follow_as(&order, "bob"));
	reader_close(alice);
	reader_close(tab);
}

/* A crowd of strangers makes the owner hear nothing twice, and takes nobody's room for long. */
static void strangers_do_not_make_the_owner_hear_twice(void **state)
{
	(void)state;
	open_feed((struct order_feed_options){
		.read_events = read_owned, .followed_max = 1, .poll_ms = 10});
	struct order order = make_order();
	struct reader *alice = follow_as(&order, "alice");
	reader_want(alice, "\"status\":\"requires_confirmation\"");
	for (int i = 0; i < 5; i++)
		want_missing(follow_as(&order, "bob"));
	struct order other = make_order();
	want_missing(follow_as(&other, "bob")); /* There is no room for it; that is no excuse. */
	set_status(&order, "authorizing");
	reader_want(alice, "\"status\":\"authorizing\"");
	assert_int_equal(1, reader_count(alice, "\"status\":\"requires_confirmation\""));
	reader_close(alice);
}

/* An order that has no owner is nobody's in particular, whoever says to be somebody. */
static void order_without_owner_is_told_to_nobody_in_particular(void **state)
{
	(void)state;
	open_feed((struct order_feed_options){0});
	struct order order = make_order();
	struct reader *reader = reader_open(server, order.path, "");
	reader_want(reader, "\"status\":\"requires_confirmation\"");
	want_missing(follow_as(&order, "alice"));
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(visits_tell_each_change_and_the_end, close_feed),
		cmocka_unit_test_teardown(stream_that_the_lane_cannot_take_is_refused, close_feed),
		cmocka_unit_test_teardown(more_orders_than_may_be_followed_are_told_so, close_feed),
		cmocka_unit_test_teardown(loop_that_stands_still_is_told_nothing_twice, close_feed),
		cmocka_unit_test_teardown(nobody_is_told_of_anothers_order, close_feed),
		cmocka_unit_test_teardown(strangers_do_not_make_the_owner_hear_twice, close_feed),
		cmocka_unit_test_teardown(
			order_without_owner_is_told_to_nobody_in_particular, close_feed),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
