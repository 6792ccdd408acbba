/* Calls that are given up, queues that are full, deadlines that pass, waits that are cut short. */
#include "lib/http/client_fixture.h"

static void serve_wait(struct peer_connection *connection)
{
	peer_receive(connection);
	peer_wait_gone(connection);
}

static void want_canceled(struct http_fetch *fetch, enum http_fetch_outcome outcome)
{
	http_fetcher_cancel(fixture.fetcher, fetch);
	collect(fetch);
	assert_int_equal(outcome, fetch->result.outcome);
	assert_int_equal(HTTP_CAUSE_CANCELED, fetch->result.cause);
	assert_true(*fetch->result.detail);
	http_fetch_release(fetch);
}

static void test_cancel(void **state)
{
	(void)state;
	fixture_serve(serve_wait);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 1});
	struct http_fetch first = post_root(), second = post_root();
	submit(&first);
	want_canceled(&first, HTTP_FETCH_NOT_SENT);
	assert_int_equal(0, atomic_load(&fixture.peer.connections));

	submit(&first);
	submit(&second);
	turn_until_requests(1);
	assert_int_equal(1, http_fetcher_counts(fixture.fetcher).in_flight);
	assert_int_equal(1, http_fetcher_counts(fixture.fetcher).queued);
	want_canceled(&second, HTTP_FETCH_NOT_SENT);
	want_canceled(&first, HTTP_FETCH_LOST);

	/* The slot works again, and the dead connection is not used. */
	submit(&second);
	turn_until_requests(2);
	assert_int_equal(2, atomic_load(&fixture.peer.connections));
	want_canceled(&second, HTTP_FETCH_LOST);
}

static void test_cancel_when_done(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = post_root();
	submit(&fetch);
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (http_fetcher_counts(fixture.fetcher).done == 0 && now_ms() < end_ms)
		http_fetcher_collect(fixture.fetcher, 10, NULL, 0);
	http_fetcher_cancel(fixture.fetcher, &fetch);
	collect(&fetch);
	assert_int_equal(HTTP_FETCH_ANSWERED, fetch.result.outcome);
	http_fetch_release(&fetch);
}

static void test_close_in_flight(void **state)
{
	(void)state;
	fixture_serve(serve_wait);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 2});
	struct http_fetch *fetches = fixture.fetches;
	for (size_t i = 0; i < 4; i++) {
		fetches[i] = post_root();
		submit(&fetches[i]);
	}
	fetches[4] = post_root();
	fetches[4].url = "nonsense";
	submit(&fetches[4]);
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&fixture.peer.requests) < 2 && now_ms() < end_ms)
		http_fetcher_collect(fixture.fetcher, 5, NULL, 0);
	assert_int_equal(2, atomic_load(&fixture.peer.requests));
	http_fetcher_close(fixture.fetcher);
	fixture.fetcher = NULL;
	static const enum http_fetch_outcome outcomes[] = {HTTP_FETCH_LOST, HTTP_FETCH_LOST,
		HTTP_FETCH_NOT_SENT, HTTP_FETCH_NOT_SENT, HTTP_FETCH_REFUSED};
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(outcomes[i], fetches[i].result.outcome);
		assert_int_equal(
			i < 4 ? HTTP_CAUSE_CANCELED : HTTP_CAUSE_REQUEST, fetches[i].result.cause);
	}
	http_fetcher_close(NULL);
}

static void test_queue_is_full(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 2, .queue_max = 3});
	struct http_fetch *fetches = fixture.fetches, *done[8];
	for (size_t i = 0; i < 6; i++) {
		fetches[i] = post_root();
		enum status status = http_fetcher_submit(fixture.fetcher, &fetches[i]);
		assert_int_equal(i < 5 ? STATUS_OK : STATUS_UNAVAILABLE, status);
	}
	assert_int_equal(5, http_fetcher_counts(fixture.fetcher).queued);
	/* What is done and not collected still counts, or answers would pile up. */
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (http_fetcher_counts(fixture.fetcher).done < 5 && now_ms() < end_ms)
		http_fetcher_collect(fixture.fetcher, 5, NULL, 0);
	assert_int_equal(STATUS_UNAVAILABLE, http_fetcher_submit(fixture.fetcher, &fetches[5]));
	assert_int_equal(5, http_fetcher_collect(fixture.fetcher, 0, done, 8));
	submit(&fetches[5]);
	collect(&fetches[5]);
}

static void test_deadline_in_the_queue(void **state)
{
	(void)state;
	fixture_serve(serve_wait);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 1});
	struct http_fetch first = post_root(), second = post_root(), late = post_root();
	submit(&first);
	turn_until_requests(1);
	int64_t began_ms = now_ms();
	second.deadline_ms = began_ms + 100;
	const struct http_fetch_result *result =
		want(&second, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TIMEOUT);
	assert_true(now_ms() >= began_ms + 100);
	assert_int_equal(0, result->attempts);
	late.deadline_ms = 1;
	want(&late, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TIMEOUT);
	want_canceled(&first, HTTP_FETCH_LOST);
	assert_int_equal(1, atomic_load(&fixture.peer.requests));
}

/* Call with attempts of so many ms, and five times that in all. Returns how many were lost. */
static unsigned attempts_lost_within(int64_t attempt_ms)
{
	size_t before = atomic_load(&fixture.peer.requests);
	struct http_fetch fetch = post_root();
	fetch.retry = HTTP_RETRY_IDEMPOTENT;
	fetch.attempt_ms_max = attempt_ms;
	fetch.attempts_max = 1000;
	fetch.deadline_ms = now_ms() + 5 * attempt_ms;
	submit(&fetch);
	collect(&fetch);
	const struct http_fetch_result *result = &fetch.result;
	assert_int_equal(HTTP_CAUSE_TIMEOUT, result->cause);
	/* No attempt is shorter than its time but the last, which the deadline ends. */
	assert_in_range(result->attempts, 1, 6);
	/* Lost are those, and only those, whose request the peer has got. */
	assert_int_equal(
		result->attempts_lost > 0 ? HTTP_FETCH_LOST : HTTP_FETCH_NOT_SENT, result->outcome);
	peer_wait_requests(&fixture.peer, before + result->attempts_lost);
	return result->attempts_lost;
}

/* On a busy machine an attempt may be over before it has sent anything, so the attempts are made
 * longer until they have. */
static void test_deadline_on_the_wire(void **state)
{
	(void)state;
	fixture_serve(serve_wait);
	int64_t attempt_ms = 60;
	while (attempts_lost_within(attempt_ms) < 2) {
		attempt_ms *= 2;
		assert_true(5 * attempt_ms < PATIENCE_MS);
	}
}

/* ---- Waiting ---- */

static void test_wait_ends(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	struct http_fetch *none[1];
	assert_int_equal(0, http_fetcher_collect(fixture.fetcher, 0, none, 1));
	int64_t began_ms = now_ms();
	assert_int_equal(0, http_fetcher_collect(fixture.fetcher, 100, none, 1));
	assert_true(now_ms() >= began_ms + 95);
}

static atomic_bool woken;

static void *wake_later(void *unused)
{
	(void)unused;
	pause_ms(100);
	atomic_store(&woken, true);
	http_fetcher_wakeup(fixture.fetcher);
	return NULL;
}

static void test_wakeup(void **state)
{
	(void)state;
	fixture_serve(serve_wait);
	struct http_fetch fetch = post_root(), *none[1];
	for (int round = 0; round < 2; round++) {
		pthread_t thread;
		atomic_store(&woken, false);
		assert_int_equal(0, pthread_create(&thread, NULL, wake_later, NULL));
		assert_int_equal(0, http_fetcher_collect(fixture.fetcher, -1, none, 1));
		assert_true(atomic_load(&woken));
		pthread_join(thread, NULL);
		if (round == 0)
			submit(&fetch);
	}
	/* One that came when nobody waited is for the next wait, and only for that. */
	http_fetcher_wakeup(fixture.fetcher);
	int64_t began_ms = now_ms();
	assert_int_equal(0, http_fetcher_collect(fixture.fetcher, NEVER_MS, none, 1));
	assert_true(now_ms() - began_ms < NEVER_MS / 2);
	began_ms = now_ms();
	assert_int_equal(0, http_fetcher_collect(fixture.fetcher, 100, none, 1));
	assert_true(now_ms() >= began_ms + 95);
	want_canceled(&fetch, HTTP_FETCH_LOST);
}

/* Fetchers share nothing: one for each thread. */
static void *use_own_fetcher(void *count)
{
	struct http_fetcher *fetcher = NULL;
	const struct http_fetcher_options options = {.in_flight_max = 8};
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", fixture.peer.port);
	if (http_fetcher_open(&options, &fetcher, NULL) != STATUS_OK)
		return NULL;
	struct http_fetch fetches[32] = {0}, *done[32];
	for (size_t i = 0; i < 32; i++) {
		fetches[i] = (struct http_fetch){.method = "GET", .url = url};
		if (http_fetcher_submit(fetcher, &fetches[i]) != STATUS_OK)
			return NULL;
	}
	for (size_t got, total = 0; total < 32; total += got) {
		got = http_fetcher_collect(fetcher, PATIENCE_MS, done, 32);
		if (got == 0)
			break;
		for (size_t i = 0; i < got; i++)
			if (done[i]->result.outcome == HTTP_FETCH_ANSWERED)
				++*(size_t *)count;
	}
	http_fetcher_close(fetcher);
	for (size_t i = 0; i < 32; i++)
		http_fetch_release(&fetches[i]);
	return NULL;
}

static void test_fetchers_of_several_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	size_t counts[4] = {0};
	fixture_serve(peer_serve_ok);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, use_own_fetcher, &counts[i]));
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(32, counts[i]);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cancel),
		TEST(test_cancel_when_done),
		TEST(test_close_in_flight),
		TEST(test_queue_is_full),
		TEST(test_deadline_in_the_queue),
		TEST(test_deadline_on_the_wire),
		TEST(test_wait_ends),
		TEST(test_wakeup),
		TEST(test_fetchers_of_several_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
