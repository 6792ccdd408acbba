/* When a call is repeated, and how long it waits first. The clock stands still unless it is told.
 */
#include "lib/http/client_fixture.h"
#include "lib/http/client_internal.h"

static void test_backoff(void **state)
{
	(void)state;
	uint64_t random = 7, same = 7;
	static const int64_t caps[] = {100, 200, 400, 800, 1000, 1000, 1000};
	for (unsigned attempts = 1; attempts <= 7; attempts++) {
		int64_t low = INT64_MAX, high = 0, sum = 0;
		for (int i = 0; i < 2000; i++) {
			int64_t ms = http_backoff_ms(100, 1000, attempts, &random);
			assert_int_equal(ms, http_backoff_ms(100, 1000, attempts, &same));
			low = ms < low ? ms : low;
			high = ms > high ? ms : high;
			sum += ms;
		}
		int64_t cap = caps[attempts - 1];
		assert_in_range(low, 0, cap / 20);
		assert_in_range(high, cap - cap / 20, cap);
		assert_in_range(sum / 2000, cap * 45 / 100, cap * 55 / 100);
	}
	assert_true(http_backoff_ms(1, INT64_MAX / 2, 200, &random) >= 0);
	assert_int_equal(0, http_backoff_ms(0, 0, 3, &random));
}

static void test_policies(void **state)
{
	(void)state;
	static const enum http_retry all[] = {
		HTTP_RETRY_NEVER, HTTP_RETRY_IF_NOT_SENT, HTTP_RETRY_IDEMPOTENT};
	static const struct {
		enum http_fetch_outcome outcome;
		unsigned status;
		bool allowed[3];
	} rows[] = {
		{HTTP_FETCH_NOT_SENT, 0, {false, true, true}},
		{HTTP_FETCH_LOST, 0, {false, false, true}},
		{HTTP_FETCH_REFUSED, 0, {false, false, false}},
		{HTTP_FETCH_TOO_LARGE, 503, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 200, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 400, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 409, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 429, {false, false, true}},
		{HTTP_FETCH_ANSWERED, 500, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 501, {false, false, false}},
		{HTTP_FETCH_ANSWERED, 502, {false, false, true}},
		{HTTP_FETCH_ANSWERED, 503, {false, false, true}},
		{HTTP_FETCH_ANSWERED, 504, {false, false, true}},
		{HTTP_FETCH_ANSWERED, 505, {false, false, false}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t j = 0; j < 3; j++)
			assert_int_equal(rows[i].allowed[j],
				http_retry_allowed(all[j], rows[i].outcome, rows[i].status));
}

static void test_retry_after(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"0", 0},
		{"1", 1000},
		{"120", 120000},
		{"99999999999999", 366LL * 86400 * 1000},
		{"99999999999999999999999", 0},
		{"-1", 0},
		{"1.5", 0},
		{"", 0},
		{"soon", 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 7000},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 7000},
		{"Sun Nov  6 08:49:37 1994", 7000},
		{"Sun, 06 Nov 1994 08:49:30 GMT", 0},
		{"Sun, 06 Nov 1993 08:49:37 GMT", 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT and so on and on and on and on and on and on", 0},
	};
	const int64_t wall_ms = 784111770000; /* 1994-11-06T08:49:30Z */
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].ms != http_retry_after_ms(slice_of(rows[i].text), wall_ms))
			fail_msg("%s", rows[i].text);
}

/* ---- With a peer, and a clock that stands still ---- */

static struct clock_fake fake;
static size_t failures; /* How many requests fail first. */
static const char *failure;

static void serve_failures(struct peer_connection *connection)
{
	while (peer_receive(connection)) {
		bool fails = atomic_load(&connection->peer->requests) <= failures;
		const char *text =
			fails ? failure : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
		if (!text || !peer_send(connection, text))
			break;
	}
}

static const char unavailable[] =
	"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
static const char unavailable_for_5_s[] =
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nbusy";

static struct http_fetch set_up(const char *text, size_t count)
{
	failure = text;
	failures = count;
	clock_fake_init(&fake, 784111770000);
	peer_open(&fixture.peer, serve_failures);
	fixture_fetcher((struct http_fetcher_options){.clock = &fake.base,
		.backoff_ms_min = 1000,
		.backoff_ms_max = 8000,
		.total_ms_max = 60000,
		.seed = 3});
	struct http_fetch fetch = post_root();
	fetch.retry = HTTP_RETRY_IDEMPOTENT;
	return fetch;
}

/* Turn the fetcher until the call is done (true) or pauses. */
static bool is_done(struct http_fetch *fetch)
{
	struct http_fetch *done = NULL;
	int64_t end_ms = now_ms() + PATIENCE_MS;
	do {
		if (http_fetcher_collect(fixture.fetcher, 5, &done, 1) == 1) {
			assert_ptr_equal(fetch, done);
			return true;
		}
	} while (!http_fetcher_counts(fixture.fetcher).pausing && now_ms() < end_ms);
	assert_int_equal(1, http_fetcher_counts(fixture.fetcher).pausing);
	return false;
}

static void test_pauses_and_succeeds(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(unavailable, 2);
	submit(&fetch);
	for (unsigned attempts = 1; attempts <= 2; attempts++) {
		assert_false(is_done(&fetch));
		int64_t left_ms = fetch.own.due_ms - clock_monotonic_ms(&fake.base);
		assert_in_range(left_ms, 2, 1000 << (attempts - 1));
		clock_fake_advance(&fake, left_ms - 1);
		assert_false(is_done(&fetch));
		assert_int_equal(attempts, atomic_load(&fixture.peer.requests));
		clock_fake_advance(&fake, 1);
	}
	assert_true(is_done(&fetch));
	assert_int_equal(HTTP_FETCH_ANSWERED, fetch.result.outcome);
	assert_int_equal(200, fetch.result.status);
	assert_true(slice_is(fetch.result.body, "ok"));
	assert_int_equal(3, fetch.result.attempts);
	assert_int_equal(0, fetch.result.attempts_lost);
	assert_int_equal(1, atomic_load(&fixture.peer.connections));
	http_fetch_release(&fetch);
}

static void test_attempts_max(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(unavailable, 100);
	fetch.attempts_max = 3;
	submit(&fetch);
	while (!is_done(&fetch))
		clock_fake_advance(&fake, 5000);
	assert_int_equal(HTTP_FETCH_ANSWERED, fetch.result.outcome);
	assert_int_equal(503, fetch.result.status);
	assert_true(slice_is(fetch.result.body, "busy"));
	assert_int_equal(3, fetch.result.attempts);
	assert_int_equal(3, atomic_load(&fixture.peer.requests));
	http_fetch_release(&fetch);
}

static void test_retry_after_is_honoured(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(unavailable_for_5_s, 1);
	submit(&fetch);
	assert_false(is_done(&fetch));
	assert_int_equal(clock_monotonic_ms(&fake.base) + 5000, fetch.own.due_ms);
	clock_fake_advance(&fake, 5000);
	assert_true(is_done(&fetch));
	assert_int_equal(200, fetch.result.status);
	http_fetch_release(&fetch);
}

static void test_no_pause_beyond_the_deadline(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(unavailable_for_5_s, 1);
	fetch.deadline_ms = clock_monotonic_ms(&fake.base) + 5000;
	submit(&fetch);
	assert_true(is_done(&fetch));
	assert_int_equal(HTTP_FETCH_ANSWERED, fetch.result.outcome);
	assert_int_equal(503, fetch.result.status);
	assert_int_equal(1, fetch.result.attempts);
	http_fetch_release(&fetch);
}

static void test_lost_then_answered(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(NULL, 2);
	submit(&fetch);
	while (!is_done(&fetch))
		clock_fake_advance(&fake, 5000);
	assert_int_equal(200, fetch.result.status);
	assert_int_equal(3, fetch.result.attempts);
	assert_int_equal(2, fetch.result.attempts_lost);
	http_fetch_release(&fetch);
}

/* What was sent once is not "not sent" because a later attempt found nobody: neither after an
 * answer that asks for another attempt, nor after none. */
static void sent_stays_sent(const char *text, unsigned lost)
{
	struct http_fetch fetch = set_up(text, 100);
	fetch.attempts_max = 2;
	submit(&fetch);
	assert_false(is_done(&fetch));
	peer_stop(&fixture.peer);
	clock_fake_advance(&fake, 5000);
	assert_true(is_done(&fetch));
	assert_int_equal(HTTP_FETCH_LOST, fetch.result.outcome);
	assert_int_equal(HTTP_CAUSE_CONNECT, fetch.result.cause);
	assert_int_equal(2, fetch.result.attempts);
	assert_int_equal(lost, fetch.result.attempts_lost);
	http_fetch_release(&fetch);
	fixture_end(NULL);
}

static void test_sent_stays_sent(void **state)
{
	(void)state;
	sent_stays_sent(NULL, 1);
	sent_stays_sent(unavailable, 0);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	struct http_fetch fetch = set_up(unavailable, 0);
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", fixture_closed_port());
	fetch.url = url;
	for (int retry = HTTP_RETRY_NEVER; retry <= HTTP_RETRY_IDEMPOTENT; retry++) {
		fetch.retry = (enum http_retry)retry;
		submit(&fetch);
		while (!is_done(&fetch))
			clock_fake_advance(&fake, 8000);
		assert_int_equal(HTTP_FETCH_NOT_SENT, fetch.result.outcome);
		assert_int_equal(retry == HTTP_RETRY_NEVER ? 1 : 4, fetch.result.attempts);
	}
}

/* A call that pauses leaves its slot to others. */
static void test_pause_takes_no_slot(void **state)
{
	(void)state;
	struct http_fetch first = set_up(unavailable, 1), second = post_root();
	http_fetcher_close(fixture.fetcher);
	fixture.fetcher = NULL;
	fixture_fetcher((struct http_fetcher_options){
		.clock = &fake.base, .in_flight_max = 1, .backoff_ms_min = 10000});
	submit(&first);
	assert_false(is_done(&first));
	submit(&second);
	collect(&second);
	assert_int_equal(200, second.result.status);
	clock_fake_advance(&fake, 10000);
	assert_true(is_done(&first));
	http_fetch_release(&first);
	http_fetch_release(&second);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_retry_after),
		TEST(test_pauses_and_succeeds),
		TEST(test_attempts_max),
		TEST(test_retry_after_is_honoured),
		TEST(test_no_pause_beyond_the_deadline),
		TEST(test_lost_then_answered),
		TEST(test_sent_stays_sent),
		TEST(test_nobody_listens),
		TEST(test_pause_takes_no_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
