/* The product from the queue to the ticket, as programs: one server, and two that share a sale. */
#include "real-implementation/product_fixture.h"

#include <pthread.h>
#include <string.h>

#include "lib/postgres/postgres.h"

enum { KEPT = 1024 }; /* Of a path or a body. */

/* Servers. */
#define GONE "00000000-0000-7000-8000-000000000001"
#define LONG_GONE "00000000-0000-7000-8000-000000000002"

static struct product_fixture product;

static int set_up(void **state)
{
	static const char *const settings[] = {"ROOM_CALM=2s", NULL};
	(void)state;
	product_open(&product, settings);
	product_serve(&product, 0);
	product_serve(&product, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	product_close(&product);
	return 0;
}

static void put_room(const char *event, const char *members)
{
	struct http_client_reply reply = {0};
	struct http_client client;
	http_client_init(&client, product.ports[0]);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "PUT", text("/events/%s/waiting-room", event),
			PRODUCT_ADMIN, text("{%s}", members), &reply));
	if (reply.status != 200 && reply.status != 201)
		fail_msg("PUT waiting-room: %d: %s", reply.status, reply.body);
	http_client_reply_release(&reply);
	http_client_release(&client);
}

static int64_t counted(struct person *person, const char *event, const char *status)
{
	json_t *json = person_ask(
		person, "GET", text("/events/%s/availability", event), NULL, NULL, NULL, 200);
	int64_t count = member_number(json_object_get(json, "total"), status);
	json_decref(json);
	return count;
}

static void wait_counted(
	struct person *person, const char *event, const char *status, int64_t count)
{
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS, found;
	while ((found = counted(person, event, status)) != count) {
		if (now_monotonic_ms() > deadline_ms)
			fail_msg("%lld are %s, not %lld", (long long)found, status,
				(long long)count);
		pause_for(20);
	}
}

static const char *room_state(struct person *person, const char *event)
{
	static char state[32] = "none";
	snprintf(state, sizeof state, "none");
	if (person_try(person, "GET", text("/events/%s/waiting-room", event), NULL, NULL, NULL) ==
		200) {
		json_t *json = http_client_reply_json(&person->reply);
		snprintf(state, sizeof state, "%s", member_text(json, "state"));
		json_decref(json);
	}
	return state;
}

static void wait_room(struct person *person, const char *event, const char *state)
{
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	while (strcmp(room_state(person, event), state) != 0) {
		if (now_monotonic_ms() > deadline_ms)
			fail_msg("the room did not become %s", state);
		pause_for(50);
	}
}

/* Whatever is asked of one server is known to the other. */
static void test_from_the_queue_to_the_ticket_across_two_servers(void **state)
{
	char event[ID_TEXT_SIZE], pass[512], order[128];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Across\"", event);
	put_room(event, "\"state\":\"open\",\"ratePerSecond\":100,\"activeMax\":10");
	person_new(&ada, &product, 0);
	json_t *found = person_ask(&ada, "GET", "/events?q=acros", NULL, NULL, NULL, 200);
	assert_string_equal(
		event, member_text(json_array_get(json_object_get(found, "items"), 0), "eventId"));
	json_decref(found);
	wait_counted(&ada, event, "available", PRODUCT_VENUE_SEATS);
	person_enter(&ada, event, pass);
	ada.server = 1;
	json_t *hold = person_ask(&ada, "POST", text("/events/%s/holds", event), "h",
		text("Waiting-Room-Pass: %s\r\n", pass),
		"{\"best\":{\"quantity\":2,\"category\":\"Stalls\"}}", 201);
	assert_int_equal(6800, member_number(hold, "total"));
	ada.server = 0;
	wait_counted(&ada, event, "held", 2);
	json_t *made = person_ask(&ada, "POST", "/orders", "o", NULL,
		text("{\"holdId\":\"%s\"}", member_text(hold, "holdId")), 201);
	assert_string_equal("requires_confirmation", member_text(made, "status"));
	snprintf(order, sizeof order, "%s", member_text(made, "orderId"));
	ada.server = 1;
	person_want(&ada, "POST", text("/orders/%s/confirm", order), "c", NULL,
		"{\"paymentMethod\":\"pm_card_visa\"}", 202);
	ada.server = 0;
	json_t *paid = person_wait(&ada, text("/orders/%s", order), "status", "paid");
	assert_int_equal(2, json_array_size(json_object_get(paid, "tickets")));
	wait_counted(&ada, event, "sold", 2);
	ada.server = 1;
	wait_counted(&ada, event, "sold", 2);
	/* Who has bought leaves room for others. */
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	while (person_try(&ada, "POST", text("/events/%s/holds", event), "again",
		       text("Waiting-Room-Pass: %s\r\n", pass),
		       "{\"best\":{\"quantity\":1}}") != 403)
		assert_true(now_monotonic_ms() < deadline_ms);
	const char *ticket =
		member_text(json_array_get(json_object_get(paid, "tickets"), 0), "ticketId");
	json_t *shown = person_ask(&ada, "GET", text("/tickets/%s", ticket), NULL, NULL, NULL, 200);
	char scan[KEPT];
	(void)snprintf(scan, sizeof scan, "{\"code\":\"%s\",\"gate\":\"north\"}",
		member_text(shown, "code"));
	json_decref(product_admin(&product, 0, "POST", "/tickets/scan", scan, 200));
	json_decref(product_admin(&product, 1, "POST", "/tickets/scan", scan, 409));
	json_decref(hold), json_decref(made), json_decref(paid), json_decref(shown);
	person_release(&ada);
}

static void test_each_sees_only_what_is_theirs(void **state)
{
	char event[ID_TEXT_SIZE], other[ID_TEXT_SIZE], pass[512], order[128];
	struct person ada, eve;
	(void)state;
	product_import_event(&product, "\"name\":\"Mine\"", event);
	product_import_event(&product, "\"name\":\"Another\"", other);
	put_room(event, "\"state\":\"open\",\"ratePerSecond\":100,\"activeMax\":10");
	put_room(other, "\"state\":\"open\",\"ratePerSecond\":100,\"activeMax\":10");
	person_new(&ada, &product, 0);
	person_new(&eve, &product, 1);
	wait_room(&eve, event, "open");
	person_enter(&ada, event, pass);
	char with_pass[KEPT];
	(void)snprintf(with_pass, sizeof with_pass, "Waiting-Room-Pass: %s\r\n", pass);
	const char *one = "{\"best\":{\"quantity\":1}}";
	char holds[KEPT];
	(void)snprintf(holds, sizeof holds, "/events/%s/holds", event);
	person_want(&ada, "POST", holds, "h0", NULL, one, 403);
	person_want(&eve, "POST", holds, "h0", with_pass, one, 403);
	person_want(&ada, "POST", text("/events/%s/holds", other), "h0", with_pass, one, 403);
	char spoiled[512];
	snprintf(spoiled, sizeof spoiled, "%s", pass);
	spoiled[strlen(spoiled) / 2] ^= 1;
	person_want(
		&ada, "POST", holds, "h0", text("Waiting-Room-Pass: %s\r\n", spoiled), one, 403);
	json_t *hold = person_ask(&ada, "POST", holds, "h1", with_pass, one, 201);
	char hold_path[KEPT];
	(void)snprintf(hold_path, sizeof hold_path, "/holds/%s", member_text(hold, "holdId"));
	person_want(&eve, "GET", hold_path, NULL, NULL, NULL, 404);
	person_want(&eve, "DELETE", hold_path, NULL, NULL, NULL, 404);
	person_want(&ada, "GET", hold_path, NULL, NULL, NULL, 200);
	char order_body[KEPT];
	(void)snprintf(
		order_body, sizeof order_body, "{\"holdId\":\"%s\"}", member_text(hold, "holdId"));
	person_want(&eve, "POST", "/orders", "o", NULL, order_body, 404);
	json_t *made = person_ask(&ada, "POST", "/orders", "o", NULL, order_body, 201);
	snprintf(order, sizeof order, "%s", member_text(made, "orderId"));
	char order_path[KEPT];
	(void)snprintf(order_path, sizeof order_path, "/orders/%s", order);
	person_want(&eve, "GET", order_path, NULL, NULL, NULL, 404);
	person_want(&eve, "POST", text("%s/confirm", order_path), "c", NULL,
		"{\"paymentMethod\":\"pm_card_visa\"}", 404);
	person_want(&eve, "POST", text("%s/cancel", order_path), "c", NULL, "{}", 404);
	person_want(&ada, "POST", text("%s/confirm", order_path), "c", NULL,
		"{\"paymentMethod\":\"pm_card_visa\"}", 202);
	json_t *paid = person_wait(&ada, order_path, "status", "paid");
	const char *ticket =
		member_text(json_array_get(json_object_get(paid, "tickets"), 0), "ticketId");
	person_want(&eve, "GET", text("/tickets/%s", ticket), NULL, NULL, NULL, 404);
	person_want(&eve, "GET", text("/tickets/%s.svg", ticket), NULL, NULL, NULL, 404);
	person_want(&ada, "GET", text("/tickets/%s.svg", ticket), NULL, NULL, NULL, 200);
	/* Neither a person nor nobody is the organiser. */
	person_want(&ada, "POST", "/tickets/scan", NULL, NULL, "{\"code\":\"X\"}", 401);
	person_want(&ada, "GET", text("/admin/events/%s", event), NULL, NULL, NULL, 401);
	person_want(&ada, "PUT", text("/events/%s/waiting-room", event), NULL, NULL,
		"{\"state\":\"closed\"}", 401);
	/* A session that is not one is nobody's. */
	struct person nobody = ada;
	nobody.reply = (struct http_client_reply){0};
	nobody.token[strlen(nobody.token) / 2] ^= 1;
	person_want(&nobody, "GET", hold_path, NULL, NULL, NULL, 401);
	json_decref(hold), json_decref(made), json_decref(paid);
	person_release(&nobody);
	person_release(&ada);
	person_release(&eve);
}

/* ---- Many at once ---- */

enum { CROWD = 60 };

struct fan {
	pthread_t thread;
	const char *event;
	size_t index;
	int status;
	char seats[2][64];
};

static void *take_best(void *context)
{
	struct fan *fan = context;
	struct person person;
	person_new(&person, &product, fan->index % PRODUCT_SERVERS);
	fan->status = person_try(&person, "POST", text("/events/%s/holds", fan->event), "crowd",
		NULL, "{\"best\":{\"quantity\":2}}");
	json_t *json = http_client_reply_json(&person.reply);
	for (size_t i = 0; i < 2 && fan->status == 201; i++) {
		json_t *seat = json_array_get(json_object_get(json, "seats"), i);
		snprintf(fan->seats[i], sizeof fan->seats[i], "%s", member_text(seat, "seatId"));
	}
	json_decref(json);
	person_release(&person);
	return NULL;
}

/* Everybody wants the best seats at the same moment, of two servers that propose alike; everybody
 * gets some, and nobody those of another. */
static void test_a_crowd_for_the_best_seats(void **state)
{
	static struct fan fans[CROWD];
	char event[ID_TEXT_SIZE];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Crowd\"", event);
	person_new(&ada, &product, 0);
	wait_counted(&ada, event, "available", PRODUCT_VENUE_SEATS);
	for (size_t i = 0; i < CROWD; i++) {
		fans[i] = (struct fan){.event = event, .index = i};
		assert_int_equal(0, pthread_create(&fans[i].thread, NULL, take_best, &fans[i]));
	}
	for (size_t i = 0; i < CROWD; i++)
		pthread_join(fans[i].thread, NULL);
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(201, fans[i].status);
		for (size_t j = 0; j < i; j++)
			for (size_t k = 0; k < 4; k++)
				assert_string_not_equal(fans[i].seats[k / 2], fans[j].seats[k % 2]);
	}
	for (ada.server = 0; ada.server < PRODUCT_SERVERS; ada.server++)
		wait_counted(&ada, event, "held", 2 * CROWD);
	person_release(&ada);
}

/* The same request again is told the same, also for the best seats; another one is 422. */
static void test_a_repeated_request_is_told_the_same(void **state)
{
	char event[ID_TEXT_SIZE];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Again\"", event);
	person_new(&ada, &product, 0);
	char path[KEPT];
	(void)snprintf(path, sizeof path, "/events/%s/holds", event);
	json_t *first =
		person_ask(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":3}}", 201);
	ada.server = 1;
	json_t *again =
		person_ask(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":3}}", 201);
	assert_string_equal(member_text(first, "holdId"), member_text(again, "holdId"));
	assert_int_equal(member_number(first, "total"), member_number(again, "total"));
	person_want(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":2}}", 422);
	person_want(&ada, "POST", path, NULL, NULL, "{\"best\":{\"quantity\":2}}", 400);
	wait_counted(&ada, event, "held", 3);
	char hold[KEPT];
	(void)snprintf(hold, sizeof hold, "/holds/%s", member_text(first, "holdId"));
	person_want(&ada, "DELETE", hold, NULL, NULL, NULL, 204);
	person_want(&ada, "DELETE", hold, NULL, NULL, NULL, 204);
	wait_counted(&ada, event, "available", PRODUCT_VENUE_SEATS);
	json_decref(first), json_decref(again);
	person_release(&ada);
}

static void test_bad_requests_are_told_why(void **state)
{
	static const struct {
		const char *body;
		int status;
	} bad[] = {
		{"{}", 422},
		{"{\"seats\":[]}", 422},
		{"{\"seats\":[\"no-such-seat\"]}", 422},
		{"{\"seats\":[\"a\"],\"best\":{\"quantity\":1}}", 422},
		{"{\"best\":{\"quantity\":0}}", 422},
		{"{\"best\":{\"quantity\":11}}", 422},
		{"{\"best\":{\"quantity\":1,\"section\":\"Nowhere\"}}", 422},
		{"{\"best\":{\"quantity\":1,\"category\":\"Nothing\"}}", 422},
		{"{\"best\":{\"quantity\":1,\"colour\":\"red\"}}", 422},
		{"{\"best\":1}", 422},
		{"[", 400},
		{"[]", 422},
	};
	struct person ada;
	(void)state;
	person_new(&ada, &product, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		person_want(&ada, "POST", text("/events/%s/holds", product.event), "bad", NULL,
			bad[i].body, bad[i].status);
	const char *none = "00000000-0000-7000-8000-000000000000";
	person_want(&ada, "POST", text("/events/%s/holds", none), "bad", NULL,
		"{\"best\":{\"quantity\":1}}", 404);
	person_want(&ada, "GET", text("/events/%s/availability", none), NULL, NULL, NULL, 404);
	person_want(&ada, "GET", text("/events/%s/stream", none), NULL, NULL, NULL, 404);
	person_want(&ada, "GET", "/events/what/map", NULL, NULL, NULL, 404);
	person_want(&ada, "GET", text("/events/%s/seats?section=Nowhere", product.event), NULL,
		NULL, NULL, 404);
	person_want(&ada, "GET", text("/events/%s/seats?sektion=x", product.event), NULL, NULL,
		NULL, 400);
	person_release(&ada);
}

/* ---- What happens by itself ---- */

/* While it is closed no pass is needed; demand opens it, calm closes it. */
static void test_the_room_opens_and_closes_by_itself(void **state)
{
	char event[ID_TEXT_SIZE], key[32];
	struct person ada, ben;
	(void)state;
	product_import_event(&product,
		"\"name\":\"Rush\",\"waitingRoom\":{\"openAtHoldsPerSecond\":2,"
		"\"ratePerSecond\":100,\"activeMax\":50}",
		event);
	person_new(&ada, &product, 0);
	person_new(&ben, &product, 1);
	char path[KEPT];
	(void)snprintf(path, sizeof path, "/events/%s/holds", event);
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	for (int i = 0; strcmp(room_state(&ada, event), "open") != 0; i++) {
		snprintf(key, sizeof key, "rush-%d", i);
		int got = person_try(&ada, "POST", path, key, NULL, "{\"best\":{\"quantity\":1}}");
		if (got != 201 && got != 403 && got != 409)
			fail_msg("POST %s: %d: %s", path, got, ada.reply.body);
		assert_true(now_monotonic_ms() < deadline_ms);
		pause_for(100); /* Demand enough, and some seats are still left. */
	}
	wait_room(&ben, event, "open");
	person_want(&ben, "POST", path, "late", NULL, "{\"best\":{\"quantity\":1}}", 403);
	wait_room(&ada, event, "closed");
	wait_room(&ben, event, "closed");
	person_want(&ben, "POST", path, "later", NULL, "{\"best\":{\"quantity\":1}}", 201);
	person_release(&ada);
	person_release(&ben);
}

/* One ask of the first server, and of the second one where `ben` is there, per round. A server sees
 * three or four of them per second at most, and they are smoothed: less than 4, which opens it. */
static void ask_a_round(struct person *ada, struct person *ben, const char *path, int round)
{
	enum { ROUND_MS = 400 };
	int64_t next_ms = now_monotonic_ms() + ROUND_MS;
	struct person *people[] = {ada, ben};
	char key[32];
	snprintf(key, sizeof key, "round-%d", round);
	for (size_t i = 0; i < sizeof people / sizeof people[0] && people[i]; i++) {
		int got = person_try(
			people[i], "POST", path, key, NULL, "{\"best\":{\"quantity\":1}}");
		if (got != 201 && got != 403 && got != 409)
			fail_msg("POST %s: %d: %s", path, got, people[i]->reply.body);
	}
	int64_t left_ms = next_ms - now_monotonic_ms();
	if (left_ms > 0)
		pause_for(left_ms);
}

/* How many rows the statement, whose parameter is the event, finds or writes. */
static size_t demand_rows(const struct postgres_statement *statement, const char *event)
{
	struct id id;
	struct postgres_result result;
	struct postgres *pg =
		postgres_open(&(struct postgres_options){.url = product.postgres.url});
	assert_non_null(pg);
	assert_true(id_parse(slice_of(event), &id));
	assert_int_equal(STATUS_OK,
		postgres_execute(pg, statement, POSTGRES_PARAMETERS(postgres_uuid(id)), &result));
	size_t count = result.row_count;
	postgres_result_release(&result);
	postgres_close(pg);
	return count;
}

/* What opens a room is what all servers are asked: each of them too little, but both enough. One
 * that is gone does not count, and one that is long gone is forgotten. */
static void test_demand_is_that_of_all_servers(void **state)
{
	enum { ROUNDS_OF_ONE = 12 };
	static const struct postgres_statement tell_of_two = {.name = "tell_of_two",
		.sql = "INSERT INTO event_demand VALUES "
		       "($1, '" GONE "', 1000, 0, clock_timestamp() - interval '10 s'), "
		       "($1, '" LONG_GONE "', 1000, 0, clock_timestamp() - interval '2 h') "
		       "RETURNING event_id"};
	static const struct postgres_statement find_it = {.name = "find_it",
		.sql = "SELECT FROM event_demand WHERE event_id = $1 AND server = '" LONG_GONE "'"};
	char event[ID_TEXT_SIZE], path[KEPT];
	struct person ada, ben;
	(void)state;
	product_import_event(&product,
		"\"name\":\"Together\",\"waitingRoom\":{\"openAtHoldsPerSecond\":4,"
		"\"ratePerSecond\":100,\"activeMax\":50}",
		event);
	(void)snprintf(path, sizeof path, "/events/%s/holds", event);
	person_new(&ada, &product, 0);
	person_new(&ben, &product, 1);
	assert_int_equal(2, demand_rows(&tell_of_two, event));
	int round = 0;
	for (; round < ROUNDS_OF_ONE; round++)
		ask_a_round(&ada, NULL, path, round);
	assert_string_not_equal("open", room_state(&ada, event));
	assert_int_equal(0, demand_rows(&find_it, event));
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	for (; strcmp(room_state(&ada, event), "open") != 0; round++) {
		ask_a_round(&ada, &ben, path, round);
		assert_true(now_monotonic_ms() < deadline_ms);
	}
	person_release(&ada);
	person_release(&ben);
}

/* Nobody is let in to find everything taken: activeMax is never more than there are seats for. */
static void test_no_more_are_let_in_than_there_are_seats_for(void **state)
{
	char event[ID_TEXT_SIZE], order[128];
	struct person ada;
	(void)state;
	product_import_event(&product, "\"name\":\"Few left\"", event);
	person_new(&ada, &product, 0);
	/* All but ten are sold. */
	for (int left = PRODUCT_VENUE_SEATS; left > 10; left -= 10)
		person_buy(&ada, event, NULL, 10, "pm_card_visa", "paid", order);
	wait_counted(&ada, event, "available", 10);
	put_room(event, "\"state\":\"open\",\"ratePerSecond\":1000,\"activeMax\":500");
	char path[KEPT];
	(void)snprintf(path, sizeof path, "/admin/events/%s", event);
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS, found = 0;
	while (found != 10) {
		json_t *json = product_admin(&product, 0, "GET", path, NULL, 200);
		if (!json_object_get(json, "room"))
			fail_msg("%s: %s", path, json_dumps(json, 0));
		found = member_number(json_object_get(json, "room"), "activeMax");
		json_decref(json);
		if (now_monotonic_ms() > deadline_ms)
			fail_msg("activeMax is %lld", (long long)found);
		pause_for(100);
	}
	person_release(&ada);
}

static void test_before_the_sale_nothing_is_held(void **state)
{
	char event[ID_TEXT_SIZE];
	struct person ada;
	(void)state;
	product_import_event(
		&product, "\"name\":\"Soon\",\"onSaleAt\":\"2098-01-01T00:00:00Z\"", event);
	person_new(&ada, &product, 0);
	char path[KEPT];
	(void)snprintf(path, sizeof path, "/events/%s/holds", event);
	person_want(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":1}}", 409);
	json_decref(product_admin(&product, 1, "PUT", text("/events/%s", event),
		"{\"onSaleAt\":\"2020-01-01T00:00:00Z\"}", 200));
	/* The other server hears of it. */
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	while (person_try(&ada, "POST", path, "k", NULL, "{\"best\":{\"quantity\":1}}") != 201) {
		assert_true(now_monotonic_ms() < deadline_ms);
		pause_for(50);
	}
	json_decref(product_admin(
		&product, 0, "PUT", text("/events/%s", event), "{\"status\":\"canceled\"}", 200));
	while (person_try(&ada, "POST", path, "k2", NULL, "{\"best\":{\"quantity\":1}}") != 410) {
		assert_true(now_monotonic_ms() < deadline_ms);
		pause_for(50);
	}
	person_release(&ada);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_queue_to_the_ticket_across_two_servers),
		cmocka_unit_test(test_each_sees_only_what_is_theirs),
		cmocka_unit_test(test_a_crowd_for_the_best_seats),
		cmocka_unit_test(test_a_repeated_request_is_told_the_same),
		cmocka_unit_test(test_bad_requests_are_told_why),
		cmocka_unit_test(test_the_room_opens_and_closes_by_itself),
		cmocka_unit_test(test_demand_is_that_of_all_servers),
		cmocka_unit_test(test_no_more_are_let_in_than_there_are_seats_for),
		cmocka_unit_test(test_before_the_sale_nothing_is_held),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
