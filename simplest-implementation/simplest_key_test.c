/* What an Idempotency-Key promises: the same answer to the byte, refusals for what is not the same
 * request, and nothing kept of answers that may change. */
#include "simplest-implementation/simplest_fixture.h"

enum { KEY_SIZE_MAX = 255 };

static const char visa[] = "{\"paymentMethod\":\"pm_card_visa\"}";
static const char declined[] = "{\"paymentMethod\":\"pm_card_visa_chargeDeclined\"}";

static int start(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=10m");
	return 0;
}

static int start_short(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=100ms", "SWEEP_INTERVAL=1h");
	return 0;
}

/* A path and a key that last longer than a text. */
struct request {
	char path[256], key[KEY_SIZE_MAX + 2];
	const char *body;
	int status;
};

static struct request request_make(const char *path, const char *body, int status)
{
	struct request request = {.body = body, .status = status};
	snprintf(request.path, sizeof request.path, "%s", path);
	snprintf(request.key, sizeof request.key, "%s", new_key());
	return request;
}

static json_t *send_request(const struct request *request)
{
	return ask("POST", request->path, request->key, request->body, request->status);
}

/* Send it twice on two connections: the second answer is the first, and says that it is. */
static void want_replayed(const struct request *request)
{
	send_request(request);
	assert_null(http_client_reply_header(&simplest.reply, "Idempotency-Replayed"));
	char *first = strdup(simplest.reply.body);
	char *type = strdup(http_client_reply_header(&simplest.reply, "Content-Type"));
	http_client_close(&simplest.client);
	send_request(request);
	assert_string_equal(first, simplest.reply.body);
	assert_string_equal(type, http_client_reply_header(&simplest.reply, "Content-Type"));
	assert_string_equal(
		"true", http_client_reply_header(&simplest.reply, "Idempotency-Replayed"));
	free(first);
	free(type);
}

static const char *hold_path(const char *event)
{
	return text("/events/%s/holds", event);
}

static const char *purchase_path(const char *hold)
{
	return text("/holds/%s/purchase", hold);
}

/* ---- Presence and form ---- */

static void key_is_required_where_seats_or_money_move(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Required", 4, event);
	hold_make(event, "\"s-1\"", hold);
	const char *body = "{\"userId\":\"u\",\"seats\":[\"s-2\"]}";
	ask("POST", hold_path(event), NULL, body, 400);
	want_problem("bad-request");
	ask("POST", purchase_path(hold), NULL, visa, 400);
	want_problem("bad-request");
	char longest[KEY_SIZE_MAX + 2];
	memset(longest, 'k', sizeof longest);
	longest[KEY_SIZE_MAX + 1] = '\0';
	const char *const wrong[] = {longest, "", "a b", "k\xc3\xa9y", "a\tb"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ask("POST", hold_path(event), wrong[i], body, 400);
	assert_int_equal(1, seats_with(event, "held"));
	longest[KEY_SIZE_MAX] = '\0';
	ask("POST", hold_path(event), longest, body, 201);
}

/* ---- Replay ---- */

static void success_is_replayed(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("Replay", 4, event);
	struct request hold =
		request_make(hold_path(event), "{\"userId\":\"u\",\"seats\":[\"s-1\"]}", 201);
	want_replayed(&hold);
	assert_int_equal(1, seats_with(event, "held"));
	char hold_id[HOLD_ID_SIZE];
	snprintf(hold_id, sizeof hold_id, "%s", string_at(send_request(&hold), "holdId"));
	struct request purchase = request_make(purchase_path(hold_id), visa, 200);
	want_replayed(&purchase);
	assert_int_equal(1, seats_with(event, "sold"));
	assert_int_equal(
		1, database_count("select count(*) from charges where event_id = '%s'", event));
	/* The hold's own answer still says what it said then. */
	assert_string_equal("held", string_at(send_request(&hold), "status"));
}

static void optional_key_is_honoured(void **state)
{
	(void)state;
	char *plan = plan_make("Optional", 4);
	struct request venue = request_make("/venues", plan, 201);
	want_replayed(&venue);
	char *body = strdup(text("{\"venueId\":\"%s\",\"name\":\"Once\",\"currency\":\"EUR\","
				 "\"startsAt\":\"2027-05-01T19:30:00Z\","
				 "\"prices\":{\"A\":1,\"B\":2}}",
		string_at(simplest.json, "venueId")));
	struct request event = request_make("/events", body, 201);
	want_replayed(&event);
	array_at(look("/events?q=Once"), "items", 1);
	assert_int_equal(1, database_count("select count(*) from venues where name = 'Optional'"));
	/* Without one, each request is another. */
	ask("POST", "/events", NULL, body, 201);
	array_at(look("/events?q=Once"), "items", 2);
	free(body);
	free(plan);
}

static void refusals_that_stay_are_replayed(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Refused", 4, event);
	hold_make(event, "\"s-1\"", hold);
	struct request request = request_make(purchase_path(hold), declined, 402);
	want_replayed(&request);
	/* The hold can be bought, and the key still speaks of the payment that was declined. */
	buy(hold, "pm_card_visa", 200);
	send_request(&request);
	want_problem("payment-declined");
	request = request_make(hold_path(event), "{\"userId\":\"u\",\"seats\":[\"s-9\"]}", 422);
	want_replayed(&request);
	request = request_make(purchase_path(text("%s.%s", event, event)), visa, 404);
	want_replayed(&request);
}

static void expiry_is_replayed(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Expired", 4, event);
	hold_make(event, "\"s-1\"", hold);
	pause_ms(150);
	struct request request = request_make(purchase_path(hold), visa, 410);
	want_replayed(&request);
}

static void replay_survives_a_crash(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("Survives", 4, event);
	struct request request =
		request_make(hold_path(event), "{\"userId\":\"u\",\"seats\":[\"s-1\"]}", 201);
	send_request(&request);
	char *first = strdup(simplest.reply.body);
	server_crash();
	server_start_again();
	send_request(&request);
	assert_string_equal(first, simplest.reply.body);
	free(first);
}

/* ---- Not the same request ---- */

static void key_of_another_request_is_422(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], other[EVENT_ID_SIZE], hold[HOLD_ID_SIZE], next[HOLD_ID_SIZE];
	event_make("This", 4, event);
	event_make("Other", 4, other);
	hold_make(event, "\"s-1\"", hold);
	hold_make(event, "\"s-2\"", next);
	struct request first =
		request_make(hold_path(event), "{\"userId\":\"u\",\"seats\":[\"s-3\"]}", 201);
	send_request(&first);
	const char *const bodies[] = {"{\"userId\":\"u\",\"seats\":[\"s-4\"]}",
		"{\"userId\":\"v\",\"seats\":[\"s-3\"]}",
		"{\"userId\":\"u\",\"seats\": [\"s-3\"]}"};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		ask("POST", first.path, first.key, bodies[i], 422);
		want_problem("idempotency-key-reused");
	}
	ask("POST", hold_path(other), first.key, first.body, 422);
	want_problem("idempotency-key-reused");
	assert_int_equal(4, seats_with(other, "available"));
	send_request(&first);
	/* Another hold with the same body, which is the path that differs. */
	struct request purchase = request_make(purchase_path(hold), visa, 200);
	send_request(&purchase);
	ask("POST", purchase_path(next), purchase.key, visa, 422);
	ask("POST", purchase_path(hold), purchase.key, declined, 422);
	assert_int_equal(1, seats_with(event, "sold"));
	/* A key belongs to its operation: the same text may serve a hold and its purchase. */
	ask("POST", purchase_path(next), first.key, visa, 200);
}

/* ---- In flight ---- */

/* The first request waits for a lock that the test has; so it is in flight for as long as we like.
 */
static void key_in_flight_is_409(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("In flight", 4, event);
	struct request request =
		request_make(hold_path(event), "{\"userId\":\"u\",\"seats\":[\"s-1\"]}", 201);
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, simplest.port);
	PGconn *lock = database_lock(text(
		"select from seat_inventory where event_id = '%s' and seat_id = 's-1'", event));
	send_only(&client, "POST", request.path, request.key, request.body);
	database_wait_blocked(lock, 1);
	for (int i = 0; i < 3; i++) {
		ask("POST", request.path, request.key, request.body, 409);
		want_problem("idempotency-key-in-use");
	}
	/* Other keys are not held up by it. */
	ask("POST", request.path, new_key(), "{\"userId\":\"u\",\"seats\":[\"s-2\"]}", 201);
	PQfinish(lock);
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "POST", &reply));
	assert_int_equal(201, reply.status);
	send_request(&request);
	assert_string_equal(reply.body, simplest.reply.body);
	assert_int_equal(2, seats_with(event, "held"));
	http_client_reply_release(&reply);
	http_client_release(&client);
}

/* ---- Not stored ---- */

static void conflict_is_not_stored(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Conflict", 4, event);
	hold_make(event, "\"s-1\"", hold);
	struct request request =
		request_make(hold_path(event), "{\"userId\":\"v\",\"seats\":[\"s-1\"]}", 409);
	send_request(&request);
	want_problem("seats-taken");
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	request.status = 201;
	want_replayed(&request);
}

/* Neither is a failure: here a table is missing for a while. */
static void failure_is_not_stored(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Failure", 4, event);
	hold_make(event, "\"s-1\"", hold);
	struct request request = request_make(purchase_path(hold), visa, 500);
	database_run("alter table tickets rename to tickets_elsewhere");
	send_request(&request);
	want_problem("internal");
	/* Order and charge came before the failure, and went with it. */
	assert_int_equal(
		0, database_count("select count(*) from orders where event_id = '%s'", event));
	assert_int_equal(
		0, database_count("select count(*) from charges where event_id = '%s'", event));
	assert_int_equal(1, seats_with(event, "held"));
	database_run("alter table tickets_elsewhere rename to tickets");
	request.status = 200;
	want_replayed(&request);
	assert_int_equal(
		1, database_count("select count(*) from charges where event_id = '%s'", event));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(key_is_required_where_seats_or_money_move, start),
		SERVER_TEST(success_is_replayed, start),
		SERVER_TEST(optional_key_is_honoured, start),
		SERVER_TEST(refusals_that_stay_are_replayed, start),
		SERVER_TEST(expiry_is_replayed, start_short),
		SERVER_TEST(replay_survives_a_crash, start),
		SERVER_TEST(key_of_another_request_is_422, start),
		SERVER_TEST(key_in_flight_is_409, start),
		SERVER_TEST(conflict_is_not_stored, start),
		SERVER_TEST(failure_is_not_stored, start),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
