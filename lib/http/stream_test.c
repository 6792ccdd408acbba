/* Streams of events against a real server: what a client is sent, what it gets when it returns, and
 * what becomes of those who read slowly, leave, or stay until the server closes. */
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http/stream_fixture.h"

enum { BACKLOG = 8, RETRY_MS = 1000, KEEP_ALIVE_MS = 150, STALL_MS = 3000, VANISHED_MS = 1000 };

static struct http_server *server;
static struct http_channel *each, *latest;

static void follow_each(struct http_exchange *exchange)
{
	http_stream_begin(
		exchange, each, http_event_format(exchange, "hello", slice_of("one\ntwo")));
}

static void follow_latest(struct http_exchange *exchange)
{
	http_stream_begin(exchange, latest, (struct slice){0});
}

static const struct http_route routes[] = {
	{HTTP_GET, "/each", HTTP_ON_LOOP, follow_each, 0},
	{HTTP_GET, "/latest", HTTP_ON_LOOP, follow_latest, 0},
};

static void open_server(int64_t keep_alive_ms, int64_t stall_ms_max)
{
	struct http_server_options options = {.routes = routes,
		.route_count = 2,
		.loop_count = 2,
		.stream_keep_alive_ms = keep_alive_ms,
		.stream_stall_ms_max = stall_ms_max,
		.drain_ms_max = NEVER_MS};
	struct fault fault;
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	each = http_channel_open(
		server, &(struct http_channel_options){.backlog = BACKLOG, .retry_ms = RETRY_MS});
	latest = http_channel_open(
		server, &(struct http_channel_options){.delivery = HTTP_DELIVER_LATEST});
	assert_non_null(each);
	assert_non_null(latest);
}

static void reopen_server(int64_t keep_alive_ms, int64_t stall_ms_max)
{
	http_server_close(server);
	open_server(keep_alive_ms, stall_ms_max);
}

static int set_up(void **state)
{
	(void)state;
	open_server(NEVER_MS, NEVER_MS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_close(server);
	return 0;
}

static void publish(struct http_channel *channel, const char *text)
{
	assert_int_equal(STATUS_OK, http_channel_publish(channel, "tick", slice_of(text)));
}

/* The id that stands before this event's data. */
static void id_of(const struct reader *reader, const char *data, char id[64])
{
	const char *place = strstr(reader->text, data), *begin = "";
	assert_non_null(place);
	for (const char *at = strstr(reader->text, "id: "); at && at < place;
		at = strstr(at + 1, "id: "))
		begin = at + 4;
	assert_true(*begin);
	snprintf(id, 64, "%.*s", (int)strcspn(begin, "\n"), begin);
}

/* ---- Tests ---- */

static void test_events_come_with_ids_and_a_retry(void **state)
{
	(void)state;
	struct reader *reader = reader_open(server, "/each", "");
	reader_want(reader, "event: hello\ndata: one\ndata: two\n\n");
	publish(each, "first");
	publish(each, "second\nline");
	reader_want(reader, "-0\nevent: tick\ndata: first\n\n");
	reader_want(reader, "-1\nevent: tick\ndata: second\ndata: line\n\n");
	assert_non_null(strstr(reader->text, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(reader->text, "Cache-Control: no-store\r\n"));
	const char *retry = strstr(reader->text, "retry: ");
	assert_non_null(retry);
	long ms = strtol(retry + 7, NULL, 10);
	assert_in_range(ms, RETRY_MS, 2 * RETRY_MS);
	reader_close(reader);
}

static void test_retries_are_spread(void **state)
{
	(void)state;
	enum { READERS = 12 };
	long first = 0, different = 0;
	for (size_t i = 0; i < READERS; i++) {
		struct reader *reader = reader_open(server, "/each", "");
		reader_want(reader, "event: hello");
		long ms = strtol(strstr(reader->text, "retry: ") + 7, NULL, 10);
		first = i == 0 ? ms : first;
		different += ms != first;
		reader_close(reader);
	}
	assert_true(different > 0);
}

static void test_who_returns_misses_nothing(void **state)
{
	(void)state;
	char id[64], header[128];
	struct reader *reader = reader_open(server, "/each", "");
	reader_want(reader, "event: hello");
	publish(each, "a");
	reader_want(reader, "data: a\n");
	id_of(reader, "data: a\n", id);
	reader_close(reader);
	publish(each, "b");
	publish(each, "c");
	snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
	reader = reader_open(server, "/each", header);
	publish(each, "d");
	reader_want(reader, "data: d\n");
	reader_want_not(reader, "data: a\n");
	reader_want_not(reader, "event: reset");
	const char *b = strstr(reader->text, "data: b\n"), *c = strstr(reader->text, "data: c\n");
	assert_true(b && c && b < c && c < strstr(reader->text, "data: d\n"));
	reader_close(reader);
}

static void test_who_missed_something_is_told_to_reset(void **state)
{
	(void)state;
	char id[64], header[128];
	struct reader *reader = reader_open(server, "/each", "");
	reader_want(reader, "event: hello");
	publish(each, "old");
	reader_want(reader, "data: old\n");
	id_of(reader, "data: old\n", id);
	reader_close(reader);
	for (size_t i = 0; i < BACKLOG + 1; i++)
		publish(each, "missed");
	snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
	const char *const headers[] = {header, "Last-Event-ID: 0123456789abcdef-0\r\n",
		"Last-Event-ID: \r\n", "Last-Event-ID: nonsense\r\n", "Last-Event-ID: -1\r\n",
		"Last-Event-ID: 99999999999999999999999999999999999999\r\n"};
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		reader = reader_open(server, "/each", headers[i]);
		reader_want(reader, "event: hello");
		publish(each, "after");
		reader_want(reader, "data: after\n");
		reader_want_not(reader, "data: missed\n");
		const char *reset = strstr(reader->text, "event: reset\ndata: {}\n\n");
		assert_true(reset && reset < strstr(reader->text, "data: after\n"));
		reader_close(reader);
	}
}

/* An id of the future is not ours, however well it is formed. */
static void test_an_id_that_was_never_given_is_reset(void **state)
{
	(void)state;
	char id[64], header[128];
	struct reader *reader = reader_open(server, "/each", "");
	reader_want(reader, "event: hello");
	publish(each, "x");
	reader_want(reader, "data: x\n");
	id_of(reader, "data: x\n", id);
	reader_close(reader);
	snprintf(header, sizeof header, "Last-Event-ID: %.*s-77\r\n", (int)strcspn(id, "-"), id);
	reader = reader_open(server, "/each", header);
	reader_want(reader, "event: reset");
	reader_close(reader);
}

static void test_the_latest_comes_at_once(void **state)
{
	(void)state;
	publish(latest, "stale");
	publish(latest, "current");
	struct reader *reader = reader_open(server, "/latest", "");
	reader_want(reader, "data: current\n");
	reader_want_not(reader, "data: stale\n");
	reader_close(reader);
}

/* Who returns with the latest is sent the next one, and not the same once more. */
static void test_the_latest_comes_once(void **state)
{
	(void)state;
	char id[64], header[128];
	publish(latest, "known");
	struct reader *reader = reader_open(server, "/latest", "");
	reader_want(reader, "data: known\n");
	id_of(reader, "data: known\n", id);
	reader_close(reader);
	snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
	reader = reader_open(server, "/latest", header);
	reader_want(reader, "retry: ");
	publish(latest, "next");
	reader_want(reader, "data: next\n");
	reader_want_not(reader, "data: known\n");
	reader_want_not(reader, "event: reset");
	reader_close(reader);
	/* Behind it, or with an id that is not ours, it comes at once. */
	const char *const headers[] = {header, "Last-Event-ID: nonsense\r\n"};
	for (size_t i = 0; i < 2; i++) {
		reader = reader_open(server, "/latest", headers[i]);
		reader_want(reader, "data: next\n");
		reader_close(reader);
	}
}

static void test_a_silent_stream_is_kept_alive(void **state)
{
	(void)state;
	reopen_server(KEEP_ALIVE_MS, NEVER_MS);
	/* A machine that stands still just when the stream begins may make the first come early. */
	int64_t longest_ms = 0;
	for (size_t try = 0; try < 3; try++) {
		int64_t before_ms = now_ms();
		struct reader *reader = reader_open(server, "/each", "");
		for (size_t i = 0; i < 3; i++) {
			reader_want(reader, ": keep-alive\n\n");
			strstr(reader->text, ": keep-alive")[0] = ' ';
		}
		int64_t took_ms = now_ms() - before_ms;
		longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
		reader_close(reader);
	}
	assert_true(longest_ms >= 3 * KEEP_ALIVE_MS - 20);
}

static void test_who_leaves_is_forgotten(void **state)
{
	(void)state;
	enum { READERS = 40 };
	struct reader *readers[READERS];
	for (size_t i = 0; i < READERS; i++)
		readers[i] = reader_open(server, "/each", "");
	want_streams(each, READERS);
	for (size_t i = 0; i < READERS; i++)
		reader_close(readers[i]);
	/* Noticed by the end of the connection: no keep-alive is due for long. */
	want_streams(each, 0);
}

/* Its machine has lost its power, say: no FIN, no RST, and no acknowledgement of anything from now
 * on. Here the kernel throws away whatever comes for it. What its stream is sent is little, so it
 * never stalls; without a time for acknowledgements (TCP_USER_TIMEOUT) it would live for a quarter
 * of an hour more. */
static void test_who_vanishes_is_forgotten(void **state)
{
	(void)state;
	reopen_server(KEEP_ALIVE_MS, VANISHED_MS);
	struct reader *gone = reader_open(server, "/each", ""),
		      *good = reader_open(server, "/each", "");
	reader_want(gone, "event: hello");
	reader_want(good, "event: hello");
	struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
	struct sock_fprog filter = {.len = 1, .filter = &nothing};
	assert_int_equal(
		0, setsockopt(gone->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
	want_streams(each, 1);
	publish(each, "still here");
	reader_want(good, "data: still here\n");
	reader_close(gone);
	reader_close(good);
}

/* One reads nothing: the others get all, and it is dropped. */
static void test_a_stalled_reader_is_dropped(void **state)
{
	(void)state;
	static char large[60000];
	memset(large, 'x', sizeof large - 1);
	reopen_server(NEVER_MS, STALL_MS);
	struct reader *stalled = reader_open(server, "/each", ""),
		      *good = reader_open(server, "/each", "");
	want_streams(each, 2);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (http_channel_stream_count(each) == 2 && now_ms() < deadline_ms) {
		publish(each, large);
		/* Forget what it read, so that its memory lasts. */
		while (reader_take(good, 5))
			good->size = 0;
		good->size = 0;
	}
	assert_int_equal(1, http_channel_stream_count(each));
	publish(each, "still here");
	reader_want(good, "data: still here\n");
	reader_close(stalled);
	reader_close(good);
}

/* Too slow to follow, but not stalled: it jumps to the latest, or is told that it missed some. */
static void test_a_slow_reader_is_conflated(void **state)
{
	(void)state;
	static char large[60000];
	memset(large, 'x', sizeof large - 1);
	struct http_channel *const channels[] = {each, latest};
	const char *const paths[] = {"/each", "/latest"};
	for (size_t i = 0; i < 2; i++) {
		struct reader *reader = reader_open(server, paths[i], "");
		want_streams(channels[i], 1);
		for (size_t j = 0; j < 200; j++)
			publish(channels[i], large);
		publish(channels[i], "the end");
		size_t total = 0;
		int64_t deadline_ms = now_ms() + PATIENCE_MS;
		bool reset = false, end = false;
		while (!end && !reset && now_ms() < deadline_ms &&
			reader_take(reader, PATIENCE_MS)) {
			reset = strstr(reader->text, "event: reset");
			end = strstr(reader->text, "data: the end\n");
			total += reader->size;
			/* Keep a little, since what is looked for may come in two parts. */
			size_t keep = reader->size < 64 ? reader->size : 64;
			total -= keep;
			memmove(reader->text, reader->text + reader->size - keep, keep);
			reader->size = keep;
			reader->text[keep] = '\0';
		}
		/* Of the channel that delivers each, the end may be within what was reset away. */
		assert_true(channels[i] == each ? end || reset : end);
		assert_int_equal(reset, channels[i] == each);
		assert_true(total < 199 * sizeof large);
		reader_close(reader);
		want_streams(channels[i], 0);
	}
}

static void test_the_server_ends_streams_cleanly(void **state)
{
	(void)state;
	struct reader *readers[4];
	for (size_t i = 0; i < 4; i++)
		readers[i] = reader_open(server, "/each", "");
	want_streams(each, 4);
	int64_t before_ms = now_ms();
	http_server_close(server);
	/* It does not wait until it gives up. */
	assert_true(now_ms() - before_ms < NEVER_MS);
	for (size_t i = 0; i < 4; i++) {
		while (reader_take(readers[i], PATIENCE_MS))
			;
		/* The last chunk of a chunked body, and then the end. */
		assert_true(readers[i]->ended);
		reader_close(readers[i]);
	}
	set_up(NULL);
}

static void test_what_cannot_be_an_event_is_refused(void **state)
{
	(void)state;
	static char huge[HTTP_EVENT_BYTES_MAX + 1];
	memset(huge, 'x', sizeof huge - 1);
	assert_int_equal(STATUS_REFUSED, http_channel_publish(each, "a\nb", slice_of("x")));
	assert_int_equal(STATUS_REFUSED, http_channel_publish(each, "a", slice_of("x\ry")));
	assert_int_equal(STATUS_REFUSED, http_channel_publish(each, "a", slice_of(huge)));
	/* And takes no number: the next one is the first. */
	struct reader *reader = reader_open(server, "/each", "");
	reader_want(reader, "event: hello");
	publish(each, "");
	reader_want(reader, "-0\nevent: tick\ndata: \n\n");
	reader_close(reader);
}

static void test_head_has_no_stream(void **state)
{
	(void)state;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(server));
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, "HEAD", "/each", NULL, NULL, &reply));
	assert_int_equal(200, reply.status);
	http_client_reply_release(&reply);
	http_client_release(&client);
	want_streams(each, 0);
	publish(each, "x");
}

enum { PUBLISHERS = 4, PUBLICATIONS = 300, FOLLOWERS = 16 };

static void *publish_many(void *context)
{
	char text[64];
	for (int i = 0; i < PUBLICATIONS; i++) {
		snprintf(text, sizeof text, "%s %d.", (const char *)context, i);
		publish(latest, text);
	}
	return NULL;
}

/* Several threads publish: whatever part of it a reader is sent, each thread's come in its order,
 * and the very last one arrives. */
static void test_order_is_kept(void **state)
{
	(void)state;
	static const char *const names[PUBLISHERS] = {"a", "b", "c", "d"};
	struct reader *readers[FOLLOWERS];
	pthread_t threads[PUBLISHERS];
	for (size_t i = 0; i < FOLLOWERS; i++)
		readers[i] = reader_open(server, "/latest", "");
	want_streams(latest, FOLLOWERS);
	for (size_t i = 0; i < PUBLISHERS; i++)
		assert_int_equal(0,
			pthread_create(
				&threads[i], NULL, publish_many, (void *)(uintptr_t)names[i]));
	for (size_t i = 0; i < PUBLISHERS; i++)
		pthread_join(threads[i], NULL);
	publish(latest, "last");
	for (size_t i = 0; i < FOLLOWERS; i++) {
		int seen[PUBLISHERS] = {-1, -1, -1, -1};
		reader_want(readers[i], "data: last\n");
		for (const char *at = readers[i]->text; (at = strstr(at, "data: "));) {
			at += 6;
			size_t who = (size_t)(*at - 'a');
			if (who >= PUBLISHERS || at[1] != ' ')
				continue;
			int number = (int)strtol(at + 2, NULL, 10);
			assert_true(number > seen[who]);
			seen[who] = number;
		}
		reader_close(readers[i]);
	}
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_events_come_with_ids_and_a_retry),
		STREAM_TEST(test_retries_are_spread),
		STREAM_TEST(test_who_returns_misses_nothing),
		STREAM_TEST(test_who_missed_something_is_told_to_reset),
		STREAM_TEST(test_an_id_that_was_never_given_is_reset),
		STREAM_TEST(test_the_latest_comes_at_once),
		STREAM_TEST(test_the_latest_comes_once),
		STREAM_TEST(test_a_silent_stream_is_kept_alive),
		STREAM_TEST(test_who_leaves_is_forgotten),
		STREAM_TEST(test_who_vanishes_is_forgotten),
		STREAM_TEST(test_a_stalled_reader_is_dropped),
		STREAM_TEST(test_a_slow_reader_is_conflated),
		STREAM_TEST(test_the_server_ends_streams_cleanly),
		STREAM_TEST(test_what_cannot_be_an_event_is_refused),
		STREAM_TEST(test_head_has_no_stream),
		STREAM_TEST(test_order_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
