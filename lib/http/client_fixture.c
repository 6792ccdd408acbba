/* See client_fixture.h. */
#include "lib/http/client_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client_fixture fixture;

static const struct http_fetch_header json_header[] = {
	{"Content-Type", {"application/json", sizeof "application/json" - 1}}};

void fixture_fetcher(struct http_fetcher_options options)
{
	struct fault fault = {0};
	int64_t *const limits_ms[] = {
		&options.connect_ms_max, &options.attempt_ms_max, &options.total_ms_max};
	for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++)
		*limits_ms[i] = *limits_ms[i] ? *limits_ms[i] : NEVER_MS;
	http_fetcher_close(fixture.fetcher);
	if (http_fetcher_open(&options, &fixture.fetcher, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
}

void fixture_serve(void (*serve)(struct peer_connection *connection))
{
	peer_open(&fixture.peer, serve);
	fixture_fetcher((struct http_fetcher_options){
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
	if (fixture.closed_fd > 0)
		close(fixture.closed_fd);
	fixture.closed_fd = 0;
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

uint16_t fixture_closed_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	/* Bound and not listening: refused, and nobody else can have it. */
	fixture.closed_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(fixture.closed_fd, (struct sockaddr *)&address, size));
	assert_int_equal(0, getsockname(fixture.closed_fd, (struct sockaddr *)&address, &size));
	return ntohs(address.sin_port);
}

void submit(struct http_fetch *fetch)
{
	assert_int_equal(STATUS_OK, http_fetcher_submit(fixture.fetcher, fetch));
}

void collect(struct http_fetch *fetch)
{
	struct http_fetch *done = NULL;
	int64_t end_ms = now_ms() + PATIENCE_MS;
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

void turn_until_requests(size_t count)
{
	struct http_fetch *none[1];
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&fixture.peer.requests) < count && now_ms() < end_ms)
		assert_int_equal(0, http_fetcher_collect(fixture.fetcher, 5, none, 1));
	assert_int_equal(count, atomic_load(&fixture.peer.requests));
}
