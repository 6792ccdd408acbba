/* Streams with a key: who is sent what, in which order, what happens to those who do not read, and
 * how it ends. */
#include <pthread.h>

#include "lib/http/stream_fixture.h"

static struct http_server *server;
static struct http_channel *each, *latest;
static char large[60000];

static void follow(struct http_exchange *exchange)
{
	bool is_each = slice_is(http_parameter(exchange, "channel"), "each");
	http_stream_begin_keyed(exchange, is_each ? each : latest, http_parameter(exchange, "key"),
		http_event_format(exchange, "state", slice_of("now")));
}

static void follow_without(struct http_exchange *exchange)
{
	http_stream_begin(exchange, each, http_event_format(exchange, "state", slice_of("now")));
}

static void follow_nothing(struct http_exchange *exchange)
{
	http_stream_begin_keyed(exchange, each, (struct slice){0}, (struct slice){0});
}

static const struct http_route routes[] = {
	{HTTP_GET, "/{channel}/{key}", HTTP_ON_LOOP, follow, 0},
	{HTTP_GET, "/without", HTTP_ON_LOOP, follow_without, 0},
	{HTTP_GET, "/nothing", HTTP_ON_LOOP, follow_nothing, 0},
};

static void open_server(size_t loop_count)
{
	struct http_server_options options = {.routes = routes,
		.route_count = sizeof routes / sizeof routes[0],
		.loop_count = loop_count,
		.stream_keep_alive_ms = NEVER_MS,
		.stream_stall_ms_max = NEVER_MS};
	struct fault fault;
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	each = http_channel_open(server, &(struct http_channel_options){.backlog = 512});
	latest = http_channel_open(
		server, &(struct http_channel_options){.delivery = HTTP_DELIVER_LATEST});
	assert_non_null(each);
	assert_non_null(latest);
}

static int set_up(void **state)
{
	(void)state;
	open_server(2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_close(server);
	return 0;
}

static struct reader *open_key(const char *path, const char *key)
{
	char full[256];
	snprintf(full, sizeof full, "%s/%s", path, key);
	struct reader *reader = reader_open(server, full, "");
	reader_want(reader, "event: state\ndata: now\n\n");
	return reader;
}

static void send_key(struct http_channel *channel, const char *key, const char *text)
{
	assert_int_equal(
		STATUS_OK, http_channel_send(channel, slice_of(key), "own", slice_of(text)));
}

static void publish(struct http_channel *channel, const char *text)
{
	assert_int_equal(STATUS_OK, http_channel_publish(channel, "all", slice_of(text)));
}

/* ---- Who gets what ---- */

static void test_only_the_streams_of_the_key_are_sent_it(void **state)
{
	(void)state;
	struct reader *readers[] = {open_key("/each", "ann"), open_key("/each", "ann"),
		open_key("/each", "ann"), open_key("/each", "bob"),
		reader_open(server, "/without", ""), open_key("/latest", "ann")};
	enum { COUNT = sizeof readers / sizeof readers[0], ANNS = 3 };
	reader_want(readers[4], "event: state");
	send_key(each, "ann", "for Ann\nalone");
	send_key(each, "an", "for nobody");
	send_key(each, "anna", "for nobody");
	publish(each, "for all");
	publish(latest, "for all");
	for (size_t i = 0; i < COUNT; i++) {
		reader_want(readers[i], "data: for all\n");
		size_t sent =
			reader_count(readers[i], "event: own\ndata: for Ann\ndata: alone\n\n");
		assert_int_equal(i < ANNS, sent);
		reader_want_not(readers[i], "for nobody");
		reader_close(readers[i]);
	}
	want_streams(each, 0);
	send_key(each, "ann", "too late");
}

static void test_many_keys(void **state)
{
	(void)state;
	enum { KEYS = 200 };
	static struct reader *readers[KEYS];
	char key[32], text[64];
	for (size_t i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "key-%zu", i);
		readers[i] = open_key("/each", key);
	}
	/* Every third has left before. */
	for (size_t i = 0; i < KEYS; i += 3)
		reader_close(readers[i]);
	want_streams(each, KEYS - (KEYS + 2) / 3);
	for (size_t i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "key-%zu", i);
		snprintf(text, sizeof text, "of %zu.", i);
		send_key(each, key, text);
	}
	publish(each, "the end");
	for (size_t i = 0; i < KEYS; i++) {
		if (i % 3 == 0)
			continue;
		snprintf(text, sizeof text, "data: of %zu.\n", i);
		reader_want(readers[i], text);
		reader_want(readers[i], "data: the end\n");
		assert_int_equal(1, reader_count(readers[i], "event: own\n"));
		reader_close(readers[i]);
	}
}

static void test_what_is_no_key_is_refused(void **state)
{
	(void)state;
	char path[256], key[HTTP_STREAM_KEY_SIZE_MAX + 2];
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	snprintf(path, sizeof path, "/each/%s", key);
	want_status(server, path, 400);
	want_status(server, "/nothing", 400);
	assert_int_equal(STATUS_REFUSED, http_channel_send(each, slice_of(key), "a", slice_of("")));
	assert_int_equal(STATUS_REFUSED, http_channel_send(each, slice_of(""), "a", slice_of("")));
	assert_int_equal(
		STATUS_REFUSED, http_channel_send(each, slice_of("k"), "a\nb", slice_of("")));
	key[HTTP_STREAM_KEY_SIZE_MAX] = '\0';
	struct reader *reader = open_key("/each", key);
	send_key(each, key, "long");
	reader_want(reader, "data: long\n");
	reader_close(reader);
}

static void test_a_key_has_only_so_many_streams(void **state)
{
	http_server_close(server);
	open_server(1);
	struct reader *readers[HTTP_STREAMS_PER_KEY_MAX];
	for (size_t i = 0; i < HTTP_STREAMS_PER_KEY_MAX; i++)
		readers[i] = open_key("/each", "ann");
	want_status(server, "/each/ann", 429);
	reader_close(open_key("/each", "bob"));
	reader_close(readers[0]);
	want_streams(each, HTTP_STREAMS_PER_KEY_MAX - 1);
	readers[0] = open_key("/each", "ann");
	for (size_t i = 0; i < HTTP_STREAMS_PER_KEY_MAX; i++)
		reader_close(readers[i]);
	(void)state;
}

/* ---- Order, and those who do not read ---- */

/* Among the messages of a channel that delivers each. */
static void test_order_is_kept(void **state)
{
	(void)state;
	enum { ROUNDS = HTTP_STREAM_WAITING_MAX };
	struct reader *reader = open_key("/each", "ann");
	char text[64];
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof text, "%d, shared.", i);
		publish(each, text);
		snprintf(text, sizeof text, "%d, own.", i);
		send_key(each, "ann", text);
	}
	reader_want(reader, text);
	const char *at = reader->text;
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof text, "data: %d, shared.\n", i);
		at = strstr(at, text);
		assert_non_null(at);
		snprintf(text, sizeof text, "data: %d, own.\n", i);
		at = strstr(at, text);
		assert_non_null(at);
	}
	reader_close(reader);
}

/* Read until `end` has come, and forget the rest: what is kept are the lines of own events. */
static void read_own(struct reader *reader, const char *end, char *own, size_t *shared)
{
	int64_t deadline_ms = now_ms() + 3 * PATIENCE_MS;
	size_t size = 0;
	bool done = false;
	*shared = 0;
	while (!done && now_ms() < deadline_ms && reader_take(reader, PATIENCE_MS)) {
		char *line = reader->text, *stop;
		for (; (stop = strchr(line, '\n')); line = stop + 1) {
			done = done || strncmp(line, end, strlen(end)) == 0;
			*shared += strncmp(line, "event: all", 10) == 0;
			if (strncmp(line, "data: own ", 10) != 0)
				continue;
			memcpy(own + size, line + 10, (size_t)(stop - line) - 9);
			size += (size_t)(stop - line) - 9;
		}
		reader->size -= (size_t)(line - reader->text);
		memmove(reader->text, line, reader->size + 1);
	}
	own[size] = '\0';
	assert_true(done);
}

/* What all are told is conflated away; what one is told is not. */
static void test_own_events_are_not_conflated(void **state)
{
	(void)state;
	enum { OWN = HTTP_STREAM_WAITING_MAX, SHARED_EACH = 4 };
	static char own[4096];
	struct reader *reader = open_key("/latest", "ann");
	char text[64], expected[4096] = "";
	size_t shared;
	for (int i = 0; i < OWN; i++) {
		for (int j = 0; j < SHARED_EACH; j++)
			publish(latest, large);
		snprintf(text, sizeof text, "own %d", i);
		send_key(latest, "ann", text);
		snprintf(
			expected + strlen(expected), sizeof expected - strlen(expected), "%d\n", i);
	}
	publish(latest, "the end");
	read_own(reader, "data: the end", own, &shared);
	assert_string_equal(expected, own);
	assert_true(shared < (size_t)OWN * SHARED_EACH);
	reader_close(reader);
}

/* Nobody's memory is without bound: the stream of one who takes nothing ends, and everything is
 * told anew when it comes back. */
static void test_who_takes_nothing_is_ended(void **state)
{
	(void)state;
	enum { EVENTS = 400 };
	struct reader *stalled = open_key("/each", "ann"), *other = open_key("/each", "bob");
	for (size_t i = 0; i < EVENTS; i++)
		send_key(each, "ann", large);
	send_key(each, "bob", "still here");
	reader_want(other, "data: still here\n");
	size_t total = 0;
	while (!stalled->ended && reader_take(stalled, PATIENCE_MS)) {
		total += stalled->size;
		stalled->size = 0;
	}
	assert_true(stalled->ended);
	assert_true(total < EVENTS * sizeof large);
	reader_close(stalled);
	want_streams(each, 1);
	stalled = open_key("/each", "ann");
	send_key(each, "ann", "again");
	reader_want(stalled, "data: again\n");
	reader_close(stalled);
	reader_close(other);
}

/* ---- Coming back, and the end ---- */

/* Keyed events have no id, so whoever returns goes on behind the channel's last one; the state of
 * its key is the handler's business. */
static void test_who_returns_goes_on_behind_the_channel(void **state)
{
	(void)state;
	char header[128];
	struct reader *reader = open_key("/each", "ann");
	publish(each, "one");
	send_key(each, "ann", "mine");
	reader_want(reader, "event: own\ndata: mine\n\n");
	assert_int_equal(1, reader_count(reader, "\nid: "));
	const char *id = strstr(reader->text, "\nid: ") + 5;
	snprintf(header, sizeof header, "Last-Event-ID: %.*s\r\n", (int)strcspn(id, "\n"), id);
	reader_close(reader);
	send_key(each, "ann", "missed");
	publish(each, "two");
	reader = reader_open(server, "/each/ann", header);
	reader_want(reader, "data: two\n");
	assert_int_equal(1, reader_count(reader, "event: state\ndata: now\n\n"));
	reader_want_not(reader, "data: one\n");
	reader_want_not(reader, "data: missed\n");
	reader_want_not(reader, "event: reset");
	reader_close(reader);
}

static void test_the_last_event_ends_the_streams(void **state)
{
	(void)state;
	struct reader *one = open_key("/each", "ann"), *two = open_key("/each", "ann"),
		      *other = open_key("/each", "bob");
	publish(each, "before");
	send_key(each, "ann", "first");
	assert_int_equal(
		STATUS_OK, http_channel_finish(each, slice_of("ann"), "paid", slice_of("last")));
	send_key(each, "ann", "nobody's");
	struct reader *const ended[] = {one, two};
	for (size_t i = 0; i < 2; i++) {
		reader_want_end(ended[i]);
		const char *before = strstr(ended[i]->text, "data: before\n");
		const char *first = strstr(ended[i]->text, "data: first\n");
		const char *last = strstr(ended[i]->text, "event: paid\ndata: last\n\n");
		assert_true(before && first && last && before < first && first < last);
		reader_want_not(ended[i], "nobody's");
		reader_close(ended[i]);
	}
	want_streams(each, 1);
	/* Without an event. A stream that begins later is another one. */
	assert_int_equal(
		STATUS_OK, http_channel_finish(each, slice_of("bob"), NULL, (struct slice){0}));
	reader_want_end(other);
	reader_close(other);
	one = open_key("/each", "ann");
	send_key(each, "ann", "a new story");
	reader_want(one, "data: a new story\n");
	reader_close(one);
}

/* ---- Which keys are followed ---- */

/* What one asking has been told; what it was told late is its own. */
struct told {
	pthread_mutex_t mutex;
	size_t ann, bob, others;
};

static void take_keys(void *context, const struct slice keys[], size_t count)
{
	struct told *told = context;
	pthread_mutex_lock(&told->mutex);
	for (size_t i = 0; i < count; i++)
		if (slice_is(keys[i], "ann"))
			told->ann++;
		else if (slice_is(keys[i], "bob"))
			told->bob++;
		else
			told->others++;
	pthread_mutex_unlock(&told->mutex);
}

static void want_told(struct told *told, size_t ann, size_t bob, size_t others)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	bool all = false;
	const struct http_key_visit visit = {.visit = take_keys, .context = told};
	pthread_mutex_init(&told->mutex, NULL);
	assert_int_equal(STATUS_OK, http_channel_visit_keys(each, &visit));
	while (!all && now_ms() < end_ms) {
		pause_ms(1);
		pthread_mutex_lock(&told->mutex);
		all = told->ann >= ann && told->bob >= bob && told->others >= others;
		pthread_mutex_unlock(&told->mutex);
	}
	assert_true(all);
}

static void test_open_streams_are_told(void **state)
{
	(void)state;
	enum { OTHERS = 600 };
	static struct reader *others[OTHERS];
	static struct told told[3];
	struct reader *readers[] = {open_key("/each", "ann"), open_key("/each", "ann"),
		open_key("/each", "bob"), reader_open(server, "/without", ""),
		open_key("/latest", "ann")};
	reader_want(readers[3], "event: state");
	want_told(&told[0], 2, 1, 0);
	/* However a stream ends. */
	reader_close(readers[0]);
	assert_int_equal(
		STATUS_OK, http_channel_finish(each, slice_of("bob"), NULL, (struct slice){0}));
	want_streams(each, 2);
	char key[32];
	for (size_t i = 0; i < OTHERS; i++) {
		snprintf(key, sizeof key, "other-%zu", i);
		others[i] = open_key("/each", key);
	}
	want_told(&told[1], 1, 0, OTHERS);
	for (size_t i = 1; i < 5; i++)
		reader_close(readers[i]);
	for (size_t i = 0; i < OTHERS; i++)
		reader_close(others[i]);
	want_streams(each, 0);
	want_told(&told[2], 0, 0, 0);
	/* All loops have told all they had to tell. */
	http_server_close(server);
	const size_t wanted[3][3] = {{2, 1, 0}, {1, 0, OTHERS}, {0, 0, 0}};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(wanted[i][0], told[i].ann);
		assert_int_equal(wanted[i][1], told[i].bob);
		assert_int_equal(wanted[i][2], told[i].others);
		pthread_mutex_destroy(&told[i].mutex);
	}
	set_up(NULL);
}

/* ---- All at once ---- */

enum { SENDERS = 4, ROUNDS = 20 };

static struct told nobody = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static const struct http_key_visit unheard = {.visit = take_keys, .context = &nobody};

static void *send_many(void *context)
{
	const char *key = context;
	for (int i = 0; i < 500; i++) {
		char text[64];
		snprintf(text, sizeof text, "%s %d.", key, i);
		assert_int_equal(STATUS_OK,
			i % 50 == 49
				? http_channel_finish(latest, slice_of(key), "last", slice_of(text))
				: http_channel_send(latest, slice_of(key), "own", slice_of(text)));
		assert_int_equal(STATUS_OK, http_channel_publish(latest, "all", slice_of(text)));
		if (i % 100 == 0)
			assert_int_equal(STATUS_OK, http_channel_visit_keys(latest, &unheard));
	}
	return NULL;
}

/* Streams come, go and are ended while several threads send to their keys. */
static void test_streams_come_and_go_meanwhile(void **state)
{
	(void)state;
	static char keys[SENDERS][16];
	pthread_t threads[SENDERS];
	for (size_t i = 0; i < SENDERS; i++) {
		snprintf(keys[i], sizeof keys[i], "key-%zu", i);
		assert_int_equal(0, pthread_create(&threads[i], NULL, send_many, keys[i]));
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		struct reader *readers[SENDERS];
		for (size_t i = 0; i < SENDERS; i++)
			readers[i] = open_key("/latest", keys[i]);
		for (size_t i = 0; i < SENDERS; i++)
			reader_close(readers[i]);
	}
	for (size_t i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	want_streams(latest, 0);
	struct reader *reader = open_key("/latest", keys[0]);
	send_key(latest, keys[0], "after all");
	reader_want(reader, "data: after all\n");
	reader_close(reader);
}

/* With events that wait, and requests for keys. */
static void test_the_server_closes(void **state)
{
	struct reader *reader = open_key("/each", "ann");
	for (size_t i = 0; i < 100; i++)
		send_key(each, "ann", large);
	assert_int_equal(STATUS_OK, http_channel_visit_keys(each, &unheard));
	reader_close(reader);
	tear_down(state);
	set_up(state);
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	memset(large, 'x', sizeof large - 1);
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_only_the_streams_of_the_key_are_sent_it),
		STREAM_TEST(test_many_keys),
		STREAM_TEST(test_what_is_no_key_is_refused),
		STREAM_TEST(test_a_key_has_only_so_many_streams),
		STREAM_TEST(test_order_is_kept),
		STREAM_TEST(test_own_events_are_not_conflated),
		STREAM_TEST(test_who_takes_nothing_is_ended),
		STREAM_TEST(test_who_returns_goes_on_behind_the_channel),
		STREAM_TEST(test_the_last_event_ends_the_streams),
		STREAM_TEST(test_open_streams_are_told),
		STREAM_TEST(test_streams_come_and_go_meanwhile),
		STREAM_TEST(test_the_server_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
