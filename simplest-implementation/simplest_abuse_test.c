/* Clients that wear a server out: a byte a second, hundreds of idle connections, thousands of
 * requests that are almost right. Meanwhile and afterwards everybody else is served. */
#include <poll.h>
#include <pthread.h>

#include "lib/testkit/random.h"
#include "simplest-implementation/simplest_fixture.h"

enum {
	SLOW_PAUSE_MS = 1000,
	CUT_MS_MAX = 30000, /* Less than what is sent slowly takes. */
	ANSWER_MS_MAX = 20000,
	IDLE_CONNECTIONS = 500,
	MUTATIONS = 4000,
	MUTATIONS_MIN = 200, /* However slow the machine: one in twenty is good. */
	MUTATIONS_FULL = 40000,
	MUTATIONS_MS = 10000,
	MUTATIONS_MS_FULL = 120000,
	MUTANT_SIZE_MAX = 4096,
	MUTANT_WAIT_MS = 20,
	EDITS_MAX = 4,
};

static int start(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=10m");
	return 0;
}

static int start_strict(void **state)
{
	(void)state;
	SERVER_START("HEAD_TIMEOUT=1500ms", "BODY_TIMEOUT=1500ms");
	return 0;
}

/* ---- A byte a second ---- */

struct slow {
	pthread_t thread;
	const char *first, *rest; /* What comes at once, and what comes slowly. */
	struct http_client client;
	struct http_client_reply reply;
	enum http_client_outcome sent, received;
	int64_t took_ms;
};

static void *slow_run(void *context)
{
	struct slow *slow = context;
	int64_t begin_ms = now_ms();
	if (http_client_connect(&slow->client) != HTTP_CLIENT_OK)
		return NULL;
	slow->sent = http_client_send_text(&slow->client, slow->first);
	if (slow->sent == HTTP_CLIENT_OK)
		slow->sent = http_client_send_slowly(&slow->client, slow->rest, SLOW_PAUSE_MS);
	slow->received = http_client_receive(&slow->client, "POST", &slow->reply);
	slow->took_ms = now_ms() - begin_ms;
	return NULL;
}

static void client_of_a_byte_a_second_is_cut_off(void **state)
{
	(void)state;
	const char *head = "POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
			   "Content-Length: 100\r\n\r\n";
	struct slow slow[] = {{.first = "", .rest = head}, {.first = "POST /ev", .rest = head + 8},
		{.first = head, .rest = "{\"venueId\":                      "}};
	enum { SLOW_COUNT = sizeof slow / sizeof *slow };
	for (int i = 0; i < SLOW_COUNT; i++) {
		http_client_init(&slow[i].client, simplest.port);
		assert_int_equal(0, pthread_create(&slow[i].thread, NULL, slow_run, &slow[i]));
	}
	/* Others are served meanwhile; on a busy machine perhaps only when they try again, since
	 * they have no more time than the slow ones. */
	wait_for_status("/healthz", 200, ANSWER_MS_MAX);
	for (int i = 0; i < SLOW_COUNT; i++) {
		pthread_join(slow[i].thread, NULL);
		assert_int_equal(HTTP_CLIENT_CLOSED, slow[i].sent);
		assert_true(slow[i].took_ms < CUT_MS_MAX);
		/* It is told why, where its own bytes do not make the connection fail first. */
		if (slow[i].received == HTTP_CLIENT_OK) {
			assert_int_equal(408, slow[i].reply.status);
			assert_non_null(strstr(slow[i].reply.body, "urn:onsale:problem:"));
		}
		http_client_reply_release(&slow[i].reply);
		http_client_release(&slow[i].client);
	}
	wait_for_status("/readyz", 200, ANSWER_MS_MAX);
}

/* ---- Idle connections ---- */

static void idle_connections_do_not_stop_the_next_one(void **state)
{
	(void)state;
	static struct http_client idle[IDLE_CONNECTIONS];
	char event[EVENT_ID_SIZE];
	event_make("Idle", 4, event);
	for (int i = 0; i < IDLE_CONNECTIONS; i++) {
		http_client_init(&idle[i], simplest.port);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&idle[i]));
		/* Some say nothing, some stop within a request, some stay after one. */
		if (i % 3 == 1)
			http_client_send_text(&idle[i], "POST /events HTTP/1.1\r\nHost: a\r\n");
		if (i % 3 == 2) {
			struct http_client_reply reply = {0};
			http_client_call(&idle[i], "GET", "/healthz", NULL, NULL, &reply);
			assert_int_equal(200, reply.status);
			http_client_reply_release(&reply);
		}
	}
	want_alive();
	char hold[HOLD_ID_SIZE];
	hold_make(event, "\"s-1\"", hold);
	buy(hold, "pm_card_visa", 200);
	for (int i = 0; i < IDLE_CONNECTIONS; i++)
		http_client_release(&idle[i]);
	want_alive();
}

/* ---- Mutated requests ---- */

struct mutant {
	char bytes[MUTANT_SIZE_MAX];
	size_t size;
};

/* Good requests, from which the mutants come. */
static void mutant_begin(struct mutant *mutant, uint64_t kind, const char *event, const char *hold)
{
	static const char seats[] = "{\"userId\":\"u\",\"seats\":[\"s-3\",\"s-4\"]}";
	static const char visa[] = "{\"paymentMethod\":\"pm_card_visa\"}";
	const char *head = "Host: a\r\nContent-Type: application/json\r\n";
	int size = 0;
	switch (kind) {
	case 0:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"POST /events/%s/holds HTTP/1.1\r\n%sIdempotency-Key: %s\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			event, head, new_key(), sizeof seats - 1, seats);
		break;
	case 1:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"POST /holds/%s/purchase HTTP/1.1\r\n%sIdempotency-Key: %s\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			hold, head, new_key(), sizeof visa - 1, visa);
		break;
	case 2:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"POST /events HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n"
			"2\r\n{}\r\n0\r\n\r\n",
			head);
		break;
	case 3:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"GET /events/%s/seats?section=Stalls&status=held HTTP/1.1\r\n%s\r\n", event,
			head);
		break;
	case 4:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"GET /events?q=mut%%61nt&limit=5 HTTP/1.1\r\n%s\r\n", head);
		break;
	default:
		size = snprintf(mutant->bytes, MUTANT_SIZE_MAX,
			"DELETE /holds/%s HTTP/1.1\r\n%sIdempotency-Key: k\r\n\r\n", hold, head);
		break;
	}
	mutant->size = (size_t)size;
}

static void mutant_edit(struct mutant *mutant, struct random *random)
{
	static const char *const pieces[] = {"\r\n", "\r\n\r\n", "\0", "%00", "\"", "{", "[",
		"\\u0000", "99999999999999999999", "-1", "1e400", "\xff", "Content-Length: 5\r\n",
		"Transfer-Encoding: chunked\r\n", " ", ",", "null"};
	size_t at = random_below(random, mutant->size), rest = mutant->size - at;
	size_t count = 1 + random_below(random, rest < 16 ? rest : 16);
	switch (random_below(random, 4)) {
	case 0: /* Change a byte. */
		mutant->bytes[at] = (char)random_below(random, 256);
		break;
	case 1: /* Drop some. */
		memmove(mutant->bytes + at, mutant->bytes + at + count, rest - count);
		mutant->size -= count;
		break;
	case 2: /* Repeat some. */
		memmove(mutant->bytes + at + count, mutant->bytes + at, rest);
		mutant->size += count;
		break;
	default: { /* Insert what means something. */
		const char *piece = pieces[random_below(random, sizeof pieces / sizeof *pieces)];
		size_t size = *piece ? strlen(piece) : 1;
		memmove(mutant->bytes + at + size, mutant->bytes + at, rest);
		memcpy(mutant->bytes + at, piece, size);
		mutant->size += size;
	}
	}
	/* An edit adds less than 32 bytes, and a request has less than 1,000. */
	assert_in_range(mutant->size, 0, MUTANT_SIZE_MAX / 2);
	if (mutant->size == 0)
		mutant->bytes[mutant->size++] = ' ';
}

/* Send it, and return the status of the answer, or 0: the connection was ended without one. Whoever
 * is still waited for ends its side after a moment; sometimes that comes at once. */
static int mutant_send(const struct mutant *mutant, bool end_at_once)
{
	struct http_client *client = &simplest.client;
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	enum http_client_outcome outcome = http_client_send(client, mutant->bytes, mutant->size);
	struct pollfd answer = {.fd = client->fd, .events = POLLIN};
	if (outcome == HTTP_CLIENT_OK && (end_at_once || poll(&answer, 1, MUTANT_WAIT_MS) == 0))
		http_client_finish_sending(client);
	outcome = http_client_receive(client, "GET", &simplest.reply);
	http_client_close(client);
	if (outcome == HTTP_CLIENT_OK)
		return simplest.reply.status;
	if (outcome != HTTP_CLIENT_CLOSED)
		fail_msg("%s for\n%.*s", http_client_outcome_name(outcome), (int)mutant->size,
			mutant->bytes);
	return 0;
}

/* Whether an answer is none of ours that would be a bug. */
static bool is_good_answer(int status)
{
	return status == 0 || (status >= 200 && status < 500) || status == 501 || status == 503 ||
		status == 505;
}

static void mutated_requests_do_no_harm(void **state)
{
	(void)state;
	struct random random;
	struct mutant mutant;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	int answers[6] = {0}, count = 0, limit = test_is_full() ? MUTATIONS_FULL : MUTATIONS;
	int64_t deadline_ms = now_ms() + (test_is_full() ? MUTATIONS_MS_FULL : MUTATIONS_MS);
	random_init(&random, random_seed());
	event_make("Mutant", 10, event);
	hold_make(event, "\"s-1\"", hold);
	for (; count < limit &&
		(now_ms() < deadline_ms || count < MUTATIONS_MIN || answers[2] == 0);
		count++) {
		mutant_begin(&mutant, random_below(&random, 6), event, hold);
		for (uint64_t edits = 1 + random_below(&random, EDITS_MAX); edits > 0; edits--)
			mutant_edit(&mutant, &random);
		int status = mutant_send(&mutant, random_chance(&random, 1, 5));
		if (!is_good_answer(status))
			fail_msg("%d for\n%.*s", status, (int)mutant.size, mutant.bytes);
		answers[status / 100]++;
		if (count % 200 == 0)
			want_alive();
	}
	print_message("%d mutated requests: %d good, %d refused, %d cut off\n", count, answers[2],
		answers[4], answers[0]);
	/* They are neither all harmless nor all noise. */
	assert_true(answers[2] > 0);
	assert_true(answers[4] > count / 4);
	want_alive();
	assert_int_equal(10,
		seats_with(event, "available") + seats_with(event, "held") +
			seats_with(event, "sold"));
	assert_false(server_has_logged("\"level\":\"error\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(client_of_a_byte_a_second_is_cut_off, start_strict),
		SERVER_TEST(idle_connections_do_not_stop_the_next_one, start),
		SERVER_TEST(mutated_requests_do_no_harm, start),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
