/* See client_fixture.h. */
#include "lib/http/client_fixture.h"

#include <time.h>

struct client_fixture fixture;

static const struct http_fetch_header json_header[] = {
	{"Content-Type", {"application/json", sizeof "application/json" - 1}}};

void fixture_fetcher(struct http_fetcher_options options)
{
	struct fault fault = {0};
	http_fetcher_close(fixture.fetcher);
	if (http_fetcher_open(&options, &fixture.fetcher, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
}

void fixture_serve(void (*serve)(struct peer_connection *connection))
{
	peer_open(&fixture.peer, serve);
	fixture_fetcher((struct http_fetcher_options){
		.attempt_ms_max = 2000,
		.backoff_ms_min = 5,
		.backoff_ms_max = 20,
		.seed = 1,
	});
}

int fixture_end(void **state)
{
	(void)state;
	http_fetcher_close(fixture.fetcher);
	fixture.fetcher = NULL;
	peer_close(&fixture.peer);
	for (size_t i = 0; i < FETCHES_MAX; i++)
		http_fetch_release(&fixture.fetches[i]);
	memset(fixture.fetches, 0, sizeof fixture.fetches);
	return 0;
}

const char *peer_url(const char *path)
{
	snprintf(fixture.url, sizeof fixture.url, "http://127.0.0.1:%u%s", fixture.peer.port, path);
	return fixture.url;
}

struct http_fetch get_root(void)
{
	return (struct http_fetch){.method = "GET", .url = peer_url("/")};
}

struct http_fetch post_root(void)
{
	return (struct http_fetch){
		.method = "POST",
		.url = peer_url("/"),
		.headers = json_header,
		.header_count = 1,
		.body = {"{}", 2},
	};
}

void submit(struct http_fetch *fetch)
{
	assert_int_equal(STATUS_OK, http_fetcher_submit(fixture.fetcher, fetch));
}

void collect(struct http_fetch *fetch)
{
	struct http_fetch *done = NULL;
	int64_t end_ms = now_ms() + 10000;
	while (done != fetch && now_ms() < end_ms)
		http_fetcher_collect(fixture.fetcher, 100, &done, 1);
	assert_ptr_equal(fetch, done);
}

const struct http_fetch_result *want(
	struct http_fetch *fetch, enum http_fetch_outcome outcome, enum http_fetch_cause cause)
{
	submit(fetch);
	collect(fetch);
	const struct http_fetch_result *result = &fetch->result;
	if (outcome != result->outcome || cause != result->cause)
		fail_msg("wanted %s/%s, got %s/%s %u %s", http_fetch_outcome_name(outcome),
			http_fetch_cause_name(cause), http_fetch_outcome_name(result->outcome),
			http_fetch_cause_name(result->cause), result->status, result->detail);
	assert_true(outcome == HTTP_FETCH_ANSWERED ? !*result->detail : *result->detail);
	return result;
}

void want_ok(struct http_fetch *fetch, const char *body)
{
	const struct http_fetch_result *result = want(fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
	assert_int_equal(200, result->status);
	if (!slice_is(result->body, body))
		fail_msg("wanted %s, got %.*s", body, SLICE_PRINT(result->body));
}

int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void pause_ms(int64_t ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&pause, NULL);
}

void wait_count(const atomic_size_t *counter, size_t value)
{
	int64_t end_ms = now_ms() + 5000;
	while (atomic_load(counter) < value && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(value, atomic_load(counter));
}
